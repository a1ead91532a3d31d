"""Tasks of lm-eval as a suite: its documents, prompts and metrics, our models, our paired figures.

A figure is what a task measures of single documents: means of its metrics, and word or byte perplexity.  What
it computes over the whole alone (an F1 of all, corpus BLEU) has no items and is left out.  Each task is asked
as one block.  Knows lm-eval's tasks; how a model is asked is in lm_eval_lm.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any, Literal

from selfstudy.errors import DataError, MissingExtraError, SelfstudyError
from selfstudy.files import reading
from selfstudy.models.base import LanguageModel, Progress
from selfstudy.recipe.suites import LMEvalBlock
from selfstudy.records import SuiteItem
from selfstudy.verify.suites.base import Measure, SuiteTools
from selfstudy.verify.suites.lm_eval_files import require_plain, sandboxed
from selfstudy.verify.suites.lm_eval_lm import HarnessAsker, harness_model

NAME = "lm-eval"
_MEANS = ("mean", "nanmean")
_WEIGHTED = ("weighted_perplexity", "bits_per_byte")
_LONGEST = 4000
"""Characters of a prompt or an answer that an item keeps."""


@dataclass(frozen=True, slots=True)
class HarnessTask:
    """A task: its name, the numbers of the documents that are asked, and how each metric is summed up."""

    name: str
    asked: tuple[int, ...]
    kind: str
    aggregations: Mapping[str, str]
    higher: Mapping[str, bool]
    filters: tuple[str, ...]

    @property
    def measures(self) -> Iterator[Measure]:
        """What it measures of single documents."""
        for name in self.filters:
            for metric, how in self.aggregations.items():
                if _measured(self.kind, metric, how):
                    yield _measure(
                        _figure(self.name, metric, name), how, higher=self.higher.get(metric, True)
                    )

    @property
    def left_out(self) -> list[str]:
        """What it does not."""
        return [one for one, how in self.aggregations.items() if not _measured(self.kind, one, how)]


def _measured(kind: str, metric: str, how: str) -> bool:
    greedy = kind == "loglikelihood" and metric == "acc"  # whether it is what the model would have said
    return how in (*_MEANS, *_WEIGHTED) and not greedy


def _figure(task: str, metric: str, name: str) -> str:
    return f"{task}:{metric}" if name == "none" else f"{task}:{metric},{name}"


def _measure(figure: str, how: str, *, higher: bool) -> Measure:
    better: Literal["higher", "lower"] = "higher" if higher else "lower"
    if how in _MEANS:
        return Measure(figure, figure, better=better)
    return Measure(figure, figure, per=f"{figure} of", exp=how == "weighted_perplexity", better=better)


class LMEvalSuite:
    """See the module; fulfils `base.Suite`."""

    name = NAME

    def __init__(
        self, tasks: Sequence[HarnessTask], manager: Any, version: str, *, allow_code: bool = False
    ) -> None:
        self._tasks = tuple(tasks)
        self._manager = manager
        self._version = version
        self._allow_code = allow_code

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Those of all tasks; the first is the main one."""
        found = [one for task in self._tasks for one in task.measures]
        return tuple(
            Measure(one.name, one.part, one.per, one.exp, one.better, main=at == 0)
            for at, one in enumerate(found)
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """See `base.Suite`."""
        asked = ", ".join(f"{len(task.asked):,} of {task.name}" for task in self._tasks)
        said = [f"lm-eval {self._version}: {asked}"]
        generates = [task.name for task in self._tasks if task.kind == "generate_until"]
        if generates:
            said.append(
                f"{', '.join(generates)}: asked as a turn of a chat, so answers may differ from lm-eval's own"
            )
        said += [
            f"{task.name}: {', '.join(task.left_out)} left out: no figures of single items"
            for task in self._tasks
            if task.left_out
        ]
        if self._allow_code:
            said.append("task files were allowed to run code of their own")
        return tuple(said)

    def __len__(self) -> int:
        return sum(len(task.asked) for task in self._tasks)

    def run(
        self,
        lm: LanguageModel,
        tools: SuiteTools,
        arm: Literal["base", "taught"],
        before: Sequence[SuiteItem] = (),
        done: frozenset[str] = frozenset(),
        progress: Progress | None = None,
    ) -> Iterator[list[SuiteItem]]:
        """See `base.Suite.run`; a task is a block.

        Raises:
            NoLogprobsError: a task wants log-probabilities, and the model tells none.
            DataError: lm-eval cannot run a task.
        """
        for task in self._tasks:
            names = [f"{task.name}/{number}" for number in task.asked]
            if all(name in done for name in names):
                continue
            asker = HarnessAsker(lm)
            samples = self._evaluated(task, asker)
            yield [
                _item(task, number, samples.get(number, []), arm, asker.failed.get((task.name, number)))
                for number in task.asked
            ]

    def _evaluated(self, task: HarnessTask, asker: HarnessAsker) -> dict[int, list[dict[str, Any]]]:
        """What lm-eval says of each document, a row for each of its filters."""
        from lm_eval.evaluator import simple_evaluate

        seeds = dict.fromkeys(("random_seed", "numpy_random_seed", "torch_random_seed"))
        try:
            with _templates(allow_code=self._allow_code):
                found = simple_evaluate(
                    model=harness_model(asker),
                    tasks=[task.name],
                    samples={task.name: list(task.asked)},
                    task_manager=self._manager,
                    bootstrap_iters=0,
                    log_samples=True,
                    **seeds,
                )
        except SelfstudyError:
            raise
        except Exception as error:  # a task of others fails in every way
            why = _first_line(error)
            raise DataError(f"lm-eval cannot run {task.name}: {why}", "check the task's file") from None
        rows: dict[int, list[dict[str, Any]]] = {}
        for row in (found or {}).get("samples", {}).get(task.name, []):
            rows.setdefault(int(row["doc_id"]), []).append(row)
        return rows


def lm_eval_suite(block: LMEvalBlock, seed: int) -> LMEvalSuite:
    """The suite of a recipe's block; its task files are looked through and its data read.

    Raises:
        MissingExtraError: lm-eval is not installed.
        DataError: there is no such task, its data cannot be read, or it would run code.
    """
    try:
        import lm_eval
        from lm_eval.api.registry import METRIC_REGISTRY
        from lm_eval.tasks import TaskManager
    except ImportError:
        raise MissingExtraError("lm-eval", "eval", "the suite lm-eval") from None

    folder: Path | None = None
    if block.include_path is not None:
        folder = reading.expanded(block.include_path)
        if not reading.is_folder(folder):
            raise DataError(f"there is no folder {block.include_path}", "give one with task files (.yaml)")
        if not block.allow_code:
            require_plain(folder, _Names(METRIC_REGISTRY))
    manager = TaskManager(include_path=None if folder is None else str(folder))
    missing = [name for name in block.tasks if name not in manager.all_tasks]
    if missing:
        raise DataError(
            f"lm-eval has no task {missing[0]!r}",
            "lm-eval ls tasks shows its own; --include-path DIR (include_path) adds those of a folder",
        )
    with _templates(allow_code=block.allow_code):
        loaded = _loaded(manager, block.tasks)
    tasks = [_task(name, one, block.questions, seed) for name, one in loaded.items()]
    suite = LMEvalSuite(tasks, manager, lm_eval.__version__, allow_code=block.allow_code)
    if not suite.measures:
        raise DataError(f"lm-eval: {', '.join(block.tasks)} measures nothing of single items", "take others")
    return suite


class _Names:
    """Names in a registry of lm-eval, which loads what it is asked for."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._registry


def _templates(*, allow_code: bool) -> AbstractContextManager[None]:
    return nullcontext() if allow_code else sandboxed()


def _loaded(manager: Any, names: Sequence[str]) -> dict[str, Any]:
    """Every task, those of groups too, with its data."""
    try:
        return dict(manager.load(list(names))["tasks"])
    except Exception as error:  # data sets, templates and YAML of others fail in every way
        why = _first_line(error)
        raise DataError(
            f"lm-eval cannot load {', '.join(names)}: {why}", "check the task's data set and its file"
        ) from None


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


def _task(name: str, task: Any, most: int | None, seed: int) -> HarnessTask:
    count = len(task.eval_docs)
    numbers = range(count)
    if most is not None and most < count:
        numbers = sorted(random.Random(f"{seed}:{name}").sample(numbers, most))  # type: ignore[assignment]
    if not count:
        raise DataError(f"lm-eval: the task {name} has no documents", "check its data set")
    aggregations = {metric: getattr(how, "__name__", "") for metric, how in task.aggregation().items()}
    filters = tuple(one.name for one in getattr(task, "_filters", ())) or ("none",)
    return HarnessTask(
        name, tuple(numbers), str(task.OUTPUT_TYPE), aggregations, dict(task.higher_is_better()), filters
    )


def _item(
    task: HarnessTask,
    number: int,
    rows: Sequence[Mapping[str, Any]],
    arm: Literal["base", "taught"],
    error: str | None,
) -> SuiteItem:
    parts: dict[str, float] = {}
    for row in rows:
        for metric, how in task.aggregations.items():
            if metric in row and _measured(task.kind, metric, how):
                parts |= _parts(_figure(task.name, metric, str(row["filter"])), how, row[metric])
    first: Mapping[str, Any] = rows[0] if rows else {}
    arguments = first.get("arguments") or [("",)]
    return SuiteItem(
        suite=NAME,
        arm=arm,
        item=f"{task.name}/{number}",
        asked=str(arguments[0][0])[:_LONGEST],
        answer=_answer(task, first),
        parts={} if error else parts,
        error=error or (None if rows else "lm-eval gave no result"),
    )


def _parts(figure: str, how: str, value: Any) -> dict[str, float]:
    """A number; of perplexities minus the log-likelihood, and the words or bytes that it is of."""
    if how in _MEANS:
        return {figure: float(value)}
    loglikelihood, weight = value
    scale = log(2) if how == "bits_per_byte" else 1.0
    return {figure: -float(loglikelihood) / scale, f"{figure} of": float(weight)}


def _answer(task: HarnessTask, row: Mapping[str, Any]) -> str:
    """What was generated, or which choice is the most probable one."""
    found = row.get("filtered_resps") or []
    if task.kind == "generate_until":
        return str(found[0])[:_LONGEST] if found else ""
    if task.kind == "multiple_choice":
        values = [one[0] for one in found]
        arguments = row.get("arguments") or []
        if values and len(arguments) == len(values):
            return str(arguments[values.index(max(values))][1]).strip()[:_LONGEST]
    return ""
