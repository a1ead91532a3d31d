"""The recipe's block `verify`: what is asked again, and what promotion asks for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from selfstudy.recipe.base import Block, Fraction, Positive
from selfstudy.recipe.entailment import EntailmentBlock
from selfstudy.recipe.suites import SuiteBlock


class CitedQuestionsBlock(Block):
    """Questions that are asked with numbered documents, where a phase of teach trains to cite."""

    documents: Positive = 5
    """Of a question: its evidence, and others that are near. Source: methods 5."""
    max_new_tokens: Positive = 200
    """Longest cited answer. Source: methods 5."""


class VerifyBlock(Block):
    """Did it learn, did it forget?"""

    nli: EntailmentBlock | None = None
    """What says whether texts agree where answers are verified; null: the recipe's `nli`. Another one than
    rewarded citations shows how far these please the one that rewarded alone."""
    citing: CitedQuestionsBlock = CitedQuestionsBlock()
    """How cited answers are asked for."""
    max_questions: Positive = 2000
    """Most questions of each target (gap, known, general, reading); a seeded sample beyond it."""
    samples: Annotated[int, Field(ge=0, le=100)] = 10
    """Of gaps as first asked, for the hallucination score; left out: none where the probe draws none.
    Source: methods, terms."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Of the intervals of figures. Source: methods-more J."""
    resamples: Positive = 10_000
    """Of the bootstrap behind the intervals. Source: methods-more J."""
    margin: Fraction = 0.02
    """Most that correctness on what is held out and on reading may fall for promotion: against the model that
    stands, and in later rounds, over all of them, against the model before round 1."""
    known_questions: str | None = None
    """A .jsonl of {question, answer}: facts that the model may know. Some are held out and test what it
    forgets, right or wrong before; of the others those that it answers right are replayed. Null: where the
    run's own known questions are too few, a built-in set of everyday facts (verify/general.jsonl)."""
    orders: Positive = 3
    """In how many orders of the prompt's demonstrations each general question is asked: a small model's
    answer hangs on it. At most as many as there are demonstrations; one, if the model is shown none.
    Source: measured: docs/decisions/0012-the-gate.md."""
    repeats: Annotated[int, Field(ge=0, le=20)] = 2
    """How often some questions are asked of the unchanged model again, in another order and batch size: what
    it differs by from itself is noise, and the margin is never below it.  0: not measured.
    Source: docs/decisions/0012-the-gate.md."""
    strengths: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(max_length=20)] = (
        0.75,
        0.5,
        0.25,
    )
    """Smaller strengths of an adapter that learned but forgot: one of them is chosen without a question that
    is tested, and asked everything once, before the adapter is refused.  Empty: it is refused at once."""
    control: bool = False
    """Also train and check an adapter on random pairs; promotion then has to beat it."""
    suites: tuple[SuiteBlock, ...] = ()
    """Suites of others' questions, asked before and after; those with a `margin` decide too."""

    @field_validator("suites")
    @classmethod
    def _each_suite_once(cls, value: tuple[SuiteBlock, ...]) -> tuple[SuiteBlock, ...]:
        if len({one.name for one in value}) < len(value):
            raise PydanticCustomError("suites", "name each suite once")
        return value

    @field_validator("strengths")
    @classmethod
    def _each_once(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(value)) < len(value):
            raise PydanticCustomError("strengths", "name each strength once")
        return value
