"""What a person sees while a stage works: bars on a terminal, plain lines elsewhere, nothing in `Silent`."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from selfstudy.progress import Reporter, Silent, Terminal


def work(report: Reporter) -> None:
    with report.task("answering [red]questions", 4) as advance:
        advance(3)
        with report.task("scoring", 2) as inner:
            inner(2)
        advance(1)
    report.note("2 gaps [/oops]")


def test_plain_lines_without_a_terminal() -> None:
    out = io.StringIO()
    work(Terminal(Console(file=out)))
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("scoring: 2 of 2 in ")
    assert lines[1].startswith("answering [red]questions: 4 of 4 in ")
    assert lines[2] == "2 gaps [/oops]"


def test_bars_on_a_terminal_show_text_literally() -> None:
    out = io.StringIO()
    work(Terminal(Console(file=out, force_terminal=True, color_system=None, width=100)))
    assert "answering [red]questions" in out.getvalue()
    assert "4/4" in out.getvalue()
    assert out.getvalue().endswith("2 gaps [/oops]\n")


def test_an_interrupted_task_leaves_the_terminal_usable() -> None:
    out = io.StringIO()
    terminal = Terminal(Console(file=out, force_terminal=True, color_system=None))
    with pytest.raises(KeyboardInterrupt), terminal.task("teaching", 2):
        raise KeyboardInterrupt
    assert "\x1b[?25h" in out.getvalue()  # the cursor is back
    work(terminal)


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    work(Silent())
    assert capsys.readouterr() == ("", "")
