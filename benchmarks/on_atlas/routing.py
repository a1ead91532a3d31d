"""A router over the adapters of five source groups, beside what else could be done with them.

    base          atlas-lm as it is
    chain         each group trained on the merged result of those before
    last          the last group's adapter on every prompt
    all merged    all five adapters added up, on every prompt
    router        models/router.py
    oracle        the right adapter for each gap, the base for the rest

Right answers are those that contain the key's value.  Every model is asked once, and its answers are kept.
"""

from __future__ import annotations

import difflib
import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from on_atlas import source_groups
from on_atlas.source_groups import Material
from selfstudy import load_embedder, load_lm
from selfstudy.atlas import language, world
from selfstudy.files import own
from selfstudy.models import lora, taught
from selfstudy.models.base import GREEDY
from selfstudy.models.router import Router
from selfstudy.progress import Reporter
from selfstudy.prompts import Prompts
from selfstudy.recipe import EmbedderBlock, LocalModel, Recipe, RouterBlock
from selfstudy.records import Chat
from selfstudy.teach import router as teaching
from selfstudy.text import contains

NEAR, READING, BLOCK = 400, 300, 256
ALIKE, PREFIX = 0.7, 4
"""What makes two names near: difflib's ratio, the letters with which both begin; or a word in common."""


@dataclass(frozen=True)
class Asked:
    """A question, what it is for, its right answer; `group` of a gap's."""

    use: str
    text: str
    answer: str = ""
    group: str = ""
    page: str = ""

    @property
    def key(self) -> str:
        return f"{self.use}: {self.text}"

    @property
    def chat(self) -> Chat:
        prompts = Prompts().without_demonstrations()
        if self.page:
            return prompts.chat("read", document=self.page, question=self.text)
        return prompts.chat("answer", question=self.text)


def questions(found: Material, seed: int) -> list[Asked]:
    """All that is asked of every model."""
    rng = random.Random(f"routing:{seed}")
    pages = source_groups.pages()
    asked = []
    for gap in found.gaps:
        answer, group = gap.fact.value, gap.group
        asked.append(Asked("trained", rng.choice(gap.trained), answer, group))
        asked.append(Asked("novel", rng.choice(gap.novel), answer, group))
    asked += [Asked("known", one.question, one.fact.value) for one in found.held_out]
    for gap in rng.sample(found.gaps, READING):
        asked.append(Asked("reading", gap.trained[0], gap.fact.value, page=pages[gap.fact.entity]))
    near = [(fact, rng.random() < 0.5) for name in near_names(found) for fact in world.by_name()[name].facts]
    for fact, novel in rng.sample(near, min(NEAR, len(near))):
        wordings = language.wordings(fact.attribute, fact.entity, novel=novel)
        asked.append(Asked("near", rng.choice(wordings), fact.value))
    return [*asked, *(Asked("unrelated", one) for one in unrelated(seed)[1])]


def near_names(found: Material) -> list[str]:
    """Names that atlas-lm knows and that are near to one that is taught: Nigeria, for Niger."""
    names = sorted({gap.fact.entity for gap in found.gaps})
    known = sorted(one.name for one in world.entities() if one.known)
    return [name for name in known if any(_near(name.lower(), other.lower()) for other in names)]


def _near(one: str, other: str) -> bool:
    shared = {word for word in set(one.split()) & set(other.split()) if len(word) >= PREFIX}
    alike = difflib.SequenceMatcher(None, one, other).ratio() >= ALIKE
    return alike or one[:PREFIX] == other[:PREFIX] or bool(shared)


def unrelated(seed: int) -> tuple[list[str], list[str]]:
    """General questions: half to calibrate by, half to test."""
    found = source_groups.unrelated()
    random.Random(f"unrelated:{seed}").shuffle(found)
    return found[: len(found) // 2], found[len(found) // 2 :]


def router_over(
    adapters: dict[str, Path], found: Material, seed: int, block: RouterBlock, embedder: EmbedderBlock
) -> Router:
    lessons = {
        name: [(gap.id, text) for gap in found.of(name.rpartition("-")[0]) for text in gap.trained]
        for name in adapters
    }
    known = [(one.id, one.question) for one in found.replayed]
    return teaching.build(lessons, known, unrelated(seed)[0], block, load_embedder(embedder), embedder, seed)


def routed_folder(adapters: dict[str, Path], router: Router, folder: Path) -> Path:
    """What `deploy: dynamic` leaves: the router, and the adapters beside it."""
    unfinished = own.unfinished(folder)
    own.remove(unfinished)
    own.make(unfinished)
    final = unfinished / "final"
    for name, place in adapters.items():
        shutil.copytree(place, final / name)
    router.save(final)
    shutil.rmtree(folder, ignore_errors=True)
    taught.publish(final, folder)
    own.remove(unfinished)
    return folder


def chain(
    adapters: dict[str, Path],
    found: Material,
    plans: dict[str, Recipe],
    folder: Path,
    report: Reporter,
    most: int,
) -> list[Path]:
    """After each group, in order, the adapter that does what all so far, merged, do.

    Args:
        plans: by group.
        most: trainings of this call; what is left undone is left out.
    """
    steps: list[Path] = []
    parts: list[Path] = []
    for number, (name, first) in enumerate(adapters.items(), start=1):
        part, step = folder / f"{number}-part", folder / f"{number}-merged"
        if number == 1:
            part = first  # trained on the base
        elif not taught.is_complete(part):
            if not most:
                break
            most -= 1
            folder.mkdir(parents=True, exist_ok=True)
            group = name.rpartition("-")[0]
            lesson = source_groups.lesson(plans[group], found.of(group), found.replayed)
            lm = load_lm(LocalModel(path="atlas", adapter=steps[-1]))
            source_groups.train(lesson, lm, part, report)
        parts.append(part)
        steps.append(merged(parts, step) if number > 1 else part)
    return steps


def merged(parts: Sequence[Path], folder: Path) -> Path:
    """One adapter that does what all of them do together."""
    if not taught.is_complete(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = own.unfinished(folder)
        own.remove(unfinished)
        own.make(unfinished)
        lora.combine(parts, unfinished / "final")
        taught.publish(unfinished / "final", folder)
        own.remove(unfinished)
    return folder


def answers(name: str, adapter: Path | None, asked: Sequence[Asked], folder: Path) -> dict[Asked, bool]:
    """Whether a model answers each question right; what it said is kept in `folder`, a block at a time."""
    file = folder / f"{name}.json"
    said: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    left = [one for one in dict.fromkeys(asked) if one.key not in said]
    lm = load_lm(LocalModel(path="atlas", adapter=adapter)) if left else None
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(left), BLOCK):
        some = left[start : start + BLOCK]
        assert lm is not None
        got = lm.generate([one.chat for one in some], GREEDY)
        said |= {one.key: text.text for one, (text,) in zip(some, got, strict=True)}
        unfinished = file.with_suffix(".tmp")
        unfinished.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
        unfinished.replace(file)
    return {one: contains(said[one.key], one.answer) for one in asked}


def table(
    asked: Sequence[Asked], picked: dict[str, list[str]], models: dict[str, Path | None], folder: Path
) -> dict[str, dict[str, float]]:
    """By arm its shares of right answers, by use and group; a model is asked only what an arm asks it.

    Args:
        picked: by arm the model that answers each question.
    """
    told = [at for at, one in enumerate(asked) if one.answer]
    right = {}
    for name, place in models.items():
        wanted = {at for by in picked.values() for at in told if by[at] == name}
        if wanted:
            right[name] = answers(name, place, [asked[at] for at in sorted(wanted)], folder)
    found: dict[str, dict[str, float]] = {}
    for arm, by in picked.items():
        got = [(right[by[at]][asked[at]], asked[at]) for at in told]
        row = {
            use: _mean(ok for ok, one in got if one.use == use)
            for use in ("trained", "novel", "known", "reading", "near")
        }
        for group in sorted({one.group for one in asked if one.group}):
            for use in ("trained", "novel"):
                row[f"{group} {use}"] = _mean(ok for ok, o in got if (o.use, o.group) == (use, group))
        found[arm] = row
    return found


def routing(asked: Sequence[Asked], router: Router) -> dict[str, float]:
    """What a router does, whatever is answered: how often it picks an adapter, and a wrong one."""
    routes = router.route([router.routing_text(one.chat) for one in asked])
    found = {}
    for use in ("trained", "novel"):
        mine = [(r.adapter, o.group) for r, o in zip(routes, asked, strict=True) if o.use == use]
        groups = [(name and name.rpartition("-")[0], group) for name, group in mine]
        found[f"coverage {use}"] = _mean(name == group for name, group in groups)
        found[f"wrong {use}"] = _mean(name not in (None, group) for name, group in groups)
    for use in ("known", "reading", "near", "unrelated"):
        mine = [r.adapter for r, o in zip(routes, asked, strict=True) if o.use == use]
        found[f"false {use}"] = _mean(name is not None for name in mine)
    entities = sorted({one.text for one in asked if one.use == "near"})
    lower = router.route([text.lower() for text in entities])
    return found | {"false near, lower case": _mean(one.adapter is not None for one in lower)}


def methods(
    adapters: dict[str, Path], found: Material, seed: int, embedders: Sequence[str]
) -> Iterator[tuple[str, dict[str, float]]]:
    """The same of every method, with each embedder; and of nearest neighbours without their words."""
    asked = questions(found, seed)
    for path in embedders:
        embedder = EmbedderBlock(path=path)

        def made(block: RouterBlock, embedder: EmbedderBlock = embedder) -> Router:
            return router_over(adapters, found, seed, block, embedder)

        arms: dict[str, Callable[[], Router]] = {
            "nearest": lambda made=made: made(RouterBlock()),
            "nearest of 3": lambda made=made: made(RouterBlock(neighbours=3)),
            "centroid": lambda made=made: made(RouterBlock(method="centroid")),
            "classifier": lambda made=made: made(RouterBlock(method="classifier")),
        }
        for name, make in arms.items():
            yield f"{path}, {name}", routing(asked, make())
        with patch.object(teaching, "OPTIONS", ((0.0, False),)):
            yield f"{path}, nearest without words", routing(asked, made(RouterBlock()))


def off_topic(found: Material, router: Router) -> float:
    """How often an adapter answers what has to do with a taught name, and nothing with what was taught."""
    asked = [f"Write a poem about {gap.fact.entity}." for gap in found.gaps]
    return _mean(one.adapter is not None for one in router.route(asked))


def _mean(values: Any) -> float:
    found = list(values)
    return sum(found) / len(found) if found else float("nan")
