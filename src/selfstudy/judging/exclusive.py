"""Can two answers to one question both be right?  Of answers that were read out of different pages.

Words, names and numbers decide first, for entailment models overlook numbers; what they leave open is a
contradiction where the entailment model says so.  Answers of which one says more than the other, two names
of a list, and a number and its rounding can both be right; a number and a name answer different things.  It
knows nothing of sources, dates or records.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Literal

from selfstudy.judging.agreement import agreements
from selfstudy.judging.forms import plain, read
from selfstudy.judging.grounding import claims, gist
from selfstudy.judging.terms import is_exact
from selfstudy.models.base import EntailmentModel

Relation = Literal["same", "exclusive", "other"]
"""same: both say it; exclusive: at most one is right; other: neither can be told."""

SURE = 0.5
"""P(contradiction) from which on two answers exclude each other, where the class is contradiction too."""
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_EXACT_BELOW = Decimal(10_000)
"""Whole numbers below it are years and counts, and nobody rounds them."""
_MOST_DIGITS = 40
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")

_UNITS = {
    **{"km": "km|kilomet(?:er|re)s?", "m": "m|met(?:er|re)s?", "cm": "cm|centimet(?:er|re)s?"},
    **{"mm": "mm|millimet(?:er|re)s?", "mi": "mi|miles?", "ft": "ft|foot|feet", "inch": "inch(?:es)?"},
    **{"yd": "yd|yards?", "kg": "kg|kilograms?|kilos?", "g": "g|grams?", "t": "t|tonn?es?|tons?"},
    **{"lb": "lbs?|pounds?", "oz": "oz|ounces?", "ha": "ha|hectares?", "acre": "acres?"},
    **{"km2": "km2|km\u00b2|square kilomet(?:er|re)s?|sq km", "mi2": "square miles?|sq mi"},
    **{"l": "l|lit(?:er|re)s?", "gal": "gal|gallons?"},
    **{
        "celsius": "\u00b0 ?C|degrees celsius|celsius",
        "fahrenheit": "\u00b0 ?F|degrees fahrenheit|fahrenheit",
    },
}
_MEASURED = re.compile(
    rf"[0-9](?: (?:thousand|million|billion))?[ \u00a0-]?"
    rf"(?:{'|'.join(f'(?P<{name}>{words})' for name, words in _UNITS.items())})(?![\w\u00b2])",
    re.IGNORECASE,
)
"""A number and its unit; of what is measured in another one nobody converts here."""


def relations(
    questions: Sequence[str], ones: Sequence[str], others: Sequence[str], nli: EntailmentModel
) -> list[Relation]:
    """How ones[i] and others[i] stand to each other as answers to questions[i].

    A pair that the entailment model cannot judge (NaN) is "other" unless words decide.
    """
    pairs = list(zip(questions, ones, others, strict=True))
    found: list[Relation | None] = [_by_words(*pair) for pair in pairs]
    open_ = [i for i, relation in enumerate(found) if relation is None]
    asked = [(pairs[i][0], a, b) for i in open_ for a, b in (pairs[i][1:], pairs[i][:0:-1])]
    agreed = agreements([q for q, _, _ in asked], [a for _, a, _ in asked], [b for _, _, b in asked], nli)
    classes = nli.classes([(a, b) for _, a, b in asked]) if asked else []
    for place, i in enumerate(open_):
        both = slice(2 * place, 2 * place + 2)
        contradicted = any(
            name == "contradiction" and _at_least(one.contradiction)
            for name, one in zip(classes[both], agreed[both], strict=True)
        )
        if _measured_otherwise(*pairs[i][1:]):
            found[i] = "other"
        elif _particulars_differ(*pairs[i]) or (contradicted and _of_one_kind(*pairs[i])):
            found[i] = "exclusive"
        elif _one_says_more(*pairs[i]) or any(one.same for one in agreed[both]):
            found[i] = "same"
        else:
            found[i] = "other"
    return [relation or "other" for relation in found]


def _by_words(question: str, one: str, other: str) -> Relation | None:
    """What names, numbers, yes and no decide alone."""
    a, b = gist(question, one), gist(question, other)
    if a == b:
        return "same"
    if a.reply and b.reply and a.reply != b.reply:
        return "exclusive"
    if a.denied != b.denied and a.added == b.added:
        return "exclusive"
    left, right = (_exact(question, said) for said in (one, other))
    alike = len(left) == len(right) > 0 and all(map(_alike, left, right))
    return "same" if alike and _named_alike(question, one, other) else None


def _one_says_more(question: str, one: str, other: str) -> bool:
    """Whether what one adds is part of what the other adds.

    Alone that proves little: a word of the question may be the answer too ("Europe/Istanbul" of Istanbul).
    """
    return gist(question, one).agrees(gist(question, other))


def _of_one_kind(question: str, one: str, other: str) -> bool:
    """Whether both answer with numbers or signs, or neither does: else one may answer something else."""
    return bool(_exact(question, one)) == bool(_exact(question, other))


def _measured_otherwise(one: str, other: str) -> bool:
    """Whether both are measured, in no unit alike: 100 km and 62 miles may be the same length."""
    left, right = ({found.lastgroup for found in _MEASURED.finditer(said)} for said in (one, other))
    return bool(left and right) and not left & right


def _at_least(contradiction: float | None) -> bool:
    return contradiction is not None and not math.isnan(contradiction) and contradiction >= SURE


def _particulars_differ(question: str, one: str, other: str) -> bool:
    """Whether both answer with numbers or signs, none of which the other has, and with no other names."""
    left, right = (_exact(question, said) for said in (one, other))
    units = {word for word in left if isinstance(word, str) and word in right}
    left, right = ([value for value in some if value not in units] for some in (left, right))
    if not left or not right or any(_alike(a, b) for a in left for b in right):
        return False
    return _named_alike(question, one, other)


def _named_alike(question: str, one: str, other: str) -> bool:
    """Whether the names that one adds are all or part of those that the other adds; numbers aside."""
    left, right = ({word for word in claims(question, said) if not is_exact(word)} for said in (one, other))
    return left <= right or right <= left


def _exact(question: str, answer: str) -> list[Decimal | str]:
    """The numbers and signs that an answer adds to its question, in order; "2.5 million" is one."""
    asked = {term.word for term in read(question)}
    found: list[Decimal | str] = []
    said = read(answer)
    for term, after in zip_longest(said, said[1:]):
        word = plain(term)
        if term.word in asked or not is_exact(word) or len(word) > _MOST_DIGITS:
            continue
        scale = _SCALES.get(after.word, 0) if after is not None else 0
        found.append(_value(word, scale))
    return found


def _value(word: str, scale: int) -> Decimal | str:
    return Decimal(word).scaleb(scale) if _NUMBER.fullmatch(word) else word


def _alike(one: Decimal | str, other: Decimal | str) -> bool:
    """Whether one is the other, or its rounding: 34,049,588 and 34 million; years are not rounded."""
    if one == other:
        return True
    if isinstance(one, str) or isinstance(other, str) or one.is_signed() != other.is_signed():
        return False
    whole = one == one.to_integral_value() and other == other.to_integral_value()
    if whole and min(abs(one), abs(other)) < _EXACT_BELOW:
        return False
    return any(_cut(a, _digits(b)) == b for a, b in ((one, other), (other, one)))


def _digits(value: Decimal) -> int:
    """Significant digits as it is written, without zeros at its end; one says too little, so 2 or more."""
    return max(2, len(value.normalize().as_tuple().digits))


def _cut(value: Decimal, digits: int) -> Decimal:
    if value == 0:
        return value
    return value.quantize(Decimal(1).scaleb(value.adjusted() - digits + 1))
