"""What stages took is kept in the run, over its sessions."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from selfstudy.recipe import Recipe
from selfstudy.run import Run


def test_seconds_add_up_over_sessions_also_of_a_stage_that_failed(place: Path, recipe: Recipe) -> None:
    with Run.create_or_resume(place, recipe) as run, run.timed("probe"):
        time.sleep(0.01)
    with Run.open(place) as run:
        with pytest.raises(ZeroDivisionError), run.timed("probe", round_=2):
            1 / (time.sleep(0.01) or 0)
        assert list(run.seconds()) == ["probe"]
        assert run.seconds()["probe"] >= 0.02
