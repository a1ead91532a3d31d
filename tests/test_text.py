"""Text helpers: by example and by property."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy import text as t

any_text = st.text(st.characters(), max_size=200)  # surrogates included
VOCABULARY = ["a", "capital", "of", "Mali", "Chad", "7", "67", "million", "is", "what", "city", "red"]
words = st.lists(st.sampled_from(VOCABULARY), max_size=12)


def test_sentences_keeps_abbreviations_and_text_without_terminator() -> None:
    assert t.sentences("Dr. Smith paid 3.5 dollars. He left!  Why") == [
        "Dr. Smith paid 3.5 dollars.",
        "He left!",
        "Why",
    ]
    assert t.sentences("no terminator") == ["no terminator"]
    assert t.sentences("") == []
    assert t.sentences(" \n ") == []


@given(any_text)
def test_sentence_spans_cover_everything_but_white_space(text: str) -> None:
    spans = t.sentence_spans(text)
    assert spans == sorted(spans)
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())


@given(any_text)
def test_clean_is_encodable_and_idempotent(text: str) -> None:
    cleaned = t.clean(text)
    cleaned.encode("utf-8")
    assert t.clean(cleaned) == cleaned
    assert all(c in "\n\t" or ord(c) >= 32 for c in cleaned)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("The  Quick, brown FOX!", "quick brown fox"),
        ("Côte d’Ivoire", "côte divoire"),
        ("1,000.", "1000"),
        (".fr", "fr"),
        ("It has 6.3 million.", "it has 6.3 million"),
        ("Cafe\u0301", "café"),
        ("Москва – столица", "москва столица"),
        ("the", ""),
    ],
)
def test_normalise_examples(raw: str, expected: str) -> None:
    assert t.normalise(raw) == expected


@given(any_text)
def test_normalise_is_idempotent(text: str) -> None:
    assert t.normalise(t.normalise(text)) == t.normalise(text)


@pytest.mark.parametrize(
    ("answer", "expected", "found"),
    [
        ("It has about 7 million people.", "7 million", True),
        ("It has about 67 million people.", "7 million", False),
        ("About 6.3 million.", "63 million", False),
        ("The domain is .fr.", ".fr", True),
        ("Its calling code is +33.", "+33", True),
        ("The capital is New Delhi", "Delhi New", False),
        ("anything", "", False),
        ("anything", "the", False),
        ("", "Paris", False),
        ("Abidjan, in Cote d'Ivoire", "cote dIvoire", True),
    ],
)
def test_contains_whole_words(answer: str, expected: str, found: bool) -> None:
    assert t.contains(answer, expected) is found


@given(words, words, words)
def test_contains_any_run_of_words(before: list[str], middle: list[str], after: list[str]) -> None:
    whole = " ".join(before + middle + after)
    assert t.contains(whole, " ".join(middle)) is bool(t.tokens(" ".join(middle)))


def test_token_f1_by_hand() -> None:
    assert t.token_f1("the red city", "a red red town") == pytest.approx(2 * 1 / (2 + 3))
    assert t.token_f1("", "the") == 1.0
    assert t.token_f1("", "red") == 0.0


@given(words, words)
def test_token_f1_and_rouge_are_symmetric_and_bounded(a: list[str], b: list[str]) -> None:
    f1 = t.token_f1(" ".join(a), " ".join(b))
    assert f1 == t.token_f1(" ".join(b), " ".join(a))
    assert 0 <= f1 <= 1
    assert t.rouge_l(a, b) == t.rouge_l(b, a) <= 1
    assert t.rouge_l(a, a) == 1


@given(words, words)
def test_rouge_l_equals_the_textbook_table(a: list[str], b: list[str]) -> None:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    expected = 2 * table[-1][-1] / (len(a) + len(b)) if a and b else float(a == b)
    assert t.rouge_l(a, b) == pytest.approx(expected)


@given(any_text, st.integers(1, 30))
@settings(deadline=None)
def test_chunks_fit_and_cover(text: str, limit: int) -> None:
    def count(piece: str) -> int:
        return len("".join(piece.split()))

    spans = t.chunks(text, limit, count)
    assert all(a < b for a, b in spans)
    assert all(b <= c for (_, b), (c, _) in itertools.pairwise(spans))
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
    assert all(count(text[a:b]) <= limit for a, b in spans)


def test_chunks_end_on_sentences_and_cut_only_what_is_too_long() -> None:
    text = "One two. Three four. Five six seven eight nine ten eleven."
    spans = t.chunks(text, 4, lambda s: len(s.split()))
    parts = [text[a:b] for a, b in spans]
    assert parts[0] == "One two. Three four."
    assert all(len(p.split()) <= 4 for p in parts)
    assert " ".join(parts) == text


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
    assert t.near_duplicates(texts) == [0, 1, 5, 6, 7, 8]
    assert t.near_duplicates([]) == []
    assert t.near_duplicates(["", ""]) == [0]


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
    assert t.near_duplicates(texts, threshold) == kept


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
    assert t.near_duplicate_groups(texts, threshold) == group


def changed(words: list[str], count: int, rng: random.Random) -> list[str]:
    """`words` after so many words have been dropped, put in or replaced."""
    words = list(words)
    for _ in range(count):
        at, new = rng.randrange(len(words)), rng.choice(LONG_WORDS)
        words[at : at + rng.choice((0, 1))] = [[], [new]][rng.randrange(2)]
    return words


LONG_WORDS = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(200)]


@given(st.integers(0, 2**32), st.sampled_from([0.6, 0.8, 0.9]))
@settings(max_examples=60, deadline=None)
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
    assert t.near_duplicates(texts, threshold) == kept
    group = list(range(len(rows)))
    for i, j in itertools.combinations(range(len(rows)), 2):
        if alike[i][j]:
            low, high = sorted((group[i], group[j]))
            group = [low if g == high else g for g in group]
    assert t.near_duplicate_groups(texts, threshold) == group


def test_a_long_text_has_fewer_signatures_than_words() -> None:
    rng = random.Random("long")
    long = " ".join(rng.choices(LONG_WORDS, k=20_000))
    for text, most in ((long, 4000), ("word " * 20_000, 4000), (" ".join(LONG_WORDS[:64]), 100)):
        ((_, _, signatures),) = t._comparable([text], 0.9)
        assert 0 < len(signatures) < most


def test_folded_is_the_same_whatever_case_and_white_space() -> None:
    assert t.folded("  Was ist\t die STRASSE?\n") == t.folded("was ist die Straße?") == "was ist die strasse?"


def test_copies_are_dropped_among_many() -> None:
    rng = random.Random("near")
    vocabulary = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(500)]
    texts = [" ".join(["what", "is", "the", *rng.choices(vocabulary, k=7)]) for _ in range(20_000)]
    kept = t.near_duplicates(texts + texts)
    assert kept == t.near_duplicates(texts)
    assert len(kept) > 19_000


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("The ferry runs.", 4),
        ("aaaa" * 100, 100),
        ("山" * 512, 512),
        ("ซื้อ", 4),
        ("달빛역", 3),
        ("山 x " * 10, 23),
    ],
)
def test_tokens_are_rather_over_than_underestimated(text: str, tokens: int) -> None:
    assert t.estimate_tokens(text) == tokens
