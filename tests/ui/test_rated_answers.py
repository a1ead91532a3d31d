"""Which answers a person is given: different ones to a question, in an order that tells nothing."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.run import Run
from selfstudy.ui.rated_answers import MOST_EACH, AnswerOf, of_probe, of_verify

from .rated import LONG, check, make_probed_run


def test_only_questions_with_different_answers_each_once_with_who_gave_it(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "one", Recipe()) as run:
        run.round(1).append(
            [
                check("Q?", "base", " No. ", correct=False),
                check("Q?", "control", "No.", correct=True),
                check("Q?", "taught", 'Say "yes".', correct=True),
                check("alike?", "base", "Yes."),
                check("alike?", "taught", "Yes. "),
                check("long?", "base", LONG),
                check("long?", "taught", "Yes."),
                check("failed?", "base", "No.", error="no reply"),
                check("failed?", "taught", "Yes."),
                check("page?", "base", "No.", target="reading"),
                check("page?", "taught", "Yes.", target="reading"),
            ]
        )
        found = of_verify(run, 10)
    assert sorted(found, key=lambda one: one.text) == [
        AnswerOf("Q?", "No.", None, ("base", "control")),  # not judged alike
        AnswerOf("Q?", 'Say "yes".', True, ("taught",)),
    ]


def test_as_many_as_wanted_the_same_each_time_and_no_model_always_first(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "one", Recipe()) as run:
        for number in range(30):
            asked = f"What is {number}?"
            run.round(1).append([check(asked, "base", f"No {number}."), check(asked, "taught", f"{number}.")])
        found = of_verify(run, 20)
        assert found == of_verify(run, 20)
        assert {one.prompt for one in of_verify(run, 5)} < {one.prompt for one in found}
    assert len({one.prompt for one in found}) == 20
    first = [one.arms for one in found[::2]]
    assert 4 < first.count(("base",)) < 16


def test_a_first_answer_and_its_samples(tmp_path: Path) -> None:
    many = [f"It is {number}." for number in range(MOST_EACH + 3)]
    folder = make_probed_run(tmp_path, {"A?": ["Yes.", "Yes.", ""], "B?": ["No.", "Yes.", "No."], "C?": many})
    with Run.open(folder / "one", write=False) as run:
        found = of_probe(run, 10)
    assert {one.prompt for one in found} == {"B?", "C?"}
    assert {one.text for one in found if one.prompt == "B?"} == {"No.", "Yes."}
    assert sum(one.prompt == "C?" for one in found) == MOST_EACH
    assert {one.arms for one in found} == {("base",)}
