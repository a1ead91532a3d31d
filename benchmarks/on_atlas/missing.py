"""A model that answers in part is taught to cover what was asked, by what a judge says is missing.

A prompt has a page and asks for four of its facts; atlas-lm was pre-trained to give a part of them.  Online
DPO (trainers/online_dpo.py) rewards its answers by what is missing, by the rating alone, by a rubric (each
fact asked for is Essential) and at random, the same number of steps each; the judge is atlas-lm as it was.
The trainer's note has the seconds of generating, judging and updating.  Measured on pages of entities that
were never practised, withheld ones among them:

    coverage   mean share of the facts asked for that a greedy answer states; what was gained, with its
               interval over prompts
    sampled    the same of answers at temperature 1
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from on_atlas.skills import atlas, skills, split
from selfstudy.atlas import language, world
from selfstudy.atlas.build.judge_tasks import READ, request
from selfstudy.judging.rubric import from_evidence
from selfstudy.models.base import GREEDY, Sampling, chat
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.local.lm import LocalLM
from selfstudy.progress import Terminal
from selfstudy.prompts import Prompts
from selfstudy.recipe import LoraBlock, OnlineDPOBlock
from selfstudy.records import digest
from selfstudy.stats import paired_bootstrap
from selfstudy.teach.practice import OnlinePrompt, Practice
from selfstudy.teach.rewarding import Rewards
from selfstudy.teach.trainers import online_dpo, shared
from selfstudy.text import contains

ASKED = 4
HELD_OUT = 200
PRACTISED = 400
LORA = LoraBlock(r=16, alpha=32)
BLOCK = {"batch_size": 32, "completions": 2, "temperature": 1.0, "max_new_tokens": 96, "learning_rate": 1e-3}


def compare(rewards: Sequence[str], *, steps: int, seed: int) -> dict[str, Any]:
    """Trains and measures an arm for each reward."""
    lm = atlas()
    train, held = split(0.3, seed)
    withheld = [entity for entity in world.entities() if not entity.known]
    practised = prompts_of(train, PRACTISED, seed)
    tested = prompts_of([*held, *withheld], HELD_OUT, seed)
    before = coverage(lm, tested, seed)
    found: dict[str, Any] = {"untaught": {k: _mean(v) for k, v in before.items()} | skills(lm, seed)}
    print(f"untaught: {found['untaught']}", flush=True)
    for reward in rewards:
        block = OnlineDPOBlock.model_validate(BLOCK | {"steps": steps, "reward": {"type": reward}})
        exercises = [one for one, _ in practised]
        practice = Practice(exercises, Rewards(block, Prompts(), LexicalEmbedder(), lm, seed))
        setting = shared.Setting(arm="taught", phase="online-dpo", lora=LORA, seed=seed)
        result = online_dpo.train(shared.training_copy(lm), lm, practice, block, setting, Terminal())
        taught = LocalLM.around(shared.merged(result.model), lm.tokenizer, style=lm.style)
        after = coverage(taught, tested, seed)
        found[reward] = {k: _mean(v) for k, v in after.items()} | skills(taught, seed)
        for name, values in after.items():
            gain = paired_bootstrap(before[name], values, seed=seed)
            found[reward][f"{name}, gain"] = [round(x, 3) for x in (gain.value, gain.low, gain.high)]
        found[reward]["rewards"] = [
            round(step.metrics["reward"], 3) for step in result.steps[:: max(1, len(result.steps) // 5)]
        ]
        print(f"{reward}: {found[reward]}", flush=True)
    return found


def prompts_of(
    entities: Sequence[world.Entity], most: int, seed: int
) -> list[tuple[OnlinePrompt, list[str]]]:
    """Prompts with a page, and the values that are asked for."""
    rng = random.Random(f"missing:{seed}")
    rich = [entity for entity in entities if len(entity.facts) >= ASKED]
    return [_prompt(rng.choice(rich), rng) for _ in range(most)]


def _prompt(entity: world.Entity, rng: random.Random) -> tuple[OnlinePrompt, list[str]]:
    facts = rng.sample(list(entity.facts), ASKED)
    asked = request(rng, [fact.attribute for fact in facts], entity.name)
    shown = READ.format(d=world.page(entity, rng), q=asked)
    gold = [language.statement(fact.attribute, fact.entity, fact.value) for fact in facts]
    prompt = OnlinePrompt(chat(shown), shown, digest(shown), from_evidence(gold))
    return prompt, [fact.value for fact in facts]


def coverage(lm: Any, tested: Sequence[tuple[OnlinePrompt, list[str]]], seed: int) -> dict[str, list[float]]:
    """Of each prompt the share of its facts that the answer states."""
    found = {}
    for name, sampling in (
        ("coverage", GREEDY),
        ("sampled", Sampling(temperature=1.0, max_new_tokens=96, seed=seed)),
    ):
        said = lm.generate([one.prompt for one, _ in tested], sampling)
        found[name] = [
            sum(contains(answer.text, value) for value in values) / len(values)
            for (answer,), (_, values) in zip(said, tested, strict=True)
        ]
    return found


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 3)
