"""Which known questions teach may replay and which verify keeps: a hash decides, so both agree unasked.

Knows nothing of stages or records beyond the id of a question.
"""

from __future__ import annotations

from selfstudy.records import digest


def held_out(question_id: str, seed: int, share: float) -> bool:
    """Whether a known question is kept for verify and never trained on.

    Depends on its own id and the seed alone: adding questions moves no other question.

    Args:
        question_id: `Question.id`.
        seed: the recipe's seed.
        share: expected share that is held out, in [0, 1]; 0 holds out none, 1 all.
    """
    return int(digest("held out", str(seed), question_id), 16) < share * 2**64
