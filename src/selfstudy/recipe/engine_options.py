"""Which options of an engine a recipe may set: an allow-list, as a recipe may come from a stranger.

Engines take options that run foreign code, open files, listen for the whole network or load other weights,
and get more of them with every release: a list of what is forbidden would be out of date first.  So a recipe
may set what is listed here (sizes, memory, number types, parallelism), and the user, not the recipe, may
allow more in `SELFSTUDY_ENGINE_ARGS`.  Knows names of options; nothing of processes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from pydantic_core import PydanticCustomError

from selfstudy.environment import listed, words

MORE = "SELFSTUDY_ENGINE_ARGS"
"""The user's own variable: names, or patterns such as `*`, of more options that recipes may set."""
LONGEST_VALUE = 200
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,:+ -]*|-?[0-9.]+(,-?[0-9.]+)*")
"""Values that name no path and no address, hold no JSON, and are no further option."""
_VALUES = {
    "load-format": {"safetensors", "fastsafetensors", "runai_streamer", "bitsandbytes", "gguf", "dummy"}
}
"""Options that may have only these values; other formats of weights are unpickled."""


_VLLM = words(
    "load-format "
    "max-model-len max-num-seqs max-num-batched-tokens max-num-partial-prefills max-logprobs block-size seed "
    "max-seq-len-to-capture dtype kv-cache-dtype calculate-kv-scales quantization gpu-memory-utilization "
    "kv-cache-memory-bytes num-gpu-blocks-override swap-space cpu-offload-gb enforce-eager "
    "enable-prefix-caching enable-chunked-prefill async-scheduling scheduling-policy optimization-level "
    "tensor-parallel-size pipeline-parallel-size data-parallel-size enable-expert-parallel "
    "max-parallel-loading-workers disable-custom-all-reduce disable-sliding-window disable-cascade-attn "
    "attention-backend enable-lora max-lora-rank max-loras max-cpu-loras lora-dtype fully-sharded-loras "
    "reasoning-parser uvicorn-log-level disable-log-stats disable-log-requests disable-uvicorn-access-log"
)
_SGLANG = words(
    "load-format "
    "context-length mem-fraction-static max-running-requests max-queued-requests max-total-tokens "
    "chunked-prefill-size max-prefill-tokens schedule-policy schedule-conservativeness page-size dtype "
    "kv-cache-dtype quantization cpu-offload-gb tp-size tensor-parallel-size dp-size data-parallel-size "
    "pp-size pipeline-parallel-size ep-size random-seed attention-backend sampling-backend grammar-backend "
    "disable-cuda-graph cuda-graph-max-bs disable-radix-cache disable-overlap-schedule enable-torch-compile "
    "torch-compile-max-bs enable-mixed-chunk stream-interval log-level reasoning-parser enable-lora "
    "max-lora-rank max-loras-per-batch lora-target-modules lora-backend"
)
_TGI = words(
    "max-input-tokens max-input-length max-total-tokens max-batch-prefill-tokens max-batch-total-tokens "
    "max-batch-size max-concurrent-requests max-best-of max-stop-sequences max-waiting-tokens "
    "waiting-served-ratio max-top-n-tokens num-shard sharded quantize dtype kv-cache-dtype cuda-graphs "
    "cuda-memory-fraction rope-scaling rope-factor disable-custom-kernels validation-workers json-output"
)
_LLAMA_SERVER = words(
    "ctx-size n-gpu-layers gpu-layers threads threads-batch threads-http batch-size ubatch-size parallel "
    "cont-batching no-cont-batching flash-attn cache-type-k cache-type-v mlock no-mmap split-mode "
    "tensor-split main-gpu numa seed rope-scaling rope-scale rope-freq-base rope-freq-scale yarn-orig-ctx "
    "yarn-ext-factor yarn-attn-factor yarn-beta-slow yarn-beta-fast keep no-kv-offload kv-unified cpu-moe "
    "n-cpu-moe no-warmup swa-full reasoning-format reasoning-budget context-shift no-context-shift timeout"
)
_LLAMA_CPP_PYTHON = words(
    "n-ctx n-gpu-layers n-batch n-ubatch n-threads n-threads-batch seed split-mode main-gpu tensor-split "
    "use-mmap use-mlock rope-scaling-type rope-freq-base rope-freq-scale yarn-ext-factor yarn-attn-factor "
    "yarn-beta-fast yarn-beta-slow yarn-orig-ctx mul-mat-q logits-all offload-kqv flash-attn "
    "last-n-tokens-size type-k type-v numa verbose"
)
_TRANSFORMERS = words(
    "reasoning "
    "dtype attn-implementation quantization device continuous-batching model-timeout log-level default-seed "
    "compile"
)
"""Of attention implementations only those without a slash: the others are code from the Hub."""


OPTIONS: dict[str, frozenset[str]] = {
    "vllm": _VLLM,
    "sglang": _SGLANG,
    "tgi": _TGI,
    "llama-cpp": _LLAMA_SERVER | _LLAMA_CPP_PYTHON,  # which of them is found at the start
    "ollama": frozenset(),
    "transformers": _TRANSFORMERS,
}
"""What a recipe may set, by engine."""


def plain_name(name: str) -> str:
    """The name of an option whatever its spelling: `--Max_Model_Len` is `max-model-len`."""
    return name.strip().lstrip("-").replace("_", "-").lower()


def check_options(engine: str, args: Mapping[str, Any]) -> None:
    """Checks that a recipe sets only what it may.

    Raises:
        PydanticCustomError: it sets more; the message says how the user allows that.
    """
    more = [plain_name(name) for name in listed(MORE)]
    for name, value in args.items():
        plain = plain_name(name)
        if any(fnmatchcase(plain, pattern) for pattern in more):
            continue
        if plain not in OPTIONS[engine]:
            raise _refused(name, "is not among the options that a recipe may set")
        if not all(_is_plain(plain, one) for one in (value if isinstance(value, list | tuple) else [value])):
            raise _refused(name, "has another value than a recipe may give: numbers and plain words")


def _is_plain(name: str, value: object) -> bool:
    if name in _VALUES:
        return value in _VALUES[name]
    if value is None or isinstance(value, bool | int | float):
        return True
    text = str(value)
    return len(text) <= LONGEST_VALUE and _PLAIN.fullmatch(text) is not None and ".." not in text


def _refused(name: str, why: str) -> PydanticCustomError:
    shown = name[:60] if name.isprintable() else ascii(name[:60])
    return PydanticCustomError(
        "option",
        "{name} {why}; if you trust this recipe, allow it yourself ({more}={plain} in the environment), or "
        "start the server by hand and give its `url`",
        {"name": shown, "why": why, "more": MORE, "plain": plain_name(shown) or "*"},
    )
