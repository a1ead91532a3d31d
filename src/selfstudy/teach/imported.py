"""Lessons that somebody else made: the pairs and examples of an imported file, taught as they are.

Knows nothing of verdicts: nobody measured what the model knows of these, so all of them are taught and
nothing is replayed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from selfstudy.records import Example, Pair
from selfstudy.run import Round
from selfstudy.teach.control import exchanged


@dataclass(frozen=True, slots=True)
class ImportedLessons:
    """What a round has of them; false if there is nothing.

    Attributes:
        examples: for supervised training: those of the file, and the chosen answers of its pairs.
        pairs: for preference training.
        alone: examples that no pair has.
    """

    examples: tuple[Example, ...]
    pairs: tuple[Pair, ...]
    alone: tuple[Example, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.examples or self.pairs)


def imported_lessons(round_: Round) -> ImportedLessons:
    """The imported lessons of a round, in file order."""
    pairs = tuple(pair for pair in round_.iter(Pair) if pair.origin == "imported")
    examples = tuple(example for example in round_.iter(Example) if example.kind == "imported")
    # several pairs of a prompt may have one chosen answer; records keep one, and so does a resumed run
    chosen = {
        example.id: example
        for p in pairs
        for example in [
            Example(prompt=p.prompt, completion=p.chosen, question_id=p.question_id, kind="imported")
        ]
    }
    alone = tuple(example for example in examples if example.id not in chosen)
    return ImportedLessons((*alone, *chosen.values()), pairs, alone)


def as_control(lessons: ImportedLessons, seed: int) -> ImportedLessons:
    """Each prompt gets the good answer of another one (`control.exchanged`)."""
    chosen = exchanged([p.chosen for p in lessons.pairs], seed)
    return replace(
        lessons,
        examples=_exchanged(lessons.examples, seed),
        alone=_exchanged(lessons.alone, seed),
        pairs=tuple(
            Pair(**pair.model_dump(exclude={"id", "chosen"}), chosen=answer)
            for pair, answer in zip(lessons.pairs, chosen, strict=True)
        ),
    )


def _exchanged(examples: tuple[Example, ...], seed: int) -> tuple[Example, ...]:
    answers = exchanged([e.completion for e in examples], seed)
    return tuple(
        Example(**example.model_dump(exclude={"id", "completion"}), completion=answer)
        for example, answer in zip(examples, answers, strict=True)
    )
