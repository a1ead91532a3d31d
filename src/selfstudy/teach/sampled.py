"""What rejection sampling teaches: the best of a model's own answers to each question, as examples.

Which answers are sampled and how the best is found: rejection.py, beam.py.  Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from selfstudy.models.base import HasWeights, LanguageModel
from selfstudy.progress import Reporter
from selfstudy.recipe import RejectionBlock
from selfstudy.records import Example
from selfstudy.teach import rejection
from selfstudy.teach.candidates import Search
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise


def best(
    exercises: Sequence[CitedExercise],
    lm: LanguageModel,
    rewards: CitationRewards,
    block: RejectionBlock,
    seed: int,
    report: Reporter,
    folder: Path | None,
    fail: Callable[[str, str], None],
) -> list[Example]:
    """The winners that earned enough.

    Args:
        folder: keeps winners as they are found; after a kill the search goes on from there.
        fail: is told of questions without a winner, and why.
    """
    options = Search(
        method=block.search,
        samples=block.samples,
        beams=block.beams,
        branches=block.continuations,
        depth=block.depth,
        list_depth=block.list_depth,
        temperature=block.temperature,
        top_k=block.sampling_top_k,
        max_new_tokens=block.max_new_tokens,
        statement_tokens=block.statement_tokens,
        seed=seed,
    )
    with report.task(f"answers sampled ({block.search})", len(exercises)) as advance:
        winners = rejection.search(
            exercises, lm, rewards, options, keep=folder, work=_weights(lm), advance=advance
        )
    for one in winners:
        if one.error:
            fail(one.exercise.question_id, one.error)
    won = [one for one in winners if one.total is not None]
    kept = [one for one in won if block.least is None or (one.total or 0.0) > block.least]
    mean = sum(one.total or 0.0 for one in won) / max(1, len(won))
    report.note(
        f"best answers to {len(won)} of {len(exercises)} questions, by {rewards.name}: mean reward {mean:+.3f}; "
        f"{len(won) - len(kept)} earned no more than {block.least} and are not learned from"
    )
    return rejection.examples(kept)


def _weights(lm: LanguageModel) -> str:
    """What tells a model in training from another one of its name."""
    if not isinstance(lm, HasWeights):
        return ""
    from selfstudy.teach.trainers.checkpoint import fingerprint

    return fingerprint(lm.model)
