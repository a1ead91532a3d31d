"""Takes what rests on forgotten sources out of the records and files of a run, and looks whether any is left.

What the sentences are known from (documents, evidence, fetched pages) goes last: after a kill the rest can
still be told by it.  Every file is replaced in one step.  Knows nothing of adapters.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from selfstudy.errors import RunError
from selfstudy.files import jsonl, own, private
from selfstudy.library.index_bucket import IndexBucket
from selfstudy.library.web import kept_pages
from selfstudy.models import lora
from selfstudy.records import (
    Answer,
    Conflict,
    Correction,
    Document,
    Evidence,
    Failure,
    NotEvidence,
    Proposal,
    Question,
    Record,
    Reference,
    Score,
    Skipped,
    TrainedItem,
    Verdict,
)
from selfstudy.run import Round, Run, changes, corrections, resume
from selfstudy.run.directory import is_ours
from selfstudy.verbs.unlearning.resting import Resting, Sources

R = TypeVar("R", bound=Record)

FORGOTTEN = "forgotten"
"""Stands where a text was, or why an item has none."""
_ORIGINS: tuple[type[Record], ...] = (Document, Evidence, NotEvidence, Skipped)
_OF_A_QUESTION: tuple[type[Record], ...] = (Question, Answer, Score, Reference, Conflict, Verdict)
"""Records without which the others of a question make no sense: one that quotes takes the question along."""
_LARGEST = 2**31
"""Bytes of a file that is looked into."""


@dataclass
class Cleaned:
    """What went, and what could not.

    Attributes:
        records: by their file, how many.
        quoting: of these, those of questions that stay, which quoted the source all the same.
        left: files of the folder that are none of the run's, and quote it.
    """

    records: Counter[str] = field(default_factory=Counter)
    quoting: int = 0
    left: list[Path] = field(default_factory=list)


def kinds() -> Iterator[type[Record]]:
    """All types of record that have a file."""
    waiting = list(Record.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.file:
            yield kind


class Cleaning:
    """Of one run, open for writing."""

    def __init__(self, run: Run, sources: Sources, found: Resting) -> None:
        self._run = run
        self._sources = sources
        self._found = found
        self._gone: set[str] = set()
        """Ids of records that were removed, which others may name."""
        self.cleaned = Cleaned()

    def clean(self) -> Cleaned:
        """Cleans everything; what is clean already stays as it is.

        Raises:
            RunError: a file cannot be read or written, or a folder is not ours.
        """
        self._derived_files()
        self.add_quoting_questions()
        rest = [kind for kind in kinds() if kind not in _ORIGINS]
        rest.sort(key=lambda kind: (kind in (TrainedItem, Failure), kind.file))
        for kinds_ in (rest, list(_ORIGINS)):
            for round_ in self._run.rounds:
                for kind in kinds_:
                    self._records(round_, kind)
            if kinds_ is rest:
                self._plain_files()
        self._fetched()
        for round_ in self._run.rounds:
            resume.mark_again(round_.path, self._run.path)  # markers count bytes
        self.cleaned.left = self.still_quoting()
        return self.cleaned

    def _derived_files(self) -> None:
        """What is made again, or was left by a kill."""
        run = self._run
        with jsonl.writing(run.path, run.path):
            for file in (run.summary_file, run.report_file):
                file.unlink(missing_ok=True)
            for cache in run.nli_cache.parent.glob(f"{run.nli_cache.name}*"):  # also one set aside as damaged
                cache.unlink()
            if run.library_folder.exists():
                own.remove(run.library_folder)
            own.remove(run.shards_folder)  # what of it is not joined yet is answered again
            for log in run.slurm_folder.glob("*.log"):
                log.unlink()
        library = run.recipe.library
        if library is not None and library.index is not None:
            IndexBucket(library.index).forget(self._sources)

    def add_quoting_questions(self) -> None:
        """Questions that stay but for an answer which says, by itself, what a forgotten source says."""
        for round_ in self._run.rounds:
            for kind in _OF_A_QUESTION:
                for record in round_.iter(kind):
                    name = record.id if isinstance(record, Question) else getattr(record, "question_id", "")
                    if name not in self._found.questions and self._quotes(record):
                        self._found.questions.add(name)
                        self.cleaned.quoting += 1

    def _records(self, round_: Round, kind: type[R]) -> None:
        kept: list[R] = []
        changed = 0
        for record in round_.iter(kind):
            after = self._after(record)
            if after is None:
                self._gone.add(record.id)
            else:
                kept.append(after)
            changed += after is not record
        if changed:
            round_.rewrite(kind, kept)
            self.cleaned.records[kind.file] += changed

    def _after(self, record: R) -> R | None:
        """What becomes of a record; None: it goes."""
        found = self._found
        if isinstance(record, Proposal):
            if record.question_id not in found.questions and not self._quotes(record):
                return record
            # its place stays taken, or a probe that goes on would fill it again
            return record.model_copy(
                update={"text": "", "question_id": None, "error": FORGOTTEN, "dropped": {}}
            )
        if isinstance(record, Document | Evidence | NotEvidence | Skipped) and record.source in self._sources:
            return None
        if isinstance(record, Question) and record.document_id in found.documents:
            return None
        name = record.id if isinstance(record, Question) else getattr(record, "question_id", None)
        if name is not None and name in found.questions:
            return None
        if isinstance(record, Reference) and record.evidence_id in found.evidence:
            return None
        if isinstance(record, TrainedItem | Failure):
            named = {record.item_id}
            if named & (found.questions | found.evidence | found.documents | self._gone):
                return None
        if self._quotes(record):
            self.cleaned.quoting += 1
            return None
        return record

    def _quotes(self, record: Record) -> bool:
        return self._found.said.in_value(record.model_dump())

    def _plain_files(self) -> None:
        """JSON files of the run and its rounds: what was given to ask, what was imported, what was found."""
        run = self._run
        kept = run.read_as(run.kept_apart_file, _Questions)
        if kept is not None and (left := kept.questions - self._found.questions) != kept.questions:
            run.write_json(run.kept_apart_file, {"questions": sorted(left)})
        changes.forget(run, self._sources.__contains__)
        if said := corrections.forget(run, self._is_correction):
            self.cleaned.records[run.corrections_file.name] += said
        if run.answer_key_file.exists():
            self._answer_key()
        for folder in (run.path, *(round_.path for round_ in run.rounds)):
            for file in sorted(folder.glob("*.json")):
                if file in (run.forgotten_file, run.promoted_file, run.provenance_file):
                    continue
                if folder == run.path and not is_ours(file.name):
                    continue
                written = run.read_json(file)
                if (left_ := self._without(written)) != written and isinstance(left_, dict):
                    run.write_json(file, left_)
                    self.cleaned.records[file.name] += 1

    def _is_correction(self, one: Correction) -> bool:
        quoting = (text for text in (one.reference, one.note) if text)
        return one.question_id in self._found.questions or any(map(self._is_of, quoting))

    def _without(self, value: object) -> object:
        """Plain data without items of lists that quote a source or are a forgotten question; else ""."""
        if isinstance(value, dict):
            return {key: self._without(one) for key, one in value.items() if not self._is_of(key)}
        if isinstance(value, list):
            return [self._without(one) for one in value if not (isinstance(one, str) and self._is_of(one))]
        return FORGOTTEN if isinstance(value, str) and self._is_of(value) else value

    def _is_of(self, text: str) -> bool:
        return Question(text=text).id in self._found.questions or self._found.said.quotes(text)

    def _answer_key(self) -> None:
        """Rows {question, answers}."""
        file = self._run.answer_key_file
        lines = list(jsonl.read_lines(file))
        kept = [
            line
            for _, line, entry in lines
            if not self._is_of(str(entry.get("question", ""))) and not self._found.said.in_value(entry)
        ]
        if len(kept) < len(lines):
            jsonl.replace(file, b"".join(kept), self._run.path)
            self.cleaned.records[file.name] += len(lines) - len(kept)

    def _fetched(self) -> None:
        """Pages of the source, and replies of services that name it or quote it."""
        folder = self._run.fetched_folder
        file = folder / kept_pages.LINES
        lines = list(jsonl.read_lines(file))
        if not lines:
            return
        kept: list[bytes] = []
        gone: set[str] = set()
        stays: set[str] = set()
        for _, line, entry in lines:
            goes = self._is_request_of(folder, entry)
            (gone if goes else stays).add(str(entry.get("sha256") or ""))
            kept += [] if goes else [line]
        with jsonl.writing(folder, self._run.path):
            # bodies first: a line without its body says `not kept`, a body without a line is never found
            for digest in gone - stays - {""}:
                _body(folder, digest).unlink(missing_ok=True)
        if len(kept) < len(lines):
            jsonl.replace(file, b"".join(kept), self._run.path)
            self.cleaned.records[file.name] += len(lines) - len(kept)

    def _is_request_of(self, folder: Path, entry: dict[str, object]) -> bool:
        if any(str(entry.get(name, "")) in self._sources for name in ("url", "final_url") if entry.get(name)):
            return True
        digest = str(entry.get("sha256") or "")
        if not digest:
            return False
        try:
            body = private.read(_body(folder, digest), _LARGEST)
        except OSError:
            return False
        named = any(source.encode() in body for source in self._found.sources if "://" in source)
        return (entry.get("of") == "ask" and named) or self._found.said.in_file(body)

    def still_quoting(self) -> list[Path]:
        """Files below the run directory that still quote a source, the weights of models left out.

        Raises:
            RunError: one of the run's own does.
        """
        wrong: list[Path] = []
        foreign: list[Path] = []
        ours = {self._run.recipe_file, self._run.lock_file}
        for path, state in private.below(self._run.path):
            if not path.is_file() or path.is_symlink() or path in ours or path.suffix == WEIGHTS:
                continue
            if state.st_size > _LARGEST:
                foreign.append(path)
                continue
            if self._found.said.in_file(_content(path)):
                (wrong if _is_records(self._run, path) else foreign).append(path)
        if wrong:
            raise RunError(
                f"{wrong[0]} still quotes what was to be forgotten",
                "delete that file if you can do without it, and give the same command again",
            )
        return foreign


WEIGHTS = Path(lora.WEIGHTS).suffix
"""Numbers of models, in which nothing is written."""


class _Questions(BaseModel):
    """kept_apart.json."""

    questions: frozenset[str]


def _body(folder: Path, digest: str) -> Path:
    """Where a page lies; a digest that is none names nothing that is there."""
    name = digest if len(digest) == 64 and digest.isalnum() else hashlib.sha256(digest.encode()).hexdigest()
    return folder / kept_pages.BODIES / name[:2] / name


def _content(path: Path) -> bytes:
    try:
        return private.read(path, _LARGEST)
    except OSError as error:
        raise RunError(
            f"cannot read {path}: {error.strerror or error}",
            "make it readable, and give the same command again",
        ) from None


def _is_records(run: Run, path: Path) -> bool:
    if path.parent == run.path:
        return is_ours(path.name)
    return path.parent in {one.path for one in run.rounds} and path.suffix in (".jsonl", ".json")
