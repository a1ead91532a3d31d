"""Teach: verdicts become other wordings, examples and pairs, and these an adapter or a model, phase by phase.

Reads Question, Answer, Evidence, Reference, Verdict; writes Rewording, Example, Pair, Practised,
TrainingStep, TrainedItem and a folder (models/taught.py): of one training (training.py), or of one for each
group (grouped.py).
A training that was killed starts again with the same seed, and leaves nothing of its first attempt but the
checkpoints of phases that make any: these go on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from selfstudy.files import own
from selfstudy.models import Models, taught
from selfstudy.models.base import wants_demonstrations
from selfstudy.progress import Reporter
from selfstudy.prompts import Prompts
from selfstudy.recipe import CitingBlock, ExamplesBlock, OnlineDPOBlock, PhaseBlock
from selfstudy.records import Example, Failure, Pair, Record, TrainedArm, TrainedItem, TrainingStep
from selfstudy.run import Round
from selfstudy.run.curriculum import Curriculum
from selfstudy.teach import followers, grouped, routing, training, wordings
from selfstudy.teach.gaps import JudgedQuestion, gaps_to_teach, judged_questions
from selfstudy.teach.imported import imported_lessons
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.training import CHECKPOINTS, LessonTraining

R = TypeVar("R", bound=Record)


def run_teach(
    round_: Round,
    models: Models,
    prompts: Prompts,
    report: Reporter,
    *,
    arm: TrainedArm = "taught",
    team: followers.Team = followers.ALONE,
    unrelated: Sequence[str] = (),
) -> Path | None:
    """Teaches the gaps of a round; the folder of what was trained, or None if there is nothing to teach.

    The model that is passed in stays as it is.  A training that diverges still gives a folder: a Failure
    record of stage "teach" whose item is the arm says that it is of no use.

    Args:
        arm: "control" trains as many examples and pairs with the chosen answers exchanged at random.
        team: the processes that train along.
        unrelated: questions that nothing was taught about and nothing tests, where a router is made.

    Raises:
        ModelError: a phase of the recipe cannot be run with this model; found before any is.
    """
    folder = round_.adapter(arm)
    temporary = own.unfinished(folder)
    if taught.is_complete(folder):
        own.remove(temporary)  # a kill may have come just before
        return folder
    dynamic = round_.run.recipe.deploy.type == "dynamic"
    everything = judged_questions(round_)
    if dynamic:
        embedder = routing.embedder_of(round_.run.recipe, models)
        everything = routing.without_taught(round_, everything, embedder, prompts)
    if unsure := sum(question.unsure for question in everything):
        report.note(
            f"{unsure:,} questions share their words with too many others to be compared with all of them: "
            "near-duplicates of these may be both taught and tested"
        )
    twins: list[int] = []
    gaps = gaps_to_teach(everything, twins)
    if twins:
        report.note(
            f"{len(twins):,} gaps share their words with too many others to be compared with all of them: "
            "near-duplicates of these may be taught several times"
        )
    imported = imported_lessons(round_)
    brought = any(map(_brings_prompts, round_.run.recipe.teach.plan))
    if not (gaps or imported or brought):
        report.note("nothing to teach: no gap has an accepted reference")
        return None
    training.require(round_.run.recipe, models, temporary)
    rewordings = wordings.write(round_, [*gaps, *_replayed(everything, round_)], models.lm, prompts, report)
    kept = prompts if wants_demonstrations(models.lm) else prompts.without_demonstrations()
    lesson = Lesson(round_.run.recipe, kept, gaps, everything, rewordings, imported)
    if arm == "control":
        lesson = lesson.control()
    if dynamic:
        lessons = grouped.Lessons(round_, models, report, lesson, temporary, team)
        _forget(round_, arm, lessons.begin())
        if there := lessons.train():
            lessons.route(unrelated)
    else:
        _begin_again(temporary, report)
        _forget(round_, arm)
        there = LessonTraining(round_, models, report, lesson, temporary, team).run()
    if there:
        taught.publish(temporary / "final", folder)
    own.remove(temporary)
    return folder if there else None


def _begin_again(temporary: Path, report: Reporter) -> None:
    """Makes the folder of a training, empty but for checkpoints."""
    if own.check(temporary):
        but = ", but for phases with a checkpoint" if (temporary / CHECKPOINTS).is_dir() else ""
        report.note(f"an interrupted training starts again from its first step{but}")
        own.clear(temporary, keep=(CHECKPOINTS,))
    own.make(temporary)


def _replayed(everything: Sequence[JudgedQuestion], round_: Round) -> list[JudgedQuestion]:
    """Known questions that some phase replays in other wordings too."""
    plan = round_.run.recipe.teach.plan
    if not any(isinstance(block, ExamplesBlock) and block.replay_wordings for block in plan):
        return []
    return [q for q in everything if q.verdict.kind == "known" and q.reference and not q.held_out]


def _brings_prompts(block: PhaseBlock) -> bool:
    """Whether a phase has something to train on beside gaps."""
    return bool(
        (isinstance(block, OnlineDPOBlock) and block.prompts)
        or (isinstance(block, CitingBlock) and block.data)
    )


def _forget(round_: Round, arm: TrainedArm, but: Mapping[str, Curriculum] | None = None) -> None:
    """Removes what an interrupted training of this arm wrote, and keeps that of the other and of imports.

    The control's examples are not recorded, and its pairs alone are random.

    Args:
        but: groups that are trained already, whose records stay.
    """
    but = but or {}
    asked = {name for one in but.values() for name in (*one.questions, *one.replayed)}
    steps, pairs = round_.read(TrainingStep), round_.read(Pair)
    examples, failures = round_.read(Example), round_.read(Failure)
    taught = arm == "taught"

    def stays(lesson: Example | Pair) -> bool:
        return lesson.question_id in asked or (bool(but) and not lesson.question_id)

    def of_another(failure: Failure) -> bool:
        mine = taught or failure.item_id.partition("/")[0] == arm
        return failure.stage != "teach" or not mine or failure.item_id.partition("/")[0] in but

    _keep(round_, TrainingStep, [s for s in steps if s.arm != arm or s.phase.partition("/")[0] in but])
    if any(one.arm == arm and one.adapter not in but for one in round_.iter(TrainedItem)):
        items = round_.iter(TrainedItem)  # of which there are as many as rows: one at a time
        round_.rewrite(TrainedItem, (one for one in items if one.arm != arm or one.adapter in but))
    _keep(round_, Example, [e for e in examples if e.kind == "imported" or not taught or stays(e)])
    _keep(
        round_,
        Pair,
        [p for p in pairs if p.origin == "imported" or (p.origin == "random") == taught or stays(p)],
    )
    kept = round_.ids(Example) | round_.ids(Pair) if but else set()
    _keep(round_, Failure, [f for f in failures if of_another(f) or f.item_id in kept])


def _keep(round_: Round, kind: type[R], kept: Sequence[R]) -> None:
    if len(kept) < round_.count(kind):
        round_.rewrite(kind, kept)
