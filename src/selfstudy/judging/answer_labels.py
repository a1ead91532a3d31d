"""Does an answer say what the right one says: yes, partly or no (methods 1, knowledge search)?

The published labels are worth 1, 0.5 and 0, and above 0.5 an answer counts as right: partly right is wrong.
It knows nothing of who judges, or of how the right answer was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from selfstudy.judging.judge import Judge, JudgeQuestion, one_of
from selfstudy.judging.missing import Unscored
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import Progress
from selfstudy.records import VerdictLabel

PROMPT = "label"
WORTH: dict[VerdictLabel, float] = {"yes": 1.0, "partly": 0.5, "no": 0.0}
RIGHT_ABOVE = 0.5
_LIMIT = 16


def answer_labels(
    questions: Sequence[str],
    answers: Sequence[str],
    references: Sequence[str],
    judge: Judge,
    progress: Progress | None = None,
) -> list[VerdictLabel | Unscored]:
    """The label of answers[i] against references[i], in order; all are one batch.

    An answer that says that it has none is "no", and nobody is asked.  A reply that names no label is
    `Unscored`.
    """
    asked = [i for i, answer in enumerate(answers) if not is_refusal(answer)]
    judged = judge.judgements(
        [
            JudgeQuestion(
                PROMPT,
                {"question": questions[i], "reference": references[i], "answer": answers[i]},
                _LIMIT,
            )
            for i in asked
        ],
        [one_of(*WORTH)] * len(asked),
        progress,
    )
    found = dict(zip(asked, judged, strict=True))
    return [_label(found.get(i, "no")) for i in range(len(answers))]


def is_right(label: VerdictLabel) -> bool:
    """Whether the published method counts an answer of this label as right."""
    return WORTH[label] > RIGHT_ABOVE


def _label(said: str | Unscored) -> VerdictLabel | Unscored:
    return said if isinstance(said, Unscored) else cast("VerdictLabel", said)
