"""Near-duplicates: by example, and against comparing all pairs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy import duplicates
from selfstudy import text as t
from selfstudy.duplicates import _comparable, near_duplicate_groups, near_duplicates
from tests import growth

VOCABULARY = ["a", "capital", "of", "Mali", "Chad", "7", "67", "million", "is", "what", "city", "red"]
words = st.lists(st.sampled_from(VOCABULARY), max_size=12)


def test_near_duplicates_keeps_what_differs_in_a_name_or_number() -> None:
    stem = "What is the name of the capital city of the large and old country called {}?"
    texts = [
        stem.format("Mali"),
        stem.format("Chad"),
        stem.format("Mali").replace("large", "big"),
        stem.format("Mali").lower(),
        stem.format("Mali") + " Now",
        "Mali is the country whose capital city has which name in the old books of the world?",
        "Chad is the country whose capital city has which name in the old books of the world?",
        "How many people lived in 1990 in the city that we all know so very well?",
        "How many people lived in 1991 in the city that we all know so very well?",
    ]
    assert near_duplicates(texts) == [0, 1, 5, 6, 7, 8]
    assert near_duplicates([]) == []
    assert near_duplicates(["", ""]) == [0]


@given(st.lists(words.map(" ".join), max_size=14), st.sampled_from([0.6, 0.8, 0.9, 1.0]))
@settings(deadline=None)
def test_near_duplicates_equals_comparing_all_pairs(texts: list[str], threshold: float) -> None:
    def key(text: str) -> set[str]:
        return {w for w in t.tokens(text) if w in names or w.isdigit()}

    names = {w.lower() for text in texts for w in text.split()[1:] if w[0].isupper()}
    kept: list[int] = []
    for i, text in enumerate(texts):
        alike = (
            t.rouge_l(t.tokens(texts[j]), t.tokens(text)) >= threshold and key(texts[j]) == key(text)
            for j in kept
        )
        if not any(alike):
            kept.append(i)
    assert near_duplicates(texts, threshold) == kept


@given(st.lists(words.map(" ".join), max_size=14), st.sampled_from([0.6, 0.8, 0.9, 1.0]))
@settings(deadline=None)
def test_groups_of_near_duplicates_equal_comparing_all_pairs(texts: list[str], threshold: float) -> None:
    def key(text: str) -> set[str]:
        return {w for w in t.tokens(text) if w in names or w.isdigit()}

    names = {w.lower() for text in texts for w in text.split()[1:] if w[0].isupper()}
    group = list(range(len(texts)))
    for i, text in enumerate(texts):
        for j in range(i):
            if key(texts[j]) == key(text) and t.rouge_l(t.tokens(texts[j]), t.tokens(text)) >= threshold:
                low, high = sorted((group[i], group[j]))
                group = [low if g == high else g for g in group]
    assert near_duplicate_groups(texts, threshold) == group


def changed(words: list[str], count: int, rng: random.Random) -> list[str]:
    """`words` after so many words have been dropped, put in or replaced."""
    words = list(words)
    for _ in range(count):
        at, new = rng.randrange(len(words)), rng.choice(LONG_WORDS)
        words[at : at + rng.choice((0, 1))] = [[], [new]][rng.randrange(2)]
    return words


LONG_WORDS = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(200)]


@given(st.integers(0, 2**32), st.sampled_from([0.6, 0.8, 0.9]))
@settings(max_examples=60)
def test_texts_about_the_length_at_which_pairs_end_are_compared_exactly(seed: int, threshold: float) -> None:
    rng = random.Random(seed)
    rows: list[list[str]] = []
    while len(rows) < 16:
        first = rng.choices(LONG_WORDS, k=rng.randrange(30, 110))
        rows += [first, *(changed(first, rng.randrange(1, 40), rng) for _ in range(3))]
    rng.shuffle(rows)
    texts = [" ".join(row) for row in rows]
    alike = [[t.rouge_l(a, b) >= threshold for b in rows] for a in rows]
    kept: list[int] = []
    for i in range(len(rows)):
        if not any(alike[i][j] for j in kept):
            kept.append(i)
    assert near_duplicates(texts, threshold) == kept
    group = list(range(len(rows)))
    for i, j in itertools.combinations(range(len(rows)), 2):
        if alike[i][j]:
            low, high = sorted((group[i], group[j]))
            group = [low if g == high else g for g in group]
    assert near_duplicate_groups(texts, threshold) == group


def test_a_long_text_has_fewer_signatures_than_words() -> None:
    rng = random.Random("long")
    long = " ".join(rng.choices(LONG_WORDS, k=20_000))
    for text, most in ((long, 4000), ("word " * 20_000, 4000), (" ".join(LONG_WORDS[:64]), 100)):
        (found,) = _comparable([text], 0.9)
        assert 0 < len(found.signatures(0.9)) < most


def test_copies_are_dropped_among_many() -> None:
    rng = random.Random("near")
    vocabulary = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(500)]
    texts = [" ".join(["what", "is", "the", *rng.choices(vocabulary, k=7)]) for _ in range(20_000)]
    kept = near_duplicates(texts + texts)
    assert kept == near_duplicates(texts)
    assert len(kept) > 19_000


def test_without_capitals_every_word_may_be_a_name() -> None:
    stem = "在这个古老而又美丽的国家里，人们所说的{}的首都究竟是哪一座城市？"
    texts = [stem.format("法国"), stem.format("德国"), stem.format("法国").replace("，", " ")]
    assert near_duplicates(texts) == [0, 1]
    assert near_duplicate_groups(texts) == [0, 1, 0]


def around_one_stem(seed: int) -> list[str]:
    """Texts that hold one stem, some less a word, with up to four other words in it."""
    rng = random.Random(seed)
    stem, texts = LONG_WORDS[: rng.randrange(3, 12)], []
    for _ in range(14):
        row = list(stem)
        for _ in range(rng.randrange(5)):
            row.insert(rng.randrange(len(row) + 1), rng.choice(LONG_WORDS[12:60]))
        texts.append(" ".join(row[rng.randrange(2) :]))
    return texts


one_stem = st.builds(around_one_stem, st.integers(0, 2**32))


@given(st.lists(words.map(" ".join), max_size=14) | one_stem, st.sampled_from([0.6, 0.8, 0.9, 1.0]))
@settings(max_examples=300)
def test_short_texts_in_a_crowd_are_found_exactly_too(texts: list[str], threshold: float) -> None:
    one_by_one = near_duplicates(texts, threshold), near_duplicate_groups(texts, threshold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_FEW", 0)
        assert (near_duplicates(texts, threshold), near_duplicate_groups(texts, threshold)) == one_by_one


@pytest.mark.parametrize(
    ("shared", "text"),
    [
        ("wa wb wc wd we wf wg wh wi wj", "{shared} x{i} y{i}"),
        (
            "please tell me what the main purpose of this old small device is",
            "please tell me x{i} what the main purpose of this old small device is y{i}",
        ),
    ],
)
def test_one_short_text_joins_all_longer_ones_that_are_like_it(shared: str, text: str) -> None:
    """These are not like each other: they come together when the one comes that all are like."""
    letters = [f"{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(100)]
    longer = [text.format(shared=shared, i=i) for i in letters]
    assert near_duplicates(longer) == near_duplicate_groups(longer) == list(range(100))
    for place in (0, 50, 100):
        texts = [*longer[:place], shared, *longer[place:], f"{shared} z", longer[7] + " z"]
        assert set(near_duplicate_groups(texts)) == {0}
    assert set(near_duplicate_groups([shared, *longer])) == {0}


def word(i: int) -> str:
    return "z" + "".join(chr(97 + i // 26**k % 26) for k in range(3))


def shuffled(count: int, size: int) -> list[str]:
    rng = random.Random("shuffled")
    return [" ".join(rng.sample([word(i) for i in range(size)], size)) for _ in range(count)]


STEM = "what is the colour of that big old house in our quiet little village near some very deep lake"
CROWDS = {
    "a template": lambda n: [f"what is the boiling point of {word(i)}" for i in range(n)],
    "one prefix, alike": lambda n: [f"{STEM} {word(i)}" for i in range(n)],
    "one prefix": lambda n: [f"{STEM} {word(i)} {word(i // 30)} {word(7 * i % n)}" for i in range(n)],
    "one prefix, and less of it": lambda n: [
        f"{STEM} {word(i)} {word(7 * i % n)}" if i % 10 else STEM.replace(STEM.split()[i // 10 % 18], "")
        for i in range(n)
    ],
    "one bag": lambda n: shuffled(n, 10),
    "one long bag": lambda n: shuffled(n, 30),
    "one long prefix": lambda n: [
        f"{STEM} {STEM} {STEM} {STEM} {word(i)} {word(7 * i % n)} " for i in range(n)
    ],
}


@pytest.mark.parametrize("name", CROWDS)
def test_twice_as_many_texts_that_share_their_words_take_at_most_three_times_as_long(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_SHARED_STEPS", 5_000)
    for find in (near_duplicates, near_duplicate_groups):

        def seconds(count: int, find: Callable[[list[str]], object] = find) -> float:
            texts = CROWDS[name](count)
            return growth.seconds(lambda: find(texts), 1)

        assert not growth.faster_than_linear(seconds, 400, nothing=0.1)


def test_what_was_not_compared_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*shuffled(100, 30), *shuffled(200, 10)]
    unsure: list[int] = []
    near_duplicates(texts, unsure=unsure)
    assert not unsure
    monkeypatch.setattr(duplicates, "_SHARED_STEPS", 1_000)
    near_duplicates(texts, unsure=unsure)
    assert unsure
    assert max(unsure) < 100  # short ones never
