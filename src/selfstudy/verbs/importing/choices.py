"""Multiple choice: the text of the right option, from a letter, a number, or the text itself.

A number alone does not say whether options count from 0 or from 1.  The file as a whole often does: a 0
occurs, or the number of options does (`number_evidence`, which `convert.Survey` puts together).  Where it
does not, the row is refused: half of all lessons would be wrong.  Knows nothing of records or files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selfstudy.files.rows import MalformedError, shown, text_of
from selfstudy.text import folded, nfkc
from selfstudy.verbs.importing import columns
from selfstudy.verbs.importing.option_layouts import in_columns, in_one_line, in_text

_SHOWN = 26
_QUOTES = "'\""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARK = re.compile(r"\s*+\(?\s*+([^\W_]{1,2})\s*+(?:[).:]|$)\s*")
"""A letter or number in front of an option: "B", "(B)", "b.", "B) ohm"."""
_LABEL_KEYS, _TEXT_KEYS = ("label", "key", "id", "letter"), ("text", "value", "content", "option")


@dataclass(frozen=True, slots=True)
class Option:
    """One option: what it is called ("B", "2"), and its text."""

    label: str
    text: str


def has_options(row: Mapping[str, Any]) -> bool:
    """Whether a row is a multiple choice."""
    return bool(columns.filled(row, columns.OPTIONS) or _are_options(row) or in_columns(row))


def _are_options(row: Mapping[str, Any]) -> bool:
    """Whether a list of answers is what is chosen from, as a number or letter beside it tells."""
    beside = [row[name] for name in columns.filled(row, columns.OPTION_NAMED) if name != "label"]
    several = isinstance(row.get("answers"), list) and len(row["answers"]) > 1
    return several and any(_number(value) is not None or str(value).strip().isalpha() for value in beside)


def right_option(row: Mapping[str, Any], counts_from: int | None = None) -> str:
    """The text of the option that the row calls right: see `right_choice`."""
    return right_choice(row, counts_from).text


def right_choice(row: Mapping[str, Any], counts_from: int | None = None) -> Option:
    """The option that the row calls right.

    Args:
        counts_from: the number of the first option in this file, 0 or 1; None: the file does not tell.

    Raises:
        MalformedError: options or answer are missing or of the wrong kind, there is no such option, or the
            answer may mean more than one.
    """
    options, fields = _options(row), _answer_fields(row)
    if not fields:
        raise MalformedError(f"field 'answer' is missing; the options are {_listed(options)}")
    meant = {name: _meant(_single(row[name], name), name, options, row, counts_from) for name in fields}
    both = set.intersection(*meant.values())
    if len(both) == 1:
        right = both.pop()
        return next(option for option in options if option.text == right)
    name, said = fields[0], shown(row[fields[0]])
    if not both:
        each = ", ".join(
            f"{name!r} means {' or '.join(map(repr, sorted(one)))}" for name, one in meant.items()
        )
        raise MalformedError(f"the answers differ: {each}")
    raise MalformedError(
        f"field {name!r}: {said} may mean {' or '.join(map(repr, sorted(both)))}"
        + (" (counted from 0 or from 1?)" if _number(row[name]) is not None else "")
        + ": write the text of the right option"
    )


def number_evidence(row: Mapping[str, Any]) -> list[int]:
    """[0] if a row's number can only count from 0, [1] if only from 1; empty if it does not tell."""
    try:
        options = _options(row)
    except MalformedError:
        return []
    found = []
    for name in _answer_fields(row):
        value = row[name]
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        number = _number(value)
        as_text = isinstance(value, str) or _has_numbers(row)
        words = [o.label for o in options] + ([o.text for o in options] if as_text else [])
        if number is not None and not any(_same(word, str(value)) for word in words):
            found += [0] if number == 0 else [1] if number == len(options) else []
    return found


def _options(row: Mapping[str, Any]) -> list[Option]:
    name, value = _given_options(row)
    if isinstance(value, str):
        value = in_one_line(value) or in_text(value) or value
    if isinstance(value, dict) and isinstance(value.get("text"), list):  # ARC
        labels = value.get("label")
        texts = [_option_text(text, f"{name}.text") for text in value["text"]]
        if labels is None:
            return _named(texts)
        if not isinstance(labels, list) or len(labels) != len(texts):
            raise MalformedError(f"{name}: {len(texts)} texts need as many labels, found {shown(labels)}")
        return [
            Option(_option_text(one, f"{name}.label"), text) for one, text in zip(labels, texts, strict=True)
        ]
    if isinstance(value, dict):
        given = {
            label: text for label, text in value.items() if text is not None
        }  # Parquet fills up with None
        return [Option(str(label), _option_text(text, f"{name}.{label}")) for label, text in given.items()]
    if isinstance(value, list):
        return _listed_options(value, name)
    raise MalformedError(f"field {name!r} must be a list or an object of options, found {shown(value)}")


def _given_options(row: Mapping[str, Any]) -> tuple[str, Any]:
    """Where the options stand, and what stands there."""
    name = columns.only(row, columns.OPTIONS)
    if name is not None:
        return name, row[name]
    if _are_options(row):
        return "answers", row["answers"]
    if found := in_columns(row):
        return "options", found
    raise MalformedError("there are no options")


def _listed_options(value: Sequence[Any], name: str) -> list[Option]:
    if not all(isinstance(item, dict) for item in value):
        return _named([_option_text(item, f"{name}[{i}]") for i, item in enumerate(value)])
    found = []
    for i, item in enumerate(value):
        label = next((item[key] for key in _LABEL_KEYS if item.get(key) is not None), _label(i))
        text = next((item[key] for key in _TEXT_KEYS if item.get(key) is not None), None)
        if text is None and len(item) == 1:  # {"A": "volt"}
            label, text = next(iter(item.items()))
        found.append(Option(str(label), _option_text(text, f"{name}[{i}]")))
    return found


def _named(texts: Sequence[str]) -> list[Option]:
    """Texts in order: A, B, C ..., or as they name themselves ("A) volt", "B) ohm")."""
    marks = [_MARK.match(text) for text in texts]
    labels = [mark[1].upper() if mark else "" for mark in marks]
    for own in (_LETTERS, "123456789"):
        if len(texts) > 1 and labels == list(own[: len(texts)]):
            rest = [text[mark.end() :].strip() for text, mark in zip(texts, marks, strict=True) if mark]
            if all(rest):
                return [Option(label, text) for label, text in zip(labels, rest, strict=True)]
    return [Option(_label(i), text) for i, text in enumerate(texts)]


def _label(index: int) -> str:
    return _LETTERS[index] if index < len(_LETTERS) else str(index + 1)


def _option_text(value: object, field: str) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    text = text_of(value, field).strip()
    if not text:
        raise MalformedError(f"{field} is empty")
    return text


def _has_numbers(row: Mapping[str, Any]) -> bool:
    """Whether the options are numbers, so that a number as the answer may be one of them."""
    _, value = _given_options(row)
    return any(
        isinstance(item, int | float) for item in (value.values() if isinstance(value, dict) else value)
    )


def _answer_fields(row: Mapping[str, Any]) -> list[str]:
    """Where the right option stands; other names may be notes, so one counts only where nothing else does."""
    names = {name.lower(): name for name, value in row.items() if value is not None and value != ""}
    if _are_options(row):
        names.pop("answers")
    found = [names[name] for name in columns.OPTION_ANSWER if name in names]
    return found or [names[name] for name in columns.OPTION_NAMED if name in names][:1]


def _single(value: object, field: str) -> object:
    if isinstance(value, dict) and isinstance(value.get("text"), list | str):
        value = value["text"]
    if isinstance(value, list):
        if len(value) != 1:
            raise MalformedError(f"field {field!r} must name one option, found {shown(value)}")
        value = value[0]
    return value


def _meant(
    value: object, field: str, options: Sequence[Option], row: Mapping[str, Any], counts_from: int | None
) -> set[str]:
    """The texts that an answer may stand for: one, or several where it can be read in several ways."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise MalformedError(f"field {field!r} must name an option, found {shown(value)}")
    said, number = nfkc(str(value)).strip(), _number(value)
    labels = {o.text for o in options if _same(o.label, said)}
    texts = {o.text for o in options if o.text == said} or {o.text for o in options if _same(o.text, said)}
    if number is None or isinstance(value, str):
        found = labels | texts or _marked(said, options)
    elif labels or counts_from is None or _has_numbers(row):
        found = labels | (texts if _has_numbers(row) or counts_from is None else set())
    else:
        found = set()
    if number is not None and not labels and (not found or not isinstance(value, str)):
        found = found | _numbered(number, options, counts_from)
    if not found:
        raise MalformedError(f"field {field!r}: {shown(value)} is not one of the options {_listed(options)}")
    return found


def _marked(said: str, options: Sequence[Option]) -> set[str]:
    """Options that "(B)", "B)" or "B) ohm" stands for; what follows the letter must be that option's text."""
    mark = _MARK.match(said)
    if mark is None:
        return set()
    rest = folded(said[mark.end() :].rstrip(" ).:"))
    return {o.text for o in options if _same(o.label, mark[1]) and rest in ("", folded(o.text))}


def _numbered(number: int, options: Sequence[Option], counts_from: int | None) -> set[str]:
    starts = [counts_from] if counts_from is not None else [0, 1]
    return {options[number - start].text for start in starts if 0 <= number - start < len(options)}


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and re.fullmatch(r"\s*\d{1,3}\s*", value) else None


def _same(one: str, other: str) -> bool:
    return folded(nfkc(one)) == folded(nfkc(other))


def _listed(options: Sequence[Option]) -> str:
    listed = [f"{shown(o.label).strip(_QUOTES)}: {shown(o.text)}" for o in options[:_SHOWN]]
    return ", ".join([*listed, "..."] if len(options) > _SHOWN else listed)
