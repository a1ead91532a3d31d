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
from selfstudy.models.taught import is_routed, is_whole
from selfstudy.recipe import LocalModel, ModelBlock, Recipe, RemoteModel, ServerModel, weights_of
from selfstudy.run import Run
from selfstudy.run.budget import Ledger, metered

if TYPE_CHECKING:
    from selfstudy.models.base import LanguageModel
    from selfstudy.models.workers import Workers


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
        workers: the processes where models answer that need not be in this one; None: there are none.
    """

    run: Run
    servers: Servers
    workers: Callable[[], Workers | None] = lambda: None
    _here: dict[str, LanguageModel] = field(default_factory=dict)
    _elsewhere: dict[str, LanguageModel] = field(default_factory=dict)
    _noted: bool = False
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

    def get(self, block: ModelBlock, taught: Path | None = None, *, here: bool = False) -> LanguageModel:
        """The model of a block as a training of this run left it, or as it is.

        Args:
            here: it is to be trained or written down, so its weights have to be in this process.
        """
        block = as_taught(block, taught)
        workers = None if here else self._workers_for(block)
        loaded = self._here if workers is None else self._elsewhere
        key = block.model_dump_json()
        if key not in loaded:
            loaded[key] = self._load(block, workers)
        return loaded[key]

    def apart(self, block: ModelBlock) -> LanguageModel:
        """The model of a block as it is, for a judge: nobody trains or forgets this one.

        What is trained is never in workers; what they are told to forget they load again when it is asked.
        """
        if not isinstance(block, LocalModel) or self._workers_for(block) is not None:
            return self.get(block)
        return self._load(block, None)

    def _load(self, block: ModelBlock, workers: Workers | None) -> LanguageModel:
        cache = self.run.recipe.cache
        lm: LanguageModel
        if workers is None:
            from selfstudy.models import load_lm

            lm = load_lm(block, cache=cache, servers=self.servers)
        else:
            from selfstudy.models.spread.lm import spread_lm

            lm = spread_lm(block, workers, cache=cache, say=self.servers.say)
        return metered(lm, self.ledger) if self.run.writable else lm

    def _workers_for(self, block: ModelBlock) -> Workers | None:
        """What answers for a model; None: it does so in this process."""
        workers = self.workers()
        if workers is None or not _is_routed(block):
            return workers
        if not self._noted:
            self.servers.say("adapters of which one is picked for each question answer in this process alone")
        self._noted = True
        return None

    def forget(self, block: ModelBlock, taught: Path | None = None) -> None:
        """Lets go of a model that is not needed any more."""
        block = as_taught(block, taught)
        key = block.model_dump_json()
        self._here.pop(key, None)
        if self._elsewhere.pop(key, None) is not None:
            self._forget_elsewhere(block)

    def _forget_elsewhere(self, block: ModelBlock) -> None:
        from selfstudy.models.spread.lm import lm_spec

        if (workers := self.workers()) is not None:
            workers.forget(lm_spec(block, cache=self.run.recipe.cache))

    def forget_all(self) -> None:
        """Lets go of all of them; the workers that hold copies are the caller's to end."""
        self._here.clear()
        self._elsewhere.clear()

    def make_room(self, taught: Path | None = None) -> None:
        """Ends engines and copies in workers of the student's weights, before these are loaded to be trained.

        Args:
            taught: as which training left them.
        """
        model = self.run.recipe.model
        for block in [model] if taught is None else [model, as_taught(model, taught)]:
            if (weights := weights_of(block)) is not None:
                self.servers.stop(weights.path)
            if block.model_dump_json() in self._elsewhere:
                self._forget_elsewhere(block)


def _is_routed(block: ModelBlock) -> bool:
    return (
        isinstance(block, LocalModel | ServerModel) and block.adapter is not None and is_routed(block.adapter)
    )
