"""A library of our own world in which pages contradict each other, and others are out of date; by seed.

Every entity has its page, dated within one year.  Beside them stand, about a tenth of all pages each,

    contradicting   a copy of a page, in other words and at another host, with one fact changed.  Its date is
                    the same, a year earlier, three months later, or unknown, as often each.  Of eight such
                    pages four stand alone; three have against them a second page with the right value, and
                    one has on its side a second page with the wrong one, at a host of its own
    outdated        a copy that is five years older, with the value that (in this world) was true then

A changed value is that of another entity, and shares no part with the true one.  Knows nothing of runs.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import product
from pathlib import Path

from selfstudy.atlas import language, world

SHARE = 0.13
"""Of the entities, for each kind: with the supporting pages that is a tenth of all pages."""
DATES = {"same": 0, "earlier": -365, "later": 90, "undated": None}
ALLIES = ("none",) * 4 + ("right",) * 3 + ("wrong",)
YEARS = 5
WITHHELD, LEARNED = 200, 500
TODAY = "2026-11-28"


@dataclass(frozen=True)
class Changed:
    """A fact that two pages state in two ways.

    Attributes:
        question: asks for it; `right` and `false`: what the pages say.
        kind: of the false page: "outdated", or its date and its ally, such as "later, none".
        known: whether atlas-lm may know the fact.
    """

    question: str
    right: str
    false: str
    kind: str
    known: bool


@dataclass(frozen=True)
class Untouched:
    """A fact that one page states."""

    question: str
    right: str


@dataclass(frozen=True)
class Conflicting:
    """The rows of the library, and what to ask.

    Attributes:
        withheld, learned: what one page states, and what atlas-lm never saw and has seen.
    """

    rows: list[dict[str, str]]
    changed: list[Changed]
    untouched: list[Untouched]
    withheld: list[Untouched]
    learned: list[Untouched]


def conflicting(seed: int, *, share: float = SHARE) -> Conflicting:
    """The library of a seed."""
    rng = random.Random(f"conflicting:{seed}")
    entities = list(world.entities())
    days = {entity.name: date(2025, 1, 1) + timedelta(days=rng.randrange(365)) for entity in entities}
    rows = [_row("encyclopedia.example", entity, days[entity.name], rng) for entity in entities]
    count = round(share * len(entities))
    chosen = rng.sample(entities, 2 * count)
    kinds = list(product(DATES, ALLIES))
    rng.shuffle(kinds)
    changed = []
    for number, entity in enumerate(chosen):
        day, fact = days[entity.name], rng.choice(entity.facts)
        false = _false(fact, rng)
        wrong = _with(entity, fact.attribute, false)
        if number < count:
            dated, ally = kinds[number % len(kinds)]
            kind, shift = f"{dated}, {ally}", DATES[dated]
            there = None if shift is None else day + timedelta(days=shift)
            rows.append(_row("notes.example", wrong, there, rng))
            if shift is None:  # then nobody is dated
                rows[entities.index(entity)]["date"] = ""
            if ally != "none":
                rows.append(_row("gazette.example", entity if ally == "right" else wrong, there, rng))
                if ally == "right":
                    rows[-1]["date"] = "" if shift is None else day.isoformat()
        else:
            kind = "outdated"
            rows.append(_row("archive.example", wrong, day.replace(year=day.year - YEARS, day=1), rng))
        question = rng.choice(language.wordings(fact.attribute, fact.entity))
        changed.append(Changed(question, fact.value, false, kind, fact.known))
    rest = [entity for entity in entities if entity not in chosen]
    facts = [rng.choice(entity.facts) for entity in rng.sample(rest, min(len(rest), 2 * count))]
    untouched = [
        Untouched(rng.choice(language.wordings(fact.attribute, fact.entity)), fact.value) for fact in facts
    ]
    rng.shuffle(rows)
    withheld, learned = (
        _agreed(rest, seed, known, most) for known, most in ((False, WITHHELD), (True, LEARNED))
    )
    return Conflicting(rows, changed, untouched, withheld, learned)


def _agreed(entities: Sequence[world.Entity], seed: int, known: bool, most: int) -> list[Untouched]:
    rng = random.Random(f"conflicting, {'learned' if known else 'withheld'}:{seed}")
    facts = [fact for entity in entities for fact in entity.facts if fact.known == known]
    return [
        Untouched(rng.choice(language.wordings(fact.attribute, fact.entity)), fact.value)
        for fact in rng.sample(facts, min(len(facts), most))
    ]


def write(rows: Sequence[dict[str, str]], path: Path) -> Path:
    """As a library file, one page a line."""
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path


def _row(host: str, entity: world.Entity, day: date | None, rng: random.Random) -> dict[str, str]:
    name = entity.name.replace(" ", "-")
    return {
        "title": entity.name,
        "text": world.page(entity, rng),
        "source": f"https://{host}/{entity.kind}/{name}",
        "date": "" if day is None else day.isoformat(),
    }


def _with(entity: world.Entity, attribute: str, value: str) -> world.Entity:
    facts = tuple(replace(f, value=value) if f.attribute == attribute else f for f in entity.facts)
    return replace(entity, facts=facts)


def _false(fact: world.Fact, rng: random.Random) -> str:
    """The value of another entity that shares no part with the true one."""
    parts = set(_parts(fact))
    values = sorted({f.value for f in world.facts() if f.attribute == fact.attribute and f.kind == fact.kind})
    possible = [v for v in values if not parts & set(_parts(replace(fact, value=v)))]
    return rng.choice(possible)


def _parts(fact: world.Fact) -> Iterator[str]:
    if fact.attribute in ("languages", "neighbours"):
        yield from world.split_list(fact.value)
    else:
        yield fact.value
