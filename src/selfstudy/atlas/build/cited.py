"""Questions about the embedded world with documents, in ALCE's layout, and answers that cite by rule.

    factoid   (asqa)      one to three things asked of an entity, or one each of two; a sentence for each
    list      (qampari)   which entities have a value, or what the value of an entity is made of; items
    claim     (eli5)      what there is to tell of an entity; three sentences

An answer cites every document that states it; lists and claims follow the documents.  Where the evidence is
withheld, documents that hold a gold answer have others in their place, none mentions a gold answer, and
the answer is the refusal.  Rows are plain data, as `judging.cited_items.read_item` reads them.

Internet domains are never asked for: as a gold answer "fr" would be found in "from".
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Any, Literal

from selfstudy.atlas import language, world
from selfstudy.atlas.build.draw import TELL, Draw, listed
from selfstudy.atlas.build.invented import invented_names
from selfstudy.atlas.build.judge_tasks import noun, request
from selfstudy.judging.gold_answers import normal
from selfstudy.judging.trust import REFUSAL
from selfstudy.text import contains

KINDS = ("factoid", "list", "claim")
SPLITS = {"train": range(7), "dev": range(7, 8), "test": range(8, 10)}
"""Tenths of all names, by a hash of the name."""
_UNASKED = ("domain",)
_SHORTEST = 3
"""Characters of a short answer in normal form: a shorter one is found in other words."""
_DOCUMENTS = (3, 4, 4, 5)
_MOST = 4
"""Statements of a document."""
_AGAIN = 0.35
"""How often a second document states some of what is asked."""
_SAME_ENTITY = 0.3
"""How often a question for one entity has a document about it that does not answer."""
_UNITS = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_TRIES = 1000
TRUTH = 0.2
"""Share of questions about true facts, as atlas-lm is trained."""


def cited_rows(
    count: int,
    seed: int,
    *,
    kinds: Sequence[str] = KINDS,
    unanswerable: float = 0.25,
    entities: Literal["any", "known", "unseen"] = "any",
    truth: float = TRUTH,
    names: Literal["all", "train", "dev", "test"] = "all",
) -> list[dict[str, Any]]:
    """Rows with question, docs, one of qa_pairs, answers and claims, and `output`: the right answer.

    The first rows of a longer list are those of a shorter one.  Kinds take turns.

    Args:
        unanswerable: share, of each kind, of questions whose evidence is withheld.
        entities: what documents are about: the world's and some invented ones, those that atlas-lm knows, or
            made-up names in several tokens, as the world has none.
        truth: share of questions whose documents state true facts, of known entities alone, as atlas-lm is
            trained; all others state random values.  Of unseen entities nothing is true.
        names: which of the names documents may be about: two of train (seven tenths), dev (one) and test
            (two) have none in common, whatever the seeds.  Values are not told apart, but for a country
            whose cities are asked for.

    Raises:
        ValueError: an argument is out of its range.
    """
    if count < 0 or not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"count = {count}, kinds = {kinds!r}: give 0 or more, and some of {KINDS}")
    if not (0 <= unanswerable <= 1 and 0 <= truth <= 1):
        raise ValueError(f"unanswerable = {unanswerable}, truth = {truth}: give 0 to 1")
    writer = _Writer(Draw(random.Random()), entities, 0.0 if entities == "unseen" else truth, names)
    rows = []
    for number in range(count):
        writer.d.rng = random.Random(f"cited {seed} {number}")
        turn, at = divmod(number, len(kinds))
        withheld = int((turn + 1) * unanswerable) > int(turn * unanswerable)
        rows.append(writer.row(kinds[at], withheld))
    return rows


def cited_row(
    d: Draw, kind: str, *, withheld: bool, names: Literal["all", "train", "dev", "test"]
) -> dict[str, Any]:
    """One row by the draw's own randomness, otherwise as in `cited_rows`."""
    return _Writer(d, "any", TRUTH, names).row(kind, withheld)


def in_split(name: str, names: str) -> bool:
    """Whether a name is one of a split (`SPLITS`, or "all")."""
    return names == "all" or hashlib.sha256(name.encode()).digest()[0] * 10 // 256 in SPLITS[names]


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a document is about, and all that there is to say of it."""

    name: str
    kind: str
    facts: dict[str, str]

    def askable(self) -> list[str]:
        return [a for a, v in sorted(self.facts.items()) if a not in _UNASKED and len(normal(v)) >= _SHORTEST]


@dataclass(frozen=True, slots=True)
class _Page:
    """A document: which attributes of its subject it states."""

    subject: _Subject
    attributes: tuple[str, ...]

    def holds(self, wanted: tuple[str, str]) -> bool:
        return wanted[0] == self.subject.name and wanted[1] in self.attributes


@dataclass(frozen=True, slots=True)
class _Plot:
    """A question and its evidence.

    Attributes:
        wanted: of every gold answer the entity and the attribute that a document has to state.
        said: what the answer says for each: a sentence, or an item of a list.
        gold: the field of the row that says what is gold.
        hidden: texts that no document has where the evidence is withheld.
        distractor: draws a document that holds no gold answer.
    """

    question: str
    wanted: tuple[tuple[str, str], ...]
    said: tuple[str, ...]
    gold: dict[str, Any]
    hidden: tuple[str, ...]
    evidence: tuple[_Page, ...]
    distractor: Callable[[], _Page]


@dataclass
class _Writer:
    """Draws rows; `d.rng` is replaced for each."""

    d: Draw
    entities: str
    truth: float
    names: str

    def __post_init__(self) -> None:
        self._pools, self._invented = _pools(self.names), _invented(self.names)

    def row(self, kind: str, withheld: bool) -> dict[str, Any]:
        plots = {"factoid": self.factoid, "list": self.list_of, "claim": self.claim}
        for _ in range(_TRIES):
            plot = plots[kind]()
            row = plot and self._assembled(plot, withheld)
            if row:
                return row
        raise AssertionError(f"no question of kind {kind} in {_TRIES} tries")  # one in some fails

    # -- questions --------------------------------------------------------------------------------------
    def factoid(self) -> _Plot | None:
        """One to three attributes of one entity, or one each of two."""
        rng, true = self.d.rng, self._true()
        one = self.subject(self._kind(), true)
        how = rng.choice(("one", "one", "several", "two"))
        if how == "two":
            other = self.subject(self._kind(), true)
            if other.name == one.name or not (one.askable() and other.askable()):
                return None
            wanted = [(s, rng.choice(s.askable())) for s in (one, other)]
            (_, first), (_, second) = wanted
            question = f"Tell me the {noun(first)} of {one.name} and the {noun(second)} of {other.name}."
            evidence = [self.page(s, [a], rng.randint(0, 2)) for s, a in wanted]
        else:
            most = 1 if how == "one" else rng.choice((2, 2, 3))
            asked = rng.sample(one.askable(), min(most, len(one.askable())))
            if not asked:
                return None
            wanted = [(one, a) for a in asked]
            question = (
                self.d.question(asked[0], one.name) if len(asked) == 1 else request(rng, asked, one.name)
            )
            evidence = self.evidence(one, asked, spare=True)
        asked = [a for _, a in wanted]

        def distractor() -> _Page:
            if how != "two" and rng.random() < _SAME_ENTITY:
                rest = [a for a in one.facts if a not in asked]
                return self.page(one, [], rng.randint(1, 3), among=rest)
            return self.other(rng.choice(wanted)[0].kind, true, asked)

        forms = [_forms(a, s.facts[a]) for s, a in wanted]
        return _Plot(
            question,
            tuple((s.name, a) for s, a in wanted),
            tuple(language.statement(a, s.name, s.facts[a]) for s, a in wanted),
            {
                "qa_pairs": [
                    {"question": language.templates(a)[0].replace("{x}", s.name), "short_answers": of}
                    for (s, a), of in zip(wanted, forms, strict=True)
                ]
            },
            tuple(form for of in forms for form in of),
            tuple(evidence),
            distractor,
        )

    def list_of(self) -> _Plot | None:
        """Which entities have a value, or what the value of an entity is made of."""
        return self._holders() if self.d.rng.random() < 0.6 else self._parts()

    def _holders(self) -> _Plot | None:
        rng, true = self.d.rng, self._true()
        attribute = rng.choice(("country", "country", *language.HOLDERS))
        kind = next(k for k, of in language.ATTRIBUTES.items() if attribute in of)
        first = self.subject(kind, true)
        if attribute not in first.facts:
            return None
        value = first.facts[attribute]
        if attribute == "country" and not true:
            value = self.name("country")
        if value == first.name or (attribute == "country" and not self._own(value)):
            return None
        subjects = [first, *self._alike(first, attribute, value, true, rng.choice((0, 1, 1, 2)))]
        subjects = [_Subject(s.name, s.kind, s.facts | {attribute: value}) for s in subjects]
        if len({s.name for s in subjects}) < len(subjects):
            return None
        evidence = [self.page(s, [attribute], rng.randint(0, 2)) for s in subjects]

        def distractor() -> _Page:
            while True:
                page = self.other(kind, true, [attribute])
                if page.subject.facts.get(attribute) != value:
                    return page

        return _Plot(
            rng.choice(language.HOLDERS[attribute]).replace("{v}", value),
            tuple((s.name, attribute) for s in subjects),
            tuple(s.name for s in subjects),
            {"answers": [[s.name] for s in subjects]},
            tuple(s.name for s in subjects),
            tuple(evidence),
            distractor,
        )

    def _alike(
        self, first: _Subject, attribute: str, value: str, true: bool, most: int
    ) -> Iterator[_Subject]:
        """Others that have the value: if it has to be true, as many as there are."""
        if not true:
            yield from (self.subject(first.kind, False) for _ in range(most))
            return
        found = [
            self._truly(e)
            for e in self._pools[first.kind]
            if e.known and e.name != first.name and (f := e.fact(attribute)) is not None and f.value == value
        ]
        yield from self.d.rng.sample(found, min(most, len(found)))

    def _parts(self) -> _Plot | None:
        rng, true = self.d.rng, self._true()
        attribute = rng.choice(tuple(language.PARTS))
        one = self.subject("country", true)
        items = world.split_list(one.facts.get(attribute, ""))
        if len(items) < 2 or one.name in items:
            return None
        return _Plot(
            rng.choice(language.PARTS[attribute]).replace("{x}", one.name),
            ((one.name, attribute),) * len(items),
            tuple(items),
            {"answers": [[item] for item in items]},
            tuple(items),
            tuple(self.evidence(one, [attribute], spare=True)),
            lambda: self.other("country", true, [attribute]),
        )

    def claim(self) -> _Plot | None:
        """All that documents say of an entity: three facts."""
        rng, true = self.d.rng, self._true()
        one = self.subject(self._kind(), true)
        told = [a for a in sorted(one.facts) if a not in _UNASKED]
        if len(told) < 3:
            return None
        asked = rng.sample(told, 3)
        claims = [language.statement(a, one.name, one.facts[a]) for a in asked]
        return _Plot(
            TELL.format(x=one.name),
            tuple((one.name, a) for a in asked),
            tuple(claims),
            {"claims": claims},
            (one.name,),
            tuple(self.evidence(one, asked, spare=False)),
            lambda: self.other(one.kind, true, asked),
        )

    # -- documents ----------------------------------------------------------------------------------------
    def evidence(self, one: _Subject, asked: list[str], *, spare: bool) -> list[_Page]:
        """Documents that state what is asked, all in one or shared out; `spare`: and other things."""
        rng = self.d.rng
        cut = rng.randint(1, len(asked) - 1) if len(asked) > 1 and rng.random() < 0.5 else len(asked)
        parts = [part for part in (asked[:cut], asked[cut:]) if part]
        rest = [a for a in one.facts if a not in asked] if spare else []
        return [self.page(one, part, rng.choice((0, 0, 1, 2)), among=rest) for part in parts]

    def page(self, one: _Subject, stated: list[str], more: int, among: Sequence[str] | None = None) -> _Page:
        """A document that states these attributes, and at most `more` of others."""
        rest = [a for a in (one.facts if among is None else among) if a not in stated]
        more = min(more, len(rest), _MOST - len(stated))
        attributes = [*stated, *self.d.rng.sample(sorted(rest), more)]
        self.d.rng.shuffle(attributes)
        return _Page(one, tuple(attributes))

    def other(self, kind: str, true: bool, asked: Sequence[str]) -> _Page:
        """A document about something else of this kind, most often with some of the same attributes."""
        rng, one = self.d.rng, self.subject(kind, true)
        same = sorted({a for a in asked if a in one.facts})
        stated = rng.sample(same, rng.randint(1, len(same))) if same and rng.random() < 0.8 else []
        return self.page(one, stated, rng.randint(0 if stated else 1, 2))

    def _text(self, page: _Page) -> str:
        one, rng = page.subject, self.d.rng
        lines = [language.statement(a, one.name, one.facts[a], rng) for a in page.attributes]
        if len(lines) < _MOST and rng.random() < 0.3:
            lines.insert(0, language.header(one.name, one.kind))
        return " ".join(lines)

    def _assembled(self, plot: _Plot, withheld: bool) -> dict[str, Any] | None:
        """The row; None where it does not come out, which the next draw will."""
        rng = self.d.rng
        pages = [] if withheld else list(plot.evidence)
        if pages and rng.random() < _AGAIN:  # something asked is stated twice
            first = rng.choice(pages)
            pages.append(self.page(first.subject, [rng.choice(_asked(first, plot))], 0))
        count = max(rng.choice(_DOCUMENTS), len(pages) + 1)
        taken, tried = {name for name, _ in plot.wanted}, 0
        while len(pages) < count and tried < _TRIES:
            tried += 1
            page = plot.distractor()
            name = page.subject.name
            same = any(page.subject is other.subject for other in plot.evidence)
            mentioned = withheld and any(
                contains(f"{name}. {self._statements(page)}", one) for one in plot.hidden
            )
            if not page.attributes or (name in taken and not same) or mentioned or page in pages:
                continue
            taken.add(name)
            pages.append(page)
        if len(pages) < count:
            return None
        rng.shuffle(pages)
        texts = [self._text(page) for page in pages]
        if len(set(texts)) < count:
            return None
        docs = [
            {
                "title": page.subject.name,
                "text": text,
                "answers_found": [int(page.holds(one)) for one in plot.wanted],
            }
            for page, text in zip(pages, texts, strict=True)
        ]
        output = REFUSAL if withheld else _answer(plot, pages)
        return {"question": plot.question, "docs": docs, **plot.gold, "output": output}

    def _statements(self, page: _Page) -> str:
        """What it says, in no random form."""
        return " ".join(
            language.statement(a, page.subject.name, page.subject.facts[a]) for a in page.attributes
        )

    # -- entities -----------------------------------------------------------------------------------------
    def _true(self) -> bool:
        return self.d.rng.random() < self.truth

    def _own(self, name: str) -> bool:
        return in_split(name, self.names)

    def _kind(self) -> str:
        return self.d.rng.choice(("country", "country", "city"))

    def subject(self, kind: str, true: bool) -> _Subject:
        if true:
            return self._truly(self.d.rng.choice([e for e in self._pools[kind] if e.known]))
        return _Subject(self.name(kind), kind, {a: self.d.value(a) for a in language.ATTRIBUTES[kind]})

    def _truly(self, entity: world.Entity) -> _Subject:
        return _Subject(entity.name, entity.kind, {f.attribute: f.value for f in entity.facts})

    def name(self, kind: str) -> str:
        """A name that a document may be about."""
        if self.entities == "unseen":
            while True:
                made = self.d.strange()
                if made not in _worldly() and self._own(made):
                    return made
        if self.entities == "any" and self.d.rng.random() < 0.2:
            return self.d.rng.choice(self._invented)
        return self.d.rng.choice([e.name for e in self._pools[kind] if e.known or self.entities == "any"])


@cache
def _pools(names: str) -> dict[str, list[world.Entity]]:
    """The world's entities of a split, by kind."""
    return {
        kind: [one for one in world.entities() if one.kind == kind and in_split(one.name, names)]
        for kind in language.ATTRIBUTES
    }


@cache
def _invented(names: str) -> list[str]:
    return [one for one in invented_names() if in_split(one, names)]


@cache
def _worldly() -> frozenset[str]:
    return frozenset({*world.names(), *invented_names()})


def _asked(page: _Page, plot: _Plot) -> list[str]:
    return [a for a in page.attributes if any(one == (page.subject.name, a) for one in plot.wanted)]


def _answer(plot: _Plot, pages: Sequence[_Page]) -> str:
    """What is said, each with the documents that state it; lists and claims in the order of these."""

    def place(wanted: tuple[str, str]) -> tuple[int, int]:
        at, page = next((at, page) for at, page in enumerate(pages) if page.holds(wanted))
        return at, page.attributes.index(wanted[1])

    parts = list(zip(plot.wanted, plot.said, strict=True))
    if "qa_pairs" not in plot.gold:
        parts.sort(key=lambda part: place(part[0]))
    marked = [
        (said, "".join(f"[{at}]" for at, page in enumerate(pages, 1) if page.holds(one)))
        for one, said in parts
    ]
    if "answers" in plot.gold:
        return ", ".join(f"{item} {of}" for item, of in marked) + "."
    return " ".join(f"{said[:-1]} {of}." for said, of in marked)


def _forms(attribute: str, value: str) -> list[str]:
    """A value and what else it may be called: a list in any order, a number in digits."""
    if attribute in language.PARTS:
        names = world.split_list(value)
        return [value, *(f for p in permutations(names) if (f := listed(list(p))) != value)]
    number, _, rest = value.partition(" ")
    unit, _, rest = rest.partition(" ")
    if attribute in ("population", "area") and unit in _UNITS:
        digits = f"{round(float(number) * _UNITS[unit]):,}"
        return [value, f"{digits} {rest}".strip()]
    return [value]
