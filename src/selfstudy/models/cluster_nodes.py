"""What the nodes of a cluster have, whether a worker fits in, and how its loss is told, from Ray's own words.

Knows what Ray says of nodes and errors; imports no ray.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.recipe.scale import ScaleBlock
from selfstudy.text import clean, one_line
from selfstudy.version import __version__

_REASONS = {
    "low on memory": "its node ran out of memory",
    "node has died": "its node is gone",
    "ray.kill": "it was ended",
    "unavailable": "it cannot be reached",
    "process has died": "its process ended: killed, crashed, or out of memory",
    "exit code": "its process ended by itself",
}
"""What is told of a lost worker, by what Ray's long message holds."""


def room(nodes: Sequence[Mapping[str, Any]], block: ScaleBlock) -> int:
    """How many workers the nodes that are there could hold, if nobody else used them."""
    return sum(_room_on(node["Resources"], block) for node in nodes if node["Alive"])


def _room_on(has: Mapping[str, float], block: ScaleBlock) -> int:
    by_cpus = math.floor(has.get("CPU", 0.0) / block.cpus + 1e-9)
    if not block.gpus:
        return by_cpus
    cards = has.get("GPU", 0.0)
    by_gpus = (
        math.floor(cards) * math.floor(1 / block.gpus) if block.gpus < 1 else math.floor(cards / block.gpus)
    )
    return min(by_cpus, by_gpus)


LEAST_MEMORY = 128 * 2**20
"""Of a worker on this machine that has loaded no model yet: 134 MB resident, with Ray 2.60."""


def must_fit_here(block: ScaleBlock) -> None:
    """Refuses, before they are started, more workers than this machine has memory for.

    Raises:
        ModelError: there are.
    """
    import psutil

    most = int(psutil.virtual_memory().total) // LEAST_MEMORY
    if block.workers > most:
        raise ModelError(
            f"scale.workers: {block.workers:,} are more than this machine has memory for, no model loaded",
            f"ask for fewer ({most:,} at the very most), or name a cluster in scale.address",
        )


def need(block: ScaleBlock) -> str:
    return _amount(block.cpus, block.gpus)


def have(nodes: Sequence[Mapping[str, Any]]) -> str:
    """What there is, in words: the nodes that live, and all that they have."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    cpus, gpus = (sum(one.get(kind, 0.0) for one in alive) for kind in ("CPU", "GPU"))
    return f"it has {len(alive)} {'node' if len(alive) == 1 else 'nodes'} with {_amount(cpus, gpus)}"


def _amount(cpus: float, gpus: float) -> str:
    return f"{cpus:g} CPU{'' if cpus == 1 else 's'} and {gpus:g} GPU{'' if gpus == 1 else 's'}"


def unfit(place: str, hello: Mapping[str, Any]) -> str:
    """Why a worker cannot work where it is; empty: it can."""
    if hello["version"] not in ("", __version__):
        return f"the node {place} has selfstudy {clean(hello['version'])}, this machine {__version__}"
    if hello["error"]:
        return f"the node {place} cannot run workers of selfstudy: {one_line(clean(hello['error']), 300)}"
    return ""


def reason(said: str) -> str:
    """A Ray error in a few words."""
    # of a process that died Ray lists all that may have happened
    return next((word for key, word in _REASONS.items() if key in said), one_line(clean(said), 200))
