"""One block of questions asked and judged: how verify puts a question, and what a check keeps of the answer.

Knows nothing of files, or of why something is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.judging.correctness import Judgement, judge
from selfstudy.judging.selfcheck import passage_score, score_passages
from selfstudy.models.answering import from_document, from_memory
from selfstudy.models.base import EntailmentModel, LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import Arm, Check, Completion, digest
from selfstudy.verify.questions import PlannedCheck

NOT_FINITE = "the entailment model gave NaN or inf for answer and reference"


def ask(
    arm: Arm,
    lm: LanguageModel,
    nli: EntailmentModel,
    prompts: Prompts,
    batch: Sequence[PlannedCheck],
    recipe: Recipe,
) -> list[Check]:
    """Checks of one block, all of one kind (sampled, plain or reading)."""
    return judged(arm, lm, nli, prompts, batch, sampling_of(batch[0], recipe))


def judged(
    arm: Arm,
    lm: LanguageModel,
    nli: EntailmentModel,
    prompts: Prompts,
    batch: Sequence[PlannedCheck],
    sampling: Sampling,
) -> list[Check]:
    """The same, asked in a way of one's own."""
    completions = lm.generate([item.chat(prompts) for item in batch], sampling)
    passages = [found[0] for found in completions]
    usable = [i for i, passage in enumerate(passages) if passage.finish != "error"]
    judgements = judge(
        [batch[i].asked for i in usable],
        [passages[i].text for i in usable],
        [batch[i].expected for i in usable],
        nli,
    )
    scores = _scores([completions[i] for i in usable], nli)
    checks = [
        item.unasked(arm).model_copy(update={"error": passage.error or "the model gave no answer"})
        for item, passage in zip(batch, passages, strict=True)
    ]
    for i, judgement, score in zip(usable, judgements, scores, strict=True):
        checks[i] = (
            batch[i]
            .unasked(arm)
            .model_copy(
                update={
                    "answer": passages[i].text,
                    "correct": judgement.correct,
                    "parts": _parts(judgement),
                    "score": score,
                    "error": NOT_FINITE if judgement.correct is None else None,
                }
            )
        )
    return checks


def sampling_of(item: PlannedCheck, recipe: Recipe, repeat: int = 0) -> Sampling:
    """How it is asked for the first time; again (`repeat` from 1) greedily alone.

    The seed is not the probe's: fresh samples.  Another one for each repeat: what was answered before, and is
    kept (models/remote/response_cache.py), is no answer.
    """
    samples = recipe.verify.samples if item.sampled and not repeat else 0
    how = from_document if item.target == "reading" else from_memory
    name = ("verify", str(recipe.seed), str(repeat)) if repeat else ("verify", str(recipe.seed))
    return how(recipe.answering, samples, int(digest(*name), 16) % 2**31)


def _parts(judgement: Judgement) -> dict[str, float]:
    parts = {"match": float(judgement.match), "token_f1": judgement.token_f1}
    return parts if judgement.entailment is None else {**parts, "entailment": judgement.entailment}


def _scores(completions: Sequence[Sequence[Completion]], nli: EntailmentModel) -> list[float | None]:
    """Hallucination score of each passage with its samples; None where there are none."""
    passages = [found[0].text for found in completions]
    samples = [[sample.text for sample in found[1:] if sample.finish != "error"] for found in completions]
    return [passage_score(sentences) for sentences in score_passages(passages, samples, nli)]
