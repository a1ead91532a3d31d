"""Suites in a run: asked later by a person, and in the whole loop, where the gate goes by one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from selfstudy import Run, Study
from selfstudy.errors import RunError
from selfstudy.files import lock
from selfstudy.loop.suite_run import ask_run, taught
from selfstudy.recipe.file import make_recipe
from selfstudy.recipe.suites import PerplexityBlock, QABlock
from selfstudy.records import SuiteItem
from selfstudy.verify.gate import Gate

from .small import QUICK, TINY, Listener, cli, recipe


def test_a_run_that_has_taught_nothing_is_asked_as_it_is(tmp_path: Path) -> None:
    blocks = [QABlock(questions=3), PerplexityBlock(questions=2)]
    with (
        Run.create_or_resume(tmp_path / "run", make_recipe({}, [])) as run,
        Study(run, Listener()) as study,
    ):
        found = ask_run(study, blocks)
        assert list(found) == ["qa", "perplexity"]
        assert [one.asked_before for one in found.values()] == [3, 2]
        assert found["perplexity"].figures["perplexity"].after is None
        items = run.round(1).read(SuiteItem)
        assert ask_run(study, blocks) == found
        assert run.round(1).read(SuiteItem) == items
        with pytest.raises(RunError, match="questions: 3 -> 4"):
            ask_run(study, [QABlock(questions=4)])
        with pytest.raises(RunError, match="taught nothing"):
            taught(run, "weaker")
        assert study.report().suites == found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a run or a model is wanted"),
        (("atlas",), "no suite was named"),
        (("atlas", "trutfulqa"), "did you mean truthfulqa"),
        (("atlas", "pairwise"), "needs a judge"),
        (("atlas", "atomic-facts"), "needs a library"),
        (("atlas", "qa", "--data", "nowhere.json"), "nowhere.json"),
        (("atlas", "qa", "--arm", "taught"), "--arm is for a run"),
        (("atlas", "qa", "--adapter", "x", "--against", "y"), "both give a second model"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    code, _, errors = cli("suite", *arguments)
    assert code == 2
    assert said in errors
    assert "Traceback" not in errors


def test_one_model_and_two_with_every_item_kept(tmp_path: Path) -> None:
    out = tmp_path / "items.jsonl"
    asked = ["suite", "atlas", "qa", "-n", "2", "--against", "atlas", "--out", str(out)]
    code, printed, errors = cli(*asked)
    assert code == 0, errors
    assert "unchanged" in printed
    assert len(out.read_text().splitlines()) == 4
    _, printed, errors = cli(*asked, "--json")
    assert '"difference": 0.0' in printed
    assert "2 of 2" not in errors  # nothing is asked


def test_two_at_once_do_not_write_one_file(tmp_path: Path) -> None:
    out = tmp_path / "new" / "items.jsonl"
    out.parent.mkdir()
    held = lock.take(out.with_name("items.lock"), out, "--out")
    code, _, errors = cli("suite", "atlas", "qa", "-n", "1", "--out", str(out))
    os.close(held)
    assert code == 2
    assert "is being written by process" in errors
    assert not out.exists()
    assert cli("suite", "atlas", "qa", "-n", "1", "--out", str(out))[0] == 0


@pytest.mark.slow
def test_the_gate_goes_by_a_suite_and_the_report_shows_it(tmp_path: Path) -> None:
    suites = 'verify.suites=[{"name":"truthfulqa","questions":10,"margin":0.02},{"name":"qa","questions":8}]'
    asked = recipe(*TINY[:4], *QUICK, suites)
    with Run.create_or_resume(tmp_path / "run", asked) as run, Study(run, Listener()) as study:
        summary = study.learn()
        gate: Any = run.read_as(run.round(1).gate_file, Gate)
    assert list(summary.suites) == list(gate.suites) == ["truthfulqa", "qa"]
    assert summary.suites["qa"].asked_before == summary.suites["qa"].asked_after == 8
    assert any("Suite truthfulqa" in reason for reason in gate.reasons)
    assert not any("Suite qa" in reason for reason in gate.reasons)
    code, _, errors = cli("suite", tmp_path / "run", "perplexity")
    assert code == 0, errors
    with Run.open(tmp_path / "run", write=False) as run:
        assert run.read_as(run.round(1).gate_file, Gate) == gate
        assert "perplexity" in run.report_file.read_text()
