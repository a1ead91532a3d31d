"""Ground truth: what is true, and how else it may be asked.  Only verify and the summary ever see it.

It knows nothing of models or stages; no prompt, training example or score is made from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from selfstudy.errors import DataError
from selfstudy.files import reading
from selfstudy.files.rows import MalformedError, parse_line, shown
from selfstudy.records import Truth
from selfstudy.text import folded

FIELDS = frozenset({"question", "answer", "known", "novel", "topic"})


class AnswerKey(Protocol):
    """Anything that knows true answers."""

    def lookup(self, question: str) -> Truth | None:
        """The truth behind `question`, or None when the key does not have it."""


class JsonlKey:
    """A key from a file with one JSON object a line: {question, answer: text or list, known?, novel?}.

    Questions are found whatever their case and white space.

    Raises:
        DataError: no such file, or a line that is not such an object; the message names the line.
    """

    def __init__(self, path: Path, key: str = "answer key") -> None:
        self._truths: dict[str, Truth] = {}
        self._questions: dict[str, str] = {}
        try:
            with reading.readable(path).open("rb") as file:
                for number, line in enumerate(reading.lines(file), start=1):
                    if line.strip():
                        self._add(line, f"{key} {path}, line {number}")
        except OSError as error:
            raise DataError(
                f"{key} {path}: cannot be read ({error.strerror or error})",
                "give a .jsonl file (answer_key may be `atlas` too), or leave it out",
            ) from None
        if not self._truths:
            raise DataError(f"{key} {path}: no entries", _HINT)

    def lookup(self, question: str) -> Truth | None:
        """The truth of the line whose question is `question`, or None."""
        return self._truths.get(folded(question))

    def entries(self) -> Iterator[tuple[str, Truth]]:
        """Every question with its truth, in the order of the file."""
        return ((self._questions[name], truth) for name, truth in self._truths.items())

    def __len__(self) -> int:
        return len(self._truths)

    def _add(self, line: bytes, where: str) -> None:
        try:
            entry = parse_line(line)
        except MalformedError as error:
            raise DataError(f"{where}: {error}", _HINT) from None
        unknown = sorted(set(entry) - FIELDS)
        if unknown:
            raise DataError(
                f"{where}: unknown field {shown(unknown[0])}", f"fields are {', '.join(sorted(FIELDS))}"
            )
        question = _texts(entry, "question", where, required=True)
        if len(question) != 1:
            raise DataError(f"{where}: field 'question' must be one text, found {len(question)}", _HINT)
        known = entry.get("known")
        if known is not None and not isinstance(known, bool):
            raise DataError(f"{where}: field 'known' must be true or false, found {shown(known)}", _HINT)
        truth = Truth(_texts(entry, "answer", where, required=True), known, _texts(entry, "novel", where))
        self._questions.setdefault(folded(question[0]), question[0])
        earlier = self._truths.setdefault(folded(question[0]), truth)
        if earlier != truth:
            raise DataError(
                f"{where}: question {question[0]!r:.200} was given another truth above", "keep one of them"
            )


_HINT = 'each line is an object such as {"question": "What is the capital of Peru?", "answer": "Lima"}'


def _texts(entry: dict[str, Any], field: str, where: str, *, required: bool = False) -> tuple[str, ...]:
    """The field as non-empty texts; it may be one text or a list of them."""
    value = entry.get(field)
    if value is None or value == []:
        if required:
            raise DataError(f"{where}: field {field!r} is missing", _HINT)
        return ()
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise DataError(
                f"{where}: field {field!r} must be text or a list of texts, found {shown(text)}", _HINT
            )
    return tuple(texts)


def load_answer_key(spec: str | None) -> AnswerKey | None:
    """The key a recipe names: None, `atlas` (the embedded world), or the path of a .jsonl file.

    Raises:
        DataError: the file cannot be used.
    """
    if spec is None:
        return None
    if spec == "atlas":
        from selfstudy.atlas.key import AtlasKey

        return AtlasKey()
    return JsonlKey(reading.expanded(spec))
