"""Verbs about models and the machine: doctor."""

from __future__ import annotations

from pathlib import Path

import typer

from selfstudy.cli.session import app, session


@app.command(short_help="Check the installation and the machine.")
def doctor() -> None:
    """Check Python, packages, memory, disk, accelerator and the embedded models; say what to mend and how.

    \b
    Example:
      selfstudy doctor
    """
    with session():
        from selfstudy.doctor import examine

        failed = 0
        for finding in examine(Path.cwd()):
            typer.echo(str(finding))
            failed += finding.state == "fail"
        if failed:
            raise typer.Exit(1)
