"""What a round keeps of suites, and the figures that are made of it again."""

from __future__ import annotations

from pathlib import Path

from selfstudy.run import Run
from selfstudy.verify.gains import Resampling
from selfstudy.verify.suites.kept import KeptSuite, keep_suite, kept_suites, results

from ..towns import recipe
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
