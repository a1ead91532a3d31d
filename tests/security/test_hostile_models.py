"""Models that would take for ever or all memory: configs, headers, templates, tokenizers, patterns."""

# ruff: noqa: E501  (templates)

from __future__ import annotations

import json
import os
import resource
import shutil
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfstudy.errors import ModelError
from selfstudy.models import lora_targets
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.counting import chat_counter
from selfstudy.models.local import adapter_settings, headers, rendering, untrusted
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.nli import EntailmentClassifier
from selfstudy.recipe import LocalModel, LoraBlock, NLIBlock
from tests.conftest import TEMPLATE, make_tokenizer
from tests.models.local.test_adapted import adapter as make_adapter

SECONDS = 6.0  # a second and more is what loading the tiny model takes while other tests run


@contextmanager
def soon(seconds: float = SECONDS) -> Iterator[None]:
    """Fails if the block takes longer, or more than a gigabyte of memory."""
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    assert time.process_time() - began < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20


@pytest.fixture
def lm(tiny_llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llama, tmp_path / "lm"))


def load(folder: Path, **options: Any) -> LocalLM:
    return LocalLM(LocalModel(path=str(folder), device="cpu", **options))


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(
    "values",
    [
        {"num_hidden_layers": 10**7},
        {"num_hidden_layers": 10**9, "layer_types": None},
        {"num_hidden_layers": 1e7},
        {"vocab_size": 10**12},
        {"vocab_size": 10**7},
        {"hidden_size": 10**9},
        {"hidden_size": 10**5},
        {"intermediate_size": 10**8},
        {"num_attention_heads": 10**9},
        {"num_labels": 10**9},
        {"text_config": {"num_hidden_layers": 10**9}},
    ],
)
def test_configs_that_claim_more_than_the_weights_hold(values: dict[str, Any], lm: Path) -> None:
    config = json.loads((lm / "config.json").read_text()) | values
    if config.get("layer_types") is None or "num_hidden_layers" in values:
        config.pop("layer_types", None)
    (lm / "config.json").write_text(json.dumps(config))
    with soon(), pytest.raises(ModelError) as caught:
        load(lm)
    assert "config" in str(caught.value)
    with soon(), suppress(ModelError):  # some are seen by the weights alone
        chat_counter(LocalModel(path=str(lm)))(chat("Who?"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b'{"a":' * 100_000),
        ("config.json", b'{"a":' * 500 + b"1" + b"}" * 500),
        ("config.json", b"[" * 10**7),
        ("config.json", b"\xff\xfe\x00"),
        ("config.json", b'{"vocab_size": ' + b"9" * 10_000 + b"}"),
        ("config.json", b'{"a": "' + b"a" * 34_000_000 + b'"}'),
        ("config.json", b"[1, 2]"),
        ("config.json", b"null"),
        ("tokenizer.json", b'{"a":' * 100_000),
        ("tokenizer.json", b'{"a":' * 200 + b"1" + b"}" * 200),
        ("tokenizer.json", b"{}"),
        ("tokenizer_config.json", b'{"a":' * 100_000),
        ("tokenizer_config.json", b"[]"),
        ("model.safetensors.index.json", b'{"a":' * 100_000),
    ],
)
def test_damaged_and_enormous_settings_are_one_error(name: str, content: bytes, lm: Path) -> None:
    (lm / name).write_bytes(content)
    if "index" in name:
        (lm / "model.safetensors").unlink()
    with soon(), pytest.raises(ModelError) as caught:
        load(lm)
    assert str(lm) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors"]
)
def test_a_pipe_is_no_file(name: str, lm: Path) -> None:
    (lm / name).unlink(missing_ok=True)
    os.mkfifo(lm / name)
    with soon(), pytest.raises(ModelError, match=name):
        load(lm)


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


@pytest.mark.parametrize(
    "content",
    [
        safetensors({}, length=2**62),
        safetensors({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}, b"1234"),
        safetensors({"a": {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 0]}}),
        safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**60]}}, b"1234"),
        safetensors({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"1234"),
        safetensors({"a": {"dtype": "F32", "shape": [0] * 10_000, "data_offsets": [0, 0]}}),
        safetensors(b'{"a":' * 10_000),
        safetensors({"a": 1}),
        b"",
        b"PK\x03\x04",
    ],
)
def test_headers_of_weights_that_lie(content: bytes, lm: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    make_adapter(load(lm).model, folder, 0.1)
    (folder / "adapter_model.safetensors").write_bytes(content)
    with soon(), pytest.raises(ModelError):
        load(lm, adapter=folder)
    (lm / "model.safetensors").write_bytes(content)
    with soon(), pytest.raises(ModelError):
        load(lm)


@pytest.mark.parametrize(
    "values",
    [
        {"num_hidden_layers": -1},
        {"sliding_window": -1, "layer_types": ["sliding_attention"] * 2},
        {"return_dict": False},
        {"is_encoder_decoder": True},
    ],
)
def test_configs_with_which_a_model_loads_and_then_fails(values: dict[str, Any], lm: Path) -> None:
    change(lm / "config.json", **values)
    with pytest.raises(ModelError, match=r"cannot be loaded|fails where it computes") as caught:
        load(lm).generate([chat("Who?")], GREEDY)
    assert str(lm) in str(caught.value)


def test_a_tokenizer_of_another_entailment_model(tiny_nli: Path, tmp_path: Path) -> None:
    nli = Path(shutil.copytree(tiny_nli, tmp_path / "nli"))
    rows = json.loads((nli / "tokenizer.json").read_text())
    vocabulary = rows["model"]["vocab"]
    rows["model"]["vocab"] = {word: number + 10**6 for word, number in vocabulary.items()}
    (nli / "tokenizer.json").write_text(json.dumps(rows))
    with pytest.raises(ModelError, match=r"cannot be loaded|fails where it computes"):
        EntailmentClassifier(NLIBlock(path=str(nli), device="cpu")).classes([("a", "b")])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("config.json", {"eos_token_id": [1] * 10**6}),
        ("config.json", {"id2label": {str(i): "x" for i in range(10**5)}}),
        ("config.json", {"text_config": {"rope_parameters": {"long_factor": [1] * 10**5}}}),
        ("generation_config.json", {"suppress_tokens": [1] * 10**6}),
        ("tokenizer_config.json", {"additional_special_tokens": [f"<{i}>" for i in range(50_000)]}),
        ("config.json", {"text_config": {"quants": 1, "losses": [1] * 10**5}}),
        ("tokenizer_config.json", {"added_tokens_decoder": {str(i): {} for i in range(201_000)}}),
        ("tokenizer.json", {"added_tokens": [{"id": i, "content": str(i)} for i in range(201_000)]}),
        ("added_tokens.json", {f"<{i}>": i for i in range(201_000)}),
    ],
)
def test_lists_in_settings_that_take_minutes(name: str, values: dict[str, Any], lm: Path) -> None:
    if not (lm / name).is_file():
        (lm / name).write_text("{}")
    change(lm / name, **values)
    with soon(), pytest.raises(ModelError, match="more than any model needs") as caught:
        load(lm)
    assert name in str(caught.value)


def test_special_tokens_that_are_looked_for_among_thousands(lm: Path) -> None:
    change(lm / "tokenizer_config.json", additional_special_tokens=[f"<{i}>" for i in range(9_000)])
    with soon(), pytest.raises(ModelError, match="special tokens that are not among"):
        load(lm)
    (lm / "added_tokens.json").write_text(json.dumps({f"<{i}>": i for i in range(9_000)}))
    untrusted.require_safe(lm)


LAYERS = {
    f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj": {"bits": 4, "group_size": 128, "sym": True}
    for layer in range(94)
    for expert in range(128)
    for part in ("gate", "up", "down")
}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (
            "hf_quant_config.json",
            {"quantization": {"quantized_layers": LAYERS, "exclude_modules": [*LAYERS]}},
        ),
        ("quantization_config.json", {"extra_config": LAYERS}),
        ("quantize_config.json", {"dynamic": LAYERS}),
        ("config.json", {"text_config": {"quantization_config": {"extra_config": LAYERS}}}),
        ("config.json", {"compression_config": {"ignore": [*LAYERS]}}),
        ("config.json", {"quantization": LAYERS}),
        ("added_tokens.json", {f"<|s_{i}|>": 100 + i for i in range(70_000)}),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {str(100 + i): {"content": f"<|s_{i}|>"} for i in range(70_000)}},
        ),
    ],
)
def test_lists_of_quantised_layers_and_of_speech_are_long(
    name: str, values: dict[str, Any], lm: Path
) -> None:
    if not (lm / name).is_file():
        (lm / name).write_text("{}")
    (lm / name).write_text(json.dumps(json.loads((lm / name).read_text()) | values, indent=4))
    untrusted.require_safe(lm)


TEMPLATES = {
    "loop": "{% for i in range(10**9) %}x{% endfor %}",
    "loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "product": "{{ 'a' * 10**10 }}",
    "list": "{{ [1] * 10**9 }}",
    "power": "{{ 10 ** (10 ** 8) }}",
    "concat": "{% set n = namespace(x='aaaa') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "plus": "{% set n = namespace(x='aaaa') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "lists": "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "block": (
        "{% set n = namespace(x='aaaa') %}{% for i in range(99) %}"
        "{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}"
    ),
    "nested": (
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}"
    ),
    "json": (
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = {'a': n.x, 'b': n.x} %}{% endfor %}"
        "{{ n.x | tojson }}"
    ),
    "numbers": "{% set n = namespace(x=3) %}{% for i in range(999) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "macro": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "center": "{{ 'a' | center(10**9) }}",
    "ljust": "{{ 'a'.ljust(10**9) }}",
    "percent": "{{ '%0999999999d' % 1 }}",
    "star": "{{ '%*d' % (10**9, 1) }}",
    "format": "{{ '{:>999999999}'.format(1) }}",
    "formatted": "{{ '{:>{w}}'.format(1, w=10**9) }}",
    "filter": "{{ '%0999999999d' | format(1) }}",
    "replace": "{{ ('a,' * 99999) | replace(',', 'b' * 99999) }}",
    "join": "{{ range(99999) | join('b' * 99999) }}",
    "lazy": "{{ range(99999) | map('string') | join('b' * 99999) }}",
    "method": "{{ ('b' * 99999).join(range(99999) | map('string')) }}",
    "indent": "{{ {'a': 1} | tojson(indent=10**9) }}",
    "text": "{% for i in range(99999) %}" + "x" * 1000 + "{% endfor %}",
    "lipsum": "{{ lipsum(n=10**9) }}",
    "search": (
        "{% set x = 'a' * 900000 %}{% for i in range(99999) %}{% if 'bc' in x %}{% endif %}{% endfor %}"
    ),
    "long": "x" * 10**6,
    "deep": "{{ " + "-(" * 5000 + "1" + ")" * 5000 + " }}",
    "python": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "include": "{% include '/etc/passwd' %}",
    "idna": "{{ ('\u00e9' * 900000).encode('idna') | length }}",
    "punycode": "{{ ('\u00e9\u4e00' * 400000).encode('punycode').decode('punycode') | length }}",
    "translate": "{{ ('a' * 9999).translate({97: 'b' * 99999}) }}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_that_do_not_end(name: str, lm: Path) -> None:
    """Those that do so at once are refused with the model; others with the chat for which they do it."""
    with soon(2.0), pytest.raises(Exception) as caught:
        rendering.render(TEMPLATES[name], {"messages": []})
    assert not isinstance(caught.value, MemoryError)
    if name in ("loops", "block", "deep", "python", "long"):
        (lm / "chat_template.jinja").write_text(TEMPLATES[name])
        with soon():
            assert "template" in refusal(lm)


def test_templates_see_nothing_of_python() -> None:
    for hidden in (
        "('' | attr('__class__'))",
        "raise_exception.__globals__",
        "namespace.__init__",
        "dict.mro",
    ):
        assert rendering.render("{{ " + hidden + " }}", {}) == ""


def refusal(folder: Path) -> str:
    """What is said of a model, when it is loaded or asked."""
    try:
        found = load(folder).generate([chat("Who?")], GREEDY)
    except ModelError as error:
        return str(error)
    assert found[0][0].finish == "error"
    return str(found[0][0].error)


def test_a_template_that_does_not_end_for_one_chat_fails_for_this_one(lm: Path) -> None:
    hostile = "{% if 'Now' in messages[-1].content %}" + TEMPLATES["loops"] + "{% endif %}" + TEMPLATE
    (lm / "chat_template.jinja").write_text(hostile)
    found = load(lm).generate([chat("Who?"), chat("Now"), chat("Where?")], GREEDY)
    assert [row[0].finish == "error" for row in found] == [False, True, False]
    assert "does not come to an end" in (found[1][0].error or "")


REAL = {
    "chatml": (
        "{%- if messages[0]['role'] == 'system' %}{{- '<|im_start|>system\\n' + messages[0]['content'] + "
        "'<|im_end|>\\n' }}{%- set loop_messages = messages[1:] %}{%- else %}{%- set loop_messages = messages %}"
        "{%- endif %}{%- for message in loop_messages %}{%- if message.role == 'assistant' and '</think>' in "
        "message.content %}{%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}{%- else %}"
        "{%- set content = message.content %}{%- endif %}{{- '<|im_start|>' + message.role + '\\n' + content + "
        "'<|im_end|>' + '\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
        "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}"
        "{%- endif %}{%- endif %}"
    ),
    "gemma": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if (message['role'] == "
        "'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
        "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
    ),
    "parts": (
        "{%- macro text(content) -%}{%- if content is string -%}{{ content }}{%- else -%}{%- for part in content "
        "-%}{{ part.text }}{%- endfor -%}{%- endif -%}{%- endmacro -%}{%- set ns = namespace(found=false, n=0) -%}"
        "{%- for m in messages -%}{%- set ns.n = ns.n + 1 -%}{%- if m.role == 'user' -%}{%- set ns.found = true "
        "-%}{%- endif -%}[{{ loop.index }}/{{ loop.length }}{% if loop.last %}!{% endif %}]"
        "{{ m.role | upper }}: {{ text(m.content) | trim }}{{ '\n' ~ ns.n ~ '|' ~ ns.found }}\n{%- endfor -%}"
        "{%- generation -%}{{ messages | map(attribute='role') | list | tojson }}{%- endgeneration -%}"
        "{%- for k, v in {'a': 1, 'b': [1, 2]}.items() if v -%}{{ k }}={{ v }};{%- break -%}{%- endfor -%}"
        "{{ '%s|%5.2f' % ('x', 1.5) }}{{ 'a,b'.split(',') | join('-') }}{{ '{:>4}'.format(7) }}{{ 3 * 'ab' }}"
        "{{ (messages | selectattr('role', 'equalto', 'user') | list | length) * 2 }}{{ tools is none }}"
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_real_templates_give_what_transformers_gives(name: str) -> None:
    tokenizer = make_tokenizer(REAL[name])
    tokenizer.add_special_tokens({"bos_token": "<pad>"})
    for turns in (
        [("user", " What is it? ")],
        [("user", "Who?"), ("assistant", "<think>a</think>\nHe."), ("user", "Wh\u00ebre? <|im_end|>")],
    ):
        messages = [{"role": role, "content": content} for role, content in turns]
        for opened in (True, False):
            ours = rendering.render_chat(tokenizer, messages, opened, enable_thinking=False)
            assert ours == tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=opened, enable_thinking=False
            )


def test_a_long_chat_is_no_attack() -> None:
    words = "It is a long story, and nobody knows how it ends. " * 20_000
    chats = [{"role": role, "content": words} for role in ("user", "assistant", "user")]
    many = [{"role": ("user", "assistant")[i % 2], "content": words[:2000]} for i in range(2001)]
    tokenizer = make_tokenizer(REAL["chatml"])
    assert rendering.render_chat(tokenizer, chats, True).count(words) == 3
    assert rendering.render_chat(tokenizer, many, True).count("<|im_end|>") == 2001


def panicking(folder: Path, pattern: str = "(a+)+$") -> None:
    """A tokenizer whose regular expression gives up on a text of many `a`: the library panics."""
    file = folder / "tokenizer.json"
    table = json.loads(file.read_text())
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    table["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, table["pre_tokenizer"]]}
    file.write_text(json.dumps(table))


ENDLESS = "a" * 60 + "b"


def test_a_tokenizer_that_panics_on_a_text_fails_for_this_one(
    lm: Path, tiny_nli: Path, tmp_path: Path
) -> None:
    panicking(lm)
    model = load(lm)
    found = model.generate([chat("Who?"), chat(ENDLESS), chat("Where?")], GREEDY)
    assert [row[0].finish == "error" for row in found] == [False, True, False]
    assert "tokenizer" in (found[1][0].error or "")
    nli = Path(shutil.copytree(tiny_nli, tmp_path / "nli"))
    panicking(nli)
    classifier = EntailmentClassifier(NLIBlock(path=str(nli), device="cpu"))
    with pytest.raises(ModelError, match="tokenizer"):
        classifier.classes([(ENDLESS, "x")])


def test_a_tokenizer_that_panics_at_once_is_one_error(lm: Path) -> None:
    file = lm / "tokenizer.json"
    for pattern in ("(?<=a+)b", "(", "\\p{Nonsense}", "(?:x*)*y|(?:\\w+\\s?)*!"):
        before = file.read_text()
        panicking(lm, pattern)
        with suppress(ModelError):
            load(lm).generate([chat("Who?")], GREEDY)
        file.write_text(before)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(.*)*.*_projx", ".*.*.*.*.*.*.*.*.*x", r"([\w.]+)+!", "(.|.)+(.|.)+!"]
)
def test_patterns_of_modules_end(pattern: str, lm: Path, tmp_path: Path) -> None:
    model = load(lm).model
    make_adapter(model, tmp_path / "adapter", 0.1)
    change(tmp_path / "adapter" / "adapter_config.json", target_modules=pattern)
    with soon(), pytest.raises(ModelError, match="target_modules"):
        load(lm, adapter=tmp_path / "adapter")
    with soon(), pytest.raises(ModelError, match="target_modules"):
        lora_targets.lora_config(load(lm).model, LoraBlock(target_modules=pattern))
    change(tmp_path / "adapter" / "adapter_config.json", target_modules=["q_proj"], exclude_modules=pattern)
    with soon(), pytest.raises(ModelError):
        load(lm, adapter=tmp_path / "adapter")


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(", "a" * 10 + "{1000}{1000}{1000}", "[[:nope:]]"])
def test_patterns_that_need_backtracking_are_refused(pattern: str, lm: Path) -> None:
    with soon(), pytest.raises(ModelError, match=r"cannot be matched|fits no module"):
        lora_targets.lora_config(load(lm).model, LoraBlock(target_modules=pattern))


def test_a_usual_pattern_is_what_it_was(lm: Path, tmp_path: Path) -> None:
    pattern = r".*?(?:self_attn|mlp).*?(?:q_proj|v_proj|down_proj).*?|\bmodel\.layers\.[\d]{1,}\.(?:o_proj)"
    wrapped = make_adapter(load(lm).model, tmp_path / "adapter", 0.1, target_modules=pattern)
    named = {name for name, part in wrapped.named_modules() if hasattr(part, "lora_A")}
    loaded = load(lm, adapter=tmp_path / "adapter", dtype="bfloat16").model
    assert len(named) == 6
    names = lora_targets.lora_config(load(lm).model, LoraBlock(target_modules=pattern)).target_modules
    assert len(names) == 6
    assert loaded is not None


KEYS = st.sampled_from(
    [
        *(
            "peft_type",
            "r",
            "lora_alpha",
            "target_modules",
            "modules_to_save",
            "rank_pattern",
            "auto_mapping",
        ),
        *("layer_replication", "init_lora_weights", "layers_pattern", "megatron_config", "exclude_modules"),
        *(
            "num_hidden_layers",
            "vocab_size",
            "transformers_weights",
            "weight_map",
            "metadata",
            "type",
            "path",
        ),
        *("attn_implementation", "auto_map", "text_config"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("LORA"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES | st.dictionaries(KEYS, VALUES, max_size=6).map(lambda d: {"peft_type": "LORA"} | d))
def test_whatever_settings_hold_they_are_fine_or_one_error(
    value: Any, tiny_llama: Path, tmp_path: Path
) -> None:
    text = json.dumps(value)
    weights = (tiny_llama / "model.safetensors").read_bytes()
    for name, check in (
        ("adapter_config.json", adapter_settings.require_safe),
        ("config.json", untrusted.require_servable),
        ("tokenizer_config.json", untrusted.require_servable),
        ("model.safetensors.index.json", headers.held_by),
        ("modules.json", untrusted.encoder_parts),
    ):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        if "index" not in name:
            (folder / "model.safetensors").write_bytes(weights)
            (folder / "adapter_model.safetensors").write_bytes(weights)
        if name not in ("config.json", "adapter_config.json"):
            (folder / "config.json").write_text("{}")
        with suppress(ModelError):
            check(folder)
