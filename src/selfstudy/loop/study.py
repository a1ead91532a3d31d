"""The loop: probe -> gather -> teach -> verify, round after round, until the rounds or the gain are used up.

Beside it only the summary, the verbs and the command line see the stages.  Each verb works alone on a run
directory and does nothing twice; `learn` is all of them in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

from selfstudy.errors import ModelError
from selfstudy.library.folder import Contents
from selfstudy.library.snapshot import snapshot
from selfstudy.loop import launching
from selfstudy.loop.arms import promote_again
from selfstudy.loop.resources import Resources
from selfstudy.loop.stages import run_stage
from selfstudy.models.taught import is_routed
from selfstudy.progress import Silent
from selfstudy.recipe import ModelBlock, Recipe, ServerModel, weights_of
from selfstudy.records import STAGES
from selfstudy.run import Round, Run, forgotten, standing
from selfstudy.run.changes import keep_seen, learned, seen
from selfstudy.teach.launch import launch, require_agreed

if TYPE_CHECKING:
    from selfstudy.models.base import HasWeights
    from selfstudy.probe.calibration import Calibration
    from selfstudy.progress import Reporter
    from selfstudy.summary import Summary

MOST_SEEN = 300_000
"""Documents of a library of which a run keeps what it has learned from; a larger one is not watched."""


def learn(recipe: Recipe, path: Path | str, reporter: Reporter | None = None) -> Summary:
    """Runs the whole loop in the run directory `path`, or goes on where it stopped; returns the summary.

    Raises:
        SelfstudyError: what the user can fix; everything written so far is kept.
    """
    with Run.create_or_resume(Path(path), recipe) as run, Study(run, reporter or Silent()) as study:
        return study.learn()


@dataclass
class Study(Resources):
    """The verbs, on one run directory; models and library are loaded when first needed, and once.

        with Run.create_or_resume(Path("runs/mine"), load_recipe("mine.yaml")) as run:
            with Study(run) as study:
                study.probe()
                study.gather()

    A verb that has finished before does nothing; one that was interrupted goes on.  The end of `with` ends
    the servers that were started; without it they end with the study, or with Python.

    Attributes:
        topics: gives the topics (or, with `questions: true`, the questions) of a method `external` whose
            source is `-`: Study(run, topics=lambda: ["Fiji", "Solar eclipse"]).  It is called once, at the
            start of the probe; the run keeps what it gave.  Without it they are read from stdin.
    """

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the workers and servers that were started for it; harmless if there are none."""
        if (workers := vars(self).get("workers")) is not None:
            workers.close()
        self.servers.close()
        if (sources := vars(self).get("_sources")) is not None:
            sources.close()

    def learn(self) -> Summary:
        """All verbs, round after round.

        Raises:
            ModelError: the recipe's model cannot be taught, not be served once it is, or there is no room
                to train all of its weights.
        """
        require_teachable(self.recipe)
        forgotten.require_finished(self.run)
        self._require_room()
        launching.require(self.recipe)
        for number in range(1, self.recipe.rounds + 1):
            round_ = self.run.round(number)
            self.turn(round_)
            if why := standing.why_stop(round_):
                self.reporter.note(f"stopped after round {number}: {why}")
                break
        return self.report()

    def turn(self, round_: Round) -> None:
        """All stages of one round; what it has learned from is written down."""
        for stage in STAGES:
            run_stage(self, round_, stage)
        learned(round_)
        if seen(self.run) is None and "documents" in vars(self) and len(self.documents) <= MOST_SEEN:
            keep_seen(self.run, snapshot(self.documents))

    def reread_library(self, *, fresh: bool = False) -> Contents:
        """The library as it is now: what was read before is forgotten.

        Args:
            fresh: whether pages that the run has kept are fetched again.

        Raises:
            DataError: nothing is there, or nothing there can be used.
        """
        if self._sources is not None:
            self._sources.close()
        self._fresh = fresh
        for name in ("_sources", "documents", "_retriever"):
            vars(self).pop(name, None)
        return Contents() if self._sources is None else self._sources.contents

    def _require_room(self) -> None:
        """Refuses to train all weights where there is no room for that: now, not after hours of probing."""
        if self.recipe.teach.finetuning == "full" and not self.run.round(1).finished("probe"):
            from selfstudy.teach.trainers import memory

            control = self.recipe.verify.control
            memory.require_room_ahead(self.recipe.model, self.recipe.teach, self.run.path, control=control)

    def probe(self) -> None:
        """Asks and answers: writes questions, answers and scores."""
        run_stage(self, _current(self.run), "probe")

    def gather(self) -> None:
        """Finds evidence, references and verdicts."""
        run_stage(self, _current(self.run), "gather")

    def teach(self, number: int | None = None) -> None:
        """Trains an adapter (and a control, if the recipe asks for one).

        Started by accelerate or torchrun, it leads: the other processes `teach_along` meanwhile.  Else those
        that the recipe wants are started (launching.py).

        Args:
            number: of the round; None: the last one.

        Raises:
            ModelError: several processes cannot train what the recipe asks for.
            RunError: others were started than the recipe wants.
        """
        from selfstudy.teach import followers

        require_agreed(self.recipe.teach.launch, launch())
        round_ = _current(self.run) if number is None else self.run.round(number)
        with followers.leading(self.recipe) as self.team:
            run_stage(self, round_, "teach")

    def teach_along(self, number: int | None = None) -> None:
        """What the other processes do: they train what the one that leads says, and write nothing.

        Their run is open for reading; the round is the one that is led.
        """
        from selfstudy.teach import followers

        require_agreed(self.recipe.teach.launch, launch())
        round_ = _current(self.run) if number is None else self.run.round(number)
        followers.follow(self.recipe, lambda: cast("HasWeights", self._asked(round_, "teach")))

    def verify(self) -> None:
        """Asks again, and promotes or rejects the adapter."""
        run_stage(self, _current(self.run), "verify")

    def teach_again(self, rounds: Sequence[int]) -> None:
        """Teaches and verifies rounds of which something was forgotten; promotes what then is to stand."""
        for number in rounds:
            for stage in ("teach", "verify"):
                run_stage(self, self.run.round(number), stage)
        promote_again(self)

    def report(self) -> Summary:
        """Writes summary.json and report.html, of a finished run or an unfinished one."""
        from selfstudy.models import load_embedder
        from selfstudy.show.report import write_report
        from selfstudy.summary import summarise

        embedder = vars(self).get("embedder")
        if embedder is None:  # for a few texts no workers are started
            embedder = load_embedder(self.recipe.embedder)
        with self.run.timed("report"):
            summary = summarise(self.run, self.key, embedder)
            write_report(self.run, summary, self.run.report_file, embedder)
        summary = summary.model_copy(update={"seconds": self.run.seconds()})
        self.run.write_json(self.run.summary_file, summary.to_dict())
        return summary

    def calibrate(
        self, labels: Path | None = None, scorer: str | None = None, precision: float = 0.9
    ) -> list[Calibration]:
        """Measures the scores of round 1 on labelled questions, and keeps the threshold that they lead to.

        Args:
            labels: a file (`selfstudy.judging.labels`); None: what people said, then the answer key, or
                what verify checked.
            scorer: only this one.
            precision: share of the questions called unknown that should be unknown, in (0, 1].

        Raises:
            DataError: there are no scores, or too few labels.
        """
        from selfstudy.judging.labels import SELECTED, VERIFY, find_labels
        from selfstudy.probe.calibration import calibrate_round
        from selfstudy.run.threshold import keep

        first = self.run.round(1)  # later rounds may have learned
        found = find_labels(first, self.key, labels)
        if found.strangers:
            self.reporter.note(f"{found.strangers:,} labels are of questions that this run does not have")
        if found.people or found.cannot_tell:
            count = f"{found.people:,} of {len(found.known):,} labels are people's; " if not labels else ""
            self.reporter.note(
                f"{count}of {found.cannot_tell:,} questions people cannot tell, and those have none"
            )
        if found.source == VERIFY:
            self.reporter.note(
                f"{SELECTED}; the precision of a threshold below the one in use is overstated; "
                "--labels FILE takes labels of questions drawn at random"
            )
        made, refused = calibrate_round(first, found.known, found.source, precision, scorer)
        for error in refused:
            self.reporter.note(error.what)
        for calibration in made:
            data = calibration.model_dump(mode="json")
            self.run.write_json(self.run.calibration_file(calibration.scorer), data)
            keep(self.recipe, calibration.scorer, data)
        return made


def require_teachable(recipe: Recipe) -> None:
    """Refuses, before hours of work, what cannot be taught, or could not answer with what was taught.

    Raises:
        ModelError: such a recipe.
    """
    if weights_of(recipe.model) is None:
        raise ModelError(
            f"a model of type {recipe.model.type} cannot be taught: its weights are not available",
            "give one of type local or server, or run only `selfstudy probe` and `gather` with this one",
        )
    if why := _stays_as_it_is(recipe.model):
        raise ModelError(
            f"{why} cannot serve a taught model, so nothing could be verified",
            "make it probe.model, and give the same weights as model: {type: local, path: ...}",
        )
    if recipe.deploy.type == "dynamic" and (why := _one_at_a_time(recipe.model)):
        raise ModelError(
            f"deploy: dynamic: {why} cannot answer with several adapters at once",
            "take an engine that names adapters (vllm, sglang), type: local, or deploy: adapter",
        )
    weights = weights_of(recipe.model)
    if weights is not None and weights.adapter is not None and is_routed(weights.adapter):
        raise ModelError(
            f"model.adapter {weights.adapter} holds adapters of which a router picks one: nothing can be "
            "taught on top of them",
            "go on with the run that made them, or give one of the adapters in it",
        )
    probed = recipe.probe.model
    if recipe.rounds > 1 and probed is not None and (why := _stays_as_it_is(probed)):
        raise ModelError(
            f"probe.model: {why} cannot serve a taught model: round 2 would find the gaps of round 1 again",
            "set rounds: 1, or leave probe.model out",
        )


def _stays_as_it_is(block: ModelBlock) -> str:
    """What a block is called if it cannot be given an adapter; else empty."""
    if weights_of(block) is None:
        return f"a model of type {block.type}"
    if isinstance(block, ServerModel):
        from selfstudy.models.server import engines

        how = engines.find(block.engine).adapters
        if how == "none" or (block.url and how == "merged"):
            return f"engine {block.engine}" + (" at a URL" if block.url else "")
    return ""


def _one_at_a_time(block: ModelBlock) -> str:
    """What a block is called if it answers with one adapter only; else empty."""
    if isinstance(block, ServerModel):
        from selfstudy.models.server import engines

        if engines.find(block.engine).adapters != "named":
            return f"engine {block.engine}"
    return ""


def _current(run: Run) -> Round:
    """The round that a single verb works on: the last one.

    Raises:
        RunError: something is half forgotten.
    """
    forgotten.require_finished(run)
    return run.rounds[-1] if run.rounds else run.round(1)
