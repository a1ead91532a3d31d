"""What is sent to a tracker, and what came of it: data, which goes to the process that sends, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class TrackedRow(BaseModel):
    """Numbers by name, at a step that rises from row to row, from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    step: int
    numbers: dict[str, float]


class TrackOrder(BaseModel):
    """What is sent.

    Attributes:
        tracker: which.
        project: in which it appears.
        run_id: of the run, so that all that is sent of it appears as one.
        name: what it is called there.
        url: of a server; None: the tracker's own, or none.
        offline: whether wandb writes to a folder, because nobody gave it a key.
        folder: what a tracker without a server writes to.
        config: settings, told once.
        rows: in order; one that the tracker has already is not sent again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    tracker: Literal["trackio", "wandb", "mlflow"]
    project: str
    run_id: str
    name: str
    url: str | None = None
    offline: bool = False
    folder: Path
    config: dict[str, bool | int | float | str] = {}
    rows: tuple[TrackedRow, ...]


class TrackReply(BaseModel):
    """What came of it: where it can be looked at, or why nothing was sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    where: str = ""
    error: str = ""
