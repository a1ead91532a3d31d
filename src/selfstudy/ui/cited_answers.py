"""Cited answers of a run and of files in the folder: each statement, and whether it was judged supported.

What was stored is shown; nothing is judged here, and what nobody judged is not called supported.  A file of
judgements (`cite eval`) has no documents, one of answers may have no judgements: they are joined where
question and answer are the same to the letter.  Knows nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from selfstudy.errors import DataError
from selfstudy.files.rows import read_rows
from selfstudy.judging import citations
from selfstudy.records import CitedCheck
from selfstudy.run import Run
from selfstudy.text import one_line
from selfstudy.ui.desk import Desk, has_text_name, safe_folders
from selfstudy.verbs.outputs import verb_of

ANSWERS, JUDGEMENTS = "cite answer", "cite"
MOST_FILES = 200
"""Of cited answers that can be chosen."""
MOST_LOOKED_AT = 5_000
"""Files whose first line is read to see whose they are."""
MOST_JOINED = 8
"""Other files that are gone through for documents or judgements."""
LARGEST = 256 * 2**20
"""Bytes of a file that is read."""
MOST_ROWS = 2_000
"""Of a file that are gone through."""
LONGEST, MOST_DOCUMENTS = 20_000, 100
"""Characters of an answer or a document, and documents of a question."""


@dataclass(frozen=True)
class Sentence:
    """A statement of an answer.

    Attributes:
        supported: whether what it cites supports it; None: nobody has judged that.
    """

    text: str
    cites: tuple[int, ...]
    supported: bool | None
    why: str = ""


@dataclass(frozen=True)
class CitedText:
    """An answer with its documents; [1] is the first.

    Attributes:
        told: what else is known of it, in sentences.
        documents: (title or source, text); empty where no file has them.
    """

    place: str
    question: str
    sentences: tuple[Sentence, ...]
    documents: tuple[tuple[str, str], ...]
    told: tuple[str, ...] = ()


@dataclass
class _Pool:
    """What files say of an answer, by question and answer."""

    documents: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    statements: dict[tuple[str, str], list[Any]] = field(default_factory=dict)


def files_of(desk: Desk) -> list[str]:
    """Files of cited answers in the folder, as paths below it, in order; links and hidden ones are none."""
    found: list[str] = []
    looked = 0
    for folder in safe_folders(desk.folder):
        try:
            names = sorted(folder.glob("*.jsonl"))
        except OSError:
            continue
        for path in names:
            looked += 1
            if looked > MOST_LOOKED_AT or len(found) >= MOST_FILES:
                return sorted(found)
            told = has_text_name(path) and not path.is_symlink() and path.is_file()
            if told and verb_of(path) in (ANSWERS, JUDGEMENTS):
                found.append(path.relative_to(desk.folder).as_posix())
    return sorted(found)


def of_run(run: Run, files: list[Path], most: int) -> list[CitedText]:
    """What verify asked with documents, the last round first."""
    pool = _pool([path for path in files if verb_of(path) == JUDGEMENTS][:MOST_JOINED])
    turns = reversed(run.rounds)
    checks = ((turn.number, one) for turn in turns for one in turn.iter(CitedCheck))
    return [_checked(number, one, pool) for number, one in islice(checks, most)]


def of_file(path: Path, others: list[Path], most: int) -> list[CitedText]:
    """The answers of a file.

    Raises:
        DataError: it cannot be read, or is none of ours.
    """
    verb = verb_of(path)
    if verb not in (ANSWERS, JUDGEMENTS):
        raise DataError(f"{path.name} is no file of selfstudy cite", "choose one of the list")
    wanted = JUDGEMENTS if verb == ANSWERS else ANSWERS
    pool = _pool([one for one in others if one != path and verb_of(one) == wanted][:MOST_JOINED])
    return [_row(place, row, pool) for place, row in islice(_rows(path), most)]


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if path.stat().st_size > LARGEST:
        raise DataError(f"{path.name} is larger than {LARGEST // 2**20} MB", "look at it by the command line")
    for row in islice(read_rows(path), MOST_ROWS):
        if row.value is not None:
            yield row.place, row.value


def _pool(files: list[Path]) -> _Pool:
    pool = _Pool()
    for path in files:
        try:
            for _, row in _rows(path):
                key = _key(row)
                if isinstance(row.get("docs"), list):
                    pool.documents.setdefault(key, row["docs"])
                if isinstance(row.get("statements"), list):
                    pool.statements.setdefault(key, row["statements"])
        except (DataError, OSError):  # another file of the folder says nothing then
            continue
    return pool


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    answer = row.get("answer") if "statements" in row and "output" not in row else row.get("output")
    return str(row.get("question", "")), citations.said(str(answer or ""))


def _row(place: str, row: Mapping[str, Any], pool: _Pool) -> CitedText:
    key = _key(row)
    told = [f"Not judged, or no answer: {_short(row['error'])}"] if row.get("error") else []
    refused = row.get("refused")
    if isinstance(refused, str) and refused:
        told.append(f"It is the refusal, because {_short(refused)}.")
    elif refused is True:
        told.append("It refuses to answer.")
    if row.get("said"):
        told.append(f"The model itself said: {_short(row['said'])}")
    if row.get("unchecked"):
        told.append(f"Not checked: {_short(row['unchecked'])}")
    if row.get("cut"):
        told.append("It was cut at the limit of tokens.")
    own = row.get("statements") if isinstance(row.get("statements"), list) else None
    if row.get("said"):
        own = None  # they are of what the model said, and this is the refusal
    brought = row.get("docs")
    documents = brought if isinstance(brought, list) else pool.documents.get(key, [])
    if not documents:
        told.append("The file has no documents, and no file of answers beside it has this one.")
    judged = own or pool.statements.get(key)
    output = str(row.get("output") or row.get("answer") or "")
    return CitedText(
        place,
        _short(row.get("question", ""), 600),
        _sentences(output, judged),
        _documents(documents),
        tuple(told),
    )


def _checked(number: int, one: CitedCheck, pool: _Pool) -> CitedText:
    output = one.output or ""
    judged = pool.statements.get((one.question, citations.said(output)))
    told = [f"Round {number}, {one.arm} model."]
    if one.withheld:
        told.append("No document answers it: to refuse is right.")
    if one.refused is not None:
        told.append("It refused." if one.refused else "It answered.")
    told += [f"{name.replace('_', ' ')}: {value:.0%}." for name, value in one.parts.items()]
    if one.error:
        told.append(f"Failed: {_short(one.error)}")
    documents = [{"text": document.text} for document in one.docs]
    return CitedText(
        f"question {one.question_id}",
        one.question,
        _sentences(output, judged),
        _documents(documents),
        tuple(told),
    )


def _sentences(output: str, judged: list[Any] | None) -> tuple[Sentence, ...]:
    """As they were judged; else as an answer is taken apart, and not judged."""
    rows = [row for row in judged or () if isinstance(row, dict)]
    if rows:
        return tuple(
            Sentence(
                _short(row.get("text", ""), LONGEST),
                _numbers(row.get("cites")),
                row["supported"] if isinstance(row.get("supported"), bool) else None,
                _short(row.get("why", "")),
            )
            for row in rows[:MOST_DOCUMENTS]
        )
    parts = citations.sentences(citations.said(output[:LONGEST]))[:MOST_DOCUMENTS]
    return tuple(
        Sentence(one.text, tuple(dict.fromkeys(mark.number for mark in one.citations)), None) for one in parts
    )


def _numbers(cites: object) -> tuple[int, ...]:
    found = cites if isinstance(cites, list) else []
    return tuple(one for one in found if type(one) is int and 0 < one < 10**6)[:MOST_DOCUMENTS]


def _documents(documents: list[Any]) -> tuple[tuple[str, str], ...]:
    rows = [row if isinstance(row, dict) else {} for row in documents[:MOST_DOCUMENTS]]
    names = [[str(row[name]) for name in ("title", "source", "url") if row.get(name)] for row in rows]
    texts = [str(row.get("text") or row.get("sent") or "")[:LONGEST] for row in rows]
    return tuple((_short(", ".join(name)), text) for name, text in zip(names, texts, strict=True))


def _short(value: object, most: int = 300) -> str:
    return one_line(str(value), most)
