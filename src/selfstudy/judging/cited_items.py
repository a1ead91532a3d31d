"""A question, its numbered documents and what is gold, as ALCE has them (Gao et al. 2023, arXiv 2305.14627).

    asqa      qa_pairs: [{short_answers: [form, ...]}, ...]      a text that has to have each
    qampari   answers: [[form, ...], ...]                        a list, with commas between the items
    eli5      claims: [sentence, ...]                            a text that has to entail each
    plain     none of them (EXPERTQA): citations alone are judged

A text, not a list, may have references too: `annotations: [{long_answer}, ...]`, else `answer`.

Knows nothing of files; who reads a file says where a row stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from selfstudy.files.rows import MalformedError, shown, text_of
from selfstudy.judging.gold_answers import normal
from selfstudy.judging.trust import REFUSAL
from selfstudy.prompts import Prompts
from selfstudy.records import Chat

CitedKind = Literal["asqa", "qampari", "eli5", "plain"]
_FIELDS: dict[str, CitedKind] = {"qa_pairs": "asqa", "answers": "qampari", "claims": "eli5"}
PROMPTS = ("cite_answer", "cite_list")
"""How answers are asked for."""
_TITLE = "Title: "
_MARK = re.compile(r"\[(\d+)\]?")
"""What is read as one in an answer (`citations`)."""
_MOST = 1000
"""Documents of a question, gold answers, or forms of one."""
_LONGEST = 10_000
"""Characters of a question, which stands before every item of a list."""


@dataclass(frozen=True, slots=True)
class CitedItem:
    """One question.

    Attributes:
        documents: as a judge reads them ("Title: ...", a line, the text); [1] is the first.
        gold: of asqa and qampari, the forms of each answer; empty elsewhere.
        claims: of eli5; empty elsewhere.
        references: whole answers that somebody gave; empty where the row has none, and of qampari.
        found: of every document, whether it holds each gold answer or claim (`answers_found`); None where the
            row does not say.
    """

    question: str
    documents: tuple[str, ...]
    kind: CitedKind
    gold: tuple[tuple[str, ...], ...] = ()
    claims: tuple[str, ...] = ()
    found: tuple[tuple[int, ...], ...] | None = None
    references: tuple[str, ...] = ()

    @property
    def answerable(self) -> bool | None:
        """Whether the documents hold a gold answer; None where the row does not say."""
        return None if self.found is None else any(map(any, self.found))


def asked(item: CitedItem, prompts: Prompts) -> Chat:
    """How a model is asked: for a list (qampari) or for sentences, to cite, and to refuse in one sentence.

    Marks of citations in a document become round brackets: they are no marks of this answer's documents.
    """
    texts, lists = PROMPTS
    name = lists if item.kind == "qampari" else texts
    documents = "\n".join(_numbered(number, one) for number, one in enumerate(item.documents, 1))
    return prompts.chat(
        name, documents=documents or "(none)", question=" ".join(item.question.split()), refusal=REFUSAL
    )


def _numbered(number: int, document: str) -> str:
    """A document in one line, which none can leave to pass for the next one."""
    title, line, text = document.partition("\n")
    if line and title.startswith(_TITLE):
        document = f"{title.removeprefix(_TITLE)}: {text}"
    return f"[{number}] " + _MARK.sub(r"(\1)", " ".join(document.split()))


def read_item(row: Mapping[str, Any]) -> CitedItem:
    """The item of a row.

    Raises:
        MalformedError: the field, and what is wrong with it.
    """
    question = _filled(row.get("question"), "question")
    if len(question) > _LONGEST:
        raise MalformedError(
            f"field 'question' has {len(question):,} characters, and {_LONGEST:,} are the most"
        )
    documents = _list(row.get("docs"), "docs", empty=True)
    texts = tuple(_document(one, f"docs[{at}]") for at, one in enumerate(documents))
    named = [field for field in _FIELDS if row.get(field) is not None]
    if len(named) > 1:
        raise MalformedError(f"fields {' and '.join(map(repr, named))} both say what is gold: keep one")
    if not named:
        if any(isinstance(one, Mapping) and one.get("answers_found") for one in documents):
            raise MalformedError(
                f"field 'answers_found' says what documents hold of none of {', '.join(_FIELDS)}"
            )
        return CitedItem(question, texts, "plain", references=_references(row))
    (field,) = named
    values = _list(row[field], field)
    gold: tuple[tuple[str, ...], ...] = ()
    claims: tuple[str, ...] = ()
    if field == "claims":
        claims = tuple(_filled(one, f"claims[{at}]") for at, one in enumerate(values))
    elif field == "answers":
        gold = tuple(_forms(one, f"answers[{at}]") for at, one in enumerate(values))
    else:
        gold = tuple(_short_answers(one, f"qa_pairs[{at}]") for at, one in enumerate(values))
    found = _found(documents, len(gold) + len(claims))
    references = () if field == "answers" else _references(row)
    return CitedItem(question, texts, _FIELDS[field], gold, claims, found, references)


def _references(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What annotators wrote (ASQA has two), else `answer`; ALCE takes the first two, and here all count."""
    given = row.get("annotations")
    written = _list(given, "annotations", empty=True) if given is not None else []
    found = []
    for at, one in enumerate(written):
        if not isinstance(one, Mapping):
            raise MalformedError(f"field 'annotations[{at}]' must be an object, found {shown(one)}")
        found.append((one.get("long_answer"), f"annotations[{at}].long_answer"))
    texts = [text_of(value, field) for value, field in found if value is not None]
    if not texts and row.get("answer") is not None:
        texts = [text_of(row["answer"], "answer")]
    return tuple(text for text in texts if text.strip())


def _short_answers(pair: object, field: str) -> tuple[str, ...]:
    if not isinstance(pair, Mapping):
        raise MalformedError(f"field {field!r} must be an object, found {shown(pair)}")
    return _forms(pair.get("short_answers"), f"{field}.short_answers")


def _forms(value: object, field: str) -> tuple[str, ...]:
    """Those that say something: a form without a word ("The", "?") would be found in every text."""
    texts = [text_of(one, f"{field}[{at}]") for at, one in enumerate(_list(value, field))]
    forms = tuple(text for text in texts if normal(text))
    if not forms:
        raise MalformedError(f"field {field!r} has no form that says something, found {shown(value)}")
    return forms


def _document(value: object, field: str) -> str:
    """Its title and its text; a sentence that somebody picked from it stands in the place of the text."""
    if not isinstance(value, Mapping):
        raise MalformedError(f"field {field!r} must be an object, found {shown(value)}")
    name = "sent" if value.get("sent") is not None else "text"
    text = _filled(value.get(name), f"{field}.{name}")
    title = value.get("title")
    if title is None or not (head := text_of(title, f"{field}.title").strip()):
        return text
    return f"{_TITLE}{head}\n{text}"


def _found(documents: Sequence[object], gold: int) -> tuple[tuple[int, ...], ...] | None:
    """Of every document, 0 or 1 for every gold answer; None where none says, () without documents."""
    given = [one.get("answers_found") for one in documents if isinstance(one, Mapping)]
    if given and all(one is None for one in given):
        return None
    for at, one in enumerate(given):
        field = f"docs[{at}].answers_found"
        if one is None:
            raise MalformedError(f"field {field!r} is missing, and others have it")
        if not isinstance(one, list) or len(one) != gold or any(value not in (0, 1) for value in one):
            raise MalformedError(f"field {field!r} must be {gold} times 0 or 1, found {shown(one)}")
    return tuple(tuple(int(value) for value in one) for one in given if isinstance(one, list))


def _filled(value: object, field: str) -> str:
    if value is None:
        raise MalformedError(f"field {field!r} is missing")
    text = text_of(value, field)
    if not text.strip():
        raise MalformedError(f"field {field!r} is empty")
    return text


def _list(value: object, field: str, *, empty: bool = False) -> list[Any]:
    if value is None:
        raise MalformedError(f"field {field!r} is missing")
    if not isinstance(value, list):
        raise MalformedError(f"field {field!r} must be a list, found {shown(value)}")
    if not value and not empty:
        raise MalformedError(f"field {field!r} is an empty list")
    if len(value) > _MOST:
        raise MalformedError(f"field {field!r} has {len(value):,} entries, and {_MOST:,} are the most")
    return value
