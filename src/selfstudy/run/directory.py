"""The run directory: what a run has done so far; a kill at any moment loses nothing that was written.

The only place that knows what the files and folders of a run are called; `Run` and `Round` say what each is:

    recipe.yaml run.json lock                   what was asked for, with what, and who may write
    smoke.json                                  what its models said before the first question (loop/smoke.py)
    threshold.json calibration-SCORER.json kept_apart.json external-N.json imported.json answer_key.jsonl
    entailment.json
                                                what was settled or given once, and holds for all rounds
    cache/nli.sqlite library/                   computed once, and made again if deleted
    fetched/                                    what came over the network: to repeat the run without
    rounds/N/*.jsonl                            a file per type of record (records.py names it); round 1 has
                                                what was found and skipped in the library
    rounds/N/STAGE.done                         the stage has finished: it is not run again
    rounds/N/adapter/ control/ merged/ gate.json    what was trained, and whether it was promoted
    rounds/N/suites.json                        which suites were asked, and how (verify/suites)
    rounds/N/weaker.json weaker/ merged-weaker/ the same at a smaller strength, if it forgot (loop/weaker.py)
    promoted/ promoted.json                     what was promoted last
    forgotten.json                              what was unlearned
    corrections.jsonl corrections.lock          what people said, at any time (corrections.py)
    seen.json rounds/N/changes.json             what was learned from, and what of it had changed (changes.py)
    shards/NNN-of-MMM/                          while several jobs share its questions out: a part of a round,
                                                with a writer of its own (shards.py, merging.py)
    tracked.json tracker/                       what a tracker was sent, or keeps here (loop/tracking.py)
    slurm/                                      what was submitted to a queue, and the logs (verbs/submitting)
    timings.jsonl usage.json summary.json report.html    what it cost, and what came of it

What is done again after a kill: resume.py.
Records hold no timestamps, so an interrupted and resumed run ends equal to an undisturbed one.  Knows nothing
of what a stage does, nor how records are written (record_files.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, overload

from pydantic import BaseModel, ValidationError

from selfstudy.errors import RunError
from selfstudy.files import jsonl, lock, own, private
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import changed_keys, to_yaml
from selfstudy.records import AdapterArm, Document, Failure, Skipped
from selfstudy.run import resume
from selfstudy.run.provenance import provenance, require_run, stored_recipe
from selfstudy.run.record_files import RecordFiles
from selfstudy.run.timings import Timings
from selfstudy.text import shortened

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class _In:
    """A file or folder inside the folder of a `Run` or a `Round`; of the class itself, only its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, owner: None, kind: type) -> str: ...
    @overload
    def __get__(self, owner: Run | Round, kind: type) -> Path: ...
    def __get__(self, owner: Run | Round | None, kind: type) -> Path | str:
        if owner is None:
            return self.name
        return (owner.home_of(self.name) if isinstance(owner, Run) else owner.path) / self.name


class Run(Timings):
    """A run directory. Opened for writing it holds the writer lock until `close`."""

    recipe_file = _In("recipe.yaml")
    """The resolved recipe; a run exists once this file does."""
    provenance_file = _In(own.RUN_FILE)
    """That this is a run of ours; versions, machine, seed, recipe digest (provenance.py)."""
    lock_file = _In("lock")
    """Held by the one process that may write."""
    timings_file = _In("timings.jsonl")
    """Seconds per stage, and costs of parts of stages (timings.py)."""
    rounds_folder = _In("rounds")
    """A folder per round, named by its number: see `Round`."""
    threshold_file = _In("threshold.json")
    """The score above which a question is inconsistent, settled by the first probe (threshold.py)."""
    usage_file = _In("usage.json")
    """What was asked of language models (budget.py)."""
    smoke_file = _In("smoke.json")
    """What the smoke check asked of each model, and whether it can be worked with (loop/smoke.py)."""
    library_folder = _In("library")
    """The index over the documents (library/index.py)."""
    fetched_folder = _In("fetched")
    """Pages and replies of services as they came (library/web/kept_pages.py)."""
    entailment_file = _In("entailment.json")
    """Whether what judges entailment fits the run's own sentences (entailment.py)."""
    nli_cache = _In("cache/nli.sqlite")
    """What the entailment model has judged."""
    forgotten_file = _In("forgotten.json")
    """What was unlearned: tombstones, without any of its text (forgotten.py)."""
    seen_file = _In("seen.json")
    """A hash of the text of each source that was learned from (changes.py)."""
    corrections_file = _In("corrections.jsonl")
    """What people said of its questions, while it runs or later (corrections.py)."""
    corrections_lock = _In("corrections.lock")
    """Held while one saying is added: the lock of the run belongs to who works on it."""
    imported_file = _In("imported.json")
    """What was imported; of an experiment the stored values too (verbs/importing)."""
    answer_key_file = _In("answer_key.jsonl")
    """The questions and accepted answers of imported question-answer data, for other runs."""
    kept_apart_file = _In("kept_apart.json")
    """Ids of the known questions of round 1 that are never trained and test every round (split.py)."""
    promoted_folder = _In("promoted")
    """What was promoted last: an adapter, or a merged model if the recipe says so (standing.py)."""
    promoted_file = _In("promoted.json")
    """Of which round that is, and the SHA-256 of its files."""
    promoted_aside = _In("promoted.old")
    """What was promoted before, while another takes its place; only a kill leaves it."""
    promoted_unfinished = _In(f"promoted{own.UNFINISHED}")
    """What takes its place, while it is put together."""
    tracked_file = _In("tracked.json")
    """Which curves and figures a tracker was sent (loop/tracking.py)."""
    tracker_folder = _In("tracker")
    """What wandb writes without a key, and mlflow without a server."""
    shards_folder = _In("shards")
    """Parts of a round that other processes work on, each a run of its own (shards.py)."""
    slurm_folder = _In("slurm")
    """Batch files, logs, and which jobs were submitted (verbs/submitting)."""
    summary_file = _In("summary.json")
    """All figures of the run."""
    report_file = _In("report.html")

    def __init__(self, path: Path, recipe: Recipe, lock: int | None) -> None:
        super().__init__(path / Run.timings_file, path, lambda: self.writable)
        self.path = path
        self.recipe = recipe
        self._lock = lock
        self._rounds: dict[int, Round] = {}

    @classmethod
    def create_or_resume(cls, path: Path, recipe: Recipe) -> Run:
        """Begin a run at `path`, or go on with the one that is there.

        Raises:
            RunError: the folder is in use by another process, is no run and not empty, cannot be written,
                leads elsewhere by a link, or holds a run of another recipe (the message lists the changed
                keys).
        """
        path = _place(path)
        with jsonl.writing(path, path):
            _check_place(path)
            private.make_folder(path)
        run = cls(path, recipe, lock.take(path / cls.lock_file, path))
        try:
            _inspect(path, tidy=True)
            if is_run(path) and not _begun_afresh(path, recipe):
                _check_same(path, recipe)
            else:
                run.smoke_file.unlink(missing_ok=True)
                jsonl.replace(run.provenance_file, jsonl.encode(provenance(recipe)), path)
                jsonl.replace(run.recipe_file, to_yaml(recipe).encode(), path)
            run._repair()
            return run
        except BaseException:
            run.close()
            raise

    @classmethod
    def open(cls, path: Path, *, write: bool = True) -> Run:
        """The run at `path`; without `write` nothing is locked, repaired or changed.

        Raises:
            RunError: there is no run, another process writes to it, it leads elsewhere by a link, or its
                recipe.yaml was edited.
        """
        path = _place(path)
        if not is_run(path):
            raise RunError(f"no run at {path}", "start one with: selfstudy learn RECIPE --run DIR")
        require_run(path / cls.provenance_file)
        _inspect(path, tidy=False)
        recipe = _stored_recipe(path)
        run = cls(path, recipe, lock.take(path / cls.lock_file, path) if write else None)
        if write:
            try:
                _inspect(path, tidy=True)
                run._repair()
            except BaseException:
                run.close()
                raise
        return run

    def round(self, number: int) -> Round:
        """Turn `number` of the loop, from 1; its folder is made if the run is open for writing."""
        if number < 1:
            raise ValueError(f"rounds count from 1, not {number}")
        if number not in self._rounds:
            self._rounds[number] = Round(self, number)
        return self._rounds[number]

    is_shard = False
    """Whether it is a part of another run (shards.py)."""

    def home_of(self, name: str) -> Path:
        """The folder in which a file or folder of this name lies."""
        return self.path

    def budget_for(self, name: str, enough: float) -> float:
        """What the budget of the whole run must be so that this one has `enough` of it."""
        return enough

    @property
    def library_round(self) -> Round:
        """The round that has what was found and skipped in the library."""
        return self.round(1)

    @property
    def rounds(self) -> list[Round]:
        """The rounds that exist, in order."""
        found = self.rounds_folder.glob("*")
        numbers = [int(p.name) for p in found if _ROUND.fullmatch(p.name) and p.is_dir()]
        return [self.round(number) for number in sorted(numbers)]

    def calibration_file(self, scorer: str) -> Path:
        """What `selfstudy calibrate` found for a scorer."""
        return self.path / f"calibration-{scorer}.json"

    @property
    def calibration_files(self) -> list[Path]:
        """Those that there are."""
        return sorted(self.path.glob(self.calibration_file("*").name))

    def external_file(self, ask: int) -> Path:
        """What the way of asking number `ask`, of the method `external`, was given."""
        return self.path / f"external-{ask}.json"

    def write_json(self, path: Path, data: Mapping[str, Any], largest: int = private.LARGEST) -> None:
        """Replace a file of the run directory in one step; NaN and infinities become null.

        Raises:
            RunError: it would have more than `largest` bytes, or cannot be written.
        """
        self._require_writer()
        content = jsonl.encode(data)
        jsonl.require_readable(content, path, largest=largest)
        jsonl.replace(path, content, self.path)

    def read_json(self, path: Path, largest: int = private.LARGEST) -> dict[str, Any] | None:
        """What `write_json` wrote, or None if there is no such file.

        Raises:
            RunError: the file is damaged.
        """
        return jsonl.read_object(path, _DAMAGED, largest=largest)

    def read_as(self, path: Path, kind: type[M], largest: int = private.LARGEST) -> M | None:
        """The same, checked.

        Raises:
            RunError: the file is damaged, or is none of that kind.
        """
        written = self.read_json(path, largest)
        try:
            return None if written is None else kind.model_validate(written)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise RunError(f"{path} is damaged: {where} {first['msg']}", _DAMAGED) from None

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Another process writes meanwhile; afterwards this one does again, and knows what that one wrote.

        Raises:
            RunError: somebody else took it; an error of the block itself matters more.
        """
        self._require_writer()
        self.close()
        try:
            yield
        except BaseException:
            with suppress(RunError):
                self._take_again()
            raise
        self._take_again()

    def _take_again(self) -> None:
        self._lock = lock.take(self.path / Run.lock_file, self.path)
        for round_ in self._rounds.values():
            round_.forget_ids()
        _inspect(self.path, tidy=True)
        self._repair()

    def adopt(self, recipe: Recipe) -> None:
        """Takes from a recipe what may differ when a run goes on: its budget, and where and how it works.

        Raises:
            RunError: it differs in anything else; the message lists that.
        """
        _check_same(self.path, recipe)
        if recipe != self.recipe:
            self._require_writer()
            jsonl.replace(self.recipe_file, to_yaml(recipe).encode(), self.path)
            self.recipe = recipe

    def close(self) -> None:
        """Let go of the writer lock. Closing twice is harmless."""
        if self._lock is not None:
            lock.release(self._lock)
            self._lock = None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def writable(self) -> bool:
        """Whether this process holds the writer lock."""
        return self._lock is not None

    def _repair(self) -> None:
        rounds = [one.path for one in self.rounds]
        with jsonl.writing(self.path, self.path):
            resume.repair(self.path, rounds, self.timings_file, self.promoted_folder, self.promoted_aside)


class Round(RecordFiles):
    """One turn of the loop: its records, and which stages have finished (those are not run again)."""

    gate_file = _In("gate.json")
    """Whether the adapter was promoted, and why (verify/gate.py)."""
    suites_file = _In("suites.json")
    """Which suites were asked, and how; their items are in suites.jsonl (verify/suites/kept.py)."""
    changes_file = _In("changes.json")
    """What had changed in the library, of a round that watching began (changes.py)."""
    weaker_file = _In("weaker.json")
    """At which smaller strength an adapter that forgot is asked again, and why (verify/strengths.py)."""

    def __init__(self, run: Run, number: int) -> None:
        self.run = run
        self.number = number
        super().__init__(run.rounds_folder / str(number), run.path, lambda: run.writable)
        if run.writable:
            with jsonl.writing(self.path, run.path):
                private.make_folder(self.path)

    def adapter(self, arm: AdapterArm = "taught") -> Path:
        """The folder of the adapter of an arm."""
        return self.path / {"taught": "adapter", "control": "control", "weaker": "weaker"}[arm]

    def merged_folder(self, arm: AdapterArm = "taught") -> Path:
        """The model with its adapter merged in, if such is to be promoted: measured here, then moved."""
        return self.path / {"taught": "merged", "control": "merged-control", "weaker": "merged-weaker"}[arm]

    def rejected_mark(self, arm: AdapterArm = "taught") -> Path:
        """In the folder of an adapter that the gate refused, with the reasons; it is kept and never used."""
        return self.adapter(arm) / "REJECTED.txt"

    def fail(self, stage: str, item_id: str, error: object) -> None:
        """Note that `stage` could not do `item_id`; an exception is noted with its type."""
        message = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
        self.append([Failure(stage=stage, item_id=item_id, message=message)])

    def finished(self, stage: str) -> bool:
        """Whether `finish(stage)` was called in this or an earlier session."""
        return resume.marker(self.path, stage).exists()

    def finish(self, stage: str) -> None:
        """Mark `stage` as done; see resume.py for when that is void."""
        self._require_writer()
        resume.mark(self.path, self.run.path, stage)

    def pending(
        self, items: Sequence[T], size: int, done: Callable[[T], bool], first: int | None = None
    ) -> Iterator[list[T]]:
        """The blocks of `items` that must be done, or done again: see `resume.pending`."""
        return resume.pending(items, size, done, first)


def is_run(path: Path) -> bool:
    """Whether a folder holds a run.

    Raises:
        RunError: the way to it is closed, or its name is none.
    """
    try:
        return (path / Run.recipe_file).is_file()
    except OSError as error:
        where = shortened(str(path), 300)
        raise RunError(
            f"cannot read {where}: {error.strerror}", "check the path and its permissions"
        ) from None


def _place(path: Path) -> Path:
    """Where a run is: what `x/../..` leads to must not change after it was looked at, when x is made."""
    try:
        place = Path(path).absolute()
        return place.resolve() if ".." in place.parts else place
    except (OSError, RuntimeError) as error:  # a link to itself is a RuntimeError to Python 3.11
        said = (isinstance(error, OSError) and error.strerror) or "its links lead round in a circle"
        raise RunError(
            f"cannot read {shortened(str(path), 300)}: {said}", "give another folder with --run DIR"
        ) from None


def _check_place(path: Path) -> None:
    """Refuse a place that is no run, before anything is written there."""
    if path.exists() and not path.is_dir():
        raise RunError(f"the run directory {path} is a file", "give a new folder with --run DIR")
    if not path.is_dir():
        return
    names = sorted(found.name for found in path.iterdir())
    if Run.recipe_file in names:
        require_run(path / Run.provenance_file)
        _inspect(path, tidy=False)
        return
    foreign = [name for name in names if not _began(path / name)]
    if foreign:
        raise RunError(
            f"{path} is not empty and no run (it holds {', '.join(foreign[:3])})",
            "give a new or empty folder with --run DIR",
        )


def _began(path: Path) -> bool:
    """Whether a kill while a run was begun left this, so that it is nobody's."""
    if path.name == Run.lock_file:
        return lock.is_lock(path)
    if path.name == Run.slurm_folder:
        return own.is_marked(path)
    if path.name == Run.smoke_file:
        return own.is_run(path.parent)
    if path.name == Run.provenance_file:
        return own.is_run(path.parent) or own.is_torn_file(path)
    return path.suffix == own.UNFINISHED  # somebody's or not, such a name is not written to


def _inspect(path: Path, *, tidy: bool) -> None:
    """Refuse a run that leads elsewhere; see `own.inspect`."""
    try:
        own.inspect(path, is_ours, tidy=tidy, shared=(Run.slurm_folder,))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}", "check its permissions") from None


def is_ours(name: str) -> bool:
    """Whether something of this name in a run directory is part of the run."""
    return name in _NAMES or name.startswith(("calibration-", "external-"))


_NAMES = {
    part.name.partition("/")[0]
    for part in vars(Run).values()
    if isinstance(part, _In) and part is not vars(Run)["shards_folder"]  # others write there: shards.py
}
_ROUND = re.compile("[1-9][0-9]{0,5}")
_DAMAGED = "restore it from a backup, or delete it and give the command that wrote it again"


def _begun_afresh(path: Path, recipe: Recipe) -> bool:
    """Clears a run of another recipe in which only its models were looked at, to mend what they lack.

    The recipe goes last, but for what the smoke check found, which whoever begins a run deletes: after a kill
    the run is as it was, or nobody's.
    """
    names = {found.name for found in path.iterdir()}
    inside = sorted((path / Run.rounds_folder).rglob("*"), reverse=True)
    skipped = [found for found in inside if found.name in (Skipped.file, Document.file)]
    work = any(found.is_file() for found in inside if found not in skipped)
    if Run.smoke_file not in names or not names <= _BEFORE_WORK or work:
        return False
    if not changed_keys(_stored_recipe(path), recipe):
        return False
    for file in skipped:
        file.unlink()
    folders = [found for found in inside if found not in skipped]
    for folder in (*folders, *(path / name for name in names if name == Run.rounds_folder)):
        folder.rmdir()
    kept = {Run.recipe_file, Run.smoke_file, Run.rounds_folder, Run.lock_file, Run.provenance_file}
    kept.add(Run.fetched_folder)
    for name in (*(names - kept), Run.recipe_file):
        (path / name).unlink()
    return True


_BEFORE_WORK = {
    *(Run.recipe_file, Run.provenance_file, Run.lock_file, Run.smoke_file, Run.usage_file),
    *(Run.timings_file, Run.rounds_folder, Run.threshold_file, Run.fetched_folder),
}
"""What a run may hold in which nothing was asked but by the smoke check."""


def _check_same(path: Path, recipe: Recipe) -> None:
    changed = changed_keys(_stored_recipe(path), recipe)
    if changed:
        raise RunError(
            f"the run {path} was made with another recipe:\n" + "\n".join(f"    {line}" for line in changed),
            "undo the change, or start a new run with --run DIR",
        )


def _stored_recipe(path: Path) -> Recipe:
    return stored_recipe(path / Run.recipe_file, path / Run.provenance_file)
