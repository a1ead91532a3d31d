"""The log of a server as a source of questions: a stranger's file."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError, RecipeError
from selfstudy.models import load_nli
from selfstudy.probe import logs
from selfstudy.probe.logs import in_order, log_questions, read_log
from selfstudy.probe.stage import run_probe
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask, NLIBlock, Recipe
from selfstudy.recipe.file import load_recipe
from selfstudy.records import Proposal, Question
from selfstudy.run import Run, forgotten
from selfstudy.run.forgotten import Tombstone

from .world import models, pages


def line(question: str, answer: str = "Yes.", **more: Any) -> str:
    fields = {
        "time": 1.5,
        "model": "routed",
        "adapter": "",
        "question": question,
        "answer": answer,
        "finish": "stop",
        "prompt_tokens": 3,
        "completion_tokens": 2,
    }
    return json.dumps({**fields, **more}) + "\n"


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(lines))
    return path


PERU, FIJI, CHILE = (f"What is the capital of {name}?" for name in ("Peru", "Fiji", "Chile"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(
        tmp_path / "requests.jsonl",
        *[line(CHILE, "The capital of Chile is Santiago.")] * 5,
        line(PERU, "The capital of Peru is Lima."),
        line("what is the capital of  PERU", "Lima."),
        line(FIJI, "The capital of Fiji is Suva."),
        line(FIJI, "The capital of Fiji is Apia."),
    )


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as opened:
        yield opened


@pytest.mark.parametrize("entails", [True, False])
def test_what_was_answered_inconsistently_comes_first_then_what_was_asked_often(
    log: Path, entails: bool
) -> None:
    nli = load_nli(NLIBlock(path="atlas")) if entails else None
    found = in_order(read_log(log, Counter()), nli, 10)
    assert [(one.text, one.count, differs) for one, differs in found] == [
        (FIJI, 2, True),
        (CHILE, 5, False),
        (PERU, 2, False),
    ]


def test_each_round_has_new_ones_and_a_resumed_one_the_same(log: Path, run: Run) -> None:
    ask = Ask(method="logs", source=log, count=2)
    assert log_questions(ask, 0, run.round(1), None, Silent()) == [FIJI, CHILE]
    write(log, line("Who was here?"))
    assert log_questions(ask, 0, run.round(1), None, Silent()) == [FIJI, CHILE]
    write(log, line("Who was here?"), line(FIJI), line(PERU), line(PERU))
    assert log_questions(ask, 0, run.round(2), None, Silent()) == [PERU, "Who was here?"]
    assert log_questions(ask, 0, run.round(3), None, Silent()) == []


def test_what_was_forgotten_does_not_come_back_out_of_the_log(log: Path, run: Run) -> None:
    stone = Tombstone(pattern="peru.txt", questions=(Question(text=PERU).id,), finished=True)
    forgotten.keep(run, [stone])
    ask = Ask(method="logs", source=log, count=9)
    assert log_questions(ask, 0, run.round(1), None, Silent()) == [FIJI, CHILE]


def test_only_the_inconsistent_ones_if_wanted(log: Path, run: Run) -> None:
    ask = Ask(method="logs", source=log, count=9, inconsistent=True)
    assert log_questions(ask, 0, run.round(1), None, Silent()) == [FIJI]


def test_the_probe_asks_them_as_they_were_put_and_counts_them_as_nobodys_proposals(
    log: Path, tmp_path: Path
) -> None:
    recipe = Recipe.model_validate(
        {"probe": {"ask": [{"method": "logs", "source": str(log), "count": 5}], "samples": 2}}
    )
    with Run.create_or_resume(tmp_path / "asked", recipe) as run:
        run_probe(run.round(1), models(), Prompts(), pages(), Silent())
        assert [(one.text, one.method) for one in run.round(1).iter(Question)] == [
            (FIJI, "logs"),
            (CHILE, "logs"),
            (PERU, "logs"),
        ]
        from selfstudy.probe.capability import proposed_by_model

        assert not list(proposed_by_model(run.round(1).iter(Proposal), recipe.probe.ask))


def test_what_is_of_no_use_is_passed_over_and_counted(tmp_path: Path) -> None:
    key = "sk-" + "a1B2" * 8
    file = write(
        tmp_path / "requests.jsonl",
        line(f"Is {key} my key?"),
        line("My token is [key], is it good?"),
        line("x" * 501),
        line("y" * 100_000),
        line("?!"),
        line("Red\x1b[31m\x00 or\nblue?"),
        '{"question": "Who", "an',
        "\n",
        '{"question": "Who?"}\n',
        "[1, 2]\n",
        "[" * 100_000 + "\n",
        line("Who?", "w" * 1_100_000),
        "\udcff".encode("utf-8", "surrogatepass").decode("latin-1") + "\n",
        line(PERU, "Because it", finish="length"),
    )
    passed: Counter[str] = Counter()
    found = read_log(file, passed)
    assert [one.text for one in found] == ["Red or blue?", PERU]
    assert found[1].answers == {}
    assert passed == {
        "questions with what looks like a key": 2,
        "questions of more than 500 characters": 2,
        "questions without words": 1,
        "lines that are torn, or of another form": 5,
        "lines of more than 1,000,000 bytes": 1,
    }
    assert key not in str(found)


def test_a_folder_of_rotated_logs(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    write(folder / "serve.jsonl", line(PERU))
    write(folder / "serve.jsonl.1", line(PERU, "No."))
    write(folder / "serve.log.2", line(FIJI))
    (folder / "serve.jsonl.3.gz").write_bytes(b"\x1f\x8b")
    (folder / "loop.jsonl").symlink_to("loop.jsonl")
    passed: Counter[str] = Counter()
    assert {one.text: one.count for one in read_log(folder, passed)} == {PERU: 2, FIJI: 1}
    assert passed.total() == 1


def test_what_is_no_log_is_refused(tmp_path: Path, log: Path) -> None:
    with pytest.raises(DataError, match="2 lines that are torn, or of another form"):
        read_log(write(tmp_path / "chat.jsonl", '{"messages": []}\n', "hello\n"), Counter())
    with pytest.raises(DataError, match="it is empty"):
        read_log(write(tmp_path / "none.jsonl"), Counter())
    with pytest.raises(DataError, match="cannot be read"):
        read_log(tmp_path / "gone.jsonl", Counter())
    for ask, why in (
        ("{method: logs, count: 3}", "needs probe.ask.0.source"),
        ("{method: logs, source: '-', count: 3}", "needs probe.ask.0.source"),
        ("{method: open, count: 3, inconsistent: true}", "only the method logs"),
        (f"{{method: logs, source: {log}, questions: true, count: 3}}", "only the method external"),
    ):
        with pytest.raises(RecipeError, match=why):
            load_recipe(None, [f"probe.ask=[{ask}]", "library=atlas"])


def test_a_long_log_is_streamed_and_what_is_asked_often_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_KEPT", 100)
    file = tmp_path / "long.jsonl"
    with file.open("w") as out:
        for number in range(4_000):
            out.write(line(f"Is {number} a number?", "It is. " * 20))
            if number % 20 == 0:
                out.write(line(PERU, "Lima."))
                out.write(line(FIJI, f"It is {number % 3}."))
    passed: Counter[str] = Counter()
    tracemalloc.start()
    found = read_log(file, passed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000  # of a file of 1.5 MB
    assert len(found) == 100
    counts = {one.text: one.count for one in found}
    assert counts[PERU] == counts[FIJI] == 200
    assert passed.total() == 4_000 + 2 - 100
