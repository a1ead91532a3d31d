"""Which suites there are, in words: `selfstudy suite --list`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from selfstudy.verify.suites.table import SUITES

_SAID = {"judge": "a judge", "library": "a library", "nli": "an entailment model"}
_EXAMPLES: dict[str, dict[str, Any]] = {"lm-eval": {"tasks": ("TASK",)}}


@dataclass(frozen=True, slots=True)
class ListedSuite:
    """One suite; what it needs, and its options, each with its default."""

    name: str
    says: str
    measures: str
    needs: str
    may_use: str
    options: str


def listed() -> list[ListedSuite]:
    """All of them, as a block without options has it."""
    found = []
    for name, row in SUITES.items():
        block = row.block(**_EXAMPLES.get(name, {}))
        needs = [_SAID.get(one, one) for one in row.needs]
        options = block.model_dump(mode="json", exclude={"name"})
        found.append(
            ListedSuite(
                name,
                row.says,
                row.measures,
                ", ".join(needs),
                ", ".join(_SAID.get(one, one) for one in row.may_use),
                ", ".join(f"{key}={_shown(value)}" for key, value in options.items()),
            )
        )
    return found


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
