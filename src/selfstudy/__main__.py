"""`python -m selfstudy` is the `selfstudy` command."""

from importlib import import_module

if __name__ == "__main__":
    # by its name: no room of the package may know the command line, and this file lies among them
    import_module("selfstudy.cli").main()
