"""A model answers, what it says earns rewards, and it learns from them; then it answers again.

What PPO (ppo.py) and GRPO (grpo.py) share: the loop, its measures, its checkpoints, and that the weights
which answer best what was kept apart are the result.  The reference is the model as it was at the start.
Every random draw depends on the seed and the number of the step, so that a training that goes on from its
checkpoint ends as one that was never interrupted.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Generic, TypeVar

import torch
from peft import get_peft_model
from pydantic import BaseModel, Field
from torch import Tensor, nn

from selfstudy.errors import ModelError
from selfstudy.models.base import HasWeights, Sampling
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.local.weights import answering_model
from selfstudy.progress import Reporter
from selfstudy.recipe import GRPOBlock, PPOBlock
from selfstudy.records import TrainingStep, digest
from selfstudy.teach.cited_practice import CitedExercise, CitedPractice
from selfstudy.teach.trainers import fast_lora, packed, rollouts, shared
from selfstudy.teach.trainers.before import Before
from selfstudy.teach.trainers.checkpoint import Checkpoint, fingerprint
from selfstudy.teach.trainers.rollouts import Matrices, Rollout

B = TypeVar("B", PPOBlock, GRPOBlock)


PACKED = 2048
"""Most tokens of a pass on the CPU: more are not faster, and what they share is more hidden than seen."""


class PolicyProgress(BaseModel):
    """How far a training is; what a checkpoint keeps beside the weights.

    Attributes:
        answers: that were learned from.
        lost: that have no reward.
        problem: of the first one lost.
        best: mean reward of what was kept apart, by the best weights so far; None: not measured.
        best_step: of these.
    """

    step: int = 0
    answers: int = 0
    lost: int = 0
    problem: str = ""
    seconds: dict[str, float] = Field(default_factory=dict)
    curve: list[TrainingStep] = Field(default_factory=list)
    best: float | None = None
    best_step: int = 0


class PolicyTraining(ABC, Generic[B]):
    """The model with its new adapter, and how far it is.

    Attributes:
        model: the policy.
        standing: how far it is.
    """

    def __init__(
        self, model: Any, lm: HasWeights, practice: CitedPractice, block: B, setting: shared.Setting
    ) -> None:
        shared.without_dropout(model)
        beside = self._beside(model, setting)
        self.model = shared.build(get_peft_model, model, setting.lora) if setting.lora else model
        parts: dict[str, nn.Module] = {"policy": self.model}
        if beside is not None:
            parts["beside"] = beside
        self._parts = nn.ModuleDict(parts)
        for part in parts.values():
            if sum(p.numel() for p in model.parameters()) > shared.LARGE:
                answering_model(part).gradient_checkpointing_enable({"use_reentrant": False})
            fast_lora.accelerate(part)
        self._practice, self._setting = practice, setting
        self._block: B = block
        self._tokens = shared.Tokens(lm)
        self._packing = packed.Packing()

        def around(live: Any) -> LocalLM:
            return LocalLM.around(
                live, lm.tokenizer, name=lm.name, token_budget=setting.tokens, style=lm.style
            )

        self._policy = around(self.model)
        self._before = Before(self.model, around)
        self._optimizer = torch.optim.AdamW(self._groups(), weight_decay=0.0)
        self.standing = PolicyProgress()
        self._best = Best(self.model)
        self._checkpoint = None
        if setting.checkpoints is not None:
            asked = digest(*(f"{one.prompt!r}\0{one.item!r}" for one in [*practice.exercises, *practice.dev]))
            parts_ = (block.model_dump_json(), str(setting.lora), str(setting.seed), setting.arm, asked)
            work = fingerprint(self.model, *parts_, practice.rewards.told)
            self._checkpoint = Checkpoint(setting.checkpoints, work)
            found = self._checkpoint.load(self._parts, self._optimizer, PolicyProgress.model_validate)
            if found is not None and self._best.load(setting.checkpoints, found.best_step):
                self.standing = found
            elif found is not None:
                raise ModelError(
                    f"{setting.phase}: the best weights so far are not beside its checkpoint",
                    f"remove {setting.checkpoints}: it starts again",
                )

    def begin(self) -> None:
        """Measures the start, which may be the best there is."""
        if self.standing.step == 0:
            self._measured(0)

    def step(self) -> str | None:
        """Answers, rewards, learns; why the training is of no use from here, if so.

        Raises:
            ModelError: nothing was judged at the first step, by whatever judges.
        """
        at, block, standing = self.standing.step, self._block, self.standing
        exercises = self._practice.batch(self._setting.seed, at, block.batch_size)
        with self._timed("generating"):
            sampling = Sampling(
                n=block.completions,
                temperature=block.temperature,
                top_k=block.top_k,
                max_new_tokens=block.max_new_tokens,
                seed=self._seed(at),
            )
            completions = self._policy.generate([one.prompt for one in exercises], sampling)
        with self._timed("rewarding"):
            found = rollouts.collected(
                exercises,
                completions,
                self._practice.rewards,
                self._tokens,
                answering_model(self.model),
                self._seed(at),
            )
        standing.problem = standing.problem or next(iter(found.problems), "")
        standing.lost += len(found.problems)
        if not found.answers and not standing.answers:
            raise ModelError(
                f"{self._setting.phase}: no answer has a reward at step {at + 1}: {standing.problem}",
                "try the model (selfstudy try) and what judges entailment (nli)",
            )
        failure = None
        if found.answers:
            standing.answers += len(found.answers)
            with self._timed("updating"):
                failure = self._learn(at, found.answers)
        standing.step += 1
        due = standing.step % block.checkpoint_every == 0 or standing.step == block.steps
        if due and failure is None:
            self._measured(standing.step)
            self._save()
        return failure

    def finish(self) -> None:
        """Puts the best weights in the place of the last ones."""
        self._best.restore(self.model)

    def _learn(self, at: int, answers: Sequence[Rollout]) -> str | None:
        """Updates on the answers of a step; why it is of no use, if so."""
        block, device = self._block, self.model.device
        answers = sorted(answers, key=lambda one: one.group)
        made = rollouts.matrices(answers, device)
        core = answering_model(self.model)
        rows = [one.row for one in answers]
        parts, place = [], 0
        for part in shared.parts(core, rows, self._pass, ("answer_ids",)):
            parts.append((slice(place, place + len(part)), rollouts.collated(part, device)))
            place += len(part)
        self._parts.train()
        with torch.no_grad():
            old = self._whole(parts, made.mask, lambda batch: self._logprobs(self.model, batch))
            with self._before.weights() as before:
                reference = self._whole(parts, made.mask, lambda batch: self._logprobs(before, batch))
        apart = float(((old - reference) * made.mask).sum(1).mean())
        if not math.isfinite(apart) or apart > block.most_kl:
            return (
                f"{self._setting.phase}: answers are {apart:.1f} nats from the start at step {at + 1}, and "
                f"most_kl is {block.most_kl:g}: a smaller learning_rate, or a larger kl, keeps nearer"
            )
        with torch.no_grad():
            prepared, metrics = self._prepared(parts, made, old, reference)
        losses, norms = [], []
        total, highest = block.steps * block.updates, self._setting.rate(block)
        for number in range(block.updates):
            torch.manual_seed(self._seed(at, number) % 2**63)
            factor = shared.rate(at * block.updates + number, total, 1.0, block.warmup)
            for group in self._optimizer.param_groups:
                group["lr"] = factor * group["highest"]
            self._optimizer.zero_grad()
            loss = 0.0
            for where, batch in parts:
                loss += self._backward(where, batch, made, prepared)
            losses.append(loss)
            norms += [
                float(torch.nn.utils.clip_grad_norm_(group["params"], shared.CLIPPED))
                for group in self._optimizer.param_groups[:1]
            ]
            for group in self._optimizer.param_groups[1:]:
                torch.nn.utils.clip_grad_norm_(group["params"], shared.CLIPPED)
            self._optimizer.step()
        mean = sum(losses) / len(losses)
        trained = [p for group in self._optimizer.param_groups for p in group["params"]]
        if not math.isfinite(mean) or not all(bool(p.isfinite().all()) for p in trained):
            return f"{self._setting.phase}: the loss became {mean} at step {at + 1}, or weights did"
        metrics |= {
            "reward": sum(one.total for one in answers) / len(answers),
            "kl": apart,
            "answers": float(len(answers)),
            "length": float(made.mask.sum() / len(answers)),
            "grad_norm": sum(norms) / len(norms),
            "learning_rate": factor * highest,
        }
        self.standing.curve.append(
            TrainingStep(
                arm=self._setting.arm, phase=self._setting.phase, step=at + 1, loss=mean, metrics=metrics
            )
        )
        return None

    @property
    def _pass(self) -> int:
        """Most tokens of a forward pass: few on the CPU, so that answers to one prompt are packed."""
        tokens = self._setting.tokens
        return min(tokens, PACKED) if self.model.device.type == "cpu" else tokens

    def _groups(self) -> list[dict[str, Any]]:
        """What is trained, each with the highest rate: the policy first."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        return [{"params": trained, "highest": self._setting.rate(self._block)}]

    def _beside(self, model: Any, setting: shared.Setting) -> nn.Module | None:
        """Another network that is trained with it, if any, made before the policy is changed."""
        return None

    @abstractmethod
    def _prepared(
        self, parts: Sequence[Part], made: Matrices, old: Tensor, reference: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        """What the loss of all updates is made from, as matrices; and measures of it."""

    @abstractmethod
    def _backward(
        self, where: slice, batch: dict[str, Tensor], made: Matrices, prepared: dict[str, Tensor]
    ) -> float:
        """Adds the gradient of some answers; their part of the loss."""

    def _logprobs(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        return rollouts.logprobs(model, batch, self._packing)

    @staticmethod
    def _whole(parts: Sequence[Part], mask: Tensor, of: Any) -> Tensor:
        """A matrix of all answers, of those of the parts."""
        found = torch.zeros(mask.shape, device=mask.device)
        for where, batch in parts:
            some = of(batch)
            found[where, : some.shape[1]] = some
        return found

    def _measured(self, step: int) -> None:
        """Asks what was kept apart, and keeps the weights if they are the best so far."""
        dev = self._practice.dev
        with self._timed("measuring"):
            value = (
                mean_reward(self._policy, self._practice, dev, self._block.max_new_tokens) if dev else None
            )
        if value is not None and self.standing.curve:
            last = self.standing.curve[-1]
            metrics = last.metrics | {"dev_reward": value}
            self.standing.curve[-1] = last.model_copy(update={"metrics": metrics})
        best = self.standing.best
        if value is None or best is None or value > best:
            self.standing.best, self.standing.best_step = value, step
            self._best.keep(self.model)
            if self._setting.checkpoints is not None:
                self._best.save(self._setting.checkpoints, step)

    def _save(self) -> None:
        if self._checkpoint is not None:
            state = self.standing.model_dump(mode="json")
            self._checkpoint.save(self._parts, self._optimizer, self.standing.step, state)
            self._best.tidy(self._setting.checkpoints, self.standing.best_step)

    def _seed(self, *place: int) -> int:
        return int(digest(str(self._setting.seed), self._block.type, *map(str, place)), 16)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds = self.standing.seconds
        seconds[what] = seconds.get(what, 0.0) + time.perf_counter() - began


Part = tuple[slice, dict[str, Tensor]]
"""Some answers, and their tokens (`rollouts.collated`)."""


def run(
    make: type[PolicyTraining[B]],
    model: Any,
    lm: HasWeights,
    practice: CitedPractice,
    block: B,
    setting: shared.Setting,
    report: Reporter,
) -> shared.Trained:
    """Trains to the end, or to where it is of no use; the best weights are the result either way.

    Raises:
        ModelError: peft cannot adapt the model, nothing can be judged, or no prompt leaves room to answer.
    """
    practice, dropped = _readable(model, lm, practice)
    with shared.isolated(setting.seed):
        training = make(model, lm, practice, block, setting)
        standing = training.standing
        report.note(
            f"{setting.phase}: {block.steps} steps of {block.batch_size} of {len(practice)} questions, "
            f"{block.completions} answers each, learning rate {setting.rate(block):g}, rewards by "
            f"{practice.rewards.name}; {len(practice.dev)} questions kept apart"
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
    took = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in standing.seconds.items())
    lost = f", {standing.lost} lost ({standing.problem})" if standing.lost else ""
    best = (
        f"; best after step {standing.best_step}: {standing.best:+.3f}" if standing.best is not None else ""
    )
    report.note(f"{setting.phase}: {standing.answers} answers{lost}; {took}{best}")
    return shared.Trained(training.model, standing.curve, failure, dropped)


def mean_reward(
    lm: LocalLM, practice: CitedPractice, exercises: Sequence[CitedExercise], max_new_tokens: int
) -> float | None:
    """Of the most probable answers, those that could be judged; None where none could."""
    sampling = Sampling(temperature=0.0, max_new_tokens=max_new_tokens)
    answers = lm.generate([one.prompt for one in exercises], sampling)
    given = [
        (exercise, one.text)
        for exercise, (one,) in zip(exercises, answers, strict=True)
        if one.finish != "error"
    ]
    judged = practice.rewards.rewards([one for one, _ in given], [[text] for _, text in given])
    totals = [one.total for (one,) in judged if not one.error]
    return sum(totals) / len(totals) if totals else None


def _readable(model: Any, lm: HasWeights, practice: CitedPractice) -> tuple[CitedPractice, dict[str, str]]:
    """The questions that leave room for an answer, and why not the others, by id."""
    every = [*practice.exercises, *practice.dev]
    prompts = shared.Tokens(lm).prompts([one.prompt for one in every])
    rows = [{"prompt_ids": ids, "answer_ids": ids[-1:]} for ids in prompts]
    _, dropped = shared.readable(model, rows, [str(place) for place in range(len(rows))])
    kept = [(place, one) for place, one in enumerate(every) if str(place) not in dropped]
    count = len(practice.exercises)
    found = [one for place, one in kept if place < count]
    if not found:
        raise ModelError(
            f"no question to practise leaves room for an answer; the first: {next(iter(dropped.values()))}",
            "use a model with a longer context, or fewer and shorter documents",
        )
    dev = [one for place, one in kept if place >= count]
    named = {every[int(place)].question_id: why for place, why in dropped.items()}
    return replace(practice, exercises=found, dev=dev), named


class Best:
    """The weights that did best, of what is trained."""

    def __init__(self, model: nn.Module) -> None:
        self._weights: dict[str, Tensor] = {}
        self.keep(model)

    def keep(self, model: nn.Module) -> None:
        self._weights = {
            name: one.detach().cpu().clone() for name, one in model.named_parameters() if one.requires_grad
        }

    @torch.no_grad()
    def restore(self, model: nn.Module) -> None:
        """Puts them into the model."""
        for name, one in model.named_parameters():
            if name in self._weights:
                one.copy_(self._weights[name])

    def save(self, folder: Any, step: int) -> None:
        """Beside the checkpoint, under the step's number."""
        from safetensors.torch import save

        from selfstudy.files import private

        private.make_folder(folder)
        with private.replacing(folder / f"best-{step}.safetensors") as file:
            file.write(save(self._weights))

    def load(self, folder: Any, step: int) -> bool:
        """Whether they are there, and whole."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            found = load_file(folder / f"best-{step}.safetensors")
        except (OSError, SafetensorError):
            return False
        if found.keys() != self._weights.keys():
            return False
        self._weights = found
        return True

    @staticmethod
    def tidy(folder: Any, step: int) -> None:
        """Removes those of other steps."""
        for path in folder.glob("best-*.safetensors"):
            if path.name != f"best-{step}.safetensors":
                path.unlink()
