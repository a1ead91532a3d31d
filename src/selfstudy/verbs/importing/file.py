"""Somebody else's results and data become a run: `selfstudy import FILE`.

    columns.py      the layouts that people have: which column holds what
    preferences.py  pairs                               dialogues.py  a tutor's next turns
    lessons.py      questions with answers, conversations       choices.py, option_layouts.py  multiple choice
    turns.py        messages and transcripts as turns           convert.py  rows become records
    experiment.py   the original experiment's result files      pickles.py  read without running anything

The run has the markers of the stages whose work the file replaces: an experiment has been probed; pairs and
answers can be taught at once.  `imported.json` in the run says where everything came from and went:
given = imported + duplicates + failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel

from selfstudy.errors import DataError, RunError
from selfstudy.files import jsonl, reading
from selfstudy.files.rows import MalformedError, Row, read_rows
from selfstudy.progress import Reporter, Silent
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import make_recipe
from selfstudy.run import Round, Run
from selfstudy.verbs.importing import columns
from selfstudy.verbs.importing import experiment as experiments
from selfstudy.verbs.importing.convert import Converter, RowFormat, Survey, write
from selfstudy.verbs.importing.dialogues import is_dialogue
from selfstudy.verbs.importing.lessons import is_lesson
from selfstudy.verbs.importing.pickles import read_pickle
from selfstudy.verbs.importing.preferences import is_preference

__all__ = ["Format", "import_file"]

Format = Literal["experiment", "preferences", "dialogues", "qa"]

_FIELDS = (
    "a result file of the original experiment (pickle), preference pairs {prompt, chosen, rejected}, "
    "tutoring dialogues {prompt, good answer, bad answer}, questions with answers {question, answer} or "
    "{instruction, input, output}, or {conversations}"
)
_METHODS: dict[RowFormat, str] = {"preferences": "dpo", "dialogues": "socratic", "qa": "sft"}
_SKIP = "fix it, or leave such rows out with --skip-bad: they are counted"


def import_file(
    path: Path,
    folder: Path,
    kind: Format | None = None,
    overrides: Sequence[str] = (),
    *,
    skip_bad: bool = False,
    report: Reporter | None = None,
) -> dict[str, Any]:
    """Makes the run `folder` from the file `path`; the same call finishes an import that was interrupted.

    The whole file is checked before the run is made.

    Args:
        kind: what the file holds; None: its content tells.
        overrides: changes of the recipe, such as "model.path=...".
        skip_bad: rows that cannot be used become Failure records instead of an error.

    Returns:
        The content of `imported.json`: file, digest, kind, given, imported, duplicates, failed, and more for
        an experiment (see `experiment.stored`).

    Raises:
        DataError: the file cannot be read or used; the message names file, line and value.
        RecipeError: a bad override.
        RunError: the folder holds another run, or an import of another file.
    """
    report = report or Silent()
    source = _source(Path(path), kind, skip_bad)
    if any(change.startswith("teach.phases") for change in overrides):
        source.recipe.pop("teach", None)  # the method that would serve; phases take its place
    recipe = make_recipe(source.recipe, overrides)
    with Run.create_or_resume(folder, recipe) as run:
        if _finished(run, source):
            report.note(f"{run.path}: this import is done already")
            return run.read_json(run.imported_file) or {}
        head = {"file": source.path.name, "digest": source.digest, "kind": source.kind}
        run.write_json(run.imported_file, {**head, "finished": False})
        with run.timed("import"), report.task("importing", source.size) as advance:
            counts = source.write(run.round(1), advance)
        done = {**head, "finished": True, **counts}
        run.write_json(run.imported_file, done)
        for stage in source.replaces:
            run.round(1).finish(stage)
        return done


@dataclass(frozen=True)
class _Source:
    """A checked file. `write` puts its records into a round and returns what was counted."""

    path: Path
    kind: Format
    size: int
    digest: str
    recipe: dict[str, Any]
    write: Callable[[Round, Callable[[int], None]], dict[str, Any]]
    replaces: tuple[str, ...]
    """The stages whose work this file replaces."""


def _source(path: Path, kind: Format | None, skip_bad: bool) -> _Source:
    if kind is not None and kind not in get_args(Format):
        raise DataError(f"no format named {kind!r}", f"choose one of: {', '.join(get_args(Format))}")
    try:
        with reading.readable(path).open("rb") as file:
            pickled = file.read(1) == b"\x80" or path.suffix.lower() in (".pickle", ".pkl")
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", "check the path") from None
    if pickled or kind == "experiment":
        if kind not in (None, "experiment"):
            raise DataError(f"{path} is a pickle, not {kind}", "save the data as JSON lines")
        return _experiment(path, digest, skip_bad, pickled)
    return _rows(path, kind, digest, skip_bad)


def _experiment(path: Path, digest: str, skip_bad: bool, pickled: bool) -> _Source:
    data = read_pickle(path) if pickled else next((row.value for row in _rows_of(path)), None)
    if not isinstance(data, dict) or not experiments.is_experiment(data):
        keys = (experiments.QUESTIONS, *experiments.ANSWERS)
        raise DataError(
            f"{path} is no result file of the original experiment",
            f"it must hold a dict with {', '.join(keys)}",
        )
    try:
        found = experiments.read_experiment(data)
    except MalformedError as error:
        raise DataError(f"{path}: {error}", "fix the file") from None
    if found.problems and not skip_bad:
        place, problem = found.problems[0]
        raise DataError(f"{path}: {place + ': ' if place else ''}{problem}", _SKIP)
    counts = experiments.stored(found)
    kept = jsonl.encode(counts) + b" " * 1000  # and its head
    jsonl.require_readable(kept, path, "what is kept of it")

    def write(round_: Round, advance: Callable[[int], None]) -> dict[str, Any]:
        asks = round_.run.recipe.probe.ask
        round_.append(experiments.records(found, asks[0].method if asks else "external"))
        advance(len(found.questions))
        return counts

    return _Source(path, "experiment", len(found.questions), digest, found.recipe(), write, ("probe",))


def _rows(path: Path, kind: RowFormat | None, digest: str, skip_bad: bool) -> _Source:
    kind = kind or _detect(path)
    survey = Survey()
    size = 0
    for row in _rows_of(path):
        size += 1
        if row.value is not None:
            survey.look(row.value)
    if not size:
        raise DataError(f"{path} holds no rows", f"give {_FIELDS}")
    convert = Converter(path, kind, Recipe(), survey)
    for row in _rows_of(path):
        try:
            convert.records(row)
        except MalformedError as error:
            if not skip_bad:
                raise DataError(f"{path}, {row.place}: {error}", _SKIP) from None
    recipe = {"probe": {"ask": []}, "teach": {"method": _METHODS[kind]}}

    def write_rows(round_: Round, advance: Callable[[int], None]) -> dict[str, Any]:
        return write(Converter(path, kind, round_.run.recipe, survey), _rows_of(path), round_, advance)

    return _Source(path, kind, size, digest, recipe, write_rows, ("probe", "gather"))


def _detect(path: Path) -> RowFormat:
    """What the first row that is an object holds."""
    first = next((row.value for row in _rows_of(path) if row.value is not None), None)
    if first is None:
        raise DataError(f"{path} holds no JSON object", f"give {_FIELDS}")
    if is_dialogue(first):
        return "dialogues"
    if is_preference(first):
        return "preferences"
    if is_lesson(first):
        return "qa"
    if experiments.is_experiment(first):
        raise DataError(f"{path} is a result file in JSON", "say so: --format experiment")
    keys = ", ".join(map(ascii, list(first)[:8])) or "none"
    raise DataError(f"{path}: cannot tell what it holds; its fields are: {keys}", f"give {_FIELDS}")


def _rows_of(path: Path) -> Iterator[Row]:
    """The rows of the file, their columns by the names that are known."""
    for row in read_rows(path):
        yield row if row.value is None else replace(row, value=columns.recognised(row.value))


def _finished(run: Run, source: _Source) -> bool:
    """Whether this very import is done.

    Raises:
        RunError: the run holds something else.
    """
    written = run.read_as(run.imported_file, _Imported)
    if written is None:
        if any(any(part.path.glob("*.jsonl")) for part in run.rounds):
            raise RunError(
                f"{run.path} holds a run that was not imported", "give a new folder with --run DIR"
            )
        return False
    if written.digest != source.digest or written.kind != source.kind:
        raise RunError(
            f"{run.path} holds an import of another file ({written.file})",
            "give a new folder with --run DIR",
        )
    if written.finished:
        run.read_as(run.imported_file, _Counts)  # or it is damaged
    return written.finished and all(run.round(1).finished(s) for s in source.replaces)


class _Imported(BaseModel):
    """The head of imported.json."""

    file: str
    digest: str
    kind: str
    finished: bool


class _Counts(BaseModel):
    """What else is in there when the import has finished."""

    given: int
    imported: int
    duplicates: int
    failed: int
