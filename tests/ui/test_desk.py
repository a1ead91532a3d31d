"""Runs by name, and no path that leads out of the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.recipe import Recipe
from selfstudy.run import Run
from selfstudy.ui import new_run
from selfstudy.ui.desk import Desk, safe_folders
from selfstudy.ui.views import runs


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "inside").mkdir()
    for name in ("inside/one", "inside/deep/two"):
        Run.create_or_resume(tmp_path / name, Recipe()).close()
    Run.create_or_resume(tmp_path / "outside", Recipe()).close()
    (tmp_path / "inside/link").symlink_to(tmp_path / "outside")
    return Desk(tmp_path / "inside")


def test_runs_are_found_in_folders_and_not_by_links(desk: Desk) -> None:
    assert sorted(desk.run_names()) == ["deep/two", "one"]
    assert desk.open("deep/two").path == desk.folder / "deep" / "two"


def test_a_folder_that_cannot_be_looked_into_hides_no_run(tmp_path: Path) -> None:
    folder = tmp_path
    while len(str(folder)) < 3840:  # a name has 255 bytes at most
        folder /= "d" * 100
    (folder / "one").mkdir(parents=True)
    (folder / "one/recipe.yaml").touch()
    closed = folder / ("x" * (4090 - len(str(folder)) - 1))  # no path in it is short enough
    closed.mkdir()
    assert Desk(folder).run_names() == ["one"]
    assert set(safe_folders(folder)) == {folder, folder / "one", closed}


def test_what_lies_beside_a_run_that_the_form_began_is_none(desk: Desk) -> None:
    new_run.write(desk, new_run.Wish("three", "atlas"))
    assert sorted(desk.run_names()) == ["deep/two", "one"]
    with pytest.raises(RunError, match="there is no run"):
        desk.path_of("desk/three")


def test_a_run_whose_name_is_no_text_hides_no_other(desk: Desk) -> None:
    try:
        Run.create_or_resume(desk.folder / "\udcff", Recipe()).close()
    except OSError:
        pytest.skip("a file system of names that are text")
    assert sorted(desk.run_names()) == ["deep/two", "one"]
    assert 'href="/run?run=one"' in runs.html(desk)


@pytest.mark.parametrize(
    "name",
    ["", "none", "../outside", "link", "one/../../outside", "/etc", "a\0b", "x" * 9000, "one/", "./one"],
)
def test_a_name_that_is_no_run_here_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(RunError, match="there is no run"):
        desk.path_of(name)


def test_an_absolute_path_of_a_run_outside_is_refused(desk: Desk) -> None:
    with pytest.raises(RunError, match="there is no run"):
        desk.path_of(str(desk.folder.parent / "outside"))
