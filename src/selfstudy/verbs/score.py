"""Hallucination scores for answers that somebody else generated: `selfstudy score`.

A line {question, passage, samples, id?} in, a line {id, line, scores, details} out; one that cannot be scored
comes out with an `error`.  Streams: a block of lines is in memory at a time, and blocks are cut at the same
places whenever the same input is read, so that an interrupted run ends equal to an undisturbed one.
Knows nothing of runs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from selfstudy.errors import RecipeError, RunError
from selfstudy.files import jsonl, private
from selfstudy.files.cache import USER_LIMIT, Cache, cache_folder
from selfstudy.files.rows import MalformedError, parse_line, shown, text_of
from selfstudy.models.thinking import NoAnswerError, without_thinking
from selfstudy.probe.scorers import Scorer, Tools, make_scorer
from selfstudy.prompts import Prompts
from selfstudy.recipe import NLIBlock, NoNLI, PromptedNLI, Recipe
from selfstudy.recipe.file import changed_keys, drop_gone, parse_recipe, read_yaml, to_yaml
from selfstudy.records import Answer, Completion, Question, Score, digest
from selfstudy.run.models import own_block

if TYPE_CHECKING:
    from selfstudy.models import Models
    from selfstudy.models.base import Embedder, EntailmentModel, LanguageModel
    from selfstudy.models.server.servers import Servers

BLOCK_BYTES = 16 * 2**20
"""A block has at most this many bytes of input, however few lines they are."""
START = b'{"id":'
"""How every line of the output begins."""
RECIPE = ".recipe.yaml"
"""Behind the name of an output file: the file that says what its scores were made with."""
MADE_WITH = b"# selfstudy score: what the scores beside this file were made with\n"
"""How that file begins: only such a one is replaced."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of input. Without an `answer` it cannot be scored, and `error` says why."""

    id: str
    line: int
    question: Question | None = None
    answer: Answer | None = None
    error: str = ""


@dataclass
class Tally:
    """Lines given, scored by every scorer, and failed; `kept` were in the output already."""

    given: int = 0
    scored: int = 0
    failed: int = 0
    kept: int = 0


class LazyModels:
    """The models of a recipe, each loaded when a scorer first asks for it.

    Args:
        recipe: says which they are.
        chosen: whether the caller chose a language model; the recipe's default is no answer to what wrote
            the answers that are scored.
        note: is told what a person should know of a model that is used.
        servers: starts the engines that they need, if they need any.
    """

    def __init__(
        self, recipe: Recipe, chosen: bool, note: Callable[[str], object], servers: Servers | None = None
    ) -> None:
        self._recipe = recipe
        self._chosen = chosen
        self._note = note
        self._servers = servers

    @cached_property
    def lm(self) -> LanguageModel:
        from selfstudy.models import load_lm

        if not self._chosen:
            raise RecipeError("this scorer asks a language model, and none was chosen", "give --model MODEL")
        return load_lm(self._recipe.model, cache=self._recipe.cache, servers=self._servers)

    @cached_property
    def judge(self) -> LanguageModel:
        from selfstudy.models import load_lm

        block = own_block(self._recipe, "judge")
        if block is None:
            return self.lm
        return load_lm(block, cache=self._recipe.cache, servers=self._servers)

    @cached_property
    def nli(self) -> EntailmentModel:
        from selfstudy.judging.entailment import entailment_model

        block = self._recipe.nli
        if isinstance(block, NoNLI):
            raise RecipeError(
                "this scorer needs an entailment model, and with nli: none there is none",
                "give --nli MODEL, or --set nli=lm, or take --scorer agreement",
            )
        if isinstance(block, NLIBlock) and block.path == "atlas":
            self._note("entailment model: atlas, which knows the embedded world only; --nli takes another")
        cache = Cache(cache_folder() / "nli.sqlite", USER_LIMIT) if self._recipe.cache else None
        if isinstance(block, PromptedNLI):
            cache = None  # a folder of weights may be another model tomorrow
        return entailment_model(
            block,
            cache,
            Prompts(self._recipe.prompts),
            lambda asked: self.judge if asked.ask == "judge" else self.lm,
            lambda: self.embedder,
        )

    @cached_property
    def embedder(self) -> Embedder:
        from selfstudy.models import load_embedder

        return load_embedder(self._recipe.embedder)


def make_scorers(
    names: Sequence[str],
    recipe: Recipe,
    chosen: bool,
    note: Callable[[str], object] = lambda text: None,
    servers: Servers | None = None,
) -> list[Scorer]:
    """The scorers by name, with the recipe's settings; only models that they need are loaded (`LazyModels`).

    Raises:
        RecipeError: there is no such scorer, or it asks a language model and none was chosen.
        ModelError: a model cannot be loaded.
    """
    models = cast("Models", LazyModels(recipe, chosen, note, servers))
    tools = Tools(models, Prompts(recipe.prompts), recipe.probe, recipe.seed)
    return [make_scorer(name, tools) for name in dict.fromkeys(names)]


def score_lines(
    lines: Iterable[bytes],
    scorers: Sequence[Scorer],
    write: Callable[[bytes], object],
    *,
    block_size: int = 256,
    done: Counter[str] | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> Tally:
    """Scores lines of JSON and hands the lines of the output to `write`, whole blocks at a time, in order.

    Args:
        lines: of the input; empty ones do not count.
        done: ids that the output has already, each as often as it is there; they are not written again.
        advance: called with the number of lines newly done, written or kept.
    """
    tally = Tally()
    left = Counter(done or {})
    for block in _blocks(lines, block_size):
        fresh = []
        for item in block:
            kept = left[item.id] > 0
            if kept:
                left[item.id] -= 1
            fresh.append(not kept)
        tally.given += len(block)
        tally.kept += len(block) - sum(fresh)
        if any(fresh):
            rows = _scored(block, scorers)
            out = [row for row, new in zip(rows, fresh, strict=True) if new]
            tally.failed += sum("error" in row for row in out)
            tally.scored += sum("error" not in row for row in out)
            write(b"".join(map(jsonl.encode_row, out)))
        advance(len(block))
    return tally


def open_output(path: Path, names: Sequence[str], recipe: Recipe) -> Counter[str]:
    """The ids that an earlier session wrote to `path`; a last line torn by a kill is cut off.

    The recipe is kept beside the file, so that scores of other models or settings never get into it.

    Raises:
        RunError: the file is no output of this verb, or one of other scorers or of another recipe (the
            message lists the changed keys).
    """
    ids = _written(path, names)
    kept = path.with_name(path.name + RECIPE)
    if ids:
        hint = "undo the change, or give another file with --out"
        if not _is_settings(kept):
            raise RunError(f"{kept} is missing, which says what the scores in {path} were made with", hint)
        data = read_yaml(kept)
        drop_gone(data)
        changed = changed_keys(parse_recipe(data, str(kept)), recipe)
        if changed:
            lines = "\n".join(f"    {line}" for line in changed)
            raise RunError(f"{path} holds scores made with another recipe:\n{lines}", hint)
    else:
        _require_free(path, kept)
        jsonl.replace(kept, MADE_WITH + to_yaml(recipe).encode(), None, private.SHARED)
    jsonl.repair(path, None)
    return ids


def _written(path: Path, names: Sequence[str]) -> Counter[str]:
    hint = "give another file with --out"
    foreign = RunError(f"{path} is no output of selfstudy score", hint)
    ids: Counter[str] = Counter()
    try:
        with os.fdopen(private.open_file(path, os.O_RDONLY), "rb") as file:
            if not START.startswith(file.read(len(START))):
                raise foreign
        for _, _, entry in jsonl.read_lines(path):
            found = entry.get("scores")
            if not ("line" in entry and isinstance(entry.get("id"), str) and isinstance(found, dict | None)):
                raise foreign
            ids[entry["id"]] += 1
            if found is not None and list(found) != list(dict.fromkeys(names)):
                raise RunError(f"{path} holds scores of {', '.join(found)}, not of {', '.join(names)}", hint)
    except FileNotFoundError:
        return ids
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}", hint) from None
    return ids


def _is_settings(kept: Path) -> bool:
    """Whether a regular file is there; a pipe would be waited for."""
    return kept.is_file() and not kept.is_symlink()


def _require_free(path: Path, kept: Path) -> None:
    """Refuses to begin where the output, or the file beside it, may be somebody's.

    Raises:
        RunError: it may.
    """
    hint = "move it to another place, or give another file with --out"
    try:
        ours = private.read(kept).startswith(MADE_WITH)
    except FileNotFoundError:
        if path.exists() and path.stat().st_size:
            raise RunError(f"{path} is no output of selfstudy score: {kept.name} is missing", hint) from None
        return
    except OSError as error:
        raise RunError(f"cannot write {kept}: {error.strerror or error}", hint) from None
    if not ours:
        raise RunError(f"{kept} would be replaced, and selfstudy score did not make it", hint)


def append_rows(path: Path, data: bytes) -> None:
    """Appends whole lines to the output and forces them to disk.

    Raises:
        RunError: the disk is full or the like; the file is then as it was.
    """
    jsonl.append(path, data, None, private.SHARED)


def _blocks(lines: Iterable[bytes], size: int) -> Iterator[list[Line]]:
    block: list[Line] = []
    used = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        block.append(_line(number, line))
        used += len(line)
        if len(block) >= size or used >= BLOCK_BYTES:
            yield block
            block, used = [], 0
    if block:
        yield block


def _line(number: int, line: bytes) -> Line:
    name = f"line {number}"
    try:
        row = parse_line(line)
        given = row.get("id")
        if given is not None:
            if isinstance(given, bool) or not isinstance(given, str | int):
                raise MalformedError(f"field 'id' must be text or a whole number, found {shown(given)}")
            name = text_of(str(given), "id")
        samples = row.get("samples")
        if not isinstance(samples, list):
            raise MalformedError(f"field 'samples' must be a list of texts, found {shown(samples)}")
        # an id of its own: the same question may come again, answered otherwise
        question = Question(id=digest("line", str(number)), text=text_of(row.get("question"), "question"))
        answer = Answer(
            question_id=question.id,
            passage=Completion(text=_answer(row.get("passage"), "passage")),
            samples=tuple(_sample(sample, f"samples[{i}]") for i, sample in enumerate(samples)),
        )
    except MalformedError as error:
        return Line(name, number, error=str(error))
    return Line(name, number, question, answer)


def _answer(value: object, field: str) -> str:
    """A text without its thinking.

    Raises:
        MalformedError: it is no text, or all of it is thinking.
    """
    try:
        return without_thinking(text_of(value, field))
    except NoAnswerError as error:
        raise MalformedError(f"field {field!r} holds no answer: {error}") from None


def _sample(value: object, field: str) -> Completion:
    """A sample; one that is all thinking is a failed one, and the others are scored without it."""
    said = text_of(value, field)
    try:
        return Completion(text=_answer(said, field))
    except MalformedError as error:
        return Completion(text="", finish="error", error=str(error))


def _scored(block: Sequence[Line], scorers: Sequence[Scorer]) -> list[dict[str, Any]]:
    """The rows of the output, in order."""
    good = [item for item in block if item.answer is not None]
    questions = [item.question for item in good if item.question is not None]
    answers = [item.answer for item in good if item.answer is not None]
    columns = [scorer.score(questions, answers) if answers else [] for scorer in scorers]
    found: dict[int, list[Score]] = {
        item.line: list(scores) for item, scores in zip(good, zip(*columns, strict=True), strict=True)
    }
    return [_row(item, found.get(item.line)) for item in block]


def _row(item: Line, scores: Sequence[Score] | None) -> dict[str, Any]:
    row: dict[str, Any] = {"id": item.id, "line": item.line}
    if scores is None:
        return {**row, "error": item.error}
    row["scores"] = {score.scorer: score.value for score in scores}
    details = {
        score.scorer: score.model_dump(include={"sentences", "clusters", "parts"}, exclude_defaults=True)
        for score in scores
    }
    row["details"] = {name: parts for name, parts in details.items() if parts}
    errors = [f"{score.scorer}: {score.error}" for score in scores if score.value is None]
    return {**row, "error": "; ".join(errors)} if errors else row
