"""The unchanged model asked again: what flips, what follows from it, and what a kill leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from selfstudy.models.base import Progress, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Completion, Question, Recheck
from selfstudy.run import Round, Run
from selfstudy.verify.questions import plan

from .towns import EVERYTHING, GAPS, MODELS_KNOWN, Oracle, fill, recipe, verify


class Noisy(Oracle):
    """Forgets one town whenever few questions are asked at once, as a near-tie flips in another batch."""

    def __init__(self, knows: set[int], flips: int) -> None:
        super().__init__(knows)
        self.flips = flips

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        everything, self.knows = self.knows, self.knows - ({self.flips} if len(chats) < 10 else set())
        try:
            return super().generate(chats, sampling, progress)
        finally:
            self.knows = everything


def test_the_unchanged_model_is_asked_again_in_other_batches(round_: Round) -> None:
    some = next(c.question_id for c in plan(round_, Prompts(), None) if c.target == "known")
    flips = next(int(re.findall(r"\d+", q.text)[0]) for q in round_.iter(Question) if q.id == some)
    base = Noisy(MODELS_KNOWN, flips)
    gate = verify(round_, Oracle(EVERYTHING), before=base)
    known, asked = gate.noise["known"], len([c for c in plan(round_, Prompts(), None) if c.target == "known"])
    assert (known.questions, known.repeats, known.answers) == (asked, 3, 2 * asked)
    assert (known.flipped, known.changed) == (2, 2)  # wrong in both repeats
    assert known.flip_rate == pytest.approx((2 / 3) / asked)  # right 1 of 3 times: 2 of 3 pairs differ
    assert known.spread == pytest.approx(1 / asked)
    gap = gate.noise["gap"]
    assert (gap.answers, gap.flipped, gap.flip_rate) == (2 * GAPS, 0, 0.0)
    (note,) = [note for note in gate.notes if note.startswith("Noise")]
    assert f"no flip in {2 * GAPS} answers (at most {3 / (2 * GAPS):.2g} of all answers flip" in note
    assert f"known questions, {2 * asked} answers of {asked} questions asked again: 2 flipped" in note
    # 130 questions and a flip of one of them: noise alone moves more than the margin allows
    assert gate.margins["known"] == known.floor(gate.gains["known"].facts, 0.95) > 0.02
    assert (gate.verdict, gate.promoted) == ("cannot tell", False)
    assert "noise alone moves correctness by up to" in gate.reasons[0]
    assert gate.more["known"] == known.questions_for(0.02, 0.95) - gate.gains["known"].facts > 0
    orders = [[r.question_id for r in round_.iter(Recheck) if r.repeat == n] for n in (1, 2)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_asking_again_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    def run_of(name: str) -> Run:
        return Run.create_or_resume(tmp_path / name, recipe())

    with run_of("whole") as run:
        fill(run.round(1))
        verify(run.round(1), Oracle(EVERYTHING))
    with run_of("broken") as run:
        fill(run.round(1))
        verify(run.round(1), Oracle(EVERYTHING))
        written = run.round(1).read(Recheck)
        run.round(1).rewrite(Recheck, written[: len(written) // 2])
        (run.round(1).path / "gate.json").unlink()
    with run_of("broken") as run:
        base = Oracle(MODELS_KNOWN)
        verify(run.round(1), Oracle(EVERYTHING), before=base)
        assert 0 < sum(base.calls) < len(written)
    for name in ("rechecks.jsonl", "gate.json"):
        assert (tmp_path / "broken/rounds/1" / name).read_bytes() == (
            tmp_path / "whole/rounds/1" / name
        ).read_bytes()


def test_noise_that_was_not_measured_is_no_absence_of_noise(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", recipe(repeats=0)) as run:
        fill(run.round(1))
        gate = verify(run.round(1), Oracle(EVERYTHING))
    assert not gate.noise
    assert any("was not measured (verify.repeats)" in note for note in gate.notes)
