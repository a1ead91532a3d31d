"""What remote models have answered, on disk: nothing is asked, or paid for, twice.

One SQLite file per user, shared by all runs.  A key names the model, its revision (or without one its URL:
two servers may mean different weights by one name), the chat, how it was sampled and the number of the
sample.  Failed items are never kept.  Knows nothing of servers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from selfstudy.files.cache import USER_LIMIT, Cache, cache_folder
from selfstudy.models.base import Sampling
from selfstudy.models.thinking import without_thinking
from selfstudy.records import Chat, Completion


class ResponseCache:
    """Completions by key, over a `Cache`."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    @classmethod
    def of_user(cls) -> ResponseCache:
        """The one in `cache_folder()`."""
        return cls(Cache(cache_folder() / "responses.sqlite", USER_LIMIT))

    def get(self, keys: Sequence[str]) -> dict[str, Completion]:
        """The completions of those `keys` that are there; an unreadable entry is not.

        Nor is one in which an older version took thinking for the answer.
        """
        found = {}
        for key, value in self._cache.get(keys).items():
            try:
                completion = Completion.model_validate_json(value)
                if without_thinking(completion.text) == completion.text:
                    found[key] = completion
            except ValueError:
                continue
        return found

    def put(self, completions: Mapping[str, Completion]) -> None:
        """Keeps all `completions` but failed ones."""
        good = {key: _encoded(one) for key, one in completions.items() if one.finish != "error"}
        if good:
            self._cache.put(good)

    def close(self) -> None:
        """Lets go of the file."""
        self._cache.close()


def chat_key(
    model: str, weights: str, chat: Chat, sampling: Sampling, *, logprobs: bool, extra: Mapping[str, Any]
) -> str:
    """Identifies everything but the number of the sample: 32 hex digits.

    `weights` is what tells models of one name apart: a revision or a URL.  The number of samples is not part
    of it: who asks for ten after five pays for five.
    """
    parts = (
        model,
        weights,
        [(turn.role, turn.content) for turn in chat],
        sampling.temperature,
        sampling.max_new_tokens,
        sampling.repetition_penalty,
        sampling.top_k,
        sampling.top_p,
        sampling.stop,
        sampling.seed,
        logprobs,
        sorted(extra.items()),
    )
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _encoded(completion: Completion) -> bytes:
    return to_json(completion.model_dump(), inf_nan_mode="strings")  # a log-probability may be NaN
