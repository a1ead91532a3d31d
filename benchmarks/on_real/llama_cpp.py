"""llama.cpp on the same file, in this process, for a time beside the product's.

    pip install xllamacpp     (llama.cpp built for this processor, 34 MB; not a dependency of selfstudy)

The weights stay in the file's 4 bits, where transformers has them in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from typing import Any

ROOM = 256
"""Tokens of a prompt with its answer."""


def is_here() -> bool:
    """Whether it is installed."""
    return find_spec("xllamacpp") is not None


class LlamaCpp:
    """A server of llama.cpp that answers some prompts at once."""

    def __init__(self, path: str, *, threads: int, rows: int) -> None:
        library: Any = import_module("xllamacpp")
        params = library.CommonParams()
        params.model.path = path
        params.n_ctx, params.n_parallel = rows * ROOM, rows
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.verbosity = -1
        self._server = library.Server(params)
        self._rows = rows

    def answer(self, prompts: Sequence[str], stop: Sequence[str], *, tokens: int, seed: int) -> int:
        """The tokens of one sampled answer to each prompt."""

        sampling: dict[str, Any] = {
            "temperature": 1.0,
            "top_k": 0,
            "top_p": 1.0,
            "min_p": 0.0,
            "repeat_penalty": 1.1,
        }
        sampling |= {"stop": list(stop), "cache_prompt": True}

        def one(number: int) -> int:
            reply = self._server.handle_completions(
                {"prompt": prompts[number], "max_tokens": tokens, "seed": seed + number, **sampling}
            )
            return int(reply["usage"]["completion_tokens"])

        with ThreadPoolExecutor(self._rows) as pool:
            return sum(pool.map(one, range(len(prompts))))
