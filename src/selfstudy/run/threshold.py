"""The threshold of a run: the score above which a question is inconsistent, and where it comes from.

The rules are all here: what a threshold does to a score (`is_inconsistent`), which one a run has (`resolve`),
and which one calibration picks (`picked`).  Everything else calls them.

A number in the recipe wins; else the one calibrated for this model, scorer and way of answering, if there is
any; else 0.5, the papers' value, which nobody has measured for this model: it is called an uncalibrated
default wherever it is shown.  The choice is made once, when a run first probes, and kept in the run, so that
resuming gives the same verdicts whatever is calibrated meanwhile.

Calibrations are kept in the user's data folder, per what a score depends on (`fingerprint`).  What
they are picked from is measured in probe/calibration.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from selfstudy.errors import DataError, RecipeError, RunError
from selfstudy.files import jsonl, private
from selfstudy.files.home import HOME, home
from selfstudy.models.local.shown import may_show
from selfstudy.prompts import Prompts
from selfstudy.recipe import NEED_ENTAILMENT, NoNLI, PromptedNLI, Recipe
from selfstudy.recipe.probe import SCORER_FACTS
from selfstudy.records import Score, Unit, digest
from selfstudy.run.models import block_of, own_block
from selfstudy.version import __version__

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from selfstudy.run import Round, Run
    from selfstudy.stats import Floats

DEFAULT = 0.5


@overload
def is_inconsistent(score: float, threshold: float) -> bool: ...
@overload
def is_inconsistent(score: Floats, threshold: float) -> npt.NDArray[np.bool_]: ...
def is_inconsistent(score: float | Floats, threshold: float) -> bool | npt.NDArray[np.bool_]:
    """The rule: whether a hallucination score, or each of an array, makes its question inconsistent."""
    return score > threshold


class HasPrecision(Protocol):
    """A threshold that calibration may pick, with what it does to labelled questions."""

    @property
    def precision(self) -> float | None:
        """The share of the questions that it calls inconsistent that is unknown indeed."""
        ...


C = TypeVar("C", bound=HasPrecision)


def picked(cuts: Iterable[C], wanted: float) -> C | None:
    """What calibration picks of all thresholds, given smallest first; None if none will do.

    The smallest one whose precision is at least `wanted`, so the one that finds most.
    """
    return next((cut for cut in cuts if (cut.precision or 0.0) >= wanted), None)


class Threshold(BaseModel):
    """A question with a hallucination score above `value` is inconsistent.

    `precision` is the share of unknown questions above it that calibration was asked for, `labels` how many
    questions it had.  `weights` are those of the scorer `ensemble`, where they were learned: bias, and one
    per member.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    value: Unit
    source: Literal["recipe", "calibration", "default"]
    precision: Unit | None = None
    labels: int | None = None
    weights: dict[str, Any] | None = None

    @property
    def calibrated(self) -> bool:
        """Whether it was measured for this model and scorer."""
        return self.source == "calibration"

    def __str__(self) -> str:
        if self.source == "calibration":
            wanted = "" if self.precision is None else f" for precision {self.precision:g}"
            return f"{self.value:.3g}, calibrated{wanted} on {self.labels:,} labels"
        return f"{self.value:g}, " + ("set in the recipe" if self.source == "recipe" else UNCALIBRATED)


UNCALIBRATED = "uncalibrated default"


def settle(run: Run) -> Threshold:
    """Chooses the threshold of `run` and keeps it there; one that was chosen before stays.

    Raises:
        DataError: a saved calibration of this model and scorer cannot be read.
    """
    if run.read_json(run.threshold_file) is None:
        run.write_json(run.threshold_file, resolve(run.recipe).model_dump(mode="json"))
    return of(run)


def of(run: Run) -> Threshold:
    """The threshold that `run` was given; before it has probed, that of its recipe, or the default."""
    kept = run.read_json(run.threshold_file)
    if kept is None:
        return _of_recipe(run.recipe)
    try:
        return Threshold.model_validate(kept)
    except ValidationError as error:
        raise RunError(
            f"{run.threshold_file} is damaged: {error.errors()[0]['msg']}", "restore it from a backup"
        ) from None


def resolve(recipe: Recipe) -> Threshold:
    """The threshold that a run of `recipe`, begun now, would use."""
    scorer = recipe.probe.scorer
    given = _of_recipe(recipe)
    if "ensemble" in (scorer, *recipe.probe.compare):
        together = calibration_of(recipe, "ensemble")
        given = given.model_copy(update={"weights": together and together.get("weights")})
    saved = calibration_of(recipe, scorer) if given.source == "default" else None
    if saved is None or saved.get("cut") is None:
        return given
    try:
        return Threshold(
            value=saved["cut"]["threshold"],
            source="calibration",
            precision=saved["wanted"],
            labels=saved["labels"],
            weights=given.weights,
        )
    except (ValidationError, KeyError, TypeError) as error:
        raise _damaged(file_of(recipe, scorer), error) from None


def scores(round_: Round) -> dict[str, float]:
    """Question id -> hallucination score, by the scorer that decides; questions without one are left out."""
    decides = round_.run.recipe.probe.scorer
    return {
        score.question_id: score.value
        for score in round_.iter(Score)
        if score.scorer == decides and score.value is not None
    }


def in_use(run: Run, scorer: str) -> float:
    """The threshold for `scorer`: that of `run` where it decides, else a calibrated one, else the default.

    One that was calibrated for other weights of the ensemble than the run has says nothing of its scores.
    """
    own = of(run)
    if scorer == run.recipe.probe.scorer:
        return own.value
    probe = run.recipe.probe.model_copy(update={"scorer": scorer, "threshold": None})
    found = resolve(run.recipe.model_copy(update={"probe": probe}))
    return DEFAULT if scorer == "ensemble" and found.weights != own.weights else found.value


def _of_recipe(recipe: Recipe) -> Threshold:
    number = recipe.probe.threshold
    return Threshold(
        value=DEFAULT if number is None else number, source="default" if number is None else "recipe"
    )


def calibration_of(recipe: Recipe, scorer: str) -> dict[str, Any] | None:
    """What `keep` saved for the models of `recipe` and this scorer; None if nothing was.

    Raises:
        DataError: the file cannot be read.
    """
    path = file_of(recipe, scorer)
    try:
        data = from_json(private.read(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None
    if not isinstance(data, dict):
        raise _damaged(path, "not a JSON object")
    return data


def keep(recipe: Recipe, scorer: str, calibration: Mapping[str, Any]) -> Path:
    """Saves a calibration for later runs of the same models; it replaces an earlier one.

    Raises:
        RunError: the folder cannot be written.
    """
    path = file_of(recipe, scorer)
    try:
        data = {**calibration, "fingerprint": fingerprint(recipe, scorer)}
        jsonl.replace(path, jsonl.encode(data), path.parent)
    except RunError as error:
        raise RunError(error.what, f"set {HOME} to a folder that can be written") from None
    return path


def file_of(recipe: Recipe, scorer: str) -> Path:
    """Where the calibration of these models and this scorer is kept, whether or not there is one."""
    key = digest(scorer, json.dumps(fingerprint(recipe, scorer), sort_keys=True))
    return home() / "calibrations" / f"{scorer}-{key}.json"


def fingerprint(recipe: Recipe, scorer: str) -> dict[str, Any]:
    """What a hallucination score depends on: every model, and how answers are drawn and judged."""
    probe, answering = recipe.probe, recipe.answering
    models = _models(recipe)
    members = probe.ensemble if scorer == "ensemble" else (scorer,)
    sampled = any(name not in SCORER_FACTS or SCORER_FACTS[name].samples for name in members)
    return {
        **{name: None if block is None else _identity(block) for name, block in models.items()},
        "samples": probe.samples if sampled else None,
        "temperature": answering.temperature if sampled else None,
        "repetition_penalty": answering.repetition_penalty,
        "max_new_tokens": answering.max_new_tokens,
        "prompts": _prompts(recipe, scorer),
        "options": {name: found for name, block in models.items() if (found := _options(block))} or None,
        "members": sorted(probe.ensemble) if scorer == "ensemble" else None,
    }


def _models(recipe: Recipe) -> dict[str, Any]:
    return {
        "model": block_of(recipe, "probe"),
        "judge": own_block(recipe, "judge"),
        "nli": recipe.nli,
        "embedder": recipe.embedder,
    }


def _prompts(recipe: Recipe, scorer: str) -> str | None:
    """A digest of the texts that a score was made with; None where they cannot be read any more.

    Demonstrations count only where a model may be shown them.
    """
    scorers = recipe.probe.ensemble if scorer == "ensemble" else (scorer,)
    names = {"answer", *(name for one in scorers for name in _asks_with(one))}
    if isinstance(recipe.nli, PromptedNLI) and any(one in NEED_ENTAILMENT for one in scorers):
        names.add("entail")
    try:
        prompts = Prompts(recipe.prompts)
        shown = any(may_show(block_of(recipe, stage)) for stage in ("probe", "judge"))
        return digest(*((prompts.text if shown else prompts.bare)(name) for name in sorted(names)))
    except (RecipeError, OSError, UnicodeError):
        return None


def _asks_with(scorer: str) -> tuple[str, ...]:
    """The prompts of a scorer; of one that is not ours nothing is known."""
    return next((facts.prompts for name, facts in SCORER_FACTS.items() if name == scorer), ())


def unused(recipe: Recipe, scorer: str) -> list[str]:
    """What to say of calibrations of these models and this scorer that were made with other settings."""
    own = fingerprint(recipe, scorer)
    found = []
    for path in sorted((home() / "calibrations").glob(f"{scorer}-*.json")):
        try:
            other = from_json(private.read(path))["fingerprint"]
            same_models = all(other[name] == own[name] for name in _models(recipe))
        except (OSError, ValueError, KeyError, TypeError):  # damaged, or of another version
            continue
        different = [name for name in own if other.get(name, own) != own[name]]
        if same_models and different and path != file_of(recipe, scorer):
            settings = ", ".join(
                f"{name} {other[name]}, here {own[name]}"
                if name in other and name not in ("prompts", "members")
                else ("other prompts" if name == "prompts" else f"{name} not noted")
                for name in different
            )
            found.append(f"a calibration of {scorer} exists for other settings ({settings}): it is not used")
    return found


def _identity(block: Any) -> dict[str, str]:
    names: tuple[str, ...] = ("path", "model", "revision", "adapter", "base_url")
    if isinstance(block, NoNLI | PromptedNLI):
        names = ("type", "ask")
    known = {name: str(value) for name in names if (value := getattr(block, name, None)) is not None}
    if "atlas" in known.values():  # an alias: the weights belong to the version of the package
        known["revision"] = __version__
    return known


def _options(block: Any) -> dict[str, str]:
    """What a model, its engine or its server is told beside the question: it may answer otherwise then."""
    usual: dict[str, tuple[object, ...]] = {
        "args": (None, []),
        "extra": (None, {}),
        "prompt": (None, "auto"),
        "demonstrations": (None,),
        "load_in_4bit": (None, False),
    }
    given = {name: getattr(block, name, None) for name in usual}
    return {
        name: json.dumps(value, sort_keys=True) for name, value in given.items() if value not in usual[name]
    }


def _damaged(path: Path, why: object) -> DataError:
    return DataError(
        f"the saved calibration {path} cannot be used: {why}",
        "delete that file, or make it again: selfstudy calibrate RUN",
    )
