"""The command line, one file per group of verbs; `app` is all of them, imported when it is first used."""

from selfstudy.cli.start import __getattr__, main

__all__ = ["__getattr__", "main"]
