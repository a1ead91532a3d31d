"""A rubric made of the evidence, and what an answer earns by it: the third reward beside rating and WIM.

Each gold claim is Essential, each other claim of the source Important, each contradiction that was seen
among samples a Pitfall ("avoids ..."), so that every point of reward names a sentence of a document
(methods-more D; Gunjal et al. 2025, arXiv 2507.17746, who have a strong model write the criteria).  Explicit:
the judge says of every criterion whether it is met.  Implicit: it sees them all and gives one number.  A
reply that cannot be read is unscored with its reason, never zero.  It knows nothing of prompts or judges.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from selfstudy.judging.missing import HIGHEST, LONGEST, LOWEST, Unscored, of_one
from selfstudy.text import shortened

Importance = Literal["Essential", "Important", "Optional", "Pitfall"]
WEIGHTS: dict[Importance, float] = {"Essential": 1.0, "Important": 0.7, "Optional": 0.3, "Pitfall": 0.9}
"""As published (secondary source)."""
_MOST_TRIED = 200
_STARTS = re.compile(r'\{\s*"|\[\s*[\[{]')
_SAID: dict[object, bool] = {
    **dict.fromkeys((True, 1, "yes", "true", "met", "pass", "satisfied"), True),
    **dict.fromkeys((False, 0, "no", "false", "not met", "unmet", "fail", "not satisfied"), False),
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that an answer is held to, put so that "yes" is good."""

    text: str
    importance: Importance

    @property
    def weight(self) -> float:
        """Its share of the reward, before it is divided by those of all."""
        return WEIGHTS[self.importance]


def from_evidence(
    gold: Sequence[str], others: Sequence[str] = (), contradictions: Sequence[str] = ()
) -> tuple[Criterion, ...]:
    """The criteria, Essential first; a claim that stands in several lists keeps its first place.

    Args:
        gold: claims that the answer must state.
        others: further claims of the source.
        contradictions: claims that the source contradicts.
    """
    rows: list[tuple[str, Importance]] = [
        *((claim, "Essential") for claim in gold),
        *((claim, "Important") for claim in others),
        *((claim, "Pitfall") for claim in contradictions),
    ]
    found: dict[str, Criterion] = {}
    for claim, importance in rows:
        plain = " ".join(claim.split())
        text = f"Avoids saying: {plain}" if importance == "Pitfall" else f"States: {plain}"
        if plain and plain not in found:
            found[plain] = Criterion(text, importance)
    return tuple(found.values())


def numbered(criteria: Sequence[Criterion]) -> str:
    """The criteria as a judge reads them, a line each: "1. (Essential) States: ..."."""
    return "\n".join(f"{n}. ({one.importance}) {one.text}" for n, one in enumerate(criteria, start=1))


def explicit(criteria: Sequence[Criterion], met: Sequence[bool]) -> float:
    """sum w_j c_j / sum w_j, in [0, 1].

    Raises:
        ValueError: there are no criteria, or other verdicts than criteria.
    """
    if not criteria:
        raise ValueError("a rubric without criteria rewards nothing")
    pairs = list(zip(criteria, met, strict=True))
    return sum(one.weight for one, yes in pairs if yes) / sum(one.weight for one in criteria)


def read_verdicts(reply: str, count: int) -> tuple[bool, ...] | Unscored:
    """Of each of `count` criteria whether it is met: [{"name": 1, "reason": ..., "verdict": "yes"}, ...].

    The last list counts, and it alone: the first may be the prompt's example.  Where a verdict stands outside
    of JSON that can be read, nothing counts: it may be the judge's own, or quoted from the answer.
    """
    values = _values(reply, "verdict")
    if isinstance(values, Unscored):
        return values
    rows = values[-1].get("verdicts") if isinstance(values[-1], dict) else values[-1]
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "verdict" in row for row in rows):
        return Unscored("no list of verdicts")
    return _by_number(rows, count)


def read_rating(reply: str) -> float | Unscored:
    """(n - 1) / 9 of the last {"rating": n} in a reply, in [0, 1]; n is an integer from 1 to 10 (ours).

    Unscored where a rating stands outside of JSON that can be read, as by `read_verdicts`.
    """
    values = _values(reply, "rating")
    if isinstance(values, Unscored):
        return values
    found = values[-1].get("rating") if isinstance(values[-1], dict) else None
    number = int(found) if isinstance(found, str) and found.isdecimal() and len(found) < 4 else found
    if isinstance(number, bool) or not isinstance(number, int) or not LOWEST <= number <= HIGHEST:
        return Unscored(f"the rating {shortened(repr(found), 40)} is no integer from {LOWEST} to {HIGHEST}")
    return of_one(number)


def _by_number(rows: Sequence[Mapping[str, Any]], count: int) -> tuple[bool, ...] | Unscored:
    """The verdicts in the order of the criteria."""
    met: dict[int, bool] = {}
    for row in rows:
        name = str(row.get("name", "")).strip().rstrip(".")
        said = (
            row["verdict"].strip().rstrip(".").lower() if isinstance(row["verdict"], str) else row["verdict"]
        )
        if not name.isdecimal() or len(name) > 4 or not 1 <= int(name) <= count:
            return Unscored(f"a verdict on {shortened(repr(row.get('name')), 40)}, which is no criterion")
        if int(name) in met:
            return Unscored(f"two verdicts on criterion {name}")
        if not isinstance(said, str | bool | int) or said not in _SAID:
            return Unscored(f"the verdict {shortened(repr(row['verdict']), 40)} is neither yes nor no")
        met[int(name)] = _SAID[said]
    if len(met) < count:
        return Unscored(f"{len(met)} verdicts on {count} criteria")
    return tuple(met[n] for n in range(1, count + 1))


def _values(reply: str, key: str) -> list[Any] | Unscored:
    """The outermost JSON objects and lists at the end of a reply that hold a key, in order; one or more."""
    text, decoder = reply[-LONGEST:], json.JSONDecoder()
    named = re.compile(rf'"{key}"\s*:')
    found: list[Any] = []
    at = tried = read = 0
    while (start := _STARTS.search(text, at)) and tried < _MOST_TRIED:
        tried += 1
        try:
            value, at = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            at = start.start() + 1
            continue
        if here := len(named.findall(text, start.start(), at)):
            found, read = [*found, value], read + here
    if read < len(named.findall(text)):
        return Unscored(f"a {key} stands outside of JSON that can be read")
    return found or Unscored(f'no "{key}" in JSON')
