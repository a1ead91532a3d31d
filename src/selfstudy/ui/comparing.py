"""Two runs side by side: what differs in recipe, figures, gate, verdicts and single questions.

Says what may not be compared.  Knows nothing of HTML.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic_core import from_json

from selfstudy.files import jsonl
from selfstudy.recipe.entailment import entailment_name
from selfstudy.recipe.file import changed_keys
from selfstudy.records import Check, Question, Verdict
from selfstudy.run import Run
from selfstudy.show.charts import SHOWN, Change, changes
from selfstudy.show.questions import VERDICTS
from selfstudy.show.words import cautions
from selfstudy.summary import Summary

MOST = 50
"""Questions that are shown, of those that differ."""
_SPELLED = re.compile(rb'\{"id":"\w*","question_id":"(\w*)","kind":"([a-z]+)",')
_RANK = {"misbelief": 0, "unknown": 1, "unsure": 2, "unverifiable": 3, "known": 4}


@dataclass(frozen=True, slots=True)
class RunSide:
    """What one run says of one question, in the last round that says it."""

    round: int
    verdict: str = ""
    before: bool | None = None
    after: bool | None = None


@dataclass(frozen=True)
class Differing:
    """A question about which two runs differ."""

    question_id: str
    text: str
    left: RunSide
    right: RunSide


@dataclass(frozen=True)
class Compared:
    """Two runs.

    Attributes:
        summaries: None of a run that has not been summed up.
        recipe: a line per key that differs.
        figures: (name, what it is, left, right).
        own: what each says of its own figures.
        cautions: what may not be compared, and why.
        counts: (verdict, left, right).
        common, alone: questions of both, and of each alone.
        differing: how many of the common ones differ; `questions`: the first of them.
    """

    summaries: tuple[Summary | None, Summary | None]
    recipe: tuple[str, ...]
    figures: tuple[tuple[str, str, Change | None, Change | None], ...]
    own: tuple[tuple[str, ...], tuple[str, ...]]
    cautions: tuple[str, ...]
    counts: tuple[tuple[str, int, int], ...]
    common: int
    alone: tuple[int, int]
    differing: int
    questions: tuple[Differing, ...]


def compared(left: Run, right: Run) -> Compared:
    """What differs between two runs.

    Raises:
        RunError: a file of a run is damaged.
    """
    summaries = _summary(left), _summary(right)
    one, other = _told(left), _told(right)
    common = one.rounds.keys() & other.rounds.keys()
    alone = len(one.rounds) - len(common), len(other.rounds) - len(common)
    differing = [name for name in common if one.differs(other, name)]
    sides = {name: (one.side(name), other.side(name)) for name in differing}
    first = heapq.nsmallest(MOST, differing, key=lambda name: (_order(*sides[name]), name))
    texts = _texts(left, first)
    counts = [Counter(told.verdicts.values()) for told in (one, other)]
    return Compared(
        summaries=summaries,
        recipe=tuple(changed_keys(left.recipe, right.recipe)),
        figures=tuple(_figures(*summaries)),
        own=(_own(summaries[0]), _own(summaries[1])),
        cautions=tuple(_cautions(left, right, summaries, len(common), alone)),
        counts=tuple((kind, counts[0][kind], counts[1][kind]) for kind in VERDICTS),
        common=len(common),
        alone=alone,
        differing=len(differing),
        questions=tuple(Differing(name, texts.get(name, ""), *sides[name]) for name in first),
    )


def _summary(run: Run) -> Summary | None:
    return run.read_as(run.summary_file, Summary)


def _own(summary: Summary | None) -> tuple[str, ...]:
    return () if summary is None else tuple(cautions(summary))


def _order(one: RunSide, other: RunSide) -> tuple[int, int]:
    """What one run answers rightly in the end and the other not comes first; then verdicts far apart."""
    right = {one.after, other.after} == {True, False}
    apart = abs(_RANK.get(one.verdict, 3) - _RANK.get(other.verdict, 3))
    return (0 if right else 1, -apart)


def _figures(
    left: Summary | None, right: Summary | None
) -> Iterator[tuple[str, str, Change | None, Change | None]]:
    one = {change.name: change for change in changes(left)} if left else {}
    other = {change.name: change for change in changes(right)} if right else {}
    for name, label, note, _ in SHOWN:
        if name in one or name in other:
            yield label, note, one.get(name), other.get(name)


def _cautions(
    left: Run,
    right: Run,
    summaries: tuple[Summary | None, Summary | None],
    common: int,
    alone: tuple[int, int],
) -> Iterator[str]:
    if not common:
        yield "The two runs share no question: no figure of one may be held against one of the other."
    elif any(alone):
        yield (
            f"They share {common:,} questions; {alone[0]:,} are of the first alone and {alone[1]:,} of the "
            "second alone. Each run's figures are over its own: a difference may be one of questions, not "
            "of models."
        )
    a, b = left.recipe, right.recipe
    if common:
        yield (
            "Gaps are what each run's own model did not know, so the figures on gaps are over different "
            "questions even where the runs asked the same. The intervals are of each run alone: that two of "
            "them do not overlap says something, that they overlap says nothing."
        )
    if a.seed != b.seed:
        yield (
            f"Their seeds differ ({a.seed} and {b.seed}): samples, training and the choice of questions vary "
            "with it, and a small difference may be chance alone."
        )
    if entailment_name(a.nli) != entailment_name(b.nli) or a.gather != b.gather:
        yield (
            "What judges answers, or finds the evidence, differs: verdicts, and what is right where there is "
            "no key, may differ for that reason alone."
        )
    if a.probe.scorer != b.probe.scorer:
        yield (
            f"Their scorers differ ({a.probe.scorer} and {b.probe.scorer}): scores and the verdicts that "
            "rest on them are on two scales."
        )
    known = [one for one in summaries if one is not None]
    if len(known) == 2 and known[0].threshold != known[1].threshold:
        yield (
            f"The score above which a question is inconsistent differs ({known[0].threshold:.2f} and "
            f"{known[1].threshold:.2f})."
        )
    if len(known) < 2:
        yield "A run without figures has not been summed up yet: that happens when a round ends."


@dataclass(frozen=True)
class _Told:
    """Of every question that has a verdict or was asked by verify, what the last round said that says it."""

    rounds: dict[str, int]
    verdicts: dict[str, str]
    answers: dict[str, tuple[bool | None, bool | None]]

    def side(self, name: str) -> RunSide:
        answers = self.answers.get(name, (None, None))
        return RunSide(self.rounds[name], self.verdicts.get(name, ""), *answers)

    def differs(self, other: _Told, name: str) -> bool:
        if self.verdicts.get(name) != other.verdicts.get(name):
            return True
        if name not in self.answers or name not in other.answers:
            return False
        return {self.answers[name][1], other.answers[name][1]} == {True, False}


def _told(run: Run) -> _Told:
    told = _Told({}, {}, {})
    for turn in run.rounds:
        verdicts = _verdicts(*_stamp(turn.path / Verdict.file))
        answers = _answers(*_stamp(turn.path / Check.file))
        told.verdicts.update(verdicts)
        told.answers.update(answers)
        told.rounds.update(dict.fromkeys([*verdicts, *answers], turn.number))
    return told


def _stamp(path: Path) -> tuple[Path, int, int]:
    """A file as it is now: what was read of it holds until that changes."""
    try:
        known = path.stat()
    except OSError:
        return path, 0, 0
    return path, known.st_size, known.st_mtime_ns


@lru_cache(maxsize=8)
def _verdicts(path: Path, size: int, written: int) -> dict[str, str]:
    """The last verdict on each question; records that are spelled as we spell them are not parsed."""
    found: dict[str, str] = {}
    for number, line, _ in jsonl.read_lines(path, parse=False):
        if (match := _SPELLED.match(line)) is not None:
            name, kind = match[1].decode(), match[2].decode()
        else:
            name, kind = _parsed(path, number, line)
        if kind in VERDICTS:
            found[name] = kind
    return found


def _parsed(path: Path, number: int, line: bytes) -> tuple[str, str]:
    try:
        entry = from_json(line)
        return str(entry.get("question_id", "")), str(entry.get("kind", ""))
    except (ValueError, AttributeError) as error:
        raise jsonl.damaged(path, number, str(error)) from None


@lru_cache(maxsize=8)
def _answers(path: Path, size: int, written: int) -> dict[str, tuple[bool | None, bool | None]]:
    """Whether base and taught model were right, of each question as it was put first.

    General facts are no questions of a run: they have no verdict, no trail and no text there.
    """
    found: dict[str, tuple[bool | None, bool | None]] = {}
    for _, _, entry in jsonl.read_lines(path):
        if entry.get("wording") != "original" or entry.get("target") not in ("gap", "known"):
            continue
        name, right = str(entry.get("question_id", "")), entry.get("correct")
        right = right if isinstance(right, bool) else None
        before, after = found.get(name, (None, None))
        if entry.get("arm") == "base":
            found[name] = right, after
        elif entry.get("arm") in ("taught", "weaker"):  # what is weaker was asked last, and is decided on
            found[name] = before, right
    return found


def _texts(run: Run, names: Collection[str]) -> dict[str, str]:
    return {one.id: one.text for turn in run.rounds for one in turn.where(Question, "id", set(names))}
