"""Keys of training to cite: seen in what is practised, in what answers earn, and in what is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from selfstudy.judging.trust import REFUSAL
from selfstudy.models.base import Progress, Sampling
from selfstudy.recipe import CitationRewardBlock, PPOBlock, RejectionBlock
from selfstudy.records import Chat, Completion
from selfstudy.teach.beam import beam
from selfstudy.teach.cited_practice import CitedPractice
from tests.judging.test_citations import Entails
from tests.teach.cited import SUPPORTED, WRONG, Writer, exercise, reads, rewards
from tests.teach.test_stage import Listener

from . import Effect, rows
from .lessons import material

FILE = str(Path(__file__).with_name("questions.jsonl"))
"""Two questions with documents, of which one is answered by them."""
SAID = ("Rome is old [1]. Rome is loud [2].", "Rome is big. Rome is old [2].", REFUSAL)
"""What is supported, what cites what is not, and no answer."""
ITEMS = tuple(f"{city} [{number}]" for city in ("old", "big", "warm", "loud") for number in (1, 2))


class Asked(Writer):
    """A model that writes sentences, and keeps how it was asked."""

    def __init__(self, pool: Sequence[str] = (*SUPPORTED, *WRONG), **how: Any) -> None:
        super().__init__(pool, **how)
        self.samplings: list[Sampling] = []

    def continued(
        self,
        chats: Sequence[Chat],
        begun: Sequence[str],
        sampling: Sampling,
        enough: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        self.samplings.append(sampling)
        return super().continued(chats, begun, sampling, enough, progress)


def practised(block: Any) -> object:
    """The questions that are practised, those that are kept apart, and what answers to them earn."""
    found: CitedPractice = material(block, nli=Entails(reads))
    every = [*found.exercises, *found.dev]
    earned = found.rewards.rewards(every, [SAID] * len(every))
    return found.exercises, found.dev, earned


def earned(block: CitationRewardBlock) -> object:
    return practised(PPOBlock.model_validate({"data": FILE, "dev": 0, "reward": block}))


def chosen(block: RejectionBlock) -> object:
    """What is learned."""
    return material(block, lm=Asked())


def told(block: RejectionBlock) -> object:
    """What is said of the search for it: how much the best answers earn."""
    listener = Listener()
    material(block, lm=Asked(), report=listener)
    return listener.notes


def searched(block: RejectionBlock) -> object:
    """The best answers to a text and to a list, and how a model was asked for them."""
    lm, lists = Asked(), Asked(ITEMS, between=", ")
    found = [
        *beam([exercise("a")], lm, rewards()[0], block),
        *beam([exercise("b", "qampari")], lists, rewards()[0], block),
    ]
    return found, lm.samplings, lists.samplings


PRACTISED: dict[str, Any] = {"data": FILE, "withheld": 1.0, "reward": {"recall": 0}, "dev": 0.5}
FEW = {"documents": 2}
"""So that as many others stand in the place of what answers."""
WEIGHTS: dict[str, Any] = {"recall": 0.1, "precision": 0.1, "correctness": 0.1, "refusal": 0.1}
EFFECTS: dict[str, Effect] = {
    **rows("CitationRewardBlock", earned, {}, level="holistic", **WEIGHTS),
    **rows("PPOBlock", practised, FEW, documents=5, **PRACTISED),
    **rows("GRPOBlock", practised, FEW, documents=5, **PRACTISED),
    **rows("RejectionBlock", chosen, {}, data=FILE, least=None),
    **rows("RejectionBlock", told, {}, reward={"recall": 0}),
    **rows("RejectionBlock", searched, {}, depth=1, list_depth=1, beams=1, continuations=1),
    **rows("RejectionBlock", searched, {}, temperature=0.5, top_k=3, statement_tokens=3),
}
"""By `Block.key`."""
