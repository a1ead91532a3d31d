"""Verdicts: consistency joined with truth (README, the table of verdicts).

    samples agree   passage agrees with reference   verdict
    yes             yes                             known
    no              yes                             unsure
    no              no                              unknown
    yes             no                              misbelief
    any             no accepted reference           unverifiable

A consistent "I don't know" is no belief: it counts as unknown.  The samples agree unless the hallucination
score makes the question inconsistent (run/threshold.py).  Whether the passage agrees with the reference is
decided by `judging.agreement` (labels yes and no) or by a judge (yes, partly, no: judging/answer_labels.py,
where partly is not yet agreement).  It knows nothing of how scores or references came about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from selfstudy.judging.agreement import agreements
from selfstudy.judging.answer_labels import answer_labels, is_right
from selfstudy.judging.judge import Judge
from selfstudy.judging.missing import Unscored
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import EntailmentModel
from selfstudy.records import Failure, Question, Reference, Verdict, VerdictKind, VerdictLabel
from selfstudy.run.threshold import is_inconsistent


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was said of a passage against its reference: a label, or why there is none."""

    label: VerdictLabel | None
    contradiction: float | None = None
    problem: str = ""


Compares = Callable[[Sequence[str], Sequence[str], Sequence[str]], list[Labelled]]
"""Labels the passages (second) against the references (third), as answers to the questions (first)."""


def by_entailment(nli: EntailmentModel) -> Compares:
    """Labels by words, names, numbers and entailment: yes or no."""

    def compare(
        questions: Sequence[str], passages: Sequence[str], references: Sequence[str]
    ) -> list[Labelled]:
        return [
            Labelled(None, problem="the entailment model gave NaN or inf for passage and reference")
            if one.same is None
            else Labelled("yes" if one.same else "no", one.contradiction)
            for one in agreements(questions, passages, references, nli)
        ]

    return compare


def by_judge(judge: Judge) -> Compares:
    """Labels by a judge that is asked: yes, partly or no."""

    def compare(
        questions: Sequence[str], passages: Sequence[str], references: Sequence[str]
    ) -> list[Labelled]:
        return [
            Labelled(None, problem=f"the judge's label cannot be read: {one.reason}")
            if isinstance(one, Unscored)
            else Labelled(one)
            for one in answer_labels(questions, passages, references, judge)
        ]

    return compare


def judge(
    questions: Sequence[Question],
    passages: Sequence[str],
    scores: Sequence[float],
    references: Sequence[Reference | None],
    compare: Compares,
    threshold: float,
) -> list[Verdict | Failure]:
    """Verdicts, in order of the questions; a Failure where passage and reference could not be compared.

    A question whose reading failed (`Reference.error`) gets neither: nobody knows whether it can be verified.

    Args:
        passages, scores, references: of the questions, in the same order; score in [0, 1].
        threshold: a score above it means that the samples disagree (methods 1).
    """
    checked = {i: one for i, one in enumerate(references) if one is not None and one.accepted}
    compared = compare(
        [questions[i].text for i in checked],
        [passages[i] for i in checked],
        [one.text for one in checked.values()],
    )
    labelled = dict(zip(checked, compared, strict=True))
    records: list[Verdict | Failure] = []
    for i, question in enumerate(questions):
        reference, found = references[i], labelled.get(i)
        if reference is not None and reference.error is not None:
            continue
        if found is None:
            why = reference.explanation if reference is not None and reference.sources else ""
            records.append(Verdict(question_id=question.id, kind="unverifiable", score=scores[i], reason=why))
        elif found.label is None:
            records.append(Failure(stage="gather", item_id=question.id, message=found.problem))
        else:
            consistent = not is_inconsistent(scores[i], threshold) and not is_refusal(passages[i])
            agrees = is_right(found.label)
            records.append(
                Verdict(
                    question_id=question.id,
                    kind=verdict_kind(consistent, agrees),
                    score=scores[i],
                    contradiction=found.contradiction,
                    agrees=agrees,
                    reference_id=checked[i].id,
                    label=found.label,
                )
            )
    return records


def verdict_kind(consistent: bool, agrees: bool) -> VerdictKind:
    """The table above, for a question with an accepted reference."""
    if agrees:
        return "known" if consistent else "unsure"
    return "misbelief" if consistent else "unknown"
