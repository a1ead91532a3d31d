"""A judge against gold answers, and against two comparisons that cannot read."""

from __future__ import annotations

import pytest

from selfstudy.judging.judge_trust import FEWEST, KeyedPair, judge_trust, kappa


def test_kappa_by_hand() -> None:
    # 2 x 2: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: agree .7, chance .5
    one = ["yes"] * 25 + ["no"] * 25
    other = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert kappa(one, other) == pytest.approx(0.4)
    assert kappa([1, 1], [1, 1]) is None
    assert kappa([1, 0], [0, 1]) == -1.0
    with pytest.raises(ValueError, match="needs items"):
        kappa([], [])


def test_a_judge_that_is_right_is_trusted() -> None:
    pairs = [KeyedPair(gold=i % 2, judge=i % 2, longer=1.0, entailed=0.5) for i in range(FEWEST)]
    found = judge_trust(pairs)
    assert found is not None
    assert (found.accuracy, found.kappa, found.longer, found.entailed) == (1.0, 1.0, 0.5, 0.5)
    assert found.trusted is True


def test_a_judge_that_only_measures_length_may_not_decide() -> None:
    # the longer answer is right in 3 of 4, and the judge says what length says
    pairs = [
        KeyedPair(gold=1.0 if i % 4 else 0.0, judge=1.0, longer=1.0, entailed=0.5) for i in range(FEWEST)
    ]
    found = judge_trust(pairs)
    assert found is not None
    assert found.accuracy == found.longer == 0.75
    assert found.trusted is False


def test_entailment_alone_is_enough_to_beat_a_judge() -> None:
    pairs = [KeyedPair(gold=1.0, judge=0.5, longer=0.0, entailed=1.0) for _ in range(FEWEST)]
    found = judge_trust(pairs)
    assert found is not None
    assert (found.accuracy, found.longer, found.entailed, found.trusted) == (0.5, 0.0, 1.0, False)


def test_a_coin_that_was_lucky_is_not_trusted() -> None:
    """12 of 20, and length always wrong: better than length, and not surely better than chance."""
    pairs = [KeyedPair(gold=1.0, judge=float(i < 12), longer=0.0) for i in range(FEWEST)]
    found = judge_trust(pairs)
    assert found is not None
    assert (found.accuracy, found.longer, found.entailed, found.trusted) == (0.6, 0.0, None, False)
    surely = judge_trust([KeyedPair(gold=1.0, judge=float(i < 17), longer=0.0) for i in range(FEWEST)])
    assert surely is not None
    assert surely.trusted is True


def test_few_pairs_say_nothing_and_ties_of_the_key_decide_nothing() -> None:
    few = judge_trust([KeyedPair(1.0, 1.0, 0.0)] * (FEWEST - 1) + [KeyedPair(0.5, 1.0, 0.0)] * 50)
    assert few is not None
    assert (few.decided, few.pairs, few.trusted, few.entailed) == (FEWEST - 1, FEWEST + 49, None, None)
    assert judge_trust([KeyedPair(0.5, 1.0, 0.0)] * 50) is None
    assert judge_trust([]) is None
