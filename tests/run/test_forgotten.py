"""Tombstones: what stays of what was unlearned."""

from __future__ import annotations

from pathlib import Path

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
