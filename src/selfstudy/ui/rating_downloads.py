"""What was rated as files: the filled sheet, the judgements and the pairs.

/download/rating/WHAT.FORMAT?run=NAME&of=verify    or ?sheet=PATH
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.errors import RunError, SelfstudyError
from selfstudy.files import jsonl
from selfstudy.files.cells import csv_lines
from selfstudy.ui import downloads, rating
from selfstudy.ui.markup import address
from selfstudy.ui.rating import RatingPlace

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from selfstudy.ui.desk import Desk

NOTES = {
    "sheet": "the sheet with your ratings and what is missing; selfstudy rate --import reads it",
    "judgements": "what each answer earned, and why",
    "pairs": "the best answer of each question against the worst; TRL: prompt, chosen, rejected",
}
"""What each file holds."""
FORMS = {"sheet": ("jsonl", "csv"), "judgements": ("jsonl", "csv"), "pairs": ("jsonl", "csv", "trl.jsonl")}
_TRL = ("prompt", "chosen", "rejected")


def offered(place: RatingPlace) -> list[tuple[str, list[tuple[str, str]]]]:
    """What there is: what it holds, and its formats with their addresses."""
    there = [what for what in NOTES if _file(place, what).is_file()]
    return [
        (NOTES[what], [(form.partition(".")[0].upper(), _link(place, what, form)) for form in FORMS[what]])
        for what in there
    ]


def _link(place: RatingPlace, what: str, form: str) -> str:
    return address(f"download/rating/{what}.{form}", **place.query)


def add_routes(app: FastAPI, desk: Desk) -> None:
    """Before those of downloads.py, which answer all that begins so."""

    def send(request: Request) -> Response:
        what, _, form = request.path_params["name"].partition(".")
        if form not in FORMS.get(what, ()):
            said = "There is no such file to download: choose one of the page Rate answers."
            return downloads.refused(said, 404)
        try:
            place = rating.place_of(desk, request.query_params)
        except SelfstudyError as error:
            return downloads.refused(f"{error.what}.", 404)
        try:
            return downloads.sent(lines(place, what, form), Path(place.run or place.given).name, what, form)
        except SelfstudyError as error:
            return downloads.refused(f"{error.what}.", 422)

    app.add_route("/download/rating/{name:path}", send, methods=["GET"])


def lines(place: RatingPlace, what: str, form: str) -> Iterator[bytes]:
    """A file, line by line.

    Raises:
        RunError: there is none yet, or it is damaged.
    """
    file = _file(place, what)
    if not file.is_file():
        raise RunError(f"there is no {file.name} yet: begin to rate, or make judgements and pairs first")
    rows: Iterator[Mapping[str, Any]] = (entry for _, _, entry in jsonl.read_lines(file))
    if form == "trl.jsonl":
        rows = ({name: row.get(name) for name in _TRL} for row in rows)
    if form == "csv":
        first = list(rows)
        return csv_lines(first, list(dict.fromkeys(name for row in first for name in row)))
    return map(jsonl.encode_row, rows)


def _file(place: RatingPlace, what: str) -> Path:
    return {"sheet": place.sheet, "judgements": place.judged, "pairs": place.pairs}[what]
