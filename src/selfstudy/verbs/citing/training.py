"""Training to cite by itself, stage by stage, each from what the one before left: `selfstudy cite train`.

    OUT/adapter/ (or model/)   what was trained: it answers with the model that it was trained on
    OUT/citing.json            from which model, through which stages, and who rewarded
    OUT/training.jsonl examples.jsonl failures.jsonl
    OUT/checkpoints/           until it has ended: a training that is killed goes on from there

The stages of Huang et al. 2024 (arXiv 2402.04315), and GRPO.  The loop has the same as phases of teach.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selfstudy.errors import DataError, ModelError, RecipeError, RunError
from selfstudy.files import jsonl, lock, own, private, reading
from selfstudy.files.rows import read_rows
from selfstudy.judging.cited_items import PROMPTS, CitedKind
from selfstudy.models import lora, lora_targets
from selfstudy.models.base import EntailmentModel, HasWeights, LanguageModel, wants_demonstrations
from selfstudy.progress import Reporter
from selfstudy.prompts import Prompts
from selfstudy.recipe import (
    CitingBlock,
    LocalModel,
    ModelBlock,
    PhaseBlock,
    Recipe,
    RejectionBlock,
    weights_of,
)
from selfstudy.records import Example, Failure, Record
from selfstudy.teach import cited_exercises
from selfstudy.teach.cited_practice import CitedExercise, CitedPractice
from selfstudy.teach.phases import PHASES
from selfstudy.teach.rejection import RejectionSampling
from selfstudy.teach.training import require_unrouted

if TYPE_CHECKING:
    from selfstudy.teach.trainers.processes import Processes
    from selfstudy.teach.trainers.shared import Setting, Trained

CiteStage = Literal["distill", "rejection", "ppo", "grpo"]
STAGES: dict[CiteStage, str] = {"distill": "sft", "rejection": "rejection", "ppo": "ppo", "grpo": "grpo"}
"""The phase of teach that trains each."""
LINEAGE = "citing.json"
ADAPTER, MODEL, _CHECKPOINTS, _LOCK = "adapter", "model", "checkpoints", "lock"
_HOLDS = (LINEAGE, ADAPTER, MODEL, _CHECKPOINTS, _LOCK, "settings.json", "training.jsonl", "examples.jsonl",
          "failures.jsonl")  # fmt: skip


class StageTold(BaseModel):
    """A stage that a model has gone through."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stage: str
    data: str
    rewarded_by: str = ""
    """The entailment model; empty: nothing was rewarded."""
    level: str = ""


class CitingLineage(BaseModel):
    """What a trained folder says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    selfstudy: Literal["cite train"] = "cite train"
    model: LocalModel
    """The block of the model that the adapter is for; of a whole model, what it was before."""
    stages: tuple[StageTold, ...] = Field(min_length=1)
    failure: str = ""

    @property
    def rewarded_by(self) -> tuple[str, ...]:
        """The entailment models that have rewarded."""
        return tuple(dict.fromkeys(one.rewarded_by for one in self.stages if one.rewarded_by))


def lineage(folder: Path) -> CitingLineage:
    """What `folder`, of an earlier stage, says of itself.

    Raises:
        RunError: it is no finished stage.
    """
    hint = "give the --out of an earlier `selfstudy cite train` that has ended"
    value = jsonl.read_object(folder / LINEAGE, hint)
    if value is None:
        raise RunError(f"{folder} is no finished stage: it has no {LINEAGE}", hint)
    try:
        return CitingLineage.model_validate(value)
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
        raise RunError(f"{folder / LINEAGE} is damaged: {why}", hint) from None


def _digest_of(data: Path) -> str:
    """Of a file's content.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with reading.readable(data).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"cannot read {data}: {error.strerror or error}", "give a .json or .jsonl file of questions"
        ) from None


_ENDS = 2**20
"""Bytes at both ends of a file of weights that tell it from another one."""


def _contents(model: ModelBlock) -> str:
    """Of the weights that an earlier stage left: another training gives others, of the same name."""
    folder = getattr(model, "adapter", None) or Path(getattr(model, "path", ""))
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with os.fdopen(private.open_file(path, os.O_RDONLY), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            found.update(f"{path.name} {size}\n".encode() + file.read(_ENDS))
            file.seek(max(0, size - _ENDS))
            found.update(file.read(_ENDS))
    return found.hexdigest()


def rewarded_by(adapter: Path) -> tuple[str, ...]:
    """Who rewarded what is in a folder that a stage left; nobody where it is of something else."""
    folder = adapter.expanduser().absolute().parent
    return lineage(folder).rewarded_by if (folder / LINEAGE).is_file() else ()


def following(recipe: Recipe, folder: Path, *, chosen: bool) -> tuple[Recipe, CitingLineage]:
    """The recipe whose model is what `folder` holds, and what that says of itself.

    Args:
        chosen: whether the recipe's model was named: then it must be the same.

    Raises:
        RunError: see `lineage`.
        RecipeError: another model was named.
    """
    told = lineage(folder)
    block = told.model
    if chosen and isinstance(recipe.model, LocalModel) and recipe.model.path != block.path:
        raise RecipeError(
            f"{folder} was trained on {block.path}, and --model is {recipe.model.path}",
            "leave --model out: the stage before says which it is",
        )
    whole = (folder / MODEL).is_dir()
    change = {"path": str(folder / MODEL)} if whole else {"adapter": folder / ADAPTER}
    return recipe.model_copy(update={"model": block.model_copy(update=change)}), told


@dataclass(frozen=True)
class CiteTraining:
    """One stage.

    Attributes:
        recipe: its model is the start; its `teach` holds the settings of the stage.
        kinds: of the questions that are taken; empty: all.
        before: what the start says of itself, if it went through stages.
    """

    stage: CiteStage
    recipe: Recipe
    data: Path
    out: Path
    report: Reporter
    kinds: tuple[CitedKind, ...] = ()
    before: CitingLineage | None = None

    @property
    def block(self) -> PhaseBlock:
        (found,) = self.recipe.teach.plan
        return found

    def is_done(self) -> bool:
        """Whether the same has been trained there already.

        Raises:
            RunError: something else is there, or was trained with other settings.
        """
        own.check(self.out, _HOLDS)
        before = jsonl.read_object(self.out / "settings.json", "give another folder with --out")
        now = self._settings()
        if before is not None and before != now:
            changed = ", ".join(key for key in now if before.get(key) != now[key])
            raise RunError(
                f"{self.out} was begun with other settings: {changed}",
                "undo the change, or give another folder with --out",
            )
        if not (self.out / LINEAGE).exists():
            return False
        if failure := lineage(self.out).failure:
            raise RunError(
                f"{self.out}: this training has diverged before: {failure}",
                "its best weights are there (--from takes them); change a setting, and give another --out",
            )
        return True

    def run(self, lm: LanguageModel, entailment: Callable[[], EntailmentModel]) -> CitingLineage:
        """Trains, or goes on.

        Args:
            entailment: is called if the stage rewards.

        Raises:
            DataError: nothing in the file can be used.
            ModelError: the model cannot be trained; or the training diverged: its best weights are kept.
        """
        if not isinstance(lm, HasWeights):
            raise ModelError(f"{lm.name} cannot be trained: its weights are not in this process")
        processes = self._together(lm)
        with processes.tied():
            if processes.is_main:
                own.make(self.out)
                with self._alone():
                    return self._run(lm, entailment, processes)
            return self._run(lm, entailment, processes)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other training writes there meanwhile."""
        held = lock.take(self.out / _LOCK, self.out, "--out")
        try:
            yield
        finally:
            os.close(held)

    def _run(self, lm: Any, entailment: Callable[[], EntailmentModel], processes: Processes) -> CitingLineage:
        if processes.is_main:
            jsonl.replace(self.out / "settings.json", jsonl.encode(self._settings()), None)
        processes.wait()
        failures: list[Failure] = []

        def fail(item: str, why: str) -> None:
            failures.append(Failure(stage="teach", item_id=item, message=why))

        exercises = self._exercises(lm, fail)
        items, rewarded_by = self._items(exercises, lm, entailment, fail)
        trained = self._trained(lm, items)
        failures += [Failure(stage="teach", item_id=k, message=v) for k, v in trained.dropped.items()]
        processes.wait()  # nobody reads a checkpoint any more
        if processes.is_main:
            self._leave(lm, trained, items, failures, rewarded_by)
        processes.wait()
        if trained.failure:
            raise ModelError(trained.failure, f"the best weights until then are in {self.out}")
        return lineage(self.out)

    def _together(self, lm: HasWeights) -> Processes:
        """The processes that train this stage.

        Raises:
            ModelError: several were started, and this stage trains in one.
        """
        from selfstudy.teach.trainers.processes import join

        found = join(lm.model.device)
        if found.count > 1 and self.stage not in ("ppo", "grpo"):
            raise ModelError(
                f"{found.count} processes were started, and --stage {self.stage} trains in one",
                "start it without accelerate or torchrun; ppo and grpo train in several",
            )
        return found

    def _leave(
        self,
        lm: HasWeights,
        trained: Trained,
        items: list[Example] | CitedPractice,
        failures: Sequence[Failure],
        rewarded_by: str,
    ) -> None:
        """Writes all that stays."""
        for records in (trained.steps, failures, items if isinstance(items, list) else []):
            self._write(records)
        self._keep(lm, trained)
        level = self.block.reward.level if isinstance(self.block, CitingBlock) else ""
        told = StageTold(stage=self.stage, data=self.data.name, rewarded_by=rewarded_by, level=level)
        stages = (*(self.before.stages if self.before else ()), told)
        model = LocalModel.model_validate(self.recipe.model.model_dump() | {"adapter": None})
        found = CitingLineage(model=model, stages=stages, failure=trained.failure or "")
        jsonl.replace(self.out / LINEAGE, jsonl.encode(found.model_dump(mode="json")), None)

    def _exercises(self, lm: LanguageModel, fail: cited_exercises.Fail) -> list[CitedExercise]:
        prompts = Prompts(self.recipe.prompts)
        prompts = prompts if wants_demonstrations(lm) else prompts.without_demonstrations()
        lost: list[tuple[str, str]] = []

        def failed(item: str, why: str) -> None:
            lost.append((item, why))
            fail(item, why)

        found = cited_exercises.of_rows(read_rows(self.data), prompts, failed, self.data.name)
        if lost:
            self.report.note(f"{len(lost)} rows left out; the first: {lost[0][0]}: {lost[0][1]}")
        chosen = [one for one in found if not self.kinds or one.item.kind in self.kinds]
        if not chosen:
            why = f"; the first problem: {lost[0][1]}" if lost else ""
            kinds = f" of kind {' or '.join(self.kinds)}" if self.kinds and found else ""
            raise DataError(
                f"{self.data} has no question{kinds} to train on{why}", "docs/citing.md has the layout"
            )
        return chosen

    def _items(
        self,
        exercises: Sequence[CitedExercise],
        lm: LanguageModel,
        entailment: Callable[[], EntailmentModel],
        fail: cited_exercises.Fail,
    ) -> tuple[list[Example] | CitedPractice, str]:
        """What is trained on, and who rewards."""
        block, seed = self.block, self.recipe.seed
        if not isinstance(block, CitingBlock):
            found = [
                Example(
                    prompt=one.prompt,
                    completion=one.answer,
                    question_id=one.question_id,
                    kind="cited",
                    question=one.item.question,
                )
                for one in exercises
                if one.answer
            ]
            if not found:
                raise DataError(
                    f"no row of {self.data} has an 'output' to learn from",
                    "let a stronger model answer first: selfstudy cite answer --questions FILE --out FILE",
                )
            self.report.note(f"{len(found)} answers to learn from, of {len(exercises)} questions")
            return found, ""
        rewards = cited_exercises.rewards(block.reward, entailment(), block.reward.level)
        if not isinstance(block, RejectionBlock):
            return cited_exercises.practice(exercises, rewards, block.dev, seed), rewards.name
        folder = self.out / _CHECKPOINTS / "sampling"
        best = RejectionSampling(exercises, rewards, block, seed, folder).examples(lm, self.report, fail)
        if not best:
            raise DataError(
                "no answer was good enough to learn from",
                "begin with --stage distill, sample more (--set teach.rejection.samples=32), or take all: "
                "--set teach.rejection.least=null",
            )
        return best, rewards.name

    def _trained(self, lm: HasWeights, items: list[Example] | CitedPractice) -> Trained:
        from selfstudy.teach.trainers import memory, shared

        require_unrouted(lm)
        full = self.recipe.teach.adapter is None
        if full:
            memory.require_room(lm, self.recipe.teach, self.out)
        else:
            if lm.adapter:
                lora.require_plain(lm.adapter)
            lora_targets.require_trainable(lm.model, self.recipe.teach.lora, combined=bool(lm.adapter))
        model = shared.training_copy(lm, whole=full)
        trainer = PHASES[STAGES[self.stage]].load()
        trained = trainer.train(model, lm, items, self.block, self._setting(), self.report)
        shared.without_nan(trained.model)
        return trained

    def _setting(self) -> Setting:
        from selfstudy.teach.trainers.shared import Setting

        return Setting(
            arm="taught",
            phase=self.stage,
            lora=self.recipe.teach.adapter,
            seed=self.recipe.seed,
            tokens=(weights_of(self.recipe.model) or LocalModel()).token_budget,
            checkpoints=self.out / _CHECKPOINTS / self.stage,
        )

    def _write(self, records: Sequence[Record]) -> None:
        if records:
            data = b"".join(map(jsonl.encode_record, records))
            jsonl.replace(self.out / type(records[0]).file, data, None)

    def _keep(self, lm: HasWeights, trained: Trained) -> None:
        """Puts what was trained in its place, and removes the checkpoints."""
        if self.recipe.teach.adapter is None:
            from selfstudy.models.local import weights

            trained.model.config.use_cache = lm.model.config.use_cache  # which a trainer switches off
            weights.save(trained.model, lm.tokenizer, self.out / MODEL)
        elif lm.adapter:
            lora.save(trained.model, own_part := self.out / _CHECKPOINTS / ADAPTER)
            lora.combine([lm.adapter, own_part], self.out / ADAPTER)
        else:
            lora.save(trained.model, self.out / ADAPTER)
        for folder in (self.out / MODEL, self.out / ADAPTER):
            if folder.is_dir():
                private.close_tree(folder)
        shutil.rmtree(self.out / _CHECKPOINTS, ignore_errors=True)

    def _settings(self) -> dict[str, Any]:
        """All that the result depends on, as JSON has it."""
        return {
            "selfstudy": "cite train",
            "stage": self.stage,
            "model": self.recipe.model.model_dump(mode="json"),
            "data": _digest_of(self.data),
            "kinds": list(self.kinds),
            "teach": self.block.model_dump(mode="json"),
            "lora": self.recipe.teach.adapter and self.recipe.teach.adapter.model_dump(mode="json"),
            "nli": self.recipe.nli.model_dump(mode="json"),
            "judge": self.recipe.judge and self.recipe.judge.model_dump(mode="json"),
            "prompts": [Prompts(self.recipe.prompts).text(name) for name in PROMPTS],
            "before": self.before and self.before.model_dump(mode="json"),
            "weights": _contents(self.recipe.model) if self.before else "",
            "seed": self.recipe.seed,
        }


def curve(folder: Path) -> list[dict[str, Any]]:
    """The training steps of a stage, as they were written."""
    return [cast("dict[str, Any]", value) for _, _, value in jsonl.read_lines(folder / "training.jsonl")]
