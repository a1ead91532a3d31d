"""Every gap of a demo is followed back to its source and to the steps in which it was trained, at once."""

from __future__ import annotations

import time
from pathlib import Path

from selfstudy import Run
from selfstudy.records import GAPS, Example, Question, TrainedItem, TrainingStep, Verdict
from selfstudy.verbs.why import why
from selfstudy.verbs.why_source import why_source


def test_each_gap_has_its_whole_trail_in_under_a_second(finished: Path) -> None:
    with Run.open(finished, write=False) as run:
        (turn,) = run.rounds
        texts = {one.id: one.text for one in turn.iter(Question)}
        trained = {one.question_id for one in turn.iter(Example)}
        gaps = [one for one in turn.iter(Verdict) if one.kind in GAPS]
        last = max(one.step for one in turn.iter(TrainingStep) if one.arm == "taught")
        steps = {step for one in turn.iter(TrainedItem) for step in one.steps}
        assert steps == set(range(1, last + 1))
        assert gaps
        for gap in gaps:
            start = time.perf_counter()
            found = why(run, texts[gap.question_id].upper())
            assert time.perf_counter() - start < 1
            assert found.question_id == gap.question_id
            (trail,) = found.rounds
            assert trail.verdict == gap
            source = next(one.source for one in trail.evidence if one.id == trail.references[0].evidence_id)
            assert {one.arm for one in trail.checks} >= {"base", "taught"}
            if gap.question_id not in trained:  # the twin of another gap
                continue
            assert {one.item_id for one in trail.trained} == {one.id for one in trail.examples}
            assert all(0 < step <= last for one in trail.trained for step in one.steps)
            (adapter,) = trail.adapters
            assert adapter.held == "taught"
            assert (finished / adapter.folder).is_dir()
            back = why_source(run, source)
            assert gap.question_id in {one.question_id for one in back.questions}
            assert adapter.name in {one.adapter.name for one in back.adapters}
