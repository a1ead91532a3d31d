"""Beam search for cited answers, sentence by sentence (Huang et al. 2024, arXiv 2402.04315).

From every beam next sentences are sampled; answers so far are judged whole, so that the best are those whose
sentences have gained most: a gold answer that turns up is worth +0.4, since its -0.2 disappears.  Of a list
the items take the place of sentences, and at its start the beams that are kept may be chosen at random, for
variety.  An answer that has ended stays a candidate, as does one that stands at the last depth.

Ours: all beams begin empty, so that the first sentence has beams x branches samples; a sentence has ended
where the next one begins, for marks may stand behind its full stop, and what was said of that one is
forgotten; nothing is said twice, which earns nothing and takes a beam.  Knows nothing of training or files.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from selfstudy.judging import citations
from selfstudy.judging.cited_items import CitedKind
from selfstudy.models.base import LanguageModel, Sampling, continued, token_counter
from selfstudy.recipe import RejectionBlock
from selfstudy.records import Chat, Completion
from selfstudy.teach.candidates import (
    CitedCandidate,
    Winner,
    first_statement,
    judge,
    merged,
    repeats,
    winner,
)
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise

_RANDOM_STEPS = 2
"""So many transitions at the start of a list may be random (ours; the paper does not say how many) ..."""
_RANDOM = 0.5
"""... each with this probability."""


def beam(
    exercises: Sequence[CitedExercise],
    lm: LanguageModel,
    rewards: CitationRewards,
    block: RejectionBlock,
    seed: int = 0,
) -> list[Winner]:
    """The winner of each exercise; all exercises and beams are asked, and judged, together at every depth.

    Raises:
        ModelError: the model cannot go on with an answer that has begun.
    """
    searches = [_Beams(one, block, seed, token_counter(lm)) for one in exercises]
    for depth in range(max(block.depth, block.list_depth)):
        running = [one for one in searches if one.runs(depth)]
        said = _said(running, lm, block, seed, depth)
        judged = judge(
            [one.exercise for one in running],
            [one.longer(said) for one in running],
            rewards,
            seed + depth,
            [one.problems for one in running],
        )
        for one, found in zip(running, judged, strict=True):
            one.choose(found, depth)
    return [one.winner() for one in searches]


_Said = dict[tuple[Chat, str], list[Completion]]
"""What follows each beginning of an answer to each prompt."""


def _said(
    running: Sequence[_Beams], lm: LanguageModel, block: RejectionBlock, seed: int, depth: int
) -> _Said:
    """Samples of the next statement of every beam; a prompt that comes up again says the same."""
    found: _Said = {}
    for kinds in (("qampari",), ("asqa", "eli5", "plain")):
        asked = dict.fromkeys(
            (one.exercise.prompt, text) for one in running if one.kind in kinds for text in one.standing()
        )
        if asked:
            completions = continued(
                lm,
                [prompt for prompt, _ in asked],
                [text for _, text in asked],
                Sampling(
                    n=block.continuations * (1 if depth else block.beams),
                    temperature=block.temperature,
                    top_k=block.top_k,
                    max_new_tokens=min(block.statement_tokens, block.max_new_tokens),
                    seed=seed,
                ),
                enough=partial(_enough, kind="qampari" if "qampari" in kinds else "plain", begun=depth > 0),
            )
            found |= dict(zip(asked, completions, strict=True))
    return found


def _enough(text: str, *, kind: CitedKind, begun: bool) -> bool:
    """Whether a statement has ended: the next one begins, or the line that is judged ends."""
    return "\n" in (text if begun else text.lstrip()) or first_statement(text, kind) is not None


class _Beams:
    """The search for the answer to one exercise.

    Attributes:
        problems: why candidates were left out.
    """

    def __init__(
        self, exercise: CitedExercise, block: RejectionBlock, seed: int, count: Callable[[str], int]
    ) -> None:
        self.exercise, self.kind = exercise, exercise.item.kind
        self.problems: Counter[str] = Counter()
        self._block, self._seed, self._count = block, seed, count
        self._depth = block.list_depth if self.kind == "qampari" else block.depth
        self._beams = [CitedCandidate("", ended=False)]
        self._finished: list[CitedCandidate] = []
        self._judged: list[CitedCandidate] = []

    def runs(self, depth: int) -> bool:
        return bool(self._beams) and depth < self._depth

    def standing(self) -> list[str]:
        """What the beams have said so far."""
        return [one.text for one in self._beams]

    def longer(self, said: _Said) -> list[CitedCandidate]:
        """The beams with what follows them; one that nothing follows is as it is."""
        found: list[CitedCandidate] = []
        for one in self._beams:
            following = [self._followed(one, next_) for next_ in said[self.exercise.prompt, one.text]]
            found += (own := [each for each in following if each is not None])
            self._finished += [one] if one.text and not own else []
        return merged(found)

    def choose(self, judged: Sequence[CitedCandidate], depth: int) -> None:
        """Keeps the best beams, or some, and what has ended."""
        self._judged += judged
        self._finished += [one for one in judged if one.ended]
        if not judged:  # as when the judge fails: what stood before is as good as it was
            self._finished += [one for one in self._beams if one.text]
        beams = sorted((one for one in judged if not one.ended), key=lambda one: one.rank)
        chance = random.Random(f"{self._seed}:{self.exercise.question_id}:{depth}:beams")
        if self.kind == "qampari" and depth < _RANDOM_STEPS and chance.random() < _RANDOM:
            chance.shuffle(beams)
        self._beams = beams[: self._block.beams]

    def winner(self) -> Winner:
        """The best of what has ended, and of what stands at the last depth."""
        standing = [one for one in self._beams if one.text]
        return winner(self.exercise, [*self._finished, *standing], self._judged, self.problems)

    def _followed(self, before: CitedCandidate, said: Completion) -> CitedCandidate | None:
        """A beam with its next statement; None without one, or if it gets too long."""
        if said.finish == "error":
            self.problems[said.error or "generation failed"] += 1
            return None
        line, newline, _ = (said.text if before.text else said.text.lstrip()).partition("\n")
        end = first_statement(line, self.kind)
        if end is None and not newline and said.finish == "length":
            self.problems[f"no end of a statement within {said.tokens} tokens"] += 1
            return None
        text = citations.said(before.text + line[:end])
        if not text:
            self.problems["an empty answer"] += 1
            return None
        if self._count(text) > self._block.max_new_tokens:
            self.problems[f"longer than {self._block.max_new_tokens} tokens"] += 1
            return None
        if repeats(text, self.kind):
            self.problems["it says something twice"] += 1
            return None
        return CitedCandidate(
            text, before.logprob + said.logprob, before.tokens + said.tokens, ended=end is None
        )
