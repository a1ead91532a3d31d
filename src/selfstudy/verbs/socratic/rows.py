"""Dialogues become preference rows: the dialogue so far, the tutor's next turn, and a worse one (methods 3).

    telling   what the teacher says when it is asked for the whole solution
    weak      what a weaker model says as tutor
    outcome   of several next turns those after which fewer students solve the problem (methods-more C):
              here the better turn is a candidate too.  One that gives the answer away counts as if nobody
              had solved it; else the turn that tells everything would always win

Rows are as TRL has preferences, conversational.  What makes no row is counted, by its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic_core import to_json

from selfstudy.judging.tutoring import leaks
from selfstudy.models import transcripts
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Completion, Message, Record
from selfstudy.teach.outcomes import MARGIN, Candidate, preferences
from selfstudy.teach.socratic import NextTurn, next_turns
from selfstudy.text import tokens
from selfstudy.verbs.kept import Made
from selfstudy.verbs.rating.layouts import LAYOUTS
from selfstudy.verbs.socratic.attempts import Examinee
from selfstudy.verbs.socratic.exercises import Exercise
from selfstudy.verbs.socratic.outputs import MARK
from selfstudy.verbs.socratic.talk import Dialogue, TutorKind, tutor_chat

RejectedBy = Literal["telling", "weak", "outcome"]


class Preferred(Record):
    """A better and a worse turn of the tutor after `prompt`."""

    key_fields = ("prompt", "chosen", "rejected")
    prompt: Chat
    chosen: str
    rejected: str


class PreferredTurns(Made):
    """Those of the dialogue about an exercise (`id`), and how many places made none, by reason."""

    pairs: tuple[Preferred, ...]
    without: dict[str, int]


@dataclass(frozen=True, slots=True)
class TurnRows:
    """How worse turns are found.

    Attributes:
        lm: the teacher; for `weak` the weaker model.
        student: who tries after each candidate, and how often.
        splits: rows of a dialogue at most, but for outcomes, where a place may give several.
        candidates: next turns that are compared.
        plain: they are what the teacher says that is told nothing, else those of one who is told to ask.
    """

    lm: LanguageModel
    prompts: Prompts
    rejected: RejectedBy
    student: Examinee
    splits: int = 3
    candidates: int = 4
    plain: bool = False
    turn_tokens: int = 128
    seed: int = 0

    def of(self, exercises: Sequence[Exercise], dialogues: Sequence[Dialogue]) -> list[PreferredTurns]:
        """The rows of each dialogue, in order; a failed one has none."""
        places = [
            _Place(number, exercise, turn)
            for number, (exercise, dialogue) in enumerate(zip(exercises, dialogues, strict=True))
            if dialogue.ended != "failed"
            for turn in next_turns(dialogue.turns, self.splits)
        ]
        found = self._by_outcome(places) if self.rejected == "outcome" else self._worse(places)
        pairs: list[list[Preferred]] = [[] for _ in exercises]
        without: list[Counter[str]] = [Counter() for _ in exercises]
        failed: set[int] = set()
        for place, one in zip(places, found, strict=True):
            pairs[place.number] += one.pairs
            if one.without:
                without[place.number][one.without] += 1
            if one.model_failed:
                failed.add(place.number)
        return [
            PreferredTurns(
                id=exercise.id, pairs=tuple(pairs[i]), without=dict(without[i]), model_failed=i in failed
            )
            for i, exercise in enumerate(exercises)
        ]

    def _replies(self, places: Sequence[_Place], kind: TutorKind, n: int = 1) -> list[list[Completion]]:
        chats = [tutor_chat(self.prompts, kind, place.exercise, place.turn.prompt) for place in places]
        return self.lm.generate(chats, Sampling(n=n, max_new_tokens=self.turn_tokens, seed=self.seed))

    def _worse(self, places: Sequence[_Place]) -> list[_Found]:
        """The turn of the dialogue, and one by the prompt that tells or the model that is weaker."""
        found: list[_Found] = []
        kind: TutorKind = "telling" if self.rejected == "telling" else "socratic"
        for place, (reply,) in zip(places, self._replies(places, kind), strict=True):
            worse = transcripts.turn_of(reply)
            if reply.finish == "error":
                found.append(_Found([], f"the worse turn failed: {reply.error}", model_failed=True))
            elif not tokens(worse):
                found.append(_Found([], "the worse turn is empty, or has no whole sentence"))
            elif tokens(worse) == tokens(place.turn.chosen):
                found.append(_Found([], "the worse turn says the same"))
            else:
                found.append(_Found([place.pair(place.turn.chosen, worse)]))
        return found

    def _by_outcome(self, places: Sequence[_Place]) -> list[_Found]:
        """Pairs of candidates whose students fare differently."""
        replied = self._replies(places, "plain" if self.plain else "socratic", self.candidates)
        turns = [
            list(dict.fromkeys(turn for reply in replies if tokens(turn := transcripts.turn_of(reply))))
            for replies in replied
        ]
        asked = [(place, turn) for place, some in zip(places, turns, strict=True) for turn in some]
        tried = iter(
            self.student.tries(
                [place.exercise.id for place, _ in asked],
                [place.exercise.solution for place, _ in asked],
                [(*place.turn.prompt, Message(role="assistant", content=turn)) for place, turn in asked],
            )
        )
        found: list[_Found] = []
        for place, some, replies in zip(places, turns, replied, strict=True):
            after = [next(tried) for _ in some]
            candidates = [
                Candidate(turn, one.read, 0 if place.leaked_by(turn) else one.right)
                for turn, one in zip(some, after, strict=True)
            ]
            better = preferences(candidates, weight=1.0, margin=MARGIN)
            failures = [reply.error or "generation failed" for reply in replies if reply.finish == "error"]
            pairs = [place.pair(one.chosen.turn, one.rejected.turn) for one in better]
            failed = bool(failures) or any(one.model_failed for one in after)
            found.append(_Found(pairs, "" if pairs else _why_none(candidates, failures), failed))
        return found


def trl_rows(found: Sequence[PreferredTurns]) -> bytes:
    """The file: a line {prompt, chosen, rejected} of messages for each pair, and our mark."""
    return b"".join(
        to_json({**LAYOUTS["trl"](pair.prompt, pair.chosen, pair.rejected), **MARK}) + b"\n"
        for one in found
        for pair in one.pairs
    )


class _Found(NamedTuple):
    """Pairs of a place, why there are none, and whether a model failed at it."""

    pairs: list[Preferred]
    without: str = ""
    model_failed: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a dialogue is cut: that of exercise `number`."""

    number: int
    exercise: Exercise
    turn: NextTurn

    def pair(self, chosen: str, rejected: str) -> Preferred:
        return Preferred(prompt=self.turn.prompt, chosen=chosen, rejected=rejected)

    def leaked_by(self, turn: str) -> bool:
        said = [one.content for one in self.turn.prompt if one.role == "user"]
        return leaks(turn, self.exercise.solution, said) is not None


def _why_none(candidates: Sequence[Candidate], failures: Sequence[str]) -> str:
    """Why candidates that could be compared make no pair; `failures`: of those that could not be said."""
    if sum(one.attempts > 0 for one in candidates) > 1:
        return "the candidates tie"
    if failures and len(candidates) < 2:
        return f"fewer than two candidates: {len(failures)} failed: {failures[0]}"
    if len(candidates) < 2:
        return "fewer than two candidates differ"
    return "fewer than two candidates were measured: the students' attempts failed"
