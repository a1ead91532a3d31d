"""Verdicts: consistency joined with truth (README, the table of verdicts).

    samples agree   passage agrees with reference   verdict
    yes             yes                             known
    no              yes                             unsure
    no              no                              unknown
    yes             no                              misbelief
    any             no accepted reference           unverifiable

A consistent "I don't know" is no belief: it counts as unknown.  The samples agree unless the hallucination
score makes the question inconsistent (run/threshold.py); `judging.agreement` decides whether the passage
agrees with the reference.  It knows nothing of how scores or references came about.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.judging.agreement import agreements
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import EntailmentModel
from selfstudy.records import Failure, Question, Reference, Verdict, VerdictKind
from selfstudy.run.threshold import is_inconsistent


def judge(
    questions: Sequence[Question],
    passages: Sequence[str],
    scores: Sequence[float],
    references: Sequence[Reference | None],
    nli: EntailmentModel,
    threshold: float,
) -> list[Verdict | Failure]:
    """Verdicts, in order of the questions; a Failure where the entailment model gave NaN or inf.

    A question whose reading failed (`Reference.error`) gets neither: nobody knows whether it can be verified.

    Args:
        passages, scores, references: of the questions, in the same order; score in [0, 1].
        threshold: a score above it means that the samples disagree (methods 1).
    """
    checked = [i for i, reference in enumerate(references) if reference is not None and reference.accepted]
    agreed = dict(
        zip(
            checked,
            agreements(
                [questions[i].text for i in checked],
                [passages[i] for i in checked],
                [reference.text for reference in references if reference is not None and reference.accepted],
                nli,
            ),
            strict=True,
        )
    )
    records: list[Verdict | Failure] = []
    judged = zip(questions, passages, scores, references, strict=True)
    for i, (question, passage, score, reference) in enumerate(judged):
        if reference is not None and reference.error is not None:
            continue
        agreement = agreed.get(i)
        if agreement is None or reference is None:
            records.append(Verdict(question_id=question.id, kind="unverifiable", score=score))
        elif agreement.same is None:
            message = "the entailment model gave NaN or inf for passage and reference"
            records.append(Failure(stage="gather", item_id=question.id, message=message))
        else:
            records.append(
                Verdict(
                    question_id=question.id,
                    kind=verdict_kind(
                        not is_inconsistent(score, threshold) and not is_refusal(passage), agreement.same
                    ),
                    score=score,
                    contradiction=agreement.contradiction,
                    agrees=agreement.same,
                    reference_id=reference.id,
                )
            )
    return records


def verdict_kind(consistent: bool, agrees: bool) -> VerdictKind:
    """The table above, for a question with an accepted reference."""
    if agrees:
        return "known" if consistent else "unsure"
    return "misbelief" if consistent else "unknown"
