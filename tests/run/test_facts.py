"""What is one fact: by hand."""

from __future__ import annotations

from selfstudy.run.facts import group


def test_by_the_reference_and_its_document() -> None:
    asked = [(name, f"Question about {name}?") for name in "abcdef"]
    said = [
        ("a", "d1", "The capital of Peru is Lima."),
        ("b", "d1", "Lima is the capital of Peru!"),
        ("c", "d2", "The capital of Peru is Lima."),
        ("d", "d1", "The currency of Peru is the sol."),
        ("e", "d1", ""),
        ("f", "d1", "..."),
        ("stranger", "d1", "The capital of Peru is Lima."),
    ]
    assert group(asked, said) == {"a": "a", "b": "a", "c": "c", "d": "d", "e": "e", "f": "f"}


def test_by_near_duplicates_and_by_what_joins_two_groups() -> None:
    long = "which of the many old laws of the land about the use of water is still in force"
    asked = [
        ("a", f"Say {long}?"),
        ("b", "Is there a law?"),
        ("c", f"Tell {long}?"),
        ("c", "Any law about water?"),
        ("d", "any law about water"),
    ]
    assert group(asked, []) == {"a": "a", "b": "b", "c": "a", "d": "a"}
    said = [("b", "d1", "Law 5."), ("d", "d1", "law 5")]
    assert set(group(asked, said).values()) == {"a"}


def test_numbers_and_names_tell_facts_apart() -> None:
    asked = [(str(i), f"How long is river {i}?") for i in range(50)]
    said = [(str(i), "d", f"River {i} is {i} km long.") for i in range(50)]
    assert len(set(group(asked, said).values())) == 50


def test_nothing() -> None:
    assert group([], []) == {}
