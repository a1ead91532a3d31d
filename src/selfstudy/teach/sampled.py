"""What rejection sampling teaches: the best of a model's own answers to each question, as examples.

Which answers are sampled and how the best is found: rejection.py, beam.py.  Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfstudy.models.base import HasWeights, LanguageModel
from selfstudy.progress import Reporter
from selfstudy.recipe import RejectionBlock
from selfstudy.records import Example
from selfstudy.teach import rejection
from selfstudy.teach.candidates import Search
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise


@dataclass(frozen=True)
class Sampled:
    """What is asked, and how the best answer to it is found.

    Attributes:
        folder: keeps winners as they are found; after a kill the search goes on from there.
    """

    exercises: Sequence[CitedExercise]
    rewards: CitationRewards
    block: RejectionBlock
    seed: int
    folder: Path | None = None

    def best(self, lm: LanguageModel, report: Reporter, fail: Callable[[str, str], None]) -> list[Example]:
        """The winners that earned enough.

        Args:
            fail: is told of questions without a winner, and why.
        """
        block, exercises = self.block, self.exercises
        with report.task(f"answers sampled ({block.search})", len(exercises)) as advance:
            winners = rejection.search(
                exercises,
                lm,
                self.rewards,
                self._options,
                keep=self.folder,
                work=_weights(lm),
                advance=advance,
            )
        for one in winners:
            if one.error:
                fail(one.exercise.question_id, one.error)
        won = [(one, one.total) for one in winners if one.total is not None]
        kept = [one for one, total in won if block.least is None or total > block.least]
        mean = sum(total for _, total in won) / max(1, len(won))
        less = f"; {len(won) - len(kept)} earned no more than {block.least} and are not learned from"
        report.note(
            f"best answers to {len(won)} of {len(exercises)} questions, by {self.rewards.name}: "
            f"mean reward {mean:+.3f}" + (less if len(kept) < len(won) else "")
        )
        return rejection.examples(kept)

    @property
    def _options(self) -> Search:
        block = self.block
        return Search(
            method=block.search,
            samples=block.samples,
            beams=block.beams,
            branches=block.continuations,
            depth=block.depth,
            list_depth=block.list_depth,
            temperature=block.temperature,
            top_k=block.top_k,
            max_new_tokens=block.max_new_tokens,
            statement_tokens=block.statement_tokens,
            seed=self.seed,
        )


def _weights(lm: LanguageModel) -> str:
    """What tells a model in training from another one of its name."""
    if not isinstance(lm, HasWeights):
        return ""
    from selfstudy.teach.trainers.checkpoint import fingerprint

    return fingerprint(lm.model)
