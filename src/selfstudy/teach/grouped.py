"""A lesson for each group of a round's gaps, each with an adapter of its own on the base model, and a router.

    TEMPORARY/groups/GROUP/        what one training writes, as long as it goes on
    TEMPORARY/final/GROUP-HASH8/   what it left; then those that stood before, and the router beside them

A training that was killed begins with the group that it was at: the others are not trained again.
Knows nothing of phases (training.py), nor of how a router decides (router.py).
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.errors import ModelError
from selfstudy.files import own, private
from selfstudy.models import taught
from selfstudy.records import Failure
from selfstudy.run import curriculum, standing
from selfstudy.run.curriculum import Curriculum
from selfstudy.run.source_groups import IMPORTED, OTHER, SourceGroups
from selfstudy.teach import routing
from selfstudy.teach.lesson import NONE
from selfstudy.teach.training import CHECKPOINTS, LessonTraining

if TYPE_CHECKING:
    from selfstudy.models import Models
    from selfstudy.progress import Reporter
    from selfstudy.run import Round
    from selfstudy.teach.followers import Team
    from selfstudy.teach.gaps import JudgedQuestion
    from selfstudy.teach.lesson import Lesson

MOST = 50
"""Adapters that a round trains; more sources than that share one (a guess: nobody has served as many)."""


@dataclass
class Lessons:
    """What one arm of a round is taught, in groups; the fields are those of `LessonTraining`."""

    round_: Round
    models: Models
    report: Reporter
    lesson: Lesson
    folder: Path
    team: Team
    _refused: ModelError | None = None

    @property
    def _final(self) -> Path:
        return self.folder / "final"

    def begin(self) -> dict[str, Curriculum]:
        """Makes the folder, or takes the one that is there: what was taught in it already, by group."""
        if own.check(self.folder):
            self.report.note("an interrupted training goes on with the group that it was at")
        own.make(self.folder)
        private.make_folder(self._final)
        return {one.group: one for one in self._trained().values()}

    def _trained(self) -> dict[str, Curriculum]:
        """The adapters of this training that are there, by name, with what they were taught."""
        read = {name: curriculum.read(place) for name, place in taught.adapters_of(self._final).items()}
        number, arm = self.round_.number, self.lesson.arm
        return {
            n: one for n, one in read.items() if one is not None and (one.round, one.arm) == (number, arm)
        }

    def train(self) -> bool:
        """Trains each group that is not; whether there is an adapter now.

        A group whose training fails is left out, and the others stay.

        Raises:
            ModelError: none could be trained, all for reasons of their own.
        """
        groups = split(self.lesson, self.report)
        done = {one.group for one in self._trained().values()}
        for number, (name, lesson) in enumerate(groups.items(), 1):
            if name not in done:
                self.report.note(f"group {number} of {len(groups)}, {name}: {lesson.size:,} to teach")
                self._train_one(name, lesson)
        if self._trained():
            return True
        if self._refused is not None:
            raise self._refused
        mine = f"{self.lesson.arm}/"
        failed = [f for f in self.round_.iter(Failure) if f.stage == "teach" and f.item_id.startswith(mine)]
        if failed:
            self.round_.fail("teach", self.lesson.arm, f"no group could be trained: {failed[0].message}")
        return False

    def _train_one(self, name: str, lesson: Lesson) -> None:
        place = self.folder / "groups" / name
        private.make_folder(place)
        own.clear(place, keep=(CHECKPOINTS,))
        training = LessonTraining(self.round_, self.models, self.report, lesson, place, self.team, group=name)
        try:
            whole = training.run() and not training.failed
        except ModelError as error:  # such as that all of it is too long
            self._refused = self._refused or error
            self.round_.fail("teach", training.item, error.what)
            self.report.note(f"group {name} is left out: {error.what}")
            self.team.left_out()
            whole = False
        if whole:
            adapter = place / "final"
            adapter.rename(self._final / taught.adapter_name(name, adapter))
        shutil.rmtree(place)

    def route(self, unrelated: Sequence[str]) -> None:
        """Puts those that stood before beside the new ones, and makes the router over all of them."""
        from selfstudy.teach.router import build

        recipe, round_ = self.lesson.recipe, self.round_
        before = standing.standing(round_)
        old = taught.adapters_of(before) if before is not None and taught.is_routed(before) else {}
        new = self._trained()
        old = {name: place for name, place in old.items() if name not in new}
        curricula = {name: one for name, place in old.items() if (one := curriculum.read(place)) is not None}
        curricula |= new
        wordings = routing.of_adapters(round_, curricula)
        for name, place in old.items():
            if (self._final / name).exists():  # of an attempt that was killed
                shutil.rmtree(self._final / name)
            if name in wordings:
                _linked(place, self._final / name)
            else:
                self.report.note(f"adapter {name} is left out: all that it was taught was taught again")
        embedder = routing.embedder_of(recipe, self.models)
        known = routing.known_wordings(round_, self.lesson.everything, embedder, self.lesson.prompts)
        have = {text for _, text in known}
        router = build(
            wordings,
            known,
            [text for text in dict.fromkeys(unrelated) if text not in have],
            recipe.deploy.router,
            embedder,
            routing.embedder_block(recipe),
            recipe.seed,
            self.lesson.prompts,
        )
        router.save(self._final)


def split(lesson: Lesson, report: Reporter) -> dict[str, Lesson]:
    """The lesson in groups by source, the largest first; lessons that somebody else made are one group.

    What a group replays is known from its own sources, or from none, so that another source can be forgotten
    without it; where that is less than it has gaps, it is filled up from the others.
    """
    if lesson.imported:
        return {IMPORTED: lesson}
    groups = SourceGroups(lesson.recipe.deploy)
    gaps: dict[str, list[JudgedQuestion]] = {}
    for gap in lesson.gaps:
        gaps.setdefault(groups.of(gap.source), []).append(gap)
    known = [q for q in lesson.everything if q.verdict.kind == "known" and q.passage and not q.held_out]
    found: dict[str, Lesson] = {}
    for name, some in _joined(gaps, report).items():
        sources = {groups.of(gap.source) for gap in some}
        own = [q for q in known if not q.source or groups.of(q.source) in sources]
        kept = {q.question.id for q in own}
        others = [q for q in known if q.question.id not in kept]
        short = min(len(others), max(0, len(some) - len(own)))
        own += random.Random(f"{lesson.recipe.seed}:{name}:replay").sample(others, short)
        found[name] = replace(lesson, gaps=some, everything=[*some, *own], imported=NONE)
    return found


def _joined(gaps: Mapping[str, list[JudgedQuestion]], report: Reporter) -> dict[str, list[JudgedQuestion]]:
    """No more than MOST of them: the smallest are one."""
    order = sorted(gaps, key=lambda name: (-len(gaps[name]), name))
    if len(order) <= MOST:
        return {name: gaps[name] for name in order}
    alone = [name for name in order if name != OTHER][: MOST - 1]
    rest = [name for name in order if name not in alone]
    report.note(
        f"the gaps are of {len(order):,} groups; the {len(rest):,} smallest share one adapter, {OTHER}, and "
        "can only be forgotten together: name groups in deploy.groups"
    )
    joined = [gap for name in rest for gap in gaps[name]]
    return {**{name: gaps[name] for name in alone}, OTHER: joined}


def _linked(source: Path, target: Path) -> None:
    """A copy that takes no room, where the file system has such."""
    private.make_folder(target)
    for path in sorted(source.iterdir()):
        if path.is_file() and not path.is_symlink():
            try:
                os.link(path, target / path.name)
            except OSError:
                shutil.copyfile(path, target / path.name)
