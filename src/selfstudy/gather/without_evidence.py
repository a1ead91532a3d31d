"""A stronger model answers where the library has no answer (methods 1): it is asked without documents.

Its answer is taken for a reference if its own samples do not contradict it, which says that it is sure, not
that it is right: such a reference is marked, and is no evidence.  It knows nothing of the library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from selfstudy.gather.references import consistency, inconsistencies, unusable
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import EntailmentModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import GatherBlock
from selfstudy.records import Chat, Completion, Question, Reference

NO_ANSWER = "the teacher says that it does not know"


def ask_teacher(
    questions: Sequence[Question],
    references: Sequence[Reference | None],
    ask: Callable[[Sequence[Chat]], list[list[Completion]]],
    nli: EntailmentModel,
    prompts: Prompts,
    block: GatherBlock,
) -> list[Reference | None]:
    """The references, in order, with the teacher's where no passage gave an answer that is accepted.

    Sources that disagree are evidence, so what they leave open stays open; so does what failed.

    Args:
        ask: gives the teacher's completions of each prompt, the greedy one first.
    """
    open_ = [
        i
        for i, one in enumerate(references)
        if one is None or (not one.accepted and one.error is None and not one.sources)
    ]
    chats = [prompts.chat("answer", question=questions[i].text) for i in open_]
    answers = ask(chats) if chats else []
    doubt = inconsistencies(answers, nli)
    found = list(references)
    for place, (i, said) in enumerate(zip(open_, answers, strict=True)):
        found[i] = _reference(questions[i], said[0], doubt.get(place), block)
    return found


def _reference(
    question: Question, said: Completion, inconsistency: float | None, block: GatherBlock
) -> Reference:
    error = unusable(said)
    problem = NO_ANSWER if is_refusal(said.text) else None
    if error is None and problem is None and block.samples and inconsistency is None:
        error = "no other answer of the teacher could be compared with its first"
    accepted = not (error or problem) and (inconsistency is None or inconsistency <= block.max_inconsistency)
    return Reference(
        question_id=question.id,
        evidence_id="",
        text=said.text.strip(),
        inconsistency=inconsistency,
        accepted=accepted,
        explanation=error
        or problem
        or f"of the teacher, without evidence: {consistency(inconsistency, block)}",
        given_by="teacher",
        error=error,
    )
