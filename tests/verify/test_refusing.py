"""Questions without evidence through the whole stage: asked, told apart, resumed, counted where they fail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from selfstudy.models.base import Progress, Sampling
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import (
    Answer,
    Arm,
    Chat,
    Check,
    Completion,
    Example,
    Failure,
    Question,
    RefusalCheck,
    Verdict,
)
from selfstudy.run import Round, Run
from selfstudy.run.split import held_out, split_of
from selfstudy.verify.figures import outcome
from selfstudy.verify.gate import Gate
from selfstudy.verify.refusing import ARMS, plan_refusals, taught_to_refuse
from selfstudy.verify.stage import run_verify

from .test_stage import HALF
from .towns import EVERYTHING, MODELS_KNOWN, Oracle, WordNLI, fill, town
from .towns import recipe as towns

FIRST, COUNT = 500, 24
"""Towns without evidence."""
NO = "I don't know."


class KilledError(BaseException):
    pass


class Modest(Oracle):
    """Refuses the towns without evidence, and those in `also`; dies at its n-th call about the former."""

    def __init__(
        self, *, also: frozenset[int] = frozenset(), fails: frozenset[int] = frozenset(), dies: int = -1
    ) -> None:
        super().__init__(EVERYTHING, fails=fails)
        self.also, self.dies = also, dies
        self.without: list[int] = []

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        if _town(chats[0]) >= FIRST:
            if len(self.without) == self.dies:
                raise KilledError
            self.without.append(len(chats))
            assert sampling.total == 1
            assert chats[0] == Prompts().chat(
                "answer", question=f"What is the mayor of Town{_town(chats[0])}?"
            )
        return super().generate(chats, sampling, progress)

    def _answer(self, prompt: str, k: int) -> Completion:
        asked = int(re.findall(r"Town(\d+)", prompt)[-1])
        if asked not in self.fails and (asked >= FIRST or asked in self.also):
            return Completion(text=NO)
        return super()._answer(prompt, k)


def _town(chat: Chat) -> int:
    return int(re.findall(r"Town(\d+)", chat[-1].content)[-1])


def recipe(**teach: object) -> Recipe:
    made = towns(repeats=0, strengths=[], samples=0)
    block = made.teach.model_copy(update={"refuse_unverifiable": True, **teach})
    return made.model_copy(update={"teach": block})


def without_evidence(number: int, score: float = 0.9) -> list[Question | Verdict]:
    question, _, _, verdict = town(number, "unverifiable")
    assert isinstance(question, Question)
    assert isinstance(verdict, Verdict)
    return [question, verdict.model_copy(update={"score": score})]


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Round]:
    with Run.create_or_resume(tmp_path / "run", recipe()) as run:
        fill(run.round(1))
        for number in range(FIRST, FIRST + COUNT):
            run.round(1).append(without_evidence(number))
        yield run.round(1)


def verify(turn: Round, after: Oracle, before: Oracle | None = None, *more: Arm) -> Gate:
    arms: dict[Arm, Oracle] = {"base": before or Oracle(MODELS_KNOWN), "taught": after}
    arms |= {arm: Oracle(MODELS_KNOWN) for arm in more}
    loaders = {arm: partial(_same, lm) for arm, lm in arms.items()}
    return run_verify(turn, loaders, WordNLI(), Prompts(), None, Silent())


def _same(lm: Oracle) -> Oracle:
    return lm


def refused_example(turn: Round) -> Example:
    """What teach leaves where it taught to refuse."""
    name = next(iter(split_of(turn).refusable))
    return Example(prompt=(), completion=NO, question_id=name, kind="refusal")


def test_every_arm_is_asked_what_was_held_out_and_nothing_else(turn: Round) -> None:
    split = split_of(turn)
    tested, may_be_taught = split.unanswerable, split.refusable
    assert tested
    assert may_be_taught
    assert not tested & may_be_taught
    assert all(held_out(split.facts[name], 0, 0.5) for name in tested)
    gate = verify(turn, Modest(), None, "control", "original")
    checks = turn.read(RefusalCheck)
    assert {one.arm for one in checks} == {"base", "taught", "control"} <= set(ARMS)
    for arm in ("base", "taught", "control"):
        assert {one.question_id for one in checks if one.arm == arm} == tested
    assert all(one.refused is (one.arm == "taught") for one in checks)
    assert gate.refusing["refusal_f1_ref"].before == 0
    assert gate.refusing["refusal_f1"].after == 1
    assert gate.refusing_control["unanswerable_answered"].before == 1
    assert gate.promoted, gate.reasons
    assert any("the refusal F1 rose" in reason for reason in gate.reasons)


def test_what_is_refused_though_it_is_known_counts_as_wrong(turn: Round) -> None:
    """With the real judge of answers: to refuse is to give no right answer."""
    known = frozenset(list(MODELS_KNOWN)[::3])
    gate = verify(turn, Modest(also=known))
    refused = [one for one in turn.read(Check) if one.arm == "taught" and one.answer == NO]
    assert refused
    assert not any(one.correct for one in refused)
    assert gate.verdict == "refused"
    assert gate.refusing["known_refused"].after > 0.2
    assert gate.gains["known"].difference == pytest.approx(-gate.refusing["known_refused"].after)
    figures = outcome(turn.read(Check), (), turn.read(RefusalCheck), resamples=50)
    assert figures["after"]["known_refused"] == pytest.approx(gate.refusing["known_refused"].after)
    assert figures["details"]["after"]["unanswerable_answered"]["n"] == len(split_of(turn).unanswerable)


def test_where_its_samples_agree_it_may_know_what_the_library_does_not_hold(turn: Round) -> None:
    some = [without_evidence(n, score=0.1) for n in range(700, 720)]
    refuses = some[0][0].id, some[1][0].id
    for question, verdict in some:
        said = Completion(text=NO if question.id in refuses else "The mayor is Mayor1.")
        turn.append([question, verdict, Answer(question_id=question.id, passage=said, samples=())])
    asked = {one.question_id for one in plan_refusals(turn)}
    split = split_of(turn)
    sure = {question.id for question, _ in some}
    assert split.unanswerable & sure - set(refuses)
    assert asked & sure == split.unanswerable & set(refuses)


def test_sources_that_disagree_are_evidence_and_so_is_another_wording_that_is_known(turn: Round) -> None:
    question, verdict = without_evidence(800)
    turn.append([question, verdict.model_copy(update={"reason": "two sources disagree", "id": ""})])
    twin = town(GAP, "unverifiable", "What is  the mayor of Town{}?")
    turn.append([twin[0], twin[3].model_copy(update={"reference_id": None})])
    split = split_of(turn)
    assert split.facts[twin[0].id] == town(GAP, "unknown")[0].id
    assert not {question.id, twin[0].id} & (split.unanswerable | split.refusable)


GAP = 3


def test_what_was_trained_in_any_round_tests_nothing(turn: Round) -> None:
    tested = sorted(split_of(turn).unanswerable)
    turn.append([refused_example(turn).model_copy(update={"question_id": tested[0], "id": ""})])
    later = turn.run.round(2)
    later.append(one for one in turn.iter(Question))
    later.append(one for one in turn.iter(Verdict))
    assert sorted(split_of(later).unanswerable) == tested[1:]


def test_nothing_is_asked_unless_refusing_is_taught(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", recipe(refuse_unverifiable=False)) as run:
        fill(run.round(1))
        run.round(1).append(without_evidence(FIRST))
        assert plan_refusals(run.round(1)) == []
        gate = verify(run.round(1), Oracle(EVERYTHING))
        assert not run.round(1).read(RefusalCheck)
        assert not gate.refusing
        assert not any("efus" in reason for reason in gate.reasons)


def test_taught_and_not_tested_is_not_passed(tmp_path: Path) -> None:
    block = towns().teach.refusals.model_copy(update={"heldout": 0.0})
    with Run.create_or_resume(tmp_path / "run", recipe(refusals=block)) as run:
        turn = run.round(1)
        fill(turn)
        turn.append(without_evidence(FIRST))
        assert verify(turn, Modest()).promoted  # nothing was taught to be refused either
        assert not taught_to_refuse(turn)
        turn.append([refused_example(turn)])
        assert taught_to_refuse(turn)
        gate = verify(turn, Modest())
        assert gate.verdict == "cannot tell"
        assert "teach.refusals.heldout" in gate.reasons[0]


def test_a_failed_question_is_a_record_with_its_error(turn: Round) -> None:
    tested = split_of(turn).unanswerable
    asked = {q.id: int(re.findall(r"\d+", q.text)[0]) for q in turn.iter(Question) if q.id in tested}
    gate = verify(turn, Modest(fails=frozenset(list(asked.values())[:2])))
    failed = [one for one in turn.read(RefusalCheck) if one.error]
    assert [(one.error, one.refused) for one in failed] == [("out of memory", None)] * 2
    assert {one.id for one in failed} <= {f.item_id for f in turn.read(Failure) if f.stage == "verify"}
    assert gate.verdict == "refused"
    assert any("2 of" in reason and "failed" in reason for reason in gate.reasons)


def test_it_goes_on_where_it_was_killed(turn: Round) -> None:
    with pytest.raises(KilledError):
        verify(turn, Modest(dies=1))
    before = [one.id for one in turn.read(RefusalCheck)]
    assert any(one.arm == "taught" for one in turn.read(RefusalCheck))
    after = Modest()
    gate = verify(turn, after)
    found = turn.read(RefusalCheck)
    assert [one.id for one in found[: len(before)]] == before
    assert len({one.id for one in found}) == len(found) == 2 * len(split_of(turn).unanswerable)
    assert gate.refusing["refusal_f1"].after == 1
    asked = len(after.without)
    assert verify(turn, after).reasons == gate.reasons
    assert len(after.without) == asked


def test_a_smaller_strength_is_judged_by_its_own_answers(turn: Round) -> None:
    """At full strength nothing is refused any more."""
    turn.run.write_json(turn.weaker_file, HALF.model_dump(mode="json"))
    forgetful = Oracle(EVERYTHING - set(list(MODELS_KNOWN)[::3]))
    arms: dict[Arm, Oracle] = {"base": Oracle(MODELS_KNOWN), "taught": forgetful, "weaker": Modest()}
    loaders = {arm: partial(_same, lm) for arm, lm in arms.items()}
    gate = run_verify(turn, loaders, WordNLI(), Prompts(), None, Silent())
    assert gate.weaker is not None
    assert gate.promoted, gate.reasons
    assert gate.refusing["refusal_f1"].after == 1
    figures = outcome(turn.read(Check), (), turn.read(RefusalCheck), resamples=50)
    assert (figures["after"]["refusal_f1_ref"], figures["full"]["refusal_f1_ref"]) == (1, 0)
