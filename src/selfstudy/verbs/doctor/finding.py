"""What a look at something found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and for a failure or a warning how to fix it."""

    state: Literal["ok", "warn", "fail"]
    name: str
    found: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{self.state:4}  {self.name:11} {self.found}"
        return f"{line}\n      -> {self.fix}" if self.fix else line
