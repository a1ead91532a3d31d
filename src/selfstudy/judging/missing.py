"""What does an answer lack?  A judge's rating and its sentence on what is missing, and the reward of both.

A judge writes a short assessment, `[[7]]` (1 to 10) and `[[[what is missing]]]` (Stranges & Yang 2026, "WIM",
arXiv 2603.04429).  Judges write it in many shapes; what cannot be read is `Unscored` with its reason, and
never a zero.  It knows nothing of prompts, of who judges, or of pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from selfstudy.models.base import Embedder
from selfstudy.text import shortened

LONGEST = 20_000
"""Characters at the end of a reply that are looked at: there the verdict stands."""
LOWEST, HIGHEST = 1, 10
_MIDDLE = 5
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_MARKUP = str.maketrans(
    {"【": "[", "】": "]", "［": "[", "］": "]", "\\": None, "*": None, "`": None, "_": " "}
)
_OPENS = re.compile(r"\[{2,}")
_RATING = re.compile(
    r"(?:(?:my )?(?:rating|score) ?[:=] ?)?([+-]?\d{1,4}(?:[.,]\d{1,4})?|[a-z]{3,5})"
    r"(?: ?(?:/|out of) ?(?:10|ten))?\.?"
)
_NOTHING = re.compile(
    r"(?:none|nothing|n/?a|no|nil|null|-+|—)?(?: (?:is |was )?(?:missing|lacking|needed|to add|else))?[.!]?",
)


@dataclass(frozen=True, slots=True)
class Missing:
    """What a judge said: its rating from 1 to 10, and what is missing ("" if nothing is)."""

    rating: float
    missing: str
    assessment: str


@dataclass(frozen=True, slots=True)
class Unscored:
    """A reply that tells no rating or not what is missing, and why."""

    reason: str


def read(reply: str) -> Missing | Unscored:
    """Reads a judge's reply.  Of several ratings the last counts, and of several sentences the last.

    White space, markdown, escaped or full-width brackets, "7/10", "7 out of 10", "seven" and decimals are
    read; "none", "nothing is missing" or an empty pair of brackets mean that nothing is.
    """
    plain = reply[-LONGEST:].translate(_MARKUP)
    spans = list(_bracketed(plain))
    ratings = [text for depth, text, _ in spans if depth == 2]
    lacking = [text for depth, text, _ in spans if depth == 3]
    if not ratings:
        return Unscored("no rating in [[ ]]")
    rating = _rating(ratings[-1])
    if isinstance(rating, Unscored):
        return rating
    if not lacking:
        return Unscored("no [[[ ]]] that is closed")
    said = " ".join(lacking[-1].split())
    return Missing(rating, "" if _NOTHING.fullmatch(said.lower()) else said, plain[: spans[0][2]].strip())


def reward(found: Missing, similarity: float, zeta: float) -> float:
    """(1 - zeta) r + zeta c with r = (rating - 5) / 5; zeta 1 is pure WIM, 0 the rating alone.

    Args:
        similarity: cosine of the answer and what it lacks, in [-1, 1]; where nothing is missing c is 1.
        zeta: in [0, 1].
    """
    rating = (found.rating - _MIDDLE) / _MIDDLE
    return (1 - zeta) * rating + zeta * (similarity if found.missing else 1.0)


def of_one(rating: float) -> float:
    """A rating from LOWEST to HIGHEST as a number in [0, 1]."""
    return (rating - LOWEST) / (HIGHEST - LOWEST)


def similarities(answers: Sequence[str], lacking: Sequence[str], embedder: Embedder) -> list[float]:
    """Cosine of each answer with what it lacks, in [-1, 1]; each text is embedded once."""
    texts = list(dict.fromkeys([*answers, *lacking]))
    place = {text: i for i, text in enumerate(texts)}
    rows = np.asarray(embedder.encode(texts), dtype=np.float64)
    return [float(rows[place[a]] @ rows[place[b]]) for a, b in zip(answers, lacking, strict=True)]


def _bracketed(text: str) -> Iterator[tuple[int, str, int]]:
    """What stands in two or three brackets that are closed: how many, the text, where it begins; linear."""
    at = 0
    while opens := _OPENS.search(text, at):
        depth = min(3, len(opens.group()))
        following = _OPENS.search(text, opens.end())
        limit = following.start() if following else len(text)
        close = text.find("]" * depth, opens.end(), limit)
        if close < 0 and depth == 3:  # small models close three brackets with two
            close = text.find("]]", opens.end(), limit)
        at = opens.end()
        if close < 0:
            continue
        end = close + depth
        inside = text[opens.end() : close]
        while text[end : end + 1] == "]" and inside.count("[") > inside.count("]"):
            inside, end = inside + "]", end + 1
        yield depth, inside.strip(), opens.start()
        at = end


def _rating(text: str) -> float | Unscored:
    found = _RATING.fullmatch(" ".join(text.lower().split()))
    word = found[1].replace(",", ".") if found else ""
    if word in _WORDS:
        value = float(_WORDS.index(word))
    elif not word or word.isalpha():
        return Unscored(f"[[{shortened(text, 40)}]] is no number")
    else:
        value = float(word)
    if not LOWEST <= value <= HIGHEST:
        return Unscored(f"the rating {value:g} is not between {LOWEST} and {HIGHEST}")
    return value
