"""Keys of losses on given answers and pairs: seen in two updates of a tiny model, and what they leave."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from selfstudy.models import load_lm
from selfstudy.models.base import chat
from selfstudy.progress import Silent
from selfstudy.recipe import LocalModel, LoraBlock
from selfstudy.records import Example, Pair
from selfstudy.teach.phases import PHASES
from selfstudy.teach.trainers import shared
from tests.conftest import TEMPLATE, make_lm

from . import Effect, rows

LORA = LoraBlock(r=2, alpha=4, target_modules=("q_proj", "v_proj"))
TWICE: dict[str, Any] = {"epochs": 2, "learning_rate": 0.02, "batch_size": 2}
"""At the first update a model is as it was before: what holds it there is seen from the second on."""


@lru_cache
def tiny() -> Any:
    """A random model of two layers."""
    with TemporaryDirectory() as folder:
        return load_lm(LocalModel(path=str(make_lm("llama", Path(folder), template=TEMPLATE))))


def setting(phase: str, **changes: Any) -> shared.Setting:
    return shared.Setting("taught", phase, LORA, seed=0, **changes)


def change(model: Any) -> list[list[float]]:
    """What an adapter has become."""
    return [p.detach().flatten().tolist() for name, p in model.named_parameters() if p.requires_grad]


ANSWERS = [
    Example(
        prompt=chat("Why?"),
        completion="The Danube flows.",
        question_id="q",
        kind="reference",
        teacher=chat("The Danube flows. Why?"),
    ),
    Example(prompt=chat("Who?"), completion="Paris.", question_id="", kind="neutral", teacher=chat("Who?")),
]
"""What the frozen model shows with a page in view, and what is to stay as it was."""
PAIRS = [
    Pair(prompt=chat(asked), chosen="The Danube flows.", rejected="Paris.", question_id=asked)
    for asked in ("Why?", "Who?")
]


@contextmanager
def little_garbage() -> Iterator[None]:
    """Trainers collect it, which takes longer than their training where tests have made much before."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@lru_cache
def trained(block: Any) -> object:
    phase, lm = PHASES[block.type], tiny()
    items: Any = PAIRS if phase.trainer == "dpo" else ANSWERS
    with little_garbage():
        found = phase.load().train(shared.training_copy(lm), lm, items, block, setting(block.type), Silent())
    return [step.loss for step in found.steps], change(found.model)


EFFECTS: dict[str, Effect] = {
    **rows("SFTBlock", trained, TWICE, keep=9.0, top_k=2, rest=False),
    **rows("DistillBlock", trained, TWICE, keep=1.0, top_k=2, rest=False, skip=2),
    **rows("DPOBlock", trained, TWICE, beta=2.0, likelihood=1.0),
    **rows("SocraticBlock", trained, TWICE, beta=2.0, likelihood=1.0),
}
"""By `Block.key`."""
