"""Documents become exercises, in batches; killed in the middle, and with teachers that are of no use."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from selfstudy.atlas import world
from selfstudy.errors import DataError, ModelError, RunError
from selfstudy.models import load_lm
from selfstudy.models.scripted import Script
from selfstudy.progress import Silent
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat, Document
from selfstudy.text import sentences
from selfstudy.verbs.kept import KeptFolder
from selfstudy.verbs.socratic.exercises import LONGEST_REASON
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


def down(chat: Chat, number: int) -> str:
    raise OSError("the server is down\nand " + "x" * 9_999)


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
    # the teacher fails at one for good: it is asked about another, about that one again, about the other
    assert lm.batches == [5, 3] * TRIES + [1, 1, 1, 1]
    kept = (tmp_path / "a/written.jsonl").read_text()
    for why in (
        "the teacher asked no question",
        "mentions 'this document'",
        "finds no answer to its question",
        "'Bob7' does not stand in the page",
        "scripted answer failed: the server is down",
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


def test_one_that_always_fails_alone_in_its_block_is_kept_as_failed(tmp_path: Path) -> None:
    order = writer(tmp_path / "a", teacher(), block=4).write(DOCUMENTS)
    last = order.usable[-1].problem.removeprefix("Who is the mayor of ").removesuffix("?")
    for block in (4, 1):
        folder = tmp_path / str(block)
        found = writer(folder, teacher(**{f"{last}_Ask one": down}), block).write(DOCUMENTS)
        assert found.usable == order.usable[:-1]
        (why,) = found.failed
        assert why.startswith(
            f"{last}.txt: the model failed: scripted answer failed: the server is down and xxx"
        )
        assert len(why) < 2 * LONGEST_REASON
        lm = teacher()
        assert writer(folder, lm, block).write(DOCUMENTS) == found  # the same exercises, whatever answers now
        assert lm.batches == []


@pytest.mark.parametrize("calls", [1, 5, 9, 14])
def test_an_outage_loses_no_passage(tmp_path: Path, calls: int) -> None:
    """From some call on nothing is answered: in the first block, at an answer, in the last one."""
    made = writer(tmp_path / "a", teacher(), block=3).write(DOCUMENTS)
    left = iter(range(calls))

    def until_down(script: Callable[[Chat, int], str]) -> Callable[[Chat, int], str]:
        return lambda chat, number: script(chat, number) if next(left, None) is not None else down(chat, 0)

    lm = Counted({ASKS: until_down(question), READS: until_down(answer)})
    if calls < 10:  # of two for each passage
        with pytest.raises(ModelError, match="the server is down"):
            writer(tmp_path / "b", lm, block=3).write(DOCUMENTS)
    assert writer(tmp_path / "b", teacher(), block=3).write(DOCUMENTS) == made
    assert (tmp_path / "a/written.jsonl").read_bytes() == (tmp_path / "b/written.jsonl").read_bytes()


def test_an_outage_that_ends_costs_one_more_attempt(tmp_path: Path) -> None:
    """The server is down for three attempts at two passages."""
    failing = iter(range(2 * TRIES))

    def flickers(chat: Chat, number: int) -> str:
        return down(chat, number) if next(failing, None) is not None else question(chat, number)

    found = writer(tmp_path, teacher(**{"Lima_Ask one": flickers, "Rome_Ask one": flickers}), 5)
    assert len(found.write(DOCUMENTS).usable) == 5


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
    made = ExerciseWriter(atlas, PROMPTS, KeptFolder(tmp_path, 2), Silent(), 48, 0)
    pages = [
        one.model_copy(update={"text": " ".join(sentences(one.text)[:4])}) for one in world.documents()[:4]
    ]
    found = made.write(pages)
    assert len(found.usable) + found.repeats + len(found.failed) == 4
    assert len(found.usable) >= 3
    for one in found.usable:
        assert one.problem.endswith("?")
        assert one.solution.answer in one.rationale
    path = tmp_path / "written.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])  # killed while it wrote the last line
    assert made.write(pages) == found
    assert path.read_bytes() == whole
