"""The relearning attack: halves that share nothing, and a model that is taught one and asked the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy import ScriptedLM, load_lm
from selfstudy.recipe import LocalModel, LoraBlock, Recipe
from selfstudy.verbs.unlearning import attack
from selfstudy.verbs.unlearning.attack import AttackCurve, halves
from selfstudy.verbs.unlearning.resting import ForgottenQuestion

from .test_verifying import CAPITALS, QUESTIONS, asking


def about(entity: str, number: int) -> ForgottenQuestion:
    return ForgottenQuestion(f"{entity}{number}", f"{entity} {number}?", "Yes.", entity=entity)


def test_halves_share_no_entity_and_do_not_depend_on_the_order() -> None:
    asked = [about(entity, number) for entity in "abcdef" for number in range(3)]
    first, second = halves(asked, 0)
    assert len(first) == len(second) == 9
    assert not {one.entity for one in first} & {one.entity for one in second}
    again = halves(asked[::-1], 0)
    assert [{one.id for one in half} for half in again] == [
        {one.id for one in half} for half in (first, second)
    ]
    assert halves(asked, 1) != (first, second)


def test_of_one_document_each_question_is_alone() -> None:
    first, second = halves([about("a", number) for number in range(9)], 0)
    assert {len(first), len(second)} == {4, 5}


def test_noise_is_of_seeds_or_of_questions_drawn() -> None:
    curve = AttackCurve([[0.5, 0.0], [0.5, 0.2], [0.5, 0.4]])
    assert curve.mean == pytest.approx([0.5, 0.2])
    drawn, seeds = curve.spread(50)
    assert drawn == pytest.approx(1.96 * 0.1)  # sqrt(2 * .5 * .5 / 50)
    assert seeds == pytest.approx(1.96 * 0.2)
    assert AttackCurve([[0.0]]).spread(0) == [0.0]


def test_too_few_or_without_weights_it_is_not_made_and_says_why() -> None:
    lm = ScriptedLM({".": "Yes."})
    figures = attack.attack(QUESTIONS, asking(lm, lm), Recipe())
    assert "too few" in str(figures["attack"])
    many = [about(entity, 0) for entity in "abcdefghij"]
    figures = attack.attack(many, asking(lm, lm), Recipe())
    assert "weights of scripted" in str(figures["attack"])
    assert attack.told(figures) == [f"relearning attack: {figures['attack']}"]
    assert attack.told({"asked": 3}) == []


def test_it_is_taught_as_the_run_teaches() -> None:
    recipe = Recipe.model_validate(
        {"teach": {"method": "sft", "lora": {"r": 4}, "sft": {"learning_rate": 0.01, "batch_size": 3}}}
    )
    block, lora = attack.how(recipe)
    assert (block.rate(), block.batch_size, lora.r) == (0.01, 3, 4)
    full = Recipe.model_validate({"teach": {"finetuning": "full", "method": "dpo"}})
    assert attack.how(full)[1] == LoraBlock()


def test_a_model_that_is_the_same_learns_the_same(tiny_llama: Path) -> None:
    """What is trained is a copy: the model that is attacked stays as it is."""
    lm = load_lm(LocalModel(path=str(tiny_llama)))
    asked = [
        ForgottenQuestion(name, f"What is the capital of {name}?", f"{CAPITALS['Peru']}.", entity=name)
        for name in ("Chad", "Oman", "Laos", "Cuba", "Iraq", "Iran", "Guam", "Niue")
    ]
    recipe = Recipe.model_validate(
        {
            "teach": {"method": "sft", "sft": {"learning_rate": 0.03, "batch_size": 4}},
            "answering": {"max_new_tokens": 8},
        }
    )
    ask = asking(lm, lm)
    weights = [one.clone() for one in lm.model.parameters()]  # type: ignore[attr-defined]
    figures = attack.attack(asked, ask, recipe, steps=(0, 12), seeds=1)
    assert figures["attack_now_12"] == figures["attack_unseen_12"]
    assert figures["attack_within"] is True
    assert (figures["attack_taught"], figures["attack_asked"]) == (4, 4)
    assert all((a == b).all() for a, b in zip(weights, lm.model.parameters(), strict=True))  # type: ignore[attr-defined]
    lines = attack.told(figures)
    assert "no more than it teaches" in lines[-1]
    assert sum("steps:" in line for line in lines) == 2
