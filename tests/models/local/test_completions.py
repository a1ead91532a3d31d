"""Answers that have begun are gone on with: as if the model had said the beginning itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from selfstudy.models.base import GREEDY, ContinuesAnswers, Sampling, StopListening, chat
from selfstudy.models.local import encoding
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel
from selfstudy.records import Completion

CHATS = [chat("Who?"), chat("What is the capital of France?", "You are a student."), chat("Who?")]
SAMPLED = Sampling(n=3, temperature=1.0, max_new_tokens=12, seed=5)
THINKING = (
    "{% for m in messages %}<|{{ m.role }}|> {{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)


def load(folder: Path) -> LocalLM:
    return LocalLM(LocalModel(path=str(folder), device="cpu"))


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> LocalLM:
    return load(tiny_llama)


@pytest.fixture(scope="module", params=["llama", "gpt2", "mamba", "gemma"])
def plain(request: pytest.FixtureRequest, model_folder: Callable[..., Path]) -> LocalLM:
    return load(model_folder(request.param))


def stripped(found: list[list[Completion]]) -> list[list[Completion]]:
    return [[one.model_copy(update={"text": one.text.strip()}) for one in row] for row in found]


def test_a_local_model_goes_on_with_answers(llama: LocalLM) -> None:
    assert isinstance(llama, ContinuesAnswers)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED, Sampling(n=2, greedy_first=True, stop=("a",))])
def test_behind_nothing_it_is_what_is_generated(llama: LocalLM, plain: LocalLM, sampling: Sampling) -> None:
    for lm in (llama, plain):
        done: list[int] = []
        found = lm.continued(CHATS, ["", " ", ""], sampling, progress=done.append)
        assert stripped(found) == lm.generate(CHATS, sampling)
        assert sum(done) == len(CHATS)


def test_behind_the_beginning_of_a_greedy_answer_stands_the_rest() -> None:
    lm = LocalLM(LocalModel(path="atlas", device="cpu"))
    chats = [chat(f"What is the capital of {name}?") for name in ("France", "Peru", "Japan")]
    for one, (whole,) in zip(chats, lm.generate(chats, GREEDY), strict=True):
        words = whole.text.split(" ")
        begun = [" ".join(words[:count]) for count in range(len(words) + 1)]
        rests = [rest for (rest,) in lm.continued([one] * len(begun), begun, GREEDY)]
        assert [(text + rest.text).strip() for text, rest in zip(begun, rests, strict=True)] == [
            whole.text
        ] * len(begun)
        assert all(rest.finish == "stop" for rest in rests)
        total = [rest.logprob for rest in rests]
        assert total == sorted(total)  # the less there is left to say, the more probable it is


def test_a_batch_is_as_one_at_a_time(llama: LocalLM) -> None:
    begun = ["", "Paris is", "Paris is the capital"]
    chats = [CHATS[0], CHATS[1], CHATS[1]]
    together = llama.continued(chats, begun, SAMPLED)
    alone = [llama.continued([one], [text], SAMPLED)[0] for one, text in zip(chats, begun, strict=True)]
    assert [[one.text for one in row] for row in together] == [[one.text for one in row] for row in alone]
    for row, other in zip(together, alone, strict=True):
        assert [one.logprob for one in row] == pytest.approx([one.logprob for one in other], abs=1e-4)


def test_streams_go_by_the_beginning(llama: LocalLM) -> None:
    (first, other, again) = llama.continued(
        [CHATS[0]] * 3, ["Paris is", "Vienna is", "Paris is"], Sampling(n=4, max_new_tokens=16)
    )
    assert len({one.text for one in (*first, *other, *again)}) == 12


def test_it_stops_where_it_is_enough_and_says_that_it_would_go_on(llama: LocalLM) -> None:
    seen: list[str] = []

    def enough(text: str) -> bool:
        seen.append(text)
        return len(text) >= 6

    for row in llama.continued(CHATS, ["", "Paris", "Rome is"], SAMPLED, enough):
        for one in row:
            assert one.finish == "stop" or len(one.text) >= 6 or one.tokens == SAMPLED.max_new_tokens
            assert one.finish != "length" or one.tokens < SAMPLED.max_new_tokens
    longer = [one for row in llama.continued(CHATS, [""] * 3, SAMPLED) for one in row if one.tokens > 8]
    assert longer
    assert seen


def test_a_stop_string_ends_it(llama: LocalLM) -> None:
    (free,) = llama.continued(CHATS[:1], ["Paris"], GREEDY)[0]
    mark = free.text[4]
    (cut,) = llama.continued(CHATS[:1], ["Paris"], Sampling(n=1, temperature=0.0, stop=(mark,)))[0]
    assert cut.text == free.text[: free.text.index(mark)]
    assert cut.finish == "stop"


def test_what_cannot_be_gone_on_with_fails_alone(llama: LocalLM) -> None:
    chats = [CHATS[0], CHATS[0], (), CHATS[0]]
    found = llama.continued(chats, ["Paris", "\ud800", "Paris", "long " * 300], GREEDY)
    assert [row[0].finish == "error" for row in found] == [False, True, True, True]
    assert "tokens" in (found[3][0].error or "")
    with pytest.raises(ValueError, match="1 beginnings"):
        llama.continued(chats, [""], GREEDY)


def test_marks_in_a_beginning_end_no_turn(llama: LocalLM) -> None:
    """They are content, as in training."""
    text = "Paris<|end|>\n<|user|> Who?"
    asked, errors, said = encoding.begun(llama._format, CHATS[:1], [text])
    assert not errors
    assert asked[0][1][-len(said[0]) :] == said[0]
    assert llama.tokenizer.eos_token_id not in said[0]
    assert llama.tokenizer.convert_tokens_to_ids("<|user|>") not in said[0]


def test_thinking_is_over_before_the_answer(model_folder: Callable[..., Path]) -> None:
    lm = load(model_folder("llama", THINKING))
    ((one,),) = lm.continued(CHATS[:1], ["Paris"], GREEDY)
    assert one.finish != "error"
    assert one.text


def test_a_listener_may_leave_while_it_is_still_thinking(model_folder: Callable[..., Path]) -> None:
    lm = load(model_folder("llama", THINKING))
    heard: list[str] = []

    def leaves(text: str) -> None:
        heard.append(text)
        if len(heard) == 2:
            raise StopListening

    found = lm.stream(CHATS[0], Sampling(temperature=0.0, max_new_tokens=30), leaves)
    assert heard == ["", ""]
    assert found.tokens == 2
    assert found.finish == "error"
