"""How fast training to cite is: samples and rewards in batches beside one at a time, and what a step is."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from on_atlas.skills import atlas
from selfstudy.atlas import language, world
from selfstudy.atlas.build.cited import cited_rows
from selfstudy.judging.by_sentence import BySentence
from selfstudy.judging.cited_items import CitedItem, asked, read_item
from selfstudy.models import load_nli
from selfstudy.models.base import Progress, Sampling
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import GRPOBlock, LoraBlock, NLIBlock, PPOBlock, RejectionBlock
from selfstudy.records import Chat, Completion
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise, CitedPractice
from selfstudy.teach.phases import PHASES
from selfstudy.teach.rejection import RejectionSampling
from selfstudy.teach.rewards import DEFAULTS
from selfstudy.teach.trainers import shared

EXERCISES = 8
ANSWERS = 64


def exercises(count: int) -> list[CitedExercise]:
    """Questions about entities that the model knows by name alone: their page stands between two others."""
    pages = {one.title: f"Title: {one.title}\n{one.text}" for one in world.documents()}
    titles = sorted(pages)
    facts = [one for one in world.facts(known=False) if one.attribute in ("capital", "currency")][:count]
    found = []
    for at, fact in enumerate(facts):
        question = language.wordings(fact.attribute, fact.entity)[0]
        documents = pages[titles[2 * at]], pages[fact.entity], pages[titles[2 * at + 1]]
        item = CitedItem(question, documents, "asqa", ((fact.value,),))
        found.append(CitedExercise(asked(item, Prompts()), item, f"{at}"))
    return found


class OneAtATime:
    """The same model, asked for what follows one beginning at a time, as published scripts do.

    Args:
        alone: each sample of it is asked for alone too; else they share the prompt's prefill.
    """

    def __init__(self, lm: Any, alone: bool) -> None:
        self._lm, self._alone, self.name = lm, alone, lm.name
        self.count_tokens = lm.count_tokens

    def generate(
        self, chats: Any, sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        return self.continued(chats, [""] * len(chats), sampling)

    def logprobs(self, chats: Any, texts: Any) -> list[list[float]]:
        return [self._lm.logprobs([one], [text])[0] for one, text in zip(chats, texts, strict=True)]

    def continued(
        self,
        chats: Any,
        begun: Any,
        sampling: Sampling,
        enough: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        pairs: list[tuple[Chat, str]] = list(zip(chats, begun, strict=True))
        asked = [replace(sampling, n=1, first=at) for at in range(sampling.n)] if self._alone else [sampling]
        return [
            [one for each in asked for one in self._lm.continued([chat], [text], each, enough)[0]]
            for chat, text in pairs
        ]


class OnePair:
    """The same judge, given one pair at a time."""

    def __init__(self, nli: Any) -> None:
        self._nli, self.name = nli, nli.name

    def probabilities(self, pairs: Any, progress: Progress | None = None) -> Any:
        return self._nli.probabilities(pairs)

    def classes(self, pairs: Any) -> list[str]:
        return [self._nli.classes([one])[0] for one in pairs]


def rejection(*, seed: int, count: int = EXERCISES) -> dict[str, Any]:
    """Seconds of both ways by method, their ratios to batches, and how many winners are not the same."""
    lm, nli = atlas(), BySentence(load_nli(NLIBlock(path="atlas")))
    every = exercises(count)
    found: dict[str, Any] = {"exercises": len(every)}
    for method in ("best-of", "beam"):
        block = RejectionBlock(search=method)
        once = RejectionSampling(every[:1], CitationRewards(nli, DEFAULTS), block, seed)
        once.winners(lm)  # what is done once is nobody's cost
        judged_alone = CitationRewards(BySentence(OnePair(load_nli(NLIBlock(path="atlas")))), DEFAULTS)
        ways = {
            "in batches": (lm, CitationRewards(nli, DEFAULTS), 64),
            "one question and beam at a time": (OneAtATime(lm, alone=False), judged_alone, 1),
            "one answer at a time": (OneAtATime(lm, alone=True), judged_alone, 1),
        }
        seconds, won = {}, {}
        for name, (model, rewards, batch) in ways.items():
            began = time.perf_counter()
            won[name] = RejectionSampling(every, rewards, block, seed, batch=batch).winners(model)
            seconds[name] = time.perf_counter() - began
        best = won["in batches"]
        found[method] = {
            **{name: round(value, 2) for name, value in seconds.items()},
            "ratios": {name: round(value / seconds["in batches"], 2) for name, value in seconds.items()},
            "winners that differ": {
                name: sum(a.text != b.text for a, b in zip(best, row, strict=True))
                for name, row in won.items()
            },
            "errors": sum(bool(one.error) for one in best),
            "candidates": sum(one.candidates for one in best),
        }
    print(found, flush=True)
    return found


def rewarding(*, seed: int) -> dict[str, Any]:
    """Seconds to reward 64 answers together and one by one, pair by pair; whether they earn the same.

    Eight to each question, as a step of PPO has them: the right one with marks at random.
    """
    rng = random.Random(seed)
    rows = cited_rows(ANSWERS // 8, seed, kinds=("factoid", "claim"), unanswerable=0.0)
    every = [CitedExercise((), read_item(row), f"{at}") for at, row in enumerate(rows)]
    said = [
        [re.sub(r"\[\d\]", lambda _: f"[{rng.randint(1, 3)}]", str(row["output"])) for _ in range(8)]
        for row in rows
    ]
    nli = BySentence(load_nli(NLIBlock(path="atlas")))
    CitationRewards(nli, DEFAULTS).rewards(every[:1], said[:1])
    began = time.perf_counter()
    together = CitationRewards(nli, DEFAULTS).rewards(every, said)
    middle = time.perf_counter()
    alone = CitationRewards(BySentence(OnePair(load_nli(NLIBlock(path="atlas")))), DEFAULTS)
    apart = [
        [alone.rewards([one], [[text]])[0][0] for text in row] for one, row in zip(every, said, strict=True)
    ]
    end = time.perf_counter()
    found = {
        "answers": ANSWERS,
        "together": round(middle - began, 2),
        "one by one": round(end - middle, 2),
        "ratio": round((end - middle) / (middle - began), 2),
        "answers that earn something else": sum(
            a != b for row, own in zip(together, apart, strict=True) for a, b in zip(row, own, strict=True)
        ),
    }
    print(found, flush=True)
    return found


def step(*, seed: int, steps: int = 3) -> dict[str, Any]:
    """Seconds of a step of PPO and of GRPO by what is done in it: 8 questions, 8 answers each."""
    prompts = Prompts().without_demonstrations()
    items = [read_item(row) for row in cited_rows(32, seed, kinds=("factoid", "claim"))]
    every = [CitedExercise(asked(one, prompts), one, f"{at}") for at, one in enumerate(items)]
    rewards = CitationRewards(BySentence(load_nli(NLIBlock(path="atlas"))), DEFAULTS)
    found: dict[str, Any] = {}
    for block in (
        PPOBlock(steps=steps, batch_size=8, completions=8, max_new_tokens=80, dev=0),
        GRPOBlock(steps=steps, batch_size=8, completions=8, max_new_tokens=80, dev=0),
    ):
        lm, told = atlas(), Notes()
        trainer = PHASES[block.type].load()
        setting = shared.Setting(arm="taught", phase=block.type, lora=LoraBlock(), seed=seed)
        practice = CitedPractice(every, rewards)
        trainer.train(shared.training_copy(lm), lm, practice, block, setting, told)
        found[block.type] = told.said[-1]
    print(found, flush=True)
    return found


class Notes(Silent):
    """Keeps what is noted: its last line has the seconds."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)
