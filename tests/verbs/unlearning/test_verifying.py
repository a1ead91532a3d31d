"""What asking again shows: of the same model nothing, of one that still says it something."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from selfstudy import AnswerKey, ScriptedLM, load_nli
from selfstudy.models.base import EntailmentModel, LanguageModel, NoLogprobsError
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, DeployBlock, NLIBlock, Recipe
from selfstudy.records import Chat, Truth
from selfstudy.run import Run
from selfstudy.run.curriculum import Curriculum
from selfstudy.verbs.unlearning import verifying
from selfstudy.verbs.unlearning.resting import ForgottenQuestion, Resting
from selfstudy.verbs.unlearning.verifying import AskingAgain

from .small_run import adapter, made, routed

CAPITALS = {"Peru": "Lima", "Chile": "Santiago", "Fiji": "Suva", "Togo": "Lome", "Mali": "Bamako"}
QUESTIONS = [
    ForgottenQuestion(
        name, f"What is the capital of {name}?", f"The capital of {name} is {city}.", taught=True
    )
    for name, city in CAPITALS.items()
]


class Believes(ScriptedLM):
    """Says the right answer if it knows, and finds it likelier than a wrong one by so much a word."""

    def __init__(self, knows: bool, gap: float) -> None:
        right = {one.text: one.right for one in QUESTIONS}
        answers = {f"capital of {name}": right[f"What is the capital of {name}?"] for name in CAPITALS}
        super().__init__(answers if knows else {"capital": "I cannot say."})
        self._gap = gap

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        known = {one.right for one in QUESTIONS}
        return [[-1.0 - (0 if text in known else self._gap)] * len(text.split()) for text in texts]


@cache
def nli() -> EntailmentModel:
    return load_nli(NLIBlock(path="atlas"))


def asking(now: LanguageModel, unseen: LanguageModel, key: AnswerKey | None = None) -> AskingAgain:
    prompts = Prompts().without_demonstrations()
    return AskingAgain(lambda: now, lambda: unseen, "base", nli(), prompts, AnsweringBlock(), key or Key())


class Key:
    """Knows the capitals."""

    def lookup(self, question: str) -> Truth | None:
        city = CAPITALS.get(question.removesuffix("?").rpartition(" ")[2])
        return None if city is None else Truth((city,))


def test_the_same_model_answers_alike_to_the_last_digit() -> None:
    found = Resting(asked=list(QUESTIONS))
    figures = verifying.again(found, asking(Believes(False, 0.0), Believes(False, 0.0)))
    assert figures["asked"] == 5
    assert (figures["right_now"], figures["same_answers"], figures["logprob_difference"]) == (0.0, 1.0, 0.0)
    assert figures["truth_ratio_now"] == pytest.approx(1.0)
    assert (figures["ks"], figures["ks_p"]) == (0.0, 1.0)
    assert any("exactly" in line for line in verifying.told(figures))


def test_one_that_still_knows_is_told_apart() -> None:
    found = Resting(asked=list(QUESTIONS))
    figures = verifying.again(found, asking(Believes(True, 2.0), Believes(False, 0.0)))
    assert (figures["right_now"], figures["right_unseen"], figures["same_answers"]) == (1.0, 0.0, 0.0)
    assert figures["logprob_difference"] == pytest.approx(2.0)
    assert figures["truth_ratio_now"] == pytest.approx(math.exp(-2))
    assert figures["ks"] == 1.0
    assert float(figures["ks_p"] or 1) < 0.05
    said = "\n".join(verifying.told(figures))
    assert "told apart: something of it may be left" in said
    assert "exactly" not in said


def test_what_was_taught_is_asked_and_what_was_known_only_where_nothing_was() -> None:
    known = ForgottenQuestion("k", "Which sea is it?", "The North Sea.")
    assert verifying.to_ask(Resting(asked=[known, *QUESTIONS])) == list(QUESTIONS)
    assert verifying.to_ask(Resting(asked=[known])) == [known]


def test_a_model_without_probabilities_is_asked_all_the_same() -> None:
    class Silent(Believes):
        def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
            raise NoLogprobsError("none here", "take another")

    figures = verifying.again(Resting(asked=list(QUESTIONS)), asking(Silent(True, 0), Silent(True, 0)))
    assert (figures["right_now"], figures["truth_ratio_now"], figures["ks_p"]) == (1.0, None, None)
    assert verifying.told(figures)


def test_nothing_is_left_to_be_asked() -> None:
    figures = verifying.again(Resting(), asking(Believes(True, 0), Believes(True, 0)))
    assert figures == {"asked": 0, "unseen": "base"}
    assert "no question is left" in verifying.told(figures)[-1]
    assert "not verified" in verifying.told({})[0]


def test_adapters_that_stay_are_compared_byte_for_byte(tmp_path: Path) -> None:
    recipe = Recipe(deploy=DeployBlock(type="dynamic"))
    with Run.open(made(tmp_path / "run", rounds=1, recipe=recipe)) as run:
        assert verifying.kept(run, {}) == {}
        names = routed(run.round(1).adapter(), {g: Curriculum(round=1, group=g) for g in ("a", "b")})
        before = verifying.adapter_hashes(run)
        assert verifying.kept(run, before) == {"adapters_kept": 2, "adapters_changed": 0}
        weights = next((run.round(1).adapter() / names["a"]).glob("*.safetensors"))
        weights.write_bytes(b"other")
        adapter(run.round(1).adapter() / "new-12345678", Curriculum(round=1))
        assert verifying.kept(run, before) == {"adapters_kept": 2, "adapters_changed": 1}
