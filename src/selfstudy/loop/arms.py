"""What verify asks (the model as it was, the taught one, a control), each in its turn, and what follows.

What is measured is what is promoted: a merged model is written once, asked as it lies there, then moved.
Knows which weights an arm is; nothing of what it is asked, nor of how the gate decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.files import own, private
from selfstudy.loop.resources import Resources
from selfstudy.recipe import LocalModel, ModelBlock, weights_of
from selfstudy.records import Arm, TrainedArm
from selfstudy.run import Round, standing
from selfstudy.run.models import merged_block

if TYPE_CHECKING:
    from selfstudy.models.base import LanguageModel


def verify(resources: Resources, round_: Round) -> None:
    """Asks every arm, one loaded at a time; then promotes the adapter, or marks it as rejected."""
    from selfstudy.verify.stage import run_verify

    folders = _folders(round_)
    adapter = folders.get("taught")
    loaders = _loaders(resources, round_, folders)
    gate = run_verify(round_, loaders, resources.nli, resources.prompts, resources.key, resources.reporter)
    if adapter is not None and gate.promoted:
        _promote(resources, round_, adapter)
    elif round_.adapter().is_dir():  # there is one even if its training failed
        standing.reject(round_, gate.reasons)
        resources.reporter.note(f"the adapter was not promoted; it is kept, marked, in {round_.adapter()}")
    if not gate.promoted:
        resources.language_models.forget(resources.recipe.model, adapter)
        own.remove(round_.merged_folder)


def _folders(round_: Round) -> dict[Arm, Path | None]:
    """The adapter of every arm of a round; None: the model without one."""
    found: dict[Arm, Path | None] = {"base": standing.standing(round_)}
    if found["base"] is not None:
        found["original"] = None
    trained: tuple[TrainedArm, ...] = ("control", "taught")
    for arm in trained:
        if (folder := standing.trained(round_, arm)) is not None:
            found[arm] = folder
    return found


def _loaders(
    resources: Resources, round_: Round, folders: Mapping[Arm, Path | None]
) -> dict[Arm, Callable[[], LanguageModel]]:
    """What loads each arm, and lets go of the others first: a copy of the model at a time."""

    def loader(arm: Arm, folder: Path | None) -> Callable[[], LanguageModel]:
        def load() -> LanguageModel:
            for other in folders.values():
                if other != folder:
                    resources.language_models.forget(resources.recipe.model, other)
            if arm == "taught" and folder is not None and resources.recipe.verify.merge:
                return resources.language_models.get(_merged(resources, round_, folder))
            return resources.lm(folder)

        return load

    return {arm: loader(arm, folder) for arm, folder in folders.items()}


def _merged(resources: Resources, round_: Round, adapter: Path) -> ModelBlock:
    """The model with the adapter merged in: written once, measured as it lies there, promoted as it is."""
    from selfstudy.models.local import weights

    folder = round_.merged_folder
    if not folder.is_dir():
        temporary = own.unfinished(folder)
        own.remove(temporary)
        resources.language_models.make_room()
        block = weights_of(resources.recipe.model) or LocalModel()
        own.make(temporary)
        weights.save_merged(block.model_copy(update={"adapter": adapter}), temporary)
        private.close_tree(temporary)
        temporary.rename(folder)
    return merged_block(resources.recipe.model, folder)


def _promote(resources: Resources, round_: Round, adapter: Path) -> None:
    """Puts what was measured in the place of what was promoted before."""
    merge = resources.recipe.verify.merge

    def measured() -> Path:
        if not merge:
            return adapter
        resources.language_models.forget(_merged(resources, round_, adapter))
        return round_.merged_folder

    place = standing.promote(round_, measured, move=merge)
    resources.reporter.note(f"promoted: {place}")
