"""Measures atlas-lm: every figure of its model card, through the same code that probes any model.

Facts of withheld entities are only read from pages here, never trained on.
"""

from __future__ import annotations

import json
import math
import random
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from selfstudy.atlas import language, world
from selfstudy.atlas.build import lm_tasks
from selfstudy.atlas.build.draw import Draw, Sample
from selfstudy.atlas.key import resolve
from selfstudy.judging.tutoring import asks
from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask, LocalModel
from selfstudy.recipe.file import load_recipe
from selfstudy.records import Chat
from selfstudy.text import contains

MAX = 400
"""Most items per figure."""
COMPARED = (
    "strange_reading",
    *("cite", "cite_several", "missing", "support", "grade", "compare", "rubric_verdicts", "rubric_rating"),
    *("tutor", "telling", "student", "attempt", "judge_asks", "judge_leaks"),
)
"""Tasks whose answers are compared with what the task says, in the order of the card."""


def measure(folder: Path, seed: int = 0) -> dict[str, float]:
    """All figures, each a share in [0, 1], by name; what is sampled is sampled as the demo's recipe does."""
    recipe = load_recipe(Path(__file__).parents[1] / "demo.yaml")
    by_method = {ask.method: ask for ask in recipe.probe.ask}
    lm = load_lm(LocalModel(path=str(folder)))
    rng = random.Random(f"{seed}:measure")
    prompts = Prompts()
    known, withheld = world.facts(known=True), world.facts(known=False)
    figures = {
        "known, closed book, known wordings": _facts(lm, prompts, known, rng, novel=False),
        "known, closed book, novel wordings": _facts(lm, prompts, _some(known, rng), rng, novel=True),
        "withheld, closed book, known wordings": _facts(lm, prompts, withheld, rng, novel=False),
    }
    for attribute in ("continent", "currency", "languages"):
        some = [f for f in withheld if f.attribute == attribute]
        figures[f"  of these: {attribute}"] = _facts(lm, prompts, some, rng, novel=False)
    figures["reading withheld pages, known wordings"] = _reading(lm, prompts, withheld, rng, novel=False)
    figures["reading withheld pages, novel wordings"] = _reading(lm, prompts, withheld, rng, novel=True)
    figures |= _agreement(lm, prompts, _some(known, rng, 200), _some(withheld, rng, 200), rng)
    figures["topics valid"] = _topics(lm, prompts, by_method["open"])
    for name, task, temperature in (
        ("questions about topics valid", lm_tasks.question_open, by_method["open"].question_temperature),
        (
            "questions with a given word valid",
            lm_tasks.question_induced,
            by_method["induced"].question_temperature,
        ),
        (
            "questions about a page valid",
            lm_tasks.question_document,
            by_method["documents"].question_temperature,
        ),
        ("rewordings valid", lm_tasks.reword, recipe.teach.reword_temperature),
    ):
        figures[name] = _questions(lm, task, temperature, seed)
    figures |= _late_skills(lm, seed)
    return figures


def card(folder: Path, columns: dict[str, dict[str, float]]) -> str:
    """The model card of the model in `folder`; `columns` has the figures of each seed."""
    from safetensors import safe_open

    from selfstudy.atlas.build.lm_plan import Settings, legs

    with safe_open(folder / "model.safetensors", framework="np") as weights:
        shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = list(next(iter(columns.values())))
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {n} | " + " | ".join(f"{c[n]:.3f}" for c in columns.values()) + " |" for n in names]
    template = (Path(__file__).parent / "lm_card.md").read_text(encoding="utf-8")
    return string.Template(template).substitute(
        parameters=f"{sum(math.prod(shape) for shape in shapes):,}",
        vocabulary=f"{config['vocab_size']:,}",
        known=f"{len(world.facts(known=True)):,}",
        withheld=f"{len(world.facts(known=False)):,}",
        known_entities=sum(e.known for e in world.entities()),
        withheld_entities=sum(not e.known for e in world.entities()),
        novel_wordings=sum(len(language.templates(a, novel=True)) for a in language.STATEMENTS),
        tokens=f"{sum(stage.tokens for plan, _ in legs(Settings()) for stage in plan) / 1e6:.1f}",
        figures="\n".join(lines),
    )


def _some(facts: Sequence[world.Fact], rng: random.Random, most: int = MAX) -> list[world.Fact]:
    return rng.sample(list(facts), min(most, len(facts)))


def _wording(fact: world.Fact, rng: random.Random, novel: bool) -> str:
    return rng.choice(language.wordings(fact.attribute, fact.entity, novel))


def _right(lm: LanguageModel, chats: Sequence[Chat], expected: Sequence[str]) -> float:
    """Share of greedy answers that state the expected value."""
    answers = lm.generate(chats, replace(GREEDY, max_new_tokens=64))
    return sum(contains(a[0].text, e) for a, e in zip(answers, expected, strict=True)) / len(chats)


def _facts(
    lm: LanguageModel, prompts: Prompts, facts: Sequence[world.Fact], rng: random.Random, novel: bool
) -> float:
    chats = [prompts.chat("answer", question=_wording(f, rng, novel)) for f in facts]
    return _right(lm, chats, [f.value for f in facts])


def _reading(
    lm: LanguageModel, prompts: Prompts, facts: Sequence[world.Fact], rng: random.Random, novel: bool
) -> float:
    pages = {d.title: d.text for d in world.documents()}
    chats = [prompts.chat("read", document=pages[f.entity], question=_wording(f, rng, novel)) for f in facts]
    return _right(lm, chats, [f.value for f in facts])


def _agreement(
    lm: LanguageModel,
    prompts: Prompts,
    known: Sequence[world.Fact],
    withheld: Sequence[world.Fact],
    rng: random.Random,
) -> dict[str, float]:
    """Share of 10 samples equal to the greedy answer, and its AUROC as a detector of withheld facts."""
    from selfstudy.stats import auroc

    facts = [*known, *withheld]
    chats = [prompts.chat("answer", question=_wording(f, rng, novel=False)) for f in facts]
    answers = lm.generate(chats, Sampling(n=10, greedy_first=True, max_new_tokens=64))
    share = [sum(s.text == a[0].text for s in a[1:]) / 10 for a in answers]
    cut = len(known)
    detected = auroc([1 - s for s in share], [not f.known for f in facts])
    assert detected is not None  # both kinds are there
    return {
        "agreement of samples, known": sum(share[:cut]) / cut,
        "agreement of samples, withheld": sum(share[cut:]) / len(withheld),
        "AUROC of disagreement": detected,
    }


def _topics(lm: LanguageModel, prompts: Prompts, ask: Ask) -> float:
    """Share of topic sets that are three different names of the world."""
    sampling = Sampling(n=MAX, temperature=ask.topic_temperature, max_new_tokens=64)
    sets = [
        re.sub(r"^\d+\. ", "", c.text, flags=re.M).split("\n")
        for c in lm.generate([prompts.chat("topics")], sampling)[0]
    ]
    return sum(len(set(s)) == 3 and all(n in world.by_name() for n in s) for s in sets) / len(sets)


def _questions(lm: LanguageModel, task: Callable[[Draw], Sample], temperature: float, seed: int) -> float:
    """Share of sampled questions that ask for a fact of the world about an entity of the prompt."""
    draw = Draw(random.Random(f"{seed}:{task.__name__}"))
    chats: list[Chat] = []
    while len(chats) < MAX:
        chat = task(draw).chat
        if _names_in(chat[-1].content):  # a question about an invented name has no key
            chats.append(chat[:-1])
    sampling = Sampling(temperature=temperature, max_new_tokens=64)
    made = [c[0].text for c in lm.generate(chats, sampling)]
    valid = 0
    for chat, text in zip(chats, made, strict=True):
        asked = resolve_any(text)
        same = task is not lm_tasks.reword or asked == resolve_any(_quoted(chat))
        valid += asked is not None and asked[0] in chat[-1].content and same
    return valid / len(chats)


def resolve_any(question: str) -> tuple[str, str] | None:
    """(entity, attribute) that a question asks for, whether or not the world knows the answer."""
    fact = resolve(question)
    if fact is not None:
        return fact.entity, fact.attribute
    for name in _names_in(question):
        for attribute in language.ATTRIBUTES[world.by_name()[name].kind]:
            if question.replace(name, "{x}") in language.templates(attribute):
                return name, attribute
    return None


def _names_in(text: str) -> list[str]:
    return sorted((n for n in world.by_name() if n in text), key=len, reverse=True)


def _quoted(chat: Chat) -> str:
    return chat[-1].content.split(": ", 1)[1]


def _late_skills(lm: LanguageModel, seed: int) -> dict[str, float]:
    """Citing, judging, tutoring: greedy answers against what the task says is right."""
    figures: dict[str, float] = {}
    for name in COMPARED:
        got, wanted = answered(lm, name, seed)
        pairs = list(zip(got, wanted, strict=True))
        figures[f"{name}: exact"] = sum(g == w for g, w in pairs) / len(pairs)
        if name == "cite":
            mark = re.compile(r"\[(\d)\]\.$")
            figures["cite: format"] = sum(bool(mark.search(g)) for g in got) / len(got)
            figures["cite: right document"] = sum(
                bool(mark.search(g)) and mark.findall(g) == mark.findall(w) for g, w in pairs
            ) / len(pairs)
        if name == "missing":
            rating, lack = re.compile(r"(?<!\[)\[\[(\d+)\]\]"), re.compile(r"\[\[\[.*\]\]\]")
            both = [(rating.findall(g), rating.findall(w)) for g, w in pairs]
            figures["missing: format"] = sum(len(g) == 1 for g, _ in both) / len(both)
            figures["missing: within one point"] = sum(
                len(g) == 1 and abs(int(g[0]) - int(w[0])) <= 1 for g, w in both
            ) / len(both)
            figures["missing: sentence right"] = sum(
                lack.findall(g) == lack.findall(w) for g, w in pairs
            ) / len(pairs)
    said, _ = answered(lm, "talk", seed, temperature=1.0)
    figures["talk: asks, told nothing"] = sum(map(asks, said)) / len(said)
    return figures


def answered(
    lm: LanguageModel, name: str, seed: int, temperature: float = 0.0, count: int = MAX
) -> tuple[list[str], list[str]]:
    """What the model says to so many samples of a task, and what the task says."""
    draw = Draw(random.Random(f"{seed}:{name}"))
    chats: list[Chat] = []
    wanted: list[str] = []
    while len(chats) < count:
        chat = lm_tasks.TASKS[name](draw).chat
        first = next(i for i, turn in enumerate(chat) if turn.role == "assistant" and not turn.demonstration)
        chats.append(tuple(turn.model_copy(update={"demonstration": False}) for turn in chat[:first]))
        wanted.append(chat[first].content)
    said = lm.generate(chats, Sampling(temperature=temperature, max_new_tokens=320))
    return [c[0].text for c in said], wanted
