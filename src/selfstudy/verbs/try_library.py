"""What a library gives, before hours are spent on it: documents, what is not used, passages for questions.

Opens it as a run does, but keeps its index in a temporary folder.  Knows nothing of models that generate.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from selfstudy.errors import RecipeError
from selfstudy.library.folder import Contents
from selfstudy.library.index import Hit
from selfstudy.library.open import OpenLibrary
from selfstudy.library.retriever import Retriever, unanswered
from selfstudy.models import load_embedder
from selfstudy.progress import Reporter
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import load_recipe, make_recipe, read_yaml
from selfstudy.records import Record, Skipped
from selfstudy.text import shortened

_SLOW = 10
"""Seconds of indexing from which keeping the index is worth a word."""
_LONGEST_KIND = 60


@dataclass
class TriedLibrary:
    """A library that was opened.

    Attributes:
        skipped: pages that a search found and that were not used, each once.
    """

    sources: OpenLibrary
    retriever: Retriever
    skipped: dict[str, Skipped] = field(default_factory=dict)

    @property
    def contents(self) -> Contents:
        return self.sources.contents

    def keep(self, records: Sequence[Record]) -> None:
        """Takes what was seen when a question was asked."""
        self.skipped.update((one.id, one) for one in records if isinstance(one, Skipped))

    def ask(self, question: str, hits: int) -> list[Hit] | str:
        """The passages for a question, best first, or why it could not be looked up."""
        found = self.retriever.find([question], hits)[0]
        (why,) = unanswered(self.retriever, [question])
        return found if why is None else why


@contextmanager
def opened(
    recipe: Recipe, report: Reporter, index: Path | None = None, *, keeps_index: bool = False
) -> Iterator[TriedLibrary]:
    """The library of a recipe.

    Args:
        index: the folder that keeps the index; None: a temporary one.
        keeps_index: whether the command has an option for such a folder, which is told where it would help.

    Raises:
        RecipeError: it names no library.
        DataError: nothing there can be used.
    """
    if recipe.library is None:
        raise RecipeError(
            "the recipe names no library", "set library to a folder, or to sources of other types"
        )
    sources = OpenLibrary(recipe.library, None, recipe.gather.follow_links, report)
    with tempfile.TemporaryDirectory(prefix="selfstudy-", ignore_cleanup_errors=True) as temporary:
        try:
            _ = sources.contents  # what is fetched takes its time, which is not the index's
            start = time.monotonic()
            seen: list[TriedLibrary] = []
            retriever = sources.retriever(
                index or Path(temporary) / "index",
                chunk_tokens=recipe.gather.chunk_tokens,
                embedder=load_embedder(recipe.embedder) if recipe.gather.hybrid else None,
                keep=lambda records: seen[0].keep(records),
            )
            if index is None and keeps_index and time.monotonic() - start > _SLOW:
                report.note("indexing the library took a while: --index DIR keeps it for the next time")
            seen.append(TriedLibrary(sources, retriever))
            yield seen[0]
        finally:
            sources.close()


def recipe_of(place: str, changes: Sequence[str]) -> Recipe:
    """The recipe in a YAML file; or one with nothing but a library: a folder, a file, atlas, an address."""
    path = Path(place)
    if path.suffix.lower() in (".yaml", ".yml"):
        if "library" not in read_yaml(path):
            raise RecipeError(f"the recipe {path} names no library", "set library, or give a folder")
        return load_recipe(path, changes)
    return make_recipe({"library": place}, changes)


def by_kind(skipped: Sequence[Skipped]) -> list[tuple[str, int, Skipped]]:
    """(kind of reason, how many, the first) of what was not used, the commonest first."""
    kinds = [shortened(one.reason.partition(":")[0], _LONGEST_KIND) for one in skipped]
    first: dict[str, Skipped] = {}
    for kind, one in zip(kinds, skipped, strict=True):
        first.setdefault(kind, one)
    return [(kind, count, first[kind]) for kind, count in Counter(kinds).most_common()]
