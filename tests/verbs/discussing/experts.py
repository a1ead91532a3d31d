"""Topics, and scripted experts."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.models.base import Progress, Sampling
from selfstudy.models.scripted import Script, ScriptedLM
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Completion
from selfstudy.verbs.discussing.discussion import Discussants, Discussion, ReceivedRating, SaidPart
from selfstudy.verbs.discussing.topics import DiscussionTopic, given_topics

TURN = "Write the next turn of"
OPENING = "Nobody has talked about it(.*)Write the answer of"
CLOSING = "Write the answer of"
RATES = "Assess the response"
PROMPTS = Prompts(demonstrations=False)


def topics(count: int) -> tuple[DiscussionTopic, ...]:
    return given_topics([f"What is {n} times 7?" for n in range(count)]).usable


def asked(chat: Chat) -> str:
    return chat[-1].content


class Expert(ScriptedLM):
    """Keeps what it was asked, batch by batch."""

    def __init__(
        self,
        name: str,
        turn: Script | str = "",
        opening: Script | str = "",
        closing: Script | str = "",
        rates: Script | str = "Good. [[7]] [[[]]]",
    ) -> None:
        super().__init__(
            {
                RATES: rates,
                TURN: turn or f"{name} goes on.",
                OPENING: opening or f"{name} opens.",
                CLOSING: closing or f"{name} closes.",
            },
            name,
        )
        self.batches: list[list[str]] = []
        self.seeds: set[int] = set()

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        self.batches.append([asked(chat) for chat in chats])
        if sampling.temperature:
            self.seeds.add(sampling.seed)
        return super().generate(chats, sampling, progress)


def discussants(first: ScriptedLM, second: ScriptedLM, **ways: object) -> Discussants:
    """Rewards by the rating alone, unless said otherwise."""
    return Discussants({"first": first, "second": second}, PROMPTS, **{"zeta": 0.0, **ways})  # type: ignore[arg-type]


def ended(number: int = 0, first: float | None = 7, second: float | None = 5, **other: object) -> Discussion:
    """A discussion that ended, with what each received."""
    topic = topics(number + 1)[number]
    made = Discussion(
        id=topic.id,
        topic=topic.text,
        opens=topic.opens,
        openings={"first": part("first", "It is one."), "second": part("second", "It is two.")},
        turns=(part("first", "Why?"), part("second", "")),
        closings={"first": part("first", "It is three."), "second": part("second", "It is two.")},
        received={"first": received(first), "second": received(second)},
    )
    return made.model_copy(update=other)


def part(side: str, text: str, *, cut: bool = False) -> SaidPart:
    return SaidPart(side=side, text=text, cut=cut)  # type: ignore[arg-type]


def received(rating: float | None) -> ReceivedRating:
    if rating is None:
        return ReceivedRating(problem="no rating in [[ ]]")
    return ReceivedRating(rating=rating, missing="the reason", reward=(rating - 5) / 5)


def broken() -> Discussion:
    return ended(error="the opening of the first model: it is empty", closings={}, received={})
