"""Likelihood of the claim, worked by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from selfstudy.models.base import NoLogprobsError
from selfstudy.models.scripted import ScriptedLM
from selfstudy.probe.scorers.claim_likelihood import HALF, ClaimLikelihood
from selfstudy.prompts import Prompts
from selfstudy.records import Answer, Chat, Completion, Question


class Words(ScriptedLM):
    """Every word costs what its length is, in nats; the chats that it was given are kept."""

    def __init__(self) -> None:
        super().__init__({})
        self.chats: list[Chat] = []

    def word_logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        self.chats += chats
        return [[(word, -float(len(word))) for word in text.split()] for text in texts]


def nll(asked: str, said: str) -> float:
    lm = Words()
    question = Question(text=asked)
    answer = Answer(question_id=question.id, passage=Completion(text=said, tokens=3), samples=())
    (found,) = ClaimLikelihood(lm, Prompts()).score([question], [answer])
    assert lm.chats == [Prompts().chat("answer", question=asked)]
    assert found.value == pytest.approx(found.parts["nll"] / (found.parts["nll"] + HALF))
    return found.parts["nll"]


@pytest.mark.parametrize(
    ("asked", "said", "claimed"),
    [
        ("What is the capital of Fiji?", "The capital of Fiji is Suva.", ["Suva."]),
        ("What is the capital of Peru?", "It is San José del Cabo, in the south.", ["San", "José", "Cabo,"]),
        ("When did he die?", "He died in 1912 at Rome's gate.", ["1912", "Rome's"]),
        ("What colour is grass?", "Grass is green.", ["green."]),
        ("Is grass green?", "Yes.", ["Yes."]),
        ("Who is it?", "Who is it", ["Who", "is", "it"]),
    ],
)
def test_only_what_the_answer_adds_counts(asked: str, said: str, claimed: list[str]) -> None:
    assert nll(asked, said) == sum(map(len, claimed))


def test_a_server_has_no_score() -> None:
    class Remote(Words):
        def word_logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
            raise NoLogprobsError("no words here", "take another")

    class Mute(Words):
        def word_logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
            return [[] for _ in texts]

    question = Question(text="Who?")
    answer = Answer(question_id=question.id, passage=Completion(text="Ann.", tokens=1), samples=())
    for lm, why in ((Remote(), "no words here"), (Mute(), "gave no probability")):
        (found,) = ClaimLikelihood(lm, Prompts()).score([question], [answer])
        assert found.value is None
        assert why in str(found.error)
