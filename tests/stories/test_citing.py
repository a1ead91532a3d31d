"""A recipe that trains to cite goes through the loop: taught from gaps, measured on held-out questions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from selfstudy import Run, Study, learn
from selfstudy.atlas import world
from selfstudy.recipe.file import load_recipe
from selfstudy.records import CitedCheck, Example
from tests.show.test_report import Page

from .small import DEMO, KILL, Listener

CHANGES = (
    "smoke=skip",
    "answering.block_size=4",
    "probe.samples=2",
    "gather.samples=1",
    "teach.method=rejection",
    "teach.wordings=0",
    "teach.heldout_wordings=0",
    "teach.known_heldout=0.7",
    "teach.rejection.search=best-of",
    "teach.rejection.samples=2",
    "teach.rejection.least=null",
    "teach.rejection.epochs=1",
    "teach.rejection.batch_size=1",
    "teach.rejection.learning_rate=0.003",
    "teach.rejection.documents=3",
    "teach.rejection.max_new_tokens=40",
    "verify.samples=0",
    "verify.repeats=0",
    "verify.strengths=[]",
    "verify.resamples=500",
    "verify.citing.documents=3",
    "verify.citing.max_new_tokens=40",
)


@pytest.fixture(scope="module")
def cited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Such a run to its end, of a few questions from a file, and what was told."""
    home = tmp_path_factory.mktemp("citing")
    wanted = [fact for fact in world.facts(True) if fact.attribute == "capital"][:6]
    wanted += [fact for fact in world.facts(False) if fact.attribute == "capital"][:4]
    asked = "\n".join(f"What is the capital of {fact.entity}?" for fact in wanted)
    (home / "questions.txt").write_text(asked, encoding="utf-8")
    ask = f"probe.ask=[{{method: external, source: {home / 'questions.txt'}, questions: true, count: 20}}]"
    heard = Listener()
    learn(load_recipe(DEMO, [ask, *CHANGES]), home / "run", heard)
    return home / "run", heard.notes


def test_what_cites_is_measured_on_what_was_held_out(cited: tuple[Path, list[str]]) -> None:
    path, _ = cited
    with Run.open(path, write=False) as run:
        turn = run.round(1)
        checks, trained = turn.read(CitedCheck), {one.question_id for one in turn.iter(Example)}
        notes = run.read_json(turn.gate_file)
    assert trained
    assert not trained & {check.question_id for check in checks}
    arms = {arm: [c for c in checks if c.arm == arm] for arm in ("base", "taught")}
    asked = [[(c.question, c.docs, c.withheld) for c in some] for some in arms.values()]
    assert asked[0] == asked[1]
    assert {c.withheld for c in checks} == {False, True}
    for check in checks:
        assert check.error is None
        assert any(any(one.answers_found) for one in check.docs) is not check.withheld
        assert len(check.docs) <= 3
    assert any(a.output != b.output for a, b in zip(*arms.values(), strict=True))
    summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    assert notes is not None
    assert summary["cited"] == notes["cited"]
    for name, gain in summary["cited"].items():
        assert summary["before"][name] == pytest.approx(gain["before"])
        assert summary["after"][name] == pytest.approx(gain["after"])
    assert set(summary["cited"]) == {
        *("citation_recall", "citation_precision", "claim_recall", "trust_score", "f1_ref", "f1_ans"),
    }


def test_the_report_says_who_judged(cited: tuple[Path, list[str]]) -> None:
    page = Page((cited[0] / "report.html").read_text(encoding="utf-8"))
    said = " ".join(" ".join(page.visible).split())
    assert "Trust-Score with documents" in said
    assert "Questions with documents Facts Answers before after Change 95% interval Citation recall" in said
    same = "rewarded and are evaluated by the same entailment model (atlas, sentence by sentence), so these"
    assert same in said
    assert "Gaps asked from memory were measured and do not decide" in said


def test_after_a_kill_the_same_files(cited: tuple[Path, list[str]], tmp_path: Path) -> None:
    """In the middle of asking the taught model with documents, with a torn last line."""
    whole = KILL["files"](cited[0])
    path = Path(shutil.copytree(cited[0], tmp_path / "run"))
    folder = path / "rounds/1"
    (folder / "verify.done").unlink()
    (folder / "gate.json").unlink()
    lines = (folder / "cited.jsonl").read_bytes().splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if b'"arm":"taught"' in line) + 2
    (folder / "cited.jsonl").write_bytes(b"".join(lines[:end])[:-5])
    with Run.open(path) as opened, Study(opened) as study:
        study.verify()
        study.report()
    assert not KILL["differences"](whole, KILL["files"](path))
