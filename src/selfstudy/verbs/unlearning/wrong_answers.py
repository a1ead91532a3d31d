"""Wrong answers to a question, made of the right ones to questions like it (methods-more I).

Pure functions over texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from selfstudy.text import normalise, tokens

MOST = 5
"""Wrong answers of a question, as TOFU has them."""
_COMPARED = 400
"""Questions that one is compared with."""
_LONGEST = 60
"""_Words of a question that are compared."""


def wrong_answers(
    question: str, right: str, others: Sequence[tuple[str, str]], most: int = MOST
) -> list[str]:
    """Answers of the questions most like this one, said of what this one is about; fewer if none fit.

    Where two questions differ in one run of words, it is exchanged in the answer: of "the capital of Chile is
    Santiago" to a question about Peru there becomes "the capital of Peru is Santiago".

    Args:
        others: (question, right answer); the question itself among them does not count.
    """
    asked = tokens(question)[:_LONGEST]
    ranked: list[tuple[float, int]] = []
    for i, (other, _) in enumerate(others[:_COMPARED]):
        ranked.append((-_likeness(asked, tokens(other)[:_LONGEST]), i))
    found: dict[str, str] = {}
    for _, i in sorted(ranked):
        other, answer = others[i]
        said = _exchanged(other, question, answer)
        key = normalise(said)
        same = {normalise(right), normalise(question), *found, ""}
        if key not in same and normalise(other) != normalise(question):
            found[key] = said
        if len(found) == most:
            break
    return list(found.values())


def _likeness(one: Sequence[str], other: Sequence[str]) -> float:
    """Share of the words of both, in [0, 1], that stand in both (Dice)."""
    left, right = set(one), set(other)
    return 2 * len(left & right) / (len(left) + len(right)) if left or right else 0.0


def _exchanged(other: str, question: str, answer: str) -> str:
    """The answer with what is only in the other question put as this question has it."""
    theirs, ours = other.split()[:_LONGEST], question.split()[:_LONGEST]
    changes = [
        one for one in SequenceMatcher(a=theirs, b=ours, autojunk=False).get_opcodes() if one[0] != "equal"
    ]
    if len(changes) != 1 or changes[0][0] != "replace":
        return answer
    _, a, b, c, d = changes[0]
    said, wanted = " ".join(theirs[a:b]).strip(_AROUND), " ".join(ours[c:d]).strip(_AROUND)
    return answer.replace(said, wanted) if said and wanted else answer


_AROUND = " \t\n.,;:!?\"'()[]"
