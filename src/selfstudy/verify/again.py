"""Asks the unchanged model some questions again, in another order and in batches of another size.

Which questions, in which order and batches depends on the recipe's seed alone, so that a run that was killed
goes on to the same records.  What follows from the answers is in noise.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from selfstudy.models.base import EntailmentModel, LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.records import Check, Failure, Recheck, Target
from selfstudy.run import Round, resume
from selfstudy.verify.asking import judged, sampling_of
from selfstudy.verify.questions import PlannedCheck

if TYPE_CHECKING:
    from selfstudy.progress import Reporter

MOST: dict[Target, int] = {"known": 100, "general": 100, "gap": 100, "reading": 50}
"""Most questions of each target that are asked again; a page makes a prompt long."""


def ask_again(
    round_: Round,
    load: Callable[[], LanguageModel],
    nli: EntailmentModel,
    prompts: Prompts,
    items: Sequence[PlannedCheck],
    report: Reporter,
) -> None:
    """Asks a seeded choice of `items` as often again as `recipe.verify.repeats` says, greedily."""
    recipe = round_.run.recipe
    asked = _chosen(items, recipe.seed)
    rows = [(n, item) for n in range(1, recipe.verify.repeats + 1) for item in _order(asked, recipe.seed, n)]
    done = resume.done(round_, resume.RECHECKED)
    left = sum(_unasked(item, n).id not in done for n, item in rows)
    if not left:
        return
    lm = load()
    with report.task("verify: the same model again", len(rows)) as advance:
        advance(len(rows) - left)
        for repeat in range(1, recipe.verify.repeats + 1):
            for reading in (False, True):
                some = [item for n, item in rows if n == repeat and (item.target == "reading") == reading]
                # every repeat in smaller batches: what is computed together decides how sums are rounded
                size = max(1, min(recipe.answering.block_size, len(some)) // (repeat + 1))
                for batch in round_.pending(some, size, lambda i, n=repeat: _unasked(i, n).id in done):  # type: ignore[misc]
                    how = sampling_of(batch[0], recipe, repeat)
                    checks = judged("base", lm, nli, prompts, batch, how)
                    fresh = [
                        one
                        for item, check in zip(batch, checks, strict=True)
                        if (one := _unasked(item, repeat, check)).id not in done
                    ]
                    failed = [(one.id, one.error) for one in fresh if one.error is not None]
                    round_.append(Failure(stage="verify", item_id=name, message=why) for name, why in failed)
                    round_.append(fresh)
                    advance(len(fresh))


def _chosen(items: Sequence[PlannedCheck], seed: int) -> list[PlannedCheck]:
    """Of each target as many as are allowed, in their order; as first asked."""
    found: list[PlannedCheck] = []
    for target, most in MOST.items():
        some = [i for i in items if i.target == target and i.wording == "original" and not i.order]
        rng = random.Random(f"{seed}:verify:again:{target}")
        found += [some[i] for i in sorted(rng.sample(range(len(some)), min(most, len(some))))]
    return found


def _order(items: Sequence[PlannedCheck], seed: int, repeat: int) -> list[PlannedCheck]:
    return random.Random(f"{seed}:verify:again:{repeat}").sample(list(items), len(items))


def _unasked(item: PlannedCheck, repeat: int, check: Check | None = None) -> Recheck:
    """The record of an item, or before it is asked its id."""
    return Recheck(
        question_id=item.question_id,
        target=item.target,
        asked=item.asked,
        repeat=repeat,
        answer=check.answer if check else "",
        correct=check.correct if check else None,
        error=check.error if check else None,
    )
