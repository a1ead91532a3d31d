"""References: an answer read out of the evidence, kept if answers with the same evidence agree (methods 2.3).

What that takes is the recipe's `gather.accept`: most of those that rest on the passage's own words
(votes.py), or few contradictions (S_L).  It knows nothing of what the model says without evidence, nor of
what other passages say (conflicts.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from selfstudy import text
from selfstudy.gather.votes import NO_ANSWER, Vote, vote
from selfstudy.judging.grounding import gist, ungrounded
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import EntailmentModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import GatherBlock
from selfstudy.records import Chat, Completion, Evidence, Question, Reference

Replies = Callable[[Sequence[Chat], int], list[list[Completion]]]
"""Gives the completions of each prompt: the greedy one first, then so many samples."""
QuestionPassage = tuple[Question, Evidence]
"""A question, and a passage that may answer it."""


class PassageReading(NamedTuple):
    """What was read in a passage.

    Attributes:
        completions: the answers, the chosen one first.
        problem: why there is no answer, None if there is one.
        vote: how many say the same; None where that does not count.
    """

    question: Question
    source: Evidence
    completions: Sequence[Completion]
    problem: str | None
    vote: Vote | None = None


def read_references(
    questions: Sequence[Question],
    evidence: Sequence[Sequence[Evidence]],
    ask: Replies,
    nli: EntailmentModel,
    prompts: Prompts,
    block: GatherBlock,
) -> list[Reference | None]:
    """One reference per question, in order; None for a question without evidence.

    All answers out of the best passage are asked for at once, the greedy one first; the next passage is
    tried, for all such questions in one batch, while this one gives none: with `accept: consistency` where
    the greedy answer is that the document does not say, with `accept: votes` where no answer counts
    (votes.py).  The samples of the same prompt give `inconsistency` = mean P(contradiction | reference,
    sample); a sample without an answer counts as 1.  `explanation` says why a reference is accepted or not.

    A reference without an answer in any passage is not accepted and has as its text what the model said of
    the first; one with `error` is what the model or the entailment model failed at.
    """
    found: dict[int, PassageReading] = {}
    pending = [i for i, passages in enumerate(evidence) if passages]
    for rank in range(block.hits):
        pending = [i for i in pending if len(evidence[i]) > rank]
        readings = read_passages([(questions[i], evidence[i][rank]) for i in pending], ask, prompts, block)
        refused = []
        for i, one in zip(pending, readings, strict=True):
            if one.problem is not None:
                refused.append(i)
            if i not in found or one.problem is None:  # of passages without an answer the first stands
                found[i] = one
        pending = refused
    references = iter(references_of(list(found.values()), nli, block))
    by_question = dict(zip(found, references, strict=True))
    return [by_question.get(i) for i in range(len(questions))]


def read_passages(
    asked: Sequence[QuestionPassage], ask: Replies, prompts: Prompts, block: GatherBlock
) -> list[PassageReading]:
    """What the answers out of each passage come to; all are one batch."""
    if not asked:
        return []
    pages = [page_of(source) for _, source in asked]
    chats = [
        prompts.chat("read", question=question.text, document=page)
        for (question, _), page in zip(asked, pages, strict=True)
    ]
    answers = ask(chats, block.samples)
    return [
        _read(question, source, page, completions, block)
        for (question, source), page, completions in zip(asked, pages, answers, strict=True)
    ]


def page_of(source: Evidence) -> str:
    """A passage as it is shown to a reader."""
    return text.under_title(source.title, source.text)


def references_of(
    readings: Sequence[PassageReading], nli: EntailmentModel, block: GatherBlock
) -> list[Reference]:
    """The reference that each reading makes, accepted or not."""
    inconsistency = inconsistencies([one.completions for one in readings], nli)
    return [_reference(one, inconsistency.get(i), block) for i, one in enumerate(readings)]


def _read(
    question: Question, source: Evidence, page: str, answers: Sequence[Completion], block: GatherBlock
) -> PassageReading:
    if block.accept == "consistency" or all(map(unusable, answers)):
        problem = NO_ANSWER if is_refusal(answers[0].text) else None
        return PassageReading(question, source, answers, problem)
    found = vote(question.text, answers, page)
    chosen = answers[found.chosen]
    others = [one for i, one in enumerate(answers) if i != found.chosen]
    return PassageReading(question, source, [chosen, *others], found.problem, found)


def inconsistencies(answers: Sequence[Sequence[Completion]], nli: EntailmentModel) -> Mapping[int, float]:
    """S_L by place, of all in one batch; left out where nothing could be judged.

    Args:
        answers: of each the chosen one first, then its samples.
    """
    pairs: dict[int, list[tuple[str, str]]] = {}
    refusals: dict[int, int] = {}
    for i, (reference, *samples) in enumerate(answers):
        if unusable(reference) or is_refusal(reference.text):
            continue
        usable = [sample for sample in samples if not unusable(sample)]
        refusals[i] = sum(is_refusal(sample.text) for sample in usable)
        pairs[i] = [(reference.text, sample.text) for sample in usable if not is_refusal(sample.text)]
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


def unusable(completion: Completion) -> str | None:
    """Why a completion cannot be used."""
    if completion.error is not None:
        return completion.error
    return None if completion.text.strip() else "empty answer"


def _reference(read: PassageReading, inconsistency: float | None, block: GatherBlock) -> Reference:
    answer = read.completions[0]
    error = unusable(answer) if read.vote is None else None
    if read.vote is not None:
        accepted = read.vote.accepted(min(block.votes, 1 + block.samples))
        said = f"{read.vote.votes} of {1 + block.samples} answers rest on the passage and say this"
        explanation = f"{said}, {read.vote.others} say something else"
    else:
        if error is None and block.samples and inconsistency is None and read.problem is None:
            error = "no answer with the evidence could be compared with the reference"
        accepted = error is None and (inconsistency is None or inconsistency <= block.max_inconsistency)
        explanation = consistency(inconsistency, block)
    accepted = accepted and read.problem is None
    return Reference(
        question_id=read.question.id,
        evidence_id=read.source.id,
        text=answer.text.strip(),
        inconsistency=inconsistency,
        accepted=accepted,
        explanation=error or read.problem or explanation,
        samples=_agreeing(read) if accepted else (),
        error=error,
    )


def _agreeing(read: PassageReading) -> tuple[str, ...]:
    """What other answers say that rest on the passage too and agree with the chosen one, each once."""
    chosen, *others = read.completions
    question, page = read.question.text, page_of(read.source)
    said = gist(question, chosen.text)
    found = (
        one.text.strip()
        for one in others
        if not (unusable(one) or is_refusal(one.text))
        and gist(question, one.text).agrees(said)
        and ungrounded(question, one.text, page) is None
    )
    return tuple(one for one in dict.fromkeys(found) if one != chosen.text.strip())


def consistency(inconsistency: float | None, block: GatherBlock) -> str:
    """What the samples say of an answer, in words."""
    if inconsistency is None:
        return "no other answers were asked for"
    within = inconsistency <= block.max_inconsistency
    verdict = "agree" if within else "do not agree"
    bound = f"{'at most' if within else 'above'} {block.max_inconsistency:g}"
    return f"{block.samples} other answers {verdict}: inconsistency {inconsistency:.2f}, {bound}"
