"""What the sentences of the embedded world entail, exactly: a judge that is made of their templates.

    hypothesis                                   premise
    sentences of the world                       entails them if it states every one, in whatever form
    a question for a list, and one answer        "Which cities are in France? Lyon", as QAMPARI's are judged

A list is a set, and only the whole of it is the same.  What fits no template says nothing: as a premise it
entails nothing, as a hypothesis it is neutral.  It knows nothing of what is true, and of no model, so it can
judge what was trained with atlas-nli.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from selfstudy.atlas import language, world
from selfstudy.models.base import Progress

KIND = "kind"
"""What the first sentence of a page says of an entity, as one more attribute."""
_LONGEST = 400
"""Characters of a sentence (the world's longest has 97): a template takes quadratic time in them at worst."""
_TITLE = re.compile(r"^Title: .*$", re.MULTILINE)
_NAME = r"[^\W_a-z](?:(?!\b(?:is|are|has)\b)[^,;:?!])*"
"""No comma, or another clause might be a part of it."""
_COUNT = r"\d[\d.,]*(?: (?:thousand|million|billion))?"
_VALUES = {
    "languages": rf"{_NAME}(?:, {_NAME})*",
    "neighbours": rf"{_NAME}(?:, {_NAME})*",
    "domain": r"\.\w[\w.-]*",
    "calling code": r"\+\d[\d-]*",
    "population": _COUNT,
    "area": rf"{_COUNT} square kilometres",
    "latitude": r"\d+ degrees (?:north|south)",
    KIND: "|".join(language.ATTRIBUTES),
}
_LISTS = tuple(language.PARTS)


class Said(NamedTuple):
    """What a sentence says: the `attribute` of `entity` is `value`, the names of a list or one value.

    `part`: that these are among the names of the list, which may have more.
    """

    entity: str
    attribute: str
    value: frozenset[str]
    part: bool = False


Stated = Mapping[tuple[str, str], frozenset[frozenset[str]]]
"""By entity and attribute, the values that a text gives."""


class WorldEntailment:
    """Entailment between texts about the embedded world (contract: `models.base.EntailmentModel`)."""

    name = "the world's own sentences"

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """Of each (premise, hypothesis): entailment, contradiction or neutral.

        A contradiction gives an entity another value than every one that the premise gives it.
        """
        return [_label(premise, hypothesis) for premise, hypothesis in pairs]

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        """Shape (len(pairs), 2): 1 in the column of what it is, entailment or contradiction; neutral: 0.5."""
        rows = {"entailment": (1.0, 0.0), "contradiction": (0.0, 1.0), "neutral": (0.5, 0.5)}
        found = np.array([rows[label] for label in self.classes(pairs)], dtype=np.float64).reshape(-1, 2)
        if progress is not None:
            progress(len(pairs))
        return found


def _label(premise: str, hypothesis: str) -> str:
    claims, known = _hypothesis(hypothesis), stated(premise)
    labels = {_of_one(known, one) for one in claims}
    if "contradiction" in labels:
        return "contradiction"
    return "entailment" if labels == {"entailment"} else "neutral"


def _of_one(known: Stated, claim: Said | None) -> str:
    if claim is None:
        return "neutral"
    values = known.get((claim.entity, claim.attribute))
    if values is None:
        return "neutral"
    entailed = any(claim.value <= one for one in values) if claim.part else claim.value in values
    return "entailment" if entailed else "contradiction"


@lru_cache(maxsize=512)
def stated(text: str) -> Stated:
    """What a text says, a document with its title or several of them; a title says nothing."""
    found: defaultdict[tuple[str, str], set[frozenset[str]]] = defaultdict(set)
    for body in _TITLE.split(text):
        for sentence in sentences(body):
            if (one := said(sentence)) is not None:
                found[one.entity, one.attribute].add(one.value)
    return {key: frozenset(values) for key, values in found.items()}


@lru_cache(maxsize=2**14)
def _hypothesis(text: str) -> tuple[Said | None, ...]:
    text = " ".join(text.split())
    question, mark, item = text.partition("? ")
    if mark:
        return (answered(question + "?", item),)
    return tuple(said(one) for one in sentences(text))


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, without the full stop behind each; those of the names are none."""
    start, text = 0, " ".join(text.split())
    for stop in _stops().finditer(text):
        yield text[start : stop.start()]
        start = stop.end()
    if start < len(text):
        yield text[start:]


@cache
def _stops() -> re.Pattern[str]:
    """A full stop that ends a sentence: not that of "St. John's"."""
    short = {before for name in world.names() for before in name.split(". ")[:-1]}
    return re.compile("".join(rf"(?<!\b{re.escape(one)})" for one in sorted(short)) + r"\.(?: |$)")


def said(sentence: str) -> Said | None:
    """What a sentence (its full stop may be missing) says; None where it fits no template."""
    return _said(sentence.removesuffix(".")) if len(sentence) <= _LONGEST else None


@lru_cache(maxsize=2**16)
def _said(sentence: str) -> Said | None:
    return next(readings(sentence), None)


def readings(sentence: str) -> Iterator[Said]:
    """Everything that a sentence without its full stop can be read as: one thing, if names are names."""
    for attribute, literal, pattern in _templates():
        if literal in sentence and (match := pattern.fullmatch(sentence)):
            yield Said(match["x"], attribute, _value(attribute, match["v"]))


@lru_cache(maxsize=2**12)
def answered(question: str, item: str) -> Said | None:
    """What an item of a list says as the answer to a question; None where the question is none of ours."""
    item = item if item in world.by_name() else item.removesuffix(".")
    if len(question) > _LONGEST or not re.fullmatch(_NAME, item):
        return None
    for attribute, part, pattern in _questions():
        if match := pattern.fullmatch(question):
            if part:
                return Said(match["x"], attribute, frozenset({item}), part=True)
            return Said(item, attribute, frozenset({match["v"]}))
    return None


def _value(attribute: str, value: str) -> frozenset[str]:
    return frozenset(world.split_list(value) if attribute in _LISTS else [value])


@cache
def _templates() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Of every form its attribute, the words that it is looked up by, and its pattern."""
    forms = [(a, form) for a, of in language.STATEMENTS.items() for form in of]
    forms.append((KIND, language.header("{x}", "{v}")))
    return tuple(
        (attribute, max(re.split(r"\{.\}", form[:-1]), key=len), _pattern(attribute, form[:-1]))
        for attribute, form in forms
    )


@cache
def _questions() -> tuple[tuple[str, bool, re.Pattern[str]], ...]:
    """Of every question its attribute, whether it asks for parts of the value, and its pattern."""
    return tuple(
        (attribute, part, _pattern(attribute, form))
        for part, of in ((False, language.HOLDERS), (True, language.PARTS))
        for attribute, forms in of.items()
        for form in forms
    )


def _pattern(attribute: str, form: str) -> re.Pattern[str]:
    value = _VALUES.get(attribute, _NAME)
    return re.compile(
        re.escape(form).replace(r"\{x\}", f"(?P<x>{_NAME})", 1).replace(r"\{v\}", f"(?P<v>{value})", 1)
    )
