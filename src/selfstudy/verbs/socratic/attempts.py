"""Does a student solve a problem, alone or after a dialogue?  Fresh attempts, as methods-more C has them.

The share of right ones after a dialogue minus that without any is what the dialogue was worth (delta).  An
attempt that failed is not a wrong one: it is not counted, and told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.judging.solving import solves_at_the_end
from selfstudy.judging.tutoring import Solution
from selfstudy.models import transcripts
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import Chat
from selfstudy.verbs.kept import Made
from selfstudy.verbs.socratic.talk import TEMPERATURE


class Attempts(Made):
    """Of an exercise (`id`): attempts that could be read, how many are right, how many failed."""

    read: int
    right: int
    failed: int

    @property
    def share(self) -> float | None:
        """Of attempts that are right; None if none was read."""
        return self.right / self.read if self.read else None


@dataclass(frozen=True, slots=True)
class Examinee:
    """Who tries, how often, and how long an attempt may be."""

    lm: LanguageModel
    prompts: Prompts
    attempts: int
    attempt_tokens: int = 256
    seed: int = 0

    def tries(
        self, ids: Sequence[str], solutions: Sequence[Solution], after: Sequence[Chat]
    ) -> list[Attempts]:
        """Attempts at each problem, in order, after a dialogue (empty: without any); one batch."""
        chats = [
            self.prompts.chat(
                "attempt", problem=one.problem, dialogue=transcripts.written(said) or transcripts.NOBODY
            )
            for one, said in zip(solutions, after, strict=True)
        ]
        sampling = Sampling(
            n=self.attempts, temperature=TEMPERATURE, max_new_tokens=self.attempt_tokens, seed=self.seed
        )
        found = []
        for id_, solution, replies in zip(ids, solutions, self.lm.generate(chats, sampling), strict=True):
            read = [reply.text for reply in replies if reply.finish != "error"]
            right = sum(solves_at_the_end(text, solution) for text in read)
            failed = len(replies) - len(read)
            found.append(
                Attempts(id=id_, read=len(read), right=right, failed=failed, model_failed=failed > 0)
            )
        return found
