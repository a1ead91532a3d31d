"""The table of sources that disagree: what is open first, and how much of it is shown."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.records import Conflict, NotEvidence, Question, Reference, Saying, Settled, Verdict
from selfstudy.run import Run
from selfstudy.show.disagreements import MAX_CONFLICTS, conflict_table
from selfstudy.show.questions import MAX_SAYINGS
from selfstudy.show.words import curated
from selfstudy.summary import Summary, summarise
from tests.summary.test_summarise import Letters


def conflict(question: Question, decided: Settled, chosen: int | None, sayings: int = 2) -> Conflict:
    return Conflict(
        question_id=question.id,
        sayings=tuple(
            Saying(
                side=min(side, 1),
                evidence_id=f"e{side}",
                source="https://a.example",
                date="2024" if side else "",
                answer="It is <Lima>.",
                quote="Lima it is.",
                start=3,
                end=14,
            )
            for side in range(sayings)
        ),
        support=(1, 1),
        decided=decided,
        chosen=chosen,
        reason="sources disagree",
    )


def test_what_is_open_stands_first_and_the_rest_is_counted(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        turn = run.round(1)
        questions = [Question(text=f"Question {n}?") for n in range(MAX_CONFLICTS + 2)]
        turn.append(questions)
        turn.append(conflict(one, "newer", 1, sayings=9) for one in questions[:-1])
        turn.append([conflict(questions[-1], "unresolved", None)])
        summary = summarise(run, None, Letters())
        assert summary.curation.conflicts == {"newer": MAX_CONFLICTS + 1, "unresolved": 1}
        shown = conflict_table(run, summary)
    assert shown["conflicts_total"] == MAX_CONFLICTS + 2
    assert len(shown["conflicts"]) == MAX_CONFLICTS
    first, second = shown["conflicts"][:2]
    assert (first["question"], first["decided"]) == (questions[-1].text, "unresolved")
    assert [one["believed"] for one in first["sayings"]] == [False, False]
    assert [one["date"] for one in first["sayings"]] == ["no date", "2024"]
    assert (len(second["sayings"]), second["more"]) == (MAX_SAYINGS, 9 - MAX_SAYINGS)
    assert [one["believed"] for one in second["sayings"]][:2] == [False, True]


def test_counts_in_words(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        turn = run.round(1)
        asked = [Question(text=f"Question {n}?") for n in range(4)]
        told = {"text": "It is Lima.", "inconsistency": 0.0, "accepted": True}
        references = [
            Reference.model_validate({"question_id": one.id, "evidence_id": "e", "sources": n, **told})
            for n, one in enumerate(asked[:3])
        ]
        references.append(
            Reference.model_validate(
                {"question_id": asked[3].id, "evidence_id": "", "given_by": "teacher", **told}
            )
        )
        turn.append(asked)
        turn.append(references)
        turn.append(
            [
                conflict(asked[0], "unresolved", None),
                NotEvidence(document_id="1", source="a", why="stale", date="2019"),
                NotEvidence(document_id="2", source="b", why="excluded"),
                NotEvidence(document_id="3", source="c", why="excluded"),
                Verdict(question_id=asked[1].id, kind="misbelief", score=0.1, label="partly"),
            ]
        )
        found = summarise(run, None, Letters())
    made = found.curation
    assert (made.stale, made.excluded, made.by_teacher) == (1, 2, 1)
    assert (made.one_source, made.more_sources) == (1, 1)
    assert made.labels == {"partly": 1}
    lines = curated(found)
    assert lines[0] == "Sources disagree about 1 question: 1 unresolved, and not taught."
    assert any(line.startswith("2 documents found") for line in lines)
    assert any("1 reference came from the stronger model" in line for line in lines)
    assert len(lines) == 6
    assert Summary.model_validate(found.to_dict()) == found


def test_nothing_is_said_where_nothing_was_counted() -> None:
    assert curated(Summary()) == []
    assert "curation" not in Summary().to_dict()
