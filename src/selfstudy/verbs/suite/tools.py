"""What suites judge with where no run has it: models of a recipe, and an index of its library for the moment.

Knows blocks of a recipe; nothing of suites.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

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
        """An index over the library's documents."""
        from selfstudy.library.index import Library
        from selfstudy.models import load_embedder

        if self._recipe.library is None:
            return None
        block = self._recipe.gather
        folder = tempfile.TemporaryDirectory(prefix="selfstudy-", ignore_cleanup_errors=True)
        place = Path(self._stack.enter_context(folder)) / "index"
        embedder = load_embedder(self._recipe.embedder) if block.hybrid else None
        index = Library.build(self._documents, place, chunk_tokens=block.chunk_tokens, embedder=embedder)
        return cast("Retriever", index)

    def documents(self) -> Sequence[Document]:
        """Of the library, read once."""
        return self._documents

    @cached_property
    def _documents(self) -> Sequence[Document]:
        from selfstudy.library.open import open_library

        found = open_library(self._recipe.library, follow_links=self._recipe.gather.follow_links)
        for note in found.notes:
            self._report.note(note)
        if found.skipped:
            self._report.note(f"library: {len(found.skipped)} files or parts were not used")
        return found.documents
