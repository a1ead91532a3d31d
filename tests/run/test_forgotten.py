"""Tombstones: what stays of what was unlearned."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.recipe import Recipe
from selfstudy.run import Run, forgotten
from selfstudy.run.forgotten import Tombstone


def test_stay_and_keep_their_sources_out(tmp_path: Path) -> None:
    stone = Tombstone(pattern="eu/*", sources=("eu/fr.md",), questions=("q",))
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        assert forgotten.tombstones(run) == ()
        forgotten.keep(run, [stone])
        assert forgotten.tombstones(run) == (stone,)
        sources = forgotten.forgotten_sources(run)
    assert "eu/de.md" in sources
    assert "eu/fr.md" in sources
    assert "am/us.md" not in sources


def test_a_front_page_that_a_pattern_named_does_not_take_its_host_along(tmp_path: Path) -> None:
    stone = Tombstone(pattern="*/a.html", sources=("https://example.org/", "https://example.org/a.html"))
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        assert not forgotten.forgotten_sources(run)
        forgotten.keep(run, [stone])
        sources = forgotten.forgotten_sources(run)
    assert sources
    assert "https://example.org/" in sources
    assert "https://example.org/b.html" not in sources


def test_what_is_half_forgotten_stops_the_rest(tmp_path: Path) -> None:
    done = Tombstone(pattern="am/*", finished=True)
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        forgotten.require_finished(run)
        forgotten.keep(run, [done])
        forgotten.require_finished(run)
        forgotten.keep(run, [done, Tombstone(pattern="eu/a b.md")])
        with pytest.raises(RunError, match="half way") as caught:
            forgotten.require_finished(run)
    assert "--source 'eu/a b.md'" in str(caught.value)
