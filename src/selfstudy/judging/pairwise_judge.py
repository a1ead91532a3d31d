"""Which of two answers is better, asked in both orders (prompts/compare.txt); `pairwise.compare` sums it up.

It knows nothing of who judges, nor of rewards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from selfstudy.judging.choices import chosen
from selfstudy.judging.judge import Judge, JudgeQuestion
from selfstudy.judging.missing import Unscored
from selfstudy.judging.pairwise import Choice, JudgedPair
from selfstudy.models.base import Progress
from selfstudy.text import shortened

PROMPT = "compare"
_CHOICES = ("first", "second", "tie")
_LIMIT = 16
_SAME = JudgedPair("tie", "tie")


def judged_pairs(
    pairs: Sequence[tuple[str, str, str]], judge: Judge, progress: Progress | None = None
) -> list[JudgedPair]:
    """What a judge says of each (prompt, our answer, the other), in both orders; all are one batch.

    Answers that are the same, white space at their ends aside, are a tie that nobody is asked about.  A reply
    that names none of the three choices is None.
    """
    different = [pair for pair in pairs if pair[1].strip() != pair[2].strip()]
    asked = [_asked(*pair) for pair in different] + [_asked(p, b, a) for p, a, b in different]
    said = judge.judgements(asked, [_read] * len(asked), progress)
    both = zip(said[: len(different)], said[len(different) :], strict=True)
    found = iter([JudgedPair(_choice(plain), _choice(exchanged)) for plain, exchanged in both])
    return [_SAME if ours.strip() == theirs.strip() else next(found) for _, ours, theirs in pairs]


def _asked(prompt: str, first: str, second: str) -> JudgeQuestion:
    return JudgeQuestion(PROMPT, {"prompt": prompt, "first": first, "second": second}, _LIMIT)


def _read(reply: str) -> str | Unscored:
    word = chosen(reply, _CHOICES)
    return word or Unscored(f"{shortened(reply, 40)!r} names neither first, second nor tie")


def _choice(said: str | Unscored) -> Choice | None:
    return None if isinstance(said, Unscored) else cast("Choice", said)
