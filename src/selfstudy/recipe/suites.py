"""The recipe's `verify.suites`: which suites of others' questions are asked before and after, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from selfstudy.recipe.base import Block, Positive


class SuiteBase(Block):
    """What every suite has."""

    margin: Annotated[float, Field(ge=0)] | None = None
    """Most that its main figure may get worse for promotion, in that figure's own unit; null: it is measured
    and reported, and decides nothing."""
    questions: Positive | None = None
    """Most items, a seeded sample beyond it; null: all."""


class TruthfulQABlock(SuiteBase):
    """TruthfulQA (Lin et al. 2022): multiple choice (mc1, mc2), the authors' binary form, and answers."""

    name: Literal["truthfulqa"] = "truthfulqa"
    data: str | None = None
    """A .csv of the authors' columns, rows with mc1_targets and mc2_targets, or a Hub id; null: a few
    questions of our own, which show that it works and measure little."""
    tasks: Annotated[tuple[Literal["mc1", "mc2", "binary", "generation"], ...], Field(min_length=1)] = (
        "mc1",
        "mc2",
        "binary",
        "generation",
    )
    """Which forms are asked. Source: methods-more F."""


class QABlock(SuiteBase):
    """Questions with short answers, perhaps about a page, in SQuAD's layout or as rows: exact match, F1."""

    name: Literal["qa"] = "qa"
    data: str | None = None
    """A file in SQuAD's layout or of rows, or a Hub id; null: questions of our own."""


class LikenessBlock(SuiteBase):
    """Answers against reference texts: BLEU, ROUGE-L, token F1."""

    name: Literal["likeness"] = "likeness"
    data: str | None = None
    """A file of rows, or a Hub id; null: rows of our own."""


class PerplexityBlock(SuiteBase):
    """How probable the model finds a text."""

    name: Literal["perplexity"] = "perplexity"
    data: str | None = None
    """A text, or a Hub id; null: a text of our own."""


class AtomicFactsBlock(SuiteBase):
    """Share of the single facts of longer answers that the library supports (methods-more E)."""

    name: Literal["atomic-facts"] = "atomic-facts"
    data: str | None = None
    """Rows of prompt (and perhaps topic, source); null: asks for what there is to tell about each topic of
    the library."""
    gamma: Annotated[int, Field(ge=0)] = 10
    """Facts from which on an answer is not too short (FActScore's penalty); 0: no penalty.
    Source: Min et al. 2023 (arXiv 2305.14251), methods-more E."""
    k: Positive | None = None
    """Facts that make a full answer (F1@K); null: the median of the first 64 answers before teaching."""


class PairwiseBlock(SuiteBase):
    """A judge says which answer is better, before's or after's, in both orders (methods-more G)."""

    name: Literal["pairwise"] = "pairwise"
    data: str | None = None
    """Rows of question and perhaps document."""


class LMEvalBlock(SuiteBase):
    """Tasks of lm-eval (the extra `eval`), asked through our own models."""

    name: Literal["lm-eval"] = "lm-eval"
    tasks: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of its tasks; groups are taken apart."""
    include_path: str | None = None
    """A folder with task files of your own."""
    allow_code: bool = False
    """Whether a task file may run code: `!function`, Python classes, data sets with scripts."""


SuiteBlock = Annotated[
    TruthfulQABlock
    | QABlock
    | LikenessBlock
    | PerplexityBlock
    | AtomicFactsBlock
    | PairwiseBlock
    | LMEvalBlock,
    Field(discriminator="name"),
]
"""A suite, told apart by `name`; verify/suites/table.py has a row for each."""
