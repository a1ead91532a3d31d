"""Which sources share an adapter."""

from __future__ import annotations

import pytest

from selfstudy.recipe import DeployBlock
from selfstudy.run.source_groups import SourceGroups


@pytest.mark.parametrize(
    ("source", "group"),
    [
        ("europe/fr.md", "europe"),
        ("europe/west/fr.md", "europe"),
        ("fr.md", "files"),
        ("https://user:key@example.org:8080/a/b", "example.org"),
        ("atlas:country/Fiji", "atlas-country"),
        ("../../etc/passwd", "other"),
        ("", "files"),
    ],
)
def test_by_source(source: str, group: str) -> None:
    assert SourceGroups(DeployBlock()).of(source) == group


def test_by_pattern_the_first_counts_and_the_rest_is_other() -> None:
    block = DeployBlock(groups={"North America": ("am/us*",), "rest of it": ("am",)})
    groups = SourceGroups(block)
    assert [groups.of(one) for one in ("am/us.md", "am/br.md", "eu/fr.md")] == [
        "north-america",
        "rest-of-it",
        "other",
    ]


def test_of_a_round_there_is_one() -> None:
    groups = SourceGroups(DeployBlock(groups="round"))
    assert groups.of("a/b") == groups.of("https://c.org") == "all"


def test_names_that_are_one_folder_share_their_patterns() -> None:
    groups = SourceGroups(DeployBlock(groups={"a/b": ("x.txt",), "a-b": ("y.txt",)}))
    assert [groups.of(one) for one in ("x.txt", "y.txt", "z.txt")] == ["a-b", "a-b", "other"]


def test_what_looks_like_a_url_and_is_none_has_a_group_too() -> None:
    assert SourceGroups(DeployBlock()).of("https://[::1/page") == "https"
