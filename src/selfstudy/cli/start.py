"""What runs first: listens for Ctrl-C, then imports the rest of the command line."""

from __future__ import annotations

from selfstudy.cli import leaving


def main() -> None:
    """The entry point of the `selfstudy` command."""
    leaving.listen()
    from selfstudy.cli import entry

    entry.main()


def __getattr__(name: str) -> object:
    """Names that `selfstudy.cli` hands on when they are first used."""
    if name != "app":
        raise AttributeError(f"module 'selfstudy.cli' has no attribute {name!r}")
    from selfstudy.cli import entry

    return entry.app
