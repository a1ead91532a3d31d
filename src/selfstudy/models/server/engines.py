"""The engines that serve models: one table with each one's command line, health path, adapters and quirks.

Every engine speaks the chat API of OpenAI; what differs is in its row.  Nothing is started here (process.py
does), and no engine is imported.

To add an engine: a row in `ENGINES`, and its name in `EngineName` of recipe/models.py (and in NAMES_OF_STORES
there, if it takes names of a store of its own); a test fails where one is missing.  A new way of serving
adapters, beside those of `Engine.adapters`, goes into adapters.py.

Run for real by our tests: transformers, and llama-cpp-python where it is installed.  The others are written
from their documentation; their command lines and requests are pinned by tests.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from selfstudy.errors import ModelError
from selfstudy.models.base import Sampling
from selfstudy.recipe.engine_options import plain_name

CommandOptions = dict[str, Any]
"""Options of a command line: name without dashes -> value; True = no value, None = left out."""

NO_THINKING = {"enable_thinking": False}
"""Templates of reasoning models read it, others ignore it; chat_format.py renders with it too."""

MAX_RANK = 256
"""Highest LoRA rank that engines make room for: four rounds of the default rank 64."""


@dataclass(frozen=True)
class Launch:
    """What an engine is started with."""

    model: str
    host: str = "127.0.0.1"
    port: int = 8000
    revision: str | None = None
    dtype: str = "auto"
    """Number type that the local backend would choose; for the engine that computes as it does."""
    template: Path | None = None
    """A chat template for a model file that brings none."""


@dataclass(frozen=True)
class Engine:
    """How one engine is run.

    Attributes:
        program: what its command begins with.
        model: the option that names the model; "" = it is the first argument, None = not on the command line.
        flags: its other options for a launch; the recipe's `args` are put over them.
        install: the command that installs it.
        health: path that answers 200 once the model can be asked.
        environment: variables for its process.
        base: path before /chat/completions.
        adapters: "named": base and adapters are served together, each by its name; "merged": started again
            with the adapter merged into the model; "created": registered with the engine under a new name;
            "none": it cannot serve what we train.
        load: for "named", the path that loads an adapter from {lora_name, lora_path}.
        adapter_name: for "named", what requests call adapter `name` of model `model`.
        request: what a request needs beyond the API's own fields so that exactly `Sampling` is sampled.
        weights: "folder": takes a folder or Hub id; "file": one file; "name": a name of its own store.
        takes_template: whether it can be given a chat template for a file that brings none.
        negates: whether an option is switched off by --no-NAME.
        lists: whether /models lists what it serves.
        concurrency: most requests under way at once.
        fixes: files that a model folder needs instead of its own, by name.
        modules: packages that it needs of this Python, beside its program.
        local_dtype: whether it computes as the local backend does, and so is given its number type.
        quirks: what else a person should know; `selfstudy doctor` says it.
    """

    program: Callable[[], list[str]]
    model: str | None
    flags: Callable[[Launch], CommandOptions]
    install: str
    request: Callable[[Sampling, bool], dict[str, Any]]
    health: str = "/health"
    base: str = "/v1"
    adapters: Literal["named", "merged", "created", "none"] = "merged"
    load: str = ""
    adapter_name: Callable[[str, str], str] = lambda model, name: name
    environment: Callable[[Launch], Mapping[str, str]] = lambda launch: {}
    weights: Literal["folder", "file", "name"] = "folder"
    takes_template: bool = False
    negates: bool = False
    lists: bool = True
    concurrency: int = 256
    fixes: Callable[[Path], dict[str, str]] = lambda folder: {}
    modules: tuple[str, ...] = ()
    local_dtype: bool = False
    quirks: tuple[str, ...] = ()
    called: Callable[[Launch], str] = lambda launch: launch.model
    """What requests call the model; also its first argument where `model` is ""."""


def command(engine: Engine, launch: Launch, args: Mapping[str, Any]) -> list[str]:
    """The command line: the engine's own options, each replaced by the recipe's of the same name.

    `_` and `-` in names are the same; True is a bare flag, None leaves an option out, and so does False but
    where the engine `negates`; a list gives several values.
    """
    flags: CommandOptions = {engine.model: launch.model} if engine.model else {}
    flags |= engine.flags(launch)
    for name, value in args.items():
        same = next((known for known in flags if plain_name(known) == plain_name(name)), name)
        flags[same] = value
    line = engine.program() + ([engine.called(launch)] if engine.model == "" else [])
    for name, value in flags.items():
        if value is None or (value is False and not engine.negates):
            continue
        name = name.lstrip("-")
        line.append(f"--no-{name}" if value is False else f"--{name}")
        if isinstance(value, list | tuple):
            line += [str(one) for one in value]
        elif not isinstance(value, bool):
            line.append(str(value))
    return line


def find(name: str) -> Engine:
    """The engine of a recipe's `engine`.

    `llama-cpp` is llama-server where it is on the PATH, else the server of the package llama-cpp-python.
    """
    if name == "llama-cpp" and shutil.which("llama-server") is None and find_spec("llama_cpp") is not None:
        return LLAMA_CPP_PYTHON
    return ENGINES[name]


def require(name: str, engine: Engine) -> None:
    """Checks that an engine is installed.

    Raises:
        ModelError: its program is not there; the hint is the command that installs it.
    """
    program = engine.program()[0]
    missing = [module for module in engine.modules if find_spec(module) is None]
    if shutil.which(program) is None or missing:
        what = f"the Python package {missing[0]!r}" if missing else f"the program {program!r}"
        raise ModelError(f"engine {name}: {what} is not installed", engine.install)


def _script(name: str) -> Callable[[], list[str]]:
    """A console script of this Python's environment, which need not be on the PATH, else of the PATH."""

    def program() -> list[str]:
        beside = Path(sys.executable).with_name(name)
        return [str(beside) if beside.exists() else name]

    return program


def _plus(program: Callable[[], list[str]], *words: str) -> Callable[[], list[str]]:
    return lambda: [*program(), *words]


def _sampled(sampling: Sampling, greedy: bool) -> dict[str, Any]:
    """Fields for vLLM and SGLang: no hidden top-k or top-p, the repetition penalty, no thinking."""
    fields: dict[str, Any] = {
        "repetition_penalty": sampling.repetition_penalty,
        "chat_template_kwargs": NO_THINKING,
    }
    if not greedy:
        fields |= {"top_k": sampling.top_k or -1, "top_p": sampling.top_p}
    return fields


def _served(launch: Launch) -> CommandOptions:
    return {
        "revision": launch.revision,
        "served-model-name": launch.model,
        "host": launch.host,
        "port": launch.port,
    }


def _vllm_flags(launch: Launch) -> CommandOptions:
    return {
        **_served(launch),
        # what the model's author recommends as sampling settings is not what is measured here
        "generation-config": "vllm",
        "enable-lora": True,
        "max-lora-rank": MAX_RANK,
        "load-format": "safetensors",
    }


def _sglang_flags(launch: Launch) -> CommandOptions:
    return {
        **_served(launch),
        "sampling-defaults": "openai",
        "enable-lora": True,
        # both must be said when no adapter is given at the start
        "max-lora-rank": MAX_RANK,
        "lora-target-modules": "all",
        "load-format": "safetensors",
    }


def _tgi_flags(launch: Launch) -> CommandOptions:
    return {"hostname": launch.host, "port": launch.port, "revision": launch.revision}


def _tgi_request(sampling: Sampling, greedy: bool) -> dict[str, Any]:
    """TGI's chat route takes the repetition penalty as presence_penalty + 2, no top-k, and no top-p of 1."""
    return {} if sampling.repetition_penalty == 1 else {"presence_penalty": sampling.repetition_penalty - 2}


def _llama_flags(launch: Launch) -> CommandOptions:
    return {
        "alias": launch.model,
        "host": launch.host,
        "port": launch.port,
        "ctx-size": 0,  # the model's own
        "jinja": True,  # the model's own chat template
        "chat-template-file": None if launch.template is None else str(launch.template),
    }


def _llama_python_flags(launch: Launch) -> CommandOptions:
    return {
        "model_alias": launch.model,
        "host": launch.host,
        "port": launch.port,
        "n_ctx": 0,  # the model's own; the default is 2,048
        "last_n_tokens_size": 32_768,  # tokens under the repetition penalty; the default is 64
    }


def _llama_request(sampling: Sampling, greedy: bool) -> dict[str, Any]:
    """All explicit: llama.cpp's defaults are top-k 40, top-p 0.95, min-p 0.05, a penalty over 64 tokens."""
    return {
        "chat_template_kwargs": NO_THINKING,
        "repeat_penalty": sampling.repetition_penalty,
        "repeat_last_n": -1,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": 0.0,
    }


def _ollama_request(sampling: Sampling, greedy: bool) -> dict[str, Any]:
    return {}


def _transformers_flags(launch: Launch) -> CommandOptions:
    return {"host": launch.host, "port": launch.port, "dtype": launch.dtype, "reasoning": "off"}


def _at_revision(launch: Launch) -> str:
    return f"{launch.model}@{launch.revision}" if launch.revision else launch.model


def _transformers_request(sampling: Sampling, greedy: bool) -> dict[str, Any]:
    """A whole GenerationConfig, as JSON: nothing is left to the model's own settings but its end tokens."""
    config: dict[str, Any] = {
        "do_sample": not greedy,
        "repetition_penalty": sampling.repetition_penalty,
        "max_new_tokens": sampling.max_new_tokens,
    }
    if not greedy:
        config |= {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
    return {"generation_config": json.dumps(config)}


def _transformers_fixes(folder: Path) -> dict[str, str]:
    from selfstudy.models.server.serve_fixes import changed_files

    return changed_files(folder)


ENGINES: dict[str, Engine] = {
    "vllm": Engine(
        program=_plus(_script("vllm"), "serve"),
        model="",
        flags=_vllm_flags,
        install="pip install vllm",
        request=_sampled,
        adapters="named",
        load="/v1/load_lora_adapter",
        environment=lambda launch: {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"},
        negates=True,
        quirks=("LoRA ranks are 8, 16, 32, 64, 128, 256, 320 or 512: args {max-lora-rank: 512} for more",),
    ),
    "sglang": Engine(
        program=lambda: [sys.executable, "-m", "sglang.launch_server"],
        model="model-path",
        flags=_sglang_flags,
        install="pip install 'sglang[all]'",
        modules=("sglang",),
        request=_sampled,
        health="/health_generate",
        adapters="named",
        load="/load_lora_adapter",
        adapter_name=lambda model, name: f"{model}:{name}",
        quirks=("/health answers before the model can; /health_generate makes a token",),
    ),
    "tgi": Engine(
        program=lambda: ["text-generation-launcher"],
        model="model-id",
        flags=_tgi_flags,
        install="see https://huggingface.co/docs/text-generation-inference/installation",
        request=_tgi_request,
        called=lambda launch: "tgi",  # any other name would be an adapter's
        lists=False,
        quirks=(
            "adapters can only be named when it starts, so it starts again with the merged model",
            "its chat API takes no top-k, and no top-p of 1: both are off by default",
        ),
    ),
    "llama-cpp": Engine(
        program=lambda: ["llama-server"],
        model="model",
        flags=_llama_flags,
        install="pip install 'llama-cpp-python[server]', or put llama-server on the PATH",
        request=_llama_request,
        adapters="none",
        weights="file",
        takes_template=True,
        lists=False,
        concurrency=16,
        quirks=("reads GGUF files only: what is trained has to be converted with llama.cpp's own scripts",),
    ),
    "ollama": Engine(
        program=lambda: ["ollama", "serve"],
        model=None,
        flags=lambda launch: {},
        install="see https://ollama.com/download",
        request=_ollama_request,
        health="/api/version",
        adapters="created",
        environment=lambda launch: {"OLLAMA_HOST": f"{launch.host}:{launch.port}"},
        weights="name",
        concurrency=16,
        quirks=(
            "its chat API takes no repetition penalty and no top-k: those of the model's Modelfile are used, "
            "else 1.1 over 64 tokens and 40; top-p is 1 where nothing is said",
            "adapters only for architectures that `ollama create` knows (Llama, Mistral, Gemma)",
        ),
    ),
    "transformers": Engine(
        program=_plus(_script("transformers"), "serve"),
        model="",
        flags=_transformers_flags,
        install="pip install 'selfstudy[serve]'",
        modules=("fastapi", "uvicorn", "openai"),
        local_dtype=True,
        request=_transformers_request,
        environment=lambda launch: {"HF_HUB_DISABLE_UPDATE_CHECK": "1"},
        called=_at_revision,
        fixes=_transformers_fixes,
        lists=False,
        concurrency=1,  # a request's seed is set when it arrives, in the middle of another one's sampling
        quirks=(
            "one sequence at a time: n is ignored",
            "requests must name the model exactly as it was started",
        ),
    ),
}
"""Every engine of a recipe's `engine`."""

LLAMA_CPP_PYTHON = Engine(
    program=lambda: [sys.executable, "-m", "llama_cpp.server"],
    model="model",
    flags=_llama_python_flags,
    install="pip install 'llama-cpp-python[server]'",
    request=_llama_request,
    health="/v1/models",  # it has no /health; this answers once the model is loaded
    adapters="none",
    weights="file",
    concurrency=4,
    quirks=(
        "its repetition penalty counts what was generated, and not the prompt",
        "it tells chat templates nothing: a reasoning model thinks",
        "it takes no chat template from us: a base model needs llama-server",
    ),
)
"""The server of llama-cpp-python: other option names than llama-server."""
