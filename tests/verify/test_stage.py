"""The whole stage on a run directory: real records, a model that looks answers up, a word-for-word NLI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.judging.answer_key import AnswerKey
from selfstudy.models.base import Progress, Sampling
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, Recipe, TeachBlock, VerifyBlock
from selfstudy.records import (
    Arm,
    Chat,
    Check,
    Completion,
    Evidence,
    Failure,
    Question,
    Record,
    Reference,
    Rewording,
    Truth,
    Verdict,
    VerdictKind,
)
from selfstudy.run import Round, Run
from selfstudy.run.split import held_out
from selfstudy.text import normalise
from selfstudy.verify.figures import outcome
from selfstudy.verify.gate import Gate
from selfstudy.verify.questions import plan
from selfstudy.verify.stage import run_verify

GAPS, KNOWN = 24, 130


class WordNLI:
    """Entails if the words are the same, else contradicts."""

    name = "words"

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        same = np.array([float(normalise(a) == normalise(b)) for a, b in pairs])
        return np.stack([same, 1 - same], axis=1)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return ["entailment" if normalise(a) == normalise(b) else "contradiction" for a, b in pairs]


class Oracle:
    """Names Mayor<i> when asked about Town<i> if it knows town i, else a different guess each time.

    Reads the answer out of a page in the prompt if `reads`; fails on the towns in `fails`.
    """

    def __init__(self, knows: set[int], *, reads: bool = True, fails: frozenset[int] = frozenset()) -> None:
        self.name = "oracle"
        self.knows, self.reads, self.fails = knows, reads, fails
        self.calls: list[int] = []

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        assert sampling.greedy_first
        self.calls.append(len(chats))
        return [[self._answer(chat[-1].content, k) for k in range(sampling.total)] for chat in chats]

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        raise AssertionError("verify has no use for log-probabilities")

    def _answer(self, prompt: str, k: int) -> Completion:
        town = int(re.findall(r"Town(\d+)", prompt)[-1])
        if town in self.fails:
            return Completion(text="", finish="error", error="out of memory")
        page = re.search(r"The mayor of Town\d+ is (Mayor\d+)", prompt)
        if page and self.reads:
            return Completion(text=f"The mayor of Town{town} is {page[1]}.")
        if town in self.knows:
            return Completion(text=f"The mayor of Town{town} is Mayor{town}.")
        return Completion(text=f"The mayor of Town{town} is Guess{town + k}.")


class TownKey:
    def lookup(self, question: str) -> Truth | None:
        town = re.findall(r"Town(\d+)", question)[0]
        return Truth((f"Mayor{town}",), novel=(f"Whom does Town{town} call its mayor?",))


def recipe(**verify: object) -> Recipe:
    return Recipe(
        answering=AnsweringBlock(block_size=10),
        teach=TeachBlock(known_heldout=0.5),
        verify=VerifyBlock.model_validate({"samples": 3, "resamples": 500, **verify}),
    )


def fill(round_: Round) -> None:
    """The first GAPS towns are gaps (town 1 a misbelief), then KNOWN known ones and one unverifiable."""
    records: list[Record] = []
    for town in range(GAPS + KNOWN + 1):
        question = Question(text=f"What is the mayor of Town{town}?")
        page = f"The mayor of Town{town} is Mayor{town}. It is a town."
        evidence = Evidence(
            question_id=question.id,
            document_id="d",
            source="s",
            text=page,
            start=0,
            end=len(page),
            rank=0,
            relevance=1,
        )
        reference = Reference(
            question_id=question.id,
            evidence_id=evidence.id,
            text=f"The mayor of Town{town} is Mayor{town}.",
            inconsistency=0.0,
            accepted=True,
        )
        kind: VerdictKind = "unknown" if town < GAPS else "known"
        score = 0.9 if town < GAPS else 0.1
        if town == 1:
            kind, score = "misbelief", 0.0
        last = town == GAPS + KNOWN
        verdict = Verdict(
            question_id=question.id,
            kind="unverifiable" if last else kind,
            score=score,
            reference_id=None if last else reference.id,
        )
        rewordings = [
            Rewording(question_id=question.id, text=f"Name the mayor of Town{town}.", use="train"),
            Rewording(question_id=question.id, text=f"Who is mayor of Town{town}?", use="heldout"),
        ]
        records += [question, evidence, reference, verdict, *(rewordings if town < GAPS else [])]
    round_.append(records)


@pytest.fixture
def round_(tmp_path: Path) -> Iterator[Round]:
    with Run.create_or_resume(tmp_path / "run", recipe()) as run:
        fill(run.round(1))
        yield run.round(1)


MODELS_KNOWN = set(range(GAPS, GAPS + KNOWN))
EVERYTHING = set(range(GAPS + KNOWN))


def verify(
    round_: Round,
    after: Oracle | None,
    *,
    before: Oracle | None = None,
    control: Oracle | None = None,
    key: AnswerKey | None = None,
) -> Gate:
    base = before or Oracle(MODELS_KNOWN)
    arms: dict[Arm, Oracle | None] = {"base": base, "control": control, "taught": after}
    loaders = {arm: partial(_same, lm) for arm, lm in arms.items() if lm is not None}
    return run_verify(round_, loaders, WordNLI(), Prompts(), key, Silent())


def _same(lm: Oracle) -> Oracle:
    return lm


def town_of(check: Check) -> int:
    return int(re.findall(r"\d+", check.asked)[0])


def test_plan_asks_gaps_in_all_wordings_and_known_ones_held_out(round_: Round) -> None:
    items = plan(round_, TownKey())
    gaps = {i.asked for i in items if i.target == "gap" and i.wording == "original"}
    assert len(gaps) == GAPS
    assert "What is the mayor of Town1?" in gaps
    for wording, start in (("trained", "Name"), ("reworded", "Who is"), ("novel", "Whom")):
        some = [i.asked for i in items if i.wording == wording]
        assert len(some) == GAPS
        assert all(asked.startswith(start) for asked in some)
    known = [i for i in items if i.target == "known"]
    assert 50 < len(known) < 80
    assert all(held_out(i.question_id, 0, 0.5) for i in known)
    reading = [i for i in items if i.target == "reading"]
    assert len(reading) == GAPS + len(known)
    (other,) = reading[0].expected.answers
    assert other != "Mayor0"
    assert f"Document: The mayor of Town0 is {other}. It is" in reading[0].chat(Prompts())[-1].content
    assert plan(round_, TownKey()) == items
    assert not [i for i in plan(round_, None) if i.wording == "novel"]


def test_a_wording_trained_for_another_question_is_no_test(round_: Round) -> None:
    other = Question(text="Who leads Town0?")
    round_.append([other, Rewording(question_id=other.id, text="Who is mayor of Town0?", use="train")])
    reworded = [i.asked for i in plan(round_, None) if i.wording == "reworded"]
    assert len(reworded) == GAPS - 1
    assert "Who is mayor of Town0?" not in reworded


def test_a_cap_takes_a_seeded_sample(tmp_path: Path) -> None:
    picked = []
    for name in ("a", "b"):
        with Run.create_or_resume(tmp_path / name, recipe(max_questions=5)) as run:
            fill(run.round(1))
            picked.append(plan(run.round(1), None))
    assert picked[0] == picked[1]
    for target in ("gap", "known", "reading"):
        assert len({i.question_id for i in picked[0] if i.target == target}) == 5


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
    assert "no adapter" in gate.reasons[0]
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


def test_a_finished_stage_asks_nothing(round_: Round) -> None:
    gate = verify(round_, Oracle(EVERYTHING))
    silent = Oracle(EVERYTHING)
    assert verify(round_, silent, before=silent) == gate
    assert silent.calls == []
