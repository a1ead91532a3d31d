"""To which adapter a question goes now, with and without the router's embedder."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.models import taught as folders
from selfstudy.models.router import Router
from selfstudy.recipe import Recipe
from selfstudy.run import Run
from selfstudy.run.curriculum import Curriculum
from selfstudy.verbs import routed_now as module
from selfstudy.verbs.routed_now import routed_now
from selfstudy.verbs.why import why

from ..teach.test_router import WEST, made, taught
from .lineages import FIJI, IDS, asked, decide, make_routed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("router")
    made().save(place)
    return place


def test_what_is_stored_of_a_question_tells_what_its_embedder_would(folder: Path) -> None:
    """Of each wording that was taught; the questions of the other group are told from them."""
    for name, text in taught(WEST)[:12]:
        whole = routed_now(folder, name, text, load=True)
        stored = routed_now(folder, name, text)
        assert whole.adapter == "west-1"
        assert (whole.by, stored.by) == ("embedder", "stored")
        assert (stored.adapter, stored.nearest) == (whole.adapter, name)
        assert stored.score == pytest.approx(whole.score, abs=1e-3)


def test_what_is_not_stored_is_not_guessed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_now = routed_now(folder, "nobody", "What is the capital of Atlantis?")
    assert asked_now.skipped.startswith("not asked, for the router has nothing of it stored: --route")
    loaded = routed_now(folder, "nobody", "How do you bake bread at home?", load=True)
    assert (loaded.adapter, loaded.skipped) == (None, "")
    monkeypatch.setattr(module, "_LARGE", 10)
    assert "the router is large" in routed_now(folder, "Fiji/capital", "?").skipped


def test_a_damaged_router_is_said_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / folders.ROUTER).write_text("{")
    assert "cannot be asked" in routed_now(tmp_path, "q", "?").skipped


def test_the_trail_of_a_routed_run_ends_with_who_answers_now(tmp_path: Path) -> None:
    name = "west-1"
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        turn = run.round(1)
        turn.append(asked(FIJI, "unknown", "oceania/fiji.md"))
        make_routed(turn.adapter(), {name: Curriculum(round=1, group="west", questions=(IDS[FIJI],))})
        router = made()
        questions = [
            one.model_copy(update={"id": IDS[FIJI]}) if one.id == "Fiji/capital" else one
            for one in router.data.questions
        ]
        data = router.data.model_copy(update={"questions": tuple(questions)})
        Router(data, router.vectors).save(turn.adapter())
        decide(turn, True)
        found = why(run, FIJI)
    assert [(one.name, one.state) for one in found.rounds[0].adapters] == [(name, "stands")]
    assert found.routed is not None
    assert (found.routed.adapter, found.routed.by, found.routed.nearest) == (name, "stored", IDS[FIJI])
