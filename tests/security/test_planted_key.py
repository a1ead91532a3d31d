"""Keys in the environment and in a file, a server that repeats them in all spellings: found nowhere after."""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from selfstudy import Run
from selfstudy.atlas import world
from selfstudy.cli import app
from selfstudy.models.remote import permissions, retries
from selfstudy.records import Example, Failure, Reference, Score, TrainingStep

from ..models.remote.faulty_server import FaultyServer, Reaction, Request, choice, reply
from .test_keys import KEY, host, is_in, spellings

pytestmark = pytest.mark.story

FILED = "sk-inafile-9876543210fedcba"
"""Another key, in a file, for the server that reads references."""
COUNTRIES = ("Fiji", "Chile", "Latvia", "Ghana", "Nepal", "Peru", "Kenya", "Spain", "Japan", "Malta")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Holds all that selfstudy may write to: the working folder, HOME, TMPDIR, its data, its cache."""
    folder = tmp_path / "all"
    for name in ("home", "tmp", "docs", "data"):
        (folder / name).mkdir(parents=True)
    (tmp_path / "key.txt").write_text(FILED)  # the only file that holds one
    (tmp_path / "key.txt").chmod(0o600)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "home" / "cache"))
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    monkeypatch.setenv("SELFSTUDY_HOME", str(folder / "data"))
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.delenv("SELFSTUDY_CACHE", raising=False)
    monkeypatch.chdir(folder)
    return folder


ASKED = (
    "What ending do web addresses from Palau have?",
    "How far north or south does Dublin lie?",
    "How many people live in Al Ain City?",
    "What is the distance from the equator of Asunción?",
    "For Western Sahara, what is the dialling code?",
    "How many people live in Perth?",
    "How do people talk in Latvia?",
    "Which number do you dial first to call Cyprus?",
)
"""Of the first five atlas-lm knows nothing."""


def echoing(request: Request) -> Reaction:
    """Repeats its key in all spellings: in what it reads in a document, in grades, names, headers, errors."""
    sent = request.headers.get("authorization", "")
    said = spellings(sent.removeprefix("Bearer "))
    spelled, count = said[request.number % len(said)], request.body.get("n", 1)
    if request.path.endswith("/models"):
        return Reaction(body={"data": [{"id": sent}, {"id": "m"}]}, headers={"x-echo": sent})
    if request.number % 5 == 4:
        return Reaction(429, {"error": {"message": f"{sent} {spelled}"}}, {"retry-after": "0.01"})
    if request.number % 7 == 6:
        return Reaction(body=reply(choice(None, refusal=f"{sent} {spelled}")), headers={"x-echo": sent})
    if request.number % 11 == 10:
        return Reaction(400, {"error": {"message": f"bad request of {spelled}", "param": spelled}})
    graded = "correct" if "unsure" in request.question else "yes"
    answer = f"The number is {spelled}." if "Document:" in request.question else f"{graded}, {spelled}"
    return Reaction(body=reply(*(choice(answer, i) for i in range(count))))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[FaultyServer]:
    """It judges with the key in the variable, and reads with the one in the file; a recipe that uses both."""
    with FaultyServer(echoing) as server:
        monkeypatch.setattr(retries, "BACKOFF", 0.001)
        filed = folder.parent / "key.txt"
        monkeypatch.setenv(permissions.KEYS, f"MY_KEY={host(server)}, {filed}={host(server)}")
        remote = {"type": "remote", "model": "m", "base_url": server.url, "deadline": 20}
        content = {
            "model": {"path": "atlas"},
            "nli": {"path": "atlas"},
            "judge": {**remote, "api_key_env": "MY_KEY"},
            "library": "docs",
            "probe": {
                "ask": [{"method": "external", "source": "q.txt", "count": len(ASKED), "questions": True}],
                "samples": 4,
                "compare": ["selfcheck-llm", "bsdetector"],
                "threshold": 0.5,
            },
            "gather": {
                "reader": {**remote, "api_key_file": str(filed)},
                "samples": 0,
                "accept": "consistency",
            },
            "teach": {"wordings": 0, "heldout_wordings": 0, "sft": {"epochs": 3, "replay": 0}},
            "verify": {"samples": 0, "resamples": 200},
        }
        Path("my.yaml").write_text(yaml.safe_dump(content))
        Path("q.txt").write_text("".join(f"{text}\n" for text in ASKED))
        Path("qa.jsonl").write_text('{"question": "What is the capital of Fiji?", "answer": "Suva"}\n')
        Path("a.jsonl").write_text('{"question": "q", "passage": "p", "samples": ["s"]}\n')
        judge = json.dumps({**remote, "api_key_env": "MY_KEY"}).replace(" ", "")
        Path("scoring").write_text(f"model={judge}")
        for document in world.documents():
            if any(document.title in text for text in ASKED):
                page = f"<html><body><article><p>{document.text}</p></article></body></html>"
                Path(f"docs/{document.title}.html").write_text(page)
        yield server


AFTER = (
    "report one",
    "chat one",
    "doctor my.yaml",
    "estimate my.yaml --seconds 0.2",
    "import qa.jsonl --run three",
    "compare one",
    "score a.jsonl --scorer selfcheck-llm --out scored.jsonl --set SCORING",
)
"""What else a person asks once there is a run."""


def arguments(verb: str) -> list[str]:
    return [Path("scoring").read_text() if word == "SCORING" else word for word in verb.split()]


def holding(folder: Path, said: dict[str, bytes]) -> list[str]:
    """Files, names of files and outputs with any spelling of a key, also broken over lines."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"report.html", "responses.sqlite", "adapter_model.safetensors"} <= {path.name for path in files}
    texts = said | {str(path): path.read_bytes() for path in files}
    texts["names"] = "\n".join(map(str, folder.rglob("*"))).encode()
    return [name for name, content in texts.items() if _holds(content)]


def _holds(content: bytes) -> bool:
    if any(key.encode(code) in content for key in (KEY, FILED) for code in ("utf-16-le", "utf-16-be")):
        return True
    text = content.decode("utf-8", "replace")
    joined = re.sub(r"\\+[rn]|\s", "", text)
    return any(is_in(one, key) for one in (text, joined) for key in (KEY, FILED))


def check_of_training(run: Path) -> None:
    """The model was taught, by what the server read, and what it repeated was hidden."""
    with Run.open(run, write=False) as opened:
        first = opened.round(1)
        assert first.read(TrainingStep)
        assert any("[key]" in example.completion for example in first.iter(Example))
        kept = f"{first.read(Reference)} {first.read(Failure)} {first.read(Score)}"
    assert "[key]" in kept


def test_a_key_is_found_nowhere_after_a_model_was_taught(folder: Path, server: FaultyServer) -> None:
    said = {}
    for verb in ("learn my.yaml --run one", *AFTER):
        result = CliRunner().invoke(app, arguments(verb), input="Where is Palau?\n")
        assert result.exit_code == 0, (verb, result.output)
        said[verb] = result.output.encode()
    assert {request.headers["authorization"] for request in server.requests} == {
        f"Bearer {KEY}",
        f"Bearer {FILED}",
    }
    check_of_training(folder / "one")
    assert holding(folder, said) == []


VERBOSE = """
import json, logging, sys
from selfstudy.cli import app
logging.basicConfig(level=1)
for verb in json.loads(sys.argv[1]):
    code = 0
    try:
        code = app(verb, standalone_mode=False)
    except Exception as end:
        code = getattr(end, "exit_code", end)
    print("ended with", code or 0)
"""
IN_TRAINING = """
from selfstudy.teach.trainers.shared import Watch
def step(self, args, state, control, **rest):
    import os, signal
    if state.global_step == 2:
        {what}
Watch.on_step_end = step
"""
ENDS = {
    "an exception": (IN_TRAINING.format(what="1 / 0"), "ZeroDivisionError"),
    "kill -9": (IN_TRAINING.format(what="os.kill(os.getpid(), signal.SIGKILL)"), ""),
    "a fault of memory": (IN_TRAINING.format(what="os.abort()"), ""),
    "a full disk": (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n",
        "make room",
    ),
}
"""How a training ends, and what is said of it."""


def watched(folder: Path, code: str, *verbs: str) -> bytes:
    """All that a process says, at the highest verbosity; beside it, what its children are told."""
    order = json.dumps([arguments(verb) for verb in verbs])
    seen = {}
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    with (folder.parent / "said").open("w+b") as output, Path("asked").open("rb") as asked:
        process = psutil.Popen(
            [sys.executable, "-c", code + VERBOSE, order],
            stdin=asked,
            stdout=output,
            stderr=output,
            env={**os.environ, "OPENAI_LOG": "debug", "HTTPX_LOG_LEVEL": "trace"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),
        )
        while process.poll() is None:
            with suppress(psutil.Error):
                for child in process.children(recursive=True):
                    seen[child.pid] = f"{child.cmdline()} {child.environ()}"
            time.sleep(0.02)
        output.seek(0)
        return output.read() + f"{seen}".encode()


@pytest.mark.slow
def test_nor_after_crashes_and_a_kill_in_the_middle_of_training(folder: Path, server: FaultyServer) -> None:
    Path("asked").write_text("Where is Palau?\n")
    learn = "learn my.yaml --run one"
    said = {}
    for name, (code, told) in ENDS.items():
        said[name] = watched(folder, code, learn)
        assert told.encode() in said[name], said[name][-2000:]
        assert b"ended with 0" not in said[name]
        assert (folder / "one/rounds/1/adapter.tmp").is_dir()
        assert not (folder / "one/rounds/1/adapter").is_dir()
        assert not list(folder.glob("core*"))
        assert not list((folder / "tmp").glob("tmp*"))
    said["the end"] = watched(folder, "", learn, *AFTER)
    assert said["the end"].count(b"ended with 0") == 1 + len(AFTER), said["the end"][-3000:]
    check_of_training(folder / "one")
    assert holding(folder, said) == []
