"""Gold answers in texts and in lists, by the published rules."""

from __future__ import annotations

import pytest

from selfstudy.judging.gold_answers import contained, harmonic, listed, normal


def test_the_published_normal_form() -> None:
    assert normal("The  Côte d'Ivoire, a/an state: 6.3 million!") == "côte divoire aan state 63 million"
    assert normal("A theme [1].") == "theme 1"


def test_a_form_that_stands_anywhere_will_do() -> None:
    answer = "In the 1968 film Galen was played by Wright King [2], later by Roddy McDowall [1]."
    gold = [["Roddy Mcdowall"], ["nobody", "the Wright King"], ["1974"], ["gale"]]
    assert contained(answer, gold) == [True, True, False, True]  # as published, a part of a word too
    assert contained("Roddy [1] McDowall", [["Roddy McDowall"]]) == [True]
    assert contained("", [["x"]]) == [False]


def test_a_list_against_gold_answers() -> None:
    gold = [["Marazan"], ["Stephen Morris", "S. Morris"], ["On the Beach"], ["Pied Piper"]]
    found = listed("Marazan [1], S Morris [2], Moby Dick [3], marazan [4], .", gold)
    assert found.given == (True, True, False, False)
    assert found.precision == 3 / 4
    assert (found.recall, found.recall_5) == (2 / 4, 2 / 4)
    assert found.f1 == pytest.approx(0.6)
    assert listed("", gold).precision == 0


def test_five_are_enough() -> None:
    gold = [[str(n)] for n in range(10)]
    found = listed(", ".join(str(n) for n in range(7)), gold)
    assert (found.precision, found.recall, found.recall_5) == (1, 0.7, 1)
    assert (found.f1, found.f1_5) == (harmonic(1, 0.7), 1)
    few = listed("1, 2", [["1"], ["2"], ["3"]])
    assert few.recall_5 == 2 / 3


def test_no_gold_answer_is_an_error() -> None:
    with pytest.raises(ValueError, match="no gold answer"):
        listed("x", [])
