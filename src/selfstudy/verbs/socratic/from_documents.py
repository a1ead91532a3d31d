"""Exercises from plain documents: a teacher writes a question about each passage and answers it out of it.

Passages are cut and spread over the documents as the probe does (probe/chunks.py).  Of each the teacher
draws a question (prompts/question_document.txt), then reads the answer (prompts/read.txt); what makes no
exercise is asked again, `TRIES` times in all: a batch of questions and one of answers each time.

What was written is kept, for exercises that change from one command to the next would void the dialogues
about them.  Where the teacher failed at passages to the last, it is asked about one that it answered before,
about them once more, and about that one again.  If it fails at that one, it is down: nothing of the block is
kept, and the work stops.  If not, the fault is with the passages: they are kept as failed.  Knows nothing of
dialogues.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from time import time_ns

from selfstudy.errors import DataError, ModelError
from selfstudy.files.rows import MalformedError
from selfstudy.judging.grounding import ungrounded
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import Sampling, token_counter
from selfstudy.probe.chunks import Chunk, over_documents
from selfstudy.probe.questions import about_document, first_question
from selfstudy.probe.topics import seed_for
from selfstudy.progress import Reporter
from selfstudy.prompts import Prompts
from selfstudy.records import Completion, Document, digest
from selfstudy.text import folded, one_line, under_title
from selfstudy.verbs.kept import KeptFolder, Made
from selfstudy.verbs.socratic.exercises import LONGEST_REASON, Exercise, Exercises
from selfstudy.verbs.socratic.from_passages import exercise_from
from selfstudy.verbs.voices import Voice

PASSAGE_TOKENS = 512
"""Of a passage at most, as methods 2 has it."""
QUESTION_TOKENS = 64
TRIES = 3
TEMPERATURE = 1.0
"""Of questions, and their tries, as the probe has them (recipe/probe.py).  The most probable ones are all
about the same: of ten pages of atlas ten asked for the population."""
_SHOWN = 3
_KEPT = "written"


class WrittenExercise(Made):
    """What was made of a passage (`id`): a question and its answer, or why they are no exercise.

    Attributes:
        unanswered: the model failed at this passage to the last, while it answered another.
    """

    question: str = ""
    answer: str = ""
    error: str | None = None
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class SourcePassage:
    """A part of a document; `source` names that."""

    id: str
    source: str
    chunk: Chunk

    @property
    def page(self) -> str:
        """What a question is answered out of."""
        return under_title(self.chunk.title, self.chunk.text)


@dataclass(frozen=True, slots=True)
class ExerciseWriter:
    """A teacher that makes exercises of documents, and where they are kept.

    Attributes:
        answer_tokens: longest answer.
    """

    teacher: Voice
    prompts: Prompts
    folder: KeptFolder
    report: Reporter
    answer_tokens: int
    seed: int

    def write(self, documents: Sequence[Document], most: int | None = None) -> Exercises:
        """An exercise of each passage that makes one.

        Args:
            most: passages that are asked about; None: all.

        Raises:
            ModelError: the teacher does not answer.
            DataError: no passage made an exercise; says the commonest reasons.
            RunError: what is kept was made with other settings, is damaged, or cannot be written.
        """
        passages = self._passages(documents, most)
        settings = {
            "passages": digest(*(one.id for one in passages)),
            "teacher": self.teacher.block,
            "prompts": digest(*(self.prompts.text(name) for name in ("question_document", "read"))),
            "tokens": [QUESTION_TOKENS, self.answer_tokens],
            "tries": [TRIES, TEMPERATURE],
            "seed": self.seed,
        }
        with self.report.task("exercises from documents", len(passages)) as advance:
            found = self.folder.keep(
                _KEPT,
                WrittenExercise,
                passages,
                lambda block: self._block(block, passages, advance),
                settings,
                advance,
            )
        return _exercises(passages, found)

    def _passages(self, documents: Sequence[Document], most: int | None) -> list[SourcePassage]:
        sources = {document.id: document.source for document in documents}
        count = token_counter(self.teacher.lm)
        stream = over_documents(documents, PASSAGE_TOKENS, 1, count, self.seed)
        found: dict[str, SourcePassage] = {}
        for chunk in islice(stream, most):
            one = SourcePassage(
                digest("passage", chunk.document_id, chunk.text), sources[chunk.document_id], chunk
            )
            found.setdefault(one.id, one)
        return list(found.values())

    def _block(
        self,
        passages: Sequence[SourcePassage],
        every: Sequence[SourcePassage],
        advance: Callable[[int], None],
    ) -> list[WrittenExercise]:
        """What is made of passages, of `every` one there is."""
        made: dict[str, WrittenExercise] = {}
        todo = list(passages)
        for attempt in range(TRIES):
            made |= {one.id: one for one in self._tried(todo, attempt)}
            left = [one for one in todo if made[one.id].error is not None]
            advance(len(todo) - len(left))
            todo = left
        if lost := [one for one in passages if made[one.id].model_failed]:
            made |= self._lost(lost, made, every)
        advance(len(todo))
        return [made[one.id] for one in passages]

    def _lost(
        self,
        lost: Sequence[SourcePassage],
        made: Mapping[str, WrittenExercise],
        every: Sequence[SourcePassage],
    ) -> dict[str, WrittenExercise]:
        """What one more attempt makes of passages that the model failed at, if it answers at all.

        Args:
            made: what was made of their block.
            every: passage there is.

        Raises:
            ModelError: it fails at a passage too that it answered before, or it answered none yet.
        """
        before = [*made.values(), *self.folder.kept(_KEPT, WrittenExercise)]
        answered = {one.id for one in before if not (one.model_failed or one.unanswered)}
        beside = next((one for one in every if one.id in answered), None)
        found = [made[one.id] for one in lost]
        answers = beside is not None and self._answers(beside)
        if beside is not None and answers:
            found = self._tried(lost, TRIES)
            answers = not any(one.model_failed for one in found) or self._answers(beside)
        if not answers:
            also = ", and at one that it had answered" if beside else ""
            raise ModelError(
                f"the teacher failed at {len(lost):,} of {len(made):,} passages{also}: {found[0].error}",
                "try it: selfstudy doctor --model MODEL; then give the same command again: what is written "
                "is kept, and these passages are asked about again",
            )
        return {
            one.id: one.model_copy(update={"model_failed": False, "unanswered": one.model_failed})
            for one in found
        }

    def _answers(self, passage: SourcePassage) -> bool:
        """Whether the teacher says anything about a passage now; a new seed, for answers may be cached."""
        chat = self.prompts.chat("question_document", document=passage.chunk.text)
        sampling = Sampling(temperature=TEMPERATURE, max_new_tokens=QUESTION_TOKENS, seed=time_ns() % 2**31)
        ((reply,),) = self.teacher.lm.generate([chat], sampling)
        return reply.finish != "error"

    def _tried(self, passages: Sequence[SourcePassage], attempt: int) -> list[WrittenExercise]:
        """What one attempt at each makes; two batches, the second of those that are questions."""
        if not passages:
            return []
        chats = [self.prompts.chat("question_document", document=one.chunk.text) for one in passages]
        sampling = Sampling(
            temperature=TEMPERATURE,
            max_new_tokens=QUESTION_TOKENS,
            seed=seed_for(self.seed, "exercises", attempt),
        )
        replies = self.teacher.lm.generate(chats, sampling)
        asked = [_asked(one, reply) for one, (reply,) in zip(passages, replies, strict=True)]
        good = [i for i, one in enumerate(asked) if one.error is None]
        reads = [
            self.prompts.chat("read", question=asked[i].question, document=passages[i].page) for i in good
        ]
        reading = Sampling(temperature=0.0, max_new_tokens=self.answer_tokens)
        answers = self.teacher.lm.generate(reads, reading) if reads else []
        for i, (reply,) in zip(good, answers, strict=True):
            asked[i] = _answered(passages[i], asked[i].question, reply)
        return asked


def _asked(passage: SourcePassage, reply: Completion) -> WrittenExercise:
    """The question of a reply, or why it is none that can stand for the passage."""
    if reply.finish == "error":
        return _failed(passage, reply)
    question = first_question(reply.text)
    if question is None:
        return WrittenExercise(id=passage.id, error="the teacher asked no question")
    return WrittenExercise(id=passage.id, question=question, error=about_document(question, passage.chunk))


def _answered(passage: SourcePassage, question: str, reply: Completion) -> WrittenExercise:
    """Question and answer of a passage, or why they are no exercise."""
    if reply.finish == "error":
        return _failed(passage, reply, question)
    answer = reply.text.strip()
    why: str | None = None
    if not answer or is_refusal(answer):
        why = "the teacher finds no answer to its question"
    elif strange := ungrounded(question, answer, passage.page):
        why = f"the answer was not read in the passage: {strange}"
    else:
        try:
            _exercise(passage, question, answer)
        except MalformedError as error:
            why = str(error)
    why = None if why is None else one_line(why, LONGEST_REASON)
    return WrittenExercise(id=passage.id, question=question, answer=answer, error=why)


def _failed(passage: SourcePassage, reply: Completion, question: str = "") -> WrittenExercise:
    why = one_line(reply.error or "generation failed", LONGEST_REASON)
    return WrittenExercise(id=passage.id, question=question, error=why, model_failed=True)


def _exercise(passage: SourcePassage, question: str, answer: str) -> Exercise:
    return exercise_from(question, answer, passage.chunk.text, passage.chunk.title)


def _read(passage: SourcePassage, kept: WrittenExercise) -> Exercise:
    if kept.error is not None:
        raise MalformedError(f"the model failed: {kept.error}" if kept.unanswered else kept.error)
    return _exercise(passage, kept.question, kept.answer)


def _exercises(passages: Sequence[SourcePassage], found: Sequence[WrittenExercise]) -> Exercises:
    usable: dict[str, Exercise] = {}
    repeats = 0
    failed: list[str] = []
    reasons: Counter[str] = Counter()
    for passage, one in zip(passages, found, strict=True):
        try:
            exercise = _read(passage, one)
        except MalformedError as error:
            failed.append(f"{passage.source}: {error}")
            reasons[str(error).partition(": ")[0]] += 1
            continue
        repeats += folded(exercise.problem) in usable
        usable.setdefault(folded(exercise.problem), exercise)
    if not usable:
        commonest = "".join(f"\n    {count:,}: {why}" for why, count in reasons.most_common(_SHOWN))
        raise DataError(
            f"none of {len(failed):,} passages became an exercise{commonest}",
            "give a stronger --teacher, or documents whose sentences stand for themselves",
        )
    return Exercises(tuple(usable.values()), repeats, tuple(failed))
