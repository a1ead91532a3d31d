"""Questions that a served model was asked, out of the log of its server: first those answered inconsistently.

A log is a stranger's: lines that are torn, huge or of another form are passed over and counted, and questions
that are long or hold what looks like a key.  It is streamed; of a large one the questions that were asked
more often, or in answers that differ, are kept.  Each round has those that no earlier one had, and none that
the run was told to forget.  Knows nothing of servers, nor of who asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from selfstudy.duplicates import near_duplicate_groups
from selfstudy.errors import DataError
from selfstudy.files import reading
from selfstudy.judging.agreement import agreements, same_words
from selfstudy.models.base import EntailmentModel
from selfstudy.progress import Reporter
from selfstudy.recipe import Ask
from selfstudy.records import Question
from selfstudy.run import Round, forgotten
from selfstudy.run.request_log import RequestLine
from selfstudy.secrets import HIDDEN, NOT_SHOWN, looks_secret
from selfstudy.text import clean, normalise, shortened

MOST_KEPT = 20_000
"""Distinct questions that are compared; up to twice as many are held while a log is read."""
LONGEST_QUESTION, LONGEST_ANSWER = 500, 400
"""Characters: longer questions are no questions to learn from, of longer answers the beginning counts."""
LARGEST_LINE = 1_000_000
ANSWERS = 4
"""Different answers to a question that are kept."""
JUDGED = 1_000
"""Groups of questions, at least, whose answers are compared, those asked most often first."""
_BATCH = 256
_LOG = re.compile(r".+\.(?:jsonl|ndjson|log)(?:\.\d{1,9})?", re.IGNORECASE)
"""Names of logs in a folder, those that were put away (rotated) too."""


@dataclass
class LoggedQuestion:
    """A question of a log.

    Attributes:
        count: how often it was asked.
        answers: of different ones the first few, by their normal form: the text, and how often it was given.
    """

    text: str
    count: int = 0
    answers: dict[str, tuple[str, int]] = field(default_factory=dict)

    def saw(self, answer: str, times: int = 1) -> None:
        """It was answered so."""
        form = normalise(answer)
        if form and (form in self.answers or len(self.answers) < ANSWERS):
            text, before = self.answers.get(form, (answer, 0))
            self.answers[form] = (text, before + times)


class _Given(BaseModel):
    """What a round was given."""

    round: int
    lines: list[str]


class _Kept(BaseModel):
    """What the run keeps of a log, round by round."""

    rounds: list[_Given] = []


def log_questions(
    ask: Ask, number: int, round_: Round, nli: EntailmentModel | None, report: Reporter
) -> list[str]:
    """The questions of a round: at most `ask.count` that no earlier round was given; a resumed one the same.

    Args:
        number: which `Ask` of the recipe it is.
        nli: says whether answers agree, beside their words.

    Raises:
        DataError: the log cannot be read, or is none.
    """
    place = round_.run.external_file(number)
    kept = round_.run.read_as(place, _Kept) or _Kept()
    for one in kept.rounds:
        if one.round == round_.number:
            return one.lines
    source = ask.source_file
    if source is None:
        raise DataError("method logs: no source given", "set `source` to a log of `selfstudy serve`")
    had = {normalise(line) for one in kept.rounds for line in one.lines}
    gone = {name for stone in forgotten.tombstones(round_.run) for name in stone.questions}
    passed: Counter[str] = Counter()
    found = [
        one
        for one in read_log(source, passed)
        if normalise(one.text) not in had and Question(text=one.text).id not in gone
    ]
    ordered = in_order(found, nli, ask.count)
    wanted = [one.text for one, differs in ordered if differs or not ask.inconsistent]
    differing = sum(differs for _, differs in ordered)
    left = ", ".join(f"{count:,} {why}" for why, count in passed.most_common())
    report.note(
        f"logs: {len(found):,} different questions, {differing:,} of {len(ordered):,} groups answered "
        f"inconsistently" + (f"; passed over: {left}" if left else "")
    )
    kept.rounds.append(_Given(round=round_.number, lines=wanted[: ask.count]))
    round_.run.write_json(place, kept.model_dump())
    return kept.rounds[-1].lines


def read_log(source: Path, passed: Counter[str]) -> list[LoggedQuestion]:
    """The distinct questions of a log, or of all logs in a folder, in the order in which they were asked.

    Args:
        passed: gets how many lines, files and questions were passed over, by reason.

    Raises:
        DataError: nothing can be read, or no line is one of a request.
    """
    held: dict[str, LoggedQuestion] = {}
    lines = 0
    for file in _files(source, passed):
        for line in _lines(file):
            lines += 1
            _take(line, held, passed)
            if len(held) > 2 * MOST_KEPT:
                passed["questions asked too seldom to be kept"] += _prune(held)
    if not held:
        why = ", ".join(f"{count:,} {reason}" for reason, count in passed.most_common(3)) or "it is empty"
        raise DataError(
            f"{source}: no question in {lines:,} lines: {why}",
            'give the file of `selfstudy serve --log FILE`: JSON lines with "question" and "answer"',
        )
    if len(held) > MOST_KEPT:
        passed["questions asked too seldom to be kept"] += _prune(held)
    return list(held.values())


def in_order(
    found: Sequence[LoggedQuestion], nli: EntailmentModel | None, wanted: int
) -> list[tuple[LoggedQuestion, bool]]:
    """One question of each group of near-duplicates, and whether its answers differ.

    Those whose answers differ come first, then what was asked more often, then what was asked earlier.
    The answers of no more groups are compared than can matter, or `JUDGED`.
    """
    groups: dict[int, list[LoggedQuestion]] = {}
    for one, first in zip(found, near_duplicate_groups([one.text for one in found]), strict=True):
        groups.setdefault(first, []).append(one)
    together = sorted((_together(some) for some in groups.values()), key=lambda one: -one.count)
    open_ = [one for one in together if len(one.answers) > 1][: max(JUDGED, 10 * wanted)]
    differing: set[int] = set()
    for start in range(0, len(open_), _BATCH):
        differing |= _differing(open_[start : start + _BATCH], nli)
    marked = [(one, id(one) in differing) for one in together]
    return sorted(marked, key=lambda pair: not pair[1])


def _together(some: Sequence[LoggedQuestion]) -> LoggedQuestion:
    """A group under the wording that was asked most, with the answers of all."""
    whole = LoggedQuestion(max(some, key=lambda one: one.count).text, sum(one.count for one in some))
    for one in some:
        for answer, times in one.answers.values():
            whole.saw(answer, times)
    return whole


def _differing(some: Sequence[LoggedQuestion], nli: EntailmentModel | None) -> set[int]:
    """Those of which an answer does not say what the one that was given most often says, nor a part of it."""
    questions, answers, references, whose = [], [], [], []
    for one in some:
        usual, *others = sorted(
            (text for text, _ in one.answers.values()), key=lambda text: -_times(one, text)
        )
        for other in others:
            for answer, reference in ((other, usual), (usual, other)):
                questions.append(one.text)
                answers.append(answer)
                references.append(reference)
            whose.append(id(one))
    if nli is None:
        same = [same_words(a, r, q) for q, a, r in zip(questions, answers, references, strict=True)]
    else:
        same = [one.same is not False for one in agreements(questions, answers, references, nli)]
    return {owner for place, owner in enumerate(whose) if not (same[2 * place] or same[2 * place + 1])}


def _times(one: LoggedQuestion, text: str) -> int:
    return one.answers[normalise(text)][1]


def _files(source: Path, passed: Counter[str]) -> Iterator[Path]:
    try:
        if not source.is_dir():
            yield reading.readable(source)
            return
        names = sorted(source.iterdir())
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or error}", "check the path") from None
    for path in names:
        if path.is_symlink() or not path.is_file():
            continue
        if _LOG.fullmatch(path.name):
            yield path
        else:
            passed["files whose name is none of a log (.jsonl, .log, .jsonl.1)"] += 1


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            yield from reading.lines(opened)
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror or error}", "check its permissions"
        ) from None


def _take(line: bytes, held: dict[str, LoggedQuestion], passed: Counter[str]) -> None:
    """What a line says, if it is of use."""
    if not line.strip():
        return
    if len(line) > LARGEST_LINE:
        passed[f"lines of more than {LARGEST_LINE:,} bytes"] += 1
        return
    try:
        found = RequestLine.model_validate_json(line)
    except (ValidationError, ValueError, RecursionError):
        passed["lines that are torn, or of another form"] += 1
        return
    question = " ".join(clean(found.question[: 4 * LONGEST_QUESTION]).split())
    form = normalise(question)
    if not form:
        passed["questions without words"] += 1
    elif len(found.question) > 4 * LONGEST_QUESTION or len(question) > LONGEST_QUESTION:
        passed[f"questions of more than {LONGEST_QUESTION} characters"] += 1
    elif form not in held and (looks_secret(question) or HIDDEN in question or NOT_SHOWN in question):
        passed["questions with what looks like a key"] += 1
    else:
        one = held.setdefault(form, LoggedQuestion(question))
        one.count += 1
        if found.finish == "stop":  # of one that was cut short nobody knows what it would have said
            one.saw(shortened(" ".join(clean(found.answer[: 4 * LONGEST_ANSWER]).split()), LONGEST_ANSWER))


def _prune(held: dict[str, LoggedQuestion]) -> int:
    """Leaves the MOST_KEPT that were asked more often, or answered in more ways; how many went."""
    order = sorted(held.items(), key=lambda item: (-len(item[1].answers), -item[1].count))
    gone = [form for form, _ in order[MOST_KEPT:]]
    for form in gone:
        del held[form]
    return len(gone)
