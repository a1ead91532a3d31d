"""What is asked of an index: filters, orders, pages that follow each other, and nonsense."""

from __future__ import annotations

import sqlite3

import pytest

from selfstudy.ui.index_query import SCHEMA, SIZE, QuestionRow, QuestionsAsked, rows_of

COUNT = 2 * SIZE + 7


@pytest.fixture
def database() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    made.executescript(SCHEMA)
    told = (
        "INSERT INTO questions (round, id, text, folded, topic, method, verdict, gap, score, before, after)"
    )
    for n in range(COUNT):
        text = f"Straße {n} 100%_"
        gap = n % 3 == 0
        score = None if n % 5 == 0 else (n % 4) / 4
        row = (1 + n % 2, f"q{n}", text, text.casefold(), "t", "open", "unknown" if gap else "known", gap)
        made.execute(f"{told} VALUES (?,?,?,?,?,?,?,?,?,?,?)", (*row, score, 0 if gap else 1, 1))
    return made


@pytest.mark.parametrize("order", ["", "score"])
def test_pages_follow_each_other_and_none_is_lost(database: sqlite3.Connection, order: str) -> None:
    asked = QuestionsAsked(order=order)
    seen: list[QuestionRow] = []
    while True:
        page = rows_of(database, asked)
        assert page.total == COUNT
        seen += page.rows
        if not page.after:
            break
        asked = QuestionsAsked.of({"order": order, "after": page.after})
        assert asked.after
    assert len({row.id for row in seen}) == len(seen) == COUNT
    if order:
        scores = [-1 if row.score is None else row.score for row in seen]
        assert scores == sorted(scores, reverse=True)


def test_filters(database: sqlite3.Connection) -> None:
    gaps = rows_of(database, QuestionsAsked(verdict="gap")).total
    assert gaps == rows_of(database, QuestionsAsked(verdict="unknown")).total == len(range(0, COUNT, 3))
    assert rows_of(database, QuestionsAsked(change="better")).total == gaps
    assert rows_of(database, QuestionsAsked(change="worse")).total == 0
    assert rows_of(database, QuestionsAsked(round="2", verdict="gap")).total == len(range(3, COUNT, 6))
    assert rows_of(database, QuestionsAsked(search="STRASSE 10 ")).total == 1
    assert rows_of(database, QuestionsAsked(search="100%_")).total == COUNT
    assert rows_of(database, QuestionsAsked(search="' OR 1 --%")).total == 0


def test_nonsense_is_as_if_it_were_not_asked() -> None:
    wrong = {
        "verdict": "x'",
        "round": "-1",
        "change": "all",
        "order": "n; DROP",
        "after": "1e_",
        "search": "",
    }
    assert QuestionsAsked.of(wrong) == QuestionsAsked()
    assert QuestionsAsked.of({"after": "--_1", "search": "x" * 1000}).search == "x" * 100


def test_a_place_that_is_no_number_is_the_beginning(database: sqlite3.Connection) -> None:
    assert rows_of(database, QuestionsAsked.of({"after": "1e+e_5"})).rows[0].n == 1
    assert rows_of(database, QuestionsAsked.of({"after": "1_999999999999999999"})).rows[0].n == 2
