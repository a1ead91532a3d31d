"""What a stranger's model folder may not hold: code of its own, in whatever way its settings name it.

Nothing is believed before this is done, for by then it is too late: a config can name code of its own, a
pickle or a file outside of the folder as weights, or ten million layers.  `small_files` reads the settings,
`headers` those of the weights.  Knows nothing of transformers, peft and torch; what reads the folder
afterwards does (`pretrained`).
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.models.local.headers import INDEX, LARGEST, PICKLES, held_by, require_plausible
from selfstudy.models.local.small_files import (
    MAX_CONFIG,
    MAX_JSON,
    read_json,
    require_few,
    require_inside,
    require_plain,
    tokens_in,
    walk,
)

_COMPARED = 10**7
"""Most comparisons of tokens: a special one that was not added is looked for among all others, at 1 µs."""
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
WITH_WEIGHTS = {"Transformer", "Dense", "LayerNorm", "StaticEmbedding", "WeightedLayerPooling"}
_MODULES = WITH_WEIGHTS | {"Pooling", "Normalize", "Dropout"}
"""Parts of an encoder that are loaded, all of sentence-transformers' own."""
_OWN = "sentence_transformers"
_MODULE = re.compile(rf"{_OWN}(\.\w+)+")


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
                require_plain(file, MAX_JSON if _WHOLE.search(file.name) else 2**60)
    special, added = set[str](), set[str]()
    for file in sorted(folder.glob("*.json")):
        if _WORDS.match(file.name) or file.name.endswith(".index.json"):
            value = read_json(file)
            require_few(file, value, words=True)
        elif _SETTINGS.search(file.name):
            value = read_json(file, MAX_CONFIG)
            require_no_code(file, value, allowed=code)
        else:
            continue
        if re.match("tokenizer|special_tokens|added_tokens", file.name) and isinstance(value, dict):
            added.update(value if file.name == "added_tokens.json" else tokens_in(value, "added_tokens"))
            special.update(tokens_in(value, "special_tokens"))
    if (unknown := len(special - added)) * (unknown + len(added)) > _COMPARED:
        raise ModelError(
            f"the tokenizer in {folder} names {unknown:,} special tokens that are not among those "
            f"that it adds ({len(added):,})",
            "copy or download it again; this one is damaged, or made to do harm",
        )
    for file in folder.glob("config*.json"):
        require_plausible(file, LARGEST)
    if (folder / "adapter_config.json").is_file():
        raise ModelError(
            f"{folder} is a model and an adapter in one folder",
            "put adapter_config.json and adapter_model.safetensors into a folder of their own: `adapter`",
        )
    if not code and (folder / "custom_generate").exists():
        raise _own_code(folder / "custom_generate", "generate.py")


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
    require_few(file, value)
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


def require_servable(folder: Path, *, code: bool = False) -> None:
    """Refuses a folder that an engine is to load: as `require_safe`, and weights that are no safetensors."""
    require_safe(folder, code=code)
    if (folder / INDEX).is_file() or any(
        file.suffix in {*PICKLES, ".safetensors"} for file in folder.iterdir()
    ):
        require_plausible(folder / "config.json", held_by(folder))


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
