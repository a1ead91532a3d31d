"""Gather: the evidence for every question, the reference read out of it, and the verdict.

Reads Question, Answer and Score; writes Evidence, Reference and Verdict.  All questions get a reference, also
those that look known: without one a misbelief cannot be told from knowledge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from selfstudy.gather.evidence import find_evidence
from selfstudy.gather.library import Library
from selfstudy.gather.references import read_references
from selfstudy.gather.sources import Reading, read_documents
from selfstudy.gather.verdicts import judge
from selfstudy.prompts import Prompts
from selfstudy.records import Answer, Evidence, Failure, Question, Record, Score, Verdict

if TYPE_CHECKING:
    from selfstudy.models import Models
    from selfstudy.progress import Reporter
    from selfstudy.run import Round

__all__ = ["Library", "Reading", "read_documents", "run_gather"]


def run_gather(
    round: Round, models: Models, prompts: Prompts, library: Library | None, report: Reporter
) -> None:
    """Evidence, reference and verdict for every scored question of the round.

    Without a library every verdict is "unverifiable".  Questions that probe could not score have a Failure of
    probe already, and get no verdict.  Stopped at any moment and called again, it ends with the same records.
    """
    if round.finished("gather"):
        return
    passages = {answer.question_id: answer.passage.text for answer in round.iter(Answer)}
    scorer = round.run.recipe.probe.scorer
    scores = {s.question_id: s.value for s in round.iter(Score) if s.scorer == scorer and s.value is not None}
    questions = [q for q in round.iter(Question) if q.id in passages and q.id in scores]
    done = {verdict.question_id for verdict in round.iter(Verdict)}
    size = round.run.recipe.probe.block_size
    with report.task("gathering evidence", len(questions)) as advance:
        left = 0
        for block in round.pending(questions, size, lambda question: question.id in done):
            left += len(block)
            for records in _gather(block, passages, scores, round, models, prompts, library):
                round.append(records)
            advance(len(block))
        advance(len(questions) - left)
    round.finish("gather")


def _gather(
    block: Sequence[Question],
    passages: dict[str, str],
    scores: dict[str, float],
    round: Round,
    models: Models,
    prompts: Prompts,
    library: Library | None,
) -> Iterator[Sequence[Record]]:
    """The records of a block in the order to write them: verdicts last, for they mark a question as done."""
    recipe = round.run.recipe
    evidence: list[list[Evidence]] = [[] for _ in block]
    if library is not None:
        evidence = find_evidence(block, library, recipe.gather.hits)
    yield [hit for hits in evidence for hit in hits]
    references = read_references(block, evidence, models.lm, models.nli, prompts, recipe.gather, recipe.seed)
    yield [reference for reference in references if reference is not None]
    judged = judge(
        block,
        [passages[question.id] for question in block],
        [scores[question.id] for question in block],
        references,
        models.nli,
        round.run.threshold.value,
    )
    yield [
        Failure(stage="gather", item_id=reference.question_id, message=reference.error)
        for reference in references
        if reference is not None and reference.error is not None
    ]
    yield [record for record in judged if isinstance(record, Failure)]
    yield [record for record in judged if isinstance(record, Verdict)]
