"""Several processes train the phases of one lesson: one leads, the others follow.

The one that leads does all that it does alone: it reads the run, asks models, makes examples and pairs,
judges what all of them answer in a phase that answers, and writes.  The others load the same weights, wait to
be told what a phase trains on, and train it along (trainers/together.py, processes.py, judged.py).  Nothing
but the training is shared out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from selfstudy.errors import ModelError
from selfstudy.models.base import HasWeights
from selfstudy.progress import Reporter, Silent
from selfstudy.recipe import (
    EpochsBlock,
    LocalModel,
    OnlineDPOBlock,
    PhaseBlock,
    PolicyBlock,
    Recipe,
    weights_of,
)
from selfstudy.teach.launch import Launched, launch
from selfstudy.teach.phases import PHASES, Items, labelled

if TYPE_CHECKING:
    from selfstudy.teach.trainers.processes import Processes
    from selfstudy.teach.trainers.shared import Setting, Trained


@dataclass(frozen=True)
class Task:
    """What all train next.

    Attributes:
        first: whether they begin with the model as it is, and not with what they trained before.
    """

    block: PhaseBlock
    items: Items
    setting: Setting
    first: bool


class Team:
    """The processes that train one lesson, as the one that leads sees them; it may be alone."""

    def __init__(self, processes: Processes | None = None) -> None:
        self._processes = processes
        self._training = False

    @contextmanager
    def training(self, task: Task) -> Iterator[Task]:
        """All others train it too, meanwhile; gives what the one that leads trains."""
        if self._processes is None:
            yield task
            return
        from selfstudy.teach.trainers import judged

        self._processes.told(replace(task, items=judged.without_judge(task.items)))
        self._training = True
        yield replace(task, items=judged.by_the_leader(task.items, self._processes))
        self._training = False

    def left_out(self) -> None:
        """What was trained has failed in all of them, and they wait for what is next."""
        self._training = False

    def dismiss(self) -> None:
        """There is nothing more to train; those that are in the middle of it are past hearing."""
        if self._processes is not None and not self._training:
            with suppress(RuntimeError):  # one has ended before: it is not needed any more
                self._processes.told(None)


ALONE = Team()


@contextmanager
def leading(recipe: Recipe) -> Iterator[Team]:
    """The processes that were started with this one, which leads.

    Raises:
        ModelError: this recipe is not trained by so many, or the others do not come.
    """
    how = launch()
    if how.count < 2:
        yield ALONE
        return
    require_together(recipe, how)
    processes = _joined(recipe)
    with processes.tied():
        team = Team(processes)
        try:
            yield team
        finally:
            team.dismiss()


def follow(recipe: Recipe, load: Callable[[], HasWeights]) -> int:
    """Trains what the one that leads says, to its end; how many phases that were.

    Args:
        load: gives the model that is taught.

    Raises:
        ModelError: this recipe is not trained by so many.
        LostProcessError: another process has ended.
    """
    from selfstudy.teach.trainers import judged

    require_together(recipe, launch())
    processes = _joined(recipe)
    lm, before, count = None, None, 0
    with processes.tied():
        while (task := _told(processes)) is not None:
            lm = lm or load()
            model = start(lm, None if task.first else before, whole=task.setting.lora is None)
            task = replace(task, items=judged.by_the_leader(task.items, processes))
            try:
                before = trained(model, lm, task, Silent())
            except ModelError:
                if recipe.deploy.type != "dynamic":
                    raise
                before = None  # the one that leads has come to the same, and leaves the group out
            count += 1
    return count


def start(lm: HasWeights, before: Trained | None, *, whole: bool) -> Any:
    """The model that a phase trains: a copy of the one that answers, or what the phase before left."""
    from selfstudy.teach.trainers import shared

    return shared.training_copy(lm, whole=whole) if before is None else shared.merged(before.model)


def trained(model: Any, lm: HasWeights, task: Task, report: Reporter) -> Trained:
    """What came of it."""
    from selfstudy.teach.trainers import shared

    found = PHASES[task.block.type].load().train(model, lm, task.items, task.block, task.setting, report)
    if not found.idle:
        shared.without_nan(found.model)
    return found


def require_together(recipe: Recipe, how: Launched) -> None:
    """Refuses, before any model is loaded, what several processes cannot train.

    Raises:
        ModelError: which phase or setting, and what to do instead.
    """
    if how.count < 2:
        return
    for label, block, _ in labelled(recipe.teach.plan):
        if isinstance(block, EpochsBlock) and block.batch_size % how.count:
            raise ModelError(
                f"batch_size = {block.batch_size} of phase {label} cannot be shared out evenly to "
                f"{how.count} processes",
                "start a number of processes that divides it (a run keeps its recipe)",
            )
        if isinstance(block, OnlineDPOBlock | PolicyBlock) and block.batch_size < how.count:
            raise ModelError(
                f"batch_size = {block.batch_size} of phase {label} is fewer questions a step than there are "
                f"processes: {how.count}",
                f"start at most {block.batch_size} (a run keeps its recipe)",
            )
    _require_sharding(recipe, how)


def _require_sharding(recipe: Recipe, how: Launched) -> None:
    """Refuses to divide what cannot be divided."""
    if how.sharding == "zero3" and recipe.teach.adapter is not None:
        raise ModelError(
            "ZeRO stage 3 divides all weights, and an adapter (PEFT) on divided weights is not supported",
            "take ZeRO stage 2 (`selfstudy launch-config zero2`) or FSDP (`selfstudy launch-config fsdp`); "
            "or train all weights: teach.finetuning: full",
        )
    weights = weights_of(recipe.model)
    if how.sharding in ("fsdp", "zero3") and weights is not None and weights.load_in_4bit:
        raise ModelError(
            f"weights of 4 bits cannot be divided among processes ({how.sharding})",
            "take `selfstudy launch-config ddp`, in which each process holds them all, or leave out "
            "model.load_in_4bit",
        )


def _joined(recipe: Recipe) -> Processes:
    from selfstudy.models.local import loading
    from selfstudy.teach.trainers.processes import join

    block = weights_of(recipe.model) or LocalModel()
    return join(loading.pick_device(block.device))


def _told(processes: Processes) -> Task | None:
    return processes.told(None)
