"""The table's columns: one declaration gives heading, data, order and cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.recipe import Recipe
from selfstudy.run import Run
from selfstudy.show import report, table
from selfstudy.show.report import script, write_report
from selfstudy.show.table import COLUMNS, TABLE, Column, points_data
from selfstudy.summary import summarise

from .test_report import Flat, Page, fill


def test_a_column_is_added_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = Column("topic", "Topic", "text", lambda p: p.asked.topic)
    monkeypatch.setattr(table, "COLUMNS", (*COLUMNS, topic))
    monkeypatch.setattr(report, "TABLE", (*TABLE, topic))
    monkeypatch.setattr(report, "TABLE_DATA", table.described((*TABLE, topic)))
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        fill(run, "Where is Peru?")
        write_report(run, summarise(run, None, Flat()), tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Topic" in page.visible
    assert page.data["points"]["topic"] == ["Where is Peru?"]
    assert page.data["columns"][-1] == {
        "key": "topic",
        "heading": "Topic",
        "kind": "text",
        "default_sort": False,
    }


def test_one_column_that_is_shown_is_what_the_table_opens_sorted_by() -> None:
    assert [column.key for column in TABLE if column.default_sort] == ["found"]
    assert "c.default_sort" in script()


def test_every_kind_has_a_cell_and_an_order() -> None:
    program = script()
    for kind in {column.kind for column in TABLE}:
        assert f"\n  {kind}: {{ order:" in program
    assert points_data([])["question"] == []
