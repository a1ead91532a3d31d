"""The table of suites: which block of `verify.suites` is which suite, what it needs, and what it measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from selfstudy.recipe.suites import (
    AtomicFactsBlock,
    LikenessBlock,
    LMEvalBlock,
    PairwiseBlock,
    PerplexityBlock,
    QABlock,
    SuiteBase,
    TruthfulQABlock,
)
from selfstudy.records import Document, SuiteItem
from selfstudy.verify.suites import (
    atomic_facts,
    likeness,
    pairwise,
    pairwise_findings,
    perplexity,
    qa,
    truthfulqa,
)
from selfstudy.verify.suites.base import Suite

Need = Literal["judge", "library", "nli", "log-probabilities", "lm-eval"]
"""What a suite may want beside the model that is asked; each in the word that a person is told."""
Documents = Callable[[], Sequence[Document]]
"""Reads the library's documents, for suites that ask about them."""


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """One row.

    Attributes:
        make: the suite of a block, with the recipe's seed; reads and checks its data.
        needs: without which it cannot be asked; may_use: what it can do without, but then measures less.
        measures: its figures, for people; the main one first.
        findings: what no figure of single items says, of the items of one arm.
    """

    block: type[SuiteBase]
    make: Callable[[Any, int, Documents], Suite]
    says: str
    measures: str
    needs: tuple[Need, ...] = ()
    may_use: tuple[Need, ...] = ()
    findings: Callable[[Sequence[SuiteItem], int], Sequence[str]] = lambda items, seed: ()


def _atomic_facts(block: AtomicFactsBlock, seed: int, documents: Documents) -> Suite:
    return atomic_facts.atomic_facts(block, seed, documents() if block.data is None else ())


def _lm_eval(block: LMEvalBlock, seed: int, documents: Documents) -> Suite:
    from selfstudy.verify.suites.lm_eval_tasks import lm_eval_suite

    return lm_eval_suite(block, seed)


def _pairwise_findings(items: Sequence[SuiteItem], seed: int) -> Sequence[str]:
    found = pairwise_findings.findings(items, seed)
    return () if found is None else found.in_words


SUITES: Mapping[str, SuiteRow] = {
    "truthfulqa": SuiteRow(
        TruthfulQABlock,
        lambda block, seed, documents: truthfulqa.truthfulqa(block, seed),
        "TruthfulQA: are answers true, and do they say something? multiple choice, both orders, generation",
        "true_informative, binary, mc2, mc1; truthful and informative; BLEU and ROUGE-L by references",
        may_use=("judge", "nli", "log-probabilities"),
    ),
    "qa": SuiteRow(
        QABlock,
        lambda block, seed, documents: qa.qa(block, seed),
        "questions with short answers, perhaps about a page: SQuAD's layout, or rows",
        "f1, exact_match, stated; refusing what the page does not answer",
    ),
    "likeness": SuiteRow(
        LikenessBlock,
        lambda block, seed, documents: likeness.likeness(block, seed),
        "answers against reference texts",
        "rouge_l, bleu, token_f1, words",
    ),
    "perplexity": SuiteRow(
        PerplexityBlock,
        lambda block, seed, documents: perplexity.perplexity(block, seed),
        "how probable the model finds a text",
        "perplexity by token, bits per byte and per character",
        needs=("log-probabilities",),
    ),
    "atomic-facts": SuiteRow(
        AtomicFactsBlock,
        _atomic_facts,
        "longer answers, fact by fact against the library",
        "f1@k, score, factscore, precision, responded, contradicted",
        needs=("library", "nli"),
        may_use=("judge",),
    ),
    "pairwise": SuiteRow(
        PairwiseBlock,
        lambda block, seed, documents: pairwise.pairwise(block, seed),
        "a judge says which answer is better, before's or after's, in both orders",
        "win rate with and without the document, ties, flips, position bias",
        needs=("judge",),
        may_use=("nli",),
        findings=_pairwise_findings,
    ),
    "lm-eval": SuiteRow(
        LMEvalBlock,
        _lm_eval,
        "tasks of lm-eval, by our own models: lm-eval:TASK",
        "what each task measures of single items",
        needs=("lm-eval",),
        may_use=("log-probabilities",),
    ),
}


def make_suite(block: SuiteBase, seed: int, documents: Documents = tuple) -> Suite:
    """The suite of a block of a recipe; its data is read and checked, and no model is needed.

    Raises:
        SelfstudyError: the data is missing, empty or wrong; or what the suite is made with is not installed.
    """
    return SUITES[name_of_block(block)].make(block, seed, documents)


def name_of_block(block: SuiteBase) -> str:
    """The name of a suite's block, as recipes have it."""
    return str(getattr(block, "name", ""))


def settings_of(block: SuiteBase) -> dict[str, Any]:
    """What tells a suite from the same one asked otherwise: all of its block but the name and the margin."""
    return block.model_dump(mode="json", exclude={"name", "margin"})
