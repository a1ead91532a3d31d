"""Passages for questions that are looked up elsewhere, one by one: on the web, in an encyclopedia.

    looked up    by every source, which gives documents, or says why there are none
    ranked       by the index code, over the question's own documents alone: what is found does not depend on
                 which questions are asked together

It knows nothing of services and of how pages are fetched; those are the sources'.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from selfstudy import text
from selfstudy.errors import DataError
from selfstudy.library.excluded import Excluded
from selfstudy.library.index import Hit, Library
from selfstudy.library.services.page_tally import PageTally
from selfstudy.models.base import Embedder
from selfstudy.models.first_items import FirstItems
from selfstudy.records import Document, Record, Skipped, digest

Keep = Callable[[Sequence[Record]], None]
"""Takes the records of what was seen: documents, and pages that were not used."""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What a source has for a question.

    Attributes:
        skipped: pages that were found and could not be used.
        error: why nothing could be looked up; a search that finds nothing is none.
    """

    documents: Sequence[Document] = ()
    skipped: Sequence[Skipped] = ()
    error: str | None = None


class LooksUp(Protocol):
    """A source that is asked each question."""

    tally: PageTally

    def look_up(self, questions: Sequence[str]) -> list[LookedUp]:
        """What it has for each question, in order; a question's result does not depend on the others."""


@dataclass
class Searching:
    """A `Retriever` over sources that are asked each question.

    Args:
        chunk_tokens: longest passage; see `Library.build`.
        embedder: adds vectors to the ranking, as there.
        keep: is given every document before a passage of it is found, so that spans can be checked later.
        without: sources of which nothing is given, nor kept.
    """

    sources: Sequence[LooksUp]
    chunk_tokens: int
    embedder: Embedder | None
    keep: Keep
    without: Excluded = field(default_factory=lambda: Excluded(()))
    _first: FirstItems = field(default_factory=FirstItems, init=False)
    _errors: dict[str, str] = field(default_factory=dict, init=False)

    def find(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        """Up to `hits` passages per question, best first; none where `unanswered` says why.

        Raises:
            DataError: of the first questions none could be looked up, all for the same reason.
        """
        asked = [one for one in dict.fromkeys(questions) if one.strip()]
        by_source = [source.look_up(asked) for source in self.sources]
        found = {
            question: _together([one[place] for one in by_source], self.without)
            for place, question in enumerate(asked)
        }
        self._saw(found)
        self.keep([record for one in found.values() for record in (*one.documents, *one.skipped)])
        passages = {one: self._ranked(one, looked.documents, hits) for one, looked in found.items()}
        return [passages.get(question, []) for question in questions]

    def unanswered(self, questions: Sequence[str]) -> list[str | None]:
        """Why each question could not be looked up when it was last tried; None where it could."""
        return [self._errors.get(question) for question in questions]

    def told(self) -> list[str]:
        """What was fetched since this was last asked, and which questions could not be looked up."""
        lines = [source.tally.told() for source in self.sources]
        failed = [f"{count:,} times: {why}" for why, count in Counter(self._errors.values()).most_common(3)]
        if self._errors:
            count = len(self._errors)
            lines.append(
                f"library: {count:,} question{'' if count == 1 else 's'} could not be looked up; most often"
            )
            lines += [f"  {one}" for one in failed]
            self._errors.clear()
        return [line for line in lines if line]

    def _saw(self, found: dict[str, LookedUp]) -> None:
        """Notes what failed, and stops when it is clear that nothing comes of it."""
        for question, looked in found.items():
            self._errors.pop(question, None)
            if looked.error is not None:
                self._errors[question] = looked.error
        self._first.saw(looked.error for looked in found.values())
        if self._first.hopeless:
            raise nothing_found(self._first)

    def _ranked(self, question: str, documents: Sequence[Document], hits: int) -> list[Hit]:
        """The passages of a question's own documents, best first."""
        if not documents:
            return []
        with tempfile.TemporaryDirectory(prefix="selfstudy-", ignore_cleanup_errors=True) as folder:
            library = Library.build(
                documents,
                Path(folder) / "index",
                chunk_tokens=self.chunk_tokens,
                embedder=self.embedder,
            )
            return library.find([question], hits)[0]


def nothing_found(first: FirstItems) -> DataError:
    """What a person is told when none of the first questions could be looked up."""
    return DataError(
        f"library: none of the first {first.failed} questions could be looked up, all for the same reason: "
        f"{first.commonest}",
        "fix the cause, then give the same command again: none of these questions counts as done",
    )


def _together(looked: Sequence[LookedUp], without: Excluded) -> LookedUp:
    """What all sources have for one question; an error counts where no source has anything.

    Of documents with the same text the first one counts: a page may lie at two addresses.
    """
    documents: dict[str, Document] = {}
    for one in looked:
        for document in (found for found in one.documents if found.source not in without):
            documents.setdefault(digest(text.folded(document.text)), document)
    errors = [one.error for one in looked if one.error is not None]
    answered = len(errors) < len(looked)
    return LookedUp(
        tuple(documents.values()),
        tuple(skipped for one in looked for skipped in one.skipped),
        "; ".join(errors) if errors and not documents and not answered else None,
    )
