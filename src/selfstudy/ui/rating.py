"""Answers that a person rates in the page: which they are, and what was said of each.

What is rated lies in FOLDER/desk/NAME/, NAME as in processes.py, in a folder of its own, closed to others:

    rating-verify/    of a run: the answers before and after teaching
    rating-probe/     of a run: the model's own first answers and their samples
    rating-sheet/     of a sheet that `selfstudy rate --export` wrote
        answers.jsonl       what is rated, as `selfstudy rate` reads it
        who.jsonl           who gave each answer, which is not shown while one rates
        sheet.jsonl         what a person says, written at once; `selfstudy rate --import` reads it
        pairs.jsonl         what came of it (`selfstudy rate`), with pairs.jsonl.judged.jsonl

Knows no page, nor what comes of it (rating_outcome.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from selfstudy.errors import DataError, RunError
from selfstudy.files import jsonl, lock, private
from selfstudy.files.cells import unguarded
from selfstudy.files.rows import MalformedError, Row, parse_line, read_rows, shown
from selfstudy.judging.missing import HIGHEST, LOWEST
from selfstudy.prompts import Prompts
from selfstudy.records import Check
from selfstudy.text import clean
from selfstudy.ui import processes
from selfstudy.ui.desk import Desk, asked
from selfstudy.ui.rated_answers import LONGEST, AnswerOf, of_probe, of_verify
from selfstudy.verbs.rating import outputs, sheets
from selfstudy.verbs.rating.given import collect

RatingSource = Literal["verify", "probe", "sheet"]
SOURCES: dict[RatingSource, str] = {
    "verify": "the answers before and after teaching, which verify asked for",
    "probe": "the model's own first answers and its samples, which probe asked for",
}
"""Of a run: what can be rated, and what it is."""
MOST_QUESTIONS = 200
"""Of a run that are rated."""
MOST_ANSWERS = 2_000
"""Of a sheet."""
LARGEST = 32 * 2**20
"""Bytes of a sheet."""
MOST_SAID = 4_000
"""Characters of what is missing."""
_FILLED = ("rating", "missing")


@dataclass(frozen=True)
class RatingPlace:
    """What is rated, and where that lies.

    Attributes:
        folder: see above; made when it is begun.
        run: whose answers they are; "": of a sheet.
        source: of the answers.
        given: path of the sheet below the folder that is worked in; "": of a run.
    """

    folder: Path
    run: str
    source: RatingSource
    given: str = ""

    @property
    def answers(self) -> Path:
        return self.folder / "answers.jsonl"

    @property
    def who(self) -> Path:
        return self.folder / "who.jsonl"

    @property
    def sheet(self) -> Path:
        return self.folder / "sheet.jsonl"

    @property
    def pairs(self) -> Path:
        return self.folder / "pairs.jsonl"

    @property
    def judged(self) -> Path:
        return outputs.judged_beside(self.pairs)

    @property
    def query(self) -> dict[str, str]:
        """Of its address."""
        return {"sheet": self.given} if self.given else {"run": self.run, "of": self.source}


@dataclass(frozen=True)
class Rated:
    """An answer to be rated, and what was said of it.

    Attributes:
        rating: 1 to 10; None: not yet.
        missing: what is missing, "": nothing.
    """

    id: str
    prompt: str
    completion: str
    rating: int | None
    missing: str


def place_of(desk: Desk, query: Mapping[str, str]) -> RatingPlace:
    """Where what an address asks for lies: `run`, with `of` as in `SOURCES`, or `sheet`.

    Raises:
        SelfstudyError: there is no such run or file, or a link is in the way.
    """
    run, given = asked(query, "run"), asked(query, "sheet")
    if given:
        path = desk.file_of(given)
        if path.suffix.lower() not in (".jsonl", ".csv"):
            raise DataError(
                f"{given} is no sheet", "give the .csv or .jsonl that selfstudy rate --export wrote"
            )
        name = path.relative_to(desk.folder).as_posix()
        return _checked(desk, RatingPlace(_folder(desk, name, "sheet"), "", "sheet", name))
    path = desk.path_of(run)
    wanted = asked(query, "of")
    source: RatingSource = "probe" if wanted == "probe" else "verify"
    if wanted not in SOURCES:
        asked_again = any(True for part in desk.open(run).rounds for _ in part.iter(Check))
        source = "verify" if asked_again else "probe"
    name = path.relative_to(desk.folder).as_posix()
    return _checked(desk, RatingPlace(_folder(desk, name, source), name, source))


def _folder(desk: Desk, name: str, source: RatingSource) -> Path:
    return processes.place_of(desk.folder, name) / f"rating-{source}"


def _checked(desk: Desk, place: RatingPlace) -> RatingPlace:
    for path in (desk.folder / processes.FOLDER, place.folder.parent, place.folder):
        if path.is_symlink():
            raise RunError(f"{path} is a link, which is not followed", "move it away")
    return place


def begin(desk: Desk, place: RatingPlace, questions: int) -> None:
    """Makes what is to be rated; what has been begun stays as it is.

    Args:
        questions: most of them, for a run; drawn by the hash of their text, so the same each time.

    Raises:
        SelfstudyError: there is nothing to rate, or it cannot be read or written.
    """
    most = max(1, min(questions, MOST_QUESTIONS))
    if place.sheet.exists():
        return
    if place.given:
        rows, answers = _of_sheet(desk, place), []
    else:
        with desk.open(place.run) as run:
            answers = (of_probe if place.source == "probe" else of_verify)(run, most)
        rows = _rows_of(answers, place)
    with jsonl.writing(place.folder, None):
        private.make_folder(place.folder)
    with _alone(place):
        if place.sheet.exists():  # another tab was first
            return
        given = [_given(one) for one in answers] or [_texts(row) for row in rows]
        who = [{"id": sheets.id_of(one.prompt, one.text), "arms": one.arms} for one in answers]
        jsonl.replace_lines(place.answers, map(jsonl.encode_row, given), None)
        jsonl.replace_lines(place.who, map(jsonl.encode_row, who), None)
        jsonl.replace_lines(place.sheet, map(jsonl.encode_row, rows), None)  # last: with it, it is begun


def _given(one: AnswerOf) -> dict[str, Any]:
    right = {} if one.correct is None else {"correct": one.correct}
    return {"prompt": one.prompt, "completion": one.text, **right}


def _texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Prompt and completion, as they were before a table was made safe for spreadsheets."""
    texts = [row["prompt"], row["completion"]]
    if sheets.id_of(*texts) != sheets.key_of(row):
        texts = [unguarded(one) for one in texts]
    return dict(zip(("prompt", "completion"), texts, strict=True))


def _rows_of(answers: Sequence[AnswerOf], place: RatingPlace) -> list[dict[str, Any]]:
    if not answers:
        raise DataError(
            f"no question of {place.run} has two different answers of at most {LONGEST:,} characters",
            "rate answers of another kind, or of a run that has got further",
        )
    rows = (Row(f"answer {number}", _given(one)) for number, one in enumerate(answers, start=1))
    return sheets.sheet_rows(collect(rows, place.run).prompts, "missing", Prompts(None))


def _of_sheet(desk: Desk, place: RatingPlace) -> list[dict[str, Any]]:
    """The rows of a sheet that somebody made; a copy is rated, it stays as it is."""
    path = desk.file_of(place.given)
    if path.stat().st_size > LARGEST:
        raise DataError(f"{place.given} has more than {LARGEST:,} bytes", "split it")
    rows = []
    for row in read_rows(path):
        try:
            if row.value is None:
                raise MalformedError(row.problem)
            _read(row.value)
        except MalformedError as error:
            raise DataError(
                f"{place.given}, {row.place} is damaged: {error}", "mend that row, or take it out"
            ) from None
        rows.append({**row.value, **_texts(row.value)})
        if len(rows) > MOST_ANSWERS:
            raise DataError(f"{place.given} has more than {MOST_ANSWERS:,} answers", "split it")
    if not rows:
        raise DataError(f"{place.given} has no row", "give what selfstudy rate --export wrote")
    return rows


def read(place: RatingPlace) -> list[Rated]:
    """What is rated, in order.

    Raises:
        RunError: it has not been begun, or the file is damaged, as by hand: says which line.
    """
    return [_read(row) for row in _rows(place)]


def _rows(place: RatingPlace) -> list[dict[str, Any]]:
    hint = "mend that line, or take it out"
    try:
        content = private.read(place.sheet, LARGEST)
    except FileNotFoundError:
        raise RunError("nothing has been begun here", "begin to rate") from None
    except OSError as error:
        raise RunError(f"{place.sheet} cannot be read: {error.strerror}", "see what is there") from None
    rows = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = parse_line(line)
            _read(row)
        except MalformedError as error:
            raise RunError(f"{place.sheet}, line {number} is damaged: {error}", hint) from None
        rows.append(row)
    if not rows:
        raise RunError(f"{place.sheet} is empty", "delete it, and begin anew")
    return rows


def _read(row: Mapping[str, Any]) -> Rated:
    """What a row says.

    Raises:
        MalformedError: it is none of a sheet for ratings, or says something else than a rating.
    """
    if lacking := [name for name in ("prompt", "completion", *_FILLED) if name not in row]:
        raise MalformedError(f"it has no {' and no '.join(lacking)}, as a sheet to rate answers has")
    texts = (row["prompt"], row["completion"])
    if not all(isinstance(one, str) for one in texts):
        raise MalformedError("prompt and completion must be texts")
    missing = "" if row["missing"] is None else row["missing"]
    if not isinstance(missing, str):
        raise MalformedError(f"missing must be a text, found {shown(missing)}")
    return Rated(sheets.key_of(row), *texts, _rating(row["rating"]), missing)


def _rating(said: object) -> int | None:
    if said is None or (isinstance(said, str) and not said.strip()):
        return None
    number = int(said) if isinstance(said, str) and _NUMBER.fullmatch(said.strip()) else said
    if isinstance(number, bool) or not isinstance(number, int) or not LOWEST <= number <= HIGHEST:
        raise MalformedError(f"rating must be a whole number, {LOWEST} to {HIGHEST}; found {shown(said)}")
    return number


_NUMBER = re.compile("[0-9]{1,4}")


def keep(place: RatingPlace, name: str, said: Mapping[str, Any]) -> list[Rated]:
    """Writes what a person says of an answer, in one step; all that is rated, as it stands now.

    What others say of other answers meanwhile stays; of the same answer the last saying counts.

    Args:
        name: the answer's id.
        said: `rating`, 1 to 10 or None, and `missing`, or one of them: the other stays.

    Raises:
        RunError: there is no such answer, it is too long, or the file is damaged or cannot be written.
    """
    new = {key: said[key] for key in _FILLED if key in said}
    if "missing" in new:
        new["missing"] = clean(str(new["missing"] or "")).strip()
        if len(new["missing"]) > MOST_SAID:
            raise RunError(
                f"what is missing has {len(new['missing']):,} characters, more than {MOST_SAID:,}: "
                "nothing was written",
                "shorten it",
            )
    if "rating" in new:
        try:
            rating = _rating(new["rating"])
        except MalformedError as error:
            raise RunError(f"{error}: nothing was written", "choose a number") from None
        new["rating"] = "" if rating is None else rating
    with _alone(place):
        rows = _rows(place)
        found = [row for row in rows if sheets.key_of(row) == name]
        if not found:
            raise RunError(
                "this answer is not in the sheet any more: nothing was written", "load the page again"
            )
        if any(row[key] != value for row in found for key, value in new.items()):
            for row in found:
                row |= new
            jsonl.replace_lines(place.sheet, map(jsonl.encode_row, rows), None)
    return [_read(row) for row in rows]


def _alone(place: RatingPlace) -> AbstractContextManager[None]:
    return lock.waited(place.folder / "sheet.lock", place.folder, option="the sheet")
