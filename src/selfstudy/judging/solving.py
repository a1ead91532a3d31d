"""Has a student found it?  Whether what a student says states the solution, by rule.

The answer counts as it is written, as a bare number where it is a number with a unit ("$38", "38 km"), and
as the fraction that a decimal is or the other way round: 1/2 is 0.5.  It must be asserted
(judging/correctness.py): "Is it 38?" and "30, 38 or 40" find nothing.  Knows no models.
"""

from __future__ import annotations

import re
from fractions import Fraction

from selfstudy.judging.correctness import states
from selfstudy.judging.tutoring import Solution

_UNIT = re.compile(r"[$€£₹]\s?(?=[\d.])|(?<=\d)\s?(?:%|per ?cent\b)")
_SLASH = re.compile(r"(?<=\d) ?/ ?(?=\d)")
_NUMBER = re.compile(r"(?:rs ?\.? ?)?([-+]?\d[\d,]*(?:\.\d+)?(?:/\d+)?)(?P<unit>\D*)", re.IGNORECASE)
_FINAL = re.compile(r"^[*_#> \t]{0,8}(?:final )?answer[*_]{0,3} ?:(.*\S.*)", re.IGNORECASE | re.MULTILINE)
_LARGEST = 100
"""Of a denominator that a decimal is looked for with."""


def solves(said: str, solution: Solution) -> bool:
    """Whether a text states the answer; a letter is none: "(a) first add, (b) then divide"."""
    return states(_plain(said), forms(solution.answer), _plain(solution.problem))


def solves_at_the_end(attempt: str, solution: Solution) -> bool:
    """Whether an attempt ends with the answer: on its last line "Answer: ...", else anywhere in it."""
    final = _FINAL.findall(attempt)
    return solves(final[-1] if final else attempt, solution)


def forms(answer: str) -> list[str]:
    """The ways to write an answer, the plain one first."""
    plain = _plain(answer).strip()
    found = [plain]
    number = _NUMBER.fullmatch(plain)
    if number:
        found += [number[1], *_other_ways(number[1].replace(",", ""))]
    return list(dict.fromkeys(found))


def _other_ways(digits: str) -> list[str]:
    """To write a number: a decimal as a fraction, a fraction as a decimal, a whole one with ".0"."""
    try:
        value = Fraction(digits)
        near = value.limit_denominator(_LARGEST)
        if near.denominator == 1 and near == value:
            return [str(near), f"{near}.0"]
        return [f"{near.numerator}/{near.denominator}", f"{float(near):g}"] if near == value else []
    except (ArithmeticError, ValueError):  # 1/0, thousands of digits
        return []


def _plain(text: str) -> str:
    return _SLASH.sub("/", _UNIT.sub("", text))
