"""Which questions the report shows, and what it says of all of them: there may be more than a page can hold.

All are counted, and their scores are in the histograms.  Of more than `MAX_POINTS` the map, the table and the
trails have a sample: so many of each of four groups, drawn by a hash of their ids.  So the sample is the same
whenever the report is written, and one more question moves one other out of it at most.
It streams over records; of a question little but a few numbers stays.  Knows nothing of HTML.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import chain
from typing import TYPE_CHECKING

from selfstudy.records import GAPS, Check, Question, Verdict, digest
from selfstudy.run import threshold

if TYPE_CHECKING:
    from selfstudy.run import Round, Run

MAX_POINTS = 20_000
"""Questions that are drawn and listed: 3 MB of the file."""
GROUPS = ("that verify asked", "misbeliefs", "other gaps", "others")
"""What a question is first of; an inconsistent one is a gap too."""
_AGAIN, _MISBELIEF, _GAP, _OTHER = range(len(GROUPS))

Drawn = tuple[str, int, str]
"""A hash, the round and the id of a question."""


@dataclass(frozen=True)
class Overview:
    """All questions of a run in numbers, and which of them are shown.

    Attributes:
        questions: how many there are, in all rounds.
        found: scores of the probe in the order of the questions.
        again: scores of verify before and after teaching, of the questions that have both.
        groups: how many are in each of `GROUPS`, and how many of these are shown.
        shown: ids by round; None: all are.
    """

    questions: int = 0
    found: Sequence[float] = ()
    again: Sequence[tuple[float, float]] = ()
    groups: tuple[tuple[int, int], ...] = ()
    shown: Mapping[int, frozenset[str]] | None = None

    @property
    def left_out(self) -> int:
        """Questions that are counted, and not shown."""
        return 0 if self.shown is None else self.questions - sum(shown for _, shown in self.groups)

    @property
    def note(self) -> str:
        """What must be said of a sample; "" where there is none."""
        if not self.left_out:
            return ""
        told = [
            f"{shown:,} of {there:,} {name}"
            for name, (there, shown) in zip(GROUPS, self.groups, strict=True)
            if there
        ]
        parts = ", ".join(told[:-1]) + " and " * (len(told) > 1) + told[-1]
        return (
            f"{self.questions - self.left_out:,} of {self.questions:,} questions are shown, drawn by a hash "
            f"of their ids: {parts}. Shares among them are not those of all; the figures are of all."
        )


def overview(run: Run, limit: int = MAX_POINTS) -> Overview:
    """Counts the questions of all rounds, and draws those to show if there are more than `limit`."""
    found, again, questions = array("d"), list[tuple[float, float]](), 0
    counts = [0] * len(GROUPS)
    first: list[list[Drawn]] = [[] for _ in GROUPS]
    for part in run.rounds:
        seen = _Seen.of(part)
        questions += len(seen.place)
        found.extend(value for value in seen.found if value == value)
        both = (seen.again[name] for name in seen.place if name in seen.again)
        again += ((one, two) for one, two in both if one is not None and two is not None)
        for number, ids in enumerate(seen.groups()):
            counts[number] += len(ids)
            hashed = ((digest("shown", name), part.number, name) for name in ids)
            first[number] = nsmallest(limit, chain(first[number], hashed))
    if questions <= limit:
        return Overview(questions, found, again)
    sizes = fair_shares(counts, limit)
    shown: dict[int, set[str]] = {}
    for drawn, size in zip(first, sizes, strict=True):
        for _, number, name in drawn[:size]:
            shown.setdefault(number, set()).add(name)
    by_round = {number: frozenset(ids) for number, ids in shown.items()}
    return Overview(questions, found, again, tuple(zip(counts, sizes, strict=True)), by_round)


def fair_shares(counts: Sequence[int], places: int) -> list[int]:
    """How many of each group get one of so many places: all of a small group, alike many of the others."""
    shares = [0] * len(counts)
    for done, group in enumerate(sorted(range(len(counts)), key=counts.__getitem__)):
        shares[group] = min(counts[group], places // (len(counts) - done))
        places -= shares[group]
    return shares


@dataclass
class _Seen:
    """The questions of a round, in numbers.

    Attributes:
        place: of each id; found: its score, NaN for none; kinds: of each place one of `GROUPS`.
        again: scores of verify, of what it asked.
    """

    place: dict[str, int]
    found: array[float]
    kinds: bytearray
    again: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, part: Round) -> _Seen:
        place: dict[str, int] = {}
        for question in part.iter(Question):
            place.setdefault(question.id, len(place))
        seen = cls(place, array("d", [float("nan")]) * len(place), bytearray([_OTHER]) * len(place))
        seen._score(part)
        for verdict in part.iter(Verdict):
            if verdict.kind in GAPS and (at := place.get(verdict.question_id)) is not None:
                seen.kinds[at] = _MISBELIEF if verdict.kind == "misbelief" else _GAP
        seen._check(part.iter(Check))
        return seen

    def _score(self, part: Round) -> None:
        limit = threshold.of(part.run).value
        for name, value in threshold.scores(part).items():
            if (at := self.place.get(name)) is not None:
                self.found[at] = value
                if threshold.is_inconsistent(value, limit):
                    self.kinds[at] = _GAP

    def _check(self, checks: Iterable[Check]) -> None:
        for check in checks:
            if is_first_wording(check) and (at := self.place.get(check.question_id)) is not None:
                self.kinds[at] = _AGAIN
                before, after = self.again.get(check.question_id, (None, None))
                if check.arm == "base":
                    self.again[check.question_id] = check.score, after
                elif check.arm in ("taught", "weaker"):  # what is weaker was asked last, and is decided on
                    self.again[check.question_id] = before, check.score

    def groups(self) -> Iterator[list[str]]:
        """The ids of each group."""
        for group in range(len(GROUPS)):
            yield [name for name, at in self.place.items() if self.kinds[at] == group]


def is_first_wording(check: Check) -> bool:
    """Whether it is about the question itself, as it was put first."""
    return check.wording == "original" and check.target != "reading"
