"""Two models discuss topics and rate each other: all discussions of a block advance together.

    opening   each answers alone (prompts/discuss_answer.txt, without a discussion)
    turns     they speak in turn and see all that was said, the openings first (prompts/discuss.txt)
    closing   each answers again, with the discussion in view (discuss_answer.txt)
    rating    each rates the other's closing answer and says what it lacks (prompts/missing.txt)

A call of a model asks all that it has to say at one step.  A turn that is empty is left out of what is seen
and counted; an opening or a closing that is empty ends the discussion as broken off.  A rating that cannot be
read is none, never zero.  Knows nothing of files, nor of pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from selfstudy.judging.judge import PromptedJudge
from selfstudy.judging.missing import Unscored
from selfstudy.judging.missing_reward import ZETA, MissingReward
from selfstudy.judging.rewards import JUDGE_FAILED, Response, Reward
from selfstudy.models import transcripts
from selfstudy.models.base import Embedder, LanguageModel, Sampling
from selfstudy.models.transcripts import EXPERTS
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Message
from selfstudy.text import tokens
from selfstudy.verbs.discussing.topics import SIDES, DiscussionTopic, Side
from selfstudy.verbs.kept import Made

TEMPERATURE = 0.7
"""Of all that is said; a guess."""


class SaidPart(BaseModel):
    """What a model said at one step; `cut`: it came to the limit of tokens, and keeps its whole sentences."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    side: Side
    text: str
    cut: bool = False


class ReceivedRating(BaseModel):
    """What the other model says of a closing answer.

    Attributes:
        rating: from 1 to 10; None: it could not be read, and `problem` says why.
        missing: what the answer lacks; "" where nothing is missing.
        reward: by `missing.reward`, in [-1, 1].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rating: float | None = None
    missing: str = ""
    reward: float | None = None
    problem: str = ""

    @property
    def valued(self) -> Reward:
        """As whatever makes pairs takes it."""
        return Reward(self.reward, self.missing or "nothing is missing", self.problem)


class Discussion(Made):
    """What was said about a topic (`id`).

    Attributes:
        opens: who speaks first, as "Expert A".
        turns: in their order, empty ones too.
        received: by whose closing answer was rated; empty if it broke off.
        error: why it broke off.
    """

    topic: str
    opens: Side
    openings: dict[Side, SaidPart]
    turns: tuple[SaidPart, ...]
    closings: dict[Side, SaidPart]
    received: dict[Side, ReceivedRating]
    error: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        parts = (self.openings, self.closings, self.received)
        if not self.error and any(set(part) != set(SIDES) for part in parts):
            raise ValueError("it has not both models' openings, closings and ratings, and no error")
        return self


@dataclass(frozen=True, slots=True)
class Discussants:
    """Who discusses, and how.

    Attributes:
        lms: by side; both may be one model.
        turns: of each between opening and closing.
        turn_tokens: most of one turn or answer.
        zeta: share of the similarity in the reward; above 0 it needs an embedder.
        seed: of the first model; the second has the next one.
    """

    lms: Mapping[Side, LanguageModel]
    prompts: Prompts
    turns: int = 4
    turn_tokens: int = 128
    temperature: float = TEMPERATURE
    zeta: float = ZETA
    embedder: Embedder | None = None
    seed: int = 0

    def sampling(self, side: Side) -> Sampling:
        """Of one turn."""
        return Sampling(
            temperature=self.temperature,
            max_new_tokens=self.turn_tokens,
            seed=self.seed + SIDES.index(side),
        )


@dataclass
class _Open:
    """A discussion that is going on."""

    topic: DiscussionTopic
    openings: dict[Side, SaidPart] = field(default_factory=dict)
    turns: list[SaidPart] = field(default_factory=list)
    closings: dict[Side, SaidPart] = field(default_factory=dict)
    received: dict[Side, ReceivedRating] = field(default_factory=dict)
    error: str | None = None
    model_failed: bool = False

    def role(self, side: Side) -> Literal["user", "assistant"]:
        return "user" if side == self.topic.opens else "assistant"

    def seen(self) -> str:
        """The discussion as both see it; while only one has opened, nothing."""
        if len(self.openings) < len(SIDES):
            return transcripts.NOBODY
        opened = sorted(self.openings.values(), key=lambda said: said.side != self.topic.opens)
        said: Chat = tuple(
            Message(role=self.role(one.side), content=one.text)
            for one in (*opened, *self.turns)
            if tokens(one.text)
        )
        return transcripts.written(said, EXPERTS)

    def break_off(self, what: str, side: Side, why: str, *, model_failed: bool) -> None:
        self.error = f"the {what} of the {side} model: {why}"
        self.model_failed = model_failed

    def closed(self) -> Discussion:
        """The record of it."""
        return Discussion(
            id=self.topic.id,
            topic=self.topic.text,
            opens=self.topic.opens,
            openings=self.openings,
            turns=tuple(self.turns),
            closings=self.closings,
            received={} if self.error else self.received,
            error=self.error,
            model_failed=self.model_failed,
        )


def discuss(
    way: Discussants, topics: Sequence[DiscussionTopic], advance: Callable[[int], None] = lambda count: None
) -> list[Discussion]:
    """A discussion of each topic, in order.

    Args:
        advance: called with the number of discussions newly ended.
    """
    every = [_Open(topic) for topic in topics]
    for side in SIDES:
        for one, said in _said(way, side, every, "opening"):
            one.openings[side] = said
    for _ in range(way.turns):
        for role in ("user", "assistant"):
            for side in SIDES:
                speaking = [one for one in every if one.role(side) == role]
                for one, said in _said(way, side, speaking, "turn"):
                    one.turns.append(said)
    for side in SIDES:
        for one, said in _said(way, side, every, "closing"):
            one.closings[side] = said
    for side in SIDES:
        _rate(way, side, [one for one in every if not one.error])
    advance(len(every))
    return [one.closed() for one in every]


def _said(
    way: Discussants, side: Side, speaking: Sequence[_Open], what: Literal["opening", "turn", "closing"]
) -> list[tuple[_Open, SaidPart]]:
    """What a model says in each discussion that goes on; one batch."""
    live = [one for one in speaking if not one.error]
    if not live:
        return []
    name = "discuss" if what == "turn" else "discuss_answer"
    chats = [
        way.prompts.chat(
            name, speaker=EXPERTS.names[one.role(side)], topic=one.topic.text, discussion=one.seen()
        )
        for one in live
    ]
    found = []
    for one, (reply,) in zip(live, way.lms[side].generate(chats, way.sampling(side)), strict=True):
        text = transcripts.turn_of(reply, one.role(side), EXPERTS)
        cut = transcripts.is_cut(reply, one.role(side), EXPERTS)
        if reply.finish == "error":
            one.break_off(what, side, reply.error or "generation failed", model_failed=True)
        elif what != "turn" and not tokens(text):
            why = "no sentence of it ended within the limit of tokens" if cut else "it is empty"
            one.break_off(what, side, why, model_failed=False)
        else:
            found.append((one, SaidPart(side=side, text=text, cut=cut)))
    return found


def _rate(way: Discussants, rater: Side, live: Sequence[_Open]) -> None:
    """A model rates the closing answers of the other one; one batch."""
    other = SIDES[1 - SIDES.index(rater)]
    rewarder = MissingReward(PromptedJudge(way.lms[rater], way.prompts), way.zeta, way.embedder)
    asked = [Response(one.topic.text, one.closings[other].text) for one in live]
    for one, (said, reward) in zip(live, rewarder.judged(asked), strict=True):
        if isinstance(said, Unscored):
            one.received[other] = ReceivedRating(problem=said.reason)
            one.model_failed |= said.reason.startswith(JUDGE_FAILED)
        else:
            one.received[other] = ReceivedRating(
                rating=said.rating, missing=said.missing, reward=reward.value
            )
