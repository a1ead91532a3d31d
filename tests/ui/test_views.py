"""What the views say of a run; how they look and behave in a browser: stories/test_page.py."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.run import Run
from selfstudy.ui.desk import Desk
from selfstudy.ui.views import runs


def test_the_list_of_runs_names_each_and_escapes_it(tmp_path: Path) -> None:
    assert "There is no run" in runs.html(Desk(tmp_path))
    Run.create_or_resume(tmp_path / "<b>one", Recipe()).close()
    html = runs.html(Desk(tmp_path))
    assert "&lt;b&gt;one" in html
    assert 'href="/run?run=%3Cb%3Eone"' in html
