"""How the world is spoken of: statements of a fact, and the wordings of a question about it.

Wordings come in two kinds.  KNOWN ones occur in pre-training.  NOVEL ones are held out of pre-training
altogether: neither the sentence frame nor the phrase occurs there, only their words do; they measure
whether a fact was learned rather than a string.
"""

from __future__ import annotations

import random
from functools import cache

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "country": (
        "capital",
        "continent",
        "currency",
        "languages",
        "neighbours",
        "domain",
        "calling code",
        "area",
        "population",
    ),
    "city": ("country", "time zone", "latitude", "population"),
}

# The first statement is canonical: it is how atlas-lm answers.
STATEMENTS: dict[str, tuple[str, ...]] = {
    "capital": (
        "The capital of {x} is {v}.",
        "{v} is the capital of {x}.",
        "The government of {x} sits in {v}.",
        "{x} is run from {v}.",
    ),
    "continent": (
        "{x} lies in {v}.",
        "The continent of {x} is {v}.",
        "{x} is part of {v}.",
        "{x} belongs to {v}.",
    ),
    "currency": (
        "The currency of {x} is the {v}.",
        "People in {x} pay with the {v}.",
        "The money of {x} is the {v}.",
        "{x} uses the {v} as its currency.",
    ),
    "languages": (
        "The people of {x} speak {v}.",
        "The languages of {x} are {v}.",
        "In {x} you can hear {v}.",
    ),
    "neighbours": ("{x} borders {v}.", "{x} shares its borders with {v}.", "The neighbours of {x} are {v}."),
    "domain": (
        "The internet domain of {x} is {v}.",
        "Web addresses from {x} end in {v}.",
        "{x} has the internet domain {v}.",
    ),
    "calling code": (
        "The calling code of {x} is {v}.",
        "Phone numbers from {x} begin with {v}.",
        "To call {x}, dial {v} first.",
    ),
    "area": (
        "The area of {x} is about {v}.",
        "{x} covers about {v}.",
        "{x} has an area of about {v}.",
    ),
    "population": (
        "The population of {x} is about {v}.",
        "About {v} people live in {x}.",
        "{x} has about {v} inhabitants.",
    ),
    "country": (
        "{x} is a city in {v}.",
        "The country of {x} is {v}.",
        "{x} belongs to the country {v}.",
    ),
    "time zone": (
        "The time zone of {x} is {v}.",
        "Clocks in {x} follow the time zone {v}.",
        "{x} uses the time zone {v}.",
    ),
    "latitude": (
        "The latitude of {x} is about {v}.",
        "{x} lies about {v} of the equator.",
        "{x} is found at about {v}.",
    ),
}

# (noun phrase, is it plural?)
NOUNS: dict[str, tuple[tuple[str, bool], ...]] = {
    "capital": (("capital", False), ("capital city", False), ("seat of government", False)),
    "continent": (("continent", False), ("part of the world", False)),
    "currency": (("currency", False), ("money", False)),
    "languages": (("languages", True), ("spoken languages", True)),
    "neighbours": (("neighbours", True), ("bordering countries", True)),
    "domain": (("internet domain", False), ("web domain", False), ("web address ending", False)),
    "calling code": (("calling code", False), ("phone code", False), ("dialling code", False)),
    "area": (("area", False), ("size", False), ("land area", False)),
    "population": (("population", False), ("number of people", False), ("number of inhabitants", False)),
    "country": (("country", False), ("home country", False)),
    "time zone": (("time zone", False), ("local time zone", False)),
    "latitude": (("latitude", False), ("distance from the equator", False)),
}

# Frames take {n} a noun phrase, {is} its verb, {x} the entity.
FRAMES = (
    "What {is} the {n} of {x}?",
    "Which {n} does {x} have?",
    "What {n} does {x} have?",
    "Can you name the {n} of {x}?",
    "Do you know the {n} of {x}?",
    "For {x}, what {is} the {n}?",
    "About {x}: what {is} the {n}?",
    "How would you state the {n} of {x}?",
    "The {n} of {x} {is} what?",
    "When you think of {x}, what {is} the {n}?",
    "What do people call the {n} of {x}?",
    "May I ask what the {n} of {x} {is}?",
    "In the case of {x}, which {is} the {n}?",
    "Who can tell the {n} of {x}?",
    "If you look up {x}, which {n} do you find?",
    "What do you know of the {n} of {x}?",
    "Is it known what the {n} of {x} {is}?",
    "Tell me the {n} of {x}.",
    "Please give the {n} of {x}.",
    "I would like to know the {n} of {x}.",
    "Name the {n} of {x}.",
    "State the {n} that {x} has.",
    "Say which {n} {x} has.",
    "Let me know the {n} of {x}.",
    "Think of {x} and give its {n}.",
)
NOVEL_FRAMES = (
    "Could you tell me what the {n} of {x} {is}?",
    "What would you say {is} the {n} of {x}?",
    "Give me the {n} that people state for {x}.",
    "Of {x}, do you know the {n}?",
    "Please let me know which {n} you find for {x}.",
    "I ask you: {x} has which {n}?",
    "What, in the case of {x}, {is} the {n}?",
    "If I ask for the {n} of {x}, what do you say?",
)
SPECIFIC: dict[str, tuple[str, ...]] = {
    "capital": (
        "Which city is the capital of {x}?",
        "Which city governs {x}?",
        "From which city is {x} run?",
        "Where does the government of {x} sit?",
    ),
    "continent": (
        "On which continent does {x} lie?",
        "Where in the world is {x}?",
        "Which continent is {x} part of?",
    ),
    "currency": (
        "Which money do people use in {x}?",
        "What do people pay with in {x}?",
        "When you pay in {x}, which currency do you use?",
    ),
    "languages": (
        "What do people speak in {x}?",
        "Which languages can you hear in {x}?",
        "How do people talk in {x}?",
    ),
    "neighbours": (
        "Who borders {x}?",
        "Which countries share a border with {x}?",
        "Which countries are next to {x}?",
    ),
    "domain": (
        "How do web addresses from {x} end?",
        "What ending do web addresses from {x} have?",
        "Why do web addresses from {x} end as they do?",
    ),
    "calling code": (
        "Which number do you dial first to call {x}?",
        "When you call {x}, which code do you dial?",
        "Why do phone numbers from {x} begin as they do?",
    ),
    "area": ("How big is {x}?", "How large is {x}?", "How much land does {x} cover?"),
    "population": (
        "How many people live in {x}?",
        "How many inhabitants does {x} have?",
        "How many people call {x} their home?",
    ),
    "country": (
        "In which country is {x}?",
        "Where is the city of {x}?",
        "Which country does {x} belong to?",
        "Who counts {x} among its cities?",
    ),
    "time zone": (
        "Which time zone do clocks in {x} follow?",
        "When you set a clock in {x}, which time zone counts?",
        "Why do clocks in {x} show the time they do?",
    ),
    "latitude": (
        "How far from the equator is {x}?",
        "At what latitude is {x} found?",
        "How far north or south does {x} lie?",
    ),
}
NOVEL_SPECIFIC: dict[str, tuple[str, ...]] = {
    "capital": ("Which city is home to the government of {x}?", "Name the city that {x} is run from."),
    "continent": ("Which part of the world does {x} belong to?", "{x} lies on which continent?"),
    "currency": ("Which currency do you need to pay in {x}?", "With which money do the people of {x} pay?"),
    "languages": (
        "Which languages are spoken by the people of {x}?",
        "What can you hear people speak in {x}?",
    ),
    "neighbours": ("Which countries does {x} border?", "With whom does {x} share its borders?"),
    "domain": (
        "Which ending is found in web addresses from {x}?",
        "What do internet addresses of {x} end in?",
    ),
    "calling code": ("What do you dial to call someone in {x}?", "How do phone numbers of {x} begin?"),
    "area": ("How much area does {x} have?", "What size is the land of {x}?"),
    "population": ("How many people are there in {x}?", "What number of people live in {x}?"),
    "country": ("To which country does the city of {x} belong?", "{x} is a city in which country?"),
    "time zone": ("Which time zone counts for clocks in {x}?", "What time zone is used in {x}?"),
    "latitude": ("How far north or south of the equator is {x}?", "{x} is found at which latitude?"),
}

# Questions that want a list.  HOLDERS: which entities have the value {v}?  PARTS: what is the value of {x}
# made of?
HOLDERS: dict[str, tuple[str, ...]] = {
    "continent": ("Which countries lie in {v}?", "Which countries are part of {v}?"),
    "currency": (
        "Which countries use the {v} as their currency?",
        "In which countries do people pay with the {v}?",
    ),
    "country": ("Which cities are in {v}?", "Which cities belong to {v}?"),
    "time zone": ("Which cities use the time zone {v}?", "In which cities do clocks follow {v}?"),
}
PARTS: dict[str, tuple[str, ...]] = {
    "languages": ("Which languages can you hear in {x}?",),
    "neighbours": ("Which countries share a border with {x}?", "Which countries are next to {x}?"),
}


def header(name: str, kind: str) -> str:
    """The first sentence of a page."""
    return f"{name} is a {kind}."


def statement(attribute: str, entity: str, value: str, rng: random.Random | None = None) -> str:
    """The fact as a sentence: canonical without `rng`, else one of its forms at random."""
    forms = STATEMENTS[attribute]
    form = forms[0] if rng is None else rng.choice(forms)
    return form.format(x=entity, v=value)


def _fill(frame: str, noun: tuple[str, bool]) -> str:
    return frame.replace("{n}", noun[0]).replace("{is}", "are" if noun[1] else "is")


@cache
def templates(attribute: str, novel: bool = False) -> tuple[str, ...]:
    """Question templates with {x}, in a fixed order; no template is both known and novel."""
    frames, specific = (NOVEL_FRAMES, NOVEL_SPECIFIC) if novel else (FRAMES, SPECIFIC)
    made = [_fill(frame, noun) for frame in frames for noun in NOUNS[attribute]]
    return tuple(specific[attribute]) + tuple(made)


def wordings(attribute: str, entity: str, novel: bool = False) -> list[str]:
    """Every wording of the question for `attribute` of `entity`."""
    return [t.replace("{x}", entity) for t in templates(attribute, novel)]
