"""What answers earn: by part, by the whole, by chance; and that to refuse pays where nothing answers."""

from __future__ import annotations

from typing import Any

import pytest

from selfstudy.judging import citations
from selfstudy.judging.trust import REFUSAL
from selfstudy.teach.cited_practice import CitationRewards, CitedPractice, said_again
from selfstudy.teach.rewards import DEFAULTS, CitationWeights

from .cited import SUPPORTED, WRONG, exercise, rewards

HELD = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
NOTHING = ((0, 0, 0),) * 3


def total(text: str, level: Any = "fine", **fields: Any) -> float:
    judge, _ = rewards(level)
    ((one,),) = judge.rewards([exercise(**fields)], [[text]])
    assert not one.error
    return round(one.total, 6)


def test_what_an_answer_earns_in_parts() -> None:
    """Two statements, one supported; of three gold answers one is found; it answers, as it should."""
    judge, _ = rewards()
    text = f"  {SUPPORTED[0]} {WRONG[0]}\nmore [1]."
    ((one,),) = judge.rewards([exercise(found=HELD)], [[text]])
    told = [(text[s.start : s.end], s.part, s.value) for s in one.spans]
    line = f"{SUPPORTED[0]} {WRONG[0]}"
    assert told == [
        (SUPPORTED[0], "recall", 0.2),
        (WRONG[0], "recall", -0.2),
        ("[1]", "precision", 0.2),
        ("[1]", "precision", -0.2),
        (line, "correctness", pytest.approx(-0.2)),
        (line, "refusal", 0.2),
    ]
    ((together,),) = rewards("holistic")[0].rewards([exercise(found=HELD)], [[text]])
    assert [(text[s.start : s.end], s.part) for s in together.spans] == [(line, "holistic")]
    assert together.total == pytest.approx(one.total)


def test_what_is_said_again_earns_nothing_more_and_costs_as_before() -> None:
    judge, _ = rewards(entails=lambda document, said: "old" in said.lower() and "old" in document)
    texts = ["Rome is old [1].", "Rome is old [1]. The Rome is OLD, [1]", "Rome is old [1]. ROME is old [7]."]
    once, twice, wrong = (one.total for one in judge.rewards([exercise()], [texts])[0])
    assert twice == pytest.approx(once)
    assert wrong == pytest.approx(once - 0.2 - 0.2)  # it supports nothing, and is no document


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("It is the Rome of old.", "it is Rome, of old!", True),
        ("罗马很大。", "罗马很大!", True),
        ("It has 6.3 million people.", "It has 63 million people.", False),
        ("It cost 1.5.", "It cost 15.", False),
        ("It has “Rome”.", 'It has "Rome".', True),
    ],
)
def test_statements_are_the_same_in_normal_form(first: str, second: str, same: bool) -> None:
    statements = [citations.Statement(text, 0, 1, ()) for text in (first, second)]
    assert bool(said_again(statements)) == same


def test_where_nothing_answers_refusing_beats_every_answer() -> None:
    """Also one of well cited sentences, which are about something else."""
    refused = total(REFUSAL, found=NOTHING)
    answered = [total(text, found=NOTHING) for text in (" ".join(SUPPORTED), SUPPORTED[0], *WRONG, "No.", "")]
    assert refused == 0.2
    assert max(answered) == -0.2
    assert total(WRONG[0], found=NOTHING) == pytest.approx(-0.6)  # made up, it is worse still
    assert total(" ".join(SUPPORTED), "holistic", found=NOTHING) == -0.2


def test_where_documents_answer_refusing_costs_and_where_nobody_knows_it_does_not() -> None:
    assert total(REFUSAL, found=HELD) == pytest.approx(-0.8)
    assert total(SUPPORTED[0], found=HELD) > total(REFUSAL, found=HELD)
    assert total(REFUSAL) == pytest.approx(-0.6)  # what is missing alone


def test_only_what_the_documents_hold_is_missed() -> None:
    """Of three gold answers they hold the first."""
    held = ((1, 0, 0), (0, 0, 0), (0, 0, 0))
    assert total(SUPPORTED[0], found=held) == pytest.approx(0.2 + 0.2 + 0.2 + 0.2)
    assert total(SUPPORTED[0], found=HELD) == pytest.approx(0.2 + 0.2 - 0.2 + 0.2)


def test_a_list_misses_five_at_most_and_claims_are_entailed() -> None:
    gold = tuple((f"thing {n}",) for n in range(9))
    assert total("Nothing.", kind="qampari", gold=gold) == pytest.approx(-0.2 - 5 * 0.2)
    judge, asked = rewards(entails=lambda premise, claim: claim in premise)
    one = exercise(kind="eli5", gold=(), claims=("Rome is old", "Rome is blue"))
    ((found,),) = judge.rewards([one], [[SUPPORTED[0]]])
    assert {s.part: s.value for s in found.spans}["correctness"] == 0
    assert ("Rome is old.", "Rome is blue") in asked.asked[-1]


def test_an_answer_that_could_not_be_judged_has_an_error_and_others_do_not() -> None:
    class Nothing:
        name = "nothing"

        def classes(self, pairs: Any) -> list[str]:
            return ["" if "loud" in hypothesis else "entailment" for _, hypothesis in pairs]

    judge = CitationRewards(Nothing(), DEFAULTS)  # type: ignore[arg-type]
    ((good, bad),) = judge.rewards([exercise()], [[SUPPORTED[0], WRONG[0]]])
    assert "gave no number" in bad.error
    assert not bad.spans
    assert not good.error


def test_all_answers_are_judged_in_three_turns() -> None:
    judge, asked = rewards()
    judge.rewards([exercise("a"), exercise("b")], [[*SUPPORTED, *WRONG], [*WRONG]])
    assert len(asked.asked) <= 3


@pytest.mark.parametrize("never_own", [False, True])
def test_the_control_gives_each_the_rewards_of_another(never_own: bool) -> None:
    """Of as many; whether its own may be among them depends on who learns."""
    texts = [SUPPORTED[0], WRONG[1], SUPPORTED[0] + " " + SUPPORTED[1], " ".join(SUPPORTED)]
    plain = [round(one.total, 6) for one in rewards()[0].rewards([exercise()], [texts])[0]]
    assert len(set(plain)) == len(plain)
    own, sums = 0, [0.0] * len(texts)
    judge, _ = rewards("random")
    for seed in range(400):
        (row,) = judge.rewards([exercise()], [texts], seed, never_own=never_own)
        got = [round(one.total, 6) for one in row]
        assert sorted(got) == sorted(plain)
        own += sum(a == b for a, b in zip(got, plain, strict=True))
        sums = [a + b for a, b in zip(sums, got, strict=True)]
        assert all(len(one.spans) == 1 and one.spans[0].part == "holistic" for one in row)
    assert (own == 0) == never_own
    for at, value in enumerate(sums):
        others = [v for other, v in enumerate(plain) if other != at or not never_own]
        assert value / 400 == pytest.approx(sum(others) / len(others), abs=0.08)


def test_the_control_depends_on_the_question_and_not_on_its_place() -> None:
    judge, _ = rewards("random")
    one, other = exercise("a"), exercise("b")
    both = judge.rewards([one, other], [[*SUPPORTED, *WRONG]] * 2, 3)
    turned = judge.rewards([other, one], [[*SUPPORTED, *WRONG]] * 2, 3)
    assert both == turned[::-1]
    assert both[0] != both[1]
    assert judge.rewards([one], [["Only one."]], 3, never_own=True)[0][0].spans


def test_what_rewards_depend_on_is_told() -> None:
    weights = [DEFAULTS, CitationWeights(recall=None)]
    told = {CitationRewards(rewards()[1], one, level).told for one in weights for level in ("fine", "random")}  # type: ignore[arg-type]
    assert len(told) == 4


def test_each_is_practised_once_in_a_pass_in_an_order_of_its_own() -> None:
    given = CitedPractice([exercise(str(n)) for n in range(5)], rewards()[0])
    asked = [one.question_id for step in range(5) for one in given.batch(7, step, 3)]
    assert sorted(asked[:5]) == sorted(asked[5:10]) == [str(n) for n in range(5)]
    assert asked[:5] != asked[5:10]
    assert [one.question_id for one in given.batch(7, 2, 3)] == asked[6:9]
    assert len(given) == 5
