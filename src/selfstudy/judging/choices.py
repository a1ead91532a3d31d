"""Which of a few options does a reply name?  By its beginning alone; knows nothing of what was asked."""

from __future__ import annotations

from collections.abc import Collection

from selfstudy import text


def chosen(reply: str, options: Collection[str]) -> str | None:
    """Which of the options a judge's reply begins with, after "The answer is" and the like; None if none.

    Only the beginning counts: "I cannot say yes" and "It is not correct" choose nothing.
    """
    first = next((word for word in text.tokens(reply) if word not in _LEAD_IN), None)
    return first if first in options else None


_LEAD_IN = frozenset({"answer", "verdict", "my", "final", "it", "is", "that", "sentence", "statement"})
"""Every prompt that asks for one of a few words is read with these."""
