"""The measures of tutors as a person reads them: a line for each, a cell for each tutor."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.verbs.intervals import NOT_MEASURED, interval
from selfstudy.verbs.socratic.measures import TutorMeasures
from selfstudy.verify.dialogues import LATE, TutoringFigures


def lines(found: Sequence[TutorMeasures]) -> list[tuple[str, list[str]]]:
    """The table of tutors side by side; measures that none has are left out."""
    columns = [_of(one) for one in found]
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, [column.get(name, "") for column in columns]) for name in names]


def by_rule(figures: TutoringFigures) -> list[tuple[str, str]]:
    """Of a set of dialogues, by rule alone."""
    turns = [
        (
            f"    turn {one.number + 1}{' and later' if one.number == LATE - 1 else ''}",
            f"{one.asking:.3f} ask, {NOT_MEASURED if one.leaking is None else f'{one.leaking:.3f} leak'}"
            f" ({one.turns:,} turns)",
        )
        for one in figures.by_turn
    ]
    words = NOT_MEASURED if figures.student_words is None else f"{figures.student_words:.3f}"
    return [
        ("dialogues, turns of the tutor", f"{figures.dialogues:,}, {figures.turns:,}"),
        ("asking, share of turns", interval(figures.asking)),
        ("leaking, share of turns", interval(figures.leaking)),
        ("leaking, share of dialogues", interval(figures.giving_away)),
        ("student's share of words", words),
        *turns,
    ]


def _of(one: TutorMeasures) -> dict[str, str]:
    cells = {"broke off": f"{one.failed:,}", **dict(by_rule(one.by_rule))}
    if one.by_judge is not None:
        cells |= {
            "asking, by judge": interval(one.by_judge.asking),
            "leaking, by judge": interval(one.by_judge.leaking),
            "verdicts not readable": f"{one.by_judge.unreadable:,}",
        }
    cells["student arrives"] = interval(one.arrived)
    if one.turns_to_answer is not None:
        cells["    after turns of the tutor"] = f"{one.turns_to_answer:.1f}"
    if one.learned is not None:
        cells |= {
            "solved before": interval(one.learned.before),
            "solved after": interval(one.learned.after),
            "delta": interval(one.learned.delta),
        }
        if one.learned.unmeasured:
            cells["    without attempts"] = f"{one.learned.unmeasured:,}"
    return cells
