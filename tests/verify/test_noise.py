"""How far the unchanged model differs from itself, against numbers worked by hand."""

from __future__ import annotations

import pytest

from selfstudy.records import Check, Recheck
from selfstudy.verify.noise import measured

from .made_up import checks, share


def again(first: list[Check], repeat: int, right: list[bool | None]) -> list[Recheck]:
    return [
        Recheck(
            question_id=c.question_id,
            target=c.target,
            asked=c.asked,
            repeat=repeat,
            answer="b" if good is False else "a",
            correct=good,
            error="gone" if good is None else None,
        )
        for c, good in zip(first, right, strict=True)
    ]


def test_flip_rate_deviation_and_floor() -> None:
    first = checks("base", "known", share(100, 100))
    later = again(first, 1, share(99, 100)) + again(first, 2, share(98, 100))
    noise = measured(first, later)["known"]
    # right 1 of 3 times: 2 of its 3 pairs differ, and so of the one that is right 2 of 3 times
    assert noise.flip_rate == pytest.approx(4 / 3 / 100)
    assert (noise.answers, noise.flipped, noise.changed) == (200, 3, 3)
    assert noise.spread == pytest.approx(0.02)
    assert noise.deviation(400) == pytest.approx((4 / 3 / 100 / 400) ** 0.5)
    assert noise.floor(100, 0.95) == pytest.approx(1.96 * (4 / 3) ** 0.5 / 100, rel=1e-3)
    assert noise.floor(noise.questions_for(0.02, 0.95), 0.95) <= 0.02
    assert noise.floor(noise.questions_for(0.02, 0.95) - 1, 0.95) > 0.02


def test_what_is_asked_again_is_held_against_the_first_order_alone() -> None:
    first = checks("base", "general", share(50, 100))
    turned = [c.model_copy(update={"order": 1, "id": "", "correct": not c.correct}) for c in first]
    noise = measured([*first, *turned], again(first, 1, share(50, 100)))["general"]
    assert (noise.questions, noise.flipped) == (100, 0)


def test_no_flip_is_a_bound_not_an_absence() -> None:
    first = checks("base", "gap", share(10, 150))
    noise = measured(first, again(first, 1, share(10, 150)))["gap"]
    assert noise.floor(150, 0.95) == 0.0
    assert "no flip in 150 answers (at most 0.02 of all answers flip" in noise.told("gaps")


def test_what_failed_is_not_counted() -> None:
    first = checks("base", "known", [True, True, None])
    later = again(first, 1, [True, None, True])
    noise = measured(first, later)["known"]
    assert (noise.questions, noise.failed) == (1, 1)
    assert measured(first, []) == {}


def test_a_target_of_which_every_repeat_failed_is_said_not_forgotten() -> None:
    first = checks("base", "known", [True, True])
    noise = measured(first, again(first, 1, [None, None]) + again(first, 2, [True, None]))["known"]
    assert (noise.questions, noise.repeats, noise.failed) == (0, 3, 3)
    assert noise.floor(100, 0.95) == 0.0
    assert noise.told("known questions").endswith("(3 of the repeats failed)")


def test_no_number_of_questions_brings_noise_down_to_nothing() -> None:
    first = checks("base", "known", share(100, 100))
    noise = measured(first, again(first, 1, share(99, 100)))["known"]
    assert noise.questions_for(0.0, 0.95) == 10**9
