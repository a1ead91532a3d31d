"""A round by parts, each of which a job of a queue may do, on any machine, when those before it are done.

    ask     asks all questions once                     shard   answers, scores and gathers some of them
    merge   joins the shards (run/merging.py)           probe gather teach verify   a whole stage

`verify` ends the round, and the last one writes the report.  Of a round that is not needed any more, because
the one before it promoted nothing or gained too little, no part does anything.  Knows no queue.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from selfstudy.errors import RunError
from selfstudy.loop import launching
from selfstudy.loop.resources import Resources
from selfstudy.loop.stages import answer_shard, ask, check_entailment, gather_shard, run_stage
from selfstudy.loop.study import Study
from selfstudy.progress import Reporter, Silent
from selfstudy.records import STAGES, Question
from selfstudy.run import Round, Run, forgotten, resume, standing
from selfstudy.run.changes import learned
from selfstudy.run.merging import merge, tidy
from selfstudy.run.resume import RoundPart
from selfstudy.run.shards import QuestionShard, open_shard, require_count

PARTS: tuple[RoundPart, ...] = get_args(RoundPart)


def do_part(
    path: Path,
    part: RoundPart,
    number: int,
    shard: QuestionShard | None = None,
    reporter: Reporter | None = None,
) -> None:
    """One part of round `number` of the run at `path`; what is done already is not done again.

    Args:
        shard: which one, of the part `shard`.

    Raises:
        SelfstudyError: what the user can fix; everything written so far is kept.
    """
    report = reporter or Silent()
    if part == "shard":
        if shard is None:
            raise RunError("which shard?", "--shard 3/8")
        _shard(path, number, shard, report)
        return
    with Run.open(path) as run:
        forgotten.require_finished(run)
        if (why := _not_needed(run, number)) is not None:
            report.note(why)
            return
        if part == "merge":
            joined = merge(run, number)
            report.note(f"round {number}: {'its shards are joined' if joined else 'nothing is left to join'}")
            return
        with Study(run, report) as study:
            _part(study, run.round(number), part)


def _part(study: Study, round_: Round, part: RoundPart) -> None:
    if part == "teach" and not study.run.entailment_file.exists():
        check_entailment(study)  # no shard has seen all answers
    if part in ("ask", "probe"):  # before hours of it, and where the cards are
        launching.require(study.recipe)
    if part != "ask":
        run_stage(study, round_, part)
    elif not any(round_.finished(stage) for stage in (resume.ASKING, "probe")):
        tidy(study.run, round_.number)
        ask(study, round_)
    if part != "verify":
        return
    learned(round_)
    why = standing.why_stop(round_)
    if why or round_.number == study.recipe.rounds:
        if why:
            study.reporter.note(f"stopped after round {round_.number}: {why}")
        study.report()


def _shard(path: Path, number: int, shard: QuestionShard, report: Reporter) -> None:
    with Run.open(path, write=False) as main:
        forgotten.require_finished(main)
        why = _not_needed(main, number)
        if why is None and main.round(number).finished("gather"):
            why = f"round {number}: its shards are joined already"
        if why is not None:
            report.note(why)
            return
        require_count(main, shard.count)
        with open_shard(main, number, shard) as run:
            round_ = run.round(number)
            if next(round_.lines(Question), None) is None:  # no model need be loaded for it
                for stage in STAGES[:2]:
                    round_.finish(stage)
            with Study(run, report) as study:
                _answer(study, round_)


def _answer(study: Resources, round_: Round) -> None:
    run_stage(study, round_, "probe", answer_shard)
    run_stage(study, round_, "gather", gather_shard)


def _not_needed(run: Run, number: int) -> str | None:
    """Why a round is not needed any more; None: it is.

    Raises:
        RunError: the round before it has not been verified, or the recipe does not have it.
    """
    if not 1 <= number <= run.recipe.rounds:
        raise RunError(f"the recipe of {run.path} has {run.recipe.rounds} rounds, not {number}", "--round N")
    for earlier in range(1, number):
        before = run.round(earlier) if (run.rounds_folder / str(earlier)).is_dir() else None
        if before is None or not before.finished("verify"):
            raise RunError(
                f"round {earlier} of {run.path} has not been verified, so round {number} cannot begin",
                f"selfstudy job {run.path} verify --round {earlier}",
            )
        if why := standing.why_stop(before):
            return f"round {number} is not needed: after round {earlier} {why}"
    return None
