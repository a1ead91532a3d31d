"""Answers to the questions of init: typed or by flags, by the same rules and with the same defaults."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import ModelError, RecipeError, SelfstudyError
from selfstudy.verbs.doctor.numbers import GB, MachineNumbers
from selfstudy.verbs.starting import InitQuestion, settle
from selfstudy.verbs.starting.questions import Machine, SizeChoice
from tests.verbs.starting.models import folder_of

CPU = partial(MachineNumbers, 16 * GB, 2)
GPU = partial(MachineNumbers, 64 * GB, 16, "cuda", "Some GPU", 24 * GB)
URL = "http://127.0.0.1:9/v1"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my docs").mkdir()
    (tmp_path / "my docs/a.txt").write_text("Suva is the capital of Fiji.")
    (tmp_path / "b.txt").write_text("Lima is the capital of Peru.")
    (tmp_path / "asked.txt").write_text("What is the capital of Fiji?\n\nWhat is the capital of Peru?\n")
    return tmp_path


def test_defaults_are_a_first_recipe() -> None:
    found = settle({}, CPU)
    assert found["model"].is_atlas
    assert (found["documents"], found["goal"], found["size"]) == (("atlas",), "facts", SizeChoice("usual"))


@pytest.mark.parametrize(("machine", "size"), [(CPU, "look"), (GPU, "usual")], ids=("cpu", "gpu"))
def test_a_real_model_on_a_processor_begins_small(here: Path, machine: Machine, size: str) -> None:
    folder_of(here / "model", 10**9)
    found = settle({"model": "model", "documents": ["b.txt"]}, machine)
    assert found["size"] == SizeChoice(size)
    assert settle({"model": "model", "documents": "b.txt", "size": "30"}, machine)["size"] == SizeChoice(
        size, 30.0
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "no-owner/no-model"}, "no documents was given"),
        ({"goal": "questions"}, "no questions was given"),
        ({"model": URL}, "no model-name was given"),
        ({"questions": "asked.txt"}, "--questions is not needed"),
        ({"model-name": "x"}, "--model-name is not needed"),
        ({"documents": ["none"], "goal": "facts"}, "needs documents"),
        ({"documents": ["none", "b.txt"]}, "nothing at"),
        ({"documents": "nowhere"}, "nothing at"),
        ({"documents": ""}, "no documents were named"),
        ({"goal": "questions", "questions": "nowhere.txt"}, "nowhere.txt"),
        ({"goal": "questions", "questions": "-"}, "no file of questions"),
        ({"goal": "fame"}, "is no goal"),
        ({"size": "0"}, "is no size"),
        ({"size": "nan"}, "is no size"),
        ({"model": URL, "model-name": "m", "goal": "facts", "documents": "b.txt"}, "cannot be taught"),
        ({"model": "https://huggingface.co/owner/name"}, "give the id alone: owner/name"),
        ({"model": "./nowhere"}, "no model folder"),
        ({"model": "my docs"}, "no config.json"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_what_is_wrong_or_missing_is_said(here: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(SelfstudyError) as error:
        settle(given, CPU)
    assert said in str(error.value)
    assert error.value.hint


@pytest.mark.parametrize(
    "model",
    [
        "https://user:hunter2hunter2@example.org/v1",
        "https://example.org/v1?api_key=hunter2hunter2",
        "https://example.org/sk-aB3aB3aB3aB3aB3aB3aB3/v1",
        "hf_aB3aB3aB3aB3aB3aB3aB3aB3",
    ],
    ids=("password", "query", "path", "token"),
)
def test_a_key_is_refused_and_not_repeated(model: str) -> None:
    with pytest.raises(RecipeError) as error:
        settle({"model": model, "model-name": "m"}, CPU)
    assert "hunter2" not in str(error.value)
    assert "aB3aB3" not in str(error.value)


def test_a_key_in_the_address_of_a_page_is_refused() -> None:
    with pytest.raises(RecipeError) as error:
        settle({"documents": ["https://me:hunter2hunter2@example.org/page"]}, CPU)
    assert "hunter2" not in str(error.value)


def test_code_of_a_model_is_refused(here: Path) -> None:
    folder_of(here / "model", 10, auto_map={"AutoModel": "evil.Model"})
    with pytest.raises(ModelError, match="code of the model's own"):
        settle({"model": "model", "documents": "b.txt"}, CPU)


def test_documents_are_one_name_with_spaces_or_several(here: Path) -> None:
    assert settle({"documents": "my docs"}, CPU)["documents"] == ("my docs",)
    assert settle({"documents": "b.txt 'my docs' atlas"}, CPU)["documents"] == ("b.txt", "my docs", "atlas")
    assert settle({"documents": ["b.txt", "my docs"]}, CPU)["documents"] == ("b.txt", "my docs")
    assert settle({"documents": "none"}, CPU)["goal"] == "measure"


def test_questions_are_counted(here: Path) -> None:
    assert settle({"goal": "questions", "questions": "asked.txt"}, CPU)["questions"] == ("asked.txt", 2)


def test_what_a_person_answers_wrongly_is_asked_again(here: Path) -> None:
    answers = iter(["./nowhere", "atlas", "nowhere", "b.txt", "", "measure", "10"])
    asked: list[tuple[str, str | None]] = []
    told: list[SelfstudyError] = []

    def ask(one: InitQuestion, default: str | None) -> str:
        asked.append((one.name, default))
        return next(answers)

    found = settle({}, CPU, ask, told.append)
    assert [name for name, _ in asked] == [*["model"] * 2, *["documents"] * 2, *["goal"] * 2, "size"]
    assert dict(asked) == {"model": "atlas", "documents": "atlas", "goal": "facts", "size": "usual"}
    assert len(told) == 3
    assert (found["documents"], found["goal"], found["size"].minutes) == (("b.txt",), "measure", 10.0)
    assert next(answers, None) is None


def test_what_is_given_is_not_asked() -> None:
    asked = []

    def ask(one: InitQuestion, default: str | None) -> str:
        asked.append(one.name)
        return default or ""

    settle({"model": "atlas", "goal": "measure"}, CPU, ask)
    assert asked == ["documents", "size"]


@pytest.fixture
def server() -> Iterator[str]:
    class Models(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"data": [{"id": "\x1b]52;evil"}, {"id": "its-model"}]}).encode()
            self.send_response(200 if self.path == "/v1/models" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Models) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_server_of_this_machine_says_what_it_serves(server: str) -> None:
    found = settle({"model": server}, CPU)
    assert found["model"].text == f"{server}/v1"
    assert (found["model-name"], found["documents"], found["goal"]) == ("its-model", (), "measure")
