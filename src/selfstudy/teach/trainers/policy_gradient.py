"""A model answers, what it says earns rewards, and it learns from them; then it answers again.

What PPO (ppo.py) and GRPO (grpo.py) share: the loop, its measures, its checkpoints, and that the weights
which answer best what was kept apart are the result.  The reference is the model as it was at the start.
Every random draw depends on the seed and the number of the step, so that a training that goes on from its
checkpoint ends as one that was never interrupted.  Where several processes train together (processes.py) each
answers some of a step's questions; advantages and the gradient are those of all answers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from peft import get_peft_model
from torch import Tensor, nn

from selfstudy.errors import ModelError
from selfstudy.models.base import HasWeights, Sampling
from selfstudy.models.local.weights import answering_model
from selfstudy.progress import Reporter, Silent
from selfstudy.recipe import GRPOBlock, PPOBlock
from selfstudy.records import Completion, Practised, TrainingStep, digest
from selfstudy.teach.cited_practice import CitedExercise, CitedPractice
from selfstudy.teach.trainers import fast_lora, online, packed, rollouts, shared
from selfstudy.teach.trainers.best_weights import BestWeights
from selfstudy.teach.trainers.checkpoint import Checkpoint, fingerprint
from selfstudy.teach.trainers.policy_progress import PolicyProgress
from selfstudy.teach.trainers.processes import Processes, join
from selfstudy.teach.trainers.rollouts import Columns, Matrices, Rollout
from selfstudy.teach.trainers.seen import Seen

B = TypeVar("B", PPOBlock, GRPOBlock)


class PolicyTraining(ABC, Generic[B]):
    """The model with its new adapter, and how far it is.

    Attributes:
        model: the policy.
        standing: how far it is.
    """

    COMPARES: ClassVar[bool] = False
    """Whether answers are held against the others to their prompt alone."""

    def __init__(
        self,
        model: Any,
        lm: HasWeights,
        practice: CitedPractice,
        block: B,
        setting: shared.Setting,
        processes: Processes,
    ) -> None:
        shared.without_dropout(model)
        if setting.lora:  # of the adapter neither: the ratio of a probability to what it was is learned from
            setting = replace(setting, lora=setting.lora.model_copy(update={"dropout": 0.0}))
        self._practice: CitedPractice = practice
        self._block: B = block
        self._setting, self._processes = setting, processes
        beside = self._beside(model)
        self.model = shared.build(get_peft_model, model, setting.lora) if setting.lora else model
        self._parts = nn.ModuleDict({"policy": self.model} | ({"beside": beside} if beside else {}))
        for part in self._parts.values():
            if sum(p.numel() for p in model.parameters()) > shared.LARGE:
                answering_model(part).gradient_checkpointing_enable({"use_reentrant": False})
            fast_lora.accelerate(part)
        self._tokens = shared.Tokens(lm)
        self._packing = packed.Packing()

        around = online.answering(lm, setting.tokens)
        self._policy = around(self.model)
        self._before = online.Before(self.model, around)
        self._optimizer = torch.optim.AdamW(self._groups(), weight_decay=0.0)
        self._trained = [p for group in self._optimizer.param_groups for p in group["params"]]
        self.standing = PolicyProgress()
        self._best = BestWeights()
        self._checkpoint = self._loaded(setting.checkpoints)
        processes.require_same(self.standing.step, "where the training goes on")

    def begin(self) -> None:
        """Measures the start, which may be the best there is."""
        if self.standing.step == 0:
            self._measure(0)

    def step(self) -> str | None:
        """Answers, rewards, learns; why the training is of no use from here, if so.

        Raises:
            ModelError: nothing was judged at the first step, by whatever judges.
        """
        at, block, standing = self.standing.step, self._block, self.standing
        exercises = self._processes.share(
            self._practice.batch(self._setting.seed, at, block.batch_size), _question
        )
        with online.timed(standing.seconds, "generating"):
            sampling = Sampling(
                n=block.completions,
                temperature=block.temperature,
                top_k=block.top_k,
                max_new_tokens=block.max_new_tokens,
                seed=self._seed(at),
            )
            completions = self._policy.sampled([one.prompt for one in exercises], sampling)
        with online.timed(standing.seconds, "rewarding"):
            found = rollouts.collected(
                exercises,
                completions,
                self._practice.rewards,
                self._tokens,
                answering_model(self.model),
                self._seed(at),
                not self.COMPARES,
            )
        problems = self._processes.together(found.problems)
        answers = sum(self._processes.gathered(len(found.answers)))
        silent = all(self._processes.gathered(_silent(completions)))
        standing.problem = standing.problem or next(iter(problems), "")
        standing.lost += len(problems)
        if not answers and not standing.answers:
            raise ModelError(
                f"{self._setting.phase}: no answer has a reward at step {at + 1}: {standing.problem}",
                "try the model (selfstudy try) and what judges entailment (nli)",
            )
        failure = f"{self._setting.phase}: no answers at step {at + 1}: {problems[0]}" if silent else None
        if answers:
            standing.answers += answers
            with online.timed(standing.seconds, "updating"):
                failure = self._learn(at, found.answers)
        standing.step += 1
        due = standing.step % block.checkpoint_every == 0 or standing.step == block.steps
        if due and failure is None:
            self._measure(standing.step)
            self._save()
        return failure

    def finish(self) -> None:
        """Puts the best weights in the place of the last ones."""
        self._best.restore(self.model)

    def seen(self) -> Seen:
        """In which steps each question was practised, up to the best weights, which are the result."""
        size, seed = self._block.batch_size, self._setting.seed
        return Seen.of(
            (Practised(question_id=one.question_id, question="").id, one.question_id, at + 1)
            for at in range(self.standing.best_step)
            for one in self._practice.batch(seed, at, size)
        )

    def _learn(self, at: int, answers: Sequence[Rollout]) -> str | None:
        """Updates on the answers of a step; why it is of no use, if so."""
        block, processes = self._block, self._processes
        own = rollouts.placed(answers, processes.rank * block.batch_size)
        parts = self._cut(own, sum(processes.gathered(len(own))[: processes.rank]))
        self._parts.train()
        with torch.no_grad():
            told = self._told(parts)
        every = processes.together(list(zip(own, told, strict=True)))
        made = rollouts.matrices([one for one, _ in every], self.model.device)
        columns = rollouts.columns([one for _, one in every], self.model.device)
        apart = float(((columns["old"] - columns["reference"]) * made.mask).sum(1).mean())
        if not math.isfinite(apart) or apart > block.most_kl:
            return (
                f"{self._setting.phase}: answers are {apart:.1f} nats from the start at step {at + 1}, and "
                f"most_kl is {block.most_kl:g}: a smaller learning_rate, or a larger kl, keeps nearer"
            )
        prepared, metrics = self._prepared(made, columns)
        losses, norms, rate = [], [], 0.0
        for number in range(block.updates):
            loss, norm, rate = self._update(at, number, parts, made, prepared)
            losses.append(loss)
            norms.append(norm)
        mean = sum(losses) / len(losses)
        if not math.isfinite(mean) or not all(bool(p.isfinite().all()) for p in self._trained):
            return f"{self._setting.phase}: the loss became {mean} at step {at + 1}, or weights did"
        metrics |= {
            "reward": sum(one.total for one, _ in every) / len(every),
            "kl": apart,
            "answers": float(len(every)),
            "length": float(made.mask.sum() / len(every)),
            "grad_norm": sum(norms) / len(norms),
            "learning_rate": rate,
        }
        setting = self._setting
        self.standing.curve.append(
            TrainingStep(arm=setting.arm, phase=setting.phase, step=at + 1, loss=mean, metrics=metrics)
        )
        return None

    def _update(
        self, at: int, number: int, parts: Sequence[RolloutPart], made: Matrices, prepared: dict[str, Tensor]
    ) -> tuple[float, float, float]:
        """One step of the optimizer: the loss, the length of the policy's gradient, and its learning rate."""
        block = self._block
        torch.manual_seed(self._seed(at, number) % 2**63)
        factor = shared.rate(at * block.updates + number, block.steps * block.updates, 1.0, block.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = factor * group["highest"]
        self._optimizer.zero_grad()
        own = sum(self._backward(where, batch, made, prepared) for where, batch in parts)
        loss = sum(self._processes.gathered(own))
        self._processes.add_gradients(self._trained)
        norms = [
            float(torch.nn.utils.clip_grad_norm_(group["params"], shared.CLIPPED))
            for group in self._optimizer.param_groups
        ]
        self._optimizer.step()
        return loss, norms[0], self._optimizer.param_groups[0]["lr"]

    def _cut(self, answers: Sequence[Rollout], first: int) -> list[RolloutPart]:
        """Answers as many at a time as a forward pass holds; the first is row `first` of all."""
        core, parts = answering_model(self.model), []
        for part in rollouts.parts(core, answers, self._setting.tokens, self._packing):
            parts.append((slice(first, first + len(part)), rollouts.collated(part, core.device)))
            first += len(part)
        return parts

    def _told(self, parts: Sequence[RolloutPart]) -> list[Columns]:
        """What the models say of each token of the answers before they learn from them."""
        found = {"old": self._rows(parts, lambda batch: self._logprobs(self.model, batch))}
        with self._before.weights() as before:
            found["reference"] = self._rows(parts, lambda batch: self._logprobs(before, batch))
        return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]

    def _groups(self) -> list[dict[str, Any]]:
        """What is trained, each with the highest rate: the policy first."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        return [{"params": trained, "highest": self._setting.rate(self._block)}]

    def _beside(self, model: Any) -> nn.Module | None:
        """Another network that is trained with it, if any, made before the policy is changed."""
        return None

    @abstractmethod
    def _prepared(
        self, made: Matrices, columns: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        """What the loss of all updates is made from, as matrices; and measures of it.

        Args:
            columns: what `_told` says, of the answers of all processes.
        """

    @abstractmethod
    def _backward(
        self, where: slice, batch: dict[str, Tensor], made: Matrices, prepared: dict[str, Tensor]
    ) -> float:
        """Adds the gradient of some answers; their part of the loss."""

    def _logprobs(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        return rollouts.logprobs(model, batch, self._packing)

    @staticmethod
    def _rows(parts: Sequence[RolloutPart], of: Callable[[dict[str, Tensor]], Tensor]) -> list[list[float]]:
        """Numbers of each answer's tokens, of matrices of the parts."""
        return [row for _, batch in parts for row in rollouts.unpadded(of(batch), batch)]

    def _measure(self, step: int) -> None:
        """Asks what was kept apart, and keeps the weights if they are the best so far."""
        standing, dev = self.standing, self._practice.dev
        value = None
        if dev:
            with online.timed(standing.seconds, "measuring"):
                own = self._processes.share(dev, _question)
                totals = rollouts.rewards_of(self._policy, self._practice, own, self._block.max_new_tokens)
                found = self._processes.together(totals)
            value = sum(found) / len(found) if found else None
        if value is not None and standing.curve and standing.curve[-1].step == step:
            last = standing.curve[-1]
            metrics = last.metrics | {"dev_reward": value}
            standing.curve[-1] = last.model_copy(update={"metrics": metrics})
        if step == 0:
            standing.start = value
        if value is None and standing.best is not None:
            return  # nothing could be judged this time
        if value is None or standing.best is None or value > standing.best:
            standing.best, standing.best_step = value, step
            self._best.keep(self.model)
            if self._setting.checkpoints is not None and self._processes.is_main:
                self._best.save(self._setting.checkpoints, step)

    def _loaded(self, folder: Path | None) -> Checkpoint | None:
        """The checkpoint of this training, which goes on where it was saved."""
        if folder is None:
            return None
        setting, rewards = self._setting, self._practice.rewards.told
        every = [*self._practice.exercises, *self._practice.dev]
        asked = digest(*(f"{one.prompt!r}\0{one.item!r}" for one in every))
        told = (self._block.model_dump_json(), str(setting.lora), str(setting.seed), setting.arm, asked)
        checkpoint = Checkpoint(folder, fingerprint(self._parts, *told, rewards))
        found = checkpoint.load(self._parts, self._optimizer, PolicyProgress.model_validate)
        if found is None:
            return checkpoint
        if not self._best.load(folder, found.best_step, self.model):
            raise ModelError(
                f"{setting.phase}: the best weights so far are not beside its checkpoint",
                f"remove {folder}: it starts again",
            )
        self.standing, self._packing.works = found, found.packs
        return checkpoint

    def _save(self) -> None:
        if self._checkpoint is not None and self._processes.is_main:
            self.standing.packs = self._packing.works
            state = self.standing.model_dump(mode="json")
            self._checkpoint.save(self._parts, self._optimizer, self.standing.step, state)
            if self._setting.checkpoints is not None:
                self._best.tidy(self._setting.checkpoints, self.standing.best_step)
        self._processes.wait()

    def _seed(self, *place: int) -> int:
        return int(digest(str(self._setting.seed), self._block.type, *map(str, place)), 16)


RolloutPart = tuple[slice, dict[str, Tensor]]
"""Some answers by their rows among all, and their tokens (`rollouts.collated`)."""


def _question(exercise: CitedExercise) -> Hashable:
    return exercise.prompt


def _silent(completions: Sequence[Sequence[tuple[Completion, list[int]]]]) -> bool:
    """Whether a model gave no answer at all, which one that diverges does not."""
    return all(one.finish == "error" for row in completions for one, _ in row)


def run(
    make: type[PolicyTraining[B]],
    model: Any,
    lm: HasWeights,
    practice: CitedPractice,
    block: B,
    setting: shared.Setting,
    report: Reporter,
) -> shared.Trained:
    """Trains a new LoRA adapter on `model`, which becomes part of the result, or all its weights.

    To the end, or to where it is of no use; the best weights are the result either way.

    Args:
        make: how it is trained.
        model: a transformers model that is nobody else's: the start, and the reference.
        lm: the local model whose tokenizer and chat format are used.
        practice: the questions, and what answers earn.

    Raises:
        ModelError: peft cannot adapt the model, nothing can be judged, or no prompt leaves room to answer.
    """
    practice, dropped = _readable(model, lm, practice)
    processes = join(model.device)
    report = report if processes.is_main else Silent()
    with shared.isolated(setting.seed):
        training = make(model, lm, practice, block, setting, processes)
        standing = training.standing
        report.note(
            f"{setting.phase}: {block.steps} steps of {block.batch_size} of {len(practice)} questions, "
            f"{block.completions} answers each, learning rate {setting.rate(block):g}, rewards by "
            f"{practice.rewards.name}; {len(practice.dev)} questions kept apart"
            + (f"; {processes.count} processes" if processes.count > 1 else "")
            + (f"; goes on after step {standing.step}" if standing.step else "")
        )
        failure = None
        with report.task(f"teach: {setting.phase} ({setting.arm})", block.steps) as advance:
            advance(standing.step)
            training.begin()
            while standing.step < block.steps and failure is None:
                failure = training.step()
                advance(1)
        training.finish()
    report.note(f"{setting.phase}: {standing.told}")
    return shared.Trained(training.model, standing.curve, failure, dropped, seen=training.seen())


def _readable(model: Any, lm: HasWeights, practice: CitedPractice) -> tuple[CitedPractice, dict[str, str]]:
    """The questions that leave room for an answer, and why not the others, by id."""
    every = [*practice.exercises, *practice.dev]
    dropped = online.without_room(model, lm, [one.prompt for one in every])
    kept = [(place, one) for place, one in enumerate(every) if place not in dropped]
    count = len(practice.exercises)
    found = [one for place, one in kept if place < count]
    if not found:
        raise ModelError(
            f"no question to practise leaves room for an answer; the first: {next(iter(dropped.values()))}",
            "use a model with a longer context, or fewer and shorter documents",
        )
    dev = [one for place, one in kept if place >= count]
    named = {every[place].question_id: why for place, why in dropped.items()}
    return replace(practice, exercises=found, dev=dev), named
