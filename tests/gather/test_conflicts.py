"""Sources that disagree: who is heard, who is believed, and what it costs where they agree.

Real pages, a real index, a scripted reader that reads what stands there.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import RunError
from selfstudy.gather.stage import as_of_day, run_gather
from selfstudy.library.folder import read_documents
from selfstudy.library.index import Library
from selfstudy.models import Models
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import GatherBlock, Recipe
from selfstudy.records import Chat, Conflict, Evidence, NotEvidence, Reference, Verdict
from selfstudy.run import Round, Run

from .test_stage import REFUSAL, ByCapital, probed

Page = tuple[str, str, str]
"""Source, date and capital of Mali."""
OLD, NEW = ("https://old.example/mali", "2019", "Lima"), ("https://new.example/mali", "2025", "Bamako")
TODAY = "2026-11-28"


def reading(chat: Chat, number: int) -> str:
    """The capital that the page states, whatever country it is of, as small readers do."""
    asked = re.search(r"capital of (\w+)", chat[-1].content.split("Question:")[1])
    page = re.search(r"capital of \w+ is (\w+)", chat[-1].content.split("Question:")[0])
    return f"The capital of {asked[1]} is {page[1]}." if asked and page else REFUSAL


def gathered(folder: Path, pages: list[Page], **keys: Any) -> tuple[Round, ScriptedLM]:
    folder.mkdir()
    rows = [
        {"source": source, "date": day, "title": "Mali", "text": f"{n} The capital of Mali is {capital}."}
        for n, (source, day, capital) in enumerate(pages)
    ]
    return read_from(folder, rows, **keys)


def read_from(folder: Path, rows: list[dict[str, str]], **keys: Any) -> tuple[Round, ScriptedLM]:
    (folder / "pages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    documents = read_documents(folder / "pages.jsonl").documents
    library = Library.build(documents, folder / "index", chunk_tokens=64)
    block = GatherBlock(**{"samples": 2, "as_of": TODAY, "hits": 4, **keys})
    turn = Run.create_or_resume(folder / "run", Recipe(gather=block)).round(1)
    turn.append(probed("Mali", "The capital of Mali is Bamako.", 0.1))
    lm = ScriptedLM({"Document:": reading})
    run_gather(turn, Models(lm, ByCapital(), LexicalEmbedder()), Prompts(), library, Silent())
    return turn, lm


def outcome(turn: Round) -> tuple[str | None, str, str]:
    """The capital that is believed, what decided, and the verdict."""
    (reference,) = turn.read(Reference)
    decided = [one.decided for one in turn.read(Conflict)]
    (verdict,) = turn.read(Verdict)
    capital = reference.text.split()[-1].strip(".") if reference.accepted else None
    return capital, decided[0] if decided else "", verdict.kind


@pytest.mark.parametrize(
    ("way", "pages", "expected"),
    [
        ("careful", [OLD, NEW], ("Bamako", "newer", "known")),
        ("careful", [NEW, OLD], ("Bamako", "newer", "known")),
        ("newer", [OLD, NEW], ("Bamako", "newer", "known")),
        ("supported", [OLD, NEW], (None, "unresolved", "unverifiable")),
        ("unresolved", [OLD, NEW], (None, "unresolved", "unverifiable")),
        ("careful", [(OLD[0], "", "Lima"), NEW], (None, "unresolved", "unverifiable")),
        ("careful", [(OLD[0], "2025-03", "Lima"), NEW], (None, "unresolved", "unverifiable")),
        ("careful", [(OLD[0], "2999", "Lima"), NEW], (None, "unresolved", "unverifiable")),  # it lies
        # two against one
        (
            "careful",
            [("https://a.example", "", "Bamako"), ("https://b.example", "", "Lima"),
             ("https://c.example", "", "Bamako")],
            ("Bamako", "supported", "known"),
        ),
        (
            "careful",  # the two are one publisher
            [("https://a.example/1", "", "Bamako"), ("https://b.example", "", "Lima"),
             ("https://www.a.example/2", "", "Bamako")],
            (None, "unresolved", "unverifiable"),
        ),
        (
            "careful",  # the two are old
            [OLD, ("https://older.example", "2018", "Lima"), NEW],
            (None, "unresolved", "unverifiable"),
        ),
        ("newer", [OLD, ("https://older.example", "2018", "Lima"), NEW], ("Bamako", "newer", "known")),
        (
            "supported",
            [OLD, ("https://older.example", "2018", "Lima"), NEW],
            ("Lima", "supported", "misbelief"),
        ),
        # three sides
        ("careful", [OLD, NEW, ("https://third.example", "2020", "Lome")], ("Bamako", "newer", "known")),
    ],
)  # fmt: skip
def test_who_is_believed(
    tmp_path: Path, way: str, pages: list[Page], expected: tuple[str | None, str, str]
) -> None:
    turn, _ = gathered(tmp_path / "run", pages, conflicts=way)
    assert outcome(turn) == expected


def test_a_conflict_points_into_both_pages(tmp_path: Path) -> None:
    turn, _ = gathered(tmp_path / "run", [OLD, NEW])
    (conflict,) = turn.read(Conflict)
    evidence = turn.by_id(Evidence)
    assert {one.date for one in conflict.sayings} == {"2019", "2025"}
    for one in conflict.sayings:
        page = evidence[one.evidence_id]
        assert page.text[one.start - page.start : one.end - page.start] == one.quote
        assert one.answer.split()[-1] in one.quote
        assert one.source == page.source
    assert conflict.support == (1, 1)
    assert "later date decided" in conflict.reason
    (reference,) = turn.read(Reference)
    chosen = next(one for one in conflict.sayings if one.side == conflict.chosen)
    assert (reference.evidence_id, reference.sources) == (chosen.evidence_id, 1)


def test_unresolved_is_not_taught_and_says_why(tmp_path: Path) -> None:
    turn, _ = gathered(tmp_path / "run", [OLD, NEW], conflicts="unresolved")
    (verdict,), (reference,) = turn.read(Verdict), turn.read(Reference)
    assert (verdict.kind, verdict.reference_id, verdict.label) == ("unverifiable", None, None)
    assert "sources disagree" in verdict.reason
    assert verdict.reason == reference.explanation
    assert not reference.accepted


def test_agreeing_sources_are_counted_and_cost_one_answer_each(tmp_path: Path) -> None:
    pages = [NEW, ("https://b.example", "", "Bamako"), ("https://c.example", "", "Bamako")]
    turn, _ = gathered(tmp_path / "heard", pages)
    (reference,) = turn.read(Reference)
    assert (reference.sources, turn.read(Conflict)) == (3, [])
    turn, _ = gathered(tmp_path / "ignored", pages, conflicts="ignore")
    (reference,) = turn.read(Reference)
    assert (reference.sources, turn.read(Conflict)) == (0, [])
    turn, _ = gathered(tmp_path / "alone", [NEW])
    (reference,) = turn.read(Reference)
    assert reference.sources == 1


def test_what_a_reader_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    generate = ScriptedLM.generate

    def counted(self: ScriptedLM, chats: Any, sampling: Any, progress: Any = None) -> Any:
        asked.append((len(chats), sampling.total))
        return generate(self, chats, sampling, progress)

    monkeypatch.setattr(ScriptedLM, "generate", counted)
    pages = [NEW, ("https://b.example", "", "Bamako"), ("https://c.example", "", "Bamako")]
    gathered(tmp_path / "agree", pages)
    assert asked == [(1, 3), (2, 1)]  # the best with its samples, the others greedily in one batch
    asked.clear()
    gathered(tmp_path / "disagree", [NEW, OLD])
    assert asked == [(1, 3), (1, 1), (1, 3)]  # and who disagrees once more
    asked.clear()
    gathered(tmp_path / "alone", [NEW])
    assert asked == [(1, 3)]


def test_a_page_about_something_else_is_no_conflict(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [
        {"source": "https://a.example", "title": "Mali", "text": "The capital of Mali is Bamako."},
        {
            "source": "https://b.example",
            "title": "Peru",
            "text": "Peru is nowhere near Mali. The capital of Peru is Lima, and Mali is far.",
            "date": "2026",
        },
    ]
    turn, _ = read_from(folder, rows)
    assert len(turn.read(Evidence)) == 2
    # the sentence that Lima was read from has Mali, but nothing else says so
    rows[1]["text"] = "Peru is nowhere near Mali. The capital of Peru is Lima."
    other = tmp_path / "other"
    other.mkdir()
    turn, _ = read_from(other, rows)
    assert turn.read(Conflict) == []
    assert outcome(turn) == ("Bamako", "", "known")


def test_stale_and_excluded_pages_are_passed_over_and_counted(tmp_path: Path) -> None:
    undated = ("https://undated.example", "", "Bamako")
    turn, _ = gathered(tmp_path / "stale", [OLD, undated], max_age="2y")
    assert [one.source for one in turn.read(Evidence)] == [undated[0]]
    (passed,) = turn.read(NotEvidence)
    assert (passed.why, passed.source, passed.date) == ("stale", OLD[0], "2019")
    assert outcome(turn) == ("Bamako", "", "known")

    turn, _ = gathered(tmp_path / "excluded", [OLD, NEW], exclude=["old.example"])
    (passed,) = turn.read(NotEvidence)
    assert (passed.why, passed.source) == ("excluded", OLD[0])
    assert outcome(turn) == ("Bamako", "", "known")

    turn, _ = gathered(tmp_path / "all", [OLD], exclude=["old.example"])
    assert turn.read(Evidence) == turn.read(Reference) == []
    assert [one.kind for one in turn.read(Verdict)] == ["unverifiable"]


def test_passing_over_reaches_further_down(tmp_path: Path) -> None:
    many = [(f"https://bench.example/{n}", "", "Lima") for n in range(6)]
    turn, _ = gathered(tmp_path / "run", [*many, NEW], exclude=["bench.example"], hits=2)
    assert [one.source for one in turn.read(Evidence)] == [NEW[0]]
    assert [one.rank for one in turn.read(Evidence)] == [0]


def test_a_resumed_run_counts_ages_from_the_day_it_began(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        began = as_of_day(run.round(1))
        written = run.read_json(run.provenance_file) or {}
        run.write_json(run.provenance_file, {**written, "created": "2024-02-03T00:00:00Z"})
    with Run.open(tmp_path / "run") as run:
        assert as_of_day(run.round(1)).isoformat() == "2024-02-03" != began.isoformat()
    with Run.open(tmp_path / "run") as run:
        run.write_json(run.provenance_file, {**written, "created": "once"})
        with pytest.raises(RunError, match="does not say on which day"):
            as_of_day(run.round(1))
    given = Recipe(gather=GatherBlock(as_of="2020-01-01"))
    with Run.create_or_resume(tmp_path / "given", given) as run:
        assert as_of_day(run.round(1)).isoformat() == "2020-01-01"
