"""What of a run is published: the round, what it taught, what the gate said, and whose model it is.

Knows records and folders of a run; loads nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from selfstudy.errors import ModelError, RunError
from selfstudy.models.taught import adapters_of, is_complete, is_routed, is_whole
from selfstudy.recipe import LocalModel, weights_of
from selfstudy.recipe.entailment import is_atlas
from selfstudy.run import Round, Run, forgotten
from selfstudy.run.standing import decided, promoted_last
from selfstudy.verify.gains import FigureGain, Gain

_SNAPSHOT = re.compile(r"models--(.+?)--(.+)")
"""A folder of the Hub's cache, whose name says whose model is in it."""


class GateSaid(BaseModel):
    """What of the gate's decision a card tells; runs of older versions lack some of it."""

    promoted: bool = False
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    gains: dict[str, Gain] = {}
    cited: dict[str, FigureGain] = {}
    refusing: dict[str, FigureGain] = {}
    known_trained: float | None = None


@dataclass(frozen=True)
class BaseModelId:
    """Whose adapter it is.

    Attributes:
        name: a Hub id, or what a person calls it.
        revision: the commit on the Hub, if it is known.
        on_hub: whether others find it on the Hub by that name.
        packaged: whether it is the one that selfstudy ships.
    """

    name: str
    revision: str | None = None
    on_hub: bool = False
    packaged: bool = False


@dataclass(frozen=True)
class Publication:
    """What is published.

    Attributes:
        round: that taught it.
        folder: the adapter, the whole model or the adapters beside their router.
        adapters: by the name of their subfolder, "" for one alone; none of a whole model.
        verified: whether the gate promoted it.
        judgement: what the gate said; None: it has not decided.
        block: the weights that were taught.
    """

    round: Round
    folder: Path
    adapters: dict[str, Path]
    verified: bool
    judgement: GateSaid | None
    block: LocalModel
    base: BaseModelId

    @property
    def run(self) -> Run:
        return self.round.run

    @property
    def whole(self) -> bool:
        return not self.adapters


def choose(
    run: Run, *, unverified: bool = False, adapter: str | None = None, base: str | None = None
) -> Publication:
    """What is published of a run.

    Args:
        unverified: also what the gate has rejected, or has not seen.
        adapter: one of several, by name.
        base: the Hub id under which others find the base model.

    Raises:
        RunError: nothing was taught, or nothing was promoted and `unverified` is not said.
        ModelError: the model has no weights, or no such adapter.
    """
    block = weights_of(run.recipe.model)
    if block is None:
        raise ModelError(
            f"the model of {run.path} has no weights here, so nothing was taught that could be published",
            "publish runs of models that were taught",
        )
    if any(not one.finished for one in forgotten.tombstones(run)):
        raise RunError(
            f"{run.path} is in the middle of forgetting a source",
            "give the unlearn command again until it ends, then publish",
        )
    promoted = promoted_last(run)
    turn = promoted if promoted is not None else _taught_last(run, unverified)
    folder = decided(turn)
    return Publication(
        turn,
        folder,
        _adapters(folder, adapter),
        promoted is not None,
        run.read_as(turn.gate_file, GateSaid),
        block,
        _base(block, base),
    )


def _taught_last(run: Run, unverified: bool) -> Round:
    taught = [turn for turn in run.rounds if is_complete(decided(turn))]
    if not taught:
        raise RunError(f"{run.path} has taught nothing yet", f"selfstudy learn RECIPE --run {run.path}")
    if not unverified:
        judged = run.read_as(taught[-1].gate_file, GateSaid)
        why = (
            "verify has not decided yet" if judged is None else " ".join(judged.reasons) or "it was rejected"
        )
        raise RunError(
            f"nothing of {run.path} was promoted: {why}",
            "give --unverified to publish it all the same; its card says so at the top",
        )
    return taught[-1]


def _adapters(folder: Path, wanted: str | None) -> dict[str, Path]:
    if not is_routed(folder):
        if wanted is not None:
            raise ModelError(
                f"the run taught one adapter, and none called {wanted[:80]!r}", "leave out --adapter"
            )
        return {} if is_whole(folder) else {"": folder}
    found = adapters_of(folder)
    if not found:
        raise ModelError("all adapters of the run were forgotten", "there is nothing to publish")
    if wanted is None:
        return found
    if wanted not in found:
        raise ModelError(
            f"the run has no adapter {wanted[:80]!r}",
            f"it has {', '.join(found)}; give one, or leave out --adapter",
        )
    return {"": found[wanted]}


def _base(block: LocalModel, given: str | None) -> BaseModelId:
    from selfstudy.models.local import loading

    if given is not None:
        if not _is_hub_id(given):
            raise ModelError(f"--base {given[:80]!r} is no Hub id", "give OWNER/NAME")
        return BaseModelId(given, block.revision, on_hub=True)
    if is_atlas(block):
        return BaseModelId("atlas-lm", packaged=True)
    path, is_folder = loading.locate(block.path, "lm")
    if not is_folder:
        config = loading.cached(path, "config.json", block.revision)
        return BaseModelId(path, config.parent.name if config else block.revision, on_hub=True)
    parts = Path(path).resolve().parts
    for at, part in enumerate(parts):
        named = _SNAPSHOT.fullmatch(part)
        if named and parts[at + 1 : at + 2] == ("snapshots",) and len(parts) > at + 2:
            return BaseModelId(f"{named[1]}/{named[2]}", parts[at + 2], on_hub=True)
    return BaseModelId(Path(path).name[:200])


def _is_hub_id(name: str) -> bool:
    from selfstudy.models.local.loading import is_hub_id

    return "/" in name and is_hub_id(name)
