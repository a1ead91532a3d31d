"""Where exercises come from: a file of rows, a run, or documents that are still to become some.

Knows which reads what, and nothing of how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfstudy.progress import Reporter
from selfstudy.records import Document, Skipped
from selfstudy.verbs.socratic.exercises import Exercises, read_exercises

SourceKind = Literal["file", "run", "documents"]


@dataclass(frozen=True, slots=True)
class DocumentsToAsk:
    """Documents that a teacher is to ask about, and what of the folder is none."""

    documents: Sequence[Document]
    skipped: Sequence[Skipped]

    @property
    def unread(self) -> tuple[str, ...]:
        """What is none, each with the reason."""
        return tuple(f"{one.source}: {one.reason}" for one in self.skipped)


@dataclass(frozen=True, slots=True)
class ExerciseSource:
    """One source; `columns` are those of a file (`exercises.NAMES`)."""

    kind: SourceKind
    path: Path
    columns: Mapping[str, str]

    @property
    def name(self) -> str:
        """What the folder of its outputs is called."""
        if self.kind == "file" or self.path.is_file():
            return self.path.stem
        return self.path.resolve().name or "exercises"

    def read(self, most: int | None, report: Reporter) -> Exercises | DocumentsToAsk:
        """What it holds, without any model.

        Args:
            most: usable exercises that are read; documents are read whole.
            report: is told what was repaired.

        Raises:
            DataError: nothing there can be used.
            RunError: no run is there, or one without references.
        """
        if self.kind == "file":
            return read_exercises(self.path, self.columns, most)
        if self.kind == "run":
            from selfstudy.verbs.socratic.from_run import read_run

            return read_run(self.path, most)
        from selfstudy.library.open import open_library
        from selfstudy.recipe import folder_library

        # a folder ./atlas is the user's: only where none is there the word means the embedded world
        folder = self.path.resolve() if self.path.is_dir() else self.path
        found = open_library(folder_library(folder))
        for note in found.notes:
            report.note(note)
        return DocumentsToAsk(found.documents, found.skipped)
