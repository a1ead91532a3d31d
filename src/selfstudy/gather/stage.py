"""Gather: the evidence for every question, the reference read out of it, and the verdict.

Reads Question, Answer and Score; writes Evidence, NotEvidence, Reference, Conflict and Verdict.  All
questions get a reference, also those that look known: without one a misbelief cannot be told from knowledge.

    evidence.py         passages of the library (library/: files to documents, documents to an index)
    references.py       answers read out of the evidence
    conflicts.py        what other passages say, and who is believed (sources.py, dates.py)
    given.py            what a person said the answer is, which wins over pages
    without_evidence.py a stronger model's answers, where the recipe wants them
    verdicts.py         consistency joined with truth
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from selfstudy.errors import RunError
from selfstudy.gather import conflicts
from selfstudy.gather.evidence import EvidenceRules, find_evidence
from selfstudy.gather.given import given_by_person
from selfstudy.gather.references import read_references
from selfstudy.gather.verdicts import Compares, by_entailment, by_judge, judge
from selfstudy.gather.without_evidence import ask_teacher
from selfstudy.judging.judge import PromptedJudge
from selfstudy.library.excluded import Excluded
from selfstudy.library.retriever import Retriever, unanswered
from selfstudy.models.answering import from_document, from_memory
from selfstudy.prompts import Prompts
from selfstudy.recipe.gather import days_of
from selfstudy.records import (
    Answer,
    Chat,
    Completion,
    Correction,
    Evidence,
    Failure,
    NotEvidence,
    Question,
    Record,
    Reference,
    Verdict,
)
from selfstudy.run import corrections, resume, threshold
from selfstudy.run.first_records import FirstRecords

if TYPE_CHECKING:
    from selfstudy.models import Models
    from selfstudy.models.base import LanguageModel
    from selfstudy.progress import Reporter
    from selfstudy.run import Round


def run_gather(
    round_: Round,
    models: Models,
    prompts: Prompts,
    library: Retriever | None,
    report: Reporter,
    teacher: Callable[[], LanguageModel] | None = None,
) -> None:
    """Evidence, reference and verdict for every scored question of the round.

    Without a library every verdict is "unverifiable", but for what the teacher answers.  Questions that probe
    could not score have a Failure of probe already, and get no verdict; nor do those that get a Failure here.
    Stopped at any moment and called again, it ends with the same records.

    Args:
        teacher: the recipe's, for `gather.answers_from: teacher`; loaded when first needed.

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
    out = FirstRecords(round_, "gathering", works=round_.count(Verdict) > 0)
    worker = _Gathering(round_, models, prompts, library, report, teacher)
    with report.task("gathering evidence", len(questions)) as advance:
        left = 0
        for block in round_.pending(questions, size, lambda question: question.id in done):
            left += len(block)
            records = worker.gather(block, said)
            made = [record for batch in records for record in batch]
            read = [record.question_id for record in made if isinstance(record, Reference)]
            errors = {record.item_id: record.message for record in made if isinstance(record, Failure)}
            tried = list(dict.fromkeys([*errors, *read]))
            out.write(records, [errors.get(key) for key in tried], untried=len(block) - len(tried))
            advance(len(block))
        advance(len(questions) - left)
    out.close()
    round_.finish("gather")


@dataclass(frozen=True)
class _Gathering:
    """What gathering works with, block by block."""

    round_: Round
    models: Models
    prompts: Prompts
    library: Retriever | None
    report: Reporter
    teacher: Callable[[], LanguageModel] | None

    def gather(self, block: Sequence[Question], said: dict[str, tuple[str, float]]) -> list[Sequence[Record]]:
        """The records of a block in the order to write them: verdicts last, for they mark a question as done.

        All are made before the first is written: a second attempt may read another reference out of the same
        passage, and would not replace the one of the first.

        Args:
            said: the passage of each question, and its score.
        """
        wanted, nli = self.round_.run.recipe.gather, self.models.nli
        people = [given_by_person(self._said[one.id]) for one in block if one.id in self._said]
        corrected = [one for one in block if one.id in self._said]
        block = [one for one in block if one.id not in self._said]
        evidence: list[list[Evidence]] = [[] for _ in block]
        passed: list[NotEvidence] = []
        not_looked_up: list[Failure] = []
        if self.library is not None:
            evidence, passed = find_evidence(block, self.library, wanted.hits, self._rules)
            not_looked_up = _not_looked_up(block, self.library)
            failed = {failure.item_id for failure in not_looked_up}
            kept = [place for place, question in enumerate(block) if question.id not in failed]
            block, evidence = [block[place] for place in kept], [evidence[place] for place in kept]
        references = read_references(block, evidence, self._read, nli, self.prompts, wanted)
        settling = conflicts.Settling(self._read, nli, self.prompts, wanted, self._rules.as_of)
        references, disagreed = conflicts.settle(block, evidence, references, settling)
        if wanted.answers_from == "teacher" and self.teacher is not None:
            references = ask_teacher(block, references, self._teach, nli, self.prompts, wanted)
        block = [*block, *corrected]
        evidence = [*evidence, *([passage] for passage, _ in people)]
        references = [*references, *(reference for _, reference in people)]
        judged = judge(
            block,
            [said[question.id][0] for question in block],
            [said[question.id][1] for question in block],
            references,
            self._compare(),
            threshold.of(self.round_.run).value,
        )
        read = [reference for reference in references if reference is not None]
        failures = [
            Failure(stage="gather", item_id=reference.question_id, message=reference.error)
            for reference in read
            if reference.error is not None
        ]
        return [
            [*passed, *(hit for hits in evidence for hit in hits)],
            [*disagreed, *read],
            [*not_looked_up, *failures, *(record for record in judged if isinstance(record, Failure))],
            [record for record in judged if isinstance(record, Verdict)],
        ]

    @cached_property
    def _said(self) -> dict[str, Correction]:
        """What people said the answers are, by question, when gathering began."""
        said = corrections.standing(self.round_.run)
        return {name: one.reference for name, one in said.items() if one.reference is not None}

    @cached_property
    def _rules(self) -> EvidenceRules:
        wanted = self.round_.run.recipe.gather
        most = None if wanted.max_age is None else days_of(wanted.max_age)
        return EvidenceRules(as_of_day(self.round_), most, Excluded(wanted.exclude))

    def _read(self, chats: Sequence[Chat], samples: int) -> list[list[Completion]]:
        recipe = self.round_.run.recipe
        sampling = from_document(recipe.answering, samples, recipe.seed)
        if recipe.gather.temperature is not None:
            sampling = replace(sampling, temperature=recipe.gather.temperature)
        with self.report.task("gather: reading passages", len(chats)) as advance:
            return self.models.lm.generate(chats, sampling, advance)

    def _teach(self, chats: Sequence[Chat]) -> list[list[Completion]]:
        recipe = self.round_.run.recipe
        sampling = from_memory(recipe.answering, recipe.gather.samples, recipe.seed)
        assert self.teacher is not None
        with self.report.task("gather: asking the teacher", len(chats)) as advance:
            return self.teacher().generate(chats, sampling, advance)

    def _compare(self) -> Compares:
        if self.round_.run.recipe.gather.judge == "nli":
            return by_entailment(self.models.nli)
        return by_judge(PromptedJudge(self.models.judge, self.prompts))


def _not_looked_up(block: Sequence[Question], library: Retriever) -> list[Failure]:
    """Questions that nobody could answer when they were looked up: that is not the same as no evidence."""
    said = unanswered(library, [question.text for question in block])
    return [
        Failure(stage="gather", item_id=question.id, message=f"not looked up: {why}")
        for question, why in zip(block, said, strict=True)
        if why is not None
    ]


def as_of_day(round_: Round) -> date:
    """The day that ages are counted from: the recipe's, else the day the run began; the same when resumed.

    Raises:
        RunError: the run does not say when it began.
    """
    run = round_.run
    given = run.recipe.gather.as_of or str((run.read_json(run.provenance_file) or {}).get("created", ""))[:10]
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise RunError(
            f"{run.provenance_file} does not say on which day the run began: {given!r:.40}",
            "restore that file from a backup, or start a new run with --run DIR",
        ) from None
