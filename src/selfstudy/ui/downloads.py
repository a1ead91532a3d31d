"""Every table of a run as a file: JSON lines, CSV, what TRL's trainers read; its figures, report and recipe.

    /download/WHAT.FORMAT?run=NAME

Rows are read and sent in small parts.  What is wrong at once is a sentence and a status; a line that is found
damaged later breaks the transfer off, so that no browser keeps half a file for a whole one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from selfstudy.errors import RunError, SelfstudyError
from selfstudy.files import private
from selfstudy.files.cells import csv_lines
from selfstudy.records import (
    Answer,
    Check,
    Evidence,
    Example,
    Failure,
    Pair,
    Question,
    Record,
    Reference,
    Score,
    Verdict,
)
from selfstudy.run import Run
from selfstudy.show.charts import changes
from selfstudy.summary import Summary
from selfstudy.ui.desk import asked
from selfstudy.ui.index import index_of
from selfstudy.ui.index_query import QuestionRow, QuestionsAsked
from selfstudy.ui.markup import address
from selfstudy.verbs.correct import LABEL_COLUMNS, labels_said
from selfstudy.verbs.rating.layouts import messages, trl

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from selfstudy.ui.desk import Desk

TABLES: dict[str, type[Record]] = {
    "questions": Question,
    "answers": Answer,
    "scores": Score,
    "evidence": Evidence,
    "references": Reference,
    "verdicts": Verdict,
    "examples": Example,
    "pairs": Pair,
    "checks": Check,
    "failures": Failure,
}
"""Records of all rounds; each row says of which."""
FILES = {
    str(Run.summary_file): "application/json",
    str(Run.report_file): "text/html",
    str(Run.recipe_file): "application/yaml",
}
"""Of the run directory, as they are."""
TRL: dict[str, Callable[[Any], dict[str, Any]]] = {
    "pairs": lambda pair: trl(pair.prompt, pair.chosen, pair.rejected),
    "examples": lambda one: {
        "messages": [*messages(one.prompt), {"role": "assistant", "content": one.completion}]
    },
}
NOTES = {
    "table": "what the page Questions shows: verdict, scores, right or wrong before and after",
    "questions": "what was asked, and how it came up",
    "answers": "what the model said before it was taught: its passage and its samples",
    "scores": "how little the samples agree, for each scorer",
    "evidence": "passages that were found, with their sources",
    "references": "the answers that were read out of the evidence",
    "verdicts": "what each question was found to be, and why",
    "examples": "what was trained on; TRL: messages",
    "pairs": "better and worse answers that were trained on; TRL: prompt, chosen, rejected",
    "checks": "what was asked again before and after, each answer judged",
    "figures": "the figures before and after, with intervals",
    "failures": "what failed, and at which stage",
    "labels": "what people said of the first answers, for selfstudy calibrate --labels",
}
"""What each file holds."""
_PART = 2**16
_NAME = re.compile(r"([a-z]{1,20})\.(jsonl|csv|trl\.jsonl|json|html|yaml)")
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "trl.jsonl": "application/x-ndjson",
}


def link(what: str, form: str, **query: object) -> str:
    """The address of a file, such as link("pairs", "trl.jsonl", run="demo")."""
    return address(f"download/{what}.{form}", **query)


def forms(what: str) -> tuple[str, ...]:
    """The formats of a table."""
    return ("jsonl", "csv", "trl.jsonl") if what in TRL else ("jsonl", "csv")


def add_routes(app: FastAPI, desk: Desk) -> None:
    """Before gradio's, which answer all that is left."""

    def send(request: Request) -> Response:
        return _sent(desk, request.path_params["name"], request.query_params)

    app.add_route("/download/{name:path}", send, methods=["GET"])


def refused(said: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Why there is no file, as a sentence."""
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(f"{said}\n", status, headers)


def sent(parts: Iterator[bytes], name: str, what: str, form: str, kind: str = "") -> Response:
    """A file to be kept by the browser.

    Args:
        parts: bytes of it; the first is made at once, so that what is wrong with all of it is found before
            anything is sent.
        name: of what it belongs to, for its name; kind: of content, else that of the format.

    Raises:
        SelfstudyError: as `parts` does.
    """
    from starlette.responses import StreamingResponse

    gathered = parts if kind else _gathered(parts)
    first = next(gathered, b"")
    safe = re.sub("[^A-Za-z0-9_-]+", "-", name).strip("-")[:60] or "run"
    headers = {
        "content-disposition": f'attachment; filename="selfstudy-{safe}-{what}.{form}"',
        "cache-control": "no-store",
    }
    return StreamingResponse(chain((first,), gathered), headers=headers, media_type=kind or _TYPES[form])


def _sent(desk: Desk, name: str, query: Mapping[str, str]) -> Response:
    found = _NAME.fullmatch(name)
    what, form = (found[1], found[2]) if found else ("", "")
    told = (what in NOTES and form in forms(what)) or name in FILES
    if not told:
        return refused("There is no such file to download: choose one of the page Results.", 404)
    try:
        run = desk.open(asked(query, "run"))
    except SelfstudyError as error:
        return refused(f"{error.what}.", 404)
    try:
        parts = _file(run, name) if name in FILES else _lines(run, what, form, query)
        return sent(parts, run.path.name, what, form, FILES.get(name, ""))
    except _CountingError as error:
        return refused(str(error), 503, {"retry-after": "3"})
    except SelfstudyError as error:
        return refused(f"{error.what}.", 422)


class _CountingError(Exception):
    """What is asked for is still being counted."""


def _lines(run: Run, what: str, form: str, query: Mapping[str, str]) -> Iterator[bytes]:
    rows: Iterator[Mapping[str, Any]]
    if what == "table":
        rows, columns = _table(run, query), [name for name in QuestionRow.__dataclass_fields__ if name != "n"]
    elif what == "labels":
        rows, columns = labels_said(run), list(LABEL_COLUMNS)
    elif what == "figures":
        rows, columns = _figures(run), list(_FIGURES)
    elif form == "trl.jsonl":
        rows, columns = (TRL[what](one) for part in run.rounds for one in part.iter(TABLES[what])), []
    else:
        rows, columns = _records(run, TABLES[what]), ["round", *TABLES[what].model_fields]
    if form == "csv":
        return csv_lines(rows, columns)
    return (to_json(row, inf_nan_mode="strings") + b"\n" for row in rows)


def _records(run: Run, kind: type[Record]) -> Iterator[dict[str, Any]]:
    for part in run.rounds:
        for one in part.iter(kind):
            yield {"round": part.number, **one.model_dump()}


def _table(run: Run, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    index = index_of(run)
    standing = index.refresh()
    if not standing.ready:
        raise _CountingError(f"{standing.said} Ask again in a moment.")
    for row in index.rows(QuestionsAsked.of(query).following("")):
        yield {name: getattr(row, name) for name in QuestionRow.__dataclass_fields__ if name != "n"}


_FIGURES: tuple[str, ...] = (
    "figure",
    "measured_on",
    "asked",
    "before",
    "before_low",
    "before_high",
    "after",
    "after_low",
)
_FIGURES += ("after_high", "change", "word", "control", "confidence")


def _figures(run: Run) -> Iterator[dict[str, Any]]:
    summary = run.read_as(run.summary_file, Summary)
    if summary is None:
        raise RunError("this run has no figures yet: they are made when a round ends")
    for one in changes(summary):
        before, after = one.before_interval or (None, None), one.after_interval or (None, None)
        values = (one.name, f"{one.label}: {one.note}", one.count, one.before, *before, one.after, *after)
        more = (one.difference, one.word, one.control, summary.confidence)
        yield dict(zip(_FIGURES, (*values, *more), strict=True))


def _file(run: Run, name: str) -> Iterator[bytes]:
    try:
        descriptor = private.open_file(run.path / name, os.O_RDONLY)
    except FileNotFoundError:
        raise RunError(f"this run has no {name} yet: it is made when a round ends") from None
    except OSError as error:
        raise RunError(f"{name} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        while part := file.read(_PART):
            yield part


def _gathered(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines in parts of about `_PART` bytes."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= _PART:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
