"""The measures of discussions as a person reads them: a column for each model, then what is of both."""

from __future__ import annotations

from selfstudy.verbs.discussing.measures import DiscussionMeasures
from selfstudy.verbs.discussing.topics import SIDES
from selfstudy.verbs.intervals import interval


def by_model(found: DiscussionMeasures) -> list[tuple[str, list[str]]]:
    """A line for each figure, a cell for each model."""
    sides = [found.models[side] for side in SIDES]
    return [
        ("rating from the other, 1 to 10", [interval(one.received) for one in sides]),
        ("    rating not readable", [f"{one.unscored:,}" for one in sides]),
        ("closing differs from opening", [interval(one.changed) for one in sides]),
        ("empty, share of turns", [interval(one.empty) for one in sides]),
        ("cut off, share of turns", [interval(one.cut) for one in sides]),
    ]


def of_both(found: DiscussionMeasures) -> list[tuple[str, str]]:
    """Figures that belong to neither alone."""
    return [
        ("discussions, broke off", f"{found.discussions:,}, {found.broke_off:,}"),
        ("second's rating less first's", interval(found.second_ahead)),
        ("opener's rating less other's", interval(found.opener_ahead)),
        ("ties in reward", interval(found.ties)),
        ("openings alike (token F1)", interval(found.alike_before)),
        ("closings alike (token F1)", interval(found.alike_after)),
        ("    nearer by", interval(found.nearer)),
    ]
