"""Gather: the evidence for every question, the reference read out of it, and the verdict.

Reads Question, Answer and Score; writes Evidence, Reference and Verdict.  All questions get a reference, also
those that look known: without one a misbelief cannot be told from knowledge.

    evidence.py     passages of the library (library/: files to documents, documents to an index)
    references.py   answers read out of the evidence
    verdicts.py     consistency joined with truth
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from selfstudy.gather.evidence import find_evidence
from selfstudy.gather.references import read_references
from selfstudy.gather.verdicts import judge
from selfstudy.library.retriever import Retriever, unanswered
from selfstudy.models.answering import from_document
from selfstudy.prompts import Prompts
from selfstudy.records import (
    Answer,
    Chat,
    Completion,
    Evidence,
    Failure,
    Question,
    Record,
    Reference,
    Verdict,
)
from selfstudy.run import resume, threshold
from selfstudy.run.first_records import FirstRecords

if TYPE_CHECKING:
    from selfstudy.models import Models
    from selfstudy.progress import Reporter
    from selfstudy.run import Round


def run_gather(
    round_: Round, models: Models, prompts: Prompts, library: Retriever | None, report: Reporter
) -> None:
    """Evidence, reference and verdict for every scored question of the round.

    Without a library every verdict is "unverifiable".  Questions that probe could not score have a Failure of
    probe already, and get no verdict; nor do those that get a Failure here.  Stopped at any moment and called
    again, it ends with the same records.

    Raises:
        ModelError: nothing can be read or judged.
    """
    if round_.finished("gather"):
        return
    scores = threshold.scores(round_)
    said = {
        answer.question_id: (answer.passage.text, scores[answer.question_id])
        for answer in round_.iter(Answer)
        if answer.question_id in scores
    }
    questions = [q for q in round_.iter(Question) if q.id in said]
    done = resume.done(round_, resume.GATHERED)
    size = round_.run.recipe.answering.block_size
    out = FirstRecords(round_, "gathering", works=bool(round_.ids(Verdict)))
    with report.task("gathering evidence", len(questions)) as advance:
        left = 0
        for block in round_.pending(questions, size, lambda question: question.id in done):
            left += len(block)
            records = _gather(block, said, round_, models, prompts, library, report)
            made = [record for batch in records for record in batch]
            read = [record.question_id for record in made if isinstance(record, Reference)]
            errors = {record.item_id: record.message for record in made if isinstance(record, Failure)}
            tried = list(dict.fromkeys([*errors, *read]))
            out.write(records, [errors.get(key) for key in tried], untried=len(block) - len(tried))
            advance(len(block))
        advance(len(questions) - left)
    out.close()
    round_.finish("gather")


def _gather(
    block: Sequence[Question],
    said: dict[str, tuple[str, float]],
    round_: Round,
    models: Models,
    prompts: Prompts,
    library: Retriever | None,
    report: Reporter,
) -> list[Sequence[Record]]:
    """The records of a block in the order to write them: verdicts last, for they mark a question as done.

    All are made before the first is written: a second attempt may read another reference out of the same
    passage, and would not replace the one of the first.

    Args:
        said: the passage of each question, and its score.
    """
    recipe = round_.run.recipe
    evidence: list[list[Evidence]] = [[] for _ in block]
    not_looked_up: list[Failure] = []
    if library is not None:
        evidence = find_evidence(block, library, recipe.gather.hits)
        not_looked_up = _not_looked_up(block, library)
        failed = {failure.item_id for failure in not_looked_up}
        kept = [place for place, question in enumerate(block) if question.id not in failed]
        block, evidence = [block[place] for place in kept], [evidence[place] for place in kept]
    sampling = from_document(recipe.answering, recipe.gather.samples, recipe.seed)
    if recipe.gather.temperature is not None:
        sampling = replace(sampling, temperature=recipe.gather.temperature)

    def ask(chats: Sequence[Chat]) -> list[list[Completion]]:
        with report.task("gather: reading passages", len(chats)) as advance:
            return models.lm.generate(chats, sampling, advance)

    references = read_references(block, evidence, ask, models.nli, prompts, recipe.gather)
    judged = judge(
        block,
        [said[question.id][0] for question in block],
        [said[question.id][1] for question in block],
        references,
        models.nli,
        threshold.of(round_.run).value,
    )
    read = [reference for reference in references if reference is not None]
    failures = [
        Failure(stage="gather", item_id=reference.question_id, message=reference.error)
        for reference in read
        if reference.error is not None
    ]
    return [
        [hit for hits in evidence for hit in hits],
        read,
        [*not_looked_up, *failures, *(record for record in judged if isinstance(record, Failure))],
        [record for record in judged if isinstance(record, Verdict)],
    ]


def _not_looked_up(block: Sequence[Question], library: Retriever) -> list[Failure]:
    """Questions that nobody could answer when they were looked up: that is not the same as no evidence."""
    said = unanswered(library, [question.text for question in block])
    return [
        Failure(stage="gather", item_id=question.id, message=f"not looked up: {why}")
        for question, why in zip(block, said, strict=True)
        if why is not None
    ]
