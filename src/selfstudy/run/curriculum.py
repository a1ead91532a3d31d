"""What an adapter was taught, written beside its weights: by which it is followed back, and forgotten.

It holds ids and sources alone, no text of either.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from selfstudy.errors import RunError
from selfstudy.files import private
from selfstudy.records import TrainedArm

CURRICULUM = "curriculum.json"


class Curriculum(BaseModel):
    """Of one adapter.

    Attributes:
        round: that trained it.
        group: what its questions have in common (`deploy.groups`); "" where a round trains one adapter.
        questions: ids of what it was taught, replayed ones apart.
        sources: of the evidence that this rests on.
        replayed: ids of the questions that it was shown to keep.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    round: int
    arm: TrainedArm = "taught"
    group: str = ""
    questions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    replayed: tuple[str, ...] = ()


def write(folder: Path, curriculum: Curriculum) -> None:
    """Beside the weights in `folder`."""
    text = json.dumps(curriculum.model_dump(mode="json"), indent=1, sort_keys=True)
    with private.replacing(folder / CURRICULUM) as file:  # what is linked to it elsewhere stays as it is
        file.write(f"{text}\n".encode())


def read(folder: Path) -> Curriculum | None:
    """What the adapter in `folder` was taught; None: it is of a version that did not write it down.

    Raises:
        RunError: the file is damaged.
    """
    file = folder / CURRICULUM
    if not file.is_file():
        return None
    try:
        return Curriculum.model_validate_json(file.read_bytes())
    except (ValidationError, OSError) as error:
        raise RunError(f"{file} is damaged: {str(error).splitlines()[0]}", "teach the round again") from None
