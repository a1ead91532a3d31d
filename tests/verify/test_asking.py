"""How verify puts a question, and what a check keeps of the answer."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.models.base import Progress, Sampling
from selfstudy.records import Chat, Check, Completion
from selfstudy.run import Round

from .towns import EVERYTHING, MODELS_KNOWN, Oracle, TownKey, verify


class Seeded(Oracle):
    """Notes the seeds that it is asked for samples with."""

    def __init__(self, knows: set[int]) -> None:
        super().__init__(knows)
        self.seeds: set[int] = set()

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        if sampling.n:
            self.seeds.add(sampling.seed)
        return super().generate(chats, sampling, progress)


def test_both_arms_give_fresh_samples_not_those_that_selected_the_gaps(round_: Round) -> None:
    base, after = Seeded(MODELS_KNOWN), Seeded(EVERYTHING)
    verify(round_, after, before=base)
    assert base.seeds == after.seeds
    assert len(base.seeds) == 1
    assert round_.run.recipe.seed not in base.seeds


def test_a_check_keeps_the_measures_beside_its_decision(round_: Round) -> None:
    verify(round_, Oracle(EVERYTHING), key=TownKey())
    plain = [c for c in round_.read(Check) if c.arm == "taught" and c.target == "known"]
    assert all(c.parts == {"match": 1.0, "token_f1": 1.0, "entailment": 1.0} for c in plain)
    reading = [c for c in round_.read(Check) if c.arm == "taught" and c.target == "reading"]
    assert all(set(c.parts) == {"match", "token_f1"} for c in reading), "a page has no reference"
