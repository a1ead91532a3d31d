"""The language models of a run: which stage uses which, each loaded when first needed, and counted.

Knows blocks of a recipe and what a training leaves; nothing of what a stage does with a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.models.remote.permissions import check
from selfstudy.models.server.servers import Servers
from selfstudy.models.taught import is_whole
from selfstudy.recipe import LocalModel, ModelBlock, Recipe, RemoteModel, ServerModel, weights_of
from selfstudy.run import Run
from selfstudy.run.budget import Ledger, metered

if TYPE_CHECKING:
    from selfstudy.models.base import LanguageModel


def block_of(recipe: Recipe, stage: str) -> ModelBlock:
    """The block of the model that a stage asks.

    Without one of its own a stage asks the recipe's `model`.
    """
    own = own_block(recipe, stage)
    return recipe.model if own is None else own


def own_block(recipe: Recipe, stage: str) -> ModelBlock | None:
    """The model that a recipe names for a stage, or as judge; None: the recipe's `model` does it.

    probe: `probe.model`; gather: `gather.reader`, else the `teacher`; judge: `judge`, else the `teacher`.
    teach gets the weights behind the model.
    """
    return {
        "probe": recipe.probe.model,
        "gather": recipe.gather.reader or recipe.teacher,
        "judge": recipe.judge or recipe.teacher,
        "teach": weights_of(recipe.model),
    }.get(stage)


def as_taught(block: ModelBlock, folder: Path | None) -> ModelBlock:
    """The same model as a training left it, with the adapter or as the whole model in `folder`.

    One that cannot be trained stays as it is.
    """
    if folder is None or not isinstance(block, LocalModel | ServerModel):
        return block
    return whole_block(block, folder) if is_whole(folder) else block.model_copy(update={"adapter": folder})


def servers_for(recipe: Recipe, say: Callable[[str], object]) -> Servers:
    """The owner of the engines of a recipe: as many at once as it names, or as many as it allows.

    Args:
        say: told in one line when one is started or ended, which may take minutes.
    """
    served = {
        block.weights or block.model
        for block in recipe.language_models.values()
        if isinstance(block, ServerModel) and block.url is None
    }
    return Servers(min(recipe.servers or len(served), len(served)) or 1, say)


def whole_block(block: ModelBlock, folder: Path) -> ModelBlock:
    """What answers with the whole model in `folder`, in the number type in which it is saved (float32).

    The same engine serves it, if it loads folders; else it answers in this process.
    """
    plain: dict[str, object] = {"revision": None, "adapter": None}
    if isinstance(block, ServerModel) and block.url is None:
        from selfstudy.models.server import engines

        if engines.find(block.engine).adapters in ("named", "merged"):
            return block.model_copy(update=plain | {"model": str(folder), "weights": None})
    local = weights_of(block)
    if local is None:
        return block
    return local.model_copy(update=plain | {"path": str(folder), "dtype": "float32", "load_in_4bit": False})


@dataclass
class StageModels:
    """Models by block and what they were taught, each loaded once.

    Args:
        run: where their use is counted, if it is open for writing.
        servers: starts the engines that they need.
    """

    run: Run
    servers: Servers
    _loaded: dict[str, LanguageModel] = field(default_factory=dict)
    _ledger: Ledger | None = None

    def __post_init__(self) -> None:
        """Refuses a key that may not go where the recipe sends it: now, not when its stage begins.

        Raises:
            ModelError: the user has not allowed it.
        """
        for block in self.run.recipe.language_models.values():
            if isinstance(block, RemoteModel):
                check(block)

    @property
    def ledger(self) -> Ledger:
        """What has been spent; made when first needed, for it begins to measure time."""
        if self._ledger is None:
            self._ledger = Ledger(self.run)
        return self._ledger

    def get(self, block: ModelBlock, taught: Path | None = None) -> LanguageModel:
        """The model of a block as a training of this run left it, or as it is."""
        from selfstudy.models import load_lm

        block = as_taught(block, taught)
        key = block.model_dump_json()
        if key not in self._loaded:
            lm = load_lm(block, cache=self.run.recipe.cache, servers=self.servers)
            self._loaded[key] = metered(lm, self.ledger) if self.run.writable else lm
        return self._loaded[key]

    def apart(self, block: ModelBlock) -> LanguageModel:
        """The model of a block as it is, for a judge: nobody trains or forgets this one."""
        if not isinstance(block, LocalModel):
            return self.get(block)
        from selfstudy.models import load_lm

        lm = load_lm(block, cache=self.run.recipe.cache, servers=self.servers)
        return metered(lm, self.ledger) if self.run.writable else lm

    def forget(self, block: ModelBlock, taught: Path | None = None) -> None:
        """Lets go of a model that is not needed any more."""
        self._loaded.pop(as_taught(block, taught).model_dump_json(), None)

    def forget_all(self) -> None:
        """Lets go of all of them."""
        self._loaded.clear()

    def make_room(self, taught: Path | None = None) -> None:
        """Ends the engines that serve the student's own weights, before these are loaded to be trained.

        Args:
            taught: as which training left them.
        """
        model = self.run.recipe.model
        for block in (model, as_taught(model, taught)):
            if (weights := weights_of(block)) is not None:
                self.servers.stop(weights.path)
