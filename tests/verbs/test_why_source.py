"""What rests on a source: before somebody unlearns it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from selfstudy.cli import app
from selfstudy.errors import RunError
from selfstudy.records import Conflict, Evidence, Question, Saying, Verdict
from selfstudy.run import Run, forgotten
from selfstudy.run.forgotten import Tombstone
from selfstudy.verbs.why_source import why_source

from .lineages import CHAD, FIJI, IDS, PERU, make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    make_run(tmp_path / "run").close()
    return Run.open(tmp_path / "run", write=False)


@pytest.mark.parametrize("pattern", ["oceania/fiji.md", "oceania", "oceania/*", "OCEANIA/./fiji.md"])
def test_all_that_rests_on_it_is_there_however_it_is_spelled(run: Run, pattern: str) -> None:
    found = why_source(run, pattern)
    assert "oceania/fiji.md" in found.sources
    assert [(one.round, one.verdict) for one in found.questions] == [(1, "unknown"), (2, "misbelief")]
    assert {one.text for one in found.questions} == {FIJI}
    first = found.questions[0]
    assert (len(first.examples), len(first.pairs), first.steps) == (1, 1, 3 + 29)
    assert first.checks == {"base": (0, 2), "taught": (2, 2)}
    assert [(one.adapter.round, one.adapter.state, one.questions) for one in found.adapters] == [
        (1, "stands", 1),
        (2, "rejected", 1),
    ]
    used = [one for one in found.spans if one.read_for]
    assert [(one.source, one.start, one.found_for, one.read_for) for one in used] == [
        ("oceania/fiji.md", 10, 1, 1)
    ]
    assert found.totals["questions"] == 1
    assert found.totals["adapters that stand"] == 1


def test_a_passage_that_was_found_and_not_used_makes_nothing_rest_on_it(run: Run) -> None:
    found = why_source(run, "oceania/other.md")
    assert found.sources == ("oceania/other.md",)
    assert [(one.found_for, one.read_for) for one in found.spans] == [(1, 0)]
    assert found.questions == ()
    assert found.adapters == ()


def test_a_question_rests_on_what_it_was_made_of_and_on_each_side_of_a_conflict(tmp_path: Path) -> None:
    with make_run(tmp_path / "run") as run:
        saying = Saying(
            side=1, evidence_id="e", source="blog/peru.html", answer="Cusco", quote="Cusco", start=0, end=5
        )
        run.round(1).append(
            [
                Conflict(
                    question_id=IDS[PERU], sayings=(saying,), support=(1, 1), decided="supported", reason=""
                )
            ]
        )
        assert [one.question_id for one in why_source(run, "blog").questions] == [IDS[PERU]]
        assert [one.question_id for one in why_source(run, "africa/*").questions] == [IDS[CHAD]]


def test_an_older_run_has_the_adapter_of_the_round_that_trained_it(tmp_path: Path) -> None:
    with make_run(tmp_path / "run") as run:
        for turn in run.rounds:
            (turn.adapter() / "curriculum.json").unlink()
        found = why_source(run, "oceania/fiji.md")
    assert [one.adapter.round for one in found.adapters] == [1, 2]


def test_what_was_forgotten_is_told_and_what_is_not_known_is_not_found(tmp_path: Path) -> None:
    with make_run(tmp_path / "run") as run:
        stone = Tombstone(pattern="eu/*", sources=("eu/fr.md",), finished=True)
        forgotten.keep(run, [stone])
        assert why_source(run, "eu/fr.md").forgotten == (stone,)
        assert why_source(run, "eu/*").forgotten == (stone,)
        assert not why_source(run, "asia").found


def test_damage_is_told(tmp_path: Path) -> None:
    with make_run(tmp_path / "run") as run:
        file = run.round(1).path / Evidence.file
        file.write_bytes(b"{}\n" + file.read_bytes())
        with pytest.raises(RunError, match=r"evidence\.jsonl, line 1 is damaged"):
            why_source(run, "oceania")


def test_the_verb_has_the_totals_first_and_all_of_it_as_json(run: Run) -> None:
    shown = CliRunner().invoke(app, ["why", str(run.path), "--source", "oceania/fiji.md"])
    assert shown.exit_code == 0, shown.output
    lines = [line for line in shown.output.splitlines() if line.strip()]
    assert lines[1].startswith("in all")
    said = " ".join(shown.output.split())
    for part in ("questions 1", "adapters 2", "promoted, and stands", "references read in it: 1", FIJI):
        assert part in said
    data = json.loads(CliRunner().invoke(app, ["why", str(run.path), "--source", "oceania", "--json"]).output)
    assert {one["question_id"] for one in data["questions"]} == {IDS[FIJI]}
    missing = CliRunner().invoke(app, ["why", str(run.path), "--source", "asia/*"])
    assert missing.exit_code == 2
    assert "knows no source" in missing.output


def test_many_questions_on_one_source_are_counted_and_shortened(tmp_path: Path) -> None:
    with make_run(tmp_path / "run") as run:
        asked = [Question(text=f"Question {n}?", document_id="d-oceania/fiji.md") for n in range(300)]
        run.round(1).append([*asked, *(Verdict(question_id=q.id, kind="known", score=0.1) for q in asked)])
        found = why_source(run, "oceania/fiji.md")
    assert found.totals["questions"] == 301
    shown = CliRunner().invoke(app, ["why", str(tmp_path / "run"), "--source", "oceania/fiji.md"])
    assert "and 294 more (--json)" in shown.output
    assert len(shown.output.splitlines()) < 80
