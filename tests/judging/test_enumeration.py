"""What makes a place one item of a list, by form."""

from __future__ import annotations

import pytest

from selfstudy.judging.enumeration import Place, alternatives, listed
from selfstudy.judging.terms import places, terms


@pytest.mark.parametrize(
    ("text", "item", "expected"),
    [
        ("tin, iron, lead", "iron", True),
        ("tin, iron, lead", "tin", True),
        ("tin, a metal", "tin", False),
        ("tin and lead", "lead", True),
        ("tin & lead", "tin", True),
        ("5, 7 or 9 km", "7", True),
        ("7 km, as measured", "7 km", False),
        ("Oslo, Norway", "Oslo", False),
        ("Oslo, Bergen, Turku", "Oslo", True),
        ("Oslo|Bergen", "Bergen", True),
        ("1) Oslo 2) Bergen", "Bergen", True),
        ("Oslo. Bergen is larger.", "Oslo", False),
        ("奥斯陆、卑尔根", "卑尔根", True),
    ],
)
def test_listed(text: str, item: str, expected: bool) -> None:
    found, sought = terms(text), terms(item)
    (at,) = places(found, sought)
    right = {term.word for term in sought}
    assert listed(Place(found, at, at + len(sought), right)) is expected


def test_what_is_right_or_asked_is_no_other_item() -> None:
    found = terms("Bergen, Oslo")
    assert listed(Place(found, 1, 2, {"oslo"}))
    assert not listed(Place(found, 1, 2, {"oslo", "bergen"}))
    assert not listed(Place(found, 1, 2, {"oslo"}, {"bergen"}))
    assert listed(Place(terms("Bergen or Oslo"), 2, 3, {"oslo"}, {"bergen"}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is Vienna in Austria or Hungary?", [["Austria"], ["Hungary"]]),
        ("Is it in Peru, Chile, or New Spain today?", [["Peru"], ["Chile"], ["New", "Spain"]]),
        ("Which is longer, the Volga or the Don?", [["Volga"], ["Don"]]),
        ("Is it 3 or 4 km long?", [["3"], ["4"]]),
        ("Is basalt volcanic or plutonic?", [["volcanic"], ["plutonic"]]),
        ("Is it a salt lake or a fresh lake?", [["salt", "lake"], ["fresh", "lake"]]),
        ("Or is it?", []),
        ("This or", []),
        ("Where is Vienna?", []),
    ],
)
def test_what_or_sets_beside_each_other(text: str, expected: list[list[str]]) -> None:
    assert [[term.raw for term in item] for item in alternatives(terms(text))] == expected
