"""What a stranger's model folder may not hold: found in its small files and in the headers of its weights.

Nothing is believed before this is done, for by then it is too late: a config can name code of its own, a
pickle or a file outside of the folder as weights, or ten million layers.  Knows nothing of transformers, peft
and torch; what reads the folder afterwards does (`pretrained`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
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
_COMPARED = 10**7
"""Most comparisons of tokens: a special one that was not added is looked for among all others, at 1 µs."""
_LAYER_LISTS = re.compile(r"quant|compression_config")
_LAYER_FILE = re.compile(r"quant.*config\.json$")
"""Where quantised layers are listed, as many as a model has: 36,096 of 94 layers with 128 experts."""
_TOKEN_LISTS = ("added_tokens", "added_tokens_decoder")
_WORDS = re.compile(r"^(tokenizer(\.[\w.-]*)?|vocab\w*|added_tokens|merges|special_tokens_map)\.json$")
"""Files whose keys may be words of a vocabulary."""
_SETTINGS = re.compile(r"config|processor|modules\.json|chat_template")
"""Others that are read."""
_CODE = ("auto_map", "custom_pipelines")
_ARGUMENTS = (
    "model_args",
    "model_kwargs",
    "config_args",
    "config_kwargs",
    "tokenizer_args",
    "processor_kwargs",
)
"""Where sentence-transformers finds more arguments for transformers."""
_HARMLESS = {
    *(
        "dtype",
        "torch_dtype",
        "attn_implementation",
        "add_pooling_layer",
        "trust_remote_code",
        "use_safetensors",
    ),
    *("max_length", "model_max_length", "padding_side", "truncation_side", "add_eos_token", "do_lower_case"),
}
_PARTS = ("vocab", "merges")
"""Arguments of a tokenizer in its settings; a text there is the name of a file, wherever that is."""
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_READ = (
    "*.json",
    "*.jinja",
    "*.txt",
    "*.model",
    "*.tiktoken",
    "*.safetensors",
    "additional_chat_templates/*",
)
"""What is read of a folder; none of it may be a link that leaves it, or a pipe."""
_WHOLE = re.compile(r"\.(jinja|model|tiktoken)$|^(vocab|merges)\.txt$")
"""Others that are read as a whole."""
_LAYERS = re.compile(r"(layers?|blocks?|depth|depths|stages?|groups|repeats?|experts)$")
_NUMBER = re.compile(r"^(num|n)_")
_NO_SIZE = re.compile(r"(position|ctx|context|token|logits|beam|buckets|param)")
_SIZE = re.compile(r"(size|dim|width|hidden|inner|embd|channels|rank)$")
_FEW, _MANY = 1024, 2**24
"""Counts and sizes up to these build nothing that hurts, whatever the weights are."""
WITH_WEIGHTS = {"Transformer", "Dense", "LayerNorm", "StaticEmbedding", "WeightedLayerPooling"}
_MODULES = WITH_WEIGHTS | {"Pooling", "Normalize", "Dropout"}
"""Parts of an encoder that are loaded, all of sentence-transformers' own."""
_OWN = "sentence_transformers"
_MODULE = re.compile(rf"{_OWN}(\.\w+)+")


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


_LARGEST = Stored(tensors=10**6, numbers=2**40, longest=10**6)
"""What no config goes beyond, whatever its weights are."""


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
    _require_plain(file, most)
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


def _require_plain(file: Path, most: int) -> None:
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


def require_safe(folder: Path, *, code: bool = False) -> None:
    """Refuses a model's folder that brings code of its own, or files that are no settings.

    Args:
        code: whether its own code is allowed, or is known to be left alone.

    Raises:
        ModelError: which file, and what is wrong with it.
    """
    for pattern in _READ:
        for file in folder.glob(pattern):
            require_inside(folder, file)
            if file.exists() and not file.is_dir():
                _require_plain(file, MAX_JSON if _WHOLE.search(file.name) else 2**60)
    special, added = set[str](), set[str]()
    for file in sorted(folder.glob("*.json")):
        if _WORDS.match(file.name) or file.name.endswith(".index.json"):
            value = read_json(file)
            _require_few(file, value, words=True)
        elif _SETTINGS.search(file.name):
            value = read_json(file, MAX_CONFIG)
            require_no_code(file, value, allowed=code)
        else:
            continue
        if re.match("tokenizer|special_tokens|added_tokens", file.name) and isinstance(value, dict):
            added.update(value if file.name == "added_tokens.json" else _tokens(value, "added_tokens"))
            special.update(_tokens(value, "special_tokens"))
    if (unknown := len(special - added)) * (unknown + len(added)) > _COMPARED:
        raise ModelError(
            f"the tokenizer in {folder} names {unknown:,} special tokens that are not among those "
            f"that it adds ({len(added):,})",
            "copy or download it again; this one is damaged, or made to do harm",
        )
    for file in folder.glob("config*.json"):
        require_plausible(file, _LARGEST)
    if (folder / "adapter_config.json").is_file():
        raise ModelError(
            f"{folder} is a model and an adapter in one folder",
            "put adapter_config.json and adapter_model.safetensors into a folder of their own: `adapter`",
        )
    if not code and (folder / "custom_generate").exists():
        raise _own_code(folder / "custom_generate", "generate.py")


def _tokens(settings: dict[str, Any], named: str) -> Iterator[str]:
    """The tokens in lists and mappings of `settings` with such a name."""
    for key, part in settings.items():
        if named in key and isinstance(part, dict | list):
            for one in part.values() if isinstance(part, dict) else part:
                token = one.get("content") if isinstance(one, dict) else one
                if isinstance(token, str):
                    yield token


def _require_few(file: Path, value: Any, *, words: bool = False) -> None:
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


def require_no_code(file: Path, value: Any, *, allowed: bool = False) -> None:
    """Refuses settings that name code of a model's own, or that are too many.

    Args:
        value: what is in the file.

    Raises:
        ModelError: the key.
    """
    if isinstance(value, dict) and file.name.startswith("tokenizer"):
        named = [key for key in _PARTS if isinstance(value.get(key), str)]
        if named or value.get("init_inputs"):
            key = (*named, "init_inputs")[0]
            raise ModelError(
                f"{file} names a file to be read as {key}",
                f"remove {key}: a tokenizer's files lie in its folder",
            )
    _require_few(file, value)
    for _, key, one in walk(value):
        if key in _CODE and one and not allowed:
            raise _own_code(file, key)
        if key == "trust_remote_code" and one and not allowed:
            raise ModelError(
                f"{file} asks for trust_remote_code", "a model cannot allow that: remove the key"
            )
        if key.endswith("_implementation"):
            for _, _, name in walk(one):
                if isinstance(name, str) and re.search(r"[^\w-]", name):
                    raise ModelError(
                        f"{file} names a kernel to download and run: {key} {name!r}",
                        f"remove {key}: the implementations of transformers are used",
                    )
        passed_on = file.name.startswith("sentence_") and key in _ARGUMENTS
        if passed_on and isinstance(one, dict) and (others := sorted(one.keys() - _HARMLESS)):
            raise ModelError(
                f"{file} sets {key}.{others[0]}, which is not passed on", f"remove it, or all of {key}"
            )


def _own_code(file: Path, what: str) -> ModelError:
    return ModelError(
        f"{file} names code of the model's own ({what}), which is not run",
        "if transformers knows the architecture by itself, say trust_remote_code: ignore; else read the code "
        "and see docs/models.md",
    )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold a model's weights.

    Raises:
        ModelError: there are none, or the index names other files, or files outside of the folder.
    """
    names = named_weights(folder)
    if names == [_WEIGHTS] and not (folder / _WEIGHTS).is_file():
        others = sorted(file.name for file in folder.iterdir() if file.suffix in _PICKLES)
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
    if (folder / _WEIGHTS).is_file() or not (folder / _INDEX).is_file():
        return [_WEIGHTS]
    return _sharded(folder, folder / _INDEX)


_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack", ".ot", ".npz", ".onnx"}


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


def require_servable(folder: Path, *, code: bool = False) -> None:
    """Refuses a folder that an engine is to load: as `require_safe`, and weights that are no safetensors."""
    require_safe(folder, code=code)
    if (folder / _INDEX).is_file() or any(
        file.suffix in {*_PICKLES, ".safetensors"} for file in folder.iterdir()
    ):
        require_plausible(folder / "config.json", held_by(folder))


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


def encoder_parts(folder: Path) -> list[tuple[str, Path]]:
    """Class and folder of an encoder's modules, all safe but for their weights.

    Raises:
        ModelError: modules.json names other classes than sentence-transformers' own, or places elsewhere.
    """
    file = folder / "modules.json"
    modules = read_json(file, MAX_CONFIG) if file.is_file() else [{"type": f"{_OWN}.models.Transformer"}]
    hint = "an encoder of Transformer, Pooling and Normalize is read; use one, or lexical"
    if not isinstance(modules, list) or not all(isinstance(one, dict) for one in modules):
        raise ModelError(f"{file} is no list of modules", hint)
    parts = []
    for one in modules:
        kind, place = str(one.get("type")), PurePosixPath(str(one.get("path", "")))
        if not _MODULE.fullmatch(kind) or kind.rpartition(".")[2] not in _MODULES:
            raise ModelError(f"{file} names the class {kind!r}, which is not loaded", hint)
        if place.is_absolute() or ".." in place.parts:
            raise ModelError(f"{file} names the folder {str(place)!r}, which is elsewhere", hint)
        part = folder / place
        require_inside(folder, part)
        if not part.is_dir():
            continue  # a module without settings
        for inner in sorted(part.glob("*")):
            require_inside(folder, inner)
        if part != folder:
            require_safe(part)
        parts.append((kind.rpartition(".")[2], part))
    return parts
