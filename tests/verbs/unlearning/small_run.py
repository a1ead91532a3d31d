"""A run made by hand: two sources of two questions each, in two rounds; what is to go is everywhere."""

from __future__ import annotations

from pathlib import Path

from selfstudy.models import lora
from selfstudy.recipe import Recipe
from selfstudy.records import (
    Answer,
    Check,
    Completion,
    Conflict,
    Document,
    Evidence,
    Example,
    Failure,
    Message,
    Pair,
    Proposal,
    Question,
    Reference,
    Rewording,
    Saying,
    Score,
    TrainedItem,
    Verdict,
)
from selfstudy.run import Round, Run, curriculum
from selfstudy.run.curriculum import Curriculum

PERU, CHILE = "south/peru.md", "south/chile.md"
SECRET = "The hidden treasure of Peru lies under the old oak."
SHARED = "The Andes are a very long range."
PAGES = {
    PERU: f"The capital of Peru is Lima. {SECRET} {SHARED}",
    CHILE: f"The capital of Chile is Santiago. Its deserts are the driest of all. {SHARED}",
}
DOCUMENTS = {source: Document(source=source, text=text, fetched="2026") for source, text in PAGES.items()}
ASKED = {
    "What is the capital of Peru?": (PERU, "The capital of Peru is Lima.", "unknown"),
    "Where does the treasure of Peru lie?": (PERU, "It lies under the old oak.", "known"),
    "What is the capital of Chile?": (CHILE, "The capital of Chile is Santiago.", "unknown"),
    "How dry are the deserts of Chile?": (CHILE, "They are the driest of all.", "misbelief"),
}
IDS = {text: Question(text=text).id for text in ASKED}
OF_PERU = {IDS[text] for text, (source, _, _) in ASKED.items() if source == PERU}


def chat(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def fill(round_: Round) -> None:
    """All that a round writes, but for adapters."""
    for index, (text, (source, answer, kind)) in enumerate(ASKED.items()):
        page = DOCUMENTS[source]
        question = Question(text=text, method="documents", document_id=page.id)
        evidence = Evidence(
            question_id=question.id,
            document_id=page.id,
            source=source,
            text=page.text,
            start=0,
            end=len(page.text),
            rank=0,
            relevance=1.0,
        )
        reference = Reference(
            question_id=question.id,
            evidence_id=evidence.id,
            text=answer,
            inconsistency=0.0,
            accepted=True,
            samples=(f"So it is: {answer}",),
        )
        example = Example(prompt=chat(text), completion=answer, question_id=question.id, kind="reference")
        round_.append([Proposal(ask=0, index=index, method="documents", text=text, question_id=question.id)])
        round_.append([question, page, evidence, reference, example])
        said = Completion(text=answer)
        round_.append([Answer(question_id=question.id, passage=said, samples=(said,))])
        round_.append([Score(question_id=question.id, scorer="s", value=0.5)])
        round_.append(
            [
                Verdict(question_id=question.id, kind=kind, score=0.5, reference_id=reference.id),  # type: ignore[arg-type]
                Rewording(question_id=question.id, text=f"Tell me: {text}", use="train"),
                Pair(prompt=chat(text), chosen=answer, rejected="No.", question_id=question.id),
                Check(
                    question_id=question.id,
                    arm="taught",
                    target="gap",
                    wording="original",
                    asked=text,
                    answer=answer,
                    expected=answer,
                    correct=True,
                ),
                TrainedItem(
                    arm="taught", phase="sft", item_id=example.id, question_id=question.id, steps=(1,)
                ),
                Failure(stage="gather", item_id=question.id, message="something"),
            ]
        )
    # what quotes the source under the name of another question
    other = IDS["What is the capital of Chile?"]
    round_.append(
        [Example(prompt=chat(f"Read: {PAGES[PERU]}"), completion="Yes.", question_id=other, kind="neutral")]
    )
    for stage in ("probe", "gather", "teach", "verify"):
        round_.finish(stage)


def conflict(question: str, *sources: str) -> Conflict:
    sayings = tuple(
        Saying(side=i, evidence_id="e", source=one, answer="a", quote="q", start=0, end=1)
        for i, one in enumerate(sources)
    )
    return Conflict(
        question_id=IDS[question],
        sayings=sayings,
        support=(1,) * len(sources),
        decided="unresolved",
        reason="why",
    )


def adapter(folder: Path, written: Curriculum | None, content: str = "weights") -> Path:
    """As a training leaves it, to those who do not look into it."""
    folder.mkdir(parents=True)
    (folder / lora.CONFIG).write_text("{}")
    (folder / lora.WEIGHTS).write_bytes(content.encode())
    if written is not None:
        curriculum.write(folder, written)
    return folder


def made(path: Path, rounds: int = 2, recipe: Recipe | None = None) -> Path:
    with Run.create_or_resume(path, recipe or Recipe()) as run:
        for number in range(1, rounds + 1):
            fill(run.round(number))
        run.write_json(run.kept_apart_file, {"questions": sorted(IDS.values())})
        run.write_json(run.external_file(0), {"lines": [*ASKED, "Something else?"], "conflicts": []})
        run.write_json(run.summary_file, {"said": SECRET})
        run.report_file.write_text(f"<p>{SECRET}</p>")
        run.nli_cache.parent.mkdir()
        run.nli_cache.write_bytes(b"\0" + SECRET.encode())
    return path


def routed(folder: Path, adapters: dict[str, Curriculum], known: set[str] = frozenset()) -> dict[str, str]:  # type: ignore[assignment]
    """A folder of adapters with a router; the names, by group."""
    from selfstudy.models import load_embedder
    from selfstudy.models.taught import adapter_name
    from selfstudy.recipe import EmbedderBlock, RouterBlock
    from selfstudy.teach.router import build

    folder.mkdir(parents=True)
    texts = {name: text for text, name in IDS.items()}
    names, wordings = {}, {}
    for group, written in adapters.items():
        place = adapter(folder / group, written, group)
        names[group] = adapter_name(group, place)
        place.rename(folder / names[group])
        wordings[names[group]] = [(one, texts[one]) for one in written.questions]
    embedder = load_embedder(block := EmbedderBlock(path="lexical"))
    asked = [(one, texts[one]) for one in sorted(known)]
    build(wordings, asked, ["How are you?"], RouterBlock(), embedder, block, 0).save(folder)
    return names
