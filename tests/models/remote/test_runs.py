"""Whole probes of a remote model through the command line: nothing asked twice, no key left, use counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from selfstudy import Run
from selfstudy.cli import app
from selfstudy.records import Answer, Failure, Question, Score

from .faulty_server import FaultyServer, Reaction, Request, choice, reply, usual

TOPICS = ("Fiji", "Comets", "Owls", "Tides")
KEY = "sk-planted-0123456789abcdef"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", "OPENAI_API_KEY=127.0.0.1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as server:
        yield server


def recipe(folder: Path, server: FaultyServer) -> Path:
    (folder / "topics.txt").write_text("\n".join(TOPICS))
    (folder / "my.yaml").write_text(
        f"model: {{type: remote, model: m, base_url: '{server.url}', deadline: 20,\n"
        "        api_key_env: OPENAI_API_KEY,\n"
        "        prices: {prompt: 1, completion: 2, currency: EUR}}\n"
        "smoke: skip\n"  # it says what it is asked, which is no answer
        "probe:\n"
        "  ask: [{method: external, source: topics.txt, count: 4}]\n"
        "  samples: 3\n"
        "  scorer: agreement\n"
    )
    return folder / "my.yaml"


def probe(*arguments: str) -> None:
    result = CliRunner().invoke(app, ["probe", *arguments])
    assert result.exit_code == 0, result.output


def test_the_second_run_of_a_probe_makes_no_call(tmp_path: Path, server: FaultyServer) -> None:
    path = str(recipe(tmp_path, server))
    probe(path, "--run", "one")
    asked = len(server.requests)
    assert asked >= 3 * 4
    probe(path, "--run", "two")
    assert len(server.requests) == asked
    with Run.open(tmp_path / "one", write=False) as one, Run.open(tmp_path / "two", write=False) as two:
        for kind in (Question, Answer, Score):
            name = f"rounds/1/{kind.file}"
            assert (one.path / name).read_bytes() == (two.path / name).read_bytes()
        assert len(one.round(1).read(Answer)) == 4
        assert not one.round(1).read(Failure)
    probe(path, "--run", "three", "--no-cache")
    assert len(server.requests) == 2 * asked


def test_what_a_run_has_used_is_in_its_summary(tmp_path: Path, server: FaultyServer) -> None:
    path = str(recipe(tmp_path, server))
    for name, asked_for in (("one", True), ("two", False)):
        probe(path, "--run", name)
        assert CliRunner().invoke(app, ["report", name]).exit_code == 0
        used = json.loads((tmp_path / name / "summary.json").read_text())["usage"]["probe"]
        if asked_for:
            assert used["prompt_tokens"] == 10 * len(server.requests)
            cost = (used["prompt_tokens"] * 1 + used["completion_tokens"] * 2) / 1e6
            assert used["cost"] == pytest.approx(cost)
            assert used["currency"] == "EUR"
            assert used["calls"] > 0
        else:
            assert (used["calls"], used["prompt_tokens"], used["cost"]) == (0, 0, 0)


def echoing(request: Request) -> Reaction:
    """Repeats the key wherever it can: in answers, in errors, in what is no reply; a way for each topic."""
    sent = request.headers["authorization"]
    kinds = [
        Reaction(
            body=reply(*(choice(f"{sent} says {request.number}", i) for i in range(request.body.get("n", 1))))
        ),
        Reaction(body=usual(request)),
        Reaction(400, {"error": {"message": f"bad request of {sent}"}}),
        Reaction(body=reply(choice(None, refusal=sent))),
    ]
    if request.number == 0:
        return Reaction(429, {"error": {"message": sent}}, {"retry-after": "0.01"})
    asked = json.dumps(request.body)
    which = next((i for i, topic in enumerate(TOPICS) if f"Who likes {topic}?" in asked), None)
    if which is not None:
        return kinds[which]
    topic = next(topic for topic in TOPICS if topic in asked)
    return Reaction(body=reply(choice(f"Who likes {topic}?")))  # the question is asked for


def shell(*arguments: str, **environment: str) -> str:
    """All that a process says, at the highest verbosity of every library."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENAI_LOG": "debug", "HTTPX_LOG_LEVEL": "trace", **environment},
        timeout=400,
    )
    return done.stdout + done.stderr


VERBS = """
import logging, sys
from selfstudy.cli import app
logging.basicConfig(level=1)
for verb in sys.argv[1:]:
    app(verb.split(), standalone_mode=False)
"""
CRASH = """
import logging, sys
from selfstudy import load_lm, load_recipe
from selfstudy.models.base import GREEDY, chat
logging.basicConfig(level=1)
lm = load_lm(load_recipe(sys.argv[1]).model)
print(lm, vars(lm))
lm.generate([chat(sys.argv[2])], GREEDY, lambda n: 1 / 0)
"""


def test_the_key_is_nowhere(tmp_path: Path) -> None:
    said = []
    with FaultyServer(echoing) as server:
        path = str(recipe(tmp_path, server))
        said.append(shell("-c", VERBS, f"probe {path} --run one", "report one"))
        assert any(KEY in request.headers["authorization"] for request in server.requests)
    with FaultyServer() as server:
        said.append(shell("-c", CRASH, str(recipe(tmp_path, server)), "answered"))
        assert "ZeroDivisionError" in said[-1]
    with FaultyServer(lambda r: Reaction(401, {"error": {"message": r.headers["authorization"]}})) as server:
        said.append(shell("-c", CRASH, str(recipe(tmp_path, server)), "refused"))
        assert "check the key in $OPENAI_API_KEY" in said[-1]
    said.append(CliRunner().invoke(app, ["probe", path, "--set", f"model.api_key_env={KEY}"]).output)
    assert "the key itself never goes into a recipe" in said[-1]
    with Run.open(tmp_path / "one", write=False) as run:
        assert "[key]" in (run.path / "rounds/1/answers.jsonl").read_text()  # it came back, and was hidden
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(file.name == "report.html" for file in files)
    assert any(file.name == "responses.sqlite" for file in files)
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []
    assert [text for text in said if KEY in text] == []
