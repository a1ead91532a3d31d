"""Which adapters of a run hold what is forgotten, and how they go: by folder, and by the rows of a router.

    dynamic            those that were taught it alone are deleted wherever they lie; those that were taught
                       other things too are deleted as well, and their rounds teach the group again; of a
                       control, whose answers are exchanged between groups, all of that round are deleted
    adapter, merged,   later adapters are trained on earlier ones: the first round that holds it and all after
    whole models       it teach and verify again; a rejected one that holds it is deleted

What merely rehearsed a known question of the source is told apart: what the model knew before is not taught.
Knows nothing of how anything is trained.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfstudy.files import jsonl, own
from selfstudy.models import taught
from selfstudy.records import (
    AdapterArm,
    Check,
    CitedCheck,
    Example,
    Failure,
    Pair,
    Practised,
    Recheck,
    Record,
    RefusalCheck,
    SuiteItem,
)
from selfstudy.run import Round, Run, curriculum, resume, standing
from selfstudy.run.curriculum import Curriculum
from selfstudy.verbs.unlearning.resting import Resting, Sources

ARMS: tuple[AdapterArm, ...] = ("taught", "control", "weaker")
_OF_VERIFY: tuple[type[Record], ...] = (Check, Recheck, CitedCheck, RefusalCheck, SuiteItem)


@dataclass(frozen=True)
class HoldingAdapters:
    """What goes.

    Attributes:
        dropped: by name, `group-HASH` or `round-N`: taught nothing else, or rejected.
        retrained: taught other things too.
        rehearsed: those that stay though they rehearsed known questions of the source.
        rounds: that teach and verify again, in order.
    """

    dropped: tuple[str, ...] = ()
    retrained: tuple[str, ...] = ()
    rehearsed: tuple[str, ...] = ()
    rounds: tuple[int, ...] = ()

    @property
    def gone(self) -> tuple[str, ...]:
        return (*self.dropped, *self.retrained)


def holding(run: Run, sources: Sources, found: Resting, *, rehearsed: bool = False) -> HoldingAdapters:
    """Looks into every folder that a training left.

    Args:
        rehearsed: whether what only rehearsed it is trained again too.

    Raises:
        ModelError: a router is damaged: nothing can be taken out of it.
    """
    if run.recipe.deploy.type == "dynamic":
        return _routed(run, sources, found, rehearsed)
    return _stacked(run, sources, found, rehearsed)


def _folders(run: Run) -> Iterator[Path]:
    for round_ in run.rounds:
        yield from (round_.adapter(arm) for arm in ARMS)
    yield run.promoted_folder


def _with_unfinished(run: Run) -> Iterator[Path]:
    """Folders with adapters and a router, also of trainings that were killed."""
    yield from (folder for folder in _folders(run) if taught.is_routed(folder))
    for round_ in run.rounds:
        for arm in ARMS:
            if (folder := own.unfinished(round_.adapter(arm)) / FINAL).is_dir():
                yield folder


@dataclass(frozen=True)
class _Held:
    """Of one adapter: whether it was taught what is forgotten, taught other things, rehearsed it."""

    taught: bool
    other: bool
    rehearsed: bool


def _held(one: Curriculum, sources: Sources, found: Resting) -> _Held:
    asked = set(one.questions)
    of_it = bool(asked & found.questions) or any(source in sources for source in one.sources)
    if asked:
        other = bool(asked - found.questions)
    else:
        other = any(source not in sources for source in one.sources)
    return _Held(of_it, other, bool(set(one.replayed) & found.questions))


def _routed(run: Run, sources: Sources, found: Resting, rehearsed: bool) -> HoldingAdapters:
    from selfstudy.models import router_file

    dropped: dict[str, None] = {}
    retrained: dict[str, int] = {}
    stay: dict[str, None] = {}
    with_unfinished = list(_with_unfinished(run))
    for folder in filter(taught.is_routed, with_unfinished):
        router_file.read(folder)  # one that is damaged is told before anything is half done
    folders = [one for folder in with_unfinished for one in taught.adapters_of(folder).items()]
    read = [(name, curriculum.read(place)) for name, place in folders]
    all_held = [_held(one, sources, found) if one else _Held(True, False, False) for _, one in read]
    # a control's answers are those of all groups of its round, exchanged
    mixed = {one.round for (_, one), held in zip(read, all_held, strict=True) if one and held.taught}
    for (name, written), held in zip(read, all_held, strict=True):
        of_control = written is not None and written.arm == "control" and written.round in mixed
        if of_control or (held.taught and not held.other):
            dropped[name] = None
        elif held.taught or (held.rehearsed and rehearsed):
            retrained[name] = written.round if written else 0
        elif held.rehearsed:
            stay[name] = None
    first = min(retrained.values(), default=None)
    again = [one.number for one in run.rounds if first is not None and one.number >= first]
    return HoldingAdapters(
        tuple(sorted(dropped)),
        tuple(sorted(retrained)),
        tuple(sorted(stay)),
        tuple(n for n in again if run.round(n).finished("teach")),
    )


def _stacked(run: Run, sources: Sources, found: Resting, rehearsed: bool) -> HoldingAdapters:
    dropped, retrained, stay = [], [], []
    below = False
    for round_ in run.rounds:
        folders = [folder for arm in ARMS if (folder := round_.adapter(arm)).is_dir()]
        if not folders:
            continue
        held = _of_round(round_, folders, sources, found)
        name = f"round-{round_.number}"
        if not (below or held.taught or (held.rehearsed and rehearsed)):
            stay += [name] if held.rehearsed else []
            continue
        gate = standing.decision(round_)
        if gate is not None and not gate.promoted:
            dropped.append(name)
        else:
            retrained.append((name, round_.number))
            below = True
    return HoldingAdapters(
        tuple(dropped),
        tuple(name for name, _ in retrained),
        tuple(stay),
        tuple(number for _, number in retrained),
    )


def _of_round(round_: Round, folders: Sequence[Path], sources: Sources, found: Resting) -> _Held:
    """By what is written beside the weights; else, of an older version, by the records of its lessons."""
    read = [one for folder in folders if (one := curriculum.read(folder)) is not None]
    parts = [_held(one, sources, found) for one in read]
    lessons: list[Example | Pair] = [*round_.iter(Example), *round_.iter(Pair)]
    new = {one.question_id for one in lessons if isinstance(one, Pair) or one.kind not in _REHEARSAL}
    old = {one.question_id for one in lessons if isinstance(one, Example) and one.kind in _REHEARSAL}
    new |= {one.question_id for one in round_.iter(Practised)}
    parts.append(_Held(bool(new & found.questions), bool(new - found.questions), bool(old & found.questions)))
    return _Held(
        any(one.taught for one in parts), any(one.other for one in parts), any(one.rehearsed for one in parts)
    )


_REHEARSAL = ("replay", "swapped", "neutral")
"""Kinds of examples by which something is kept, not learned."""


def drop(
    run: Run, names: Collection[str], again: Sequence[int], questions: Collection[str] = frozenset()
) -> None:
    """Deletes adapters in every round and in what was promoted; what is gone already is fine.

    Args:
        names: of all that goes.
        again: rounds that teach and verify again; they are marked as unfinished.
        questions: ids of what is forgotten, which no router keeps, of the base model's questions neither.

    Raises:
        RunError: a folder is not ours, or cannot be deleted.
    """
    dynamic = run.recipe.deploy.type == "dynamic"
    with jsonl.writing(run.path, run.path):
        for number in again:
            _reopen(run.round(number))
        own.remove(run.promoted_aside)
        own.remove(run.promoted_unfinished)
        if dynamic:
            for folder in _folders(run):
                if taught.is_routed(folder):
                    _drop_routed(folder, names, questions)
            _rewrite_promoted(run)
            for number in again:
                _prepare_routed(run.round(number))
        else:
            if again:
                _remove_ours(run.promoted_folder)
                run.promoted_file.unlink(missing_ok=True)
            for name in names:
                _drop_round(run.round(int(name.rpartition("-")[2])))
        for round_ in run.rounds:
            _remove_unfinished(round_, names if dynamic else None, questions)


def unfinished(run: Run, again: Sequence[int]) -> tuple[int, ...]:
    """Of rounds that teach and verify again, those that have not done both."""
    rounds = [run.round(number) for number in again]
    return tuple(one.number for one in rounds if not (one.finished("teach") and one.finished("verify")))


def _reopen(round_: Round) -> None:
    """What teach and verify made of a round that goes through them again goes, but for what teach clears."""
    for stage in ("teach", "verify"):
        if round_.finished(stage):
            resume.marker(round_.path, stage).unlink()
    for file in (round_.gate_file, round_.suites_file, round_.weaker_file):
        file.unlink(missing_ok=True)
    for kind in _OF_VERIFY:
        if round_.count(kind):
            round_.rewrite(kind, [])
    failures = round_.read(Failure)
    if any(one.stage == "verify" for one in failures):
        round_.rewrite(Failure, [one for one in failures if one.stage != "verify"])


def _drop_routed(folder: Path, names: Collection[str], questions: Collection[str]) -> None:
    """The router first: nothing may lead to what is not there."""
    from selfstudy.models.router import Router

    there = taught.adapters_of(folder)
    if taught.is_routed(folder):  # a training that was killed may not have come to it
        router = Router.load(folder)
        gone = [name for name in names if name in router.adapters]
        if gone or any(one.id in questions for one in router.data.questions):
            router.without(gone, questions).save(folder)
    for name in names:
        if name in there:
            shutil.rmtree(there[name])


def _rewrite_promoted(run: Run) -> None:
    written = run.read_json(run.promoted_file)
    if written is not None and run.promoted_folder.is_dir():
        files = standing.hashes(run.promoted_folder)
        if files != written.get("files"):
            run.write_json(run.promoted_file, {**written, "files": files})


def _prepare_routed(round_: Round) -> None:
    """As a training that was killed leaves it: teach goes on with the groups that are missing."""
    arms: tuple[AdapterArm, ...] = ("taught", "control")
    for arm in arms:
        folder = round_.adapter(arm)
        if not taught.is_routed(folder):
            continue
        for place in taught.adapters_of(folder).values():
            written = curriculum.read(place)
            if written is None or written.round != round_.number:  # put there again from what stands by then
                shutil.rmtree(place)
        temporary = own.unfinished(folder)
        own.remove(temporary)
        own.make(temporary)
        folder.rename(temporary / FINAL)
    _remove_ours(round_.adapter("weaker"))


FINAL = "final"
"""In the folder of an unfinished training: what takes its place at its end."""


def _drop_round(round_: Round) -> None:
    for arm in ARMS:
        _remove_ours(round_.merged_folder(arm))
        _remove_ours(round_.adapter(arm))


def _remove_ours(folder: Path) -> None:
    """A folder that a training left; it is published without a mark."""
    if folder.is_dir() and not folder.is_symlink() and taught.is_complete(folder):
        shutil.rmtree(folder)
    else:
        own.remove(folder)


def _remove_unfinished(
    round_: Round, names: Collection[str] | None, questions: Collection[str] = frozenset()
) -> None:
    """What a kill left of trainings and merges, which learn too; of `names` what is not of these stays."""
    for arm in ARMS:
        own.remove(own.unfinished(round_.merged_folder(arm)))
        temporary = own.unfinished(round_.adapter(arm))
        if names is None or not (temporary / FINAL).is_dir():
            own.remove(temporary)
            continue
        own.check(temporary)
        own.clear(temporary, keep=(FINAL,))
        _drop_routed(temporary / FINAL, names, questions)
