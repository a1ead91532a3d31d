"""A small suite: who is the mayor, asked greedily in blocks; and items made for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from selfstudy.models.base import LanguageModel, Progress, Sampling, chat
from selfstudy.records import SuiteItem
from selfstudy.verify.suites.base import Measure, SuiteTools

HOW = Sampling(n=0, greedy_first=True, max_new_tokens=20)
MEASURES = (
    Measure("right", "right", main=True, explanation="names the mayor"),
    Measure("length", "characters", better="neither"),
)


class TownsSuite:
    """Fulfils `Suite`; notes every block that it asks."""

    name = "towns"
    measures = MEASURES
    notes = ("Towns that nobody knows.",)

    def __init__(self, towns: Sequence[int], block: int = 5) -> None:
        self.towns = list(towns)
        self.block = block
        self.asked: list[tuple[str, int]] = []
        self.seen_before: list[int] = []

    def __len__(self) -> int:
        return len(self.towns)

    def run(
        self,
        lm: LanguageModel,
        tools: SuiteTools,
        arm: Literal["base", "taught"],
        before: Sequence[SuiteItem] = (),
        done: frozenset[str] = frozenset(),
        progress: Progress | None = None,
    ) -> Iterator[list[SuiteItem]]:
        self.seen_before.append(len(before))
        for start in range(0, len(self.towns), self.block):
            towns = self.towns[start : start + self.block]
            if all(str(one) in done for one in towns):
                continue
            self.asked.append((arm, start))
            answers = lm.generate([chat(f"Who is the mayor of Town{one}?") for one in towns], HOW, progress)
            yield [
                item(
                    str(one),
                    arm,
                    answer.text,
                    right=f"Mayor{one}" in answer.text,
                    error=answer.error,
                    suite=self.name,
                )
                for one, (answer,) in zip(towns, answers, strict=True)
            ]


def item(
    name: str,
    arm: Literal["base", "taught", "weaker"] = "base",
    answer: str = "",
    *,
    right: bool = True,
    error: str | None = None,
    about: str = "",
    suite: str = "towns",
    **parts: float,
) -> SuiteItem:
    """An item with its parts; by default whether it is right."""
    found = parts or {"right": float(right), "characters": float(len(answer))}
    return SuiteItem(
        suite=suite,
        arm=arm,
        item=name,
        asked=f"Town{name}?",
        answer=answer,
        parts={} if error else found,
        error=error,
        about=about,
    )


def arm_of(arm: Literal["base", "taught", "weaker"], right: Sequence[bool]) -> list[SuiteItem]:
    """An item for each of these, right or wrong."""
    return [item(str(n), arm, right=one) for n, one in enumerate(right)]
