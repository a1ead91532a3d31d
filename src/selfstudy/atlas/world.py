"""The embedded world: real facts about countries and cities, as data, pages and statements.

`world.json` is made from GeoNames (CC BY 4.0) by make_world.py.  Facts of *withheld* entities are in the
pages that ship as a library, but atlas-lm never saw them: it knows these entities by name only.
This file knows nothing of models or of how questions are worded (language.py does).
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from selfstudy.atlas import language
from selfstudy.records import Document


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is true: the `attribute` of `entity` is `value`."""

    entity: str
    kind: str
    attribute: str
    value: str
    known: bool


@dataclass(frozen=True, slots=True)
class Entity:
    """A country or a city; `known` says whether atlas-lm may have learned its facts."""

    name: str
    kind: str
    known: bool
    facts: tuple[Fact, ...]

    def fact(self, attribute: str) -> Fact | None:
        return next((f for f in self.facts if f.attribute == attribute), None)


@cache
def entities() -> tuple[Entity, ...]:
    """Every entity of the world, cities first, by name."""
    data = json.loads(resources.files(__package__).joinpath("world.json").read_text(encoding="utf-8"))
    return tuple(
        Entity(
            name=e["name"],
            kind=e["kind"],
            known=e["known"],
            facts=tuple(Fact(e["name"], e["kind"], a, v, e["known"]) for a, v in e["facts"].items()),
        )
        for e in data["entities"]
    )


@cache
def by_name() -> dict[str, Entity]:
    return {e.name: e for e in entities()}


def facts(known: bool | None = None) -> list[Fact]:
    """All facts, or the known or withheld ones."""
    return [f for e in entities() for f in e.facts if known is None or f.known == known]


def names() -> list[str]:
    """Every proper name of the world (entities and values), sorted."""
    found = {e.name for e in entities()}
    for fact in facts():
        found.update(names_in(fact.attribute, fact.value))
    return sorted(found)


def names_in(attribute: str, value: str) -> list[str]:
    """The proper names that a value is made of."""
    if attribute in ("languages", "neighbours"):
        return split_list(value)
    if attribute in ("capital", "continent", "currency", "domain", "country", "time zone"):
        return [value]
    return []


def split_list(value: str) -> list[str]:
    """["A", "B", "C"] of "A, B and C"; names that hold "and" themselves are kept whole."""
    if value in by_name():
        return [value]
    parts = value.split(", ")
    for cut in re.finditer(" and ", parts[-1]):
        left, right = parts[-1][: cut.start()], parts[-1][cut.end() :]
        if parts[-1] not in by_name() and _whole(left) and _whole(right):
            return [*parts[:-1], left, right]
    return parts


def _whole(name: str) -> bool:
    return name in by_name() or " and " not in name


def page(entity: Entity, rng: random.Random, most: int | None = None) -> str:
    """An encyclopedia page: a sentence that names the entity, then its facts in random order and wording."""
    chosen = list(entity.facts)
    rng.shuffle(chosen)
    lines = [language.header(entity.name, entity.kind)]
    for fact in chosen[:most]:
        lines.append(language.statement(fact.attribute, fact.entity, fact.value, rng))
    return " ".join(lines)


def documents() -> list[Document]:
    """The library that ships: one page per entity, always the same."""
    return [
        Document(
            source=f"atlas:{e.kind}/{e.name}",
            title=e.name,
            text=page(e, random.Random(f"page:{e.kind}:{e.name}")),
        )
        for e in entities()
    ]
