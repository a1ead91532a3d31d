"""What other people's words may do to a terminal: nothing."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from selfstudy import Run
from selfstudy.progress import Terminal
from selfstudy.recipe import Recipe, ScriptedModel
from selfstudy.records import Question

from ..models.remote.faulty_server import FaultyServer, Reaction, Request, choice, reply
from ..stories.small import cli

TITLE, CLIPBOARD = "\x1b]0;owned\x07", "\x1b]52;c;cm0gLXJm\x07"
C1 = "\x9d52;c;cm0=\x9c\x9b2J"
NASTY = f"{TITLE}{CLIPBOARD}\x1b[2J\x1b[1A\x1b[31m{C1}\x08\x7f\rnew\u202eterces\u2066\x00"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)


def harmless(result: tuple[int, str, str]) -> str:
    """All that was shown; at most newlines and tabs move the cursor."""
    shown = result[1] + result[2]
    assert not CONTROL.search(shown), ascii(shown)
    return shown


def react(request: Request) -> Reaction:
    if request.path.endswith("/models"):
        return Reaction(body={"data": [{"id": f"a{NASTY}"}, {"id": f"b{NASTY}"}]})
    if request.number % 2:
        return Reaction(400, {"error": {"message": f"bad {NASTY} request"}})
    return Reaction(body=reply(choice(f"an answer {NASTY}")))


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(react) as server:
        yield server


def recipe(folder: Path, server: FaultyServer, model: str = "m") -> Path:
    (folder / f"topics{NASTY.replace(chr(0), '')[:20]}.txt").write_text("Fiji\nComets\n")
    (folder / "topics.txt").write_text("Fiji\nComets\n")
    ask = [{"method": "external", "source": "topics.txt", "count": 2}]
    content = {
        "model": {"type": "remote", "model": model, "base_url": server.url, "deadline": 5},
        "smoke": "skip",
        "library": "atlas",
        "probe": {"ask": ask, "samples": 2, "scorer": "agreement"},
    }
    (folder / "my.yaml").write_text(yaml.safe_dump(content))
    return folder / "my.yaml"


def test_of_a_server_by_any_verb(tmp_path: Path, server: FaultyServer) -> None:
    path = recipe(tmp_path, server)
    assert "has no model m" in harmless(cli("doctor", path))  # the names of those that it has follow
    harmless(cli("probe", path, "--run", "run"))
    harmless(cli("estimate", path, "--seconds", "0.1"))
    harmless(cli("report", "run"))
    with FaultyServer(lambda r: Reaction(401, {"error": {"message": NASTY}})) as refusing:
        assert "HTTP 401" in harmless(cli("probe", recipe(tmp_path, refusing), "--run", "b"))


def test_of_a_recipe_and_of_names_of_files(tmp_path: Path, server: FaultyServer) -> None:
    path = recipe(tmp_path, server, model=f"m{NASTY}")
    for verb in (("doctor", path), ("probe", path, "--run", "run"), ("estimate", path, "--no-measure")):
        harmless(cli(*verb))
    nasty = tmp_path / f"x{TITLE}\x9b2J.yaml"
    nasty.write_text("a: b\n")
    harmless(cli("probe", nasty))
    harmless(cli("probe", tmp_path / f"missing{TITLE}.yaml"))
    harmless(cli("import", tmp_path / f"missing{TITLE}.jsonl"))
    harmless(cli("report", tmp_path / f"missing{TITLE}"))
    harmless(cli("probe", path, "--set", f"model.{TITLE}=1", "--run", "x"))


def test_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "script.yaml").write_text(json.dumps({".": [f"an answer {NASTY}"]}))
    with Run.create_or_resume(
        tmp_path / "run", Recipe(model=ScriptedModel(path=tmp_path / "script.yaml"))
    ) as run:
        run.round(1).append([Question(text=f"What is {NASTY}?")])
    done = subprocess.run(
        [sys.executable, "-m", "selfstudy.cli", "chat", "run"],
        input=b"What is it?\n\xff\xfe\x1b[2J?\n",
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "an answer" in harmless((0, done.stdout.decode(), done.stderr.decode()))
    harmless(cli("compare", "run"))
    harmless(cli("compare", "run", "--json"))


def test_scores_at_a_terminal_are_shown_and_in_a_pipe_are_data(tmp_path: Path) -> None:
    row = {"id": f"x{NASTY}", "question": "q", "passage": NASTY, "samples": [NASTY]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    command = [sys.executable, "-m", "selfstudy.cli", "score", "a.jsonl", "--scorer", "agreement"]
    piped = subprocess.run(command, capture_output=True, timeout=60)
    assert json.loads(piped.stdout)["id"] == row["id"]
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, command)
    shown = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:
            break
    os.waitpid(process, 0)
    os.close(terminal)
    assert b"52;c;" in shown
    assert not re.search("[\x07\x80-\x9f\u202e]", shown.decode())
    assert b"\x1b]" not in shown


def test_progress_notes_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    from selfstudy.cli.session import session

    out = io.StringIO()
    terminal = Terminal(Console(file=out))
    terminal.note(NASTY)
    with terminal.task(NASTY, 1) as advance:
        advance(1)
    assert not CONTROL.search(out.getvalue())
    before = logging.lastResort
    try:
        with session():
            logging.getLogger("selfstudy.nobody").warning("%s is damaged", NASTY)
    finally:
        logging.lastResort = before
    captured = capsys.readouterr()
    assert not CONTROL.search(captured.err + captured.out)
