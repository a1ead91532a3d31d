"""Which suites a recipe asks for, and what each judges with: refused before a model is loaded, if it lacks.

Knows recipes and the table; nothing of runs, nor where a model or a library comes from (`ToolSource`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from selfstudy.errors import RecipeError
from selfstudy.judging.by_sentence import for_citations
from selfstudy.judging.judge import PromptedJudge
from selfstudy.judging.judge_trust import FEWEST
from selfstudy.library.retriever import Retriever
from selfstudy.models.base import EntailmentModel, LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import ModelBlock, NoNLI, Recipe, RemoteModel, name_of, weights_of
from selfstudy.recipe.entailment import entailment_name
from selfstudy.recipe.suites import SuiteBase
from selfstudy.records import Document
from selfstudy.run.entailment import evaluated_by
from selfstudy.run.models import own_block
from selfstudy.verify.suites import given
from selfstudy.verify.suites.asking import PlannedSuite
from selfstudy.verify.suites.base import Suite, SuiteTools
from selfstudy.verify.suites.pairwise import Pairwise
from selfstudy.verify.suites.table import SUITES, Need, make_suite, name_of_block, settings_of


class ToolSource(Protocol):
    """Where tools come from; each is loaded when it is asked for."""

    def prompts(self) -> Prompts: ...

    def entailment(self) -> EntailmentModel: ...

    def judging(self, block: ModelBlock) -> LanguageModel:
        """A model that nobody lets go of, or teaches, meanwhile."""

    def retriever(self) -> Retriever | None: ...

    def documents(self) -> Sequence[Document]:
        """Of the library."""


def planned(
    block: SuiteBase, recipe: Recipe, documents: Callable[[], Sequence[Document]] = tuple
) -> PlannedSuite:
    """One suite as it is to be asked; its data is read.

    Args:
        documents: of the library, for suites that ask about them; read when one does.

    Raises:
        SelfstudyError: it lacks its data, or something that the recipe does not have.
    """
    name = name_of_block(block)
    row = SUITES[name]
    for need in row.needs:
        if not _has(recipe, need):
            what, hint = _LACKING[need]
            raise RecipeError(f"the suite {name} needs {what}, and there is none", hint)
    used = [need for need in uses(block) if _has(recipe, need)]
    settings = settings_of(block) | {need: _named(recipe, need) for need in used if need in _LACKING}
    if told := given.sha256(getattr(block, "data", None)):
        settings["data_sha256"] = told  # the same file with other questions is asked anew
    suite = make_suite(block, recipe.seed, documents)
    _require_deciding(suite, block.margin)
    return PlannedSuite(suite, settings, block.margin, lambda items: row.findings(items, recipe.seed))


def _require_deciding(suite: Suite, margin: float | None) -> None:
    """Refuses a margin of judged pairs where no judge can be shown to be fit: the gate could never open."""
    if margin is not None and isinstance(suite, Pairwise) and suite.keyed < FEWEST:
        raise RecipeError(
            f"the suite {suite.name} has a margin, and {suite.keyed} of its {len(suite)} questions have gold "
            f"answers: with fewer than {FEWEST} no judge is shown to be better than length, so nothing would "
            "be promoted",
            "give more rows with gold `answers` (and ask as many questions), or leave `margin` out",
        )


def uses(block: SuiteBase) -> tuple[Need, ...]:
    """What a suite needs, and what it takes if it is there."""
    row = SUITES[name_of_block(block)]
    return (*row.needs, *row.may_use)


def tools(blocks: Sequence[SuiteBase], recipe: Recipe, source: ToolSource) -> SuiteTools:
    """What suites judge with: only what some suite wants is loaded."""
    wanted = {need for block in blocks for need in uses(block) if _has(recipe, need)}
    block = own_block(recipe, "judge") if "judge" in wanted else None
    prompts = source.prompts()
    return SuiteTools(
        prompts,
        nli=for_citations(evaluated_by(recipe), source.entailment()) if "nli" in wanted else None,
        judge=None if block is None else PromptedJudge(source.judging(block), prompts),
        retriever=source.retriever() if "library" in wanted else None,
        judged_by_itself=block is not None and same_weights(block, recipe.model),
        seed=recipe.seed,
    )


def same_weights(one: ModelBlock, other: ModelBlock) -> bool:
    """Whether two blocks are the same model, however it is asked (here, by an engine, by URL)."""
    if isinstance(one, RemoteModel) and isinstance(other, RemoteModel):
        return (one.base_url, one.model, one.revision) == (other.base_url, other.model, other.revision)
    weights, others = weights_of(one), weights_of(other)
    if weights is not None and others is not None:
        return (weights.path, weights.revision) == (others.path, others.revision)
    return one == other


_LACKING = {
    "judge": ("a judge", "give --judge MODEL, or judge (or teacher) in the recipe"),
    "library": ("a library to check facts against", "give --library DIR, or library in the recipe"),
    "nli": ("an entailment model", "give --nli MODEL, or nli in the recipe"),
}
"""What a recipe may lack: what it is called, and what to do about it."""


def _has(recipe: Recipe, need: Need) -> bool:
    if need == "judge":
        return own_block(recipe, "judge") is not None
    if need == "library":
        return recipe.library is not None
    if need == "nli":
        return not isinstance(evaluated_by(recipe), NoNLI)
    return True


def _named(recipe: Recipe, need: Need) -> str:
    if need == "judge":
        block = own_block(recipe, "judge")
        return "" if block is None else str(name_of(block))
    return entailment_name(evaluated_by(recipe)) if need == "nli" else str(recipe.library)
