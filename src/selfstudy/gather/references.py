"""References: an answer read out of the evidence, kept if answers with the same evidence agree (methods 2.3).

It knows nothing of what the model says without evidence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selfstudy import text
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import EntailmentModel, LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import GatherBlock
from selfstudy.records import Completion, Evidence, Question, Reference


def read_references(
    questions: Sequence[Question],
    evidence: Sequence[Sequence[Evidence]],
    model: LanguageModel,
    nli: EntailmentModel,
    prompts: Prompts,
    block: GatherBlock,
    sampling: Sampling,
) -> list[Reference | None]:
    """One reference per question, in order; None for a question without evidence.

    Each is read greedily out of the best passage; the next one is tried, for all such questions in one batch,
    while the model says that the document does not say.  The samples of the same prompt give
    `inconsistency` = mean P(contradiction | reference, sample); a sample without an answer counts as 1.
    Accepted if that is at most `block.max_inconsistency`, or if no samples are asked for.

    A reference without an answer in any passage is not accepted and has the model's refusal as its text; one
    with `error` is what the model or the entailment model failed at.
    """
    read: dict[int, tuple[Evidence, list[Completion]]] = {}
    pending = [i for i, passages in enumerate(evidence) if passages]
    for rank in range(block.hits):
        pending = [i for i in pending if len(evidence[i]) > rank]
        chats = [
            prompts.chat(
                "read",
                question=questions[i].text,
                document=text.under_title(evidence[i][rank].title, evidence[i][rank].text),
            )
            for i in pending
        ]
        answers = model.generate(chats, sampling) if chats else []
        refused = []
        for i, completions in zip(pending, answers, strict=True):
            if says_nothing(completions[0]):
                refused.append(i)
            if i not in read or not says_nothing(completions[0]):  # of refusals the first stands
                read[i] = (evidence[i][rank], completions)
        pending = refused
    inconsistency = _inconsistency({i: completions for i, (_, completions) in read.items()}, nli)
    return [
        _reference(questions[i], *read[i], inconsistency.get(i), block) if i in read else None
        for i in range(len(questions))
    ]


def says_nothing(completion: Completion) -> bool:
    """Whether the reply is that there is no answer, as prompt `read` asks to say it or in other words."""
    return is_refusal(completion.text)


def _inconsistency(read: dict[int, list[Completion]], nli: EntailmentModel) -> dict[int, float]:
    """S_L by question, of all questions in one batch; left out where nothing could be judged."""
    pairs: dict[int, list[tuple[str, str]]] = {}
    refusals: dict[int, int] = {}
    for i, (reference, *samples) in read.items():
        if _problem(reference) or says_nothing(reference):
            continue
        usable = [sample for sample in samples if not _problem(sample)]
        refusals[i] = sum(says_nothing(sample) for sample in usable)
        pairs[i] = [(reference.text, sample.text) for sample in usable if not says_nothing(sample)]
    flat = [pair for of_one in pairs.values() for pair in of_one]
    contradiction = nli.probabilities(flat)[:, 1] if flat else np.empty(0)
    result: dict[int, float] = {}
    start = 0
    for i, of_one in pairs.items():
        values = contradiction[start : start + len(of_one)]
        start += len(of_one)
        values = np.concatenate([values[~np.isnan(values)], np.ones(refusals[i])])
        if len(values):
            result[i] = float(values.mean())
    return result


def _problem(completion: Completion) -> str | None:
    """Why a completion cannot be used."""
    if completion.error is not None:
        return completion.error
    return None if completion.text.strip() else "empty answer"


def _reference(
    question: Question,
    source: Evidence,
    completions: Sequence[Completion],
    inconsistency: float | None,
    block: GatherBlock,
) -> Reference:
    answer = completions[0]
    error = _problem(answer)
    if error is None and block.samples and inconsistency is None and not says_nothing(answer):
        error = "no answer with the evidence could be compared with the reference"
    within = inconsistency is None or inconsistency <= block.max_inconsistency
    return Reference(
        question_id=question.id,
        evidence_id=source.id,
        text=answer.text.strip(),
        inconsistency=inconsistency,
        accepted=error is None and within and not says_nothing(answer),
        error=error,
    )
