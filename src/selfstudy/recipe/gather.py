"""The recipe's block `gather`: how evidence is found and read."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from selfstudy.recipe.base import Block, Fraction, Positive
from selfstudy.recipe.models import ModelBlock

_AGE = re.compile(r"([1-9][0-9]{0,4}) ?(d|w|m|y)?")
_DAYS = {"d": 1, "w": 7, "m": 30.44, "y": 365.25}


def days_of(age: str) -> int:
    """Days of an age such as 30, 30d, 6w, 18m or 2y.

    Raises:
        ValueError: it is none.
    """
    found = _AGE.fullmatch(age.strip())
    if found is None:
        raise ValueError("an age is a number of days, or such as 30d, 6w, 18m (months) or 2y")
    return round(int(found[1]) * _DAYS[found[2] or "d"])


def _age(value: object) -> object:
    """A number of days as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _checked_age(value: str) -> str:
    days_of(value)
    return value


def _checked_day(value: str) -> str:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("give a day as 2026-11-28")
    date.fromisoformat(value)
    return value


Age = Annotated[str, BeforeValidator(_age), AfterValidator(_checked_age)]
Day = Annotated[str, BeforeValidator(str), AfterValidator(_checked_day)]


class GatherBlock(Block):
    """What is the evidence?"""

    reader: ModelBlock | None = None
    """What reads references out of the evidence; None: the recipe's `teacher`, else its `model`."""
    hits: Positive = 3
    """Passages retrieved per question."""
    chunk_tokens: Positive = 512
    """Longest passage that is retrieved, in model tokens. Source: methods 2."""
    follow_links: bool = False
    """Follow links that leave the library's folder: whatever they lead to is read, and may be quoted."""
    hybrid: bool = False
    """Add vector search to BM25 (reciprocal rank fusion); uses the recipe's embedder."""
    samples: Annotated[int, Field(ge=0, le=100)] = 5
    """Further answers with the evidence in the prompt, to compare with; 0: none. Source: methods 2."""
    temperature: Annotated[float, Field(gt=0, le=2)] | None = 0.7
    """Of these answers; None: `answering.temperature`.
    Source: measured: docs/decisions/0014-what-a-real-model-makes-of-pages.md."""
    accept: Literal["votes", "consistency"] = "votes"
    """votes: the reference is what most of all these answers say, of those that rest on the passage's own
    words, names and numbers.  consistency: it is the greedy answer (methods 2.3), whatever it rests on.
    Source: measured: docs/decisions/0014-what-a-real-model-makes-of-pages.md."""
    votes: Positive = 2
    """votes: how many must say it.
    Source: measured: docs/decisions/0014-what-a-real-model-makes-of-pages.md."""
    max_inconsistency: Fraction = 0.5
    """consistency: most mean contradiction of the reference by the other answers. Source: methods 2."""
    answers_from: Literal["library", "teacher"] = "library"
    """teacher: where the library has no answer, the recipe's `teacher` gives one without documents (methods
    1), accepted if its own samples do not contradict it (`max_inconsistency`).  It is no evidence."""
    judge: Literal["nli", "model"] = "nli"
    """Who says whether the model's own passage agrees with the reference: entailment, names and numbers
    (judging/agreement.py), or the recipe's judge by prompt: yes, partly or no (methods 1)."""
    conflicts: Literal["careful", "newer", "supported", "unresolved", "ignore"] = "careful"
    """Sources that disagree.  newer: the one with the later date is believed; supported: what more
    independent sources say; careful: either, unless the two disagree; unresolved: none.  What is not
    decided is not taught.  ignore: the best passage alone is read."""
    max_age: Age | None = None
    """Documents with a known date that is older are no evidence: days, or such as 18m or 2y."""
    as_of: Day | None = None
    """The day that ages are counted from; None: the day the run began."""
    exclude: Annotated[tuple[str, ...], Field(max_length=10_000)] = ()
    """Sources that are never evidence (a benchmark's own pages): hosts, prefixes of URLs, or patterns with *
    (library/excluded.py)."""
