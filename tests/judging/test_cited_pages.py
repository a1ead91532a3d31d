"""Documents around a question: the page that answers among near ones, and what is left without it."""

from __future__ import annotations

from collections import Counter

import pytest

from selfstudy.judging.cited_pages import NumberedPages, Sourced, numbered_pages

from .test_citations import Entails

ROME = "Rome is old. It has a river."
PAGES = [
    ROME,
    "Oslo is new. It has a fjord.",
    "Rome is old, people say. It has a river and a hill.",
    "Wheat grows in fields.",
    "Bern is small. It has a river.",
]
QUESTION = Sourced("Rome is old.", ROME)


def holds(premise: str, hypothesis: str) -> bool:
    return hypothesis.rstrip(".") in premise


def made(count: int = 3, withheld: float = 1.0, seed: str = "1", some: int = 1) -> list[NumberedPages]:
    return numbered_pages([QUESTION] * some, PAGES, Entails(holds), count=count, withheld=withheld, seed=seed)


def test_the_page_that_answers_stands_among_the_nearest_of_the_others() -> None:
    (one,) = made()
    assert set(one.shown) == {ROME, PAGES[2], PAGES[4]}
    item = one.item("How old is Rome?")
    assert item.documents == one.shown
    assert item.claims == ("Rome is old.",)
    assert item.found == tuple((int("Rome is old" in page),) for page in one.shown)
    assert item.answerable


def test_without_it_no_document_answers() -> None:
    (one,) = made()
    item = one.item("How old is Rome?", withheld=True)
    assert set(item.documents) == {PAGES[1], PAGES[3], PAGES[4]}  # the other one that is near answers too
    assert item.answerable is False


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_number_of_documents_does_not_tell_whether_they_answer(count: int) -> None:
    for one in made(count, some=9):
        assert len(one.shown) == count
        assert len(one.withheld) == (count if count < 4 else 0)  # three do not answer


def test_without_it_the_nearest_has_any_number() -> None:
    assert len({one.withheld.index(PAGES[4]) for one in made(some=30)}) == 3


def test_a_page_that_answers_counts_as_such_whatever_the_judge_says() -> None:
    (one,) = numbered_pages(
        [QUESTION], PAGES, Entails(lambda premise, hypothesis: False), count=4, withheld=1.0, seed="1"
    )
    assert one.holds[ROME]
    assert one.item("?").answerable
    assert set(one.withheld) == {page for page in PAGES if page != ROME}


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.25, 30, 70), (1.0, 200, 200)])
def test_a_share_is_asked_once_more(share: float, least: int, most: int) -> None:
    found = made(withheld=share, some=200)
    assert least <= sum(bool(one.withheld) for one in found) <= most


def test_the_answer_stands_anywhere_and_the_same_each_time() -> None:
    places = Counter(one.shown.index(ROME) for one in made(some=90))
    assert set(places) == {0, 1, 2}
    assert made(some=5) == made(some=5)
    assert made(some=9) != made(some=9, seed="2")


def test_a_page_alone_has_nothing_beside_it() -> None:
    (one,) = numbered_pages([QUESTION], [ROME], Entails(holds), count=5, withheld=1.0, seed="1")
    assert one.shown == (ROME,)
    assert one.withheld == ()
