"""Later rounds: what an earlier one trained is no test, and small falls do not add up unseen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.judging.answer_key import AnswerKey
from selfstudy.prompts import Prompts
from selfstudy.records import Answer, Check, Completion, Example, Question
from selfstudy.run import Round, Run
from selfstudy.run.split import keep_apart, kept_apart, split_of
from selfstudy.teach.examples import examples
from selfstudy.teach.gaps import gaps_to_teach, judged_questions
from selfstudy.teach.lesson import Lesson
from selfstudy.verify.questions import plan

from .towns import Oracle, TownKey, recipe, town, verify

NEW, OLD = range(30), range(30, 500)
"""Towns that the model does not know before round 1, and those that it knows."""
LATE = range(600, 620)
"""Towns that only round 2 asks about."""


def asked(round_: Round, unknown: range, known: range) -> None:
    """The round's records up to the verdicts, answers included."""
    for i in (*unknown, *known):
        records = town(i, "unknown" if i in unknown else "known")
        said = Completion(text=f"The mayor of Town{i} is {'Guess' if i in unknown else 'Mayor'}{i}.")
        round_.append([*records, Answer(question_id=records[0].id, passage=said, samples=())])


def taught(round_: Round, prompts: Prompts | None = None) -> None:
    """What teach would train on, as records."""
    everything = judged_questions(round_)
    teach = round_.run.recipe.teach
    lesson = Lesson(round_.run.recipe, prompts or Prompts(), gaps_to_teach(everything), everything, {})
    round_.append(examples(lesson, teach.sft))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Round 1 is taught; round 2 has asked the same questions again, and some more."""
    with Run.create_or_resume(tmp_path / "run", recipe()) as run:
        asked(run.round(1), NEW, OLD)
        keep_apart(run)
        taught(run.round(1))
        second = run.round(2)
        asked(second, range(600, 610), range(0, 500))
        for i in range(610, 620):
            second.append(town(i, "unknown", "Who governs Town{}?"))
        yield run


def towns(questions: list[str]) -> set[int]:
    return {int(re.findall(r"Town(\d+)", text)[0]) for text in questions}


def test_what_an_earlier_round_trained_is_no_test(run: Run) -> None:
    second = run.round(2)
    trained = {e.question_id for e in run.round(1).iter(Example)}
    known = [c for c in plan(second, Prompts(), None) if c.target == "known"]
    assert len(trained) > 60
    assert len(known) > 150
    assert not {c.question_id for c in known} & trained
    assert {c.question_id for c in known} == kept_apart(run) == split_of(run.round(1)).tested
    assert all(c.kept for c in known)


def test_other_words_for_a_trained_fact_are_no_test_either(run: Run) -> None:
    second = run.round(2)
    for i in OLD:  # by the reference and its document
        second.append(town(i, "known", "Town{}: who is its mayor?"))
    fresh = split_of(second).tested
    assert not fresh, "every one is about a fact that was trained or is kept apart"
    for i in LATE:
        second.append(town(i + 1000, "known", "Town{}: who is its mayor?"))
    assert 0 < len(split_of(second).tested) < len(LATE)
    known = {c.question_id for c in plan(second, Prompts(), None) if c.target == "known"}
    assert known == kept_apart(run) | split_of(second).tested


def test_what_is_kept_apart_is_trained_by_no_later_round(run: Run) -> None:
    """Even if the model has forgotten it, and in whatever words it is asked."""
    third = run.round(3)
    kept = kept_apart(run)
    texts = [q.text for q in run.round(1).iter(Question) if q.id in kept]
    some = sorted(towns(texts))
    for i in some[:40]:
        records = town(i, "unknown", "Town{}: who is its mayor?")
        third.append([*records, _answer(records[0].id)])
    for i in (*some[40:], *NEW):
        records = town(i, "unknown" if i in NEW else "known")
        third.append([*records, _answer(records[0].id)])
    taught(third)
    trained = third.read(Example)
    assert trained
    assert not towns([e.prompt[-1].content for e in trained]) & set(some)


def test_what_is_kept_apart_is_no_gap_to_learn(run: Run) -> None:
    """Nobody was taught it: it is asked as a known question alone, once."""
    third = run.round(3)
    kept = kept_apart(run)
    forgotten = sorted(towns([q.text for q in run.round(1).iter(Question) if q.id in kept]))[:40]
    for i in (*forgotten, *LATE):
        records = town(i, "unknown")
        third.append([*records, _answer(records[0].id)])
    items = plan(third, Prompts(), None)
    assert towns([c.asked for c in items if c.target == "gap"]) == set(LATE)
    assert {c.question_id for c in items if c.target == "known"} == kept
    names = [c.unasked("taught").id for c in items]
    assert len(names) == len(set(names))


def _answer(question: str) -> Answer:
    return Answer(question_id=question, passage=Completion(text="Somebody."), samples=())


def test_kept_questions_are_asked_as_they_were_in_round_1(run: Run) -> None:
    first = {c.question_id: c for c in plan(run.round(1), Prompts(), None) if c.target == "known"}
    second = {c.question_id: c for c in plan(run.round(2), Prompts(), None) if c.target == "known"}
    assert first == second
    only = [c for c in plan(run.round(2), Prompts(), None) if c.is_for("original")]
    assert {c.target for c in only} == {"known", "reading"}


@pytest.mark.parametrize("key", [None, TownKey()])
def test_falls_within_the_margin_do_not_add_up(run: Run, key: AnswerKey | None) -> None:
    kept = sorted(towns([q.text for q in run.round(1).iter(Question) if q.id in kept_apart(run)]))
    original, standing = set(OLD), set(range(500)) - set(kept[:3])
    now = standing - set(kept[3:6]) | set(LATE)
    each = 3 / len(kept)
    assert each < 0.02 < 2 * each
    first = verify(run.round(1), Oracle(standing), before=Oracle(original), key=key)
    assert first.promoted, first.reasons
    gate = verify(run.round(2), Oracle(now), before=Oracle(standing), original=Oracle(original), key=key)
    assert not gate.promoted
    (reason,) = [r for r in gate.reasons if "fell" in r]
    assert reason.startswith("Known questions held out of training, against the model before round 1:")
    assert gate.gains["known"].lost == 3
    assert gate.gains["known_original"].lost == 6
    arms = {c.arm: 0 for c in run.round(2).iter(Check)}
    assert set(arms) == {"base", "original", "taught"}
    assert gate.known_trained == 0.0


def test_a_recovered_model_is_promoted(run: Run) -> None:
    standing = set(range(500))
    gate = verify(
        run.round(2), Oracle(standing | set(LATE)), before=Oracle(standing), original=Oracle(set(OLD))
    )
    assert gate.promoted, gate.reasons
    assert gate.gains["reading_original"].difference == 0


def test_reading_that_is_unlearned_over_the_rounds_is_seen(run: Run) -> None:
    standing = Oracle(set(range(500)), reads=False)
    gate = verify(
        run.round(2),
        Oracle(set(range(500)) | set(LATE), reads=False),
        before=standing,
        original=Oracle(set(OLD)),
    )
    assert not gate.promoted
    assert any(r.startswith("Reading from a page, against the model before round 1") for r in gate.reasons)


def test_a_dead_original_model_is_no_pass(run: Run) -> None:
    standing = set(range(500))
    dead = Oracle(set(), fails=frozenset(range(1000)))
    with pytest.raises(ModelError, match="verify: original: all of the first"):
        verify(run.round(2), Oracle(standing | set(LATE)), before=Oracle(standing), original=dead)
    assert not run.round(2).gate_file.exists()
    assert "original" not in {check.arm for check in run.round(2).iter(Check)}


def test_the_choice_is_written_once(run: Run) -> None:
    before = (run.path / "kept_apart.json").read_bytes()
    run.round(1).append(town(9000, "known"))
    keep_apart(run)
    assert (run.path / "kept_apart.json").read_bytes() == before
    assert kept_apart(run) <= {q.id for q in run.round(1).iter(Question)}
