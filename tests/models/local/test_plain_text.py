"""Log-probabilities of plain texts behind others, against transformers' own forward pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from selfstudy import ScriptedLM
from selfstudy.models.base import NoLogprobsError, ReadsPlainText, text_logprobs
from selfstudy.models.local import encoding
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel

BEFORE = "Q: What is the capital of France?\nA:"
TEXTS = [" Paris", " Paris is the capital of France.", " Vienna", " Ünïcode 北京"]


def load(folder: Path) -> LocalLM:
    return LocalLM(LocalModel.model_validate({"path": str(folder), "device": "cpu"}))


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> LocalLM:
    return load(tiny_llama)


def direct(lm: LocalLM, head: list[int], new: list[int]) -> list[float]:
    """By one forward pass of transformers over one row."""
    with torch.no_grad():
        logits = lm.model(torch.tensor([head + new])).logits[0].float().log_softmax(-1)
    return [logits[len(head) + i - 1, token].item() for i, token in enumerate(new)]


def ids(lm: LocalLM, text: str) -> list[int]:
    return list(lm.tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma", "mamba"])
def test_equal_to_a_direct_forward_pass(model_folder: Callable[..., Path], kind: str) -> None:
    lm = load(model_folder(kind))
    found = lm.text_logprobs([BEFORE] * 4 + ["Elsewhere:"], [*TEXTS, " Lyon"])
    for before, text, values in zip([BEFORE] * 4 + ["Elsewhere:"], [*TEXTS, " Lyon"], found, strict=True):
        assert values == pytest.approx(direct(lm, ids(lm, before), ids(lm, text)), abs=1e-4)


def test_to_a_hundred_thousandth(llama: LocalLM) -> None:
    """Whatever the template of the model is."""
    found = llama.text_logprobs([BEFORE] * 4, TEXTS)
    for text, values in zip(TEXTS, found, strict=True):
        assert values == pytest.approx(direct(llama, ids(llama, BEFORE), ids(llama, text)), abs=1e-5)


def test_a_text_in_one_piece_is_as_probable_as_its_two_parts(llama: LocalLM) -> None:
    text = "The Danube flows through Vienna, Budapest and Belgrade."
    ((whole,), (first,), (rest,)) = (
        llama.text_logprobs([before], [some])
        for before, some in ((BEFORE, text), (BEFORE, text[:10]), (BEFORE + text[:10], text[10:]))
    )
    assert len(first) + len(rest) == len(whole) == len(ids(llama, text))
    assert sum(first) + sum(rest) == pytest.approx(sum(whole), abs=1e-4)


def test_the_first_token_of_all_follows_the_end_of_what_was_before(llama: LocalLM) -> None:
    end = [llama.tokenizer.eos_token_id]
    ((values,),) = [llama.text_logprobs([""], ["Paris"])]
    assert values == pytest.approx(direct(llama, end, ids(llama, "Paris")), abs=1e-5)


def test_where_tokens_join_over_the_boundary_the_joined_one_counts(llama: LocalLM) -> None:
    """ "capital" is one token: behind "capi" it is not what "capi" alone begins with."""
    assert len(ids(llama, " capital")) == 1
    ((values,),) = [llama.text_logprobs(["the capi"], ["tal"])]
    assert values == pytest.approx(direct(llama, ids(llama, "the"), ids(llama, " capital")), abs=1e-5)


def test_long_texts_are_read_in_windows_that_score_each_token_once(llama: LocalLM) -> None:
    text = "The Danube flows through Vienna. " * 140
    tokens = ids(llama, text)
    assert llama.context == 256
    assert len(tokens) > 3 * 256
    ((values,),) = [llama.text_logprobs([""], [text])]
    assert len(values) == len(tokens)
    whole = [llama.tokenizer.eos_token_id, *tokens]
    # the third window: 128 tokens, with the 128 before them
    start = 1 + 2 * 128
    assert values[start - 1 : start + 127] == pytest.approx(
        direct(llama, whole[start - 128 : start], whole[start : start + 128]), abs=1e-5
    )


def test_what_stands_before_is_cut_from_the_left(llama: LocalLM) -> None:
    before = "The Danube flows through Vienna. " * 60 + BEFORE
    ((values,),) = [llama.text_logprobs([before], [" Paris"])]
    new = ids(llama, " Paris")
    assert values == pytest.approx(direct(llama, ids(llama, before)[-(256 - len(new)) :], new), abs=1e-5)


def test_windows_cover_all_once() -> None:
    for head in (1, 3, 40):
        for new in range(0, 50):
            for context in (1, 2, 7, 16, None):
                row = list(range(head + new))
                found = list(encoding._windows(row[:head], row[head:], context))
                assert [one for some, count in found for one in some[len(some) - count :]] == row[head:]
                assert all(len(some) <= (context or 1000) for some, _ in found)


def test_what_cannot_be_scored_has_none_and_the_others_do(llama: LocalLM) -> None:
    found = llama.text_logprobs(["a", "a", "\ud800", "a"], ["", "\ud800", " b", " b"])
    assert [bool(one) for one in found] == [False, False, False, True]
    assert llama.text_logprobs([], []) == []
    with pytest.raises(ValueError, match="2 texts before, but 1"):
        llama.text_logprobs(["a", "b"], ["c"])


def test_who_can_and_who_cannot(llama: LocalLM) -> None:
    assert isinstance(llama, ReadsPlainText)
    assert text_logprobs(ScriptedLM({".": "x"}), ["a"], ["b c"]) == [[-1.0, -1.0]]

    class Server:
        name = "elsewhere"

    with pytest.raises(NoLogprobsError, match="elsewhere does not say how probable a plain text is"):
        text_logprobs(Server(), ["a"], ["b"])  # type: ignore[arg-type]
