"""Keys that a function of their own decides by: samplings, when to ask again, workers, engines."""

from __future__ import annotations

from pathlib import Path

from selfstudy.loop import launching
from selfstudy.models.answering import from_document, from_memory
from selfstudy.models.server import engines
from selfstudy.recipe import AnsweringBlock, LaunchBlock, RelearnBlock, ServerModel, name_of, weights_of
from selfstudy.run.schedule import PastAsking, due, turns

from . import Effect, rows

HISTORIES = {
    "new": [PastAsking(1, right=False)],
    "shaky": [PastAsking(1, right=True)],
    "again": [PastAsking(1, right=True), PastAsking(2, right=True)],
    "firm": [PastAsking(at, right=True, firm=True) for at in range(1, 9)],
}


def samplings(block: AnsweringBlock) -> object:
    return from_memory(block, 4, 0), from_document(block, 4, 0)


def asked_again(block: RelearnBlock) -> object:
    waiting = turns(HISTORIES, block)
    return waiting, due(waiting, 1000, block.most)


def launched(block: LaunchBlock) -> object:
    """The command that starts its processes, but for how many threads each has, which the machine decides."""
    command = launching._command(block, Path("order.json"))
    return command[: command.index("--num_cpu_threads_per_process")]


def command(block: ServerModel) -> object:
    """The command line of an engine, what trains behind it, and what it is called."""
    launch = engines.Launch(block.model, port=block.port or 1, revision=block.revision)
    line = engines.command(engines.find(block.engine), launch, block.args)
    return line, weights_of(block), name_of(block)


SERVER = {"engine": "vllm", "model": "org/model"}
EFFECTS: dict[str, Effect] = {
    **rows("AnsweringBlock", samplings, {}, temperature=0.5, repetition_penalty=1.5),
    **rows("AnsweringBlock", samplings, {}, max_new_tokens=1, reading_tokens=1),
    **rows("RelearnBlock", asked_again, {}, first=3, factor=5.0, longest=8, most=1),
    **rows("LaunchBlock", launched, {}, processes=3, config="zero2"),
    **rows("ServerModel", command, SERVER, engine="sglang", model="org/other", args={"max-model-len": 9}),
    **rows("ServerModel", command, SERVER, port=4321, weights="org/other", revision="v2", adapter="/adapter"),
}
"""By `Block.key`."""
