"""The model's passage and samples for each question (METHODS, shared vocabulary).

Knows nothing of where questions come from or what answers are worth.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.models.base import LanguageModel, Progress, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import ProbeBlock
from selfstudy.records import Answer, Failure, Question


def answer(
    questions: Sequence[Question],
    model: LanguageModel,
    prompts: Prompts,
    block: ProbeBlock,
    seed: int,
    advance: Progress | None = None,
) -> list[Answer | Failure]:
    """One record per question, in order: its passage (greedy) with `block.samples` samples, or why not.

    All completions of a question share one prompt.  A failed sample stays in the answer, marked by its
    `error`, and is not scored; without a passage or without any sample there is no answer.
    """
    sampling = Sampling(
        n=block.samples,
        temperature=block.temperature,
        greedy_first=True,
        max_new_tokens=block.max_new_tokens,
        repetition_penalty=block.repetition_penalty,
        seed=seed,
    )
    chats = [prompts.chat("answer", question=question.text) for question in questions]
    records: list[Answer | Failure] = []
    for question, (passage, *samples) in zip(
        questions, model.generate(chats, sampling, advance), strict=True
    ):
        if passage.error is not None:
            records.append(_failure(question, f"no passage: {passage.error}"))
        elif all(sample.error is not None for sample in samples):
            records.append(_failure(question, f"no sample: {samples[0].error}"))
        else:
            records.append(Answer(question_id=question.id, passage=passage, samples=tuple(samples)))
    return records


def _failure(question: Question, message: str) -> Failure:
    return Failure(stage="probe", item_id=question.id, message=message)
