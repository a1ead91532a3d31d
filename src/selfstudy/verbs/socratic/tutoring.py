"""Exercises are tutored: dialogues first, then what rows and measures need, each kept as it is made.

exercises.py  what is tutored           voices.py    which models speak   talk.py   turn by turn
outputs.py    what may be replaced      rows.py      preference rows      attempts.py  what students solve
judged.py     verdicts of a judge       measures.py  the figures          given.py  dialogues of others
from_run.py, from_documents.py       exercises that no file holds (from_passages.py: what both ask of one)
verbs/kept.py has what survives a kill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from selfstudy.progress import Reporter
from selfstudy.records import Chat, digest
from selfstudy.teach.socratic import SPLITS
from selfstudy.verbs.kept import KeptFolder, Made
from selfstudy.verbs.socratic.attempts import Attempts, Examinee
from selfstudy.verbs.socratic.exercises import Exercise
from selfstudy.verbs.socratic.judged import JudgedTurns, TutorJudge
from selfstudy.verbs.socratic.measures import TutorMeasures, measured
from selfstudy.verbs.socratic.rows import PreferredTurns, RejectedBy, TurnRows
from selfstudy.verbs.socratic.talk import Conversation, Dialogue, TutorKind, dialogues
from selfstudy.verbs.voices import Voice

COMPARED: tuple[TutorKind, ...] = ("silent", "socratic", "telling")
_TALKED = ("tutor", "tell", "student", "student_misconception", "student_pressing", "dialogue")
_JUDGED = ("judge_asks", "judge_leaks")


@dataclass(frozen=True, slots=True)
class Tutoring:
    """The exercises, who talks about them and how, and where it is kept.

    Attributes:
        teacher, student: whose models `talk` has.
        attempts: of a student before and after each dialogue; 0: none.
        attempt_tokens: most of each.
    """

    exercises: Sequence[Exercise]
    talk: Conversation
    teacher: Voice
    student: Voice
    folder: KeptFolder
    report: Reporter
    attempts: int = 4
    attempt_tokens: int = 256

    def dialogues(self, tutor: TutorKind) -> list[Dialogue]:
        """Those of one tutor."""
        talk = self._as(tutor)
        with self.report.task(f"dialogues, {tutor} tutor", len(self.exercises)) as advance:
            found = self.folder.keep(
                _named("dialogues", tutor),
                Dialogue,
                self.exercises,
                lambda block: dialogues(talk, block, advance),
                self._talked(talk),
                advance,
            )
        self._say_failed(_named("dialogues", tutor), found)
        return found

    def rows(
        self,
        found: Sequence[Dialogue],
        rejected: RejectedBy,
        voice: Voice,
        splits: int = SPLITS,
        candidates: int = 4,
    ) -> list[PreferredTurns]:
        """Preference rows of dialogues; `voice` says the worse turns, or the candidates."""
        rows = TurnRows(
            lm=voice.lm,
            prompts=self.talk.prompts,
            rejected=rejected,
            student=self._student(),
            splits=splits,
            candidates=candidates,
            plain=found[0].tutor == "plain",
            turn_tokens=self.talk.turn_tokens,
            seed=self.talk.seed,
        )
        said = {one.id: one for one in found}
        settings = {
            **self._talked(self._as(found[0].tutor)),
            **{"worse by": voice.block, "rejected": rejected, "splits": splits, "candidates": candidates},
            **(self._tried() if rejected == "outcome" else {}),
        }
        return self._kept(
            f"rows.{rejected}",
            PreferredTurns,
            lambda block: rows.of(block, [said[one.id] for one in block]),
            settings,
            said,
        )

    def measures(self, said: Iterable[Sequence[Dialogue]], judge: Voice | None = None) -> list[TutorMeasures]:
        """Of the dialogues of each tutor; what its students solve too, if they try at all."""
        before = self._attempts("before", {}, self._tried()) if self.attempts else []
        return [self._measured(found, before, judge) for found in said]

    def _measured(
        self, found: Sequence[Dialogue], before: Sequence[Attempts], judge: Voice | None
    ) -> TutorMeasures:
        by_id, tutor = {one.id: one for one in found}, found[0].tutor
        talked = self._talked(self._as(tutor))
        judged: list[JudgedTurns] = []
        if judge is not None:
            asked = TutorJudge(judge.lm, self.talk.prompts)
            judged = self._kept(
                _named("judged", tutor),
                JudgedTurns,
                lambda block: asked.of(block, [by_id[one.id] for one in block]),
                {**talked, "judge": judge.block, "judge prompts": self._prompts(_JUDGED)},
                by_id,
            )
        learned = None
        if before:
            settings = {**talked, **self._tried()}
            after = self._attempts(_named("after", tutor), by_id, settings)
            learned = (before, after)
        return measured(self.exercises, found, self.talk.seed, judged, learned)

    def _attempts(
        self, name: str, said: Mapping[str, Dialogue], settings: dict[str, object]
    ) -> list[Attempts]:
        """After the dialogues `said`, by exercise; empty: alone."""
        student = self._student()

        def heard(one: Exercise) -> Chat:
            return said[one.id].turns if said else ()

        return self._kept(
            name,
            Attempts,
            lambda block: student.tries(
                [one.id for one in block], [one.solution for one in block], [heard(one) for one in block]
            ),
            settings,
            said,
        )

    def _kept(
        self,
        name: str,
        kind: type[R],
        make: Callable[[Sequence[Exercise]], list[R]],
        settings: dict[str, object],
        said: Mapping[str, Dialogue],
    ) -> list[R]:
        """What is made of the dialogues `said`; of one that is not kept nothing is."""
        with self.report.task(name, len(self.exercises)) as advance:

            def made(block: Sequence[Exercise]) -> list[R]:
                found = make(block)
                advance(len(block))
                if any(said[one.id].model_failed for one in block if one.id in said):
                    return [record.model_copy(update={"model_failed": True}) for record in found]
                return found

            found = self.folder.keep(name, kind, self.exercises, made, settings, advance)
        if not any(one.model_failed for one in said.values()):
            self._say_failed(name, found)
        return found

    def _say_failed(self, name: str, found: Sequence[Made]) -> None:
        failed = sum(one.model_failed for one in found)
        if failed:
            self.report.note(
                f"{name}: a model failed at {failed:,} of {len(found):,}; their blocks are not kept: "
                "the same command makes them again"
            )

    def _as(self, tutor: TutorKind) -> Conversation:
        return replace(self.talk, tutor=tutor, whole=self.talk.whole and tutor == "socratic")

    def _student(self) -> Examinee:
        return Examinee(
            self.student.lm, self.talk.prompts, max(1, self.attempts), self.attempt_tokens, self.talk.seed
        )

    def _talked(self, talk: Conversation) -> dict[str, object]:
        """What dialogues are made with."""
        return {
            "exercises": digest(*(part for one in self.exercises for part in _parts(one))),
            "teacher": self.teacher.block,
            "student": self.student.block,
            "prompts": self._prompts(_TALKED),
            **{name: getattr(talk, name) for name in _WAYS},
        }

    def _tried(self) -> dict[str, object]:
        """What attempts are made with."""
        return {
            "exercises": digest(*(part for one in self.exercises for part in _parts(one))),
            "student": self.student.block,
            "attempt prompt": self._prompts(["attempt"]),
            **{"attempts": self.attempts, "attempt_tokens": self.attempt_tokens, "seed": self.talk.seed},
        }

    def _prompts(self, names: Iterable[str]) -> str:
        return digest(*(self.talk.prompts.text(name) for name in names))


R = TypeVar("R", bound=Made)
_WAYS = ("tutor", "plays", "whole", "turns", "turn_tokens", "temperature", "misconception", "seed")


def _named(what: str, tutor: TutorKind) -> str:
    return what if tutor == "socratic" else f"{what}.{tutor}"


def _parts(one: Exercise) -> tuple[str, ...]:
    return one.id, one.rationale, one.solution.answer, one.solution.option, one.misconception
