"""What rejection sampling teaches: winners that earned enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.models import load_lm
from selfstudy.progress import Silent
from selfstudy.recipe import LocalModel, RejectionBlock
from selfstudy.teach.rejection import FILE
from selfstudy.teach.sampled import Sampled
from tests.teach.cited import WRONG, Writer, exercise, rewards

EXERCISES = [exercise("one"), exercise("two", found=((1, 0, 0), (0, 1, 0), (0, 0, 1)))]


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def block(**changes: object) -> RejectionBlock:
    return RejectionBlock.model_validate({"search": "best-of", "samples": 4, "max_new_tokens": 24} | changes)


def test_the_best_answers_are_examples_and_it_is_said_how_good_they_are() -> None:
    judge, _ = rewards()
    notes, lost = Notes(), dict[str, str]()
    writer = Writer(["Rome is old [1].", "Rome is big [2]."])
    found = Sampled(EXERCISES, judge, block(), seed=1).best(writer, notes, lost.__setitem__)
    assert [(one.question_id, one.kind) for one in found] == [("one", "cited"), ("two", "cited")]
    assert all("[1]" in one.completion or "[2]" in one.completion for one in found)
    assert lost == {}
    assert notes.notes[-1].startswith("best answers to 2 of 2 questions, by scripted: mean reward +")
    assert "not learned from" not in notes.notes[-1]


def test_what_earned_nothing_is_not_learned_unless_wanted() -> None:
    judge, _ = rewards()
    notes = Notes()
    writer = Writer(WRONG)
    assert Sampled(EXERCISES, judge, block(), seed=1).best(writer, notes, lambda item, why: None) == []
    assert "2 earned no more than 0.0 and are not learned from" in notes.notes[-1]
    every = Sampled(EXERCISES, judge, block(least=None), seed=1)
    assert len(every.best(Writer(WRONG), Notes(), lambda item, why: None)) == 2


def test_questions_without_a_winner_are_told_with_the_reason() -> None:
    judge, _ = rewards()
    lost: dict[str, str] = {}
    work = Sampled(EXERCISES, judge, block(), seed=1)
    assert work.best(Writer([""]), Notes(), lost.__setitem__) == []
    assert lost.keys() == {"one", "two"}
    assert all(lost.values())


def test_winners_are_kept_for_these_weights_alone(tmp_path: Path) -> None:
    """A model in training has the name that it had before."""
    judge, _ = rewards()
    work = Sampled(EXERCISES, judge, block(least=None, samples=2, max_new_tokens=8), 1, tmp_path)
    lm = load_lm(LocalModel(path="atlas"))
    work.best(lm, Notes(), lambda item, why: None)
    kept = (tmp_path / FILE).read_bytes()
    work.best(lm, Notes(), lambda item, why: None)
    assert (tmp_path / FILE).read_bytes() == kept
    for parameter in lm.model.parameters():  # type: ignore[attr-defined]
        parameter.data += 0.5
    work.best(lm, Notes(), lambda item, why: None)
    assert (tmp_path / FILE).read_bytes() != kept


@pytest.mark.parametrize("search", ["beam", "best-of"])
def test_the_settings_of_the_block_are_those_of_the_search(search: str) -> None:
    judge, _ = rewards()
    writer = Writer(["Rome is old [1]."])
    wanted = block(search=search, beams=2, continuations=1, depth=2)
    Sampled(EXERCISES[:1], judge, wanted, seed=1).best(writer, Notes(), lambda item, why: None)
    assert max(count for _, count in writer.calls) == (4 if search == "best-of" else 2)
