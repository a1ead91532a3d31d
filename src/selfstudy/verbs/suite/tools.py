"""What suites judge with where no run has it: models of a recipe, and an index of its library for the moment.

Knows blocks of a recipe; nothing of suites.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

from selfstudy.prompts import Prompts
from selfstudy.recipe import ModelBlock, Recipe
from selfstudy.records import Document
from selfstudy.run.entailment import evaluated_by
from selfstudy.verbs.score import LazyModels

if TYPE_CHECKING:
    from selfstudy.library.retriever import Retriever
    from selfstudy.models.base import EntailmentModel, LanguageModel
    from selfstudy.models.server.servers import Servers
    from selfstudy.progress import Reporter
    from selfstudy.verbs.try_library import TriedLibrary


class RecipeTools:
    """Tools of a recipe, each made when it is asked for; fulfils `verify.suites.planning.ToolSource`.

    Args:
        stack: ends what has to be ended.
    """

    def __init__(self, recipe: Recipe, servers: Servers, report: Reporter, stack: ExitStack) -> None:
        self._recipe = recipe.model_copy(update={"nli": evaluated_by(recipe)})
        self._servers = servers
        self._report = report
        self._stack = stack

    def prompts(self) -> Prompts:
        """The recipe's."""
        return Prompts(self._recipe.prompts)

    def entailment(self) -> EntailmentModel:
        """That which evaluates."""
        return LazyModels(self._recipe, True, self._report.note, self._servers).nli

    def judging(self, block: ModelBlock) -> LanguageModel:
        """The judge."""
        from selfstudy.models import load_lm

        return load_lm(block, cache=self._recipe.cache, servers=self._servers)

    def retriever(self) -> Retriever | None:
        """What finds passages in all sources, its index in a temporary folder."""
        return None if self._recipe.library is None else self._library.retriever

    def documents(self) -> Sequence[Document]:
        """Of the library, but for those that a search finds by question; read once."""
        return () if self._recipe.library is None else self._library.contents.documents

    @cached_property
    def _library(self) -> TriedLibrary:
        from selfstudy.verbs.try_library import opened

        tried = self._stack.enter_context(opened(self._recipe, self._report))
        for note in tried.contents.notes:
            self._report.note(note)
        if tried.contents.skipped:
            self._report.note(f"library: {len(tried.contents.skipped)} files or parts were not used")
        self._stack.callback(self._say_searched, tried)
        return tried

    def _say_searched(self, tried: TriedLibrary) -> None:
        for line in tried.sources.searched():
            self._report.note(line)
