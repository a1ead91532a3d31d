"""The whole stage on a run directory: real records, a model that looks answers up, a word-for-word NLI."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from selfstudy.judging.answer_key import AnswerKey
from selfstudy.models.base import Progress, Sampling
from selfstudy.records import (
    Chat,
    Check,
    Completion,
    Failure,
)
from selfstudy.run import Round, Run
from selfstudy.verify.figures import outcome
from selfstudy.verify.strengths import Chosen

from .towns import EVERYTHING, GAPS, MODELS_KNOWN, Oracle, TownKey, fill, recipe, verify


def town_of(check: Check) -> int:
    return int(re.findall(r"\d+", check.asked)[0])


@pytest.mark.parametrize("key", [TownKey(), None])
def test_a_model_that_learned_is_promoted(round_: Round, key: AnswerKey | None) -> None:
    gate = verify(round_, Oracle(EVERYTHING), key=key)
    assert gate.promoted, gate.reasons
    figures = outcome(round_.read(Check), resamples=200)
    before, after = figures["before"], figures["after"]
    assert (before["gap_correct"], before["gap_correct_reworded"]) == (0.0, 0.0)
    assert (after["gap_correct"], after["gap_correct_reworded"]) == (1.0, 1.0)
    assert after["gap_correct_novel"] == (1.0 if key else None)
    assert before["known_correct"] == after["known_correct"] == 1.0
    assert before["reading_correct"] == after["reading_correct"] == 1.0
    assert (before["gap_hallucination"], after["gap_hallucination"]) == (1.0, 0.0)
    assert before["gap_token_f1"] < after["gap_token_f1"] == 1.0
    assert before["gap_entailment"] == 0.0
    assert after["gap_entailment"] == 1.0
    assert (round_.path / "gate.json").is_file()
    assert not round_.finished("verify")  # the caller says so, once it has promoted


def test_a_broken_model_is_refused(round_: Round) -> None:
    gate = verify(round_, Oracle(set(), reads=False))
    assert not gate.promoted
    assert len(gate.reasons) == 4
    assert "did not rise from 0.000 to 0.000" in gate.reasons[0]
    assert any("Known questions held out of training: correctness fell" in reason for reason in gate.reasons)


def test_knowing_the_answer_is_not_reading_the_page(round_: Round) -> None:
    gate = verify(round_, Oracle(EVERYTHING, reads=False))
    assert not gate.promoted
    assert [reason.split(":")[0] for reason in gate.reasons] == ["Reading from a page"]


def test_no_adapter_is_refused_but_the_base_is_measured(round_: Round) -> None:
    gate = verify(round_, None)
    assert not gate.promoted
    assert "Training gave nothing" in gate.reasons[0]
    assert outcome(round_.read(Check))["before"]["known_correct"] == 1.0


def test_a_control_is_asked_and_compared(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", recipe(control=True)) as run:
        fill(run.round(1))
        gate = verify(run.round(1), Oracle(EVERYTHING), control=Oracle(EVERYTHING))
        assert not gate.promoted
        assert "random pairs: not better" in gate.reasons[0]
        assert outcome(run.round(1).read(Check))["control"]["gap_correct"] == 1.0


def test_a_failed_question_is_counted_and_is_no_wrong_answer(round_: Round) -> None:
    gate = verify(round_, Oracle(EVERYTHING, fails=frozenset({5})))
    assert gate.promoted, gate.reasons
    failed = [c for c in round_.read(Check) if c.error]
    assert {town_of(c) for c in failed} == {5}
    assert all(c.correct is None and not c.parts for c in failed)
    assert {f.item_id for f in round_.read(Failure)} == {c.id for c in failed}
    details = outcome(round_.read(Check))["details"]["after"]["gap_correct"]
    assert (details["n"], details["failed"]) == (2 * (GAPS - 1), 2)


class Killed(BaseException):
    pass


class Mortal(Oracle):
    """Dies at its second call."""

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        if len(self.calls) == 2:
            raise Killed
        return super().generate(chats, sampling, progress)


def test_a_killed_run_goes_on_and_ends_equal(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    with Run.create_or_resume(whole, recipe()) as run:
        fill(run.round(1))
        first = Oracle(EVERYTHING)
        verify(run.round(1), first, key=TownKey())
    with Run.create_or_resume(broken, recipe()) as run:
        fill(run.round(1))
        with pytest.raises(Killed):
            verify(run.round(1), Mortal(EVERYTHING), key=TownKey())
    with Run.create_or_resume(broken, recipe()) as run:
        base, again = Oracle(MODELS_KNOWN), Oracle(EVERYTHING)
        verify(run.round(1), again, before=base, key=TownKey())
        assert base.calls == []
        assert again.calls == first.calls[2:]
    for name in ("checks.jsonl", "gate.json"):
        assert (broken / "rounds/1" / name).read_bytes() == (whole / "rounds/1" / name).read_bytes()


FORGETFUL = EVERYTHING - set(range(GAPS, GAPS + 30))
HALF = Chosen(strength=0.5, remain=0.1, taught=1, rehearsed=1, curve=())


def write_chosen(round_: Round) -> None:
    round_.run.write_json(round_.weaker_file, HALF.model_dump(mode="json"))


def test_an_adapter_that_forgot_is_decided_on_at_a_smaller_strength(tmp_path: Path) -> None:
    for name in ("whole", "broken"):
        with Run.create_or_resume(tmp_path / name, recipe()) as run:
            fill(run.round(1))
            full = verify(run.round(1), Oracle(FORGETFUL))
            assert not full.promoted
            assert 0 < (full.remain or 0) < 0.5
            assert b"weaker" not in run.round(1).gate_file.read_bytes()
            write_chosen(run.round(1))
            weaker = Oracle(EVERYTHING) if name == "whole" else Mortal(EVERYTHING)
            with nullcontext() if name == "whole" else pytest.raises(Killed):
                verify(run.round(1), Oracle(FORGETFUL), weaker=weaker)
    with Run.create_or_resume(tmp_path / "broken", recipe()) as run:
        silent = Oracle(FORGETFUL)
        gate = verify(run.round(1), silent, before=silent, weaker=Oracle(EVERYTHING))
        assert silent.calls == []
        figures = outcome(run.round(1).read(Check), resamples=200)
    for name in ("checks.jsonl", "gate.json"):
        files = [(tmp_path / run / "rounds/1" / name).read_bytes() for run in ("whole", "broken")]
        assert files[0] == files[1]
    assert gate.promoted
    assert gate.weaker is not None
    assert (gate.weaker.strength, gate.weaker.verdict) == (0.5, "refused")
    assert gate.reasons[0].startswith("At full strength the adapter was refused, for it forgot: Known quest")
    assert gate.reasons[1] == "At strength 0.5, it is promoted:"
    assert "second look" in gate.notes[-1]
    assert gate.gains["known"].difference == 0 > gate.weaker.gains["known"].difference
    assert figures["after"]["known_correct"] == 1.0 > figures["full"]["known_correct"]


def test_a_smaller_strength_may_be_refused_too(round_: Round) -> None:
    write_chosen(round_)
    gate = verify(round_, Oracle(FORGETFUL), weaker=Oracle(MODELS_KNOWN))
    assert gate.verdict == "refused"
    assert gate.reasons[1] == "At strength 0.5, it is refused too:"
    assert "did not rise" in gate.reasons[2]
    assert gate.remain is None


def test_a_finished_stage_asks_nothing(round_: Round) -> None:
    gate = verify(round_, Oracle(EVERYTHING))
    silent = Oracle(EVERYTHING)
    assert verify(round_, silent, before=silent) == gate
    assert silent.calls == []


@pytest.mark.parametrize("target", ["known", "reading"])
def test_a_model_that_fails_on_a_whole_target_is_refused(round_: Round, target: str) -> None:
    class Half(Oracle):
        """Dies on known questions, or on whatever has a page."""

        def _answer(self, prompt: str, k: int) -> Completion:
            page = "The mayor of Town" in prompt
            town = int(re.findall(r"Town(\d+)", prompt)[-1])
            if page if target == "reading" else not page and town in MODELS_KNOWN:
                return Completion(text="", finish="error", error="the server is gone")
            return super()._answer(prompt, k)

    gate = verify(round_, Half(EVERYTHING))
    assert not gate.promoted
    (reason,) = gate.reasons
    assert "none of" in reason
    assert "the server is gone" in reason
    saved = round_.run.read_json(round_.gate_file)
    assert saved is not None
    assert saved["promoted"] is False
