"""The loop: probe -> gather -> teach -> verify, round after round, until the rounds or the gain are used up.

Beside it only the summary, the verbs and the command line see the stages.  Each verb works alone on a run
directory and does nothing twice; `learn` is all of them in a row.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from selfstudy.errors import ModelError, RunError, SelfstudyError
from selfstudy.files.jsonl import unfinished
from selfstudy.judging.answer_key import AnswerKey, load_answer_key
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, ModelBlock, Recipe, ServerModel, weights_of
from selfstudy.records import STAGES, Arm, Document, Skipped
from selfstudy.run import Round, Run
from selfstudy.run import standing as promotion
from selfstudy.run.models import StageModels, block_of, merged_block, own_block, servers_for

if TYPE_CHECKING:
    from selfstudy.library.index import Library
    from selfstudy.models import Models
    from selfstudy.models.base import Embedder, EntailmentModel, LanguageModel
    from selfstudy.models.server.servers import Servers
    from selfstudy.probe.calibration import Calibration
    from selfstudy.progress import Reporter
    from selfstudy.summary import Summary


def learn(recipe: Recipe, path: Path | str, reporter: Reporter | None = None) -> Summary:
    """Runs the whole loop in the run directory `path`, or goes on where it stopped; returns the summary.

    Raises:
        SelfstudyError: what the user can mend; everything written so far is kept.
    """
    with Run.create_or_resume(Path(path), recipe) as run, Study(run, reporter or Silent()) as study:
        return study.learn()


@dataclass
class Study:
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

    run: Run
    reporter: Reporter = field(default_factory=Silent)
    topics: Callable[[], Iterable[str]] | None = None

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the servers that were started for it; harmless if there are none."""
        self.servers.close()

    def learn(self) -> Summary:
        """All verbs, round after round.

        Raises:
            ModelError: the recipe's model cannot be taught, or not be served once it is.
        """
        if weights_of(self.recipe.model) is None:
            raise ModelError(
                f"a model of type {self.recipe.model.type} cannot be taught: its weights are not to be had",
                "give one of type local or server, or run only `selfstudy probe` and `gather` with this one",
            )
        _require_servable(self.recipe)
        for number in range(1, self.recipe.rounds + 1):
            round_ = self.run.round(number)
            for stage in STAGES:
                _stage(self, round_, stage)
            if why := promotion.why_stop(round_):
                self.reporter.note(f"stopped after round {number}: {why}")
                break
        return self.report()

    def probe(self) -> None:
        """Asks and answers: writes questions, answers and scores."""
        _stage(self, _current(self.run), "probe")

    def gather(self) -> None:
        """Finds evidence, references and verdicts."""
        _stage(self, _current(self.run), "gather")

    def teach(self) -> None:
        """Trains an adapter (and a control, if the recipe asks for one)."""
        _stage(self, _current(self.run), "teach")

    def verify(self) -> None:
        """Asks again, and promotes or rejects the adapter."""
        _stage(self, _current(self.run), "verify")

    def report(self) -> Summary:
        """Writes summary.json and report.html, of a finished run or an unfinished one."""
        from selfstudy.show.report import write_report
        from selfstudy.summary import summarise

        with self.run.timed("report"):
            summary = summarise(self.run, self.key, self.embedder)
            write_report(self.run, summary, self.run.report_file, self.embedder)
        summary = summary.model_copy(update={"seconds": self.run.seconds()})
        self.run.write_json(self.run.summary_file, summary.to_dict())
        return summary

    def calibrate(
        self, labels: Path | None = None, scorer: str | None = None, precision: float = 0.9
    ) -> list[Calibration]:
        """Measures the scores of round 1 on labelled questions, and keeps the threshold that they lead to.

        Args:
            labels: a file (`selfstudy.judging.labels`); None: the answer key, or what verify checked.
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

    @property
    def recipe(self) -> Recipe:
        return self.run.recipe

    @cached_property
    def prompts(self) -> Prompts:
        return Prompts(self.recipe.prompts)

    @cached_property
    def key(self) -> AnswerKey | None:
        return load_answer_key(self.recipe.answer_key)

    @cached_property
    def embedder(self) -> Embedder:
        from selfstudy.models import load_embedder

        return load_embedder(self.recipe.embedder)

    @cached_property
    def nli(self) -> EntailmentModel:
        """The entailment model; what it has judged is kept in the run, across stages and sessions."""
        from selfstudy.files.cache import Cache
        from selfstudy.models import load_nli

        writable = self.run.writable
        cache = Cache(self.run.nli_cache, shared=False) if writable else None
        return load_nli(self.recipe.nli, cache)

    @cached_property
    def servers(self) -> Servers:
        """The engines that models of type `server` need, owned by this study."""
        return servers_for(self.recipe, self.reporter.note)

    @cached_property
    def language_models(self) -> StageModels:
        """What has been loaded, and what it has been asked."""
        return StageModels(self.run, self.servers)

    @property
    def judge(self) -> LanguageModel | None:
        """The recipe's judge, else its teacher; None: a model judges itself."""
        block = own_block(self.recipe, "judge")
        return None if block is None else self.language_models.get(block)

    def lm(self, adapter: Path | None) -> LanguageModel:
        """The recipe's model with an adapter of this run, or as it is."""
        return self.language_models.get(self.recipe.model, adapter)

    def models(self, round_: Round, stage: str = "") -> Models:
        """The models of a stage; the student has learned what earlier rounds promoted."""
        from selfstudy.models import Models

        block = block_of(self.recipe, stage)
        student = stage != "gather" or block == self.recipe.model  # who reads for it has not learned with it
        lm = self.language_models.get(block, promotion.standing(round_) if student else None)
        return Models(lm, self.nli, self.embedder, self.judge)

    @cached_property
    def documents(self) -> Sequence[Document]:
        """The library's documents; what was skipped is written to the first round and said."""
        from selfstudy.library.open import open_library

        reading = open_library(self.recipe.library)
        for note in reading.notes:
            self.reporter.note(note)
        if reading.skipped:
            self._say_skipped(reading.skipped)
        return reading.documents

    def library(self) -> Library | None:
        """The index over the documents, kept in the run directory."""
        from selfstudy.library.index import Library

        if self.recipe.library is None:
            return None
        block = self.recipe.gather
        return Library.build(
            self.documents,
            self.run.library_folder,
            chunk_tokens=block.chunk_tokens,
            embedder=self.embedder if block.hybrid else None,
        )

    def _say_skipped(self, skipped: Sequence[Skipped]) -> None:
        self.run.round(1).append(skipped)
        self.reporter.note(f"library: {len(skipped)} files or parts were not used:")
        for item in skipped[:10]:
            self.reporter.note(f"  {item.source}: {item.reason}")
        if len(skipped) > 10:
            self.reporter.note(f"  ... and {len(skipped) - 10} more, all in {Skipped.file}")


def _require_servable(recipe: Recipe) -> None:
    """Refuses, before hours of work, an engine that could not serve the taught model."""
    block = recipe.model
    if isinstance(block, ServerModel):
        from selfstudy.models.server import engines

        how = engines.find(block.engine).adapters
        if how == "none" or (block.url and how == "merged"):
            where = " at a URL" if block.url else ""
            raise ModelError(
                f"engine {block.engine}{where} cannot serve a taught model, so nothing could be verified",
                "make it probe.model, and give the same weights as model: {type: local, path: ...}",
            )


def _stage(study: Study, round_: Round, stage: str) -> None:
    """Runs one stage of a round if it has not finished, timed."""
    before = STAGES[: STAGES.index(stage)]
    missing = next((name for name in before if not round_.finished(name)), None)
    if missing is not None:
        raise RunError(
            f"{stage}: round {round_.number} of {round_.run.path} has not finished {missing}",
            f"selfstudy {missing} {round_.run.path}"
            if missing != "probe"
            else "give the probe command again",
        )
    if round_.finished(stage):
        study.reporter.note(f"round {round_.number}: {stage} is done already")
        return
    steps: dict[str, Callable[[Study, Round], None]] = {
        "probe": _probe,
        "gather": _gather,
        "teach": _teach,
        "verify": _verify,
    }
    study.language_models.ledger.stage = stage
    with _room(stage), round_.run.timed(stage, round_.number):
        steps[stage](study, round_)
    if not round_.finished(stage):
        round_.finish(stage)


@contextmanager
def _room(stage: str) -> Iterator[None]:
    """Says so when the disk is full, whichever library was writing: not all of them raise an OSError."""
    try:
        yield
    except SelfstudyError:
        raise
    except Exception as error:
        number = getattr(error, "errno", None)
        if number not in _FULL and not any(f"os error {n}" in str(error) for n in _FULL):
            raise
        raise RunError(
            f"{stage}: the disk is full: {error}",
            "nothing written earlier is lost: make room, then give the same command again; it goes on where "
            "it stopped",
        ) from None


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _probe(study: Study, round_: Round) -> None:
    """Settles the threshold, then asks."""
    from selfstudy.probe.stage import run_probe
    from selfstudy.run.threshold import settle, unused

    if settle(study.run).source == "default":
        for other in unused(study.recipe, study.recipe.probe.scorer):
            study.reporter.note(other)
    documents = study.documents  # read in any case: an empty library is found before hours of probing
    run_probe(round_, study.models(round_, "probe"), study.prompts, documents, study.reporter, study.topics)


def _gather(study: Study, round_: Round) -> None:
    """Looks everything up in the library."""
    from selfstudy.gather.stage import run_gather

    run_gather(round_, study.models(round_, "gather"), study.prompts, study.library(), study.reporter)


def _teach(study: Study, round_: Round) -> None:
    """Keeps apart what is never trained, then trains the adapter, and the control if there shall be one."""
    from selfstudy.run.split import keep_apart
    from selfstudy.teach.stage import run_teach

    keep_apart(study.run)
    study.language_models.make_room()  # the weights that are trained need the memory
    models = study.models(round_, "teach")
    run_teach(round_, models, study.prompts, study.reporter)
    if study.recipe.verify.control:
        run_teach(round_, models, study.prompts, study.reporter, arm="control")
    if block_of(study.recipe, "teach") != study.recipe.model:
        study.language_models.forget(block_of(study.recipe, "teach"), promotion.standing(round_))


def _verify(study: Study, round_: Round) -> None:
    """Asks every arm, one loaded at a time; then promotes the adapter, or marks it as rejected."""
    from selfstudy.verify.stage import run_verify

    adapter, control = promotion.trained(round_, "taught"), promotion.trained(round_, "control")
    folders: dict[Arm, Path | None] = {"base": promotion.standing(round_)}
    if folders["base"] is not None:
        folders["original"] = None
    if control is not None:
        folders["control"] = control
    if adapter is not None:
        folders["taught"] = adapter

    def loader(arm: Arm, folder: Path | None) -> Callable[[], LanguageModel]:
        def load() -> LanguageModel:
            for other in folders.values():  # a copy of the model at a time
                if other != folder:
                    study.language_models.forget(study.recipe.model, other)
            if arm == "taught" and folder is not None and study.recipe.verify.merge:
                return study.language_models.get(_merged(study, round_, folder))
            return study.lm(folder)

        return load

    loaders: dict[Arm, Callable[[], LanguageModel]] = {arm: loader(arm, f) for arm, f in folders.items()}
    gate = run_verify(round_, loaders, study.nli, study.prompts, study.key, study.reporter)
    if adapter is not None and gate.promoted:
        _promote(study, round_, adapter)
    elif round_.adapter().is_dir():  # there is one even if its training failed
        promotion.reject(round_, gate.reasons)
        study.reporter.note(f"the adapter was not promoted; it is kept, marked, in {round_.adapter()}")
    if not gate.promoted:
        study.language_models.forget(study.recipe.model, adapter)
        shutil.rmtree(round_.merged_folder, ignore_errors=True)


def _merged(study: Study, round_: Round, adapter: Path) -> ModelBlock:
    """The model with the adapter merged in: written once, measured as it lies there, promoted as it is."""
    from selfstudy.models.local import weights

    folder = round_.merged_folder
    if not folder.is_dir():
        temporary = unfinished(folder)
        shutil.rmtree(temporary, ignore_errors=True)
        study.language_models.make_room()
        block = weights_of(study.recipe.model) or LocalModel()
        weights.save_merged(block.model_copy(update={"adapter": adapter}), temporary)
        temporary.rename(folder)
    return merged_block(study.recipe.model, folder)


def _promote(study: Study, round_: Round, adapter: Path) -> None:
    """Puts what was measured in the place of what was promoted before."""
    merge = study.recipe.verify.merge

    def measured() -> Path:
        if not merge:
            return adapter
        study.language_models.forget(_merged(study, round_, adapter))
        return round_.merged_folder

    place = promotion.promote(round_, measured, move=merge)
    study.reporter.note(f"promoted: {place}")


def _current(run: Run) -> Round:
    """The round that a single verb works on: the last one."""
    return run.rounds[-1] if run.rounds else run.round(1)
