"""LocalLM around the decoder: loading, chat formats, limits, stops, errors, log-probabilities, adapters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.errors import ModelError
from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, Sampling, chat
from selfstudy.models.local import loading
from selfstudy.models.local.encoding import Answered
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat, Message

SYSTEM = "You are a student."
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)


def load(folder: Path, **options: object) -> LocalLM:
    return LocalLM(LocalModel.model_validate({"path": str(folder), "device": "cpu", **options}))


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> LocalLM:
    return load(tiny_llama)


@pytest.fixture(scope="module")
def plain(model_folder: Callable[..., Path]) -> LocalLM:
    return load(model_folder("gpt2"))


@pytest.fixture
def broken(tiny_llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llama, tmp_path / "model"))


def test_load_lm_gives_a_local_model(tiny_llama: Path) -> None:
    lm = load_lm(LocalModel(path=str(tiny_llama)))
    assert lm.name == str(tiny_llama)
    assert len(lm.generate([chat("Who?")], GREEDY)) == 1


@pytest.mark.parametrize("path", ["./nowhere", "/no/such/model", "~/no-such-model", "a/b/c"])
def test_a_missing_folder_is_named(path: str) -> None:
    with pytest.raises(ModelError, match="no model folder") as caught:
        LocalLM(LocalModel(path=path))
    assert path.removeprefix("./") in caught.value.what
    assert caught.value.hint


def test_a_hub_id_without_network_is_explained_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "hub_answers", lambda: False)
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        LocalLM(LocalModel(path="no-such-owner/no-such-model"))
    assert "network" in caught.value.hint


def test_a_folder_without_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        load(tmp_path)


def test_damaged_weights_are_explained(broken: Path) -> None:
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load(broken)
    assert "damaged" in caught.value.hint


def test_pickled_weights_are_refused(broken: Path) -> None:
    (broken / "model.safetensors").unlink()
    torch.save({}, broken / "pytorch_model.bin")
    with pytest.raises(ModelError) as caught:
        load(broken)
    assert "safetensors" in caught.value.hint


def test_missing_weights_are_not_made_up(broken: Path) -> None:
    config = json.loads((broken / "config.json").read_text())
    config["num_hidden_layers"] = 3
    config.pop("layer_types", None)
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="no usable weights"):
        load(broken)


def test_an_unknown_device_is_explained(tiny_llama: Path) -> None:
    with pytest.raises(ModelError, match="device 'abacus'"):
        load(tiny_llama, device="abacus")


def test_template_and_plain_format(llama: LocalLM, plain: LocalLM) -> None:
    asked = chat("Who?", SYSTEM)
    assert llama.render(asked) == "<|system|> You are a student.<|end|>\n<|user|> Who?<|end|>\n<|assistant|>"
    assert plain.render(asked) == "You are a student.\n\nWho?\nAnswer:"


def test_a_template_without_system_role_gets_it_in_the_first_turn(model_folder: Callable[..., Path]) -> None:
    lm = load(model_folder("llama", NO_SYSTEM))
    assert lm.render(chat("Who?", SYSTEM)) == f"[user] {SYSTEM}\n\nWho?\n[assistant]"


def test_a_prompt_without_room_fails_alone_and_others_go_on(llama: LocalLM) -> None:
    chats = [chat("Who?"), chat("long " * 200), chat("bad \ud800 text"), (), chat("Where?")]
    done: list[int] = []
    found = llama.generate(chats, Sampling(n=2, max_new_tokens=4), done.append)
    assert [[one.finish == "error" for one in row] for row in found] == [
        [i in (1, 2, 3)] * 2 for i in range(5)
    ]
    assert "256" in (found[1][0].error or "")
    assert all(one.text == "" and one.error for row in (found[1], found[2], found[3]) for one in row)
    assert sum(done) == 5


def test_an_answer_ends_at_the_end_of_the_context(llama: LocalLM) -> None:
    text = "x" * 200
    room = 256 - len(llama.tokenizer(llama.render(chat(text)))["input_ids"])
    assert 0 < room < 100
    found = llama.generate([chat(text)], Sampling(n=3, temperature=2.0, max_new_tokens=500, seed=1))[0]
    assert max(one.tokens for one in found) == room


def test_limits_and_counts(llama: LocalLM) -> None:
    assert llama.generate([], GREEDY) == []
    found = llama.generate([chat("Who?")], Sampling(n=20, max_new_tokens=30, temperature=1.5))[0]
    assert {one.finish for one in found} == {"stop", "length"}
    assert all((one.tokens == 30) if one.finish == "length" else (one.tokens <= 30) for one in found)
    assert all(one.logprob < 0 and one.text == one.text.strip() for one in found)
    assert "<|end|>" not in "".join(one.text for one in found)
    assert llama.count_tokens("The capital of France") == len(
        llama.tokenizer("The capital of France", add_special_tokens=False)["input_ids"]
    )


def test_stop_strings_are_cut_off(llama: LocalLM) -> None:
    free = Sampling(n=0, greedy_first=True, max_new_tokens=24)
    whole = llama.generate([chat("Who?")], free)[0][0]
    stop = whole.text[6:8]
    cut = llama.generate([chat("Who?")], Sampling(n=0, greedy_first=True, max_new_tokens=24, stop=(stop,)))[
        0
    ][0]
    assert cut.finish == "stop"
    assert cut.text == whole.text[: whole.text.index(stop)].strip()
    assert cut.tokens < whole.tokens


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("which", ["llama", "plain"])
def test_what_is_streamed_is_what_is_generated(
    which: str, temperature: float, request: pytest.FixtureRequest
) -> None:
    lm: LocalLM = request.getfixturevalue(which)
    sampling = Sampling(temperature=temperature, max_new_tokens=24)
    heard: list[str] = []
    found = lm.stream(chat("Who?"), sampling, heard.append)
    assert found == lm.generate([chat("Who?")], sampling)[0][0]
    assert len(heard) == found.tokens
    assert heard[-1] == found.text
    assert all(len(one) <= len(two) for one, two in pairwise(heard))


def test_what_stops_an_answer_is_never_heard(llama: LocalLM) -> None:
    whole = llama.generate([chat("Who?")], Sampling(temperature=0.0, max_new_tokens=24))[0][0]
    heard: list[str] = []
    sampling = Sampling(temperature=0.0, max_new_tokens=24, stop=(whole.text[6:8],))
    found = llama.stream(chat("Who?"), sampling, heard.append)
    assert found.finish == "stop"
    assert heard[-1] == found.text
    assert not any(whole.text[6:8] in one for one in heard)


def test_a_prompt_without_room_is_an_error_in_a_stream_too(llama: LocalLM) -> None:
    assert llama.context == 256
    found = llama.stream(chat("who " * 300), GREEDY, lambda text: pytest.fail("it said something"))
    assert "the model reads 256 with its answer" in (found.error or "")


def test_log_probabilities_equal_a_plain_forward_pass(llama: LocalLM, plain: LocalLM) -> None:
    asked: list[Chat] = [chat("Who?"), chat("What is the capital of France?", SYSTEM), chat("Who?")]
    answers = ["Paris.", "Vienna, Budapest and Belgrade", ""]
    for lm, prefix in ((llama, "<|assistant|>"), (plain, "Answer:")):
        found = lm.logprobs(asked, answers)
        assert found[2] == []
        for one, answer, values in zip(asked[:2], answers[:2], found[:2], strict=True):
            assert lm.render(one).endswith(prefix)
            head = lm.tokenizer(lm.render(one), add_special_tokens=False)["input_ids"]
            tail = lm.tokenizer(" " + answer, add_special_tokens=False)["input_ids"]
            with torch.inference_mode():
                logits = lm.model(torch.tensor([head + tail])).logits[0].log_softmax(1)
            expected = [logits[len(head) - 1 + i, token].item() for i, token in enumerate(tail)]
            assert values == pytest.approx(expected, abs=1e-4)


def test_words_have_the_log_probabilities_of_their_tokens(llama: LocalLM, plain: LocalLM) -> None:
    asked = [chat("Who?")] * 3
    answers = ["Vienna, Budapest  and 34,049\nBelgrade's", "Paris.", ""]
    for lm in (llama, plain):
        found = lm.word_logprobs(asked, answers)
        assert [[word for word, _ in one] for one in found] == [answer.split() for answer in answers]
        for words, tokens in zip(found, lm.logprobs(asked, answers), strict=True):
            assert sum(log for _, log in words) == pytest.approx(sum(tokens))


def test_log_probabilities_do_not_depend_on_the_batch(llama: LocalLM, tiny_llama: Path) -> None:
    asked = [chat("word " * n) for n in range(1, 9)]
    answers = ["Paris is the capital. " * (9 - n) for n in range(1, 9)]
    small = load(tiny_llama, token_budget=40)
    for together, alone in zip(llama.logprobs(asked, answers), small.logprobs(asked, answers), strict=True):
        assert together == pytest.approx(alone, abs=1e-4)
    assert llama.logprobs([chat("long " * 300), asked[0]], ["a", "b"])[0] == []
    with pytest.raises(ValueError, match="2 chats but 1 texts"):
        llama.logprobs(asked[:2], answers[:1])


def test_log_probabilities_of_what_does_not_fit_into_memory_are_left_out(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = load(tiny_llama)
    asked = [chat("word " * n) for n in (1, 40, 2, 3)]
    expected = lm.logprobs(asked, ["Paris."] * 4)
    score, freed = lm._scorer._score, []

    def short_of_memory(items: Sequence[Answered], *how: Any) -> list[Any]:
        if len(items) > 1 or len(items[0].tokens) > 40:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return score(items, *how)

    monkeypatch.setattr(lm._scorer, "_score", short_of_memory)
    monkeypatch.setattr(loading, "free_memory", freed.append)
    found = lm.logprobs(asked, ["Paris."] * 4)
    assert found[1] == []
    assert [found[i] for i in (0, 2, 3)] == [pytest.approx(expected[i], abs=1e-4) for i in (0, 2, 3)]
    assert len(freed) > 2


def test_an_adapter_changes_the_answers_and_must_fit(tiny_llama: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = load(tiny_llama)
    expected = base.generate([chat("Who?")], GREEDY)
    torch.manual_seed(0)
    wrapped = get_peft_model(load(tiny_llama).model, LoraConfig(r=4, target_modules="all-linear"))
    for name, weight in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    wrapped.save_pretrained(tmp_path / "adapter")
    adapted = load(tiny_llama, adapter=tmp_path / "adapter")
    assert adapted.name.endswith("adapter")
    assert adapted.generate([chat("Who?")], GREEDY) != expected
    with torch.inference_mode():
        ids = torch.tensor([[5, 6, 7]])
        assert torch.allclose(adapted.model(ids).logits, wrapped(ids).logits, atol=1e-4)
    with pytest.raises(ModelError, match=r"no adapter_config\.json"):
        load(tiny_llama, adapter=tmp_path)


def test_half_precision_runs(tiny_llama: Path) -> None:
    found = load(tiny_llama, dtype="bfloat16").generate([chat("Who?"), chat("Where is it?")], Sampling(n=3))
    assert all(one.finish != "error" for row in found for one in row)


def test_roles_of_a_longer_chat_are_kept(plain: LocalLM) -> None:
    turns = (
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
        Message(role="user", content="c"),
    )
    assert plain.render(turns) == "a\nAnswer: b\n\nc\nAnswer:"


def test_learned_positions_bound_prompts_and_scored_answers(plain: LocalLM) -> None:
    """GPT-2 has a table of 256 positions: what is longer is an error of its item, not of the batch."""
    room = 256 - len(plain.tokenizer(plain.render(chat("x")))["input_ids"])
    answers = ["x" * (room + 40), "Paris."]
    scores = plain.logprobs([chat("x")] * 2, answers)
    assert scores[0] == []
    assert len(scores[1]) > 0
    found = plain.generate([chat("x" * 400), chat("x")], GREEDY)
    assert [row[0].finish == "error" for row in found] == [True, False]
