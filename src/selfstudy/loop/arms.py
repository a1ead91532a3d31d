"""What verify asks (the model as it was, the taught one, a control), each in its turn, and what follows.

What is measured is what is promoted: a merged model is written once, asked as it lies there, then moved.
Knows which weights an arm is; nothing of what it is asked, nor of how the gate decides.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.files import own, private
from selfstudy.loop.resources import Resources
from selfstudy.loop.suites import suite_plan
from selfstudy.loop.weaker import weaken
from selfstudy.models.taught import is_whole
from selfstudy.recipe import LocalModel, ModelBlock, weights_of
from selfstudy.records import AdapterArm, Arm
from selfstudy.run import Round, standing
from selfstudy.run.models import whole_block

if TYPE_CHECKING:
    from selfstudy.models.base import LanguageModel
    from selfstudy.verify.gate import Gate


def verify(resources: Resources, round_: Round) -> None:
    """Asks every arm, one loaded at a time; then promotes what was taught, or marks it as rejected.

    One that learned but forgot is asked once more at a smaller strength.
    """
    gate = _asked(resources, round_)
    if gate.remain is not None:
        _let_go(resources, round_)
    if weaken(resources, round_, gate):
        own.remove(round_.merged_folder())  # it has answered everything
        gate = _asked(resources, round_)
    arm: AdapterArm = "weaker" if gate.weaker else "taught"
    folder = standing.trained(round_, arm)
    if gate.weaker:
        standing.reject(round_, gate.weaker.reasons)
    if folder is not None and gate.promoted:
        _promote(resources, round_, arm, folder)
    elif round_.adapter(arm).is_dir():  # there is one even if its training failed
        standing.reject(round_, gate.reasons, arm)
        resources.reporter.note(
            f"what was taught was not promoted; it is kept, marked, in {round_.adapter(arm)}"
        )
    if not gate.promoted:
        _let_go(resources, round_)
    for each in MERGED:
        if each != arm or not gate.promoted:
            own.remove(round_.merged_folder(each))


MERGED: tuple[AdapterArm, ...] = ("taught", "weaker")
"""The arms that are asked with their adapter merged in, if that is what would be promoted."""


def _asked(resources: Resources, round_: Round) -> Gate:
    """What the gate says when every arm that there is has answered."""
    from selfstudy.verify.stage import run_verify

    loaders = _loaders(resources, round_)
    return run_verify(
        *(round_, loaders, resources.evaluator, resources.prompts, resources.key, resources.reporter),
        suite_plan(resources),
    )


def _folders(round_: Round) -> dict[Arm, Path | None]:
    """What training left for every arm of a round; None: the model as it came."""
    found: dict[Arm, Path | None] = {"base": standing.standing(round_)}
    if found["base"] is not None:
        found["original"] = None
    trained: tuple[AdapterArm, ...] = ("control", "taught", "weaker")
    for arm in trained:
        if (folder := standing.trained(round_, arm)) is not None:
            found[arm] = folder
    return found


def _loaders(resources: Resources, round_: Round) -> dict[Arm, Callable[[], LanguageModel]]:
    """What loads each arm, and lets go of the others first: a copy of the model at a time."""

    def loader(arm: Arm, folder: Path | None) -> Callable[[], LanguageModel]:
        def load() -> LanguageModel:
            _let_go(resources, round_, folder)
            for merged in MERGED:
                if arm == merged and folder is not None and _merges(resources, folder):
                    return resources.language_models.get(_merged(resources, round_, merged, folder))
            return resources.lm(folder)

        return load

    return {arm: loader(arm, folder) for arm, folder in _folders(round_).items()}


NOBODY = Path()
"""The folder of no arm."""


def _let_go(resources: Resources, round_: Round, keep: Path | None = NOBODY) -> None:
    """Lets go of every arm but those of the folder `keep`."""
    model = resources.recipe.model
    for folder in _folders(round_).values():
        if folder != keep:
            resources.language_models.forget(model, folder)
    for arm in MERGED:
        if round_.adapter(arm) != keep:
            resources.language_models.forget(whole_block(model, round_.merged_folder(arm)))


def _merges(resources: Resources, folder: Path) -> bool:
    """Whether the model is asked and promoted with what is in `folder` merged in."""
    return resources.recipe.deploy.type == "merged" and not is_whole(folder)


def _merged(resources: Resources, round_: Round, arm: AdapterArm, adapter: Path) -> ModelBlock:
    """The model with the adapter merged in: written once, measured as it lies there, promoted as it is."""
    from selfstudy.models.local import weights

    folder = round_.merged_folder(arm)
    if not folder.is_dir():
        temporary = own.unfinished(folder)
        own.remove(temporary)
        resources.language_models.make_room()
        block = weights_of(resources.recipe.model) or LocalModel()
        own.make(temporary)
        weights.save_merged(block.model_copy(update={"adapter": adapter}), temporary)
        private.close_tree(temporary)
        temporary.rename(folder)
    return whole_block(resources.recipe.model, folder)


def _promote(resources: Resources, round_: Round, arm: AdapterArm, folder: Path) -> None:
    """Puts what was measured in the place of what was promoted before."""
    merge = _merges(resources, folder)

    def measured() -> Path:
        if not merge:
            return folder
        resources.language_models.forget(_merged(resources, round_, arm, folder))
        return round_.merged_folder(arm)

    place = standing.promote(round_, measured, move=merge)
    resources.reporter.note(f"promoted: {place}")


def promote_again(resources: Resources) -> None:
    """Puts in place what the gates say now, if another round's was promoted before they decided again."""
    run = resources.run
    last = standing.promoted_last(run)
    if last is None:
        own.remove(run.promoted_folder)
        run.promoted_file.unlink(missing_ok=True)
    elif standing.promoted_round(run) != last.number:
        gate = standing.decision(last)
        _promote(resources, last, gate.arm if gate is not None else "taught", standing.decided(last))
