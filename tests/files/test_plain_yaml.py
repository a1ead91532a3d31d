"""YAML of others: plain data, or one sentence."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.files.plain_yaml import NotPlainError, load

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(PLAIN)
def test_plain_data_comes_back(data: object) -> None:
    assert load(yaml.safe_dump(data)) == data


def test_a_date_is_text_and_an_alias_what_it_stands_for() -> None:
    assert load("a: 2024-01-01\n2024-99-99: b") == {"a": "2024-01-01", "2024-99-99": "b"}
    assert load("a: &m {path: x, n: 1}\nb: *m\nc: {<<: *m, n: 2}")["c"] == {"path": "x", "n": 2}


def chain(line: str, count: int) -> str:
    return "a0: &a0 {k: [v]}\n" + "".join(
        line.replace("N", str(n + 1)).replace("M", str(n)) for n in range(count)
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &a [*a]", "line 1 contains itself"),
        ("&a {b: [*a]}", "contains itself"),
        ("[" * 100_000, "within each other"),
        ("- " * 100_000, "within each other"),
        ("{a: " * 100_000, "within each other"),
        (chain("aN: &aN [*aM]\n", 1000), "stand for too much"),
        (chain(f"aN: &aN [{','.join(['*aM'] * 9)}]\n", 40), "stand for too much"),
        (chain("aN: &aN {<<: [*aM, *aM], kN: v}\n", 60), "stand for too much"),
        (f"a: &a {'x' * 100_000}\nb: [{'*a,' * 100_000}]", "stand for too much"),
        ("a: " + "9" * 5000, "a number of 5,000 digits in line 1"),
        ("a: 0x" + "f" * 5000, "a number of 5,002 digits"),
        ("a: 1" + ":1" * 5000, "a number of"),
        ("a: !!int ''", "type that its tag names"),
        ("a: !!bool x", "type that its tag names"),
        ("a: !!timestamp 2024-01-01", "timestamp"),
        ("a: !!binary aGk=", "binary"),
        ("a: !!set {b}", "set"),
        ("a: !!python/object/apply:os.system [x]", "python"),
        ("? [a]\n: b", "unhashable"),
        ("a: \ud800", "surrogate"),
        ("a: \0", "control characters"),
        ("a: [", "line"),
        ("a: *b", "undefined alias"),
        ("--- a\n--- b", "single document"),
    ],
)
def test_anything_else_is_a_sentence_and_takes_no_time(text: str, why: str) -> None:
    start = time.process_time()
    with pytest.raises(NotPlainError, match=why):
        load(text)
    assert time.process_time() - start < 1
