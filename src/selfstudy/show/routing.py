"""Adapters and their router, as rows of texts: the same for the report and the terminal.

Knows the figures of a summary; nothing of where they come from, HTML or terminals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from selfstudy.show.words import percent
from selfstudy.summary.model import Routing


@dataclass(frozen=True, slots=True)
class ShownAdapter:
    """A row: a figure for each heading but the first, a dash where nothing was measured."""

    name: str
    figures: tuple[str, ...]


HEADINGS = (
    "Adapter",
    "Round",
    "Questions",
    "Sources",
    "Threshold",
    "Answers of its gaps",
    "New wordings",
    "Another answers",
    "False activation",
)


def shown_adapters(routing: Routing) -> list[ShownAdapter]:
    """All of them, in their order."""
    return [
        ShownAdapter(
            one.name,
            (
                f"{one.round:,}",
                f"{one.questions:,}",
                f"{one.sources:,}",
                "–" if one.threshold is None else f"{one.threshold:.3f}",
                *(
                    percent(getattr(one.shares, name))
                    for name in ("own", "novel", "other", "false_activation")
                ),
            ),
        )
        for one in routing.adapters
    ]


def calibrated(routing: Routing) -> list[str]:
    """What the router measured when it was made, in words."""
    of = routing.calibration

    def share(name: str) -> str:
        found = of.get(name)
        return percent(found) if isinstance(found, float) else ""

    told = []
    if false := share("false_activation"):
        most, bound = share("false_activation_upper"), share("bound")
        told.append(
            f"of {of.get('calibrating')} known and unrelated questions adapters answered {false} "
            f"(at most {most}, allowed {bound}{'' if of.get('within_bound') else '; too few to be sure'})"
        )
    if covered := share("covered"):
        told.append(
            f"of {of.get('held_out')} taught wordings that were kept from it, {covered} went to their "
            f"adapter and {share('wrong_adapter')} to another"
        )
    if near := share("near_miss_activation"):
        told.append(f"of {of.get('near_misses')} questions about something near, adapters answered {near}")
    return told


def context(routing: Routing | None) -> dict[str, Any]:
    """What the report's template takes."""
    if routing is None:
        return {"adapters": []}
    gaps, others = asked(routing)
    return {
        "adapters": shown_adapters(routing),
        "adapter_headings": HEADINGS,
        "calibrated": calibrated(routing),
        "routed_gaps": gaps,
        "routed_others": others,
    }


def asked(routing: Routing) -> tuple[int, int]:
    """Wordings of gaps, and other questions, that the shares are of."""
    shares = [one.shares for one in routing.adapters]
    return sum(one.asked for one in shares), max((one.others_asked for one in shares), default=0)
