"""Items in a file: what is there is not asked for again, what failed is, other settings are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.verbs.suite.items import SuiteItems

from ...verify.suites.towns_suite import item


def test_items_outlive_a_kill_and_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    first = SuiteItems(path, {"seed": 0})
    first.add([item("a"), item("b", error="gone")])
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    again = SuiteItems(path, {"seed": 0})
    assert [one.item for one in again.of("towns", "base")] == ["a", "b"]
    assert again.of("towns", "taught") == []
    again.add([item("a"), item("b")])  # the block again: a is as it was, b answered now
    assert len(path.read_text().splitlines()) == 3
    again.close()
    assert len(path.read_text().splitlines()) == 2
    assert [one.error for one in SuiteItems(path, {"seed": 0}).of("towns", "base")] == [None, None]


def test_other_settings_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    SuiteItems(path, {"seed": 0}).add([item("a")])
    with pytest.raises(RunError, match="seed: 0 -> 1"):
        SuiteItems(path, {"seed": 1})
    foreign = tmp_path / "mine.jsonl"
    foreign.write_text("precious\n")
    with pytest.raises(RunError, match="is missing, which says"):
        SuiteItems(foreign, {"seed": 0})
    assert foreign.read_text() == "precious\n"
    path.write_text('{"x": 1}\n')
    with pytest.raises(RunError, match="line 1 is no item"):
        SuiteItems(path, {"seed": 0})


def test_without_a_file_they_are_there_for_the_moment() -> None:
    items = SuiteItems()
    items.add([item("a"), item("b", "taught")])
    items.close()
    assert [one.item for one in items.of("towns", "taught")] == ["b"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    for place in (tmp_path, Path()):
        with pytest.raises(RunError, match="is a folder"):
            SuiteItems(place, {"seed": 0})
