"""Whether a server answers, and as which model: one that somebody else has started, and one of ours.

Knows the engine's paths; it starts and ends nothing.
"""

from __future__ import annotations

import http.client
import json
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.models.server import engines
from selfstudy.models.server.engines import Engine, Launch
from selfstudy.models.server.process import answers, fetch, shown
from selfstudy.recipe import ServerModel

LISTED = 5
"""How many models of a server an error names."""
FIRST_ANSWER_SECONDS = 120.0
"""Longest time of one token."""


def check_running(block: ServerModel, engine: Engine, url: str, launch: Launch) -> None:
    """Checks that the server at `url` answers, and has the model.

    Raises:
        ModelError: it does not; the hint is the command that would start it, or what it serves.
    """
    if not answers(url + engine.health, 10):
        line = shlex.join(engines.command(engine, launch, block.args))
        raise ModelError(
            f"no {block.engine} server answers at {url}{engine.health}",
            f"start it ({line}), or leave `url` out: selfstudy then starts one itself",
        )
    check_model(block.engine, engine, url, engine.called(launch), (block.model, launch.model))


def check_model(name: str, engine: Engine, url: str, called: str, also: Iterable[str]) -> None:
    """Checks that a server has the model that is asked for: by its list, else by what a first answer says.

    Args:
        name: of the engine.
        called: what requests call the model.
        also: what else the model is called; a server may say its own name for it.

    Raises:
        ModelError: it serves another one.
    """
    listed = models_of(url + engine.base) if engine.lists else None
    if listed is not None:
        if not is_listed(called, listed):
            names = ", ".join(shown(one, 100) for one in listed[:LISTED]) or "nothing"
            more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
            raise ModelError(
                f"the server at {url} serves {names}{more}, not {called}",
                "set `model` to what it serves (and `weights` to the folder or Hub id to train)",
            )
        return
    said = _said(url + engine.base, called)
    if said is not None and _short(said) not in {_short(one) for one in (called, *also)}:
        raise ModelError(
            f"the {name} server at {url} answers as {shown(said, 100)!r}, not as {called}",
            "set `model` to what it serves (and `weights` to the folder or Hub id to train)",
        )


def models_of(base: str) -> list[str] | None:
    """The models that a server lists, None if it does not say."""
    try:
        status, body = fetch(f"{base}/models", 10)
        found = json.loads(body) if status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    return listed_in(found)


def listed_in(reply: Any) -> list[str] | None:
    """The models that a reply to /models lists, None if it is no list."""
    data = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(data, list):
        return None
    return [str(one["id"]) for one in data if isinstance(one, dict) and "id" in one]


def is_listed(model: str, listed: Sequence[str]) -> bool:
    """Whether a server has a model; Ollama and Gemini list theirs under longer names."""
    return bool({model, f"{model}:latest", f"models/{model}"} & set(listed))


def _said(base: str, called: str) -> str | None:
    """The model that a server names in an answer of one token, None if it names none."""
    body = {"model": called, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    try:
        status, answer = fetch(f"{base}/chat/completions", FIRST_ANSWER_SECONDS, body)
        found: Any = json.loads(answer) if status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    said = found.get("model") if isinstance(found, dict) else None
    return said if isinstance(said, str) and said else None


def _short(name: str) -> str:
    """A model's name without folders, revision and file type, which servers leave out or add."""
    last = name.rstrip("/").rpartition("/")[2]
    return last.partition("@")[0].lower().removesuffix(".gguf").removesuffix(":latest")
