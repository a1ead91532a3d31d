"""What the weights in a model's folder hold, by the headers of their files, and whether a config fits that.

Weights are safetensors in the folder itself; nothing of them is loaded.  Knows nothing of transformers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.models.local.small_files import MAX_CONFIG, read_json, require_inside, walk

_WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
_LAYERS = re.compile(r"(layers?|blocks?|depth|depths|stages?|groups|repeats?|experts)$")
_NUMBER = re.compile(r"^(num|n)_")
_NO_SIZE = re.compile(r"(position|ctx|context|token|logits|beam|buckets|param)")
_SIZE = re.compile(r"(size|dim|width|hidden|inner|embd|channels|rank)$")
_FEW, _MANY = 1024, 2**24
"""Counts and sizes up to these build nothing that hurts, whatever the weights are."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the weights of a folder hold, by the headers of their files.

    Attributes:
        tensors: how many.
        numbers: in all of them.
        longest: the largest dimension.
    """

    tensors: int
    numbers: int
    longest: int


LARGEST = Stored(tensors=10**6, numbers=2**40, longest=10**6)
"""What no config goes beyond, whatever its weights are."""


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold a model's weights.

    Raises:
        ModelError: there are none, or the index names other files, or files outside of the folder.
    """
    names = named_weights(folder)
    if names == [_WEIGHTS] and not (folder / _WEIGHTS).is_file():
        others = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLES)
        also = f" (its {others[0]} is not read: a pickle is a program)" if others else ""
        raise ModelError(
            f"{folder} holds no {_WEIGHTS}{also}",
            "only safetensors weights are loaded: convert it with model.save_pretrained(folder)",
        )
    return [_weight_file(folder, name) for name in names]


def named_weights(folder: Path) -> list[str]:
    """Names of the files that hold a model's weights, as its config or index says, in their order.

    Raises:
        ModelError: the index is none; a name is not one of a safetensors file in this folder.
    """
    config = read_json(folder / "config.json", MAX_CONFIG) if (folder / "config.json").is_file() else {}
    named = config.get("transformers_weights") if isinstance(config, dict) else None
    if named is not None:
        if str(named).endswith(".json"):
            _require_own_name(folder, folder / "config.json", named, ".json")
            return _sharded(folder, folder / str(named))
        return [_require_own_name(folder, folder / "config.json", named)]
    if (folder / _WEIGHTS).is_file() or not (folder / INDEX).is_file():
        return [_WEIGHTS]
    return _sharded(folder, folder / INDEX)


PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack", ".ot", ".npz", ".onnx"}


def _sharded(folder: Path, index: Path) -> list[str]:
    table = read_json(index)
    files = table.get("weight_map") if isinstance(table, dict) else None
    if not isinstance(files, dict) or not isinstance(table.get("metadata"), dict):
        raise ModelError(f"{index} is no index: it names no files", "copy or download it again")
    return [_require_own_name(folder, index, name) for name in sorted({str(one) for one in files.values()})]


def _require_own_name(folder: Path, source: Path, name: Any, suffix: str = ".safetensors") -> str:
    path = PurePosixPath(str(name))
    if path.suffix != suffix:
        raise ModelError(
            f"{source} names {str(name)!r} as weights, which are not safetensors",
            "only safetensors weights are loaded: convert it with model.save_pretrained(folder)",
        )
    if path.is_absolute() or ".." in path.parts or "\\" in str(name) or not str(name).isprintable():
        raise ModelError(
            f"{source} names {str(name)!r} as weights, a file outside of {folder}",
            "a model's weights lie in its own folder: download it again, or do not use it",
        )
    return str(name)


def _weight_file(folder: Path, name: str) -> Path:
    file = folder / name
    if not file.is_file():
        raise ModelError(f"{folder} has no {name}, which its index names", "copy or download it again")
    require_inside(folder, file)
    return file


def stored(files: Iterable[Path]) -> Stored:
    """What weight files hold; their contents are not read.

    Raises:
        SafetensorError: a header is damaged, or does not fit the file.
    """
    from safetensors import safe_open

    tensors = numbers = longest = 0
    for file in files:
        with safe_open(file, "numpy") as opened:
            for name in opened.keys():  # noqa: SIM118
                size = 1
                for length in opened.get_slice(name).get_shape():
                    size *= length
                    longest = max(longest, length)
                tensors, numbers = tensors + 1, numbers + size
    return Stored(tensors, numbers, longest)


def held_by(folder: Path) -> Stored:
    """What the weights in a model's folder hold.

    Raises:
        ModelError: they are no safetensors, damaged, or not in the folder.
    """
    from safetensors import SafetensorError

    try:
        return stored(weight_files(folder))
    except SafetensorError as error:
        raise ModelError(
            f"model {str(folder)!r} cannot be loaded: {str(error)[:200]}",
            "its safetensors file is damaged or cut short: copy or download it again",
        ) from None


def require_plausible(file: Path, held: Stored) -> None:
    """Refuses a config that claims more layers or larger ones than the weights could fill.

    Raises:
        ModelError: the key and its value.
    """
    for _, key, value in walk(read_json(file, MAX_CONFIG)):
        if isinstance(value, bool) or not isinstance(value, int | float) or _NO_SIZE.search(key):
            continue
        if _LAYERS.search(key):
            most = max(_FEW, held.tensors if "expert" not in key else held.longest)
        elif _NUMBER.search(key):
            most = max(_FEW, held.longest)
        elif _SIZE.search(key):
            most = max(_MANY, held.numbers)
        else:
            continue
        if value > most:
            raise ModelError(
                f"{file} claims {key} {value:,}; the weights have {held.tensors:,} tensors "
                f"and {held.numbers:,} numbers",
                "config.json and the weights are of different models: copy or download both again",
            )


def require_fitting(folder: Path, claimed: int, held: Stored) -> None:
    """Refuses a model that would be many times as large as the weights that are there.

    Args:
        claimed: numbers that the architecture of the config has; packed (quantised) ones are fewer in a file.
    """
    if claimed > 16 * held.numbers + _MANY:
        raise ModelError(
            f"the config of {folder} describes {claimed:,} parameters, its weights hold {held.numbers:,}",
            "config.json and the weights are of different models: copy or download both again",
        )
