"""What shows that a key of a recipe changes something, block by block: a table row for each key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Effect:
    """One key's row.

    Attributes:
        other: another value of the key.
        seen: of the block, what can be observed; it differs between the base and the other value.
        base: the block's other keys, where those of a recipe that says nothing would hide this one.
    """

    other: Any
    seen: Callable[[Any], object]
    base: Mapping[str, Any] = field(default_factory=dict)


def rows(
    block: str, seen: Callable[[Any], object], base: Mapping[str, Any], **others: Any
) -> dict[str, Effect]:
    """A row for each key of `others`, all with one observer."""
    return {f"{block}.{key}": Effect(other, seen, base) for key, other in others.items()}
