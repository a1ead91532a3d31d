"""The loop: probe -> gather -> teach -> verify, round after round, until the rounds or the gain are used up.

The only place, beside the command line, that sees all stages.  Each verb works alone on a run directory and
does nothing twice; `learn` is all of them in a row.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.answer_key import AnswerKey, load_answer_key
from selfstudy.errors import RunError
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, ModelBlock, Recipe
from selfstudy.records import Document, Skipped
from selfstudy.run import Round, Run

if TYPE_CHECKING:
    from selfstudy.gather import Library
    from selfstudy.models import Models
    from selfstudy.models.base import LanguageModel
    from selfstudy.progress import Reporter
    from selfstudy.verify import Gate

Summary = dict[str, Any]

STAGES = ("probe", "gather", "teach", "verify")
PROMOTED = "promoted"
"""Folder of the run with what was promoted last: an adapter, or a merged model if the recipe says so."""
REJECTED = "REJECTED.txt"
"""Marks the adapter of a round that the gate refused; it is kept and never used."""


def learn(recipe: Recipe, path: Path, report: Reporter) -> Summary:
    """Runs the whole loop in the run directory `path`, or goes on where it stopped.

    Raises:
        SelfstudyError: what the user can mend; everything written so far is kept.
    """
    with Run.create_or_resume(path, recipe) as run:
        workshop = _Workshop(run, report)
        for number in range(1, recipe.rounds + 1):
            round = run.round(number)
            for stage in STAGES:
                _stage(workshop, round, stage)
            if _stop(round, report):
                break
        return _report(workshop)


def probe(run: Run, report: Reporter) -> None:
    """Asks and answers: writes questions, answers and scores."""
    _stage(_Workshop(run, report), _current(run), "probe")


def gather(run: Run, report: Reporter) -> None:
    """Finds evidence, references and verdicts."""
    _stage(_Workshop(run, report), _current(run), "gather")


def teach(run: Run, report: Reporter) -> None:
    """Trains an adapter (and a control, if the recipe asks for one)."""
    _stage(_Workshop(run, report), _current(run), "teach")


def verify(run: Run, report: Reporter) -> None:
    """Asks again and promotes or rejects the adapter."""
    _stage(_Workshop(run, report), _current(run), "verify")


def report(run: Run) -> Path:
    """Writes summary.json and report.html of a run, finished or not; the path of the report."""
    from selfstudy.progress import Silent

    _report(_Workshop(run, Silent()))
    return run.path / "report.html"


@dataclass
class _Workshop:
    """What the stages of a run share, loaded when first needed and once."""

    run: Run
    reporter: Reporter
    _loaded: dict[Path | None, LanguageModel] = field(default_factory=dict)

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
    def embedder(self) -> Any:
        from selfstudy.models import load_embedder

        return load_embedder(self.recipe.embedder)

    @cached_property
    def nli(self) -> Any:
        from selfstudy.models import load_nli

        return load_nli(self.recipe.nli)

    def lm(self, adapter: Path | None) -> LanguageModel:
        """The recipe's model with an adapter of this run, or as it is."""
        from selfstudy.models import load_lm

        if adapter not in self._loaded:
            self._loaded[adapter] = load_lm(_with(self.recipe.model, adapter))
        return self._loaded[adapter]

    def forget(self, adapter: Path | None) -> None:
        """Lets go of a model that is not needed any more."""
        self._loaded.pop(adapter, None)

    def models(self, round: Round) -> Models:
        """The models of a round: the language model has learned what earlier rounds promoted."""
        from selfstudy.models import Models

        return Models(self.lm(_standing(round)), self.nli, self.embedder)

    @cached_property
    def documents(self) -> Sequence[Document]:
        """The library's documents; what was skipped is written to the first round and said."""
        spec = self.recipe.library
        if spec is None:
            return ()
        if spec == "atlas":
            from selfstudy.atlas import world

            return world.documents()
        from selfstudy.gather import read_documents

        reading = read_documents(Path(spec))
        for note in reading.notes:
            self.reporter.note(note)
        if reading.skipped:
            self._say_skipped(reading.skipped)
        return reading.documents

    def library(self) -> Library | None:
        """The index over the documents, kept in the run directory."""
        from selfstudy.gather import Library

        if self.recipe.library is None:
            return None
        block = self.recipe.gather
        return Library.build(
            self.documents,
            self.run.path / "library",
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


def _stage(workshop: _Workshop, round: Round, stage: str) -> None:
    """Runs one stage of a round if it has not finished, timed."""
    before = STAGES[: STAGES.index(stage)]
    missing = next((name for name in before if not round.finished(name)), None)
    if missing is not None:
        raise RunError(
            f"{stage}: round {round.number} of {round.run.path} has not finished {missing}",
            f"selfstudy {missing} {round.run.path}" if missing != "probe" else "give the probe command again",
        )
    if round.finished(stage):
        workshop.reporter.note(f"round {round.number}: {stage} is done already")
        return
    steps: dict[str, Callable[[_Workshop, Round], None]] = {
        "probe": _probe,
        "gather": _gather,
        "teach": _teach,
        "verify": _verify,
    }
    with round.run.timed(stage, round.number):
        steps[stage](workshop, round)
    if not round.finished(stage):
        round.finish(stage)


def _probe(workshop: _Workshop, round: Round) -> None:
    from selfstudy.probe import run_probe

    documents = workshop.documents if any(a.method == "documents" for a in workshop.recipe.probe.ask) else ()
    run_probe(round, workshop.models(round), workshop.prompts, documents, workshop.reporter)


def _gather(workshop: _Workshop, round: Round) -> None:
    from selfstudy.gather import run_gather

    run_gather(round, workshop.models(round), workshop.prompts, workshop.library(), workshop.reporter)


def _teach(workshop: _Workshop, round: Round) -> None:
    from selfstudy.teach import run_teach

    models = workshop.models(round)
    run_teach(round, models, workshop.prompts, workshop.reporter)
    if workshop.recipe.verify.control:
        run_teach(round, models, workshop.prompts, workshop.reporter, arm="control")


def _verify(workshop: _Workshop, round: Round) -> None:
    from selfstudy.verify import run_verify

    adapter, control = _trained(round, "adapter"), _trained(round, "control")
    gate = run_verify(
        round,
        workshop.lm(_standing(round)),
        workshop.lm(adapter) if adapter else None,
        workshop.lm(control) if control else None,
        workshop.models(round),
        workshop.prompts,
        workshop.key,
        workshop.reporter,
    )
    if adapter is not None:
        (_promote if gate.promoted else _reject)(workshop, adapter, gate)
    for folder in (adapter, control):
        if folder is not None and not (gate.promoted and folder == adapter):
            workshop.forget(folder)


def _promote(workshop: _Workshop, adapter: Path, gate: Gate) -> None:
    """Copies the adapter (or writes the merged model) to the run's `promoted` folder, in one step."""
    target = workshop.run.path / PROMOTED
    with _replacing(target) as folder:
        if workshop.recipe.verify.merge:
            lm: Any = workshop.lm(adapter)  # loading has merged the adapter in
            lm.model.save_pretrained(folder)
            lm.tokenizer.save_pretrained(folder)
        else:
            shutil.copytree(adapter, folder, dirs_exist_ok=True)
    workshop.reporter.note(f"promoted: {target}")


def _reject(workshop: _Workshop, adapter: Path, gate: Gate) -> None:
    (adapter / REJECTED).write_text("\n".join(gate.reasons) + "\n", encoding="utf-8")
    workshop.reporter.note("the adapter was not promoted; it is kept, marked, in " + str(adapter))


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `target` at the end."""
    temporary = target.with_name(target.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    yield temporary
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)


def _with(block: ModelBlock, adapter: Path | None) -> ModelBlock:
    if adapter is None or not isinstance(block, LocalModel):
        return block
    return block.model_copy(update={"adapter": adapter})


def _trained(round: Round, name: str) -> Path | None:
    """The adapter folder of a round, if its training gave one that is of use."""
    from selfstudy.records import Failure
    from selfstudy.teach.adapters import is_complete

    arm = {"adapter": "taught", "control": "control"}[name]
    failed = any(f.stage == "teach" and f.item_id == arm for f in round.iter(Failure))
    folder = round.path / name
    return folder if is_complete(folder) and not failed else None


def _standing(round: Round) -> Path | None:
    """The adapter that stands when `round` begins: the last one promoted before it."""
    for earlier in range(round.number - 1, 0, -1):
        if _gate(round.run.round(earlier)).get("promoted"):
            return round.run.round(earlier).path / "adapter"
    return None


def _gate(round: Round) -> dict[str, Any]:
    return round.run.read_json(f"rounds/{round.number}/gate.json") or {}


def _current(run: Run) -> Round:
    """The round that a single verb works on: the last one."""
    return run.rounds[-1] if run.rounds else run.round(1)


def _stop(round: Round, report: Reporter) -> bool:
    """The stop rule: nothing promoted, or a gain below the recipe's `min_gain`."""
    gate = _gate(round)
    if not gate.get("promoted"):
        report.note(f"stopped after round {round.number}: nothing was promoted")
        return True
    gain = (gate.get("gains") or {}).get("gap", {}).get("difference")
    if gain is not None and gain < round.run.recipe.min_gain:
        report.note(f"stopped after round {round.number}: the gain {gain:.3f} is below min_gain")
        return True
    return False


def _report(workshop: _Workshop) -> Summary:
    from selfstudy.show.report import write_report
    from selfstudy.summary import summarise

    run = workshop.run
    with run.timed("report"):
        summary = summarise(run, workshop.key, workshop.embedder)
        write_report(run, summary, run.path / "report.html", workshop.embedder)
    summary["seconds"] = run.seconds()
    run.write_json("summary.json", summary)
    return summary
