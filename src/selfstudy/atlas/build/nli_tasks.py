"""Pairs of sentences for atlas-nli: do these two say the same, exclude each other, or neither?

Values are drawn at random, so a model that learns from these pairs learns the language and no facts.
A pair is symmetric but for negations and items of a list.  This file knows nothing of tokenizers or models.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from selfstudy.atlas import language, world
from selfstudy.atlas.build.invented import invented_names

LABELS = ("entailment", "neutral", "contradiction")
HELD_OUT_SHARE = 0.25

# Forms beside those of language.py: EXTRA ones are trained, NOVEL ones are only ever tested.
EXTRA: dict[str, tuple[str, ...]] = {
    "capital": ("{x} has the capital {v}.", "{x} has its seat of government in {v}."),
    "continent": ("{x} is found in {v}.", "In the world, {x} is in {v}."),
    "currency": ("In {x} people use the {v}.", "To pay in {x} you need the {v}."),
    "languages": (
        "People in {x} talk in {v}.", "{v} can be heard in {x}.", "The spoken languages of {x} are {v}.",
    ),
    "neighbours": (
        "Next to {x} are {v}.", "{x} has borders with {v}.", "The bordering countries of {x} are {v}.",
    ),
    "domain": ("The web domain of {x} is {v}.", "{v} is where web addresses from {x} end."),
    "calling code": ("{v} is the code to call {x}.", "The phone code of {x} is {v}."),
    "area": ("The land of {x} has a size of about {v}.", "With about {v}, that is the size of {x}."),
    "population": ("{x} is home to about {v} people.", "The number of people in {x} is about {v}."),
    "country": (
        "{x} lies in the country {v}.", "The home country of {x} is {v}.", "{v} counts {x} among its cities.",
    ),
    "time zone": ("The local time zone of {x} is {v}.", "A clock in {x} shows the time of {v}."),
    "latitude": ("{x} has the latitude {v}.", "You find {x} about {v} of the equator."),
    "kind": ("{x} counts as a {v}.",),
}  # fmt: skip
NOVEL: dict[str, tuple[str, ...]] = {
    "capital": ("The seat of government of {x} is {v}.", "It is from {v} that {x} is run."),
    "continent": ("The part of the world that {x} belongs to is {v}.",),
    "currency": ("With the {v} you pay in {x}.", "The {v} is the money that {x} has."),
    "languages": ("What you can hear in {x} is {v}.", "{x} is home to people who speak {v}."),
    "neighbours": ("{x} is next to {v}.", "{v} share a border with {x}."),
    "domain": ("An address on the web from {x} will end in {v}.",),
    "calling code": ("If you call {x}, begin with {v}.", "{x} has the dialling code {v}."),
    "area": ("The size of {x} is about {v}.", "About {v} is what {x} covers."),
    "population": ("{x} counts about {v} people.", "The inhabitants of {x} number about {v}."),
    "country": ("The city of {x} is found in {v}.",),
    "time zone": ("In {x}, clocks show {v}.", "For {x} the time zone {v} counts."),
    "latitude": ("About {v} is where {x} lies.",),
    "kind": ("We know {x} as a {v}.",),
}
KIND = "kind"  # the header sentence of a page, as one more attribute
NEGATED = {
    "capital": "The capital of {x} is not {v}.",
    "continent": "{x} does not lie in {v}.",
    "currency": "The currency of {x} is not the {v}.",
    "domain": "The internet domain of {x} is not {v}.",
    "calling code": "The calling code of {x} is not {v}.",
    "population": "The population of {x} is not {v}.",
    "country": "{x} is not a city in {v}.",
    "time zone": "The time zone of {x} is not {v}.",
}
REFUSALS = (
    "The document does not say.", "I do not know.", "The text does not say.", "I do not know that.",
    "I cannot say.", "That is not known.", "No answer.", "There is no such place.",
    "Sorry.", "I am not sure.",
)  # fmt: skip
PAGE_LINES = (1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 7, 9)  # statements of a page beside the one that counts
ITEM_SHARE = 0.07
QUESTIONS = {
    **language.HOLDERS,
    **{key: (*forms, *language.templates(key)) for key, forms in language.PARTS.items()},
}
"""Questions that a list answers, by the attribute whose statement says an item of it."""
_NAMED = ("capital", "continent", "currency", "domain", "country", "time zone")
_LISTS = {"languages": 3, "neighbours": 4}
_UNITS = ("", " thousand", " million", " billion")


@dataclass(frozen=True, slots=True)
class Claim:
    """`attribute` of `entity` is `value` (a tuple of names for lists), true or not."""

    entity: str
    attribute: str
    value: str | tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        return self.entity, self.attribute


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """Two texts, what the second is to the first, and which kind of pair and attribute it is."""

    first: str
    second: str
    label: str
    what: str
    attribute: str


@cache
def pools(held_out: bool) -> dict[str, tuple[str, ...]]:
    """Names by what they name, either those for training or those never in a training pair.

    Keys: the attributes made of names, plus "city" and "country" for what a statement is about.
    """
    everything: dict[str, set[str]] = {"city": set(), "country": set()}
    for entity in world.entities():
        everything[entity.kind].add(entity.name)
        for fact in entity.facts:
            found = world.names_in(fact.attribute, fact.value)
            everything.setdefault(fact.attribute, set()).update(found)
    kept = held_out_names()
    return {
        key: tuple(sorted(n for n in names if (n in kept) == held_out))
        for key, names in sorted(everything.items())
        if names
    }


@cache
def held_out_names() -> frozenset[str]:
    """A quarter of all names: those of withheld entities, then others, a quarter of each attribute's."""
    chosen = {e.name for e in world.entities() if not e.known}
    by_attribute: dict[str, set[str]] = {}
    for fact in world.facts():
        by_attribute.setdefault(fact.attribute, set()).update(world.names_in(fact.attribute, fact.value))
    for entity in world.entities():
        by_attribute.setdefault(entity.kind, set()).add(entity.name)
    rng = random.Random("atlas-nli held out")
    for _, names in sorted(by_attribute.items()):
        left = sorted(names - chosen)
        wanted = max(2, round(HELD_OUT_SHARE * len(names))) - len(names & chosen) if names else 0
        chosen.update(rng.sample(left, min(len(left), max(0, wanted))))
    return frozenset(chosen)


class Speaker:
    """Draws claims, words them and pairs them.  All draws come from the one `rng` it is given.

    `held_out` chooses the names, `novel` words one side of each pair in forms that training never shows.
    """

    def __init__(self, rng: random.Random, held_out: bool = False, novel: bool = False) -> None:
        self.rng, self.held_out, self.novel = rng, held_out, novel
        self.names = pools(held_out)

    # -- claims ---------------------------------------------------------------------------------------
    def entity(self, kind: str) -> str:
        if not self.held_out and self.rng.random() < 0.03:  # spelled in pieces: names outside the world
            return self.rng.choice(invented_names())
        return self.rng.choice(self.names[kind])

    def attribute(self, kind: str) -> str:
        extra = (KIND,) if self.rng.random() < 0.3 else ()
        attributes: list[str] = [*language.ATTRIBUTES[kind], *extra]
        return self.rng.choice(attributes)

    def claim(
        self, kind: str | None = None, attribute: str | None = None, entity: str | None = None
    ) -> Claim:
        kind = kind or self.rng.choice(("country", "country", "city"))
        attribute = attribute or self.attribute(kind)
        return Claim(entity or self.entity(kind), attribute, self.value(attribute))

    def value(self, attribute: str) -> str | tuple[str, ...]:
        rng = self.rng
        if attribute in _LISTS:
            return tuple(rng.sample(self.names[attribute], rng.randint(1, _LISTS[attribute])))
        if attribute == KIND:
            return rng.choice(("city", "country"))
        if attribute in _NAMED:
            return rng.choice(self.names[attribute])
        if attribute == "calling code":
            area = f"-{rng.randint(100, 999)}" if rng.random() < 0.2 else ""
            return f"+{rng.randint(1, 10 ** rng.randint(1, 3) - 1)}{area}"
        if attribute == "latitude":
            return f"{rng.randint(0, 90)} degrees {rng.choice(('north', 'south'))}"
        return self.number() + (" square kilometres" if attribute == "area" else "")

    def number(self) -> str:
        rng = self.rng
        if rng.random() < 0.06:  # exact figures, as other texts give them
            return f"{rng.randint(1, 10 ** rng.randint(4, 9)):,}"
        digits = rng.random()
        if digits < 0.4:
            text = f"{rng.randint(1, 9)}.{rng.randint(1, 9)}"
        elif digits < 0.75:
            text = str(rng.randint(1, 99))
        elif digits < 0.94:
            text = str(10 * rng.randint(10, 99))
        else:
            text = rng.choice((str(rng.randint(100, 999)), f"{rng.randint(10, 99)}.{rng.randint(1, 9)}"))
        return text + rng.choice(_UNITS)

    def other_value(self, claim: Claim) -> Claim:
        """The same claim with another value, often one that is nearly the same."""
        for _ in range(20):
            near = self.rng.random() < 0.6
            value = self._near(claim.value, claim.attribute) if near else self.value(claim.attribute)
            if _meaning(value) != _meaning(claim.value):
                return replace(claim, value=value)
        raise AssertionError(f"no other value for {claim}")  # every attribute has at least two values

    def _near(self, value: str | tuple[str, ...], attribute: str) -> str | tuple[str, ...]:
        rng = self.rng
        if isinstance(value, tuple):
            names, at, how = list(value), rng.randrange(len(value)), rng.random()
            if how < 0.35 and len(names) > 1:
                del names[at]
            elif how < 0.7:
                names[at] = rng.choice(self.names[attribute])
            else:
                names.insert(at, rng.choice(self.names[attribute]))
            return tuple(dict.fromkeys(names))
        if not any(c.isdigit() for c in value):
            return self.value(attribute)
        number, *rest = value.split(" ", 1)
        tail = f" {rest[0]}" if rest else ""
        places = [i for i, c in enumerate(number) if c.isdigit()]
        how = rng.random()
        if how < 0.45:  # one digit differs
            at = rng.choice(places)
            number = number[:at] + rng.choice("123456789") + number[at + 1 :]
        elif how < 0.6 and len(places) > 1:  # two digits change places
            i, j = rng.sample(places, 2)
            swapped = list(number)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            number = "".join(swapped)
        elif attribute == "latitude":
            tail = tail.replace("north", "?").replace("south", "north").replace("?", "south")
        elif attribute == "calling code":
            number += rng.choice("123456789")
        elif how < 0.75:  # 1.2 and 12
            number = number.replace(".", "") if "." in number else ".".join((number[0], number[1:] or "5"))
        else:
            unit = next(u for u in reversed(_UNITS) if u in tail)
            other = rng.choice([u for u in _UNITS if u != unit])
            tail = tail.replace(unit, other, 1) if unit else other + tail
        return number + tail

    # -- words ----------------------------------------------------------------------------------------
    def say(self, claim: Claim, novel: bool = False) -> str:
        """The claim in one of its forms; lists in any order."""
        value = claim.value
        if isinstance(value, tuple):
            names = self.rng.sample(value, len(value))
            value = names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
        return self.rng.choice(_forms(claim.attribute, novel)).format(x=claim.entity, v=value)

    def page(self, about: Claim, keys: set[tuple[str, str]], lines: int) -> list[str]:
        """Statements that say nothing of any of `keys`; mostly about the same entity."""
        kind = _kind(about.attribute)
        said: list[str] = []
        taken = set(keys)
        other = self.entity(kind) if self.rng.random() < 0.3 else about.entity
        for _ in range(lines):
            claim = self.claim(kind, entity=self.rng.choice((about.entity, other)))
            if claim.key not in taken:
                taken.add(claim.key)
                said.append(self.say(claim))
        return said

    # -- pairs ----------------------------------------------------------------------------------------
    def pair(self, easy: bool = False) -> LabelledPair:
        """A random pair; `easy` ones are single statements only, or items against them."""
        what = self.rng.random()
        if what < ITEM_SHARE and not self.novel:
            return self.item()
        if easy or self.novel or what < 0.61:
            return self.statements()
        if what < 0.86:
            return self.with_page()
        if what < 0.96:
            return self.odd()
        return self.negation()

    def second(self, claim: Claim) -> tuple[Claim | None, str, str]:
        """A claim to set against `claim`, its label, and the kind of pair."""
        rng, label = self.rng, self.rng.random()
        if label < 0.34:
            return claim, "entailment", "same"
        if label < 0.68:
            return self.other_value(claim), "contradiction", "other value"
        kind, how = _kind(claim.attribute), rng.random()
        if how < 0.6:
            entity = self._unlike(lambda: self.entity(kind), claim.entity)
            value = claim.value if how < 0.32 else self.value(claim.attribute)
            what = "other entity, same value" if value == claim.value else "other entity"
            return Claim(entity, claim.attribute, value), "neutral", what
        kind = kind if claim.attribute not in ("population", KIND) else rng.choice(("city", "country"))
        attribute = self._unlike(lambda: self.attribute(kind), claim.attribute)
        if how < 0.66 and isinstance(claim.value, str) and claim.attribute in ("capital", "country"):
            attribute = "country" if claim.attribute == "capital" else "capital"
            return Claim(claim.value, attribute, claim.entity), "neutral", "other attribute"
        if how < 0.92:
            return self.claim(kind, attribute, claim.entity), "neutral", "other attribute"
        return self.claim(kind, attribute), "neutral", "both differ"

    def _unlike(self, draw: Callable[[], str], *ones: str) -> str:
        while (other := draw()) in ones:
            pass
        return other

    def statements(self) -> LabelledPair:
        claim = self.claim()
        other, label, what = self.second(claim)
        assert other is not None
        first = self.say(claim)
        second = first if what == "same" and self.rng.random() < 0.1 else self.say(other, self.novel)
        return self._either(first, second, label, what, claim.attribute)

    def with_page(self) -> LabelledPair:
        claim = self.claim()
        other, label, what = self.second(claim)
        assert other is not None
        lines = self.page(claim, {claim.key, other.key}, self.rng.choice(PAGE_LINES))
        if label != "neutral" or self.rng.random() < 0.7:
            lines.insert(self.rng.randint(0, len(lines)), self.say(other))
        lines = lines or [self.say(other)]
        return self._either(self.say(claim), " ".join(lines), label, f"page, {what}", claim.attribute)

    def odd(self) -> LabelledPair:
        """A statement against what states nothing: refusals, questions, pieces, nothing at all."""
        rng, claim = self.rng, self.claim()
        first, how = self.say(claim), rng.random()
        if how < 0.3:
            second = rng.choice(REFUSALS)
        elif how < 0.6:
            kind = _kind(claim.attribute)
            attribute = claim.attribute
            if attribute == KIND or rng.random() < 0.3:
                attribute = rng.choice(language.ATTRIBUTES[kind])
            entity = claim.entity if rng.random() < 0.8 else self.entity(kind)
            second = rng.choice(language.wordings(attribute, entity))
        elif how < 0.75:
            words = self.say(replace(claim, value=self._unlike_value(claim))).split()
            second = " ".join(rng.sample(words, rng.randint(0, min(4, len(words)))))
        elif how < 0.85:
            second = rng.choice(("", ".", "-", "...", "The", "It is", claim.entity, claim.entity + ".", "?"))
        else:  # cut off before the value
            second = language.STATEMENTS.get(claim.attribute, EXTRA[KIND])[0].split("{v}")[0]
            second = second.format(x=claim.entity).strip()
        if rng.random() < 0.1:
            return LabelledPair(second, second, "entailment", "odd, identical", "none")
        return self._either(first, second, "neutral", "odd", claim.attribute)

    def _unlike_value(self, claim: Claim) -> str | tuple[str, ...]:
        return self.other_value(claim).value

    def negation(self) -> LabelledPair:
        """Not Y against Y (contradiction), Z which is not Y (entailment), and the ways around."""
        rng = self.rng
        attribute = rng.choice(sorted(NEGATED))
        claim = self.claim(_kind(attribute), attribute)
        never = NEGATED[attribute].format(x=claim.entity, v=claim.value)
        how = rng.random()
        if how < 0.45:
            return self._either(self.say(claim), never, "contradiction", "negation", attribute)
        other = self.other_value(claim)
        if how < 0.6:
            return LabelledPair(never, never, "entailment", "negation", attribute)
        if how < 0.75:
            return LabelledPair(self.say(other), never, "entailment", "negation", attribute)
        if how < 0.9:
            return LabelledPair(never, self.say(other), "neutral", "negation", attribute)
        elsewhere = replace(claim, entity=self._unlike(lambda: self.entity("country"), claim.entity))
        return self._either(self.say(elsewhere), never, "neutral", "negation", attribute)

    def item(self) -> LabelledPair:
        """A statement, then a question for a list with one item: does the statement say that it is one?"""
        rng = self.rng
        attribute = rng.choice(sorted(QUESTIONS))
        told = self.claim(_kind(attribute), attribute)
        label, what, how = "neutral", "item, other attribute", rng.random()
        if how < 0.9:
            of, item = told.entity, rng.choice(_names(told))
            draws = lambda: self.entity(_kind(attribute)), lambda: rng.choice(self.names[attribute])
            if attribute in language.HOLDERS:
                of, item, draws = item, of, draws[::-1]
            if how < 0.45:
                label, what = "entailment", "item, same"
            elif how < 0.63:
                what, item = "item, other name", self._unlike(draws[1], item, *_names(told))
            elif how < 0.78:
                what, of = "item, other entity", self._unlike(draws[0], of)
            elif how < 0.83 and attribute in language.HOLDERS:
                what, of, item = "item, exchanged", item, of
            else:
                other = self._unlike(lambda: self.attribute(_kind(attribute)), attribute)
                told = self.claim(_kind(attribute), other, told.entity)
        else:  # the same names, of which another thing is said
            other = self._unlike(lambda: rng.choice((*_NAMED, *_LISTS)), attribute)
            told = self.claim(_kind(other), other)
            of, item = rng.sample((told.entity, rng.choice(_names(told))), 2)
        question = rng.choice(QUESTIONS[attribute]).format(x=of, v=of)
        second = f"{question} {item}{rng.choice(('', '', '.'))}"
        return LabelledPair(self.say(told), second, label, what, attribute)

    def _either(self, first: str, second: str, label: str, what: str, attribute: str) -> LabelledPair:
        if self.rng.random() < 0.5:
            first, second = second, first
        return LabelledPair(first, second, label, what, attribute)


def _kind(attribute: str) -> str:
    """What has it; countries where both have."""
    return "city" if attribute in language.ATTRIBUTES["city"][:3] else "country"


def _names(claim: Claim) -> tuple[str, ...]:
    return claim.value if isinstance(claim.value, tuple) else (claim.value,)


def _meaning(value: str | tuple[str, ...]) -> object:
    return frozenset(value) if isinstance(value, tuple) else value


@cache
def _forms(attribute: str, novel: bool) -> tuple[str, ...]:
    if novel:
        return NOVEL[attribute]
    return (*language.STATEMENTS.get(attribute, ("{x} is a {v}.",)), *EXTRA[attribute])


def texts() -> list[str]:
    """All words that are not names or numbers, for the tokenizer."""
    blank = {"{x}": "", "{v}": ""}
    found = [*REFUSALS, "north south degrees thousand million billion square kilometres and city country"]
    found += [form for forms in QUESTIONS.values() for form in forms]
    for attribute in (*EXTRA,):
        found += [*_forms(attribute, False), *_forms(attribute, True), NEGATED.get(attribute, "")]
        if attribute in language.NOUNS:
            found += [*language.templates(attribute), *language.templates(attribute, novel=True)]
    return [" ".join(_without(text, blank).split()) for text in found]


def _without(text: str, blank: dict[str, str]) -> str:
    for old, new in blank.items():
        text = text.replace(old, new)
    return text
