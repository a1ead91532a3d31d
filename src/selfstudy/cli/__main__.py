from selfstudy.cli import main

main()
