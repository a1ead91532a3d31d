"""One worker: models that are loaded when first asked of it, by their blocks, and kept until they are forgotten.

Knows models and what is asked of them; nothing of processes, nor of who shares the work out (scale.py): the
same object answers in the process of a test.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfstudy.models.remote.usage import Usage
    from selfstudy.models.workers import ModelSpec


class Worker:
    """Holds copies of models, one of each spec.

    Args:
        folder: where the run's own process works, so that paths of a recipe mean the same here; if there is
            no such folder on this machine, relative ones are looked for where this process works.
    """

    def __init__(self, folder: str | None = None) -> None:
        if folder is not None and Path(folder).is_dir():
            os.chdir(folder)
        self._models: dict[ModelSpec, Any] = {}

    def do(
        self, spec: ModelSpec, method: str, items: Sequence[Any], *common: Any
    ) -> tuple[list[Any], Usage | None]:
        """One result for each item, in their order; and what was asked of the model for them, if it counts.

        Raises:
            SelfstudyError: the model cannot be loaded, or refuses the call as it would anywhere.
        """
        raise NotImplementedError

    def call(self, spec: ModelSpec, method: str, *arguments: Any) -> Any:
        """What a model says of itself, or of how a call is to be shared out.

        Raises:
            SelfstudyError: the model cannot be loaded.
        """
        raise NotImplementedError

    def forget(self, spec: ModelSpec) -> None:
        """Lets go of a model; harmless if it was never loaded."""
        self._models.pop(spec, None)
