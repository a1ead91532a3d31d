"""Lessons that somebody else made: the pairs and examples of an imported file, taught as they are.

Knows nothing of verdicts: nobody measured what the model knows of these, so all of them are taught and
nothing is replayed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from selfstudy.records import Example, Pair
from selfstudy.run import Round


@dataclass(frozen=True, slots=True)
class Given:
    """What a round has of them; false if there is nothing.

    Attributes:
        examples: for supervised training; of a run with pairs alone, their chosen answers.
        pairs: for preference training.
    """

    examples: tuple[Example, ...]
    pairs: tuple[Pair, ...]

    def __bool__(self) -> bool:
        return bool(self.examples or self.pairs)


def load(round_: Round) -> Given:
    """The imported lessons of a round, in file order."""
    pairs = tuple(pair for pair in round_.iter(Pair) if pair.origin == "imported")
    examples = tuple(example for example in round_.iter(Example) if example.kind == "imported")
    chosen = (
        Example(prompt=p.prompt, completion=p.chosen, question_id=p.question_id, kind="imported")
        for p in pairs
    )
    return Given(examples or tuple(chosen), pairs)


def permuted(given: Given, seed: int) -> Given:
    """The control: each prompt gets the good answer of another one, by one random cycle through all."""
    answers = _exchanged([e.completion for e in given.examples], seed)
    chosen = _exchanged([p.chosen for p in given.pairs], seed)
    return replace(
        given,
        examples=tuple(
            Example(**example.model_dump(exclude={"id", "completion"}), completion=answer)
            for example, answer in zip(given.examples, answers, strict=True)
        ),
        pairs=tuple(
            Pair(**pair.model_dump(exclude={"id", "chosen"}), chosen=answer)
            for pair, answer in zip(given.pairs, chosen, strict=True)
        ),
    )


def _exchanged(answers: list[str], seed: int) -> list[str]:
    order = list(range(len(answers)))
    random.Random(f"{seed}:control").shuffle(order)
    donor = dict(zip(order, order[1:] + order[:1], strict=True))
    return [answers[donor[i]] for i in range(len(answers))]
