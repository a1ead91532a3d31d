"""Closed-loop checks of the suite `atomic-facts` on the embedded world: the figures of docs/suites.md.

    python benchmarks/on_suites/suite_facts.py planted [--entities 200] [--seed 0]
    python benchmarks/on_suites/suite_facts.py speed [--entities 40]
    python benchmarks/on_suites/suite_facts.py atlas [--entities 200]

planted: answers made of the world's facts in wordings that its pages need not have; the same with every value
exchanged for another entity's; and the first ones, each checked against another entity's page.  speed: the
same facts in one batch, one fact a call, and one pair of sentences a call, in turn, in one process.  atlas:
what atlas-lm says of entities whose facts it learned, and of those that it knows by name alone.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from selfstudy import load_lm, load_nli
from selfstudy.atlas import language, world
from selfstudy.judging.atomic_facts import CheckedAnswer, check
from selfstudy.judging.by_sentence import BySentence
from selfstudy.judging.fact_splitting import LongAnswer, split
from selfstudy.library.index import Hit, Library
from selfstudy.models.base import EntailmentModel, Progress
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, NLIBlock
from selfstudy.recipe.suites import AtomicFactsBlock
from selfstudy.verify.suites.atomic_facts import atomic_facts
from selfstudy.verify.suites.base import SuiteTools

CHUNK = 200
TURNS = 3


class Indexed:
    """The world's pages; fulfils `library.retriever.Retriever`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._library = Library.build(
            world.documents(), Path(self._folder.name) / "index", chunk_tokens=CHUNK
        )

    def find(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        return self._library.find(questions, hits)


def chosen(count: int, seed: int) -> list[world.Entity]:
    """Entities with facts, drawn by the seed."""
    return random.Random(seed).sample([one for one in world.entities() if one.facts], count)


def told(entity: world.Entity, rng: random.Random, *, false: bool) -> str:
    """The facts of an entity as sentences; `false`: each with a value that shares no name with it."""
    said = []
    for fact in entity.facts:
        value = fact.value
        if false:
            true = {value, *world.names_in(fact.attribute, value)}
            others = sorted(
                {
                    one.value
                    for one in world.facts()
                    if one.attribute == fact.attribute
                    and one.kind == fact.kind
                    and not true & {one.value, *world.names_in(one.attribute, one.value)}
                }
            )
            value = rng.choice(others)
        said.append(language.statement(fact.attribute, fact.entity, value, rng))
    return " ".join(said)


def shares(checked: Sequence[CheckedAnswer]) -> dict[str, Any]:
    """Facts, and the shares of each verdict among them."""
    counts = [one.counts for one in checked]
    facts = sum(one.facts for one in counts)
    return {
        "facts": facts,
        "supported": round(sum(one.supported for one in counts) / facts, 4),
        "contradicted": round(sum(one.contradicted for one in counts) / facts, 4),
        "not found": round(sum(one.not_found for one in counts) / facts, 4),
    }


def planted(count: int, seed: int, nli: EntailmentModel, pages: Indexed) -> dict[str, Any]:
    """Supported facts, exchanged values, and exchanged documents."""
    entities, rng = chosen(count, seed), random.Random(seed)
    sources = {one.title: one.source for one in world.documents()}
    elsewhere = entities[1:] + entities[:1]
    true = [LongAnswer("?", told(one, rng, false=False), one.name) for one in entities]
    false = [LongAnswer("?", told(one, rng, false=True), one.name) for one in entities]
    shuffled = [
        LongAnswer("?", one.text, one.topic, sources[other.name])
        for one, other in zip(true, elsewhere, strict=True)
    ]
    own = [LongAnswer("?", one.text, one.topic, sources[one.topic]) for one in true]
    cases = {"true": true, "true, own page": own, "values exchanged": false, "pages exchanged": shuffled}
    return {
        name: shares(check(answers, split(answers, None, nli), pages, nli)) for name, answers in cases.items()
    }


class OneAtATime:
    """An entailment model that is asked of one sentence of a passage and one fact a call."""

    def __init__(self, model: EntailmentModel) -> None:
        self.name = model.name
        self._model = model

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return [self._model.classes([pair])[0] for pair in pairs]

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        return np.array([self._model.probabilities([pair])[0] for pair in pairs])


def speed(count: int, seed: int, nli: EntailmentModel, pages: Indexed) -> dict[str, Any]:
    """Seconds of three ways, the best of some turns, ratios, and how many verdicts differ."""
    rng = random.Random(seed)
    sentences = [
        LongAnswer("?", language.statement(fact.attribute, fact.entity, fact.value, rng), one.name)
        for one in chosen(count, seed)
        for fact in one.facts
    ]
    lists = split(sentences, None)
    each = list(zip(sentences, lists, strict=True))
    single = BySentence(OneAtATime(load_nli(NLIBlock())))
    ways = {
        "one pair a call": lambda: [check([a], [facts], pages, single)[0] for a, facts in each],
        "one fact a call": lambda: [check([a], [facts], pages, nli)[0] for a, facts in each],
        "in one batch": lambda: check(sentences, lists, pages, nli),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found = {}
    for _ in range(TURNS):
        for name, way in ways.items():
            began = time.perf_counter()
            found[name] = [one.facts[0].verdict for one in way()]
            seconds[name].append(time.perf_counter() - began)
    best = {name: min(values) for name, values in seconds.items()}
    batch = best["in one batch"]
    return {
        "facts": len(sentences),
        **{name: round(value, 2) for name, value in best.items()},
        "ratios": {name: round(value / batch, 1) for name, value in best.items()},
        "verdicts that differ": sum(len(set(verdicts)) > 1 for verdicts in zip(*found.values(), strict=True)),
    }


def atlas(count: int, seed: int, nli: EntailmentModel, pages: Indexed) -> dict[str, Any]:
    """Figures of atlas-lm before any teaching, of entities that it learned and of others."""
    lm = load_lm(LocalModel(path="atlas"))
    tools = SuiteTools(Prompts(), nli=nli, retriever=pages, seed=seed)
    found = {}
    for known in (True, False):
        names = {one.name for one in world.entities() if one.known == known}
        documents = [one for one in world.documents() if one.title in names]
        block = AtomicFactsBlock(questions=min(count, len(documents)))
        suite = atomic_facts(block, seed, documents)
        items = [item for block in suite.run(lm, tools, "base") for item in block]
        rows: dict[str, Any] = {"prompts": len(items), "failed": sum(one.error is not None for one in items)}
        for measure in suite.measures:
            having = [
                one.parts
                for one in items
                if measure.part in one.parts and (measure.per or "facts") in one.parts
            ]
            total = sum(one[measure.per] for one in having) if measure.per else len(having)
            rows[measure.name] = round(sum(one[measure.part] for one in having) / max(1, total), 3)
        rows["k"] = next((one.parts["k"] for one in items if "k" in one.parts), None)
        found["learned" if known else "by name alone"] = rows
    return found


CHECKS = {"planted": planted, "speed": speed, "atlas": atlas}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--entities", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    nli = BySentence(load_nli(NLIBlock()))
    print(json.dumps(CHECKS[args.check](args.entities, args.seed, nli, Indexed()), indent=1))


if __name__ == "__main__":
    main()
