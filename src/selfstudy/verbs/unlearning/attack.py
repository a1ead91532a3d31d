"""The relearning attack: does teaching half of what was forgotten bring back the other half? (methods-more I)

After Deeb & Roger 2024 (arXiv 2410.08827), with the controls of the notes: the same on a model that never saw
any of it.  Forgotten is what comes back no faster than it is learned there.  The questions are in memory
alone, and what is trained here is thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from selfstudy.models.base import HasWeights
from selfstudy.progress import Reporter, Silent
from selfstudy.recipe import AnswersBlock, LoraBlock, Recipe, SFTBlock
from selfstudy.records import Example, digest
from selfstudy.verbs.unlearning.resting import ForgottenQuestion
from selfstudy.verbs.unlearning.verifying import AskingAgain, ForgettingFigures, hear

STEPS = (0, 10, 30, 100)
"""Optimizer steps after which the other half is asked."""
FEWEST = 4
"""Facts of which a half still says anything."""
SEEDS = 3
"""Trainings of the model that never saw it, whose spread is the noise."""


@dataclass(frozen=True)
class AttackCurve:
    """Shares of right answers to the other half, by the steps of STEPS; one list a seed."""

    shares: list[list[float]]

    @property
    def mean(self) -> list[float]:
        return [sum(at) / len(at) for at in zip(*self.shares, strict=True)]

    def spread(self, count: int) -> list[float]:
        """Noise at each step: 1.96 standard deviations, of seeds or of questions drawn, whichever is more."""
        found = []
        for at in zip(*self.shares, strict=True):
            mean = sum(at) / len(at)
            seeds = math.sqrt(sum((one - mean) ** 2 for one in at) / max(len(at) - 1, 1))
            drawn = math.sqrt(2 * mean * (1 - mean) / count) if count else 0.0
            found.append(1.96 * max(seeds, drawn))
        return found


def halves(
    asked: Sequence[ForgottenQuestion], seed: int
) -> tuple[list[ForgottenQuestion], list[ForgottenQuestion]]:
    """Two halves that share no entity, as equal as that goes; the same for a seed whatever the order.

    An entity is the document that a question was answered in; where all were answered in one, each question
    is alone.
    """
    entities = {one.entity or one.id for one in asked}
    alone = len(entities) < 2
    groups: dict[str, list[ForgottenQuestion]] = {}
    for one in asked:
        groups.setdefault(one.id if alone else one.entity or one.id, []).append(one)
    first: list[ForgottenQuestion] = []
    second: list[ForgottenQuestion] = []
    for name in sorted(groups, key=lambda name: digest("attack", str(seed), name)):
        (first if len(first) <= len(second) else second).extend(groups[name])
    return first, second


def attack(
    asked: Sequence[ForgottenQuestion],
    asking: AskingAgain,
    recipe: Recipe,
    report: Reporter | None = None,
    *,
    steps: Sequence[int] = STEPS,
    seeds: int = SEEDS,
) -> ForgettingFigures:
    """Teaches one half, asks the other, of the model that stands and of the one that never saw it.

    Returns:
        attack_taught, attack_asked: how many questions each half has.  attack_now_N, attack_unseen_N: share
        of the other half that is right after N steps, the mean over seeds; attack_noise_N: how far two models
        that are the same may be apart.  attack_within: whether the model that stands is nowhere higher than
        that.  Nothing but `attack` = why not, where it cannot be made.
    """
    first, second = halves(asked, recipe.seed)
    if len(first) < FEWEST or len(second) < FEWEST:
        return {"attack": f"no: {len(asked)} questions are too few to be split in two"}
    found: ForgettingFigures = {"attack_taught": len(first), "attack_asked": len(second)}
    curves: dict[str, AttackCurve] = {}
    for name, load in (("now", asking.now), ("unseen", asking.unseen)):
        lm = load()
        if not isinstance(lm, HasWeights):
            return {"attack": f"no: the weights of {lm.name} are not in this process"}
        curves[name] = curve(lm, first, second, asking, recipe, report, steps=steps, seeds=seeds)
    now, unseen = curves["now"].mean, curves["unseen"].mean
    noise = curves["unseen"].spread(len(second))
    for i, count in enumerate(steps):
        found[f"attack_now_{count}"] = now[i]
        found[f"attack_unseen_{count}"] = unseen[i]
        found[f"attack_noise_{count}"] = noise[i]
    found["attack_within"] = all(a <= b + c for a, b, c in zip(now, unseen, noise, strict=True))
    return found


def curve(
    lm: HasWeights,
    first: Sequence[ForgottenQuestion],
    second: Sequence[ForgottenQuestion],
    asking: AskingAgain,
    recipe: Recipe,
    report: Reporter | None = None,
    *,
    steps: Sequence[int] = STEPS,
    seeds: int = SEEDS,
) -> AttackCurve:
    """Of one model: each number of steps is a training of its own, from the model as it is."""
    shares = []
    for seed in range(seeds):
        at: list[float] = []
        for count in steps:
            ask = _taught(lm, first, asking, recipe, count, seed, report or Silent())
            at.append(ask(second))
            if count == 0 and seed:  # nothing was trained: as with the first seed
                at[-1] = shares[0][0]
        shares.append(at)
    return AttackCurve(shares)


def _taught(
    lm: HasWeights,
    taught: Sequence[ForgottenQuestion],
    asking: AskingAgain,
    recipe: Recipe,
    count: int,
    seed: int,
    report: Reporter,
) -> Callable[[Sequence[ForgottenQuestion]], float]:
    """What asks a copy of the model that was trained so many steps."""
    from selfstudy.models.local.lm import LocalLM
    from selfstudy.teach import followers
    from selfstudy.teach.trainers.shared import Setting

    block, lora = how(recipe)
    model = followers.start(lm, None, whole=False)
    if count:
        examples = list(_examples(taught, asking))
        passes = count / math.ceil(len(examples) / block.batch_size)
        task = followers.Task(
            block.model_copy(update={"epochs": passes}),
            examples,
            Setting(arm="taught", phase=f"attack, {count} steps", lora=lora, seed=recipe.seed + seed),
            first=True,
        )
        model = followers.trained(model, lm, task, Silent()).model
        report.note(f"attack: {count} steps on {len(examples)} questions, seed {seed}")
    answering = LocalLM.around(model, lm.tokenizer, name=lm.name, style=lm.style)

    def ask(asked: Sequence[ForgottenQuestion]) -> float:
        return hear(answering, asking, asked).share

    return ask


def _examples(taught: Sequence[ForgottenQuestion], asking: AskingAgain) -> Iterator[Example]:
    for one in taught:
        chat = asking.prompts.chat("answer", question=one.text)
        yield Example(prompt=chat, completion=one.right, question_id=one.id, kind="reference")


def how(recipe: Recipe) -> tuple[SFTBlock, LoraBlock]:
    """The run's own way of teaching answers: rate and batch of its first such phase, and its adapter.

    Of a recipe that trains no answers, or no adapter, the defaults.
    """
    found = next((one for one in recipe.teach.plan if isinstance(one, AnswersBlock)), None)
    block = SFTBlock()
    if found is not None:
        block = block.model_copy(update={"learning_rate": found.rate(), "batch_size": found.batch_size})
    return block, recipe.teach.adapter or LoraBlock()


def told(figures: ForgettingFigures) -> list[str]:
    """The curves side by side, in lines for a person."""
    if "attack" in figures:
        return [f"relearning attack: {figures['attack']}"]
    if "attack_taught" not in figures:
        return []
    steps = sorted(int(name.rpartition("_")[2]) for name in figures if name.startswith("attack_now_"))
    lines = [
        f"relearning attack: {figures['attack_taught']} questions taught, {figures['attack_asked']} others "
        "asked; right after"
    ]
    for count in steps:
        now, unseen, noise = (figures[f"attack_{part}_{count}"] for part in ("now", "unseen", "noise"))
        lines.append(
            f"    {count:>4} steps: {float(now or 0):.3f} now, {float(unseen or 0):.3f} by the model that "
            f"never saw it (noise {float(noise or 0):.3f})"
        )
    lines.append(
        "it brings back no more than it teaches a model that never saw the source"
        if figures["attack_within"]
        else "it brings back more than it teaches a model that never saw the source: something is left"
    )
    return lines
