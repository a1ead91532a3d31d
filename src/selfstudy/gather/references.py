"""References: an answer read out of the evidence, kept if answers with the same evidence agree (methods 2.3).

What that takes is the recipe's `gather.accept`: most of those that rest on the passage's own words
(votes.py), or few contradictions (S_L).  It knows nothing of what the model says without evidence.
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

Replies = Callable[[Sequence[Chat]], list[list[Completion]]]
"""Gives the completions of each prompt, the greedy one first."""


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
    read: dict[int, _Read] = {}
    pending = [i for i, passages in enumerate(evidence) if passages]
    for rank in range(block.hits):
        pending = [i for i in pending if len(evidence[i]) > rank]
        pages = [text.under_title(evidence[i][rank].title, evidence[i][rank].text) for i in pending]
        chats = [
            prompts.chat("read", question=questions[i].text, document=page)
            for i, page in zip(pending, pages, strict=True)
        ]
        answers = ask(chats) if chats else []
        refused = []
        for i, page, completions in zip(pending, pages, answers, strict=True):
            one = _read(questions[i], evidence[i][rank], page, completions, block)
            if one.problem is not None:
                refused.append(i)
            if i not in read or one.problem is None:  # of passages without an answer the first stands
                read[i] = one
        pending = refused
    inconsistency = _inconsistency({i: one.completions for i, one in read.items()}, nli)
    return [
        _reference(questions[i], read[i], inconsistency.get(i), block) if i in read else None
        for i in range(len(questions))
    ]


class _Read(NamedTuple):
    """What was read in a passage.

    Attributes:
        completions: the answers, the chosen one first.
        problem: why there is no answer, None if there is one.
        vote: how many say the same; None where that does not count.
    """

    source: Evidence
    completions: Sequence[Completion]
    problem: str | None
    vote: Vote | None = None


def _read(
    question: Question, source: Evidence, page: str, answers: Sequence[Completion], block: GatherBlock
) -> _Read:
    if block.accept == "consistency" or all(map(_problem, answers)):
        return _Read(source, answers, NO_ANSWER if says_nothing(answers[0]) else None)
    found = vote(question.text, answers, page)
    chosen = answers[found.chosen]
    others = [one for i, one in enumerate(answers) if i != found.chosen]
    return _Read(source, [chosen, *others], found.problem, found)


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
    error = _problem(answer) if read.vote is None else None
    if read.vote is not None:
        accepted = read.vote.accepted(min(block.votes, 1 + block.samples))
        said = f"{read.vote.votes} of {1 + block.samples} answers rest on the passage and say this"
        explanation = f"{said}, {read.vote.others} say something else"
    else:
        if error is None and block.samples and inconsistency is None and read.problem is None:
            error = "no answer with the evidence could be compared with the reference"
        accepted = error is None and (inconsistency is None or inconsistency <= block.max_inconsistency)
        explanation = _consistent(inconsistency, block)
    accepted = accepted and read.problem is None
    return Reference(
        question_id=question.id,
        evidence_id=read.source.id,
        text=answer.text.strip(),
        inconsistency=inconsistency,
        accepted=accepted,
        explanation=error or read.problem or explanation,
        samples=_agreeing(question.text, read) if accepted else (),
        error=error,
    )


def _agreeing(question: str, read: _Read) -> tuple[str, ...]:
    """What other answers say that rest on the passage too and agree with the chosen one, each once."""
    chosen, *others = read.completions
    page, said = text.under_title(read.source.title, read.source.text), gist(question, chosen.text)
    found = (
        one.text.strip()
        for one in others
        if not (_problem(one) or says_nothing(one))
        and gist(question, one.text).agrees(said)
        and ungrounded(question, one.text, page) is None
    )
    return tuple(one for one in dict.fromkeys(found) if one != chosen.text.strip())


def _consistent(inconsistency: float | None, block: GatherBlock) -> str:
    """What the samples say of an answer."""
    if inconsistency is None:
        return "no other answers were asked for"
    within = inconsistency <= block.max_inconsistency
    verdict = "agree" if within else "do not agree"
    bound = f"{'at most' if within else 'above'} {block.max_inconsistency:g}"
    return f"{block.samples} other answers {verdict}: inconsistency {inconsistency:.2f}, {bound}"
