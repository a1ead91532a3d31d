"""The command line, one file per group of verbs."""

from selfstudy.cli.entry import main
from selfstudy.cli.session import app

__all__ = ["app", "main"]
