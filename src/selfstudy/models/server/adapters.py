"""Adapters on a running server: made known to it, asked for by a name of ours, taken away again.

Knows what engines want to be told; nothing of how they are started, or of what is asked.
"""

from __future__ import annotations

import http.client
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from selfstudy.environment import child_environment
from selfstudy.errors import ModelError
from selfstudy.models.local import adapter_settings
from selfstudy.models.lora import CONFIG
from selfstudy.models.server.engines import Engine, Launch
from selfstudy.models.server.process import Server, fetch, shown
from selfstudy.records import digest

OLLAMA_SECONDS = 600.0
"""Longest time of one `ollama` command."""


def add_adapter(engine: Engine, url: str, model: str, adapter: Path, known: set[str]) -> str:
    """Makes a running server know an adapter; returns what requests call it.

    Args:
        known: the adapters that it knows; added to.

    Raises:
        ModelError: the server refuses it; the message has its answer.
    """
    name = adapter_name(adapter)
    if name not in known:
        if (adapter / CONFIG).exists():
            adapter_settings.require_safe(adapter, patterns=False)
        if engine.adapters == "created":
            _create(url, model, adapter, name)
        else:
            _load(engine, url, adapter, name)
        known.add(name)
    return engine.adapter_name(model, name)


def forget_adapters(server: Server) -> None:
    """Takes away what would outlive a server: the models that were registered with ollama."""
    if server.engine.adapters == "created" and server.alive:
        for name in server.adapters:
            with suppress(ModelError):
                _ollama(server.url, "rm", name)
    server.adapters.clear()


def adapter_name(adapter: Path) -> str:
    """The same for the same weights in the same place."""
    weights = adapter / "adapter_model.safetensors"
    if not weights.is_file():
        raise ModelError(f"adapter {str(adapter)!r} has no {weights.name}", "give a PEFT adapter folder")
    stat = weights.stat()
    return "selfstudy-" + digest(str(adapter.resolve()), str(stat.st_mtime_ns), str(stat.st_size))


def _load(engine: Engine, url: str, adapter: Path, name: str) -> None:
    try:
        status, answer = fetch(
            url + engine.load, 600, {"lora_name": name, "lora_path": str(adapter.resolve())}
        )
    except (OSError, http.client.HTTPException) as error:
        status, answer = 0, str(error).encode()
    said = answer.decode(errors="replace")
    refused = status != 200 or '"success":false' in said.replace(" ", "")
    if refused and "already" not in said:
        needed = [f"{name}={value}" for name, value in engine.environment(Launch("")).items()]
        start = "start it " + "".join(f"with {one} in its environment, " for one in needed if status == 404)
        raise ModelError(
            f"the server at {url} does not take the adapter {adapter}: {status} {shown(said)}",
            start + "with LoRA enabled and a max-lora-rank of at least the adapter's, or leave `url` out",
        )


def _create(url: str, model: str, adapter: Path, name: str) -> None:
    """Registers an adapter with ollama as a model of its own.

    Raises:
        ModelError: ollama does not take it.
    """
    if not str(adapter.resolve()).isprintable():  # a line of its own would be another order
        raise ModelError(f"ollama does not take the adapter {str(adapter)!r}", "rename its folder")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "Modelfile"
        file.write_text(f"FROM {model}\nADAPTER {adapter.resolve()}\n", encoding="utf-8")
        said = _ollama(url, "create", name, "-f", str(file))
    if said:
        raise ModelError(
            f"ollama does not take the adapter {adapter}: {said}", "verify with engine: transformers or vllm"
        )


def _ollama(url: str, *order: str) -> str:
    """Gives a running ollama an order; returns its complaint, "" if it has none.

    Raises:
        ModelError: the program is not there, or takes too long.
    """
    environment = child_environment(downloads=False, mine={"OLLAMA_HOST": url.partition("//")[2]})
    try:
        done = subprocess.run(
            ["ollama", *order],
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=OLLAMA_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(
            f"ollama {order[0]} failed: {error}", f"try it by hand: ollama {' '.join(order)}"
        ) from None
    said = (done.stderr or done.stdout or "no reason given").strip()
    return shown(said[-300:]) if done.returncode else ""
