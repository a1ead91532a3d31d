"""What lm-eval asks, asked of our models: batches, failures that are told, ways of generating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import pytest

from selfstudy.models.base import NoLogprobsError, Progress, Sampling
from selfstudy.records import Chat, Completion
from selfstudy.verify.suites.lm_eval_lm import HarnessAsker


@dataclass
class Request:
    args: tuple[object, ...]
    task_name: str = "t"
    doc_id: int = 0


class Counting:
    """Each character of a text is a token of -1, but "x" cannot be scored; says how it was asked."""

    name = "counting"
    wants_demonstrations = False

    def __init__(self) -> None:
        self.calls: list[list[tuple[str, str]]] = []
        self.asked: list[tuple[list[str], Sampling]] = []

    def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
        self.calls.append(list(zip(befores, texts, strict=True)))
        return [[] if "x" in text else [-1.0] * len(text) for text in texts]

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        raise AssertionError

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        self.asked.append(([one[-1].content for one in chats], sampling))
        return [
            [
                Completion(text="", finish="error", error="gone")
                if "x" in c[-1].content
                else Completion(text="A")
            ]
            for c in chats
        ]


def test_all_continuations_are_one_batch_each_asked_once_and_spaces_belong_to_them() -> None:
    lm = Counting()
    asker = HarnessAsker(lm)
    requests = [Request(("Q: ", "yes")), Request(("Q:", " yes")), Request(("", "no"), doc_id=1)]
    assert asker.loglikelihood(requests) == [(-4.0, False), (-4.0, False), (-2.0, False)]
    assert lm.calls == [[("Q:", " yes"), ("", "no")]]
    assert asker.loglikelihood_rolling([Request(("a word",))]) == [-6.0]
    assert not asker.failed


def test_what_cannot_be_scored_is_failed_and_no_number() -> None:
    asker = HarnessAsker(Counting())
    (first, _), (second, _) = asker.loglikelihood([Request(("a", "x")), Request(("a", "b"), doc_id=1)])
    assert isnan(first)
    assert second == -1.0
    assert list(asker.failed) == [("t", 0)]
    assert asker.generate_until([Request(("x", {}), "g", 3)]) == [""]
    assert asker.failed["g", 3] == "gone"


def test_generation_is_greedy_unless_the_task_samples_and_stops_where_it_says() -> None:
    lm = Counting()
    asker = HarnessAsker(lm)
    greedy = {"until": ["\n", ""], "max_gen_toks": 7, "do_sample": False, "temperature": 0.7}
    warm = {"until": "Q:", "do_sample": True, "temperature": 0.7, "top_p": 0.9}
    requests = [Request(("one\nAnswer:", greedy)), Request(("two", warm)), Request(("three", greedy))]
    assert asker.generate_until(requests) == ["A", "A", "A"]
    (some, first), (_, second) = lm.asked
    assert some == ["one\nAnswer:", "three"]
    assert (first.temperature, first.max_new_tokens, first.stop) == (0.0, 7, ("\n",))
    assert (second.temperature, second.top_p, second.max_new_tokens, second.stop) == (0.7, 0.9, 256, ("Q:",))
    lm.wants_demonstrations = True
    asker.generate_until(requests[:1])
    assert lm.asked[-1][0] == ["one"]  # it is given a mark of its own


def test_a_model_without_log_probabilities_says_so() -> None:
    class Silent(Counting):
        text_logprobs = None  # type: ignore[assignment]

    with pytest.raises((NoLogprobsError, TypeError)):
        HarnessAsker(Silent()).loglikelihood([Request(("a", "b"))])
