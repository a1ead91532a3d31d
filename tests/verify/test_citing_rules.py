"""What cited answers must show, and who judged them."""

from __future__ import annotations

import pytest

from selfstudy.recipe import NLIBlock, Recipe
from selfstudy.verify.citing_rules import cites, cites_beyond_control, judged_by
from selfstudy.verify.gate import decide
from selfstudy.verify.rules import Rules

from .made_up import HOW, LEARNED, both
from .test_citing_figures import arm, check
from .test_citing_figures import compared as measured

RULES = Rules(0.05, HOW, cites=True, recalls=False)
KNOWN = both("known", 100, 100, 100)
REFUSES, HALF, NEVER = [True] * 20, [True] * 10 + [False] * 10, [False] * 20


def test_the_trust_score_has_to_rise() -> None:
    rose = cites(measured([*arm("base", NEVER), *arm("taught", HALF)], HOW), RULES)
    assert rose.found == "passed"
    assert "the Trust-Score rose from" in rose.sentence
    fell = cites(measured([*arm("base", HALF), *arm("taught", NEVER)], HOW), RULES)
    assert fell.found == "refused"
    one = [True, *NEVER[1:]]
    perhaps = cites(measured([*arm("base", NEVER), *arm("taught", one)], HOW), RULES)
    assert perhaps.found == "cannot tell"


def test_what_was_not_measured_never_counts_as_passed() -> None:
    assert cites(measured([], HOW), RULES).found == "cannot tell"
    assert cites(measured([check("a"), check("a", "taught")], HOW), RULES).found == "cannot tell"
    lost = measured([check("a"), check("a", "taught", error="gone")], HOW)
    assert "most often: gone" in cites(lost, RULES).sentence
    assert cites(lost, RULES).found == "refused"
    some = [
        *arm("taught", REFUSES)[:-5],
        *(check(str(n), "taught", withheld=True, error="x") for n in range(15, 20)),
    ]
    assert "5 of 40 failed" in cites(measured([*arm("base", NEVER), *some], HOW), RULES).sentence


def test_a_recipe_that_only_cites_is_not_held_to_answers_from_memory() -> None:
    cited = [*arm("base", NEVER), *arm("taught", REFUSES)]
    checks = [*both("gap", 10, 10, 100), *KNOWN, *both("reading", 100, 100, 100)]
    gate = decide(checks, RULES, cited=cited)
    assert gate.promoted, gate.reasons
    assert gate.gains["gap"].difference == 0
    assert gate.cited["trust_score"].difference > 0
    mixed = decide(checks, Rules(0.05, HOW, cites=True), cited=cited)
    assert mixed.verdict == "refused"
    assert "Gaps as first asked" in mixed.reasons[0]
    unasked = decide([*LEARNED, *KNOWN], Rules(0.05, HOW, cites=True))
    assert unasked.verdict == "cannot tell"


def test_it_has_to_beat_the_control_that_cites() -> None:
    rules = Rules(0.05, HOW, cites=True, recalls=False, control=True)
    same = [*arm("base", NEVER), *arm("taught", REFUSES), *arm("control", REFUSES)]
    assert cites_beyond_control(measured(same, HOW), rules).found == "refused"
    gate = decide([*KNOWN, *both("reading", 100, 100, 100)], rules, cited=same)
    assert gate.verdict == "refused"
    assert "against the control" in gate.reasons[0]
    assert gate.cited_control["trust_score"].difference == 0


@pytest.mark.parametrize("other", [None, NLIBlock(), NLIBlock(path="else/where")])
def test_it_is_said_who_judged(other: NLIBlock | None) -> None:
    said = judged_by(Recipe.model_validate({"verify": {"nli": other and other.model_dump()}}))
    if other and other.path == "else/where":
        assert "rewarded by the entailment model atlas (sentence by sentence) and are " in said
        assert "evaluated here by another one, else/where (whole documents)" in said
    else:
        assert "same entailment model (atlas, sentence by sentence)" in said
        assert "upper bound" in said
        assert "--nli MODEL" in said


def test_the_same_model_may_read_otherwise() -> None:
    said = judged_by(Recipe.model_validate({"verify": {"nli": {"premise": "whole"}}}))
    assert "same entailment model (atlas, sentence by sentence, here whole documents)" in said
