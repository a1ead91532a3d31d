"""Exercises, and scripted teachers and students that count how often they are asked."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.judging.tutoring import Solution
from selfstudy.models.base import Progress, Sampling
from selfstudy.models.scripted import Script, ScriptedLM
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Completion, Message, digest
from selfstudy.verbs.socratic.exercises import Exercise
from selfstudy.verbs.socratic.talk import Conversation

TEACHER = "Write the next turn of the teacher.$"
TELLER = "the whole solution, without a question.$"
STUDENT = "Write the next turn of the student.$"
ATTEMPT = "Write the result on the last line"
PROMPTS = Prompts(demonstrations=False)


class Counted(ScriptedLM):
    """Counts its batches, and how many chats were in each."""

    def __init__(self, answers: dict[str, Script | str]) -> None:
        super().__init__(answers)
        self.batches: list[int] = []

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        self.batches.append(len(chats))
        return super().generate(chats, sampling, progress)


def exercise(a: int, b: int) -> Exercise:
    """a times b."""
    problem = f"What is {a} times {b}?"
    return Exercise(
        id=digest(problem),
        problem=problem,
        rationale=f"{a} times {b} is {a * b}.",
        solution=Solution(str(a * b), problem=problem),
    )


TABLE = tuple(exercise(a, b) for a in (6, 7, 8) for b in (7, 9))
"""Six exercises."""


def said(*contents: str) -> Chat:
    """A chat that the student begins."""
    return tuple(
        Message(role="assistant" if i % 2 else "user", content=content) for i, content in enumerate(contents)
    )


def asked(chat: Chat) -> str:
    return chat[-1].content


def conversation(teacher: ScriptedLM, student: ScriptedLM, **ways: object) -> Conversation:
    return Conversation(teacher, student, PROMPTS, **ways)  # type: ignore[arg-type]
