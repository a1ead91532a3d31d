"""A new run out of a form: its recipe is checked, kept and no more than was chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import DataError, RecipeError, RunError
from selfstudy.recipe.file import load_recipe
from selfstudy.ui import new_run
from selfstudy.ui.desk import Desk
from selfstudy.ui.new_run import Wish


def test_a_recipe_is_written_with_what_was_chosen_and_the_documents_beside_it(tmp_path: Path) -> None:
    given = tmp_path / "my.txt"
    given.write_text("Suva is the capital of Fiji.", encoding="utf-8")
    desk = Desk(tmp_path / "runs")
    desk.folder.mkdir()
    changes = {"probe.samples": "3", "seed": "7", "probe.threshold": " "}
    file = new_run.write(desk, Wish("one", "atlas", "", [given], "facts", "look", changes))
    recipe = load_recipe(file)
    assert (recipe.probe.samples, recipe.seed, sum(one.count for one in recipe.probe.ask)) == (3, 7, 60)
    assert (file.parent / "documents/my.txt").read_bytes() == given.read_bytes()
    assert recipe.answer_key is None
    assert "teach.grpo" not in file.read_text(encoding="utf-8")


def test_what_one_person_changes_is_not_changed_for_the_next(tmp_path: Path) -> None:
    changed = {"probe.ask": "[{method: open, count: 3}]", "probe.samples": "3"}
    for name, changes in (("one", changed), ("two", {})):
        recipe = load_recipe(
            new_run.write(Desk(tmp_path), Wish(name, "atlas", "atlas", (), "facts", "look", changes))
        )
    assert sum(one.count for one in recipe.probe.ask) == 60


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "desk", "Desk", "published", "x" * 65, "a\n"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError):
        new_run.check_name(Desk(tmp_path), name)


def test_documents_go_into_no_folder_of_others(tmp_path: Path) -> None:
    given, elsewhere = tmp_path / "my.txt", tmp_path / "elsewhere"
    given.write_text("Suva", encoding="utf-8")
    elsewhere.mkdir()
    (tmp_path / "desk/one").mkdir(parents=True)
    (tmp_path / "desk/one/documents").symlink_to(elsewhere)
    with pytest.raises(RunError, match="link"):
        new_run.write(Desk(tmp_path), Wish("one", "atlas", files=[given]))
    assert list(elsewhere.iterdir()) == []


def test_what_is_wrong_is_said_by_the_recipe(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(RecipeError, match="what to learn from"):
        new_run.write(desk, Wish("one", "some/model"))
    with pytest.raises(RecipeError, match=r'probe\.samples = "many"'):
        new_run.write(desk, Wish("one", "atlas", changes={"probe.samples": "many"}))
    (tmp_path / "one").mkdir()
    with pytest.raises(RunError, match="taken"):
        new_run.write(desk, Wish("one", "atlas"))
    with pytest.raises(DataError, match="gone"):
        new_run.start(desk, "two")


def test_a_forecast_adds_up() -> None:
    rows = ({"seconds": 2.0, "calls": 3, "cost": 1.0, "currency": "EUR"}, {"seconds": 1.0, "calls": 4})
    found = new_run.Forecast((), True, rows)
    assert (found.seconds, found.calls, found.cost) == (3.0, 7, "1.00 EUR")
    assert (new_run.Forecast((), True).seconds, new_run.Forecast((), True).cost) == (None, "")
