"""Verdicts become examples and pairs, each with where it came from.

    known         replayed, unless held out for verify
    unsure        chosen = its own passage, rejected = "-"                                    (methods 1)
    unknown       chosen = reference, rejected = the sample that contradicts it most          (methods 2.5)
    misbelief     the same, more often
    unverifiable  nothing, or (option), if its samples disagree, "I don't know." against its own passage

An example or pair that shall weigh more is in the list more than once; records keep one of each.
This file knows nothing of training.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal, TypeVar

import numpy as np

from selfstudy import text
from selfstudy.models.answering import from_memory
from selfstudy.models.base import EntailmentModel, LanguageModel, Progress
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import Example, Pair, Rewording
from selfstudy.teach.gaps import REFUSAL, Item

T = TypeVar("T")
Kind = Literal["reference", "reading", "replay"]

TAUGHT_SAMPLES = 4
"""Answers drawn from the taught model per pair, of which the one that contradicts most is rejected."""


def examples(
    gaps: Sequence[Item],
    everything: Sequence[Item],
    rewordings: Mapping[str, Sequence[Rewording]],
    prompts: Prompts,
    recipe: Recipe,
) -> list[Example]:
    """What supervised training sees in one epoch, repeats included, in no special order.

    Args:
        gaps: the questions to teach, with their targets (`items.gaps`, or `items.permuted` for the control).
        everything: all items; known ones are replayed, gaps without evidence refused if the recipe says so.
        rewordings: by question id; those for training are used.

    Returns:
        For every gap its answer in each trained wording; a share `sft.reading` of these again with the
        document in the prompt (methods 2.6); then `sft.replay` times as many of known questions, with the
        same share of reading among them.
    """
    rng = random.Random(f"{recipe.seed}:examples")
    asked = [(item, wording) for item in gaps for wording in _wordings(item, rewordings)]
    taught = [_closed(item, wording, prompts, "reference") for item, wording in asked]
    readable = [(item, wording) for item, wording in asked if item.document]
    count = min(len(readable), round(recipe.teach.sft.reading * len(asked)))
    read = [_read(item, wording, prompts, "reading") for item, wording in rng.sample(readable, count)]
    taught += [
        Example(
            prompt=prompts.chat("answer", question=item.question.text),
            completion=REFUSAL,
            question_id=item.question.id,
            kind="reference",
        )
        for item in _refused(everything, recipe)
    ]
    weights = {item.question.id: _weight(item, recipe) for item in gaps}
    new = [e for e in [*taught, *read] for _ in range(_copies(weights.get(e.question_id, 1.0), rng))]
    return new + _replay(everything, round(recipe.teach.sft.replay * len(new)), prompts, recipe)


def _replay(everything: Sequence[Item], count: int, prompts: Prompts, recipe: Recipe) -> list[Example]:
    """`count` examples of known questions, none of them held out, each used as often as the others."""
    known = [
        item for item in everything if item.verdict.kind == "known" and item.passage and not item.held_out
    ]
    rng = random.Random(f"{recipe.seed}:replay")
    reading = recipe.teach.sft.reading
    readable = [item for item in known if item.document and item.read_target]
    reads = round(count * reading / (1 + reading)) if readable else 0
    closed = [_closed(item, item.question.text, prompts, "replay") for item in known]
    read = [_read(item, item.question.text, prompts, "replay") for item in readable]
    return [*islice(_cycle(closed, rng), count - reads), *islice(_cycle(read, rng), reads)]


def pairs(
    gaps: Sequence[Item],
    everything: Sequence[Item],
    rewordings: Mapping[str, Sequence[Rewording]],
    prompts: Prompts,
    recipe: Recipe,
    nli: EntailmentModel,
) -> list[Pair]:
    """Preference pairs by verdict (see above), one per trained wording, without repeats.

    A gap whose samples all equal its target gives no pair: there is nothing to prefer.
    """
    known = ("unsure", "unverifiable")
    options = [() if i.verdict.kind in known else _rivals(i.samples or (i.passage,), i.target) for i in gaps]
    worst = _most_contradictory([i.target for i in gaps], options, nli)
    found = []
    for item, against in zip(gaps, worst, strict=True):
        unsure = item.verdict.kind == "unsure"
        rejected = "-" if unsure else against
        if rejected is None:
            continue
        for wording in _wordings(item, rewordings):
            found.append(
                Pair(
                    prompt=prompts.chat("answer", question=wording),
                    chosen=item.target,
                    rejected=rejected,
                    question_id=item.question.id,
                    verdict=item.verdict.kind,
                    weight=_weight(item, recipe),
                    origin="dash" if unsure else "sample" if item.samples else "passage",
                )
            )
    found += [
        Pair(
            prompt=prompts.chat("answer", question=item.question.text),
            chosen=REFUSAL,
            rejected=item.passage,
            question_id=item.question.id,
            verdict="unverifiable",
            origin="passage",
        )
        for item in _refused(everything, recipe)
        if _rivals((item.passage,), REFUSAL)
    ]
    return found


def against_taught(
    found: Sequence[Pair],
    taught: LanguageModel,
    nli: EntailmentModel,
    recipe: Recipe,
    progress: Progress | None = None,
) -> list[Pair]:
    """The same prompts and chosen answers against what the taught model itself still gets wrong.

    Rejected answers of the untaught model are of no use after supervised training: the taught model does not
    give them any more.  A pair for which no answer contradicts the chosen one is dropped.
    """
    sampling = replace(from_memory(recipe.answering, TAUGHT_SAMPLES, recipe.seed), greedy_first=False)
    answers = taught.generate([pair.prompt for pair in found], sampling, progress)
    options = [
        _rivals([c.text.strip() for c in completions if c.finish != "error"], pair.chosen)
        for pair, completions in zip(found, answers, strict=True)
    ]
    worst = _most_contradictory([p.chosen for p in found], options, nli, at_least=0.5)
    return [
        Pair(
            **pair.model_dump(exclude={"id", "rejected", "origin"}), rejected=rejected, origin="taught-model"
        )
        for pair, rejected in zip(found, worst, strict=True)
        if rejected is not None
    ]


def weighted(found: Sequence[Pair], seed: int) -> list[Pair]:
    """Every pair as often as its weight says; a fraction is the chance of one more."""
    rng = random.Random(f"{seed}:pairs")
    return [pair for pair in found for _ in range(_copies(pair.weight, rng))]


def as_control(found: Sequence[Pair]) -> list[Pair]:
    """The same pairs, marked as the random ones they are (see `items.permuted`)."""
    return [Pair(**pair.model_dump(exclude={"id", "origin"}), origin="random") for pair in found]


def _refused(everything: Sequence[Item], recipe: Recipe) -> list[Item]:
    """Gaps without evidence, if the recipe wants "I don't know" taught for them."""
    wanted = recipe.teach.refuse_unverifiable
    return [i for i in everything if wanted and i.verdict.kind == "unverifiable" and i.inconsistent]


def _rivals(answers: Sequence[str], chosen: str) -> tuple[str, ...]:
    """Distinct answers that do not say `chosen`, in their order."""
    return tuple(dict.fromkeys(a for a in answers if text.normalise(a) and not text.contains(a, chosen)))


def _most_contradictory(
    chosen: Sequence[str],
    options: Sequence[Sequence[str]],
    nli: EntailmentModel,
    at_least: float = 0.0,
) -> list[str | None]:
    """Of each row of options the one with the highest P(contradiction), if that is at least `at_least`."""
    asked = [(good, bad) for good, row in zip(chosen, options, strict=True) for bad in row]
    values = nli.probabilities(asked)[:, 1] if asked else np.empty(0)
    picked: list[str | None] = []
    start = 0
    for row in options:
        # a pair that the model could not judge (NaN) is never picked
        part = np.nan_to_num(values[start : start + len(row)], nan=-1.0)
        start += len(row)
        best = int(part.argmax()) if len(row) else -1
        picked.append(row[best] if best >= 0 and part[best] >= at_least else None)
    return picked


def _wordings(item: Item, rewordings: Mapping[str, Sequence[Rewording]]) -> list[str]:
    """The question as first asked, then its rewordings for training."""
    return [item.question.text, *(r.text for r in rewordings.get(item.question.id, ()) if r.use == "train")]


def _closed(item: Item, asked: str, prompts: Prompts, kind: Kind) -> Example:
    chat = prompts.chat("answer", question=asked)
    return Example(prompt=chat, completion=item.target, question_id=item.question.id, kind=kind)


def _read(item: Item, asked: str, prompts: Prompts, kind: Kind) -> Example:
    chat = prompts.chat("read", document=item.document, question=asked)
    return Example(prompt=chat, completion=item.read_target, question_id=item.question.id, kind=kind)


def _weight(item: Item, recipe: Recipe) -> float:
    return recipe.teach.misbelief_weight if item.verdict.kind == "misbelief" else 1.0


def _copies(weight: float, rng: random.Random) -> int:
    whole = int(weight)
    return whole + (rng.random() < weight - whole)


def _cycle(choices: Sequence[T], rng: random.Random) -> Iterator[T]:
    """All choices in random order, again and again, in a new order each time."""
    while choices:
        yield from rng.sample(choices, len(choices))
