"""Several processes answer, and one of them judges."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from selfstudy.errors import ModelError
from selfstudy.teach.practice import Practice
from selfstudy.teach.trainers import judged
from selfstudy.teach.trainers.processes import Processes

from .policies import EXERCISES, FACTS, practice


@dataclass(frozen=True)
class Threads(Processes):
    """Processes that are threads of this one."""

    meeting: Any = None
    said: dict[int, Any] = field(default_factory=dict)

    def gathered(self, own: Any) -> list[Any]:
        self.meeting.wait(20)
        self.said[self.rank] = own
        self.meeting.wait(20)
        return [self.said[rank] for rank in range(self.count)]

    def told(self, said: Any) -> Any:
        return self.gathered(said)[0]


class Judge:
    """Those of the policies, and how often they are asked."""

    def __init__(self, level: Any) -> None:
        self.of, self.asked = practice(level).rewards, 0
        self.name, self.level, self.told = self.of.name, self.of.level, self.of.told
        self.lock = threading.Lock()  # like much of what judges, it cannot be sent

    def rewards(self, *given: Any, **named: Any) -> Any:
        self.asked += 1
        return self.of.rewards(*given, **named)


def outputs(exercises: Sequence[Any]) -> list[list[str]]:
    return [[f"{FACTS[one.question_id]} [{n}]." for n in (1, 2, 1)] for one in exercises]


@pytest.mark.parametrize("level", ["fine", "random"])
def test_one_judges_for_all_in_one_call_as_if_it_were_alone(level: Any) -> None:
    judge, count = Judge(level), 3
    alone = judge.of.rewards(EXERCISES, outputs(EXERCISES), 5)
    whole = replace(practice(level), rewards=judge)
    sent = pickle.loads(pickle.dumps(judged.without_judge(whole)))
    assert (sent.exercises, sent.rewards.told) == (whole.exercises, judge.told)
    assert (sent.rewards.name, sent.rewards.level) == (judge.name, level)
    meeting, said = threading.Barrier(count), {}  # type: ignore[var-annotated]
    shares = [EXERCISES[:1], [], EXERCISES[1:]]

    def one(rank: int) -> Any:
        items = judged.by_the_leader(
            sent if rank else whole, Threads(rank, count, meeting=meeting, said=said)
        )
        assert items.rewards.told == judge.told
        return items.rewards.rewards(shares[rank], outputs(shares[rank]), 5)

    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(one, range(count)))
    assert [len(one) for one in found] == [1, 0, len(EXERCISES) - 1]
    assert [row for share in found for row in share] == alone
    assert judge.asked == 1


def test_where_the_judge_fails_it_fails_in_all_of_them() -> None:
    """What they train may be left out for it, and they go on together."""
    judge, count = Judge("fine"), 2
    judge.of = SimpleNamespace(rewards=lambda *_, **__: _raise(ModelError("it does not answer", "start it")))
    meeting, said = threading.Barrier(count), {}  # type: ignore[var-annotated]

    def one(rank: int) -> str:
        processes = Threads(rank, count, meeting=meeting, said=said)
        with pytest.raises(ModelError) as told:
            judged.LedRewards(judge, processes).rewards([], [])
        return str(told.value)

    with ThreadPoolExecutor(count) as pool:
        assert list(pool.map(one, range(count))) == ["it does not answer\n  -> start it"] * 2


def _raise(error: Exception) -> Any:
    raise error


def test_what_is_told_of_online_practice_can_be_sent() -> None:
    whole: Any = Practice((), Judge("fine"))  # type: ignore[arg-type]
    sent = pickle.loads(pickle.dumps(judged.without_judge(whole)))
    assert sent.rewards.told == whole.rewards.told
    assert judged.by_the_leader(whole, Processes(0, 2)) is whole
    assert judged.without_judge([1, 2]) == [1, 2]
