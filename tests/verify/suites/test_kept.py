"""What a round keeps of suites, and the figures that are made of it again."""

from __future__ import annotations

from pathlib import Path

from selfstudy.run import Run
from selfstudy.verify.gains import Resampling
from selfstudy.verify.gate import decide
from selfstudy.verify.rules import Rules
from selfstudy.verify.suites.kept import KeptSuite, keep_suite, kept_suites, results
from selfstudy.verify.suites.pairwise import MEASURES as PAIRWISE
from selfstudy.verify.suites.pairwise_findings import may_not_decide
from selfstudy.verify.suites.rules import not_worse_in

from ..made_up import LEARNED, both
from ..towns import recipe
from .test_pairwise_findings import item
from .towns_suite import MEASURES, arm_of

HOW = Resampling(resamples=100)


def test_figures_are_made_of_the_items_of_the_arms_that_are_asked_for(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", recipe()) as run:
        round_ = run.round(1)
        assert results(round_, HOW) == {}
        round_.append([*arm_of("base", [True, False]), *arm_of("taught", [False, False])])
        assert results(round_, HOW) == {}  # nobody wrote down what they are
        kept = KeptSuite(
            settings={"data": None},
            margin=0.1,
            measures=MEASURES,
            notes=("a",),
            findings={"base": ("b",), "weaker": ("w",)},
            unmeasured={"taught": "no"},
        )
        keep_suite(round_, "towns", kept)
        keep_suite(round_, "other", KeptSuite())
    with Run.open(tmp_path / "run", write=False) as run:
        round_ = run.round(1)
        assert kept_suites(round_) == {"towns": kept, "other": KeptSuite()}
        found = results(round_, HOW)["towns"]
        assert (found.figures["right"].before, found.figures["right"].after) == (0.5, 0.0)
        assert (found.margin, found.notes, found.unmeasured) == (0.1, ("a", "b"), "no")
        weaker = results(round_, HOW, "weaker")["towns"]
        assert (weaker.asked_after, weaker.unmeasured, weaker.notes) == (0, "", ("a", "b", "w"))
        assert results(round_, HOW)["other"].figures == {}


def test_what_an_untrusted_judge_says_decides_nothing(tmp_path: Path) -> None:
    """A win rate of 1, by a judge that nobody has compared with gold answers; then with a fit one."""
    with Run.create_or_resume(tmp_path / "run", recipe()) as run:
        turn = run.round(1)
        for arm in ("base", "taught"):
            turn.append(
                [one.model_copy(update={"arm": arm, "id": f"{arm}{n}"}) for n, one in enumerate(WINS)]
            )
        keep_suite(turn, "pairwise", KeptSuite(margin=0.05, measures=PAIRWISE))
        found = results(turn, HOW)["pairwise"]
        assert found.figures["win rate"].after == 1
        reason = not_worse_in("pairwise", found, 0.05, Rules(0.05, HOW))
        assert reason.found == "cannot tell"
        assert "not measured: the judge is not shown to be better than length" in reason.sentence
        assert not decide([*LEARNED, *KNOWN], Rules(0.05, HOW), suites={"pairwise": found}).promoted
        fit = found.model_copy(update={"may_not_decide": ""})
        assert decide([*LEARNED, *KNOWN], Rules(0.05, HOW), suites={"pairwise": fit}).promoted
    keyed = [one.model_copy(update={"parts": one.parts | {"gold": 1.0, "longer": 0.5}}) for one in WINS]
    assert may_not_decide(keyed) == ""


WINS = [item(n, "first", "second") for n in range(120)]
KNOWN = both("known", 100, 100, 100)
