"""What verbs say of many items: how many there are, and the first of those that failed. Knows no items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from selfstudy.screen import say

NAMED = 5
"""Failed items that are named on the screen."""


def counted(number: int, what: str) -> str:
    """A number with its noun."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def say_failed(what: str, failed: Sequence[str]) -> None:
    """Names the first of them."""
    for line in failed[:NAMED]:
        say(f"{what}: {line}", err=True)
    if len(failed) > NAMED:
        say(f"and {len(failed) - NAMED:,} more", err=True)


def say_without(what: str, reasons: Mapping[str, int]) -> None:
    """Of which so many gave nothing, for each reason; the commonest first."""
    for reason, number in sorted(reasons.items(), key=lambda item: -item[1]):
        say(f"    {counted(number, what)} without one: {reason}")
