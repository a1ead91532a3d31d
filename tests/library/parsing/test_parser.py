"""The process in which pages are parsed: one for all of them, killed by a page that asks too much."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from selfstudy.library.folder import read_documents
from selfstudy.library.open import open_library
from selfstudy.library.parsing import parser, parser_child
from selfstudy.recipe import folder_library

PAGE = (
    "<html><head><title>T</title></head><body><article>"
    "<p>Lima is the capital of Peru, and it is a very large city by the sea.</p></article></body></html>"
)


def children() -> list[psutil.Process]:
    return [
        one
        for one in psutil.Process().children()
        if "selfstudy.library.parsing.parser_child" in one.cmdline()
    ]


def test_one_process_serves_all_pages_and_ends_with_the_library(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.html").write_text(PAGE.replace("Lima", f"Lima {number}"))
    read_documents(tmp_path)
    (process,) = children()
    assert not {"OPENAI_API_KEY", "HOME"} & set(process.environ())
    assert len(open_library(folder_library(tmp_path)).documents) == 20
    assert not children()


def test_a_page_that_kills_the_process_is_skipped_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "modules" / "trafilatura.py"
    module.parent.mkdir()
    module.write_text(
        "import os\n"
        "def extract(page, include_comments):\n"
        "    if 'crash' in page: os.abort()\n"
        "    if 'memory' in page: bytearray(1 << 40)\n"
        "    while 'forever' in page: pass\n"
        "    return page\n"
    )
    parser.stop()
    monkeypatch.setattr(parser, "_MODULES", [str(module.parent), *parser._MODULES])
    library = tmp_path / "library"
    library.mkdir()
    for word in ("a good", "a crash", "b memory", "c forever", "d good"):
        (library / f"{word}.html").write_text(f"<p>{word} page</p>")
    found = read_documents(library)
    parser.stop()
    assert [d.source for d in found.documents] == ["a good.html", "d good.html"]
    assert [s.source for s in found.skipped] == ["a crash.html", "b memory.html", "c forever.html"]
    assert all("the page takes more than 2 s of computing" in s.reason for s in found.skipped)


def test_a_process_that_was_killed_or_stopped_is_started_again() -> None:
    assert "Lima" in parser.article(PAGE)
    (process,) = children()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert "Lima" in parser.article(PAGE)
    parser.stop()


def test_a_process_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    parser.article(PAGE)
    (process,) = children()
    process.suspend()
    monkeypatch.setattr(parser, "_WAIT", 0.1)
    monkeypatch.setattr(parser, "seconds", lambda size: 0.01)
    start = time.monotonic()
    with pytest.raises(parser.ParserError):
        parser.article(PAGE * 1000)
    assert time.monotonic() - start < 5
    assert not process.is_running()
    parser.stop()


def test_limits_leave_room_for_long_articles() -> None:
    assert parser_child.seconds(300_000) > 3
    assert parser_child.seconds(10_000_000) > 60


READING = """
import resource, sys, time
from selfstudy.library.parsing import parser
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # SIGQUIT leaves none
parser.article("<p>page</p>")
print(parser._parser._process.pid, flush=True)
parser.article("<p>page</p>" if sys.argv[1] == "idle" else "<p>page</p>" * 100_000)
time.sleep(60)
"""


@pytest.mark.parametrize("doing", ["idle", "busy"])
def test_it_goes_with_us_whatever_the_signal(doing: str) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL)
    command = [sys.executable, "-c", READING, doing]
    begun = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in numbers]
    children = [psutil.Process(int(one.stdout.readline())) for one in begun if one.stdout is not None]
    for one, number in zip(begun, numbers, strict=True):
        one.send_signal(number)
        one.communicate(timeout=10)
    _, left = psutil.wait_procs(children, timeout=10)
    assert not left
