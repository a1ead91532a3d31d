"""The whole stage on a real folder, a real index and scripted answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.gather.stage import run_gather
from selfstudy.gather.verdicts import verdict_kind
from selfstudy.library.folder import read_documents
from selfstudy.library.index import Library
from selfstudy.models import Models
from selfstudy.models.base import Progress
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, GatherBlock, Recipe
from selfstudy.records import (
    Answer,
    Chat,
    Completion,
    Evidence,
    Failure,
    Question,
    Record,
    Reference,
    Score,
    Verdict,
)
from selfstudy.run import Round, Run, corrections

from .capitals import CAPITALS

REFUSAL = "The document does not say."


class ByCapital:
    """Entails if both texts name the same capital, contradicts if different ones, else neutral."""

    name = "by-capital"

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        p = np.array(
            [{"entailment": 0.95, "contradiction": 0.05, "neutral": 0.6}[c] for c in self.classes(pairs)]
        )
        return np.stack([p, 1 - p], axis=1)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        named = [[{c for c in CAPITALS.values() if c in text} for text in pair] for pair in pairs]
        return ["neutral" if not (a and b) else "entailment" if a == b else "contradiction" for a, b in named]


def read(chat: Chat, number: int) -> str:
    """Reads the capital off the page, if it is there; of Cuba each time another one."""
    asked = re.search(r"capital of (\w+)", chat[-1].content.split("Question:")[1])
    page = re.search(r"capital of (\w+) is (\w+)", chat[-1].content.split("Question:")[0])
    if asked is None or page is None or page[1] != asked[1]:
        return REFUSAL
    if asked[1] == "Oman":
        raise RuntimeError("no answer today")
    if asked[1] == "Cuba":
        return f"It is {list(CAPITALS.values())[number]}."
    return f"The capital of {page[1]} is {page[2]}."


def question(country: str) -> Question:
    return Question(text=f"What is the capital of {country}?", topic=country)


def probed(country: str, passage: str, score: float | None) -> list[Record]:
    q = question(country)
    answer = Answer(question_id=q.id, passage=Completion(text=passage), samples=(Completion(text=passage),))
    return [q, answer, Score(question_id=q.id, scorer="selfcheck-nli", value=score)]


PROBED = [
    *probed("Mali", "Bamako is the seat of government.", 0.1),
    *probed("Chad", "Chad's capital is Lima.", 0.2),
    *probed("Peru", "Lima.", 0.5),
    *probed("Togo", "It is Lome.", 0.8),
    *probed("Fiji", "It lies in the sea.", 0.9),
    *probed("Cuba", "Havana.", 0.1),
    *probed("Oman", "Muscat.", 0.1),
    *probed("Atlantis", "Poseidonis.", 0.7),
    *probed("Ruritania", "Strelsau", None),
]


KINDS = {
    "Mali": "known",
    "Chad": "misbelief",
    "Peru": "known",  # a score at the threshold is no gap
    "Togo": "unsure",
    "Fiji": "unknown",
    "Cuba": "unverifiable",  # the reference is inconsistent
    "Atlantis": "unverifiable",  # no page says
}


def recipe(**gather: object) -> Recipe:
    return Recipe(
        answering=AnsweringBlock(block_size=3),
        gather=GatherBlock(**{"samples": 4, **gather}),  # type: ignore[arg-type]
    )


def models(lm: ScriptedLM | None = None) -> Models:
    return Models(lm or ScriptedLM({"Document:": read}), ByCapital(), LexicalEmbedder())


def start(path: Path, recipe: Recipe) -> Round:
    run = Run.create_or_resume(path, recipe)
    run.round(1).append(PROBED)
    return run.round(1)


def files(turn: Round) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(turn.path.glob("*.jsonl"))}


def test_verdicts_from_a_folder(tmp_path: Path, library: Library) -> None:
    turn = start(tmp_path / "run", recipe())
    run_gather(turn, models(), Prompts(), library, Silent())
    verdicts = {q.topic: v for q in turn.read(Question) for v in turn.read(Verdict) if v.question_id == q.id}
    assert {country: verdict.kind for country, verdict in verdicts.items()} == KINDS
    references = {r.question_id: r for r in turn.read(Reference)}
    evidence = {e.id: e for e in turn.read(Evidence)}
    documents = {d.id: d for d in read_documents(tmp_path / "docs").documents}
    for hit in evidence.values():
        assert documents[hit.document_id].text[hit.start : hit.end] == hit.text

    mali = references[question("Mali").id]
    assert mali.accepted
    assert mali.text == "The capital of Mali is Bamako."
    assert mali.inconsistency == pytest.approx(0.05)
    assert evidence[mali.evidence_id].source == "Mali.txt"
    assert verdicts["Mali"].reference_id == mali.id
    assert verdicts["Mali"].contradiction == pytest.approx(0.05)
    assert verdicts["Chad"].contradiction == pytest.approx(0.95)
    assert (verdicts["Fiji"].agrees, verdicts["Fiji"].score) == (False, 0.9)

    togo = evidence[references[question("Togo").id].evidence_id]
    assert (togo.source, togo.rank) == ("west africa.md", 1)  # the first page did not say
    cuba = references[question("Cuba").id]
    assert (cuba.accepted, cuba.error) == (False, None)
    assert cuba.inconsistency == pytest.approx(0.95)
    atlantis = references[question("Atlantis").id]
    assert (atlantis.accepted, atlantis.text, atlantis.inconsistency) == (False, REFUSAL, None)
    assert atlantis.error is None
    oman = references[question("Oman").id]
    assert not oman.accepted
    assert oman.error
    assert "no answer today" in oman.error
    assert [f.item_id for f in turn.read(Failure)] == [question("Oman").id]  # and it has no verdict
    assert turn.finished("gather")


class Counted(Silent):
    """Keeps of each task how many items it was to have, and how many were done."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int, int]] = []

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        done = [0]
        yield lambda count: done.append(count)
        self.tasks.append((label, total, sum(done)))


def test_progress_ends_at_its_end(tmp_path: Path, library: Library) -> None:
    heard = Counted()
    run_gather(start(tmp_path / "run", recipe()), models(), Prompts(), library, heard)
    assert {label for label, _, _ in heard.tasks} >= {"gather: reading passages"}
    assert all(done == total > 0 for _, total, done in heard.tasks), heard.tasks


def test_no_library_means_unverifiable(tmp_path: Path) -> None:
    turn = start(tmp_path / "run", recipe())
    run_gather(turn, models(ScriptedLM({})), Prompts(), None, Silent())
    assert {verdict.kind for verdict in turn.read(Verdict)} == {"unverifiable"}
    assert len(turn.read(Verdict)) == len(KINDS) + 1  # Oman as well: nothing is read, so nothing fails
    assert turn.read(Evidence) == turn.read(Reference) == turn.read(Failure) == []


class KilledError(Exception):
    pass


@pytest.mark.parametrize("survived", range(0, 12, 2))
def test_killed_anywhere_it_ends_the_same(
    tmp_path: Path, library: Library, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(tmp_path / "whole", recipe())
    run_gather(whole, models(), Prompts(), library, Silent())

    turn = start(tmp_path / "run", recipe())
    append, writes = Round.append, 0

    def dying(self: Round, items: Sequence[Record]) -> None:
        nonlocal writes
        if writes == survived:
            raise KilledError
        writes += 1
        append(self, items)

    with monkeypatch.context() as patch:
        patch.setattr(Round, "append", dying)
        with pytest.raises(KilledError):
            run_gather(turn, models(), Prompts(), library, Silent())
    assert not turn.finished("gather")
    turn.run.close()
    with Run.open(tmp_path / "run") as run:
        run_gather(run.round(1), models(), Prompts(), library, Silent())
        assert files(run.round(1)) == files(whole)
        before = files(run.round(1))
        run_gather(run.round(1), models(ScriptedLM({})), Prompts(), None, Silent())  # finished: does nothing
        assert files(run.round(1)) == before


def test_what_failed_is_not_tried_again_when_the_rest_goes_on(tmp_path: Path, library: Library) -> None:
    turn = start(tmp_path / "run", recipe())
    run_gather(turn, models(), Prompts(), library, Silent())
    before = files(turn)
    (turn.path / "gather.done").unlink()  # as a kill before the marker leaves it
    run_gather(turn, models(ScriptedLM({"Document:": "It is Muscat."})), Prompts(), library, Silent())
    assert files(turn) == before


class Mute(ByCapital):
    """Gives NaN for one pair of texts."""

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        result = super().probabilities(pairs)
        result[[any("seat of government" in text for text in pair) for pair in pairs]] = np.nan
        return result


def test_what_the_entailment_model_cannot_judge_is_a_failure(tmp_path: Path, library: Library) -> None:
    turn = start(tmp_path / "run", recipe())
    mute = Models(ScriptedLM({"Document:": read}), Mute(), LexicalEmbedder())
    run_gather(turn, mute, Prompts(), library, Silent())
    assert question("Mali").id not in [verdict.question_id for verdict in turn.read(Verdict)]
    assert question("Mali").id in [f.item_id for f in turn.read(Failure)]


@pytest.mark.parametrize(
    ("consistent", "agrees", "kind"),
    [(True, True, "known"), (False, True, "unsure"), (False, False, "unknown"), (True, False, "misbelief")],
)
def test_table_of_verdicts(consistent: bool, agrees: bool, kind: str) -> None:
    assert verdict_kind(consistent, agrees) == kind


def test_what_a_person_says_wins_over_the_pages_and_the_verdict_follows(
    tmp_path: Path, library: Library
) -> None:
    turn = start(tmp_path / "run", recipe())
    for country, capital in (("Atlantis", "Lima"), ("Mali", "Lima"), ("Mali", "Lome")):
        said = f"The capital of {country} is {capital}."
        corrections.add(turn.run, question(country).id, reference=said, by="Ana")
    run_gather(turn, models(), Prompts(), library, Silent())
    mali = question("Mali").id
    (passage,) = turn.where(Evidence, "question_id", {mali})
    (reference,) = turn.where(Reference, "question_id", {mali})
    assert (passage.source, passage.text) == ("person:Ana", "The capital of Mali is Lome.")
    assert (reference.given_by, reference.accepted, reference.evidence_id) == ("person", True, passage.id)
    kinds = {one.question_id: one.kind for one in turn.iter(Verdict)}
    assert kinds[mali] == "misbelief"  # it was known by the page
    assert kinds[question("Atlantis").id] != "unverifiable"
    assert kinds[question("Chad").id] == KINDS["Chad"]
