"""`python -m selfstudy.cli` is the `selfstudy` command."""

from selfstudy.cli import main

if __name__ == "__main__":
    main()
