"""What stands around a passage in its document: from what a run kept of the documents, loading no model.

A fetched page stands in the run's records.  Of others the run has the index that it searched, whose passages
are the document but for white space between them.  Nothing outside the run directory is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfstudy.errors import SelfstudyError
from selfstudy.records import Document, Evidence
from selfstudy.run import Run

MOST = 20_000
"""Characters on each side that are given."""


@dataclass(frozen=True)
class Surroundings:
    """A passage in its document.

    Attributes:
        before, after: at most `MOST` characters of the document on either side of the passage.
        more_before, more_after: whether the document goes on there.
        missing: why there is nothing of the document; "" if there is.
    """

    before: str = ""
    after: str = ""
    more_before: bool = False
    more_after: bool = False
    missing: str = ""


def surroundings(run: Run, passage: Evidence) -> Surroundings:
    """The document around a passage; what is not the document that was read is not given."""
    for turn in run.rounds:
        for document in turn.where(Document, "id", {passage.document_id}):
            if document.text[passage.start : passage.end] == passage.text:
                return _cut(document.text[: passage.start], document.text[passage.end :])
    return _indexed(run, passage)


def _indexed(run: Run, passage: Evidence) -> Surroundings:
    """From the passages of the index, as far as it holds this one to the letter."""
    if not run.library_folder.is_dir() or run.library_folder.is_symlink():
        return Surroundings(missing="the run keeps no text of this document: the passage is all there is")
    try:
        from selfstudy.library.index import Library

        hits = Library.open(run.library_folder).passages_of(passage.document_id)
    except SelfstudyError as error:
        return Surroundings(missing=f"the run's documents cannot be read: {error.what}")
    if not any((hit.start, hit.end, hit.text) == (passage.start, passage.end, passage.text) for hit in hits):
        return Surroundings(missing="this document is not in the run's index any more, or was changed since")
    before = " ".join(hit.text for hit in hits if hit.end <= passage.start)
    after = " ".join(hit.text for hit in hits if hit.start >= passage.end)
    return _cut(before and before + " ", after and " " + after)


def _cut(before: str, after: str) -> Surroundings:
    return Surroundings(before[-MOST:], after[:MOST], len(before) > MOST, len(after) > MOST)
