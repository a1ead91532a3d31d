"""What tells one judge from another, so that kept judgements are its own: its block and its weights.

Loads no model.  What a server has behind a name or a URL cannot be seen from here: a `revision` tells it.
"""

from __future__ import annotations

from pathlib import Path

from selfstudy.models.remote.permissions import check
from selfstudy.recipe import LocalModel, ModelBlock, RemoteModel, ServerModel
from selfstudy.recipe.models import NAMES_OF_STORES
from selfstudy.records import digest

_HOW_IT_IS_REACHED = {
    *("api_key_env", "api_key_file", "concurrency", "n", "prices", "logprobs"),
    *("connect_timeout", "read_timeout", "total_timeout", "deadline"),
    *("port", "startup_seconds", "token_budget"),
}
"""Settings that change no answer: judgements are kept when these change."""


def identity(block: ModelBlock) -> str:
    """A digest of a judge's settings and, where its files are here, of what tells its weights.

    A model on the Hub is known by its commit once it is loaded; ask for the identity after that.

    Raises:
        ModelError: the model is not there.
    """
    adapter = getattr(block, "adapter", None)
    return digest(
        block.model_dump_json(exclude=_HOW_IT_IS_REACHED),
        _weights(block),
        "" if adapter is None else _files(str(adapter), True, None),
    )


def require_reachable(block: ModelBlock) -> None:
    """What can be said of a judge before anything is loaded or asked.

    Raises:
        ModelError: it is not there, or the user has not allowed to ask it.
    """
    if isinstance(block, RemoteModel):
        check(block)
    _weights(block)


def _weights(block: ModelBlock) -> str:
    """Of a model in this process, or of an engine that is started here; "" for others."""
    if isinstance(block, LocalModel):
        path = block.path
    elif isinstance(block, ServerModel) and block.url is None and block.engine not in NAMES_OF_STORES:
        path = block.model
    else:
        return ""
    from selfstudy.models.local import loading  # torch, which no other judge needs

    return _files(*loading.locate(path, "lm"), block.revision)


def _files(path: str, is_here: bool, revision: str | None) -> str:
    from selfstudy.models.local import loading

    if is_here and Path(path).is_file():  # GGUF
        stat = Path(path).stat()
        return digest(path, str(stat.st_size), str(stat.st_mtime_ns))
    return loading.fingerprint(path, is_here, revision)
