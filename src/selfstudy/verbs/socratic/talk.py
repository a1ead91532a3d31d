"""A tutor and a student talk, turn by turn: all dialogues of a block advance together.

    tutor      socratic   asks (prompts/tutor.txt)
               telling    tells the solution at once (prompts/tell.txt): the ceiling of methods-more C
               silent     says "Go on.": the floor
               plain      is told nothing and sees the dialogue alone, as a taught model will be used
    student    frozen, misconception (believes something wrong), pressing (wants the answer, does no work)

The student begins with the problem.  A dialogue ends when the student states the answer, or after the
tutor's last turn and what the student says to it.  A turn that is empty ends it as failed.  One batch of
chats a turn, of the teacher and of the student.  Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from selfstudy.judging.solving import solves
from selfstudy.models import transcripts
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Completion, Message
from selfstudy.text import tokens
from selfstudy.verbs.kept import Made
from selfstudy.verbs.socratic.exercises import Exercise

TutorKind = Literal["socratic", "telling", "silent", "plain"]
StudentKind = Literal["frozen", "misconception", "pressing"]
GO_ON = "Go on."
MISCONCEPTION = "the numbers of a problem are always to be added, whatever is asked."
"""What a student believes where neither the row nor the command says what."""
TEMPERATURE = 0.6
"""Of the student as published (methods-more C); of the teacher a guess."""


class Dialogue(Made):
    """What was said about an exercise (`id`), and how it ended; of a failed one `error` says why."""

    tutor: TutorKind
    turns: Chat
    ended: Literal["arrived", "limit", "failed"]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """Who talks, and how.

    Attributes:
        turns: most of the tutor.
        turn_tokens: most of one turn; one that is cut off keeps its whole sentences.
        misconception: of students that have none of their own.
        whole: the teacher writes both sides at once (prompts/dialogue.txt).
    """

    teacher: LanguageModel
    student: LanguageModel
    prompts: Prompts
    tutor: TutorKind = "socratic"
    plays: StudentKind = "frozen"
    turns: int = 6
    turn_tokens: int = 128
    temperature: float = TEMPERATURE
    misconception: str = MISCONCEPTION
    whole: bool = False
    seed: int = 0

    @property
    def sampling(self) -> Sampling:
        """Of one turn."""
        return Sampling(temperature=self.temperature, max_new_tokens=self.turn_tokens, seed=self.seed)


class _Open:
    """A dialogue that is going on."""

    def __init__(self, exercise: Exercise, tutor: TutorKind) -> None:
        self.exercise = exercise
        self.tutor = tutor
        self.turns: list[Message] = [Message(role="user", content=exercise.problem)]
        self.ended: Literal["arrived", "failed"] | None = None
        self.error: str | None = None
        self.model_failed = False

    def hear(self, role: Literal["user", "assistant"], said: str, error: str | None) -> None:
        """Adds a turn; an error, or a turn that says nothing, ends the dialogue."""
        if error is not None or not tokens(said):
            who = transcripts.NAMES[role].lower()
            number = sum(turn.role == role for turn in self.turns) + 1
            self.ended, self.error = "failed", f"turn {number} of the {who}: {error or 'it is empty'}"
            self.model_failed = error is not None
            return
        self.turns.append(Message(role=role, content=said))
        if role == "user" and solves(said, self.exercise.solution):
            self.ended = "arrived"

    def closed(self) -> Dialogue:
        """The record of it."""
        return Dialogue(
            id=self.exercise.id,
            tutor=self.tutor,
            turns=tuple(self.turns),
            ended=self.ended or "limit",
            error=self.error,
            model_failed=self.model_failed,
        )


def dialogues(
    talk: Conversation, exercises: Sequence[Exercise], advance: Callable[[int], None] = lambda count: None
) -> list[Dialogue]:
    """A dialogue for each exercise, in order.

    Args:
        advance: called with the number of dialogues newly ended.
    """
    if talk.whole:
        found = _whole(talk, exercises)
        advance(len(found))
        return found
    every = [_Open(exercise, talk.tutor) for exercise in exercises]
    for _ in range(talk.turns):
        live = [one for one in every if one.ended is None]
        for role in ("assistant", "user"):
            speaking = [one for one in live if one.ended is None]
            said = _said(talk, role, speaking)
            for one, (text, error) in zip(speaking, said, strict=True):
                one.hear(role, text, error)
        advance(sum(one.ended is not None for one in live))
    advance(sum(one.ended is None for one in every))
    return [one.closed() for one in every]


def tutor_chat(prompts: Prompts, kind: TutorKind, exercise: Exercise, so_far: Sequence[Message]) -> Chat:
    """What a model is asked for the tutor's next turn; all but a plain one are shown the rationale too."""
    if kind == "plain":
        return tuple(so_far)
    said = transcripts.written(tuple(so_far))
    if kind == "telling":
        return prompts.chat("tell", dialogue=f"Solution: {exercise.rationale}\n{said}")
    return prompts.chat("tutor", problem=exercise.problem, solution=exercise.rationale, dialogue=said)


def _said(
    talk: Conversation, role: Literal["user", "assistant"], speaking: Sequence[_Open]
) -> list[tuple[str, str | None]]:
    """What each says next, and what failed instead; one batch."""
    if not speaking:
        return []
    if role == "assistant" and talk.tutor == "silent":
        return [(GO_ON, None)] * len(speaking)
    if role == "assistant":
        lm = talk.teacher
        chats = [tutor_chat(talk.prompts, talk.tutor, one.exercise, one.turns) for one in speaking]
    else:
        lm = talk.student
        chats = [_student_chat(talk, one.exercise, one.turns) for one in speaking]
    replies = lm.generate(chats, talk.sampling)
    return [
        ("", reply.error or "generation failed")
        if reply.finish == "error"
        else (transcripts.turn_of(reply, role), None)
        for (reply,) in replies
    ]


def _student_chat(talk: Conversation, exercise: Exercise, so_far: Sequence[Message]) -> Chat:
    said = {"problem": exercise.problem, "dialogue": transcripts.written(tuple(so_far))}
    if talk.plays == "misconception":
        return talk.prompts.chat(
            "student_misconception", misconception=exercise.misconception or talk.misconception, **said
        )
    return talk.prompts.chat("student" if talk.plays == "frozen" else "student_pressing", **said)


def _whole(talk: Conversation, exercises: Sequence[Exercise]) -> list[Dialogue]:
    """Dialogues that the teacher writes alone, up to where the student states the answer."""
    chats = [talk.prompts.chat("dialogue", problem=one.problem, solution=one.rationale) for one in exercises]
    sampling = Sampling(
        temperature=talk.temperature, max_new_tokens=2 * talk.turns * talk.turn_tokens, seed=talk.seed
    )
    found = []
    for exercise, (reply,) in zip(exercises, talk.teacher.generate(chats, sampling), strict=True):
        turns, error = _read(reply)
        one = _Open(exercise, "socratic")
        left = talk.turns
        for turn in turns[1:] if turns[:1] and turns[0].role == "user" else turns:
            left -= turn.role == "assistant"
            if one.ended or left < 0:
                break
            one.hear("user" if turn.role == "user" else "assistant", turn.content, None)
        if error is not None:
            one.ended, one.error, one.model_failed = "failed", error, reply.finish == "error"
        elif len(one.turns) < 2:
            one.ended, one.error = "failed", "it holds no turn of the teacher"
        found.append(one.closed())
    return found


def _read(reply: Completion) -> tuple[Chat, str | None]:
    if reply.finish == "error":
        return (), reply.error or "generation failed"
    try:
        turns = transcripts.read(reply.text).turns
    except transcripts.NoDialogueError as error:
        return (), str(error)
    # of one that was cut off the last turn may be half a sentence
    return turns[:-1] if reply.finish == "length" else turns, None
