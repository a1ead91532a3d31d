"""What is asked, from the records of a round."""

from __future__ import annotations

from pathlib import Path

from selfstudy.models.base import chat
from selfstudy.prompts import Prompts
from selfstudy.records import Example, Question, Rewording
from selfstudy.run import Round, Run
from selfstudy.run.split import held_out
from selfstudy.verify.questions import plan

from .towns import GAPS, TownKey, fill, recipe, town


def test_plan_asks_gaps_in_all_wordings_and_known_ones_held_out(round_: Round) -> None:
    items = plan(round_, Prompts(), TownKey())
    gaps = {i.asked for i in items if i.target == "gap" and i.wording == "original"}
    assert len(gaps) == GAPS
    assert "What is the mayor of Town1?" in gaps
    for wording, start in (("trained", "Name"), ("reworded", "Who is"), ("novel", "Whom")):
        some = [i.asked for i in items if i.wording == wording]
        assert len(some) == GAPS
        assert all(asked.startswith(start) for asked in some)
    known = [i for i in items if i.target == "known"]
    assert 50 < len(known) < 80
    assert all(held_out(i.question_id, 0, 0.5) for i in known)
    reading = [i for i in items if i.target == "reading"]
    assert len(reading) == GAPS + len(known)
    (other,) = reading[0].expected.answers
    assert other != "Mayor0"
    assert f"Document: The mayor of Town0 is {other}. It is" in reading[0].chat(Prompts())[-1].content
    assert plan(round_, Prompts(), TownKey()) == items
    assert not [i for i in plan(round_, Prompts(), None) if i.wording == "novel"]


def test_pages_that_reading_was_rehearsed_with_are_no_test(round_: Round) -> None:
    before = {i.question_id for i in plan(round_, Prompts(), None) if i.target == "reading"}
    used = sorted(before)[:3]
    round_.append(
        Example(prompt=chat("Read."), completion=f"It is {name}.", question_id=name, kind="swapped")
        for name in used
    )
    after = [i for i in plan(round_, Prompts(), None) if i.target == "reading"]
    assert {i.question_id for i in after} == before - set(used)
    gaps = [i for i in plan(round_, Prompts(), None) if i.target == "gap"]
    assert sum(i.wording == "original" for i in gaps) == GAPS


def test_nor_is_a_page_that_was_rehearsed_for_another_question(round_: Round) -> None:
    other, *records = town(3, "known", "Town{}: who is its mayor?")
    round_.append([other, *records])
    round_.append(
        [Example(prompt=chat("Read."), completion="It is A.", question_id=other.id, kind="swapped")]
    )
    asked = {i.asked for i in plan(round_, Prompts(), None) if i.target == "reading"}
    assert "What is the mayor of Town4?" in asked
    assert "What is the mayor of Town3?" not in asked


def test_a_wording_trained_for_another_question_is_no_test(round_: Round) -> None:
    other = Question(text="Who leads Town0?")
    round_.append([other, Rewording(question_id=other.id, text="Who is mayor of Town0?", use="train")])
    reworded = [i.asked for i in plan(round_, Prompts(), None) if i.wording == "reworded"]
    assert len(reworded) == GAPS - 1
    assert "Who is mayor of Town0?" not in reworded


def test_a_cap_takes_a_seeded_sample(tmp_path: Path) -> None:
    picked = []
    for name in ("a", "b"):
        with Run.create_or_resume(tmp_path / name, recipe(max_questions=5)) as run:
            fill(run.round(1))
            picked.append(plan(run.round(1), Prompts(), None))
    assert picked[0] == picked[1]
    for target in ("gap", "known", "reading"):
        assert len({i.question_id for i in picked[0] if i.target == target}) == 5


def test_a_check_says_what_it_is_about_and_what_it_is_judged_by(round_: Round) -> None:
    other = town(3, "unknown", "Town{}: who is its mayor?")
    round_.append(other)
    items = plan(round_, Prompts(), TownKey())
    first = next(i for i in items if i.asked == "What is the mayor of Town3?")
    second = next(i for i in items if i.asked == "Town3: who is its mayor?")
    assert first.fact == second.fact == first.question_id != second.question_id
    assert {i.fact for i in items if i.question_id == first.question_id} == {first.fact}
    assert {i.unasked("base").judged_by for i in items if i.target != "reading"} == {"key"}
    assert {i.unasked("base").judged_by for i in items if i.target == "reading"} == {"page"}
    without = [i for i in plan(round_, Prompts(), None) if i.target == "gap"]
    assert {i.unasked("base").judged_by for i in without} == {"reference"}
    assert first.unasked("taught").fact == first.question_id
