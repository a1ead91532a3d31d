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
from selfstudy.recipe import EmbedderBlock, LocalModel, RouterBlock
from selfstudy.records import Chat
from selfstudy.teach import router as teaching
from selfstudy.text import contains

NEAR, READING = 400, 300
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
    adapters: dict[str, Path], found: Material, seed: int, folder: Path, report: Reporter, most: int
) -> list[Path]:
    """After each group, in order, the adapter that does what all so far, merged, do.

    Args:
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
            gaps = found.of(name.rpartition("-")[0])
            lesson = source_groups.lesson(source_groups.recipe(seed, len(gaps)), gaps, found.replayed)
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


def answers(name: str, adapter: Path | None, asked: Sequence[Asked], folder: Path) -> list[bool]:
    """Whether a model answers each question right; kept in `folder`."""
    file = folder / f"{name}.json"
    if file.is_file():
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["asked"] == [one.text for one in asked]:
            return list(kept["right"])
    lm = load_lm(LocalModel(path="atlas", adapter=adapter))
    said = lm.generate([one.chat for one in asked], GREEDY)
    right = [contains(got.text, one.answer) for (got,), one in zip(said, asked, strict=True)]
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"asked": [one.text for one in asked], "right": right, "said": [got.text for (got,) in said]}
    unfinished = file.with_suffix(".tmp")
    unfinished.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    unfinished.replace(file)
    return right


def table(
    asked: Sequence[Asked], right: dict[str, list[bool]], picked: dict[str, list[str]]
) -> dict[str, dict[str, float]]:
    """By arm its shares of right answers, by use and group.

    Args:
        right: by model.
        picked: by arm the model that answers each question.
    """
    found: dict[str, dict[str, float]] = {}
    for arm, models in picked.items():
        got = [right[model][at] for at, model in enumerate(models)]
        row = {}
        for use in ("trained", "novel", "known", "reading", "near"):
            row[use] = _mean(ok for ok, one in zip(got, asked, strict=True) if one.use == use)
        for group in sorted({one.group for one in asked if one.group}):
            for use in ("trained", "novel"):
                mine = (ok for ok, o in zip(got, asked, strict=True) if o.use == use and o.group == group)
                row[f"{group} {use}"] = _mean(mine)
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
