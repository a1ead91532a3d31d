"""The one way to the terminal."""

from __future__ import annotations

import io
import os

import pytest

from selfstudy import screen
from selfstudy.secrets import keep


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    keep("sk-shown-0123456789abcdef")
    screen.say("a\x1b]0;t\x07b\u202ec\td\ne sk-shown-0123456789abcdef")
    screen.say("on stderr", err=True)
    screen.say()
    out, err = capsys.readouterr()
    assert out == "abc\td\ne [key]\n\n"
    assert err == "on stderr\n"


def test_a_text_that_grows_is_printed_by_whole_words(capsys: pytest.CaptureFixture[str]) -> None:
    keep("sk-grown-0123456789abcdef")
    growing = screen.Growing()
    shown = []
    for text in ("The", "The key is", "The key is sk-grown-0123", "The key is sk-grown-0123456789abcdef now"):
        growing.show(text)
        shown.append(capsys.readouterr().out)
    growing.end("The key is sk-grown-0123456789abcdef now \x1b[2J")
    assert shown == ["", "The key", " is", " [key]"]
    assert capsys.readouterr().out == " now \n"


@pytest.mark.parametrize(("said", "rest"), [("東京は", "\n"), ("東京", "\n東京\n")])
def test_a_text_that_became_another_is_printed_again(
    said: str, rest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    growing = screen.Growing()
    growing.show("東京は")
    assert capsys.readouterr().out == "東京は"
    growing.end(said)
    assert capsys.readouterr().out == rest


def test_who_has_read_enough_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        screen.say("nobody reads this")
        screen.say("nor this")


def test_a_console_keeps_its_own_styles_and_no_others() -> None:
    from rich.table import Table
    from rich.text import Text

    console = screen.console()
    console.file = io.StringIO()
    console._force_terminal, console._color_system = True, None
    table = Table()
    table.add_column("\x1b[2J")
    table.add_row("x\x9b2Jy")
    console.print(Text("bold\x1b]52;c;eA==\x07", style="bold"), table)
    shown = console.file.getvalue()
    assert "\x1b]" not in shown
    assert "\x9b" not in shown
    assert "\x1b[2J" not in shown
