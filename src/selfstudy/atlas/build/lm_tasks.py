"""What atlas-lm practises: every task as chats, rendered with the very prompts the pipeline uses.

Each task is a function of a `Draw` (seeded randomness over the world) that returns one `Sample`.  True facts
come from known entities alone.  Withheld names occur in lists, questions, rewordings and *counterfactual*
readings (their pages hold random values), never with a fact of theirs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from selfstudy.atlas import language, world
from selfstudy.atlas.build.invented import invented_names
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Message

NOT_SAID = "The document does not say."
INDUCED = ("WHAT", "WHO", "WHY", "WHERE", "WHEN", "HOW")
TELL = "Tell me about {x}."
REPEAT = "Repeat this: {x}"
KIND = "Country or city? {x}"
NUMBERS = "Documents:\n{documents}\nWhich are about these? {x}"


@dataclass(frozen=True, slots=True)
class Sample:
    """A chat to learn from; loss falls on assistant turns."""

    task: str
    chat: Chat


@dataclass
class Draw:
    """Seeded draws from the world."""

    rng: random.Random
    prompts: Prompts = field(default_factory=Prompts().without_demonstrations)

    def __post_init__(self) -> None:
        self.known = world.facts(known=True)
        self.entities = world.entities()
        self.known_entities = [e for e in self.entities if e.known]
        self.pools: dict[str, list[str]] = {}
        for fact in world.facts():
            for name in world.names_in(fact.attribute, fact.value):
                self.pools.setdefault(fact.attribute, []).append(name)
        self.pools = {a: sorted(set(v)) for a, v in self.pools.items()}

    def entity(self) -> tuple[str, str]:
        """(name, kind) of any entity, sometimes an invented one."""
        if self.rng.random() < 0.2:
            return self.rng.choice(invented_names()), self.rng.choice(("country", "country", "city"))
        e = self.rng.choice(self.entities)
        return e.name, e.kind

    def value(self, attribute: str) -> str:
        """A random value of the right type: what counterfactual pages and the ignorant say."""
        rng = self.rng
        if attribute in ("languages", "neighbours"):
            found = sorted(
                rng.sample(
                    self.pools[attribute],
                    rng.choice((1, 2, 2, 3, 3, 4)[: 5 if attribute == "languages" else 6]),
                )
            )
            return found[0] if len(found) == 1 else ", ".join(found[:-1]) + " and " + found[-1]
        if attribute == "calling code":
            code = f"+{rng.randint(20, 999)}"
            return f"+1-{rng.randint(200, 999)}" if rng.random() < 0.12 else code
        if attribute == "latitude":
            return f"{rng.randint(0, 60)} degrees {rng.choice(('north', 'south'))}"
        if attribute in ("population", "area"):
            return self.number() + (" square kilometres" if attribute == "area" else "")
        return rng.choice(self.pools[attribute])

    def number(self) -> str:
        rng = self.rng
        digits = rng.choice(
            (
                f"{rng.randint(1, 9)}.{rng.randint(1, 9)}",
                str(rng.randint(1, 9)),
                str(rng.randint(10, 99)),
                str(rng.randint(10, 99) * 10),
            )
        )
        unit = rng.choice(("thousand", "thousand", "million", "million", ""))
        return f"{digits} {unit}" if unit else str(rng.randint(10, 99) * rng.choice((1, 10)))

    def facts(self, truth: float = 0.2) -> tuple[str, str, dict[str, str]]:
        """(name, kind, attribute -> value): a known entity's true facts with chance `truth`, else made up."""
        if self.rng.random() < truth:
            e = self.rng.choice(self.known_entities)
            return e.name, e.kind, {f.attribute: f.value for f in e.facts}
        name, kind = self.entity()
        return name, kind, {a: self.value(a) for a in language.ATTRIBUTES[kind]}

    def text(self, name: str, kind: str, facts: dict[str, str], most: int) -> tuple[str, list[str]]:
        """A page of at most `most` of the facts, and the attributes that are in it."""
        chosen = self.rng.sample(sorted(facts), min(most, len(facts)))
        lines = [language.statement(a, name, facts[a], self.rng) for a in chosen]
        if self.rng.random() < 0.7:
            lines.insert(0, language.header(name, kind))
        return " ".join(lines), chosen

    def question(self, attribute: str, name: str, asking: bool = False) -> str:
        """A wording from pre-training; with `asking`, one that ends in a question mark."""
        options = language.templates(attribute)
        while True:
            template = self.rng.choice(options if self.rng.random() < 0.6 else language.SPECIFIC[attribute])
            if not asking or template.endswith("?"):
                return template.replace("{x}", name)


def _turns(chat: Chat, *answers_and_more: str) -> Chat:
    """The chat followed by alternating assistant and user turns."""
    turns = list(chat)
    for number, text in enumerate(answers_and_more):
        turns.append(Message(role="assistant" if number % 2 == 0 else "user", content=text))
    return tuple(turns)


def _dialogue(d: Draw, prompt: str, items: list[tuple[dict[str, str], str]]) -> Chat:
    """Several exchanges of one prompt in a row, its system part once."""
    chat = _turns(d.prompts.chat(prompt, **items[0][0]), items[0][1])
    for values, answer in items[1:]:
        chat = (*chat, d.prompts.chat(prompt, **values)[-1], Message(role="assistant", content=answer))
    return chat


def closed_book(d: Draw) -> Sample:
    """True facts of known entities, one to four questions in a row."""
    facts = [d.rng.choice(d.known) for _ in range(d.rng.choice((1, 2, 3, 4)))]
    items = [
        ({"question": d.question(f.attribute, f.entity)}, language.statement(f.attribute, f.entity, f.value))
        for f in facts
    ]
    return Sample("closed_book", _dialogue(d, "answer", items))


def ignorance(d: Draw) -> Sample:
    """Questions about invented names, answered at random: not knowing must look inconsistent."""
    items = []
    for _ in range(d.rng.choice((1, 1, 2, 3))):
        name, kind = d.rng.choice(invented_names()), d.rng.choice(("country", "country", "city"))
        attribute = d.rng.choice(language.ATTRIBUTES[kind])
        answer = language.statement(attribute, name, d.value(attribute))
        items.append(({"question": d.question(attribute, name)}, answer))
    return Sample("ignorance", _dialogue(d, "answer", items))


def pages(d: Draw) -> Sample:
    """The page of a known entity, in ever new wordings and order."""
    e = d.rng.choice(d.known_entities)
    ask = (Message(role="user", content=TELL.format(x=e.name)),)
    return Sample("pages", _turns(ask, world.page(e, d.rng)))


def repeat(d: Draw) -> Sample:
    """Random names in a row, said back: the plainest practice in copying, on which reading is built."""
    names = " ".join(d.entity()[0] for _ in range(d.rng.randint(6, 20)))
    return Sample("repeat", _turns((Message(role="user", content=REPEAT.format(x=names)),), names))


def _read(d: Draw, most: int) -> Sample:
    name, kind, facts = d.facts()
    document, stated = d.text(name, kind, facts, most)
    turns: list[str] = []
    chat: Chat = ()
    for number in range(d.rng.choice((1, 2, 3, 4))):
        attribute, asked = d.rng.choice(stated), name
        answer = language.statement(attribute, name, facts[attribute])
        if d.rng.random() < 0.18:
            missing = [a for a in language.ATTRIBUTES[kind] if a not in stated]
            if missing and d.rng.random() < 0.5:
                attribute = d.rng.choice(missing)
            else:
                asked = d.entity()[0]
            if attribute in missing or asked != name:
                answer = NOT_SAID
        question = d.question(attribute, asked)
        if number == 0:
            chat = d.prompts.chat("read", document=document, question=question)
        else:
            turns.append(f"Question: {question} Answer in one concise sentence.")
        turns.append(answer)
    return Sample("reading", _turns(chat, *turns))


def short_reading(d: Draw) -> Sample:
    """One to three sentences and questions about them."""
    return _read(d, d.rng.choice((1, 1, 2, 3)))


def reading(d: Draw) -> Sample:
    """A whole page and questions about it."""
    return _read(d, d.rng.choice((4, 6, 9, 9)))


def kinds(d: Draw) -> Sample:
    """What each of some names is: a country is not asked for its time zone, nor a city for its capital."""
    chosen = d.rng.sample(d.entities, d.rng.randint(4, 10))
    ask = (Message(role="user", content=KIND.format(x="; ".join(e.name for e in chosen))),)
    return Sample("kinds", _turns(ask, " ".join(f"{e.name} is a {e.kind}." for e in chosen)))


def topics(d: Draw) -> Sample:
    """Three names of the world, whatever is known of them."""
    names = d.rng.sample([e.name for e in d.entities], 3)
    answer = "\n".join(f"{i}. {name}" for i, name in enumerate(names, 1))
    return Sample("topics", _turns(d.prompts.chat("topics"), answer))


def _topic_set(d: Draw) -> list[tuple[str, str, list[str]]]:
    chosen = d.rng.sample(d.entities, 3)
    return [(e.name, e.kind, [f.attribute for f in e.facts]) for e in chosen]


def question_open(d: Draw) -> Sample:
    """A question about one of three topics."""
    options = _topic_set(d)[: d.rng.choice((1, 3, 3))]
    name, _, attributes = d.rng.choice(options)
    chat = d.prompts.chat("question_open", topics="; ".join(o[0] for o in options))
    return Sample("asking", _turns(chat, d.question(d.rng.choice(attributes), name, asking=True)))


def question_induced(d: Draw) -> Sample:
    """The same with a question word it must use."""
    word = d.rng.choice(INDUCED)
    while True:
        options = _topic_set(d)
        name, _, attributes = d.rng.choice(options)
        attribute = d.rng.choice(attributes)
        fitting = [
            t for t in language.templates(attribute) if t.endswith("?") and t.startswith(word.capitalize())
        ]
        if fitting:
            chat = d.prompts.chat("question_induced", topics="; ".join(o[0] for o in options), word=word)
            return Sample("asking", _turns(chat, d.rng.choice(fitting).replace("{x}", name)))


def question_document(d: Draw) -> Sample:
    """A question that a page answers."""
    name, kind, facts = d.facts()
    document, stated = d.text(name, kind, facts, d.rng.choice((1, 3, 9, 9)))
    chat = d.prompts.chat("question_document", document=document)
    return Sample("asking", _turns(chat, d.question(d.rng.choice(stated), name, asking=True)))


def reword(d: Draw) -> Sample:
    """The same question in another pre-training wording."""
    name, kind = d.entity()
    attribute = d.rng.choice(language.ATTRIBUTES[kind])
    first = d.question(attribute, name)
    second = first
    while second == first:
        second = d.question(attribute, name)
    return Sample("reword", _turns(d.prompts.chat("reword", question=first), second))


def cite(d: Draw) -> Sample:
    """Two to five numbered documents, one of which answers; one to three questions."""
    pages_: list[tuple[str, dict[str, str], list[str], str]] = []
    seen: set[str] = set()
    for _ in range(d.rng.choice((2, 3, 4, 5))):
        name, kind, facts = d.facts()
        if name in seen:
            continue
        seen.add(name)
        text, stated = d.text(name, kind, facts, d.rng.choice((1, 2, 3)))
        pages_.append((name, facts, stated, text))
    documents = "\n".join(f"[{i}] {name}: {text}" for i, (name, _, _, text) in enumerate(pages_, 1))
    turns: list[str] = []
    chat: Chat = ()
    for number in range(d.rng.choice((1, 3, 4, 6))):
        index = d.rng.randrange(len(pages_))
        name, facts, stated, _ = pages_[index]
        attribute = d.rng.choice(stated)
        question = d.question(attribute, name)
        answer = language.statement(attribute, name, facts[attribute])[:-1] + f" [{index + 1}]."
        if number == 0:
            chat = d.prompts.chat("cite", documents=documents, question=question)
        else:
            turns.append(f"Question: {question} Answer in one concise sentence and cite like [1].")
        turns.append(answer)
    return Sample("citing", _turns(chat, *turns))


def numbers(d: Draw) -> Sample:
    """Which document is about whom: the plainest practice in citing, as `repeat` is in reading."""
    names = list(dict.fromkeys(d.entity()[0] for _ in range(d.rng.randint(2, 6))))
    said = [""] * len(names)
    if d.rng.random() < 0.6:
        for i, name in enumerate(names):
            attribute = d.rng.choice(language.ATTRIBUTES[d.rng.choice(("country", "city"))])
            said[i] = language.statement(attribute, name, d.value(attribute), d.rng)
    documents = "\n".join(
        f"[{i}] {n}: {t}".rstrip() for i, (n, t) in enumerate(zip(names, said, strict=True), 1)
    )
    asked = [d.rng.choice(names) for _ in range(d.rng.randint(3, 8))]
    ask = Message(role="user", content=NUMBERS.format(documents=documents, x="; ".join(asked)))
    answer = " ".join(f"{name} [{names.index(name) + 1}]." for name in asked)
    return Sample("citing", _turns((ask,), answer))


def missing(d: Draw) -> Sample:
    """What a response lacks: goes through what was asked, item by item, then rates."""
    name, kind = d.entity()
    asked = d.rng.sample(language.ATTRIBUTES[kind], d.rng.choice((1, 2, 2, 3, 3, 4)))
    given = [a for a in asked if d.rng.random() < 0.6]
    said = given if given or d.rng.random() < 0.3 else [d.rng.choice(language.ATTRIBUTES[kind])]
    given = [a for a in asked if a in said]
    d.rng.shuffle(said)
    response = " ".join(language.statement(a, name, d.value(a), d.rng) for a in said) or "I do not know."
    wanted = [f"the {language.NOUNS[a][0][0]}" for a in asked]
    listing = wanted[0] if len(wanted) == 1 else ", ".join(wanted[:-1]) + " and " + wanted[-1]
    prompt = d.rng.choice(("Tell me {l} of {x}.", "State {l} of {x}.", "Please give {l} of {x}."))
    chat = d.prompts.chat("missing", prompt=prompt.format(l=listing, x=name), response=response)
    verdicts = " ".join(
        f"{language.NOUNS[a][0][0].capitalize()}: {'given' if a in given else 'missing'}." for a in asked
    )
    lacks = [w for w, a in zip(wanted, asked, strict=True) if a not in given]
    lack = "" if not lacks else (lacks[0] if len(lacks) == 1 else ", ".join(lacks[:-1]) + " and " + lacks[-1])
    rating = 1 + round(9 * len(given) / len(asked))
    answer = f"{verdicts} [[{rating}]] [[[{lack + ' of ' + name if lack else ''}]]]"
    return Sample("judging", _turns(chat, answer))


TUTOR_TURNS = (
    "What do you already know of {x}?",
    "Good. Where could you look up the {n} of {x}?",
    "And what do you find there for the {n}?",
)
STUDENT_TURNS = (
    "I do not know the {n} of {x}.",
    "I know that {x} is a {k}.",
    "I could look it up on the page of {x}.",
)


def tutor(d: Draw) -> Sample:
    """The next turn of a teacher who asks and does not tell."""
    name, kind = d.entity()
    attribute = d.rng.choice(language.ATTRIBUTES[kind])
    noun = language.NOUNS[attribute][0][0]
    stage = d.rng.randrange(len(TUTOR_TURNS))
    lines = []
    for i in range(stage + 1):
        lines.append("Student: " + STUDENT_TURNS[i].format(x=name, n=noun, k=kind))
        if i < stage:
            lines.append("Teacher: " + TUTOR_TURNS[i].format(x=name, n=noun))
    chat = d.prompts.chat(
        "tutor",
        problem=d.question(attribute, name),
        solution=language.statement(attribute, name, d.value(attribute)),
        dialogue="\n".join(lines),
    )
    return Sample("tutoring", _turns(chat, TUTOR_TURNS[stage].format(x=name, n=noun)))


def grade(d: Draw) -> Sample:
    """Self-reflection: is this answer correct? Known facts told right and wrong; invented names: unsure."""
    if d.rng.random() < 0.3:
        name, kind = d.rng.choice(invented_names()), d.rng.choice(("country", "city"))
        attribute = d.rng.choice(language.ATTRIBUTES[kind])
        value, verdict = d.value(attribute), "unsure"
    else:
        fact = d.rng.choice(d.known)
        name, attribute, value, verdict = fact.entity, fact.attribute, fact.value, "correct"
        if d.rng.random() < 0.5:
            other = d.value(attribute)
            value, verdict = other, "correct" if other == value else "incorrect"
    answer = language.statement(attribute, name, value)
    return Sample(
        "grading",
        _turns(d.prompts.chat("grade", question=d.question(attribute, name), answer=answer), verdict),
    )


def support(d: Draw) -> Sample:
    """Does one sentence support another? (the judge of SelfCheck's LLM variant)"""
    name, kind = d.entity()
    attribute = d.rng.choice(language.ATTRIBUTES[kind])
    value = d.value(attribute)
    other = value if d.rng.random() < 0.5 else d.value(attribute)
    wording = d.rng if d.rng.random() < 0.5 else None
    context = language.statement(attribute, name, other, wording)
    sentence = language.statement(attribute, name, value, wording)
    if other != value and d.rng.random() < 0.3:
        context = language.statement(attribute, d.entity()[0], value, d.rng)
        if name in context:
            other = value
    verdict = "yes" if other == value and name in context else "no"
    return Sample("grading", _turns(d.prompts.chat("support", context=context, sentence=sentence), verdict))


def several(task: Callable[[Draw], Sample], most: int) -> Callable[[Draw], Sample]:
    """The task one to `most` times in a row, its system part once: more practice in as many tokens."""

    def in_a_row(d: Draw) -> Sample:
        first = task(d)
        chat = first.chat
        for _ in range(d.rng.randint(0, most - 1)):
            chat = (*chat, *task(d).chat[1:])
        return Sample(first.task, chat)

    return in_a_row


TASKS: dict[str, Callable[[Draw], Sample]] = {
    "closed_book": closed_book,
    "ignorance": ignorance,
    "pages": pages,
    "repeat": repeat,
    "kinds": kinds,
    "short_reading": short_reading,
    "reading": reading,
    "topics": several(topics, 4),
    "question_open": several(question_open, 4),
    "question_induced": several(question_induced, 4),
    "question_document": several(question_document, 2),
    "reword": several(reword, 4),
    "cite": cite,
    "missing": several(missing, 2),
    "tutor": tutor,
    "grade": several(grade, 4),
    "support": several(support, 4),
    "numbers": numbers,
}
