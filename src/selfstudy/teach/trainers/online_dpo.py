"""Online DPO: the model answers, a judge prefers, the model learns the pair; then it answers again.

Guo et al. 2024, "OAIF", arXiv 2402.04792, algorithm 1; the reference is the model with its LoRA adapter
switched off, or, where all weights are trained, a copy of it.  Every random draw depends on the seed and the
number of the step, so that a training that goes on from its checkpoint ends as one that was never
interrupted.  Where several processes train together (processes.py) each answers some of a step's prompts and
learns from some of its pairs; the one that leads judges all answers in one call.
"""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import torch
from peft import get_peft_model
from pydantic import BaseModel, Field

from selfstudy.errors import ModelError
from selfstudy.judging.rewards import JUDGE_FAILED
from selfstudy.models.base import HasWeights, Sampling
from selfstudy.models.local.weights import answering_model
from selfstudy.progress import Reporter, Silent
from selfstudy.recipe import OnlineDPOBlock
from selfstudy.records import Chat, Completion, Pair, TrainingStep, digest
from selfstudy.teach.online_pairs import Fate, OnlinePair, OnlinePairs, online_pairs
from selfstudy.teach.practice import OnlinePrompt, Practice
from selfstudy.teach.trainers import fast_lora, online, packed, preference, shared
from selfstudy.teach.trainers.checkpoint import Checkpoint, fingerprint
from selfstudy.teach.trainers.processes import Processes, join
from selfstudy.teach.trainers.seen import Seen


class OnlineProgress(BaseModel):
    """How far a training is; what a checkpoint keeps beside the weights."""

    step: int = 0
    outcomes: dict[Fate, int] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)
    problem: str = ""
    """The first one."""
    curve: list[TrainingStep] = Field(default_factory=list)
    pairs: list[Pair] = Field(default_factory=list)
    learned_at: list[int] = Field(default_factory=list)
    """The step of each pair; a checkpoint of an older version has none of those before it."""

    @property
    def seen(self) -> Seen:
        """In which steps the pairs were learned."""
        known = self.pairs[len(self.pairs) - len(self.learned_at) :]
        both = zip(known, self.learned_at, strict=True)
        return Seen.of((pair.id, pair.question_id, step) for pair, step in both)


def train(
    model: Any,
    lm: HasWeights,
    practice: Practice,
    block: OnlineDPOBlock,
    setting: shared.Setting,
    report: Reporter,
) -> shared.Trained:
    """Trains a new LoRA adapter on `model` (which becomes part of the result), or all its weights.

    Args:
        model: a transformers model that is nobody else's: the start, and the reference.
        lm: the local model whose tokenizer and chat format are used.
        practice: the prompts, and what answers are worth.

    Raises:
        ModelError: peft cannot adapt the model, or no prompt leaves room for an answer in its context.
    """
    practice, dropped = _readable(model, lm, practice)
    processes = join(model.device)
    report = report if processes.is_main else Silent()
    with shared.isolated(setting.seed):
        training = _Training(model, lm, practice, block, setting, processes)
        standing = training.standing
        report.note(
            f"{setting.phase}: {block.steps} steps of {block.batch_size} of {len(practice)} prompts, "
            f"{block.completions} answers each, learning rate {setting.rate(block):g}"
            + (f"; {processes.count} processes" if processes.count > 1 else "")
            + (f"; goes on after step {standing.step}" if standing.step else "")
        )
        failure = None
        with report.task(f"teach: {setting.phase} ({setting.arm})", block.steps) as advance:
            advance(standing.step)
            while standing.step < block.steps and failure is None:
                failure = training.step()
                advance(1)
    took = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in standing.seconds.items())
    report.note(f"{setting.phase}: {_told(standing)}; {took}")
    idle = None if standing.outcomes.get("pair") else f"no pair to learn from: {_told(standing)}"
    pairs = standing.pairs
    return shared.Trained(training.model, standing.curve, failure, dropped, pairs, idle, standing.seen)


def how_to_answer(block: OnlineDPOBlock, seed: int) -> Sampling:
    """The answers to a prompt: all sampled, or one found by contrastive search and the others sampled.

    A pair needs two answers that differ, and the search has but one (`Sampling.penalty_alpha`).
    """
    searched = block.penalty_alpha > 0
    return Sampling(
        n=block.completions - searched,
        temperature=block.temperature,
        greedy_first=searched,
        max_new_tokens=block.max_new_tokens,
        top_k=block.top_k,
        seed=seed,
        penalty_alpha=block.penalty_alpha,
    )


def _readable(model: Any, lm: HasWeights, practice: Practice) -> tuple[Practice, dict[str, str]]:
    """The prompts that leave room for an answer, and why not the others, by id of the question."""
    every = practice.exercises
    dropped = online.without_room(model, lm, [one.prompt for one in every])
    kept = [one for place, one in enumerate(every) if place not in dropped]
    return replace(practice, exercises=kept), {
        every[place].question_id: why for place, why in dropped.items()
    }


class _Training:
    """The model with its new adapter, and how far it is."""

    def __init__(
        self,
        model: Any,
        lm: HasWeights,
        practice: Practice,
        block: OnlineDPOBlock,
        setting: shared.Setting,
        processes: Processes,
    ) -> None:
        shared.without_dropout(model)
        self.model = shared.build(get_peft_model, model, setting.lora) if setting.lora else model
        if sum(p.numel() for p in model.parameters()) > shared.LARGE:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        fast_lora.accelerate(self.model)
        self._practice, self._block, self._setting, self._processes = practice, block, setting, processes
        self._tokens = shared.Tokens(lm)
        self._packing = packed.Packing()

        around = online.answering(lm, setting.tokens)
        self._policy = around(self.model)
        self._before = online.Before(self.model, around)
        if processes.is_main:
            self._rewarder = practice.rewards.rewarder(self._policy, self._before)
        self._trained = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(self._trained, weight_decay=0.0)
        self.standing = OnlineProgress()
        self._checkpoint = None
        if setting.checkpoints is not None:
            asked = digest(*(f"{one.prompt!r}\0{one.shown}\0{one.criteria}" for one in practice.exercises))
            told = practice.rewards.told
            parts = (block.model_dump_json(), str(setting.lora), str(setting.seed), setting.arm, asked, told)
            self._checkpoint = Checkpoint(setting.checkpoints, fingerprint(self.model, *parts))
            found = self._checkpoint.load(self.model, self._optimizer, OnlineProgress.model_validate)
            self.standing = found or self.standing
        processes.require_same(self.standing.step, "where the training goes on")

    def step(self) -> str | None:
        """Answers, judges, learns; why the training is of no use from here, if so.

        Raises:
            ModelError: the judge failed on all answers, and it is another model or never worked.
        """
        at, block, standing = self.standing.step, self._block, self.standing
        exercises = self._practice.batch(self._setting.seed, at, block.batch_size)
        with online.timed(standing.seconds, "generating"):
            answers = self._answered(exercises, how_to_answer(block, self._seed(at)))
        with online.timed(standing.seconds, "judging"):
            control = random.Random(self._seed(at)) if self._setting.arm == "control" else None
            found = self._processes.led(
                lambda: online_pairs(exercises, answers, self._rewarder, block.margin, control)
            )
        failures = [problem.startswith(JUDGE_FAILED) for problem in found.problems]
        # a model that has judged before would fail on these answers again: they stay unscored
        expected = block.judge != "judge" and standing.outcomes.get("pair")
        if failures and all(failures) and not found.values and not expected:
            raise ModelError(
                f"{self._setting.phase}: nothing was judged at step {at + 1}: {found.problems[0]}",
                "try the judge; started again, the training goes on from its checkpoint",
            )
        with online.timed(standing.seconds, "updating"):
            learned = self._tokenised(found)
            failure = self._learn(at, found, learned) if learned else None
        if found.outcomes["failed"] == len(exercises) > 1 and standing.curve:
            failure = f"{self._setting.phase}: no answers at step {at + 1}: {found.problems[0]}"
        standing.step += 1
        for outcome, count in sorted(found.outcomes.items()):
            standing.outcomes[outcome] = standing.outcomes.get(outcome, 0) + count
        standing.problem = standing.problem or next(iter(found.problems), "")
        due = standing.step % block.checkpoint_every == 0 or standing.step == block.steps
        if self._checkpoint is not None and due and failure is None:
            if self._processes.is_main:
                state = standing.model_dump(mode="json")
                self._checkpoint.save(self.model, self._optimizer, standing.step, state)
            self._processes.wait()
        return failure

    def _answered(self, exercises: Sequence[OnlinePrompt], sampling: Sampling) -> list[list[Completion]]:
        """Answers to all exercises of a step, each given by one of the processes."""

        def prompt(place: int) -> Hashable:
            return exercises[place].prompt

        own = self._processes.share(range(len(exercises)), prompt)
        answers = self._policy.generate([exercises[place].prompt for place in own], sampling)
        found = dict(self._processes.together(list(zip(own, answers, strict=True))))
        return [found[place] for place in range(len(exercises))]

    def _tokenised(self, found: OnlinePairs) -> list[tuple[OnlinePair, shared.TokenRow]]:
        """The pairs with their tokens, but for those that are too long when read again."""
        chats = [pair.exercise.prompt for pair in found.pairs]
        prompts = self._tokens.prompts(chats)
        chosen = self._answers([(pair.exercise.prompt, pair.chosen) for pair in found.pairs])
        rejected = self._answers([(pair.exercise.prompt, pair.rejected) for pair in found.pairs])
        columns = zip(prompts, chosen, rejected, strict=True)
        rows = [{"prompt_ids": p, "chosen_ids": c, "rejected_ids": r} for p, c, r in columns]
        dropped = shared.unreadable(self.model, rows, list(map(str, range(len(rows)))))
        found.outcomes["pair"] -= len(dropped)
        found.outcomes["failed"] += len(dropped)
        found.problems += dropped.values()
        both = zip(found.pairs, rows, strict=True)
        return [one for place, one in enumerate(both) if str(place) not in dropped]

    def _answers(self, said: Sequence[tuple[Chat, Completion]]) -> list[list[int]]:
        """Tokens of answers; the end of the turn is part of those that ended it themselves."""
        chats, texts = [chat for chat, _ in said], [one.text for _, one in said]
        both = zip(said, self._tokens.answers(chats, texts), self._tokens.begun(chats, texts), strict=True)
        return [whole if one.finish == "stop" else begun for (_, one), whole, begun in both]

    def _learn(
        self, at: int, found: OnlinePairs, learned: Sequence[tuple[OnlinePair, shared.TokenRow]]
    ) -> str | None:
        """Updates on the pairs of a step, each by the exact mean over them; why it is of no use, if so."""
        block, setting = self._block, self._setting
        processes = self._processes
        rows = sorted((row for _, row in learned), key=shared.length)[processes.rank :: processes.count]
        parts = [
            preference.collated(part, self.model.device)
            for part in shared.parts(answering_model(self.model), rows, setting.tokens, preference.ANSWERS)
        ]
        self.model.train()
        with torch.no_grad(), self._before.weights() as before:
            references = [preference.logprobs(before, part, self._packing) for part in parts]
        losses: list[float] = []
        margins: list[float] = []
        norms: list[float] = []
        total, highest = block.steps * block.updates, setting.rate(block)
        for number in range(block.updates):
            torch.manual_seed(self._seed(at, number) % 2**63)
            for group in self._optimizer.param_groups:
                group["lr"] = shared.rate(at * block.updates + number, total, highest, block.warmup)
            self._optimizer.zero_grad()
            for part, reference in zip(parts, references, strict=True):
                policy = preference.logprobs(self.model, part, self._packing)
                values = preference.loss(policy, reference, block.beta)
                torch.autograd.backward(values.sum() / len(learned))
                losses += values.tolist()
                margins += (policy - reference).detach().diff(dim=1).neg()[:, 0].tolist()
            processes.add_gradients(self._trained)
            norms.append(float(torch.nn.utils.clip_grad_norm_(self._trained, shared.CLIPPED)))
            self._optimizer.step()
        losses, margins = processes.together(losses), processes.together(margins)
        mean = sum(losses) / len(losses)
        if not math.isfinite(mean) or not all(bool(p.isfinite().all()) for p in self._trained):
            return f"{setting.phase}: the loss became {mean} at step {at + 1}, or weights did"
        metrics: dict[str, float] = {
            "reward": sum(found.values) / len(found.values),
            "difference": sum(pair.difference for pair, _ in learned) / len(learned),
            "accuracy": sum(margin > 0 for margin in margins) / len(margins),
            "grad_norm": sum(norms) / len(norms),
            "learning_rate": self._optimizer.param_groups[0]["lr"],
        }
        metrics |= {str(outcome): float(count) for outcome, count in sorted(found.outcomes.items())}
        self.standing.curve.append(
            TrainingStep(arm=setting.arm, phase=setting.phase, step=at + 1, loss=mean, metrics=metrics)
        )
        self.standing.pairs += [_recorded(pair, setting) for pair, _ in learned]
        self.standing.learned_at += [at + 1] * len(learned)
        return None

    def _seed(self, *place: int) -> int:
        return int(digest(str(self._setting.seed), "online-dpo", *map(str, place)), 16)


def _recorded(pair: OnlinePair, setting: shared.Setting) -> Pair:
    return Pair(
        prompt=pair.exercise.prompt,
        chosen=pair.chosen.text,
        rejected=pair.rejected.text,
        question_id=pair.exercise.question_id,
        origin="random" if setting.arm == "control" else "online",
    )


def _told(standing: OnlineProgress) -> str:
    """In one line what came of all prompts."""
    counts = standing.outcomes
    said = [f"{counts.get('pair', 0)} pairs, {counts.get('tie', 0)} ties"]
    said += [f"{counts.get(name, 0)} {name}" for name in ("identical", "unscored", "failed")]
    return ", ".join(said) + (f"; the first problem: {standing.problem}" if standing.problem else "")
