"""References: an answer read out of the evidence, kept if it stands up to being checked (methods 2.3).

Two checks: it rests on the words of the evidence (judging/grounding.py), and answers with the same evidence
agree with it.  It knows nothing of what the model says without evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from selfstudy import text
from selfstudy.judging.grounding import ungrounded
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

    Each is read greedily out of the best passage; the next one is tried, for all such questions in one
    batch, while the model says that the document does not say, or (`block.grounded`) says what is not in it.
    The samples of the same prompt give `inconsistency` = mean P(contradiction | reference, sample); a sample
    without an answer counts as 1.  Accepted if that is at most `block.max_inconsistency`, or if no samples
    are asked for, and if an answer was read; `explanation` says why or why not.

    A reference without an answer in any passage is not accepted and has as its text what the model said of
    the first; one with `error` is what the model or the entailment model failed at.
    """
    read: dict[int, _Read] = {}
    pending = [i for i, passages in enumerate(evidence) if passages]
    for rank in range(block.hits):
        pending = [i for i in pending if len(evidence[i]) > rank]
        pages = [text.under_title(evidence[i][rank].title, evidence[i][rank].text) for i in pending]
        chats = [
            prompts.chat("read", question=questions[i].text, document=page)
            for i, page in zip(pending, pages, strict=True)
        ]
        answers = model.generate(chats, sampling) if chats else []
        refused = []
        for i, page, completions in zip(pending, pages, answers, strict=True):
            problem = _unread(questions[i].text, completions[0], page, block)
            if problem is not None:
                refused.append(i)
            if i not in read or problem is None:  # of passages without an answer the first stands
                read[i] = _Read(evidence[i][rank], completions, problem)
        pending = refused
    inconsistency = _inconsistency({i: one.completions for i, one in read.items()}, nli)
    return [
        _reference(questions[i], read[i], inconsistency.get(i), block) if i in read else None
        for i in range(len(questions))
    ]


class _Read(NamedTuple):
    """What was read in a passage: the answer, its samples, and why it is no answer (None: it is one)."""

    source: Evidence
    completions: Sequence[Completion]
    problem: str | None


def _unread(question: str, answer: Completion, page: str, block: GatherBlock) -> str | None:
    """Why a reply is no answer that was read; None also where the model failed, which is no reply."""
    if _problem(answer):
        return None
    if says_nothing(answer):
        return "the reader says that the passage has no answer"
    return ungrounded(question, answer.text, page) if block.grounded else None


def says_nothing(completion: Completion) -> bool:
    """Whether the reply is that there is no answer, as prompt `read` asks to say it or in other words."""
    return is_refusal(completion.text)


def _inconsistency(read: Mapping[int, Sequence[Completion]], nli: EntailmentModel) -> dict[int, float]:
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


def _reference(question: Question, read: _Read, inconsistency: float | None, block: GatherBlock) -> Reference:
    answer = read.completions[0]
    error = _problem(answer)
    if error is None and block.samples and inconsistency is None and read.problem is None:
        error = "no answer with the evidence could be compared with the reference"
    within = inconsistency is None or inconsistency <= block.max_inconsistency
    return Reference(
        question_id=question.id,
        evidence_id=read.source.id,
        text=answer.text.strip(),
        inconsistency=inconsistency,
        accepted=error is None and within and read.problem is None,
        explanation=error or read.problem or _explained(inconsistency, within, block),
        error=error,
    )


def _explained(inconsistency: float | None, within: bool, block: GatherBlock) -> str:
    """Of an answer that was read: what was found of it."""
    words = "its words stand in the passage; " if block.grounded else ""
    if inconsistency is None:
        return f"{words}no other answers were asked for"
    agree = "agree" if within else "do not agree"
    bound = f"{'at most' if within else 'above'} {block.max_inconsistency:g}"
    return f"{words}{block.samples} other answers {agree}: inconsistency {inconsistency:.2f}, {bound}"
