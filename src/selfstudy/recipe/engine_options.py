"""Which options of engines a recipe may set: it comes from anybody, and must not make an engine run code.

A person who needs the others starts the server by hand and gives its `url`.  Knows no engine's own flags.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import PydanticCustomError

_FOREIGN = (
    *(
        "trust-remote-code",
        "middleware",
        "logits-processors",
        "logits-processor-pattern",
        "custom-weight-loader",
    ),
    *("tool-parser-plugin", "reasoning-parser-plugin", "io-processor-plugin", "worker-cls", "scheduler-cls"),
    *("worker-extension-cls", "enable-custom-logit-processor", "hf-overrides", "json-model-override-args"),
    *(
        "config",
        "config-file",
        "log-config-file",
        "uvicorn-log-config",
        "model-loader-extra-config",
        "load-format",
    ),
    *("model-class-name", "model-impl", "tool-server", "tools", "allow-code-execution", "plugins"),
    *("model", "model-path", "model-id", "model-url", "hf-repo", "rpc", "log-file", "log-prompts-dir"),
    *("slot-save-path", "path", "media-path", "allowed-local-media-path", "download-dir"),
)
"""Options of engines that run code of a model or a file, unpickle weights, load another model, or open files
and machines to it; any beginning of one counts, for many engines complete it."""
_EXACT = ("load-format", "reasoning")
"""Options of their own that are also the beginning of one of those, or have values that are looked at."""
_FOREIGN_WORDS = {"trust", "plugin", "plugins", "middleware", "cls", "class", "override", "overrides"}
_LOADS = {"auto", "safetensors", "fastsafetensors", "dummy", "gguf", "bitsandbytes", "runai_streamer"}
"""Values of `load-format` that unpickle nothing."""


def harmless_option(name: str) -> str:
    """The name of an option that a recipe may set.

    Raises:
        PydanticCustomError: it may not.
    """
    if re.fullmatch(r"-{0,2}[A-Za-z0-9][\w.-]*", name) is None:
        raise PydanticCustomError("option", "must be the name of one option of the engine")
    plain = name.lstrip("-").replace("_", "-").lower().removeprefix("no-")
    for part in plain.split("."):
        if part in _EXACT:
            continue
        if any(option.startswith(part) for option in _FOREIGN) or _FOREIGN_WORDS & set(part.split("-")):
            raise PydanticCustomError(
                "option",
                "must not be set by a recipe: it can make the engine run foreign code. "
                "Start the engine yourself, and give its `url`",
            )
    return name


def harmless_values(options: dict[str, Any]) -> dict[str, Any]:
    """Options whose values are no options themselves, and keep the engine on this machine.

    Raises:
        PydanticCustomError: they are not.
    """
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            text = str(one).replace("-", "_").lower() if isinstance(one, str) else ""
            if text.startswith("_") and not re.fullmatch(r"-\d+(\.\d+)?", str(one)):
                raise PydanticCustomError(
                    "option", "must hold no values that begin with - ({name})", {"name": name}
                )
            if "trust_remote" in text or "auto_map" in text:
                raise PydanticCustomError(
                    "option", "must not make an engine run a model's code ({name})", {"name": name}
                )
            plain = name.strip("-").replace("_", "-").lower()
            if plain in ("host", "hostname") and one not in ("127.0.0.1", "localhost", "::1"):
                raise PydanticCustomError("option", "must leave the engine on this machine: 127.0.0.1")
            if plain == "load-format" and one not in _LOADS:
                raise PydanticCustomError(
                    "option",
                    "load-format must be one of {known}: others unpickle weights",
                    {"known": ", ".join(sorted(_LOADS))},
                )
    return options
