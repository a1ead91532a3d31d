"""Marks of tokenizers and templates in texts of others are broken up; other texts come back as they are."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, normalizers

from selfstudy.models.base import chat
from selfstudy.models.content import Marks, of_tokenizer, within
from selfstudy.models.families import of_servers
from tests.conftest import make_tokenizer

ORDINARY = (
    "The Danube flows through Vienna, Budapest and Belgrade.",
    "a <- b | c > d, x<|y, [1], [a](b) <b>bold</b> <table> <!-- no -->",
    "the user: says so; an assistant: helps\n\n```\nls | sort > out\n```",
    "",
    " \n\u2028 ",
)


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("Paris.<|im_end|>", "Paris.< |im_end|>"),
        ("<<s>s>", "<< s>s>"),
        ("<unused777>", "< unused777>"),
        ("in eng_Latn", "in e ng_Latn"),
        ("Hi. ASSISTANT: yes", "Hi. ASSISTANT : yes"),
        ("a <x>", "a < x>"),
        ("aba", "a ba"),
        ("<|a|>|b|>", "< |a| >|b|>"),
    ],
)
def test_a_space_breaks_a_mark(text: str, broken: str) -> None:
    content = Marks(
        [
            "<|im_end|>",
            "<s>",
            "<unused0>",
            "eng_Latn",
            "ASSISTANT:",
            " <x>",
            "ab",
            "<|a|>",
            "|>|",
            "!",
            "\n\n",
        ]
    )
    assert content(text) == content(broken) == broken


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_line_that_begins_a_turn_is_quoted_wherever_lines_end(end: str) -> None:
    content = Marks(lines=["User:", "### Human:"])
    text = f"user: a{end} \u200bUSER : b{end}x user: c{end}### human: d{end}\uff35ser\uff1a e"
    quoted = f"> user: a{end} \u200b> USER : b{end}x user: c{end}> ### human: d{end}> \uff35ser\uff1a e"
    assert content(text) == content(quoted) == quoted


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_come_back_as_they_are(text: str) -> None:
    assert of_servers(text) == text
    assert of_tokenizer(make_tokenizer(), lines=["User:"])(text) == text


@pytest.mark.parametrize(
    "mark",
    [
        *(
            "<s>",
            "</s>",
            "<bos>",
            "<eos>",
            "<pad>",
            "<|im_start|>",
            "<|im_end|>",
            "<|endoftext|>",
            "<|eot_id|>",
        ),
        *("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<start_of_turn>", "<end_of_turn>", "<image>", "[IMG]"),
        *("<start_of_image>", "<image_soft_token>", "<|image_pad|>", "<think>", "</think>", "<tool_call>"),
        *(
            "<｜User｜>",
            "<｜end▁of▁sentence｜>",
            "[|endofturn|]",
            "<|turn>",
            "<turn|>",
            "<unused7>",
            "[gMASK]",
        ),
        *("<extra_id_3>", "<seed:bos>", "<EOS_TOKEN>", "<eoh>", "[SEP]", "]~b]", "[e~["),
    ],
)
def test_marks_of_many_families_are_kept_from_servers(mark: str) -> None:
    sent = of_servers(f"Paris.{mark}Berlin.")
    assert mark not in sent
    assert sent.replace(" ", "") == f"Paris.{mark}Berlin."
    assert of_servers(sent) == sent


def test_added_words_and_white_space_are_no_marks_but_what_the_template_writes_is() -> None:
    fast = make_tokenizer("{% for m in messages %}<tool>user ```{{ m.content }}{% endfor %}")
    fast.add_tokens(["Covid", "  ", "<td>", "user", "```", "<tool>", "<think>", "[@A@]"])
    content = of_tokenizer(fast)
    assert content("a  Covid <td> user ``` <tool>") == "a  Covid <td> user ``` < tool>"
    assert content("<think>[@A@]<|end|><pad>") == "< think>[ @A@]< |end|>< pad>"


def normalising(normaliser: Any) -> Any:
    """Looks for its tokens in what the normaliser has made of a text."""
    fast = make_tokenizer()
    fast.backend_tokenizer.normalizer = normaliser
    fast.add_special_tokens(
        {"additional_special_tokens": [AddedToken("<stop>", special=True, normalized=True)]}
    )
    return fast


@pytest.mark.parametrize(
    ("normaliser", "text"),
    [
        (normalizers.Lowercase(), "a<STOP>b"),
        (normalizers.NFKC(), "a\uff1cstop\uff1eb"),
        (normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]), "a<st\u00f6p>b"),
        (normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), "a <stop>b"),
    ],
)
def test_marks_that_a_tokenizer_puts_together_itself(normaliser: Any, text: str) -> None:
    fast = normalising(normaliser)
    stop = fast.convert_tokens_to_ids("<stop>")
    assert stop in fast(text)["input_ids"]
    content = of_tokenizer(fast)
    assert stop not in fast(content(text))["input_ids"]
    assert content("Plain \uff1c TEXT") == "Plain \uff1c TEXT"
    assert content("\ud800<stop>") == "\ud800< stop>"


def test_words_of_a_template_that_a_tokenizer_puts_together_itself() -> None:
    fast = make_tokenizer()
    fast.backend_tokenizer.normalizer = normalizers.NFKC()
    content = of_tokenizer(fast, words=["[/INST]"])
    assert content("a [/INST] \uff21") == "a [ /INST] \uff21"
    assert content("a \uff3b/INST\uff3d b") == "a [ /INST] b"


def test_a_chat_without_marks_is_the_same_object() -> None:
    plain = chat("Who?", "Be brief.")
    assert within(plain, of_servers) is plain
    assert within(chat("Who</s>?", "Be brief."), of_servers) == chat("Who< /s>?", "Be brief.")


@pytest.mark.parametrize(
    "part", ["<", "<|", "</", "<s", "[|", "<s>", "<|a|>", "\nUser:", "\n", "User: ", "<unused1", "]~"]
)
def test_it_takes_as_long_as_the_text_is(part: str) -> None:
    content = Marks(["<s>", "<|a|>", "<unused1>", "s><"], ["User:"])
    start = time.perf_counter()
    for marks in (of_servers, content):
        marks(part * 50_000)
        marks(part + "a" * 100_000)
    assert time.perf_counter() - start < 2.0  # measured: at most 0.2 s


@given(
    st.lists(st.sampled_from(["<s>", "<", ">", "s", "<|", "|>", "a", " ", "User:", "\n", "\u2028", "1"])).map(
        "".join
    )
)
def test_what_has_been_broken_stays_as_it_is(text: str) -> None:
    content = Marks(["<s>", "<|a|>", "<|1|>", "><"], ["User:"])
    once = content(text)
    assert content(once) == once
    assert "<s>" not in once
    assert not any(line.strip().startswith("User:") for line in once.splitlines())
