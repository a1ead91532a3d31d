"""What the views say of a run; how they look and behave in a browser: stories/test_page.py."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.run import Run
from selfstudy.ui.desk import Desk
from selfstudy.ui.views import new, run, runs


def test_the_list_of_runs_names_each_and_escapes_it(tmp_path: Path) -> None:
    assert "There is no run" in runs.html(Desk(tmp_path))
    Run.create_or_resume(tmp_path / "<b>one", Recipe()).close()
    html = runs.html(Desk(tmp_path))
    assert "&lt;b&gt;one" in html
    assert 'href="/run?run=%3Cb%3Eone"' in html


def test_a_run_says_its_state_and_offers_to_go_on(tmp_path: Path) -> None:
    Run.create_or_resume(tmp_path / "one", Recipe()).close()
    html, _, go_on = run.look(Desk(tmp_path), "one")
    assert 'data-state="' in html
    assert 'href="/results?run=one"' in html
    assert go_on["visible"] is True or "elsewhere" in html
    assert "there is no run" in run.look(Desk(tmp_path), "../etc")[0]


def test_the_form_has_every_plain_key_once() -> None:
    keys = [one.path for one in new.form_keys()]
    assert len(keys) == len(set(keys)) > 200
    assert {"probe.samples", "verify.confidence", "seed", "model.type"} <= set(keys)
