"""Passages for questions that sources are asked: ranked, kept, the same in any batch; or why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from selfstudy.errors import DataError
from selfstudy.library.excluded import Excluded
from selfstudy.library.retriever import unanswered
from selfstudy.library.searching import LookedUp, Searching
from selfstudy.library.services.page_tally import PageTally
from selfstudy.records import Document, Record, Skipped


def document(source: str, text: str) -> Document:
    return Document(source=source, text=text, date="2025", fetched="2026-11-28T00:00:00Z", sha256="ab")


CATS = [
    document("a", "Dogs bark at night. Nothing else is said."),
    document("b", "The cat sleeps on the mat. The cat purrs."),
    document("c", "  THE CAT sleeps on the mat.   The cat purrs. "),
]


@dataclass
class Answers:
    """A source with an answer to each question."""

    by_question: dict[str, LookedUp]
    asked: list[str] = field(default_factory=list)
    tally: PageTally = field(default_factory=lambda: PageTally("fixed"))

    def look_up(self, questions: Sequence[str]) -> list[LookedUp]:
        self.asked += questions
        return [self.by_question.get(one, LookedUp()) for one in questions]


def searching(*sources: Answers) -> tuple[Searching, list[Record]]:
    kept: list[Record] = []
    return Searching(sources, 64, None, kept.extend), kept


def test_passages_of_a_questions_own_documents_whatever_else_is_asked() -> None:
    away = Skipped(source="d", reason="not fetched")
    source = Answers({"Where does the cat sleep?": LookedUp(CATS, [away]), "dogs": LookedUp(CATS[:1])})
    found, kept = searching(source)
    together = found.find(["Where does the cat sleep?", "dogs", "", "nothing", "dogs"], 2)
    assert [hit.source for hit in together[0]] == ["b"]  # c says the same, a does not answer
    assert together[1] == together[4]
    assert together[2] == together[3] == []
    assert "" not in source.asked
    hit = together[0][0]
    assert (hit.date, hit.fetched, hit.sha256) == ("2025", "2026-11-28T00:00:00Z", "ab")
    documents = {one.id: one for one in kept if isinstance(one, Document)}
    assert documents[hit.document_id].text[hit.start : hit.end] == hit.text
    assert away in kept
    assert [found.find([one], 2)[0] for one in ("Where does the cat sleep?", "dogs")] == together[:2]
    assert unanswered(found, ["nothing", "dogs"]) == [None, None]


def test_what_was_unlearned_is_neither_found_nor_kept() -> None:
    kept: list[Record] = []
    source = Answers({"Where does the cat sleep?": LookedUp(CATS)})
    found = Searching([source], 64, None, kept.extend, Excluded(["b", "a"]))
    assert [hit.source for hit in found.find(["Where does the cat sleep?"], 3)[0]] == ["c"]
    assert {one.source for one in kept if isinstance(one, Document)} == {"c"}


def test_a_source_that_fails_is_an_error_only_where_no_other_answers() -> None:
    bad = Answers({"cat": LookedUp(error="quota"), "dog": LookedUp(error="quota")})
    good = Answers({"cat": LookedUp(CATS)})
    found, _ = searching(bad)
    assert found.find(["cat", "owl"], 1) == [[], []]
    assert unanswered(found, ["cat", "owl"]) == ["quota", None]
    assert found.told() == ["library: 1 question could not be looked up; most often", "  1 times: quota"]
    assert found.told() == []
    both, _ = searching(bad, good)
    hits = both.find(["cat", "dog"], 1)
    assert hits[0]
    assert unanswered(both, ["cat", "dog"]) == [None, None]  # the other source has nothing, and says so


def test_when_none_of_the_first_questions_can_be_looked_up_it_stops() -> None:
    source = Answers({f"q{i}": LookedUp(error=f"HTTP 403 for {i}") for i in range(20)})
    found, kept = searching(source)
    found.find([f"q{i}" for i in range(7)], 1)
    with pytest.raises(DataError, match=r"none of the first 8 questions.*HTTP 403 for 0") as caught:
        found.find(["q7"], 1)
    assert "none of these questions counts as done" in caught.value.hint
    assert kept == []
    working, _ = searching(source)
    working.find(["fine"], 1)
    working.find([f"q{i}" for i in range(20)], 1)  # it has worked: each is its own failure
    assert unanswered(working, ["q3"]) == ["HTTP 403 for 3"]
