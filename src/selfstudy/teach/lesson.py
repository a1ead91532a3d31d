"""What one arm of a round is taught from, whatever the phases make of it.

Knows the round's records; nothing of phases, models or training.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import Rewording, TrainedArm
from selfstudy.teach import gaps, imported
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.imported import ImportedLessons

SHOWING = "what the frozen model shows"
"""How a phase names the reading of its teacher, before its training, to a person and to who measures it."""
NONE = ImportedLessons((), ())


@dataclass(frozen=True)
class Lesson:
    """The material of one arm.

    Attributes:
        gaps: the questions to teach, with their targets.
        everything: all judged questions: known ones are replayed, some without evidence refused if the
            recipe says so.
        rewordings: by question id; those for training are used.
        imported: made by somebody else; if there are any, they take the place of all others.
    """

    recipe: Recipe
    prompts: Prompts
    gaps: Sequence[JudgedQuestion]
    everything: Sequence[JudgedQuestion]
    rewordings: Mapping[str, Sequence[Rewording]]
    imported: ImportedLessons = NONE
    arm: TrainedArm = "taught"

    @property
    def size(self) -> int:
        """How much is to be taught: imported lessons, or the gaps."""
        return len(self.imported.examples) + len(self.imported.pairs) or len(self.gaps)

    def control(self) -> Lesson:
        """As much of everything, with the answers exchanged at random, refusals among them."""
        seed = self.recipe.seed
        both = gaps.as_control([*self.gaps, *self.refused()], seed)
        refused = {one.question.id: one for one in both[len(self.gaps) :]}
        return replace(
            self,
            gaps=both[: len(self.gaps)],
            everything=[refused.get(one.question.id, one) for one in self.everything],
            imported=imported.as_control(self.imported, seed),
            arm="control",
        )

    def wordings(self, asked: JudgedQuestion) -> list[str]:
        """The question as first asked, then its rewordings for training."""
        others = self.rewordings.get(asked.question.id, ())
        return [asked.question.text, *(one.text for one in others if one.use == "train")]

    def weight(self, asked: JudgedQuestion) -> float:
        """How often it is taught, a fraction being a chance (`copies`)."""
        return self.recipe.teach.misbelief_weight if asked.verdict.kind == "misbelief" else 1.0

    def refused(self) -> list[JudgedQuestion]:
        """What is taught to be refused, drawn: at most `refusals.share` times as many as there are gaps."""
        can = [q for q in self.everything if q.refusable]
        most = round(self.recipe.teach.refusals.share * len(self.gaps))
        chosen = random.Random(f"{self.recipe.seed}:refused").sample(range(len(can)), min(most, len(can)))
        return [can[i] for i in sorted(chosen)]


def copies(weight: float, rng: random.Random) -> int:
    """A whole number whose mean is `weight`: a fraction is the chance of one more."""
    whole = int(weight)
    return whole + (rng.random() < weight - whole)
