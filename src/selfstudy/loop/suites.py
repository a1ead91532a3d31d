"""The suites of a run's recipe: made before hours of work, asked at its end by verify, or later by a person.

Knows which models of a run judge; nothing of what a suite asks.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from selfstudy.library.retriever import Retriever
    from selfstudy.loop.resources import Resources
    from selfstudy.models.base import EntailmentModel, LanguageModel
    from selfstudy.prompts import Prompts
    from selfstudy.recipe import ModelBlock
    from selfstudy.records import Document
    from selfstudy.verify.suites.asking import SuitePlan


def suite_plan(resources: Resources) -> SuitePlan:
    """The suites that the recipe asks for, their data read; no model is loaded before the first is asked.

    Raises:
        SelfstudyError: a suite lacks its data, or something that the recipe does not have.
    """
    from selfstudy.verify.suites.asking import SuitePlan
    from selfstudy.verify.suites.planning import planned, tools

    recipe = resources.recipe
    blocks = recipe.verify.suites
    return SuitePlan(
        [planned(block, recipe, lambda: resources.documents) for block in blocks],
        cache(lambda: tools(blocks, recipe, RunTools(resources))),
    )


class RunTools:
    """What a run has; fulfils `verify.suites.planning.ToolSource`."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def prompts(self) -> Prompts:
        """The recipe's."""
        return self._resources.prompts

    def entailment(self) -> EntailmentModel:
        """That which evaluates."""
        return self._resources.evaluator

    def judging(self, block: ModelBlock) -> LanguageModel:
        """The judge; where it is the model that is taught, loaded once more, as it was."""
        models = self._resources.language_models
        return models.apart(block) if block == self._resources.recipe.model else models.get(block)

    def retriever(self) -> Retriever | None:
        """What finds passages for the run."""
        return self._resources.library()

    def documents(self) -> Sequence[Document]:
        """Of the run's library."""
        return self._resources.documents
