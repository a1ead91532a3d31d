"""Several processes train the phases of one lesson: one leads, the others follow.

The one that leads does all that it does alone: it reads the run, asks models, makes examples and pairs, and
writes.  The others load the same weights, wait to be told what a phase trains on, and train it along
(trainers/together.py).  Nothing but the training is shared out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from selfstudy.errors import ModelError
from selfstudy.models.base import HasWeights
from selfstudy.progress import Reporter, Silent
from selfstudy.recipe import EpochsBlock, LocalModel, PhaseBlock, Recipe, weights_of
from selfstudy.teach.launch import Launched, launch
from selfstudy.teach.phases import PHASES, Items, labelled

if TYPE_CHECKING:
    from selfstudy.teach.trainers.processes import Orders
    from selfstudy.teach.trainers.shared import Setting, Trained

TOGETHER = ("sft", "dpo")
"""The files of trainers/ that train in several processes of the loop."""


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

    def __init__(self, orders: Orders | None = None) -> None:
        self._orders = orders
        self._training = False

    @contextmanager
    def training(self, task: Task) -> Iterator[None]:
        """All others train it too, meanwhile."""
        if self._orders is not None:
            self._orders.tell(task)
        self._training = True
        yield
        self._training = False

    def dismiss(self) -> None:
        """There is nothing more to train; those that are in the middle of it are past hearing."""
        if self._orders is not None and not self._training:
            self._orders.tell(None)


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
    team = Team(_orders(recipe))
    try:
        yield team
    finally:
        team.dismiss()


def follow(recipe: Recipe, load: Callable[[], HasWeights]) -> int:
    """Trains what the one that leads says, to its end; how many phases that were.

    Args:
        load: gives the model that is taught.

    Raises:
        ModelError: this recipe is not trained by so many; or the one that leads has ended.
    """
    require_together(recipe, launch())
    orders = _orders(recipe)
    lm, before, count = None, None, 0
    while (task := _told(orders)) is not None:
        lm = lm or load()
        model = start(lm, None if task.first else before, whole=task.setting.lora is None)
        before = trained(model, lm, task, Silent())
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
    for label, block, phase in labelled(recipe.teach.plan):
        if phase.trainer not in TOGETHER:
            raise ModelError(
                f"{how.count} processes were started, and phase {label} of the loop trains in one",
                "start it without accelerate or torchrun; `selfstudy cite train` has ppo and grpo in several",
            )
        if isinstance(block, EpochsBlock) and block.batch_size % how.count:
            raise ModelError(
                f"batch_size = {block.batch_size} of phase {label} cannot be shared out evenly to "
                f"{how.count} processes",
                "start a number of processes that divides it (a run keeps its recipe)",
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


def _orders(recipe: Recipe) -> Orders:
    from selfstudy.models.local import loading
    from selfstudy.teach.trainers.processes import Orders, join

    block = weights_of(recipe.model) or LocalModel()
    return Orders(join(loading.pick_device(block.device)))


def _told(orders: Orders) -> Task | None:
    return orders.tell(None)
