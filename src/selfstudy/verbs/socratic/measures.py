"""How a tutor fares on a set of exercises: by rule, by judge, and by what its students solve afterwards.

An exercise is the unit of every interval.  What failed, or could not be read, is in no share and is counted.
Pure functions over records; asks no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selfstudy.files import jsonl
from selfstudy.stats import Interval, bootstrap_mean, bootstrap_ratio, paired_bootstrap, plain, wilson
from selfstudy.verbs.socratic.attempts import Attempts
from selfstudy.verbs.socratic.exercises import Exercise, Exercises
from selfstudy.verbs.socratic.judged import JudgedTurns
from selfstudy.verbs.socratic.outputs import MARK
from selfstudy.verbs.socratic.talk import Dialogue, TutorKind
from selfstudy.verify.dialogues import TutoringFigures, figures

FILE = "measures.json"


@dataclass(frozen=True, slots=True)
class ByJudge:
    """A judge's shares of turns, and how many of its verdicts could not be read."""

    asking: Interval | None
    leaking: Interval | None
    unreadable: int


@dataclass(frozen=True, slots=True)
class Learned:
    """Of exercises measured both ways: share of attempts that are right before and after, and the difference.

    `unmeasured` exercises have no attempt that could be read on one side.
    """

    before: Interval | None
    after: Interval | None
    delta: Interval | None
    unmeasured: int


@dataclass(frozen=True, slots=True)
class TutorMeasures:
    """Of one tutor.

    Attributes:
        failed: dialogues that broke off; they are in nothing below.
        arrived: share of dialogues in which the student states the answer.
        turns_to_answer: of the tutor, mean over these; None where there are none.
    """

    tutor: TutorKind
    failed: int
    by_rule: TutoringFigures
    arrived: Interval | None
    turns_to_answer: float | None
    by_judge: ByJudge | None = None
    learned: Learned | None = None


def measured(
    exercises: Sequence[Exercise],
    dialogues: Sequence[Dialogue],
    seed: int,
    judged: Sequence[JudgedTurns] = (),
    learned: tuple[Sequence[Attempts], Sequence[Attempts]] | None = None,
) -> TutorMeasures:
    """The measures of a tutor; everything is in the order of the exercises, of which there is at least one.

    Args:
        judged: empty: no judge was asked.
        learned: attempts before and after; None: nobody tried.
    """
    kept = [i for i, dialogue in enumerate(dialogues) if dialogue.ended != "failed"]
    real = [dialogues[i] for i in kept]
    arrived = [dialogue for dialogue in real if dialogue.ended == "arrived"]
    turns = [sum(turn.role == "assistant" for turn in dialogue.turns) for dialogue in arrived]
    return TutorMeasures(
        tutor=dialogues[0].tutor,
        failed=len(dialogues) - len(kept),
        by_rule=figures([one.turns for one in real], [exercises[i].solution for i in kept], seed),
        arrived=wilson(len(arrived), len(real)) if real else None,
        turns_to_answer=sum(turns) / len(turns) if turns else None,
        by_judge=_by_judge([judged[i] for i in kept], seed) if judged else None,
        learned=_learned([(learned[0][i], learned[1][i]) for i in kept], seed) if learned else None,
    )


def write_measures(folder: Path, exercises: Exercises, found: Sequence[TutorMeasures]) -> None:
    """Writes measures.json into a folder: what was given, and the measures of each tutor."""
    given = {
        "usable": len(exercises.usable),
        "repeats": exercises.repeats,
        "known": exercises.known,
        "failed": list(exercises.failed),
        "unread": list(exercises.unread),
    }
    data = {**MARK, "exercises": given, "tutors": [plain(one) for one in found]}
    jsonl.replace(folder / FILE, jsonl.encode(data), None)


def _by_judge(judged: Sequence[JudgedTurns], seed: int) -> ByJudge:
    asks, leaks = [one.asks for one in judged], [one.leaks for one in judged]
    unreadable = sum(verdict is None for some in [*asks, *leaks] for verdict in some)
    return ByJudge(_share(asks, seed), _share(leaks, seed), unreadable)


def _share(verdicts: Sequence[Sequence[bool | None]], seed: int) -> Interval | None:
    """Of the verdicts that could be read; a dialogue without any is no unit."""
    read = [[one for one in some if one is not None] for some in verdicts]
    units = [some for some in read if some]
    return (
        bootstrap_ratio([sum(some) for some in units], [len(some) for some in units], seed=seed)
        if units
        else None
    )


def _learned(pairs: Sequence[tuple[Attempts, Attempts]], seed: int) -> Learned:
    both = [(a.share, b.share) for a, b in pairs if a.share is not None and b.share is not None]
    if not both:
        return Learned(None, None, None, len(pairs))
    before, after = [a for a, _ in both], [b for _, b in both]
    return Learned(
        bootstrap_mean(before, seed=seed),
        bootstrap_mean(after, seed=seed),
        paired_bootstrap(before, after, seed=seed),
        len(pairs) - len(both),
    )
