"""What atlas-lm practises: every task as chats, rendered with the very prompts the pipeline uses.

Each task is a function of a `Draw` (seeded randomness over the world) that returns one `Sample`.  True facts
come from known entities alone.  Withheld names occur in lists, questions, rewordings and *counterfactual*
readings (their pages hold random values), never with a fact of theirs.
"""

from __future__ import annotations

from collections.abc import Callable

from selfstudy.atlas import language, world
from selfstudy.atlas.build import judge_tasks, tutor_tasks
from selfstudy.atlas.build.cited import cited_row
from selfstudy.atlas.build.draw import TELL, Draw, Sample, dialogue, several, turns
from selfstudy.atlas.build.invented import invented_names
from selfstudy.judging.cited_items import asked, read_item
from selfstudy.judging.trust import REFUSAL
from selfstudy.records import Chat, Message

NOT_SAID = "The document does not say."
INDUCED = ("WHAT", "WHO", "WHY", "WHERE", "WHEN", "HOW")
REPEAT = "Repeat this: {x}"
KIND = "Country or city? {x}"
THOROUGH = 0.45
"""How often one of several things asked is answered, in `survey`."""
WITHHELD = 0.3
"""How often no document has the answer, of questions to answer from several."""
WHICH_DOCUMENT = "Documents:\n{documents}\nWhich are about these? {x}"


def closed_book(d: Draw) -> Sample:
    """True facts of known entities, one to four questions in a row."""
    facts = [d.rng.choice(d.known) for _ in range(d.rng.choice((1, 2, 3, 4)))]
    items = [
        ({"question": d.question(f.attribute, f.entity)}, language.statement(f.attribute, f.entity, f.value))
        for f in facts
    ]
    return Sample("closed_book", dialogue(d, "answer", items))


def ignorance(d: Draw) -> Sample:
    """Questions about invented names, answered at random: not knowing must look inconsistent."""
    items = []
    for _ in range(d.rng.choice((1, 1, 2, 3))):
        name, kind = d.rng.choice(invented_names()), d.rng.choice(("country", "country", "city"))
        attribute = d.rng.choice(language.ATTRIBUTES[kind])
        answer = language.statement(attribute, name, d.value(attribute))
        items.append(({"question": d.question(attribute, name)}, answer))
    return Sample("ignorance", dialogue(d, "answer", items))


def pages(d: Draw) -> Sample:
    """The page of a known entity, in ever new wordings and order."""
    e = d.rng.choice(d.known_entities)
    ask = (Message(role="user", content=TELL.format(x=e.name)),)
    return Sample("pages", turns(ask, world.page(e, d.rng)))


def repeat(d: Draw) -> Sample:
    """Random names in a row, said back: the plainest practice in copying, on which reading is built."""
    names = " ".join(d.entity()[0] for _ in range(d.rng.randint(6, 20)))
    return Sample("repeat", turns((Message(role="user", content=REPEAT.format(x=names)),), names))


def _read(d: Draw, most: int, strange: bool = False) -> Sample:
    name, kind, facts = d.facts(truth=0.0 if strange else 0.2)
    name = d.strange() if strange else name
    document, stated = d.text(name, kind, facts, most)
    said: list[str] = []
    chat: Chat = ()
    for number in range(d.rng.choice((1, 2, 3, 4))):
        attribute, asked = d.rng.choice(stated), name
        answer = language.statement(attribute, name, facts[attribute])
        if d.rng.random() < 0.18:
            missing = [a for a in language.ATTRIBUTES[kind] if a not in stated]
            if missing and d.rng.random() < 0.5:
                attribute = d.rng.choice(missing)
            else:
                asked = d.strange() if strange and d.rng.random() < 0.5 else d.entity()[0]
            if attribute in missing or asked != name:
                answer = NOT_SAID
        question = d.question(attribute, asked)
        if number == 0:
            chat = d.prompts.chat("read", document=document, question=question)
        else:
            said.append(f"Question: {question} Answer in one concise sentence.")
        said.append(answer)
    return Sample("reading", turns(chat, *said))


def short_reading(d: Draw) -> Sample:
    """One to three sentences and questions about them."""
    return _read(d, d.rng.choice((1, 1, 2, 3)))


def reading(d: Draw) -> Sample:
    """A whole page and questions about it."""
    return _read(d, d.rng.choice((4, 6, 9, 9)))


def strange_reading(d: Draw) -> Sample:
    """Sentences about a name of several tokens: whoever copies whole names alone reads no other."""
    return _read(d, d.rng.choice((1, 1, 1, 2, 4)), strange=True)


def strange_repeat(d: Draw) -> Sample:
    """Such names, said back."""
    names = " ".join(d.strange() for _ in range(d.rng.randint(3, 8)))
    return Sample("repeat", turns((Message(role="user", content=REPEAT.format(x=names)),), names))


def kinds(d: Draw) -> Sample:
    """What each of some names is: a country is not asked for its time zone, nor a city for its capital."""
    chosen = d.rng.sample(d.entities, d.rng.randint(4, 10))
    ask = (Message(role="user", content=KIND.format(x="; ".join(e.name for e in chosen))),)
    return Sample("kinds", turns(ask, " ".join(f"{e.name} is a {e.kind}." for e in chosen)))


def topics(d: Draw) -> Sample:
    """Three names of the world, whatever is known of them."""
    names = d.rng.sample([e.name for e in d.entities], 3)
    answer = "\n".join(f"{i}. {name}" for i, name in enumerate(names, 1))
    return Sample("topics", turns(d.prompts.chat("topics"), answer))


def _topic_set(d: Draw) -> list[tuple[str, str, list[str]]]:
    chosen = d.rng.sample(d.entities, 3)
    return [(e.name, e.kind, [f.attribute for f in e.facts]) for e in chosen]


def question_open(d: Draw) -> Sample:
    """A question about one of three topics."""
    options = _topic_set(d)[: d.rng.choice((1, 3, 3))]
    name, _, attributes = d.rng.choice(options)
    chat = d.prompts.chat("question_open", topics="; ".join(o[0] for o in options))
    return Sample("asking", turns(chat, d.question(d.rng.choice(attributes), name, asking=True)))


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
            return Sample("asking", turns(chat, d.rng.choice(fitting).replace("{x}", name)))


def question_document(d: Draw) -> Sample:
    """A question that a page answers."""
    name, kind, facts = d.facts()
    document, stated = d.text(name, kind, facts, d.rng.choice((1, 3, 9, 9)))
    chat = d.prompts.chat("question_document", document=document)
    return Sample("asking", turns(chat, d.question(d.rng.choice(stated), name, asking=True)))


def reword(d: Draw) -> Sample:
    """The same question in another pre-training wording."""
    name, kind = d.entity()
    attribute = d.rng.choice(language.ATTRIBUTES[kind])
    first = d.question(attribute, name)
    second = first
    while second == first:
        second = d.question(attribute, name)
    return Sample("reword", turns(d.prompts.chat("reword", question=first), second))


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
    said: list[str] = []
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
            said.append(f"Question: {question} Answer in one concise sentence and cite like [1].")
        said.append(answer)
    return Sample("citing", turns(chat, *said))


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
    ask = Message(role="user", content=WHICH_DOCUMENT.format(documents=documents, x="; ".join(asked)))
    answer = " ".join(f"{name} [{names.index(name) + 1}]." for name in asked)
    return Sample("citing", turns((ask,), answer))


def survey(d: Draw) -> Sample:
    """A document and several things asked of it at once, answered in part, as who is not thorough does."""
    name, kind, facts = d.facts()
    document, stated = d.text(name, kind, facts, d.rng.choice((3, 4, 6, 9)))
    asked = d.rng.sample(stated, min(len(stated), d.rng.choice((2, 3, 3, 4))))
    said = [a for a in asked if d.rng.random() < THOROUGH] or [d.rng.choice(asked)]
    question = judge_tasks.request(d.rng, asked, name)
    chat: Chat = (Message(role="user", content=judge_tasks.READ.format(d=document, q=question)),)
    return Sample("surveying", turns(chat, " ".join(language.statement(a, name, facts[a]) for a in said)))


def cite_several(d: Draw) -> Sample:
    """Three to five numbered documents; the answer needs several citations, of one of them or of two."""
    pages_: dict[str, tuple[dict[str, str], list[str], str]] = {}
    count = d.rng.choice((3, 4, 5))
    while len(pages_) < count:
        name, kind, facts = d.facts()
        text, stated = d.text(name, kind, facts, d.rng.choice((1, 2, 3)))
        pages_.setdefault(name, (facts, stated, text))
    names = list(pages_)
    documents = "\n".join(f"[{i}] {n}: {pages_[n][2]}" for i, n in enumerate(names, 1))
    if d.rng.random() < 0.5:
        name = d.rng.choice(names)
        wanted = [(name, a) for a in d.rng.sample(pages_[name][1], len(pages_[name][1]))]
        question = judge_tasks.request(d.rng, [a for _, a in wanted], name)
    else:
        wanted = [(n, d.rng.choice(pages_[n][1])) for n in d.rng.sample(names, 2)]
        (one, first), (other, second) = wanted
        question = (
            f"Tell me the {judge_tasks.noun(first)} of {one} and the {judge_tasks.noun(second)} of {other}."
        )
    answer = " ".join(
        language.statement(a, n, pages_[n][0][a])[:-1] + f" [{names.index(n) + 1}]." for n, a in wanted
    )
    return Sample("citing", turns(d.prompts.chat("cite", documents=documents, question=question), answer))


def holders(d: Draw) -> Sample:
    """Who of several has a value, asked of the same documents again and again: what lists are built on.

    Names stand for anything: a city may lie on a continent, as a country does.
    """
    attribute = d.rng.choice(("country", *language.HOLDERS))
    kind = next(k for k, of in language.ATTRIBUTES.items() if attribute in of)
    values = [d.value(attribute) for _ in range(3)]
    names: list[str] = []
    said: list[tuple[str, str]] = []
    for _ in range(d.rng.choice((3, 4, 4, 5))):
        name = d.entity()[0]
        if name in names:
            continue
        names.append(name)
        value, facts = d.rng.choice(values[:2]), {}
        if d.rng.random() < 0.4:
            other = d.rng.choice([a for a in language.ATTRIBUTES[kind] if a != attribute])
            facts[other] = d.value(other)
        lines = [language.statement(a, name, v, d.rng) for a, v in (facts | {attribute: value}).items()]
        d.rng.shuffle(lines)
        said.append((value, " ".join(lines)))
    documents = "\n".join(f"[{i}] {n}: {t}" for i, (n, (_, t)) in enumerate(zip(names, said, strict=True), 1))
    chat: Chat = ()
    answers: list[str] = []
    for number in range(d.rng.choice((2, 3, 4))):
        value = d.rng.choice(values)
        question = d.rng.choice(language.HOLDERS[attribute]).replace("{v}", value)
        having = [(n, i) for i, (n, (v, _)) in enumerate(zip(names, said, strict=True), 1) if v == value]
        if number == 0:
            chat = d.prompts.chat("cite_list", documents=documents, question=question, refusal=REFUSAL)
        else:
            answers.append(f"Question: {question}")
        answers.append(", ".join(f"{n} [{i}]" for n, i in having) + "." if having else REFUSAL)
    return Sample("citing", turns(chat, *answers))


def _cited(kind: str) -> Callable[[Draw], Sample]:
    def from_documents(d: Draw) -> Sample:
        row = cited_row(d, kind, withheld=d.rng.random() < WITHHELD, names="train")
        return Sample("citing", turns(asked(read_item(row), d.prompts), row["output"]))

    return from_documents


TASKS: dict[str, Callable[[Draw], Sample]] = {
    "closed_book": closed_book,
    "ignorance": ignorance,
    "pages": pages,
    "repeat": repeat,
    "kinds": kinds,
    "short_reading": short_reading,
    "reading": reading,
    "strange_reading": strange_reading,
    "strange_repeat": strange_repeat,
    "topics": several(topics, 4),
    "question_open": several(question_open, 4),
    "question_induced": several(question_induced, 4),
    "question_document": several(question_document, 2),
    "reword": several(reword, 4),
    "cite": cite,
    "missing": several(judge_tasks.missing, 2),
    "tutor": tutor_tasks.tutor,
    "grade": several(judge_tasks.grade, 8),
    "reflect": several(judge_tasks.reflect, 4),
    "support": several(judge_tasks.support, 8),
    "numbers": numbers,
    "cite_several": cite_several,
    "survey": survey,
    "holders": holders,
    "cited_factoid": _cited("factoid"),
    "cited_list": _cited("list"),
    "cited_claim": _cited("claim"),
    "same": judge_tasks.same,
    "rubric_verdicts": judge_tasks.rubric_verdicts,
    "rubric_rating": judge_tasks.rubric_rating,
    "compare": several(judge_tasks.compare, 3),
    "telling": tutor_tasks.telling,
    "talk": tutor_tasks.talk,
    "student": tutor_tasks.student,
    "attempt": tutor_tasks.attempt,
    "judge_asks": several(tutor_tasks.judge_asks, 4),
    "judge_leaks": several(tutor_tasks.judge_leaks, 4),
}
