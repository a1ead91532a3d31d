"""Talking to a model and to a run, at a terminal and through a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfstudy import Run, ScriptedLM
from selfstudy.errors import ModelError, RunError
from selfstudy.models import lora
from selfstudy.models.base import GREEDY
from selfstudy.recipe import EngineName, LocalModel, NLIBlock, PromptStyle, Recipe, ScriptedModel, ServerModel
from selfstudy.records import Answer, Check, Completion, Evidence, Question, Reference, Score, Verdict
from selfstudy.verbs.chat import Knowledge, Talk, open_talk
from tests.conftest import TEMPLATE

FIJI, PERU = "What is the capital of Fiji?", "What is the capital of Peru?"


def make_run(folder: Path, *, promoted: bool | None = None, **changes: Any) -> Path:
    """A run that knows one question; its model answers from a script, unless the recipe is changed."""
    script = folder.with_suffix(".yaml")
    script.write_text("'Fiji': [Suva is the capital of Fiji.]\n'.': [I am a student.]\n")
    recipe = Recipe(**{"model": ScriptedModel(path=script), "nli": NLIBlock(), "library": "atlas", **changes})
    with Run.create_or_resume(folder, recipe) as run:
        turn = run.round(1)
        question, other = Question(text=FIJI), Question(text=PERU)
        evidence = Evidence(
            question_id=question.id,
            document_id="d",
            source="atlas:country/Fiji",
            text="Fiji is run from Suva.",
            start=0,
            end=22,
            rank=0,
            relevance=1.0,
        )
        reference = Reference(
            question_id=question.id, evidence_id=evidence.id, text="Suva.", inconsistency=0.0, accepted=True
        )
        answer = Answer(question_id=question.id, passage=Completion(text="Nadi."), samples=())
        verdict = Verdict(
            question_id=question.id, kind="unknown", score=0.8, agrees=False, reference_id=reference.id
        )
        score = Score(question_id=question.id, scorer="selfcheck-nli", value=0.8)
        checks = [
            Check(
                question_id=question.id,
                arm=arm,
                target="gap",
                wording="original",
                asked=FIJI,
                answer="",
                expected="Suva",
                correct=arm == "taught",
            )
            for arm in ("base", "taught")
        ]
        turn.append([question, other, evidence, reference, answer, verdict, score, *checks])
        if promoted is not None:
            turn.adapter().mkdir()
            for name in (lora.WEIGHTS, lora.CONFIG):
                (turn.adapter() / name).touch()
            run.write_json(run.round(1).gate_file, {"promoted": promoted, "reasons": ["It forgot too much."]})
    return folder


def test_a_model_keeps_the_thread() -> None:
    lm = ScriptedLM(
        {r"my name is Ada.*what is my name": ["Ada."], r"my name is Ada": ["Hello Ada."], ".": ["?"]}
    )
    talk = Talk({"model": lm}, GREEDY)
    assert talk.answer("my name is Ada") == ["model   Hello Ada."]
    assert talk.answer("what is my name") == ["model   Ada."]
    assert talk.answer("/new") == ["a new conversation begins"]
    assert talk.answer("what is my name") == ["model   ?"]


def test_two_models_side_by_side_or_one_under_the_other() -> None:
    long = "It is the largest city of the country and lies on the coast of the biggest island, " * 2
    talk = Talk({"base": ScriptedLM({".": [long]}), "taught": ScriptedLM({".": ["Suva."]})}, GREEDY)
    wide = talk.answer("q", width=100)
    assert wide[0].split() == ["base", "|", "taught"]
    assert wide[1].endswith("| Suva.")
    assert all(line.index("|") == wide[0].index("|") for line in wide)
    narrow = talk.answer("q", width=60)
    assert narrow[0].startswith("base    It is")
    assert narrow[-1] == "taught  Suva."
    assert max(map(len, wide)) <= 100
    assert max(map(len, narrow)) <= 60


def test_what_a_run_knows(tmp_path: Path) -> None:
    with Run.open(make_run(tmp_path / "run"), write=False) as run:
        knowledge = Knowledge(run)
        known = knowledge.nearest("what is the capital of fiji")
        assert known is not None
        assert (known.nearness, known.score, known.verdict) == (1.0, 0.8, "unknown")
        assert known.checks == {"base": False, "taught": True}
        said = "\n".join(known.lines())
        for part in (FIJI, "0.80", "unknown", "Suva.", "atlas:country/Fiji", "taught was right"):
            assert part in said
        near = knowledge.nearest("The capital of Peru is what city?")
        assert near is not None
        assert near.question.text == PERU
        assert near.score is None
        assert knowledge.nearest("How do magnets work?") is None


def test_a_run_asks_as_it_was_probed(tmp_path: Path) -> None:
    talk = open_talk(str(make_run(tmp_path / "run")))
    assert "base model" in talk.notes[0]
    shown = talk.answer(FIJI, 200)
    assert shown[0] == "base    Suva is the capital of Fiji."
    assert any("hallucination score 0.80; verdict: unknown" in line for line in shown)
    assert talk.answer("Is it?")[0] == "base    I am a student."  # alone: the thread does not count
    assert talk.answer("Zzz?")[-1] == "run     it has no question like this"


def test_compare(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no run"):
        open_talk("atlas", compare=True)
    with pytest.raises(RunError, match="has taught nothing yet"):
        open_talk(str(make_run(tmp_path / "untaught")), compare=True)
    refused = open_talk(str(make_run(tmp_path / "refused", promoted=False)), compare=True)
    assert list(refused.models) == ["base", "taught"]
    assert "not promoted. It forgot too much." in refused.notes[0]
    assert list(open_talk(str(make_run(tmp_path / "good", promoted=True))).models) == ["taught"]


@pytest.mark.parametrize(
    ("engine", "asked"), [("transformers", LocalModel), ("llama-cpp", LocalModel), ("vllm", ServerModel)]
)
def test_an_engine_that_would_start_again_for_the_adapter_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: EngineName, asked: type
) -> None:
    loaded: list[Any] = []
    monkeypatch.setattr("selfstudy.models.load_lm", lambda block, *, cache, servers: loaded.append(block))
    block = ServerModel(engine=engine, model="atlas", weights="atlas")
    talk = open_talk(str(make_run(tmp_path / "run", promoted=False, model=block)), compare=True)
    assert [type(one) for one in loaded] == [asked, asked]
    assert [one.adapter is None for one in loaded] == [True, False]
    assert any("asked in this process" in note for note in talk.notes) == (asked is LocalModel)
    loaded.clear()
    open_talk(str(make_run(tmp_path / "untaught", model=block)))
    assert [type(one) for one in loaded] == [ServerModel]


@pytest.mark.parametrize("cache", [True, False])
def test_the_cache_is_used_as_the_run_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: bool
) -> None:
    told: list[bool] = []
    monkeypatch.setattr("selfstudy.models.load_lm", lambda block, *, cache, servers: told.append(cache))
    open_talk(str(make_run(tmp_path / "run", cache=cache)))
    assert told == [cache]


def test_a_base_model_is_shown_how_one_answers(model_folder: Callable[..., Path], tmp_path: Path) -> None:
    plain, instructed = model_folder("llama", None), model_folder("llama", TEMPLATE)

    def asked(place: Path, prompt: PromptStyle | None = None) -> list[str]:
        lm: Any = open_talk(str(place), prompt=prompt).models["model"]
        heard: list[str] = []

        class Heard:
            name = "heard"

            def generate(self, chats: Any, sampling: Any, progress: Any = None) -> Any:
                heard.extend(map(lm.render, chats))
                return [[Completion(text="So it is.")]]

        talk = Talk({"model": Heard()}, GREEDY)  # type: ignore[dict-item]
        talk.answer("Who?")
        talk.answer("And when?")
        return heard

    assert ["Hamlet" in text for text in asked(plain)] == [True, True]
    assert ["Hamlet" in text for text in asked(instructed)] == [False, False]
    shown = asked(instructed, "completion")[1]
    assert shown.endswith("Who?\nAnswer: So it is.\n\nAnd when?\nAnswer:")
    assert "Hamlet" in shown
    with pytest.raises(ModelError, match="is a run"):
        open_talk(str(make_run(tmp_path / "run")), prompt="chat")


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(ModelError, match="no model folder"):
        open_talk("./nowhere")


def piped(lines: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "selfstudy.cli", "chat", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "120"}
    return subprocess.run(command, input=lines, capture_output=True, text=True, timeout=240, env=environment)


def test_lines_from_a_pipe(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", promoted=True)
    done = piped(f"{FIJI}\n\nWho are you?\n", run, "--compare")
    assert done.returncode == 0, done.stderr
    assert f"> {FIJI}\n" in done.stdout
    assert "base" in done.stdout
    assert "| taught" in done.stdout
    assert done.stdout.count("Suva is the capital of Fiji.") == 2
    assert "evidence, from atlas:country/Fiji" in done.stdout
    assert "> Who are you?" in done.stdout  # the empty line between them is no end
    assert "round 1 promoted" in done.stderr


def test_a_refusal_is_one_screen() -> None:
    done = piped("hello\n", "./nowhere")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "error: no model folder" in done.stderr
