"""The loop through HTTP, with a real server: started, asked, swapped to the taught model, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from selfstudy import Run, learn, load_lm
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.records import Answer, Chat, Check, Evidence, Question, Reference
from selfstudy.text import under_title

from .small import DEMO, Listener, recipe, sets

pytestmark = [pytest.mark.story, pytest.mark.timeout(1800)]  # one sequence at a time, on any machine
pytest.importorskip("fastapi", reason="transformers serve needs the extra `serve`")
pytest.importorskip("uvicorn", reason="transformers serve needs the extra `serve`")

MODEL = os.environ.get("SELFSTUDY_STORY_MODEL", "atlas")
SERVED = (
    f"model={{type: server, engine: transformers, model: {MODEL}, startup_seconds: 900}}",
    "probe.ask.0.count=12",
    "probe.ask.1.count=1",
    "probe.ask.2.count=1",
    "probe.samples=1",
    "gather.samples=0",
    "teach.wordings=0",
    "teach.heldout_wordings=0",
    "verify.samples=1",
    "verify.max_questions=5",
    "verify.repeats=0",
)
"""One sequence at a time: far fewer of them than in the other stories."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run through a server, and what a person was told."""
    path = tmp_path_factory.mktemp("served") / "run"
    listener = Listener()
    learn(recipe(*SERVED), path, listener)
    return path, listener.notes


def greedy(lm: LanguageModel, chats: Sequence[Chat], most: int, penalty: float) -> list[str]:
    sampling = Sampling(n=1, temperature=0.0, max_new_tokens=most, repetition_penalty=penalty)
    return [row[0].text for row in lm.generate(chats, sampling)]


def test_served_answers_are_the_local_ones(served: tuple[Path, list[str]]) -> None:
    prompts = Prompts()
    local = load_lm(LocalModel(path=MODEL))
    with Run.open(served[0], write=False) as run:
        turn, block = run.round(1), run.recipe.answering
        questions = {q.id: q for q in turn.iter(Question)}
        answers = turn.read(Answer)
        chats = [prompts.chat("answer", question=questions[a.question_id].text) for a in answers]
        assert len(answers) >= 8
        assert [a.passage.text for a in answers] == greedy(
            local, chats, block.max_new_tokens, block.repetition_penalty
        )
        evidence = {e.id: e for e in turn.iter(Evidence)}
        references = turn.read(Reference)
        assert references
        chats = [
            prompts.chat(
                "read",
                question=questions[r.question_id].text,
                document=under_title(evidence[r.evidence_id].title, evidence[r.evidence_id].text),
            )
            for r in references
        ]
        found = greedy(local, chats, run.recipe.answering.reading_tokens, 1.0)
    assert [r.text for r in references] == found


def test_the_taught_model_was_swapped_in(served: tuple[Path, list[str]]) -> None:
    path, notes = served
    adapter = path / "rounds/1/adapter"
    prompts = Prompts()
    with Run.open(path, write=False) as run:
        block = run.recipe.answering
        checks = [c for c in run.round(1).iter(Check) if c.target != "reading"]
    for arm, lm in (
        ("base", load_lm(LocalModel(path=MODEL))),
        ("taught", load_lm(LocalModel(path=MODEL, adapter=adapter))),
    ):
        mine = [c for c in checks if c.arm == arm]
        chats = [prompts.chat("answer", question=c.asked) for c in mine]
        assert mine
        assert [c.answer for c in mine] == greedy(lm, chats, block.max_new_tokens, block.repetition_penalty)
    said = {arm: [c.answer for c in checks if c.arm == arm] for arm in ("base", "taught")}
    assert said["base"] != said["taught"]
    starts = [note for note in notes if note.startswith("starting transformers:")]
    # probe and gather share one; training needs the memory; then the base and the taught model
    assert len(starts) == 3
    assert f"+{adapter}" in starts[-1]


def test_nothing_is_left(served: tuple[Path, list[str]]) -> None:
    children = psutil.Process().children(recursive=True)
    assert not [child for child in children if "serve" in " ".join(child.cmdline())]
    assert not [place.name for place in served[0].rglob(".served-*")]


def test_it_listens_on_this_machine_only_and_no_server_is_left_after_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "selfstudy.cli", "probe", DEMO, "--run", tmp_path / "run"]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen([*map(str, command), *sets(*SERVED)], stderr=said, stdout=said)
        while process.poll() is None and "is ready after" not in (tmp_path / "said").read_text():
            time.sleep(0.2)
    assert process.poll() is None, (tmp_path / "said").read_text()
    family = psutil.Process(process.pid).children(recursive=True)
    servers = [child for child in family if "serve" in child.cmdline()]
    assert servers
    listening = {
        connection.laddr.ip
        for one in (psutil.Process(process.pid), *family)
        for connection in one.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, left = psutil.wait_procs(family, timeout=10)
    assert not left
