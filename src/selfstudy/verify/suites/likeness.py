"""Answers against reference texts: BLEU, ROUGE-L and F1 of words.

All three count words in common, and know nothing of what is true: an answer that is right in other words
loses, one that differs in the number that matters hardly does.  The unit is the item, so that before and
after can be paired; BLEU of all items together, which others report, is no mean of these and stands in the
notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from selfstudy.errors import MissingExtraError
from selfstudy.files.rows import MalformedError
from selfstudy.judging import bleu
from selfstudy.judging.rouge import rouge_l
from selfstudy.models.base import LanguageModel, Progress, Sampling, chat
from selfstudy.recipe.suites import LikenessBlock
from selfstudy.records import SuiteItem, digest
from selfstudy.text import token_f1
from selfstudy.verify.suites import given
from selfstudy.verify.suites.base import Measure, SuiteTools, failure

HINT = "give rows like {prompt, references: [...]}; `question` and `reference`, `answer` or `answers` will do"
BLOCK = 256
_ANSWERS = Sampling(temperature=0.0, max_new_tokens=256)
_REFERENCES = ("references", "reference", "answers", "answer", "expected")


@dataclass(frozen=True, slots=True)
class ReferencedPrompt:
    """A prompt, and texts that are good answers."""

    prompt: str
    references: tuple[str, ...]

    @property
    def item(self) -> str:
        """Tells it from all others."""
        return digest(self.prompt, *self.references)


class LikenessSuite:
    """Prompts with reference texts; fulfils `Suite`."""

    name = "likeness"

    def __init__(self, prompts: Sequence[ReferencedPrompt], notes: Sequence[str]) -> None:
        self._prompts = list(prompts)
        self._given = tuple(notes)
        self._corpus: dict[str, str] = {}

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (
            Measure("rouge_l", "rouge_l", main=True, explanation="ROUGE-Lsum F1 with the nearest reference"),
            Measure(
                "bleu",
                "bleu",
                explanation="mean of sentence BLEU with effective order (sacrebleu), in [0, 1]",
            ),
            Measure("token_f1", "token_f1", explanation="words in common with the nearest reference"),
            Measure("words", "words", better="neither", explanation="words of an answer: longer ones lose"),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """With BLEU of all items together for each model that was asked about all at once."""
        return (*self._given, *self._corpus.values())

    def __len__(self) -> int:
        return len(self._prompts)

    def run(
        self,
        lm: LanguageModel,
        tools: SuiteTools,
        arm: Literal["base", "taught"],
        before: Sequence[SuiteItem] = (),
        done: frozenset[str] = frozenset(),
        progress: Progress | None = None,
    ) -> Iterator[list[SuiteItem]]:
        """See `Suite.run`; the prompts are asked as they stand."""
        made: list[SuiteItem] = []
        for block in given.open_blocks(self._prompts, BLOCK, lambda one: one.item, done):
            said = lm.generate([chat(one.prompt) for one in block], _ANSWERS)
            items = []
            for one, (completion,) in zip(block, said, strict=True):
                error = failure(completion)
                items.append(
                    SuiteItem(
                        suite=self.name,
                        arm=arm,
                        item=one.item,
                        asked=one.prompt,
                        answer=completion.text,
                        parts={} if error else parts(completion.text, one.references),
                        error=error,
                    )
                )
            made += items
            yield items
            if progress is not None:
                progress(len(block))
        if not done and (value := self.corpus_bleu(made)) is not None:
            self._corpus[arm] = f"BLEU of all items together, {arm}: {value:.3f} (sacrebleu, tokenize 13a)"

    def corpus_bleu(self, items: Sequence[SuiteItem]) -> float | None:
        """BLEU of all items of one model together, in [0, 1]; None where none of them has an answer.

        Items of another suite or of other data do not count.
        """
        references: Mapping[str, tuple[str, ...]] = {one.item: one.references for one in self._prompts}
        good = [one for one in items if one.error is None and one.item in references]
        if not good:
            return None
        return bleu.corpus_bleu([one.answer for one in good], [references[one.item] for one in good])


def likeness(block: LikenessBlock, seed: int) -> LikenessSuite:
    """The suite of a recipe's block, with its data read.

    Raises:
        DataError: they cannot be used; the message names the row.
        MissingExtraError: sacrebleu is not installed.
    """
    if not bleu.is_here():
        raise MissingExtraError("sacrebleu", "eval", "the suite likeness")
    asked, notes = given.drawn(
        "likeness", block.data, parse, HINT, lambda one: one.item, block.questions, seed
    )
    return LikenessSuite(asked, notes)


def parts(answer: str, references: Sequence[str]) -> dict[str, float]:
    """What is measured of an answer: with the best reference, BLEU with all at once; in [0, 1] but words."""
    return {
        "rouge_l": rouge_l(answer, references),
        "bleu": bleu.bleu(answer, references),
        "token_f1": max(token_f1(answer, one) for one in references),
        "words": float(len(answer.split())),
    }


def parse(row: dict[str, Any]) -> list[ReferencedPrompt]:
    """The item of one row.

    Raises:
        MalformedError: it has no prompt or no reference.
    """
    prompt = given.field(row, "prompt", "question", "instruction", "input")
    references = next((some for name in _REFERENCES if (some := given.texts(row, name))), ())
    if not references:
        raise MalformedError("it has no reference")
    return [ReferencedPrompt(prompt, references)]
