"""What refusing must show for promotion."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.records import Check, RefusalCheck
from selfstudy.verify.gate import decide
from selfstudy.verify.refusing_figures import RefusalComparisons, compared
from selfstudy.verify.refusing_rules import refuses
from selfstudy.verify.rules import Rules

from .made_up import HOW, LEARNED, both
from .test_refusing_figures import NO, YES, told, without

RULES = Rules(0.05, HOW, refuses=True, refusals_taught=True)


def arms(known: Sequence[str], refused: Sequence[bool | None]) -> tuple[list[Check], list[RefusalCheck]]:
    """Before, all is answered and right; after, as given."""
    return (
        told("known", [YES] * len(known)) + told("known", known, "taught"),
        without([False] * len(refused)) + without(refused, "taught"),
    )


def measured(known: Sequence[str], refused: Sequence[bool | None]) -> RefusalComparisons:
    return compared(*arms(known, refused), HOW)


def test_the_refusal_f1_must_not_fall() -> None:
    rose, kept = refuses(measured([YES] * 40, [True] * 40), RULES)
    assert (rose.found, kept.found) == ("passed", "passed")
    assert "the refusal F1 rose from 0.333 to 1.000 on 80 questions" in rose.sentence
    assert "its halves: refusing 0.000 to 1.000, answering 0.667 to 1.000" in rose.sentence
    same, _ = refuses(measured([YES] * 40, [False] * 40), RULES)
    assert same.found == "passed"  # nothing was gained, and nothing lost
    worse = [*without([True] * 40), *without([False] * 40, "taught")]
    fell, _ = refuses(compared(arms([YES] * 40, [])[0], worse, HOW), RULES)
    assert fell.found == "refused"
    one = [*without([True] * 4), *without([False] + [True] * 3, "taught")]
    perhaps, _ = refuses(compared(arms([YES] * 4, [])[0], one, HOW), RULES)
    assert perhaps.found == "cannot tell"


def test_refusing_what_it_knew_is_no_gain() -> None:
    """The F1 rises all the same."""
    rose, lost = refuses(measured([NO] * 10 + [YES] * 30, [True] * 40), RULES)
    assert (rose.found, lost.found) == ("passed", "refused")
    assert "more are refused than the margin of 0.05 allows from 0.000 to 0.250 on 40" in lost.sentence
    few = refuses(measured([NO] + [YES] * 9, [True] * 10), RULES)[1]
    assert few.found == "cannot tell"
    within = refuses(measured([NO] + [YES] * 39, [True] * 40), RULES)[1]
    assert within.found == "passed"


def test_what_was_not_measured_never_counts_as_passed() -> None:
    (none,) = refuses(measured([YES] * 5, []), RULES)
    assert none.found == "cannot tell"
    assert "teach.refusals.heldout" in none.sentence
    (untaught,) = refuses(measured([YES] * 5, []), Rules(0.05, HOW, refuses=True))
    assert untaught.found == "not asked"
    (lost,) = refuses(measured([YES] * 5, [None] * 5), RULES)
    assert lost.found == "refused"
    assert "most often: gone" in lost.sentence
    (some,) = refuses(measured([YES] * 95, [True] * 8 + [None] * 2), RULES)
    assert some.found == "refused"  # 2 of 105 are few; 2 of the 10 without evidence are not
    assert "2 of 10 failed" in some.sentence


def test_the_gate_goes_by_it() -> None:
    checks = [*LEARNED, *both("known", 100, 100, 100)]
    _, good = arms([], [True] * 20)
    _, bad = arms([], [False] * 20)
    worse = [one.model_copy(update={"refused": one.arm == "base"}) for one in bad]
    gate = decide(checks, RULES, refusals=good)
    assert gate.promoted, gate.reasons
    assert gate.refusing["refusal_f1_ref"].after == 1
    assert decide(checks, RULES, refusals=worse).verdict == "refused"
    assert decide(checks, RULES).verdict == "cannot tell"
    assert decide(checks, Rules(0.05, HOW), refusals=worse).promoted  # nobody asked for it
    assert "refusing" not in decide(checks, Rules(0.05, HOW)).model_dump()


def test_a_known_question_that_is_refused_is_wrong() -> None:
    """So the rule of known questions sees it whatever is taught."""
    assert [one.correct for one in told("known", [YES, NO])] == [True, False]
    checks = [*LEARNED, *both("known", 100, 60, 100)]
    assert decide(checks, Rules(0.05, HOW)).verdict == "refused"
