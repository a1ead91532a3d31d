"""Documents become exercises, in batches; killed in the middle, and with teachers that are of no use."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from selfstudy.atlas import world
from selfstudy.errors import DataError, ModelError, RunError
from selfstudy.models import load_lm
from selfstudy.models.scripted import Script
from selfstudy.progress import Silent
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat, Document
from selfstudy.verbs.kept import KeptFolder
from selfstudy.verbs.socratic.from_documents import TRIES, ExerciseWriter
from selfstudy.verbs.voices import Voice
from tests.verbs.socratic.tutors import PROMPTS, Counted, asked

CITIES = ("Lima", "Rome", "Oslo", "Cairo", "Delhi")
DOCUMENTS = [
    Document(source=f"{city}.txt", title=city, text=f"{city} is a city. The mayor of {city} is Ann{i}.")
    for i, city in enumerate(CITIES)
]
ASKS, READS = "Ask one question that", "Answer in one concise sentence"


def question(chat: Chat, number: int) -> str:
    match = re.search(r"Document: (\w+) is", asked(chat))
    assert match
    return f"Who is the mayor of {match[1]}?"


def answer(chat: Chat, number: int) -> str:
    match = re.search(r"The mayor of \w+ is Ann\d\.", asked(chat))
    assert match
    return match[0]


def writer(folder: Path, lm: Counted, block: int = 2) -> ExerciseWriter:
    return ExerciseWriter(Voice(lm, "teacher"), PROMPTS, KeptFolder(folder, block), Silent(), 48, 0)


def teacher(**also: Script) -> Counted:
    return Counted(
        {**{key.replace("_", ".*"): value for key, value in also.items()}, ASKS: question, READS: answer}
    )


def test_a_batch_of_questions_and_one_of_answers_for_a_block(tmp_path: Path) -> None:
    lm = teacher()
    found = writer(tmp_path, lm).write(DOCUMENTS)
    assert lm.batches == [2, 2, 2, 2, 1, 1]
    assert (found.repeats, found.failed) == (0, ())
    assert {one.problem: one.solution.answer for one in found.usable} == {
        f"Who is the mayor of {city}?": f"Ann{i}" for i, city in enumerate(CITIES)
    }
    lima = next(one for one in found.usable if "Lima" in one.problem)
    assert lima.rationale == "Lima is a city. The mayor of Lima is Ann0."
    assert writer(tmp_path, lm).write(DOCUMENTS) == found
    assert len(lm.batches) == 6  # nothing is asked again
    assert len(writer(tmp_path / "b", lm).write(DOCUMENTS, 3).usable) == 3
    assert lm.batches[6:] == [2, 2, 1, 1]


def test_what_is_no_exercise_is_asked_again_and_then_named(tmp_path: Path) -> None:
    def down(chat: Chat, number: int) -> str:
        raise OSError("the server is down")

    lm = teacher(
        **{
            "Lima_Ask one": "The mayor.",
            "Rome_Ask one": "Who is the mayor in this document?",
            "Oslo_concise": "The document does not say.",
            "Cairo_concise": "The mayor of Cairo is Bob7.",
            "Delhi_concise": down,
        }
    )
    with pytest.raises(DataError, match="none of 5 passages became an exercise") as caught:
        writer(tmp_path / "a", lm, block=5).write(DOCUMENTS)
    assert caught.value.what.count("\n    1: ") == 3  # the commonest
    assert lm.batches == [5, 3] * TRIES
    kept = (tmp_path / "a/written.jsonl").read_text()
    for why in (
        "the teacher asked no question",
        "mentions 'this document'",
        "finds no answer to its question",
        "'Bob7' does not stand in the page",
        "the model failed: scripted answer failed: the server is down",
    ):
        assert why in kept


def test_one_that_fails_costs_no_other(tmp_path: Path) -> None:
    found = writer(tmp_path, teacher(**{"Oslo_Ask one": "Hm."}), block=5).write(DOCUMENTS)
    assert len(found.usable) == 4
    assert found.failed == ("Oslo.txt: the teacher asked no question",)


def test_a_question_that_was_not_good_at_first(tmp_path: Path) -> None:
    tries = iter(["The mayor.", "Who is the mayor of Lima?"])
    lm = teacher(**{"Lima_Ask one": lambda chat, number: next(tries)})
    found = writer(tmp_path, lm, block=5).write(DOCUMENTS)
    assert len(found.usable) == 5
    assert lm.batches == [5, 4, 1, 1]


def test_where_the_model_fails_at_all_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="failed at 2 of 2 passages: no scripted answer"):
        writer(tmp_path, Counted({"nothing": "x"})).write(DOCUMENTS)
    assert not (tmp_path / "written.jsonl").exists()
    assert len(writer(tmp_path, teacher()).write(DOCUMENTS).usable) == 5


def test_other_documents_are_refused(tmp_path: Path) -> None:
    writer(tmp_path, teacher()).write(DOCUMENTS)
    with pytest.raises(RunError, match="passages: "):
        writer(tmp_path, teacher()).write(DOCUMENTS[:3])


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.verbs.socratic import test_from_documents as here
calls = 0
def dies(chat, number):
    global calls
    calls += 1
    if calls > int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return here.answer(chat, number)
lm = here.Counted({here.ASKS: here.question, here.READS: dies})
here.writer(Path(sys.argv[1]), lm).write(here.DOCUMENTS)
"""


@pytest.mark.parametrize("calls", [1, 3])
def test_a_kill_in_the_middle_changes_no_exercise(tmp_path: Path, calls: int) -> None:
    root = Path(__file__).parents[3]
    died = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "b", str(calls)], cwd=root, check=False)
    assert died.returncode == -signal.SIGKILL
    made = {name: writer(tmp_path / name, teacher()).write(DOCUMENTS) for name in ("a", "b")}
    assert made["a"] == made["b"]
    assert (tmp_path / "a/written.jsonl").read_bytes() == (tmp_path / "b/written.jsonl").read_bytes()


def test_atlas_makes_exercises_of_its_pages(tmp_path: Path) -> None:
    atlas = Voice(load_lm(LocalModel(path="atlas")), "atlas")
    made = ExerciseWriter(atlas, PROMPTS, KeptFolder(tmp_path, 4), Silent(), 48, 0)
    found = made.write(world.documents()[:4])
    assert len(found.usable) + found.repeats + len(found.failed) == 4
    assert len(found.usable) >= 3
    for one in found.usable:
        assert one.problem.endswith("?")
        assert one.solution.answer in one.rationale
