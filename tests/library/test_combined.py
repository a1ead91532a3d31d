"""Rankings of several retrievers, fused by rank; numbers worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from selfstudy.library.combined import Combined
from selfstudy.library.index import Hit
from selfstudy.library.retriever import unanswered


@dataclass
class Ranked:
    """Finds the same for every question."""

    names: str
    why_not: str | None = None
    first: int = 0
    """Number of its first passage."""
    title: str = ""

    def find(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        found = [
            Hit(self.first + n, name, name, self.title, name, 0, 1, 9.0 - n)
            for n, name in enumerate(self.names)
        ]
        return [found[:hits] for _ in questions]

    def unanswered(self, questions: Sequence[str]) -> list[str | None]:
        return [self.why_not for _ in questions]


class Index:
    """Never fails."""

    def find(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        return [[] for _ in questions]


def test_ranks_are_fused() -> None:
    found = Combined([Ranked("abc"), Ranked("cxa")]).find(["?"], 3)
    assert [hit.source for hit in found[0]] == ["a", "c", "b"]
    assert [hit.relevance for hit in found[0]] == pytest.approx([1 / 61 + 1 / 63, 1 / 61 + 1 / 63, 1 / 62])
    # of what is equally good that of the earlier retriever comes first
    assert [
        hit.source for hit in Combined([Ranked("ab", first=900), Ranked("xy")]).find(["?"], 4)[0]
    ] == list("axby")
    named = Combined([Ranked("ab"), Ranked("xy", title="Peru")])
    assert [hit.source for hit in named.find(["Where is Peru?"], 4)[0]] == list("xayb")
    assert named.find([], 4) == []


def test_a_question_is_unanswered_only_if_nobody_could_look() -> None:
    assert unanswered(Combined([Ranked("", "quota"), Ranked("", "key")]), ["?"]) == ["quota"]
    assert unanswered(Combined([Ranked("", "quota"), Ranked("")]), ["?"]) == [None]
    assert unanswered(Combined([Index(), Ranked("", "quota")]), ["?", "!"]) == [None, None]
