"""Text helpers: by example and by property."""

from __future__ import annotations

import itertools
import unicodedata

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


def test_clean_leaves_nothing_that_a_terminal_obeys() -> None:
    said = "\x1b]0;title\x07a\x1b]52;c;ZXZpbA==\x1b\\b\x1b[2J\x1b[31;1mc\x1b[0m\x1bcd\x9b1m\x1b]8;;http://x"
    assert t.clean(said) == "abcd 1m"
    assert t.clean("\x1b]0;open\nnext line\x1b") == "\nnext line "


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


def test_folded_is_the_same_whatever_case_and_white_space() -> None:
    assert t.folded("  Was ist\t die STRASSE?\n") == t.folded("was ist die Straße?") == "was ist die strasse?"


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("罗马是意大利的首都。", "罗 马 是 意 大 利 的 首 都"),
        ("北京，NASA在1958年", "北 京 nasa 在 1958 年"),
        ("東京とパリ", "東 京 と パ リ"),
        ("กรุงโรม", "ก รุ ง โ ร ม"),
        ("រ៉ូម", "រ៉ូ ម"),
        ("ရောမ", "ရော မ"),
        ("서울은 수도이다.", "서울은 수도이다"),
        ("Rome、Paris", "rome paris"),
    ],
)
def test_scripts_without_spaces_are_cut_into_letters(text: str, words: str) -> None:
    assert t.normalise(text) == words
    assert t.normalise(words) == words


def test_what_is_measured_in_words_works_without_spaces() -> None:
    assert t.contains("意大利的首都是罗马。", "罗马")
    assert not t.contains("意大利的首都是罗马。", "米兰")
    assert 0.8 < t.token_f1("首都是罗马", "首都是罗马市") < 1
    assert t.contains("เมืองหลวงของอิตาลีคือกรุงโรม", "โรม")


@pytest.mark.parametrize(
    ("text", "cased"),
    [
        ("Rome is a city", True),
        ("Ρώμη", True),
        ("Москва", True),
        ("Երևան", True),
        ("罗马是 NATO 的成员", False),
        ("روما عضو في NATO", False),
        ("रोम NATO का सदस्य है", False),
        ("თბილისი არის NATO", False),
        ("로마는 NATO 회원", False),
        ("1914", False),
    ],
)
def test_has_case(text: str, cased: bool) -> None:
    assert t.has_case(text) is cased


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Is it Rome?", True),
        ('"Is it Rome?"', True),
        ("It is Rome.", False),
        ("Is it Rome? It is.", False),
        ("Rome; Paris;", False),
        ("Ποια είναι η πρωτεύουσα;", True),
        ("Ποια είναι η πρωτεύουσα\u037e", True),
        ("Είναι η Ρώμη.", False),
        ("ما هي عاصمة إيطاليا؟", True),
        ("Ո՞րն է մայրաքաղաքը։", True),
        ("Մայրաքաղաքը Հռոմն է։", False),
        ("首都是哪里？", True),
        ("首都はどこですか。", True),
        ("首都はローマです。", False),
        ("", False),
    ],
)
def test_ends_as_question(text: str, asks: bool) -> None:
    assert t.ends_as_question(text) is asks


def test_greek_sentences_end_at_their_question_mark() -> None:
    assert t.sentences("Ποια είναι; Η Ρώμη.") == ["Ποια είναι;", "Η Ρώμη."]
    assert t.question_end("Ποια είναι; Η Ρώμη.") == 11
    assert t.question_end("no question") == -1


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=4), st.lists(st.sampled_from("ab"), max_size=30))
def test_occurrences_are_all_places_overlaps_included(needle: list[str], among: list[str]) -> None:
    places = [i for i in range(len(among)) if among[i : i + len(needle)] == needle]
    assert list(t.occurrences(needle, among)) == places


@given(st.text())
def test_the_compatible_form_is_unicodes_own(text: str) -> None:
    assert t.nfkc(text) == unicodedata.normalize("NFKC", text)


def test_a_letter_keeps_thirty_marks() -> None:
    assert len(t.nfkc("x" + "\u0323\u0307" * 50_000 + "y")) <= 32
    assert t.nfkc("\u2500" * 100 + "\u0301") == "\u2500" * 100 + "\u0301"


def test_sentences_of_a_text_full_of_marks_are_found_piece_by_piece() -> None:
    text = "\n\n".join(["He said: “It is here (in part).” Then, again, he left."] * 2000)
    assert t.sentences(text) == ["He said: “It is here (in part).”", "Then, again, he left."] * 2000
    marks = "“" * 20_000 + " end."
    assert "".join(t.sentences(marks)) == marks.replace(" ", "")


@pytest.mark.parametrize("separator", ["\n\n", "\n\n\n\n", "\n", " "])
def test_sentences_of_a_long_text_stand_where_they_are_said_to_be(separator: str) -> None:
    text = separator.join([f"Sentence {i} of “this” text is here. And, it says." for i in range(1000)])
    assert t.sentences(text) == [
        part for i in range(1000) for part in (f"Sentence {i} of “this” text is here.", "And, it says.")
    ]


def test_unaccented_leaves_letters_of_other_scripts() -> None:
    assert t.unaccented("García, Łódź, Ё, ガ, पानी, 한국") == "Garcia, Łodz, Е, ガ, पानी, 한국"


def test_a_text_ends_where_the_first_of_several_ends_stands() -> None:
    assert t.until("one\n\ntwo\nthree", ("\nthree", "\n\n")) == "one"
    assert t.until("one", ("\n", "two")) == t.until("one", ()) == "one"


@pytest.mark.parametrize(("given", "line"), [("a\n\n  b\t", "a b"), ("one\ntwo three", "one t..."), ("", "")])
def test_a_text_in_one_line(given: str, line: str) -> None:
    assert t.one_line(given, 8) == line


def test_lines_below_a_message_are_a_few() -> None:
    assert t.lines_below(["a", "b"]) == "\n    a\n    b"
    assert t.lines_below(["a", "b", "c"], 2) == "\n    a\n    b\n    and 1 more"
    assert t.lines_below([]) == ""
