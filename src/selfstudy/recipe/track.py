"""The recipe's block `track`: which tracker gets a run's curves and figures (docs/tracking.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from selfstudy.recipe.base import Block
from selfstudy.recipe.models import Url

TrackerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$")]
"""What trackers, and the files that they write, may call a project or a run."""


class TrackBlock(Block):
    """Send the curves of training and the figures of verify, numbers alone, to a tracker."""

    type: Literal["none", "trackio", "wandb", "mlflow"] = "none"
    """Which tracker; its package must be installed."""
    project: TrackerName = "selfstudy"
    """The project of the tracker (an experiment, in mlflow) in which the run appears."""
    name: TrackerName | None = None
    """How the run's name begins there; some letters and digits of its own follow. null: `selfstudy`."""
    url: Url | None = None
    """The server of wandb or mlflow, if it is one of your own.  null: what WANDB_BASE_URL or
    MLFLOW_TRACKING_URI says; else wandb's own service, or a folder of mlflow's in the run."""

    @model_validator(mode="before")
    @classmethod
    def _type_alone(cls, data: Any) -> Any:
        """`track: wandb` is short for `track: {type: wandb}`."""
        return {"type": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _sent_nowhere(self) -> Self:
        if self.url is not None and self.type == "trackio":
            raise PydanticCustomError("url", "trackio writes to a folder of this machine: leave url out")
        return self
