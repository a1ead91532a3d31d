"""Rejection sampling in batches beside one question, one beam and one judgement at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from on_atlas.skills import atlas
from selfstudy.atlas import language, world
from selfstudy.judging.cited_items import CitedItem, asked
from selfstudy.models import load_nli
from selfstudy.models.base import Progress, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import NLIBlock
from selfstudy.records import Chat, Completion
from selfstudy.teach.candidates import Search
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise
from selfstudy.teach.rejection import search
from selfstudy.teach.rewards import DEFAULTS

EXERCISES = 8


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
    lm, nli = atlas(), load_nli(NLIBlock(path="atlas"))
    every = exercises(count)
    found: dict[str, Any] = {"exercises": len(every)}
    for method in ("best-of", "beam"):
        options = Search(method=method, seed=seed)
        search(every[:1], lm, CitationRewards(nli, DEFAULTS), options)  # what is done once is nobody's cost
        judged_alone = CitationRewards(OnePair(nli), DEFAULTS)
        ways = {
            "in batches": (lm, CitationRewards(nli, DEFAULTS), 64),
            "one question and beam at a time": (OneAtATime(lm, alone=False), judged_alone, 1),
            "one answer at a time": (OneAtATime(lm, alone=True), judged_alone, 1),
        }
        seconds, won = {}, {}
        for name, (model, rewards, block) in ways.items():
            began = time.perf_counter()
            won[name] = search(every, model, rewards, options, block=block)
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
