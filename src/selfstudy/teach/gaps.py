"""What teach knows of a question: the records of probe and gather, joined; nothing of models or training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from selfstudy import text
from selfstudy.duplicates import near_duplicates
from selfstudy.judging.refusals import knows_nothing
from selfstudy.records import GAPS, Answer, Evidence, Question, Record, Reference, Verdict
from selfstudy.run import Round, threshold
from selfstudy.run.general import known_facts
from selfstudy.run.split import general_tests, split_of
from selfstudy.teach.control import exchanged

R = TypeVar("R", bound=Record)

REFUSAL = "I don't know."
"""What is taught as the answer to a question without evidence; `refusals.is_refusal` knows it."""


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """A question with its verdict.

    Attributes:
        passage: the model's own greedy answer; empty if it failed.
        samples: its sampled answers, failed ones left out.
        reference: the accepted answer read from the evidence; empty if there is none.
        readings: other answers read from it that agree with the reference.
        document: the text that the reference was read from; empty if there is none.
        source: where that is from; empty if there is none.
        target: what teaching wants it to answer: the passage of a question it knows or is only unsure of,
            else the reference.
        read_target: what teaching wants it to answer with the document in the prompt.
        held_out: whether verify keeps it if it is known (`split.held_out_ids`).
        inconsistent: whether its samples disagree: its score is above the run's threshold.
        unsure: whether a near-duplicate of it may have gone unseen (`facts.group`).
        refusable: whether it may be taught to be refused: there is no evidence (`Split.refusable`), and the
            model has no answer either; its target then is `REFUSAL`.
    """

    question: Question
    verdict: Verdict
    passage: str
    samples: tuple[str, ...]
    reference: str
    document: str
    target: str
    read_target: str
    readings: tuple[str, ...] = ()
    held_out: bool = False
    inconsistent: bool = False
    unsure: bool = False
    source: str = ""
    refusable: bool = False


def judged_questions(round_: Round) -> list[JudgedQuestion]:
    """All questions that have a verdict and an answer, in the order in which they were asked.

    Those of facts that are kept apart over all rounds are left out: they are trained in no way.  Last come
    general facts that the model knows, if any were asked (run/general.py).
    """
    verdicts = {v.question_id: v for v in round_.iter(Verdict)}
    answers = {a.question_id: _said(a) for a in round_.iter(Answer)}  # as records they take ten times as much
    chosen = {v.reference_id for v in verdicts.values()}
    references = {name: one for name, one in round_.by_id(Reference, chosen).items() if one.accepted}
    used = {r.evidence_id for r in references.values()}
    evidence = {
        one.id: (text.under_title(one.title, one.text), one.source)
        for one in round_.where(Evidence, "id", used)
    }
    split = split_of(round_)
    limit = threshold.of(round_.run).value
    found = []
    for question in round_.iter(Question):
        verdict, answer = verdicts.get(question.id), answers.get(question.id)
        if verdict is None or answer is None or question.id in split.reserved:
            continue
        reference = references.get(verdict.reference_id or "")
        document, source = evidence.get(reference.evidence_id, ("", "")) if reference else ("", "")
        said = reference.text.strip() if reference else ""
        passage, samples = answer
        open_ = verdict.score is not None and threshold.is_inconsistent(verdict.score, limit)
        refusable = question.id in split.refusable and knows_nothing(passage, inconsistent=open_)
        target = REFUSAL if refusable else passage if verdict.kind in ("known", "unsure") else said
        found.append(
            JudgedQuestion(
                question=question,
                verdict=verdict,
                passage=passage,
                samples=samples,
                reference=said,
                document=document,
                source=source,
                target=target,
                read_target=REFUSAL if refusable else said,
                readings=reference.samples if reference else (),
                held_out=question.id in split.held_out,
                inconsistent=open_,
                unsure=question.id in split.unsure,
                refusable=refusable,
            )
        )
    return found + _general(round_)


def _said(answer: Answer) -> tuple[str, tuple[str, ...]]:
    """The passage and the usable samples."""
    samples = (sample.text.strip() for sample in answer.samples if sample.finish != "error")
    return answer.passage.text.strip(), tuple(sample for sample in samples if sample)


def _general(round_: Round) -> list[JudgedQuestion]:
    """General facts that the model knew before round 1: to be replayed, but for those that test it."""
    tests = general_tests(round_.run)
    return [
        JudgedQuestion(
            question=Question(id=fact.id, text=fact.question),
            verdict=Verdict(question_id=fact.id, kind="known", score=None),
            passage=fact.said.strip(),
            samples=(),
            reference="",
            document="",
            target=fact.said.strip(),
            read_target="",
        )
        for fact in known_facts(round_.run)
        if fact.id not in tests
    ]


def gaps_to_teach(
    questions: Sequence[JudgedQuestion], unsure: list[int] | None = None
) -> list[JudgedQuestion]:
    """The gaps with an accepted reference; of near-duplicates the first (methods 2.2).

    Two are near-duplicates if question and answer together say the same (`near_duplicates`).

    Args:
        unsure: gets a number for each gap that may be a near-duplicate of an earlier one all the same.
    """
    found = [q for q in questions if q.verdict.kind in GAPS and q.reference and q.target]
    said = [f"{q.question.text} {q.target}" for q in found]
    return [found[k] for k in near_duplicates(said, unsure=unsure)]


def as_control(questions: Sequence[JudgedQuestion], seed: int) -> list[JudgedQuestion]:
    """Every question gets the answer of another one, as chosen and as read answer (`control.exchanged`)."""
    answers = exchanged([(q.target, q.read_target) for q in questions], seed)
    return [
        replace(question, target=target, read_target=read, readings=())
        for question, (target, read) in zip(questions, answers, strict=True)
    ]
