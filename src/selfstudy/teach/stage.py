"""Teach: verdicts become other wordings, examples and pairs, and these a LoRA adapter.

    items      the records of probe and gather, joined
    wordings   several wordings of each gap question, some held out for verify
    pairs      examples and pairs by verdict
    given      examples and pairs of an imported file, which take their place
    trainers/  sft and dpo, through TRL
    adapters   adapter folders, and several of them combined into one

Reads Question, Answer, Evidence, Reference, Verdict; writes Rewording, Example, Pair, TrainingStep and an
adapter folder.  A training that was killed starts again from its first step, with the same seed.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.errors import ModelError
from selfstudy.files.jsonl import unfinished
from selfstudy.models import Models
from selfstudy.models import lora as adapters
from selfstudy.progress import Reporter
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, Recipe, weights_of
from selfstudy.records import Example, Pair, Rewording, TrainedArm, TrainingStep
from selfstudy.run import Round
from selfstudy.teach import gaps as items
from selfstudy.teach import imported as given
from selfstudy.teach import pairs, wordings

if TYPE_CHECKING:
    from selfstudy.teach.trainers.shared import Setting, Trained


def run_teach(
    round_: Round, models: Models, prompts: Prompts, report: Reporter, *, arm: TrainedArm = "taught"
) -> Path | None:
    """Teaches the gaps of a round; the folder of the adapter, or None if there is nothing to teach.

    The model that is passed in stays as it is.  A training that diverges still gives a folder: a Failure
    record of stage "teach" whose item is the arm says that it is of no use.

    Args:
        arm: "control" trains as many examples and pairs with the chosen answers exchanged at random.

    Raises:
        ModelError: the model is not one whose weights this process holds, or it has an adapter to which no
            other can be added.
    """
    folder = round_.adapter(arm)
    temporary = unfinished(folder)
    if adapters.is_complete(folder):
        shutil.rmtree(temporary, ignore_errors=True)  # a kill may have come just before
        return folder
    everything = items.load(round_)
    gaps = items.gaps(everything)
    ready = given.load(round_)
    if not (gaps or ready):
        report.note("nothing to teach: no gap has an accepted reference")
        return None
    _require_local(round_, models)
    rewordings = wordings.write(round_, gaps, models.lm, prompts, report)
    if arm == "control":
        gaps = items.permuted(gaps, round_.run.recipe.seed)
        ready = given.permuted(ready, round_.run.recipe.seed)
    if temporary.exists():
        report.note("an interrupted training starts again from its first step")
        shutil.rmtree(temporary)
    _forget_steps(round_, arm)
    temporary.mkdir()
    lesson = _Lesson(round_, models, prompts, report, arm, temporary, gaps, everything, rewordings, ready)
    if not lesson.teach():
        shutil.rmtree(temporary)
        return None
    adapters.publish(temporary / "final", folder)
    shutil.rmtree(temporary)
    return folder


@dataclass
class _Lesson:
    """One training from data to `folder`/final; the phases leave their adapters beside it."""

    round: Round
    models: Models
    prompts: Prompts
    report: Reporter
    arm: TrainedArm
    folder: Path
    gaps: Sequence[items.Item]
    everything: Sequence[items.Item]
    rewordings: Mapping[str, Sequence[Rewording]]
    ready: given.Given
    parts: list[Path] = field(default_factory=list)
    """Adapters that together make the model so far, in the order in which they are applied."""

    def teach(self) -> bool:
        """Runs the phases of the recipe; whether there was anything to train on."""
        from selfstudy.teach.trainers import shared

        earlier: Path | None = getattr(self.models.lm, "adapter", None)
        self.parts = [earlier] if earlier else []
        method = self.recipe.teach.method
        trained: Trained | None = None
        if method != "dpo":
            trained = self._sft(shared.training_copy(self.models.lm), self._examples())
        if method != "sft" and (trained is None or not trained.failure):
            found = self._pairs()
            if found:
                start = shared.merged(trained.model) if trained else shared.training_copy(self.models.lm)
                trained = self._dpo(start, found)
        if trained is None:
            self.report.note("nothing to teach: no pair to prefer anything by (method sft needs none)")
            return False
        final = self.folder / "final"
        if len(self.parts) > 1:
            adapters.combine(self.parts, final)
        else:
            self.parts[0].rename(final)
        return True

    @property
    def recipe(self) -> Recipe:
        return self.round.run.recipe

    def _examples(self) -> list[Example]:
        if self.ready:
            if self.arm == "taught":
                self.round.append(self.ready.examples)
            self.report.note(f"{len(self.ready.examples)} imported examples; nothing is replayed")
            return list(self.ready.examples)
        found = pairs.examples(self.gaps, self.everything, self.rewordings, self.prompts, self.recipe)
        if self.arm == "taught":
            self.round.append(found)
        kinds = [sum(e.kind == kind for e in found) for kind in ("reference", "reading", "replay")]
        self.report.note("{} examples of gaps, {} with the evidence, {} replayed".format(*kinds))
        return found

    def _pairs(self) -> list[Pair]:
        """Pairs against the samples of the model, or, after supervised training, against what it says now.

        Imported pairs keep the answers that they reject.
        """
        if self.ready:
            self.report.note(f"{len(self.ready.pairs)} imported preference pairs")
            kept = list(self.ready.pairs)
            self.round.append(pairs.as_control(kept) if self.arm == "control" else kept)
            return pairs.weighted(kept, self.recipe.seed)
        found = pairs.pairs(
            self.gaps, self.everything, self.rewordings, self.prompts, self.recipe, self.models.nli
        )
        if self.recipe.teach.method == "sft+dpo":
            with self.report.task("teach: answers of the taught model", len(found)) as advance:
                found = pairs.against_taught(found, self._taught(), self.models.nli, self.recipe, advance)
        if self.arm == "control":
            found = pairs.as_control(found)
        self.round.append(found)
        self.report.note(f"{len(found)} preference pairs")
        return pairs.weighted(found, self.recipe.seed)

    def _taught(self) -> Any:
        """The model with everything that it was taught so far, to answer."""
        from selfstudy.models import load_lm

        adapter = self.parts[0]
        if len(self.parts) > 1:
            adapter = self.folder / "so-far"
            adapters.combine(self.parts, adapter)
        weights = weights_of(self.recipe.model) or LocalModel()
        return load_lm(weights.model_copy(update={"path": _path(self.models), "adapter": adapter}))

    def _sft(self, model: Any, found: Sequence[Example]) -> Trained:
        from selfstudy.teach.trainers import sft

        block = self.recipe.teach.sft
        setting = self._setting("sft", block.epochs, block.learning_rate, block.batch_size, block.warmup)
        return self._keep(sft.train(model, self.models.lm, found, setting, self.report), setting)

    def _dpo(self, model: Any, found: Sequence[Pair]) -> Trained:
        from selfstudy.teach.trainers import dpo

        block = self.recipe.teach.dpo
        setting = self._setting("dpo", block.epochs, block.learning_rate, block.batch_size, block.warmup)
        trained = dpo.train(model, self.models.lm, found, block.beta, setting, self.report)
        return self._keep(trained, setting)

    def _setting(
        self, phase: str, epochs: float, learning_rate: float, batch_size: int, warmup: float
    ) -> Setting:
        from selfstudy.teach.trainers.shared import Setting

        weights = weights_of(self.recipe.model)
        return Setting(
            arm=self.arm,
            phase=phase,
            epochs=epochs,
            learning_rate=learning_rate,
            batch_size=batch_size,
            warmup=warmup,
            lora=self.recipe.teach.lora,
            seed=self.recipe.seed,
            tokens=weights.token_budget if weights else 1,
        )

    def _keep(self, trained: Trained, setting: Setting) -> Trained:
        """Writes what a phase gave: its adapter, its curve, its failure."""
        folder = self.folder / setting.phase
        adapters.save(trained.model, folder)
        self.parts.append(folder)
        self.round.append(trained.steps)
        if trained.failure:
            self.round.fail("teach", self.arm, trained.failure)
            self.report.note(f"the training failed ({trained.failure}); a lower learning rate may help")
        return trained


def _require_local(round_: Round, models: Models) -> None:
    if not (_path(models) and weights_of(round_.run.recipe.model)):
        raise ModelError(
            f"{models.lm.name} cannot be taught: its weights are not in this process",
            "give a local model (type: local), or run only probe and gather with this one",
        )
    earlier: Path | None = getattr(models.lm, "adapter", None)
    if earlier:
        adapters.require_plain(earlier)


def _path(models: Models) -> str | None:
    path: str | None = getattr(models.lm, "path", None)
    return path if hasattr(models.lm, "tokenizer") else None


def _forget_steps(round_: Round, arm: TrainedArm) -> None:
    """Removes the curve of an interrupted training of this arm, and keeps that of the other."""
    steps = round_.read(TrainingStep)
    if any(step.arm == arm for step in steps):
        round_.rewrite(TrainingStep, [step for step in steps if step.arm != arm])
