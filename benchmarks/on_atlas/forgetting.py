"""One of five source groups is forgotten: a run made of the groups' adapters, what it answered, what is left.

Knows nothing of how the adapters were trained (source_groups.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from on_atlas import source_groups
from on_atlas.source_groups import Gap, Material
from selfstudy import load_lm
from selfstudy.atlas import language
from selfstudy.library.folder import read_documents
from selfstudy.models import taught
from selfstudy.models.base import GREEDY
from selfstudy.models.router import Router
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, Recipe
from selfstudy.records import (
    STAGES,
    Answer,
    Completion,
    Document,
    Evidence,
    Example,
    Question,
    Record,
    Reference,
    Rewording,
    Score,
    Verdict,
)
from selfstudy.run import Run, standing
from selfstudy.verbs.unlearning.quoted import Quotable
from selfstudy.verbs.unlearning.resting import ForgottenQuestion
from selfstudy.verbs.unlearning.verifying import AskingAgain

PROMPTS = Prompts().without_demonstrations()


def made(folder: Path, groups: Path, found: Material, recipe: Recipe) -> None:
    """The run that teaching the five groups would have left, with a promoted folder; a finished one stays."""
    with Run.create_or_resume(folder, recipe) as run:
        first = run.round(1)
        if run.promoted_folder.is_dir():
            return
        pages = {one.source: one for one in read_documents(groups / "library").documents}
        for gap in found.gaps:
            first.append(_records(gap, pages[gap.source]))
        for stage in STAGES:
            first.finish(stage)
        own_copy = first.adapter()
        shutil.rmtree(own_copy, ignore_errors=True)
        shutil.copytree(groups / "routed", own_copy)
        run.write_json(first.gate_file, {"promoted": True, "reasons": []})
        standing.promote(first, lambda: own_copy, move=False)


def _records(gap: Gap, page: Document) -> Iterator[Record]:
    answer = language.statement(gap.fact.attribute, gap.fact.entity, gap.fact.value)
    question = Question(text=gap.trained[0], method="documents", document_id=page.id)
    evidence = Evidence(
        question_id=question.id,
        document_id=page.id,
        source=page.source,
        title=page.title,
        text=page.text,
        start=0,
        end=len(page.text),
        rank=0,
        relevance=1.0,
    )
    reference = Reference(
        question_id=question.id, evidence_id=evidence.id, text=answer, inconsistency=0.0, accepted=True
    )
    yield from (question, evidence, reference)
    yield Answer(question_id=question.id, passage=Completion(text="I do not know."), samples=())
    yield Score(question_id=question.id, scorer="agreement", value=0.9)
    yield Verdict(question_id=question.id, kind="unknown", score=0.9, reference_id=reference.id)
    for text in gap.trained[1:]:
        yield Rewording(question_id=question.id, text=text, use="train")
    for text in gap.trained:
        yield Example(
            prompt=PROMPTS.chat("answer", question=text),
            completion=answer,
            question_id=question.id,
            kind="reference",
        )
    yield Example(
        prompt=PROMPTS.chat("read", document=page.text, question=gap.trained[0]),
        completion=answer,
        question_id=question.id,
        kind="reading",
    )


def asked_of(gaps: Sequence[Gap]) -> list[ForgottenQuestion]:
    """A gap as unlearning asks it."""
    return [
        ForgottenQuestion(
            gap.id,
            gap.trained[0],
            language.statement(gap.fact.attribute, gap.fact.entity, gap.fact.value),
            taught=True,
            entity=gap.source,
        )
        for gap in gaps
    ]


def others(folder: Path, gaps: Sequence[Gap]) -> tuple[list[str], list[str | None]]:
    """What a routed folder answers to gaps of groups that stay, and which adapter does."""
    chats = [PROMPTS.chat("answer", question=gap.trained[0]) for gap in gaps]
    lm = load_lm(LocalModel(path="atlas", adapter=folder))
    said = [one[0].text for one in lm.generate(chats, GREEDY)]
    router = Router.load(folder)
    routes = router.route([router.routing_text(chat) for chat in chats])
    return said, [one.adapter for one in routes]


def never_saw(groups: Path, folder: Path, group: str, router: Router) -> Path:
    """The folder of a model that was never taught the group: its adapters and a router over them alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, place in taught.adapters_of(groups / "adapters").items():
        if not name.startswith(f"{group}-"):
            shutil.copytree(place, folder / name)
    router.save(folder)
    return folder


def asking(now: Path | None, unseen: Path | None, tools: AskingAgain) -> AskingAgain:
    """Between two folders of what was taught; None: atlas-lm as it came."""

    def load(folder: Path | None) -> object:
        return load_lm(LocalModel(path="atlas", adapter=folder))

    return AskingAgain(
        now=lambda: load(now),  # type: ignore[arg-type, return-value]
        unseen=lambda: load(unseen),  # type: ignore[arg-type, return-value]
        unseen_name="never saw it",
        nli=tools.nli,
        prompts=PROMPTS,
        answering=tools.answering,
        key=tools.key,
    )


def quoting(run: Path, library: Path, group: str) -> tuple[int, list[str]]:
    """Sentences of the group's pages that no other page has, and files of the run that quote any of them."""
    pages: dict[bool, list[str]] = {True: [], False: []}
    for page in read_documents(library).documents:
        pages[page.source.startswith(f"{group}/")].append(page.text)
    said = Quotable(pages[True]).without(pages[False])
    files = [path for path in sorted(run.rglob("*")) if path.is_file() and path.suffix != ".safetensors"]
    return len(said), [str(path.relative_to(run)) for path in files if said.in_file(path.read_bytes())]


def recipe(groups: Path, seed: int) -> Recipe:
    """That of the adapters, deployed by a router, over the groups' library."""
    plain = source_groups.recipe(seed, 100)
    changes = {"library": str(groups / "library"), "deploy": {"type": "dynamic"}}
    return Recipe.model_validate(plain.model_dump(mode="json") | changes)
