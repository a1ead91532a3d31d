"""Topics of a feed by the hour: the same for a round that is resumed, new ones for a later hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from selfstudy import load_recipe
from selfstudy.errors import DataError, RecipeError
from selfstudy.loop import Study
from selfstudy.probe.external import source_lines
from selfstudy.probe.feeds import feed_lines
from selfstudy.recipe import Ask, ProbeBlock, Recipe
from selfstudy.records import Question
from selfstudy.run import Run

FEED = "https://trends.example/rss?geo=PE"
RSS = "<rss><channel>{}</channel></rss>"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as opened:
        yield opened


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 28, hour, minute, tzinfo=UTC)


def never(url: str) -> list[str]:
    raise AssertionError("it was read again")


def test_rounds_of_one_hour_have_the_same_topics_and_later_ones_new_ones(run: Run) -> None:
    first = feed_lines(FEED, 2, 0, run.round(1), lambda url: ["Lima", "Fiji", "Oslo"], at(10, 5))
    assert first == ["Lima", "Fiji"]
    assert feed_lines(FEED, 2, 0, run.round(1), never, at(15)) == first  # a resumed one
    assert feed_lines(FEED, 2, 0, run.round(2), never, at(10, 59)) == first
    assert feed_lines(FEED, 2, 0, run.round(3), lambda url: ["fiji!", "Oslo", "Lima", "Quito"], at(11)) == [
        "Oslo",
        "Quito",
    ]
    assert feed_lines(FEED, 2, 0, run.round(4), lambda url: ["Oslo"], at(12)) == []
    assert feed_lines(FEED, 2, 1, run.round(1), lambda url: ["Oslo"], at(12)) == ["Oslo"]  # another ask
    assert [one["hour"] for one in (run.read_json(run.external_file(0)) or {})["hours"]] == [
        *("2026-11-28T10Z", "2026-11-28T10Z", "2026-11-28T11Z", "2026-11-28T12Z")
    ]


def test_no_more_than_a_hundred_an_hour(run: Run) -> None:
    assert len(feed_lines(FEED, 1000, 0, run.round(1), lambda url: [f"Town {i}" for i in range(500)])) == 100
    with pytest.raises(DataError, match="cannot be read here"):
        feed_lines(FEED, 5, 1, run.round(1), None)


def test_a_feed_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "trends.xml"
    path.write_text(RSS.format("<item><title>Lima</title></item><item><title>Fiji</title></item>"))
    assert source_lines(Ask(method="external", count=1, source=path)) == ["Lima"]


def test_an_address_in_a_recipe_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(f"probe:\n  ask:\n    - {{method: external, count: 3, source: '{FEED}'}}\n")
    (ask,) = load_recipe(path).probe.ask
    assert (ask.feed, ask.source_file) == (FEED, None)
    for wrong in ("method: external, questions: true", "method: oracle", "method: open"):
        path.write_text(f"probe:\n  ask:\n    - {{{wrong}, count: 3, source: '{FEED}'}}\n")
        with pytest.raises(RecipeError, match="source"):
            load_recipe(path)
    for address in ("https://a.test/f?api_key=q8Zk2Lw9Xv4Tn7", "https://me:q8Zk2Lw9Xv4Tn7@a.test/f"):
        path.write_text(f"probe:\n  ask:\n    - {{method: external, count: 3, source: '{address}'}}\n")
        with pytest.raises(RecipeError, match="source") as caught:
            load_recipe(path)
        assert "q8Zk2Lw9Xv4Tn7" not in str(caught.value)


def test_a_run_asks_about_what_a_feed_says(tmp_path: Path) -> None:
    """Through the study, the real fetcher and a site of our own."""
    from tests.library.apis import Reply, Service

    service = Service()
    try:
        items = "".join(f"<item><title>{name}</title></item>" for name in ("Peru", "Fiji"))
        service.answers["/trends"] = Reply(RSS.format(items).encode(), "application/rss+xml")
        ask = Ask(method="external", count=5, source=f"{service.url}/trends")
        recipe = Recipe(
            model={"type": "local", "path": "atlas"},
            probe=ProbeBlock(ask=(ask,), samples=2, scorer="agreement"),
            library={"sources": ["atlas"], "fetch": {"allow_hosts": [service.host], "delay": 0}},
        )
        for _ in range(2):  # a run that is opened again reads nothing
            with Run.create_or_resume(tmp_path / "run", recipe) as run, Study(run) as study:
                study.probe()
                asked = run.round(1).read(Question)
        assert {one.topic for one in asked} == {"Peru", "Fiji"}
        assert [one.path for one in service.asked] == ["/trends"]
    finally:
        service.close()
