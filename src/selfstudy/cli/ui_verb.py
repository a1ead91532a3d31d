"""The verb ui."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selfstudy.cli.session import INTERRUPTS, app, session
from selfstudy.screen import say


@app.command(short_help="A page to work in: start runs, look at them, correct them.")
def ui(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where runs lie, and new ones are made.")
    ] = Path("runs"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any that is free.")] = 7860,
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; beyond loopback others can come in.")
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="Name by which a proxy asks for this host."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser of this machine.")] = False,
) -> None:
    """Serve a page on this machine that starts runs, shows them, and lets a person correct and talk to them.

    The address that is printed has a token: who has it may start commands here as you. Runs go on when the
    page, or this command, is closed.

    \b
    Examples:
      selfstudy ui
      selfstudy ui ~/studies --port 0 --open
    """
    with session():
        from selfstudy.errors import MissingExtraError

        try:
            from selfstudy.ui.server import UiServer
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "gradio", "ui", "ui") from None
        if folder == Path("runs"):
            folder.mkdir(exist_ok=True)
        server = UiServer(folder, host=host, port=port, names=tuple(allow_host or ()))

        def ready() -> None:
            say(f"open {server.url}", err=True)
            if open_:
                import webbrowser

                webbrowser.open(server.url)

        server.run(ready)
        INTERRUPTS.enough()
