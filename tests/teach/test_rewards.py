"""What parts of cited answers earn, worked by hand, and the tokens of real tokenizers that get it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from selfstudy.judging import citations
from selfstudy.judging.citations import CitedAnswer
from selfstudy.teach.rewards import (
    OF_THE_WHOLE,
    CitationWeights,
    SpanReward,
    correctness,
    fine_grained,
    holistic,
    on_tokens,
    precision,
    recall,
    refusal,
)
from tests.judging.test_citations import DOCUMENTS, Entails

LINES = (
    "Rome is big [1]. It is old [2][3].",
    "So they say, naïve café: 日本語。 😀 é [12]!",
    "It was so [1][2].",
)
EOS = "<eos>"


def byte_level(trim: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        LINES,
        trainers.BpeTrainer(
            vocab_size=300, initial_alphabet=alphabet, special_tokens=[EOS], show_progress=False
        ),
    )
    if trim:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return tokenizer


def word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[UNK]", "[CLS]", EOS]
    tokenizer.train_from_iterator(
        LINES, trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"[CLS] $A {EOS}", special_tokens=[("[CLS]", 1), (EOS, 2)]
    )
    return tokenizer


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(
        LINES,
        trainers.UnigramTrainer(
            vocab_size=80, unk_token="<unk>", special_tokens=["<unk>", EOS], show_progress=False
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {EOS}", special_tokens=[(EOS, 1)])
    return tokenizer


MAKERS = {
    "bytes": lambda: byte_level(False),
    "bytes, trimmed": lambda: byte_level(True),
    "word pieces": word_piece,
    "unigram": unigram,
}


@cache
def trained(name: str) -> Tokenizer:
    return MAKERS[name]()


def offsets(name: str, text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = trained(name).encode(text).offsets
    return found


def judged(answer: str, supporting: str) -> CitedAnswer:
    """Sentences, each supported by documents with all these texts among them, judged by the real judge."""
    model = Entails(lambda premise, text: set(supporting) <= set(premise.split("\n")[1::2]))
    (found,) = citations.judge([(citations.sentences(answer), DOCUMENTS)], model)
    return found


def ends(spans: Sequence[SpanReward], text: str) -> list[tuple[str, float]]:
    return [(text[span.start : span.end], span.value) for span in spans]


# By hand


SHORT = "It is [1]. So it was [2][1]. It is not. It has been [7]."


def test_an_answer_worked_by_hand() -> None:
    answer = judged(SHORT, "x")  # as in ALCE: [2] is not needed, there is no [7]
    assert ends(recall(answer, 0.2), SHORT) == [
        ("It is [1].", 0.2),
        ("So it was [2][1].", 0.2),
        ("It is not.", -0.2),
        ("It has been [7].", -0.2),
    ]
    assert ends(precision(answer, 3, 0.2), SHORT) == [
        ("[1]", 0.2),
        ("[2]", -0.2),
        ("[1]", 0.2),
        ("[7]", -0.2),
    ]
    assert correctness([True, False, True], len(SHORT), 0.2) == [
        SpanReward(0, len(SHORT), 0.2, "correctness")
    ]
    spans = fine_grained(
        answer, documents=3, length=len(SHORT), found=[True, False, True], refused=False, should_refuse=False
    )
    assert len(spans) == 10
    assert holistic(spans, len(SHORT)).value == pytest.approx(0 + 0 + 0.2 + 0.2)


def test_tokens_worked_by_hand() -> None:
    text = "So it is [1][2]."
    spans = fine_grained(judged(text, "x"), documents=3, length=len(text), found=[True, True])
    #      So      it      is      _[      1        ]         [         2         ]         .         EOS
    tokens = [
        *((0, 2), (2, 5), (5, 8), (8, 10), (10, 11), (11, 12), (12, 13), (13, 14), (14, 15), (15, 16)),
        (0, 0),
    ]
    assert on_tokens(spans, tokens) == [0, 0, 0, 0, 0, 0.2, 0, 0, -0.2, 0.2, 0.4]
    assert on_tokens(spans, tokens[:-1]) == pytest.approx([0, 0, 0, 0, 0, 0.2, 0, 0, -0.2, 0.6])
    whole = [holistic(spans, len(text))]
    assert on_tokens(whole, tokens) == pytest.approx([0] * 10 + [0.6])
    # an own token for "]." gets both, and so does one for "][" of the mark in it
    merged = [(0, 8), (8, 11), (11, 13), (13, 14), (14, 16)]
    assert on_tokens(spans, merged) == pytest.approx([0, 0, 0.2, 0, -0.2 + 0.2 + 0.4])
    # cut short: what lies behind goes to the last token
    assert on_tokens(spans, merged[:2]) == pytest.approx([0, 0.6])


def test_an_item_of_a_list() -> None:
    text = "Marazan [1], Rome, On the Beach [4]."
    model = Entails(lambda premise, hypothesis: hypothesis == "Which? Marazan")
    (answer,) = citations.judge([(citations.items(text, "Which?"), DOCUMENTS)], model)
    weights = CitationWeights(recall=0.5, precision=0.25, correctness=1, most_missing=5)
    spans = fine_grained(
        answer, documents=3, length=len(text), found=[True] * 2 + [False] * 9, weights=weights
    )
    assert ends(spans, text) == [
        ("Marazan [1]", 0.5),
        ("Rome", -0.5),
        ("On the Beach [4]", -0.5),
        ("[1]", 0.25),
        ("[4]", -0.25),
        (text, -3.0),
    ]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("", []),
        ("[1][2][3][1]", [0.2, -0.2, -0.2]),  # the fourth is not judged
        ("[1][9]", [None, -0.2]),  # nor is [1], whose statement names a document that does not exist
        ("[0]", [-0.2]),
        ("[1][2][3][4]", [None, None, None, -0.2]),  # wrong wherever it stands
        ("[99999999999999999999]", [-0.2]),
        ("[2]", [-0.2]),
    ],
)
def test_what_a_mark_earns(marks: str, expected: list[float | None]) -> None:
    text = f"So it is {marks}."
    found = {span.start: span.value for span in precision(judged(text, "x"), 3, 0.2)}
    (statement,) = citations.sentences(text)
    seen = [found.get(mark.start) for mark in statement.citations]
    assert seen[: len(expected)] == expected
    assert seen[len(expected) :] in ([], [None])


@pytest.mark.parametrize(
    ("found", "most", "value"),
    [
        ([True], None, 0.2),
        ([False], None, -0.2),
        ([True, False], None, 0.0),
        ([False] * 8, None, -1.6),
        ([False] * 8, 5, -1.0),
        ([True] * 2 + [False] * 8, 5, -0.6),
        ([True] * 8 + [False] * 2, 5, 1.2),
        ([False] * 8, 0, 0.0),
    ],
)
def test_what_gold_answers_earn(found: list[bool], most: int | None, value: float) -> None:
    (span,) = correctness(found, 9, 0.2, most)
    assert (span.start, span.end, span.part) == (0, 9, "correctness")
    assert span.value == pytest.approx(value)


def test_no_gold_answers_earn_nothing() -> None:
    assert correctness([], 9, 0.2) == []


@pytest.mark.parametrize(
    ("refused", "should", "values"),
    [
        (True, True, [0.2]),
        (True, False, [-0.2]),
        (False, True, [-0.2]),
        (False, False, [0.2]),
        (None, True, []),
        (True, None, []),
    ],
)
def test_what_refusing_earns(refused: bool | None, should: bool | None, values: list[float]) -> None:
    assert [span.value for span in refusal(refused, should, 9, 0.2)] == values


@pytest.mark.parametrize("off", [None, 0, 0.0])
@pytest.mark.parametrize("part", ["recall", "precision", "correctness", "refusal"])
def test_each_part_can_be_switched_off(part: str, off: float | None) -> None:
    def spans(weights: CitationWeights) -> list[SpanReward]:
        return fine_grained(
            judged(SHORT, "x"),
            documents=3,
            length=len(SHORT),
            found=[True],
            refused=True,
            should_refuse=False,
            weights=weights,
        )

    everything = spans(CitationWeights())
    changes: dict[str, Any] = {part: off}
    assert spans(replace(CitationWeights(), **changes)) == [one for one in everything if one.part != part]


def test_what_could_not_be_judged_is_no_reward() -> None:
    failed = CitedAnswer(error="the entailment model gave no number")
    with pytest.raises(ValueError, match="gave no number"):
        fine_grained(failed, documents=3, length=9, found=[True])
    # who looks at no entailment needs none
    weights = CitationWeights(recall=None, precision=None)
    assert fine_grained(failed, documents=3, length=9, found=[True], weights=weights) == [
        SpanReward(0, 9, 0.2, "correctness")
    ]


def test_an_empty_answer() -> None:
    spans = fine_grained(
        CitedAnswer(), documents=3, length=0, found=[False], refused=True, should_refuse=True
    )
    assert [span.part for span in spans] == ["correctness", "refusal"]
    assert on_tokens(spans, [(0, 0)]) == [0.0]
    assert on_tokens(spans, []) == []
    assert on_tokens([], [(0, 1), (0, 0)]) == [0.0, 0.0]
    assert holistic([], 0) == SpanReward(0, 0, 0.0, "holistic")
    (item,) = citations.items("", "Which?")  # an empty item, which ends where the text begins
    lost = recall(
        CitedAnswer((citations.JudgedStatement(item, False, "cites nothing"),)),
        0.2,
    )
    assert on_tokens(lost, [(0, 0), (0, 1), (1, 2)]) == [0.0, -0.2, 0.0]


# On tokens


@pytest.mark.parametrize(
    ("tokens", "end", "place"),
    [
        ([(0, 2), (2, 5)], 2, 0),
        ([(0, 2), (2, 5)], 3, 1),
        ([(0, 1), (0, 2), (1, 2), (1, 2)], 1, 1),  # bytes of two characters in one token
        ([(0, 1), (0, 2), (1, 2), (1, 2)], 2, 3),
        ([(0, 2), (3, 5)], 3, 0),  # white space that was dropped
        ([(0, 2), (3, 3), (3, 5)], 3, 0),  # white space whose token has no characters
        ([(0, 0), (0, 2), (0, 0)], 9, 1),  # cut short: EOS holds no character
        ([(0, 0), (1, 2), (0, 0)], 1, 1),  # before the first
        ([(0, 0), (0, 0)], 3, 1),  # nothing but special tokens
        ([(0, 2), (0, 0), (2, 4)], 4, 2),
    ],
)
def test_the_token_of_a_place(tokens: list[tuple[int, int]], end: int, place: int) -> None:
    rewards = on_tokens([SpanReward(0, end, 1.0, "recall")], tokens)
    assert rewards == [float(number == place) for number in range(len(tokens))]


@pytest.mark.parametrize("part", OF_THE_WHOLE)
def test_the_last_token_gets_what_the_whole_answer_earns(part: Any) -> None:
    assert on_tokens([SpanReward(0, 4, 1.0, part)], [(0, 2), (2, 4), (0, 0)]) == [0, 0, 1]


TEXTS = st.lists(
    st.sampled_from(
        [
            *("Rome is big", "It", "So it was", " ", "  ", "\t", ".", ". ", "!", ",", "…"),
            *("[1]", " [2]", "[3]", "[12", "[0]", " [9].", "[", "]"),
            *("😀", "👩\u200d👩\u200d👧", "🏳️", "日本語", "日本。", "e\u0301", "é", "\u0301", "x\u0323\u0307"),
            *("\u200b", "ﬁ", "½", "①", "한국", "ไทย", "مرحبا", "\u00a0", "\ufeff", "\n"),
        ]
    ),
    max_size=14,
).map("".join)


@pytest.mark.parametrize("name", MAKERS)
@given(
    text=TEXTS, found=st.lists(st.booleans(), max_size=4), refused=st.none() | st.booleans(), cut=st.data()
)
def test_no_reward_is_lost(
    name: str, text: str, found: list[bool], refused: bool | None, cut: st.DataObject
) -> None:
    spans = fine_grained(
        judged(text, "x"), documents=3, length=len(text), found=found, refused=refused, should_refuse=False
    )
    tokens = offsets(name, text)
    tokens = tokens[: cut.draw(st.integers(0, len(tokens)))]
    rewards = on_tokens(spans, tokens)
    assert len(rewards) == len(tokens)
    if tokens:
        total = holistic(spans, len(text))
        assert sum(rewards) == pytest.approx(sum(span.value for span in spans))
        assert sum(rewards) == pytest.approx(total.value)
        assert on_tokens([total], tokens) == [0.0] * (len(tokens) - 1) + [total.value]
    mixed = random.Random(0).sample(spans, len(spans))
    assert on_tokens(mixed, tokens) == rewards
    assert holistic(mixed, len(text)) == holistic(spans, len(text))


@pytest.mark.parametrize("name", MAKERS)
@given(text=TEXTS)
def test_every_reward_is_on_the_token_with_its_last_character(name: str, text: str) -> None:
    tokens = offsets(name, text)
    answer = judged(text, "x")
    for span in [*recall(answer, 1), *precision(answer, 3, 1)]:
        rewards = on_tokens([span], tokens)
        (place,) = [number for number, value in enumerate(rewards) if value]
        start, end = tokens[place]
        holding = [number for number, (a, b) in enumerate(tokens) if a < span.end <= b]
        if holding:
            assert place == holding[-1]
            assert start < span.end <= end
        elif start < end:  # the tokenizer dropped it: nothing between it and the token
            assert end < span.end or not any(a < span.end and a < b for a, b in tokens)
            assert not any(a < b and end <= a < span.end for a, b in tokens)
        else:
            assert not any(a < b for a, b in tokens)
        if span.part == "precision":  # no tokenizer drops a bracket or a digit
            assert holding
            assert set(text[start:end]) & set("]0123456789")


@given(text=TEXTS.filter(bool))
def test_bytes_agree(text: str) -> None:
    """Byte-level tokens are bytes: the last byte of a character tells its token without any offsets."""
    encoded = trained("bytes").encode(text)
    until = list(accumulate(len(token) for token in encoded.tokens))  # a letter stands for a byte
    assert until[-1] == len(text.encode())
    for end in range(1, len(text) + 1):
        byte = len(text[:end].encode()) - 1
        place = next(number for number, stop in enumerate(until) if byte < stop)
        span = [SpanReward(0, end, 1.0, "recall")]
        assert on_tokens(span, encoded.offsets)[place] == 1
        if not text[end - 1].isspace():
            assert on_tokens(span, offsets("bytes, trimmed", text))[place] == 1


@pytest.mark.parametrize("name", MAKERS)
def test_the_marks_of_a_plain_answer(name: str) -> None:
    text = "Rome is big [1]. 日本 is old 😀 [2][1]. "
    spans = fine_grained(judged(text, "x"), documents=3, length=len(text), found=[True])
    encoded = trained(name).encode(text)
    rewards = on_tokens(spans, encoded.offsets)
    rewarded = [
        (text[start:end], round(value, 9))
        for (start, end), value in zip(encoded.offsets, rewards, strict=True)
        if value
    ]
    # "]." and "][" may be one token; then it gets both
    assert sum(value for _, value in rewarded) == pytest.approx(0.2 * (2 + 2 - 1 + 1))
    assert all(set(piece) & set("].") for piece, _ in rewarded[:-1])
    assert rewards[-1] == pytest.approx(0.2)
    assert rewarded[-1][0].strip() == ""  # EOS, or the white space at the end
