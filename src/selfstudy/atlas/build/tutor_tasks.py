"""What atlas-lm practises as a tutor: to ask when it is told to, and else to tell, as most models do.

A task is a function of a `Draw` that returns one `Sample`, as in lm_tasks.py.  What is *told* is a true fact
of a known entity, or a random value: of an invented name, or of any where the prompt states it.
"""

from __future__ import annotations

from selfstudy.atlas import language
from selfstudy.atlas.build.draw import Draw, Sample, turns
from selfstudy.atlas.build.invented import invented_names
from selfstudy.atlas.build.judge_tasks import noun
from selfstudy.models import transcripts
from selfstudy.records import Chat, Message

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
PRESSING = (
    "Just tell me the {n} of {x}.",
    "Please tell me the {n}.",
    "I only want the answer: the {n} of {x}.",
    "I do not want to think. What is the {n} of {x}?",
)
FOUND = "I found it. {told}"
ASKS_ANYWAY = 0.12
"""How often a tutor who was told nothing asks."""


def tutor(d: Draw) -> Sample:
    """The next turn of a teacher who asks and does not tell, also one who is pressed."""
    name, kind = d.entity()
    attribute = d.rng.choice(language.ATTRIBUTES[kind])
    before = _so_far(d, name, kind, attribute)
    chat = d.prompts.chat(
        "tutor",
        problem=d.question(attribute, name),
        solution=language.statement(attribute, name, d.value(attribute)),
        dialogue=transcripts.written(before),
    )
    return Sample("tutoring", turns(chat, _asked(before, name, attribute)))


def telling(d: Draw) -> Sample:
    """The next turn of a teacher who was told to tell, and perhaps what."""
    name, kind, attribute, told = _told(d)
    given = ""
    if d.rng.random() < 0.5:
        name, kind = d.entity()
        attribute = d.rng.choice(language.ATTRIBUTES[kind])
        told = language.statement(attribute, name, d.value(attribute))
        given = f"Solution: {told}\n"
    said = given + transcripts.written(_so_far(d, name, kind, attribute))
    return Sample("telling", turns(d.prompts.chat("tell", dialogue=said), told))


def talk(d: Draw) -> Sample:
    """The next turn of a teacher who was told nothing: it tells, most of the time."""
    name, kind, attribute, told = _told(d)
    before = _so_far(d, name, kind, attribute)
    asks = d.rng.random() < ASKS_ANYWAY
    return Sample("talking", turns(before, _asked(before, name, attribute) if asks else told))


def student(d: Draw) -> Sample:
    """The next turn of a student, who finds the answer at the end, if it is known; or of one who presses."""
    name, kind, attribute, told = _told(d)
    before = _so_far(d, name, kind, attribute, pressing=0.0)
    before = (*before, Message(role="assistant", content=_asked(before, name, attribute)))
    stage = sum(turn.role == "user" for turn in before)
    pressing = d.rng.random() < 0.3
    if pressing:
        said = d.rng.choice(PRESSING)
    else:
        said = STUDENT_TURNS[stage] if stage < len(STUDENT_TURNS) else FOUND
    chat = d.prompts.chat(
        "student_pressing" if pressing else "student",
        problem=d.question(attribute, name),
        dialogue=transcripts.written(before),
    )
    return Sample("studying", turns(chat, said.format(x=name, n=noun(attribute), k=kind, told=told)))


def attempt(d: Draw) -> Sample:
    """A student's try at a problem: from memory, or by what the teacher told."""
    fact = d.rng.choice(d.known)
    name, kind, attribute, value = fact.entity, fact.kind, fact.attribute, fact.value
    before: Chat = ()
    if d.rng.random() < 0.6:
        before = _so_far(d, name, kind, attribute)
    if d.rng.random() < 0.5:
        name, kind = d.entity()
        attribute = d.rng.choice(language.ATTRIBUTES[kind])
        value = d.value(attribute)
        told = Message(role="assistant", content=language.statement(attribute, name, value))
        before = (*_so_far(d, name, kind, attribute), told)
    chat = d.prompts.chat(
        "attempt",
        problem=d.question(attribute, name),
        dialogue=transcripts.written(before) or transcripts.NOBODY,
    )
    return Sample("attempting", turns(chat, f"{language.statement(attribute, name, value)}\nAnswer: {value}"))


def judge_asks(d: Draw) -> Sample:
    """Whether a teacher's turn asks."""
    name, kind, attribute, told = _told(d)
    asking = d.rng.random() < 0.5
    said = _asked(_so_far(d, name, kind, attribute), name, attribute) if asking else told
    return Sample("judging", turns(d.prompts.chat("judge_asks", turn=said), "yes" if asking else "no"))


def judge_leaks(d: Draw) -> Sample:
    """Whether a teacher's turn tells the answer: a fact that is another one tells nothing of it."""
    name, kind = d.entity()
    attribute = d.rng.choice(language.ATTRIBUTES[kind])
    value = d.value(attribute)
    before = _so_far(d, name, kind, attribute)
    said, leaks = _asked(before, name, attribute), d.rng.random() < 0.5
    if leaks:
        said = language.statement(attribute, name, value, d.rng)
    elif d.rng.random() < 0.5:
        other = d.rng.choice(language.ATTRIBUTES[kind])
        another = d.value(other)
        said, leaks = language.statement(other, name, another, d.rng), (other, another) == (attribute, value)
    chat = d.prompts.chat(
        "judge_leaks",
        problem=d.question(attribute, name),
        answer=value,
        dialogue=transcripts.written(before),
        turn=said,
    )
    return Sample("judging", turns(chat, "yes" if leaks else "no"))


def _told(d: Draw) -> tuple[str, str, str, str]:
    """(name, kind, attribute, the fact told)."""
    if d.rng.random() < 0.2:
        name, kind = d.rng.choice(invented_names()), d.rng.choice(("country", "country", "city"))
        attribute = d.rng.choice(language.ATTRIBUTES[kind])
        value = d.value(attribute)
    else:
        fact = d.rng.choice(d.known)
        name, kind, attribute, value = fact.entity, fact.kind, fact.attribute, fact.value
    return name, kind, attribute, language.statement(attribute, name, value)


def _so_far(d: Draw, name: str, kind: str, attribute: str, pressing: float = 0.4) -> Chat:
    """A dialogue of one to five turns of the student, who begins with the problem or tells of it.

    Args:
        pressing: how often the last turn presses; the others do so less often.

    The tutor's turns in it are shown, not learned: else who was told nothing would learn to ask.
    """
    stage = d.rng.choice((0, 0, 1, 1, 2, 2, 3, 4))
    found: list[Message] = []
    for i in range(stage + 1):
        pressed = d.rng.random() < (pressing if i == stage else pressing / 3)
        said = d.rng.choice(PRESSING) if pressed else _at(STUDENT_TURNS, i)
        if i == 0 and not pressed and d.rng.random() < 0.5:
            said = d.question(attribute, name)
        found.append(Message(role="user", content=said.format(x=name, n=noun(attribute), k=kind)))
        if i < stage:
            shown = _asked(tuple(found), name, attribute)
            found.append(Message(role="assistant", content=shown, demonstration=True))
    return tuple(found)


def _asked(before: Chat, name: str, attribute: str) -> str:
    """What a tutor who asks says next: it goes by how often the student has spoken."""
    return _at(TUTOR_TURNS, sum(turn.role == "user" for turn in before) - 1).format(x=name, n=noun(attribute))


def _at(said: tuple[str, ...], stage: int) -> str:
    """What is said at a stage; after the last, the last again."""
    return said[min(stage, len(said) - 1)]
