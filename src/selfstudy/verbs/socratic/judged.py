"""What a judge says of every tutor turn: does it ask, does it leak?  Beside the rules, never instead of them.

A reply that begins with neither yes nor no is not counted, and told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.judging.choices import chosen
from selfstudy.models import transcripts
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Completion
from selfstudy.verbs.kept import Made
from selfstudy.verbs.socratic.exercises import Exercise
from selfstudy.verbs.socratic.talk import Dialogue

_TOKENS = 8


class JudgedTurns(Made):
    """Of the dialogue about an exercise (`id`), for each tutor turn: asks, leaks; None: not readable."""

    asks: tuple[bool | None, ...]
    leaks: tuple[bool | None, ...]


@dataclass(frozen=True, slots=True)
class TutorJudge:
    """A model that judges tutors' turns."""

    lm: LanguageModel
    prompts: Prompts

    def of(self, exercises: Sequence[Exercise], dialogues: Sequence[Dialogue]) -> list[JudgedTurns]:
        """Verdicts on each dialogue, in order; one batch of both questions."""
        chats: list[Chat] = []
        for exercise, dialogue in zip(exercises, dialogues, strict=True):
            for i in _tutored(dialogue):
                chats += self._chats(exercise, dialogue.turns, i)
        sampling = Sampling(temperature=0.0, max_new_tokens=_TOKENS)
        replies = iter(self.lm.generate(chats, sampling) if chats else [])
        found = []
        for dialogue in dialogues:
            said = [(next(replies)[0], next(replies)[0]) for _ in _tutored(dialogue)]
            found.append(
                JudgedTurns(
                    id=dialogue.id,
                    asks=tuple(_yes(asks) for asks, _ in said),
                    leaks=tuple(_yes(leaks) for _, leaks in said),
                    model_failed=any(reply.finish == "error" for both in said for reply in both),
                )
            )
        return found

    def _chats(self, exercise: Exercise, turns: Chat, place: int) -> list[Chat]:
        turn = turns[place].content
        return [
            self.prompts.chat("judge_asks", turn=turn),
            self.prompts.chat(
                "judge_leaks",
                problem=exercise.problem,
                answer=exercise.solution.answer,
                dialogue=transcripts.written(turns[:place]),
                turn=turn,
            ),
        ]


def _tutored(dialogue: Dialogue) -> list[int]:
    return [i for i, turn in enumerate(dialogue.turns) if turn.role == "assistant"]


def _yes(reply: Completion) -> bool | None:
    word = None if reply.finish == "error" else chosen(reply.text, ("yes", "no"))
    return None if word is None else word == "yes"
