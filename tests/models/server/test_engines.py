"""The table of engines: command lines and requests, as their documentation wants them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from selfstudy.errors import ModelError
from selfstudy.models import plain
from selfstudy.models.base import Sampling, chat
from selfstudy.models.remote.lm import RemoteLM
from selfstudy.models.server import engines, starting
from selfstudy.models.server.engines import ENGINES, LLAMA_CPP_PYTHON, Engine, Launch
from selfstudy.recipe import EngineName, LocalModel, RemoteModel, ServerModel, weights_of
from selfstudy.recipe.models import NAMES_OF_STORES

from ...conftest import TEMPLATE
from ..remote.faulty_server import FaultyServer
from .atlas_gguf import convert

LAUNCH = Launch("org/model", port=4321)
LINES = {
    "vllm": "vllm serve org/model --served-model-name org/model --host 127.0.0.1 --port 4321 "
    "--generation-config vllm --enable-lora --max-lora-rank 256 --load-format safetensors",
    "sglang": "python -m sglang.launch_server --model-path org/model --served-model-name org/model "
    "--host 127.0.0.1 --port 4321 --sampling-defaults openai --enable-lora --max-lora-rank 256 "
    "--lora-target-modules all --load-format safetensors",
    "tgi": "text-generation-launcher --model-id org/model --hostname 127.0.0.1 --port 4321",
    "llama-cpp": "llama-server --model org/model --alias org/model --host 127.0.0.1 --port 4321 "
    "--ctx-size 0 --jinja",
    "ollama": "ollama serve",
    "transformers": "transformers serve org/model --host 127.0.0.1 --port 4321 --dtype auto --reasoning off",
}
SAMPLED = Sampling(n=3, temperature=0.7, repetition_penalty=1.1, top_k=0, top_p=0.9, max_new_tokens=48)


def line(engine: Engine, launch: Launch = LAUNCH, **args: Any) -> str:
    """The command line, with programs by their bare names."""
    parts = engines.command(engine, launch, args)
    parts[0] = "python" if parts[0] == sys.executable else Path(parts[0]).name
    return " ".join(parts)


def test_every_engine_of_a_recipe_is_in_the_table() -> None:
    assert set(ENGINES) == set(get_args(EngineName)) == set(LINES)
    assert set(NAMES_OF_STORES) == {name for name, engine in ENGINES.items() if engine.weights == "name"}


@pytest.mark.parametrize("name", LINES)
def test_command_line(name: str) -> None:
    assert line(ENGINES[name]) == LINES[name]


def test_a_base_model_gets_the_template_of_plain_text(
    tmp_path: Path, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama-server puts a template of its own where a file brings none."""
    pytest.importorskip("gguf", reason="needs the extra gguf")
    begun: list[Any] = []

    class Begun:
        completes = False

        def __init__(self, engine: Any, launch: Launch, *others: Any) -> None:
            begun.append(launch)

    monkeypatch.setattr(starting, "Server", Begun)
    for template in (None, TEMPLATE):
        (tmp_path / str(len(begun))).mkdir()
        file = convert(model_folder("qwen3-gguf", template), tmp_path / str(len(begun)) / "m.gguf")
        block = ServerModel(engine="llama-cpp", model=str(file.parent))
        place = starting.model_place(block, ENGINES["llama-cpp"])
        assert place == str(file)
        server = starting._begin(block, ENGINES["llama-cpp"], place, None, "auto", keep=False)
        assert server.completes == (template is None)
    written = begun[0].template.read_text()
    assert written == plain.TEMPLATE
    assert f"--chat-template-file {begun[0].template}" in line(ENGINES["llama-cpp"], begun[0])
    shutil.rmtree(begun[0].template.parent)
    assert begun[1].template is None
    assert weights_of(block) == LocalModel(path=str(file.parent)), "the same file is what is taught"


def test_a_link_is_looked_at_and_what_cannot_be_read_is_left_to_the_engine(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    link, block = tmp_path / "models" / "m.gguf", ServerModel(engine="llama-cpp", model="m.gguf")
    link.symlink_to(tmp_path / "elsewhere.gguf")
    for content, found in ((b"GGUF\3" + bytes(19), False), (b"GGUF\x63" + bytes(19), True)):
        (tmp_path / "elsewhere.gguf").write_bytes(content)
        assert starting._has_template(block, link) == found


def test_command_line_of_llama_cpp_python() -> None:
    assert line(LLAMA_CPP_PYTHON) == (
        "python -m llama_cpp.server --model org/model --model_alias org/model --host 127.0.0.1 --port 4321 "
        "--n_ctx 0 --last_n_tokens_size 32768"
    )


def test_options_of_the_recipe_are_put_over_those_of_the_engine() -> None:
    shown = line(
        ENGINES["vllm"],
        **{
            "max_lora_rank": 64,  # the same option as max-lora-rank
            "enable-lora": None,
            "gpu-memory-utilization": 0.5,
            "enforce-eager": True,
            "enable-prefix-caching": False,
            "swap-space": None,
            "allowed-origins": ["a", "b"],
        },
    )
    assert "--max-lora-rank 64" in shown
    assert shown.count("lora-rank") == shown.count("lora_rank") + 1 == 1
    assert "--enable-lora" not in shown
    assert "swap-space" not in shown
    assert shown.endswith(
        "--gpu-memory-utilization 0.5 --enforce-eager --no-enable-prefix-caching --allowed-origins a b"
    )
    assert "metrics" not in line(ENGINES["sglang"], **{"enable-metrics": False})  # it has no --no-...


def test_a_revision_is_told_as_each_engine_wants_it() -> None:
    launch = Launch("org/model", revision="v2")
    for name in ("vllm", "sglang", "tgi"):
        assert "--revision v2" in line(ENGINES[name], launch)
    assert "serve org/model@v2 " in line(ENGINES["transformers"], launch)
    assert ENGINES["transformers"].called(launch) == "org/model@v2"
    assert ENGINES["vllm"].called(launch) == "org/model"


@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_requests_for_vllm_and_sglang_hide_nothing(name: str) -> None:
    ask = ENGINES[name].request
    always = {"repetition_penalty": 1.1, "chat_template_kwargs": {"enable_thinking": False}}
    assert ask(SAMPLED, False) == {**always, "top_k": -1, "top_p": 0.9}
    assert ask(SAMPLED, True) == always


def test_requests_for_transformers_are_a_whole_generation_config() -> None:
    ask = ENGINES["transformers"].request
    greedy = json.loads(ask(SAMPLED, True)["generation_config"])
    assert greedy == {"do_sample": False, "repetition_penalty": 1.1, "max_new_tokens": 48}
    sampled = json.loads(ask(SAMPLED, False)["generation_config"])
    assert sampled == {
        "do_sample": True,
        "repetition_penalty": 1.1,
        "max_new_tokens": 48,
        "temperature": 0.7,
        "top_k": 0,
        "top_p": 0.9,
    }


def test_requests_for_the_others() -> None:
    assert ENGINES["tgi"].request(SAMPLED, True) == {"presence_penalty": pytest.approx(-0.9)}
    assert ENGINES["tgi"].request(Sampling(), True) == {}
    for engine in (ENGINES["llama-cpp"], LLAMA_CPP_PYTHON):
        assert engine.request(SAMPLED, False)["repeat_penalty"] == 1.1
        assert engine.request(SAMPLED, False)["min_p"] == 0.0
        assert engine.request(SAMPLED, False)["chat_template_kwargs"] == {"enable_thinking": False}
    assert ENGINES["ollama"].request(SAMPLED, False) == {}


SETTINGS = {
    "temperature": {"temperature"},
    "top-p": {"top_p"},
    "top-k": {"top_k"},
    "repetition penalty": {"repetition_penalty", "repeat_penalty", "presence_penalty"},
}
"""What may change a sample, and the fields that say it."""


@pytest.mark.parametrize("engine", [*ENGINES.values(), LLAMA_CPP_PYTHON], ids=[*ENGINES, "llama-cpp-python"])
def test_no_setting_is_left_to_an_engine_without_a_word(engine: Engine) -> None:
    with FaultyServer() as server:
        block = RemoteModel(model="m", base_url=server.url)
        RemoteLM(block, fields=engine.request).generate([chat("q")], Sampling(repetition_penalty=1.1))
        body = server.asked()[0]
    said = {**body, **json.loads(body.get("generation_config", "{}"))}
    for setting, fields in SETTINGS.items():
        assert fields & said.keys() or any(setting in quirk for quirk in engine.quirks), setting


def test_adapters_by_name() -> None:
    assert ENGINES["vllm"].adapter_name("m", "a") == "a"
    assert ENGINES["sglang"].adapter_name("m", "a") == "m:a"
    assert {name for name, engine in ENGINES.items() if engine.adapters == "named"} == {"vllm", "sglang"}


def test_an_engine_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for name in ("vllm", "tgi", "llama-cpp", "ollama"):
        with pytest.raises(ModelError, match=f"engine {name}: .* is not installed") as error:
            engines.require(name, ENGINES[name])
        assert error.value.hint
    with pytest.raises(ModelError, match="'sglang' is not installed"):
        engines.require("sglang", ENGINES["sglang"])


def test_llama_cpp_prefers_llama_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "llama-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engines.find("llama-cpp") is ENGINES["llama-cpp"]
