"""A server that somebody else has started: is it there, does it serve what the recipe says?

Knows the engine's paths; it starts and ends nothing.
"""

from __future__ import annotations

import http.client
import json

from selfstudy.errors import ModelError
from selfstudy.models.server import engines
from selfstudy.models.server.engines import Engine, Launch
from selfstudy.models.server.process import answers, fetch
from selfstudy.recipe import ServerModel


def check_running(block: ServerModel, engine: Engine, url: str, launch: Launch) -> None:
    """Checks that the server at `url` answers, and has the model.

    Raises:
        ModelError: it does not; the hint is the command that would start it, or what it serves.
    """
    if not answers(url + engine.health, 10):
        line = " ".join(engines.command(engine, launch, block.args))
        raise ModelError(
            f"no {block.engine} server answers at {url}{engine.health}",
            f"start it ({line}), or leave `url` out: selfstudy then starts one itself",
        )
    listed = _listed(url + engine.base) if engine.lists else None
    if listed is not None and engine.called(launch) not in listed:
        raise ModelError(
            f"the server at {url} serves {', '.join(listed) or 'nothing'}, not {block.model}",
            "set `model` to what it serves (and `weights` to the folder or Hub id to train)",
        )


def _listed(base: str) -> list[str] | None:
    """The models that a server names, if it does."""
    try:
        status, body = fetch(f"{base}/models", 10)
        return [str(one["id"]) for one in json.loads(body)["data"]] if status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
