"""The small files of a model's folder (settings, vocabularies, indexes), read within bounds.

They are a stranger's: links, pipes, and what is too large, too deep or too much for the libraries that read
it afterwards are refused here.  Knows nothing of what the settings mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.files import reading

MAX_JSON = 128 * 2**20
"""Largest JSON file in bytes; the largest tokenizer.json of known models has a third of that."""
MAX_CONFIG = 32 * 2**20
"""Largest of the others, which hold settings: those of 36,096 quantised layers take up to 20 MB."""
MAX_DEPTH = 64
_ENTRIES, _ADDED = 10_000, 200_000
"""Most entries of one list or mapping of settings, which transformers copies many times, and most tokens
beside a vocabulary (measured: 70,000 load in 4 s, 140,000 in 8 s; speech models have 65,536)."""
_LAYER_LISTS = re.compile(r"quant|compression_config")
_LAYER_FILE = re.compile(r"quant.*config\.json$")
"""Where quantised layers are listed, as many as a model has: 36,096 of 94 layers with 128 experts."""
_TOKEN_LISTS = ("added_tokens", "added_tokens_decoder")


def require_inside(folder: Path, file: Path) -> None:
    """Refuses a file that is a link to a place outside of the folder.

    In the Hub's cache, where every file of a snapshot is a link, the model's own blobs are inside.
    """
    root, place = folder.resolve(), file.resolve()
    inside = [root, *(up.parent / "blobs" for up in root.parents[:3] if up.name == "snapshots")]
    if not any(place.is_relative_to(one) for one in inside):
        raise ModelError(
            f"{file} is a link to {place}, outside of the model's folder",
            "copy that file into the folder, if it is what you want to load",
        )


def read_json(file: Path, most: int = MAX_JSON) -> Any:
    """The content of a JSON file.

    Raises:
        ModelError: it is a link that leaves the folder, too large, too deep, or not JSON.
    """
    require_inside(file.parent, file)
    require_plain(file, most)
    hint = "copy or download it again; this one is damaged, or made to do harm"
    try:
        content = file.read_bytes()
        reading.check_values(content)
        value = json.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise ModelError(f"{file} is nested deeper than any {file.name}", hint) from None
    except ValueError as error:
        raise ModelError(f"{file} is not JSON: {str(error)[:200]}", hint) from None
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}", "check its permissions") from None
    if any(depth > MAX_DEPTH for depth, _, _ in walk(value)):
        raise ModelError(f"{file} is nested deeper than any {file.name}", hint)
    return value


def require_plain(file: Path, most: int) -> None:
    """Refuses what is no file (a pipe never ends), and one of an absurd size."""
    if not file.is_file():
        raise ModelError(f"{file} is not a plain file", "copy or download the model again")
    if (size := file.stat().st_size) > most:
        raise ModelError(
            f"{file} has {size:,} bytes: more than {most:,} is no {file.name}",
            "copy or download it again; this one is damaged, or made to do harm",
        )


def walk(value: Any, without: re.Pattern[str] | None = None) -> Iterator[tuple[int, str, Any]]:
    """Depth, key and value of everything in a JSON value; that in a list has the key of the list.

    Args:
        without: keys that are left out, with all that is below them.
    """
    stack = [(0, "", value)]
    while stack:
        depth, key, one = stack.pop()
        yield depth, key, one
        if depth > MAX_DEPTH:
            continue
        if isinstance(one, dict):
            named = (
                one.items()
                if without is None
                else [item for item in one.items() if not without.search(item[0])]
            )
            stack += [(depth + 1, name, part) for name, part in named]
        elif isinstance(one, list):
            stack += [(depth + 1, key, part) for part in one if isinstance(part, dict | list) or depth < 4]


def tokens_in(settings: dict[str, Any], named: str) -> Iterator[str]:
    """The tokens in lists and mappings of `settings` with such a name."""
    for key, part in settings.items():
        if named in key and isinstance(part, dict | list):
            for one in part.values() if isinstance(part, dict) else part:
                token = one.get("content") if isinstance(one, dict) else one
                if isinstance(token, str):
                    yield token


def require_few(file: Path, value: Any, *, words: bool = False) -> None:
    """Refuses lists of settings that would be worked on for minutes.

    Args:
        words: whether the file may hold a vocabulary, of which only the tokens beside it are counted.
    """
    if _LAYER_FILE.search(file.name):
        return
    inner = [(name or "it", part) for _, name, part in walk(value, _LAYER_LISTS)] if not words else []
    if file.name == "added_tokens.json":
        inner = [("added_tokens", value)]
    elif words and isinstance(value, dict):
        inner = list(value.items())
    for name, part in inner:
        most = _ADDED if name in _TOKEN_LISTS else _ENTRIES
        counted = not words or name in _TOKEN_LISTS or file.name == "special_tokens_map.json"
        if counted and isinstance(part, dict | list) and len(part) > most:
            raise ModelError(
                f"{file} has {len(part):,} entries in {name}, more than any model needs",
                "copy or download it again; this one is damaged, or made to do harm",
            )
