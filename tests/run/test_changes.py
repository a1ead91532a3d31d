from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.recipe import Ask, ProbeBlock, Recipe
from selfstudy.records import Document
from selfstudy.run import Run
from selfstudy.run.changes import (
    Changes,
    asks_of,
    begin,
    changes_of,
    documents_of,
    forget,
    keep_seen,
    learned,
    seen,
)

DOCUMENTS = [Document(source=name, text=f"Of {name}.") for name in ("a", "b", "c")]
OPEN, PAGES = Ask(method="open", count=5), Ask(method="documents", count=7)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    recipe = Recipe(library=None, probe=ProbeBlock(ask=(OPEN, PAGES)))
    with Run.create_or_resume(tmp_path / "run", recipe) as opened:
        yield opened


def test_a_round_of_the_recipe_asks_in_all_its_ways_about_everything(run: Run) -> None:
    assert changes_of(run.round(1)) is None
    assert asks_of(run.round(1)) == [(0, OPEN), (1, PAGES)]
    assert documents_of(run.round(1), DOCUMENTS) == DOCUMENTS


def test_a_round_of_a_watch_asks_about_what_is_new_and_has_changed(run: Run) -> None:
    begin(run.round(2), Changes(added={"a": "1"}, changed={"c": "2"}, removed=("d",)))
    assert asks_of(run.round(2)) == [(1, PAGES)]
    assert [one.source for one in documents_of(run.round(2), DOCUMENTS)] == ["a", "c"]
    begin(run.round(3), Changes(removed=("a",)))
    assert asks_of(run.round(3)) == []
    assert documents_of(run.round(3), DOCUMENTS) == []


def test_where_the_recipe_asks_about_no_documents_a_watch_does(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "other", Recipe(probe=ProbeBlock(ask=(OPEN,)))) as run:
        begin(run.round(2), Changes(added={"a": "1"}))
        ((number, ask),) = asks_of(run.round(2))
        assert (number, ask.method, ask.count) == (1, "documents", 5)


def test_what_a_round_was_about_has_been_learned_once_it_is_done(run: Run) -> None:
    assert seen(run) is None
    learned(run.round(1))
    assert seen(run) is None
    keep_seen(run, {"b": "0", "d": "0"})
    begin(run.round(2), Changes(added={"a": "1"}, changed={"b": "2"}, removed=("d",)))
    assert seen(run) == {"b": "0", "d": "0"}
    for _ in range(2):  # a kill may have come between
        learned(run.round(2))
        assert seen(run) == {"a": "1", "b": "2"}


def test_what_is_forgotten_has_no_hash_left(run: Run) -> None:
    forget(run, {"a"}.__contains__)
    assert seen(run) is None
    keep_seen(run, {"a": "1", "b": "2"})
    begin(
        run.round(2), Changes(added={"a": "1"}, changed={"b": "2", "c": "3"}, removed=("d", "e"), early=True)
    )
    forget(run, {"a", "c", "d"}.__contains__)
    assert seen(run) == {"b": "2"}
    assert changes_of(run.round(2)) == Changes(changed={"b": "2"}, removed=("e",), early=True)
    assert changes_of(run.round(1)) is None


def test_a_damaged_file_says_so(run: Run) -> None:
    run.round(2).changes_file.write_text('{"added": 3}')
    with pytest.raises(RunError, match="is damaged: added"):
        changes_of(run.round(2))
