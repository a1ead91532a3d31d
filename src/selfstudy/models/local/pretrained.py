"""The one place where files of others become models: every `from_pretrained` of the house is here.

Whatever is loaded, be it a language model, an entailment model, an encoder, a tokenizer or an adapter, and be
it from a folder or the Hub: its small files are looked at first (`untrusted`), trust_remote_code is said,
weights are safetensors, and nobody is asked on stdin.  Knows nothing of what a model is for.
"""

from __future__ import annotations

import copy
import glob
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch

from selfstudy.errors import MissingExtraError, ModelError
from selfstudy.files import reading
from selfstudy.models.local import converted, gguf, gguf_words, headers, loading, small_files, untrusted
from selfstudy.models.local.panics import panics_as_errors

TRUSTED = "SELFSTUDY_TRUST_REMOTE_CODE"
"""The environment variable that names the models whose own code may run, as recipes do, with commas between.

A recipe comes from anybody; the environment is the user's own.
"""
RemoteCode = bool | Literal["ignore"]
_SAID = "The quick brown fox, 12."
"""What every tokenizer is asked to read."""
_SMALL = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "*.py", "*.vocab")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's folder that may be read.

    Attributes:
        name: what messages call the model.
        folder: its files; those of a Hub id are in the Hub's cache.
        path: what transformers is to call it: the folder or the Hub id.
        trusted: whether its own code may run.
        fetched: whether the folder is the Hub's cache, into which more of the model can be fetched.
        gguf: the name of the GGUF file in the folder that is all of the model, while it is converted.
    """

    name: str
    folder: Path
    path: str
    trusted: bool = False
    fetched: bool = False
    gguf: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """What every `from_pretrained` is told."""
        how: dict[str, Any] = {"trust_remote_code": self.trusted, "local_files_only": not self.trusted}
        return how | {"gguf_file": self.gguf} if self.gguf else how


def source(
    name: str,
    path: str,
    is_folder: bool,
    revision: str | None = None,
    remote_code: RemoteCode = False,
    say: Callable[[str], object] = lambda text: None,
) -> ModelFiles:
    """The folder of a model, looked at; a GGUF file is converted into one, the first time.

    Args:
        path, is_folder: see `loading.locate`.
        remote_code: what the recipe says of the model's own code: refuse it, leave it alone ("ignore"), or
            run it, which a recipe alone cannot allow (`TRUSTED`).
        say: told of a conversion, which takes minutes.

    Raises:
        ModelError: it brings code of its own, or files that are no settings.
    """
    if is_folder and Path(path).is_file():
        folder = _of_gguf(name, Path(path), say)
        untrusted.require_safe(folder)
        return ModelFiles(name, folder, path)
    trusted = remote_code is True
    if trusted and name not in os.environ.get(TRUSTED, "").split(","):
        raise ModelError(
            f"the recipe asks to run the own code of model {name!r}, which a recipe alone cannot allow",
            f"read that code; to let it run, set {TRUSTED}={name} in the environment",
        )
    folder = Path(path) if is_folder else _fetched(path, revision, _SMALL)
    untrusted.require_safe(folder, code=remote_code is not False)
    return ModelFiles(name, folder, path, trusted, fetched=not is_folder)


def numbers_of(path: str, revision: str | None = None) -> int | None:
    """About how many weights a model on this machine has, by the headers of its files.

    Returns:
        None: it is not here, or its weights are packed, of which headers do not tell.

    Raises:
        ModelError: there is no such folder, or its files are damaged.
    """
    place, is_folder = loading.locate(path, "lm")
    folder = Path(place)
    if is_folder and reading.is_file(folder):
        return gguf.stored(folder).numbers
    if not is_folder:
        config = loading.cached(place, "config.json", revision)
        if config is None or not any(config.parent.glob("*.safetensors")):
            return None
        folder = config.parent
    settings = small_files.read_json(folder / "config.json", small_files.MAX_CONFIG)
    packed = isinstance(settings, dict) and settings.get("quantization_config")
    return None if packed else headers.held_by(folder).numbers


def _of_gguf(name: str, file: Path, say: Callable[[str], object]) -> Path:
    """The folder that a GGUF file was converted into, with float32 weights, which hold all that it says.

    Each time transformers reads such a file takes about a minute for a vocabulary of 262,144.
    """
    if find_spec("gguf") is None:
        raise MissingExtraError("gguf", "gguf", f"the model {name!r}")
    held = gguf.stored(file)
    version = f"3 gguf {metadata.version('gguf')} transformers {metadata.version('transformers')}"

    def make(folder: Path) -> None:
        from transformers import AutoModelForCausalLM

        # in a folder of its own: what lies beside it may be of another model
        with tempfile.TemporaryDirectory(prefix="selfstudy-gguf-") as alone:
            link = Path(alone, f"model{gguf.SUFFIX}")
            link.symlink_to(file.resolve())
            alike = ModelFiles(name, link.parent, str(file), gguf=link.name)
            read_weights(AutoModelForCausalLM, alike, torch.float32).save_pretrained(folder)
            tokenizer = read_tokenizer(alike)
            tokenizer.save_pretrained(folder)
        gguf_words.mend(folder, gguf.whole_words(file))
        _require_same_words(tokenizer, read_tokenizer(ModelFiles(name, folder, str(file))), name)

    return converted.conversion(file, version, 4 * held.numbers, make, say)


def _require_same_words(tokenizer: Any, written: Any, name: str) -> None:
    """Refuses a tokenizer that reads otherwise once written: transformers 5.17 made letters of Gemma's words.

    Raises:
        ModelError: it does.
    """
    one, other = (read(_SAID, add_special_tokens=False)["input_ids"] for read in (tokenizer, written))
    if one != other:
        raise ModelError(
            f"transformers {metadata.version('transformers')} does not read the words of {name!r} rightly: "
            f"{_SAID!r} was {len(one)} tokens, and is {len(other)} now that its tokenizer is written",
            "a newer one may: pip install -U transformers; or give the model as a folder of safetensors",
        )


def _fetched(hub_id: str, revision: str | None, names: Sequence[str]) -> Path:
    """The folder of a Hub id in the Hub's cache, after the files of these names were downloaded."""
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            hub_id,
            revision=revision,
            allow_patterns=list(names),
            local_files_only=not loading.hub_answers(),
        )
    )


def read_config(source: ModelFiles) -> Any:
    """A model's configuration, without a pad token that it has no embedding for.

    Padding is masked everywhere, so the model needs none, and torch refuses one that is too large.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(source.folder), **source.options)
    for part in (config, config.get_text_config()):
        pad, size = getattr(part, "pad_token_id", None), getattr(part, "vocab_size", None)
        if pad is not None and size is not None and not 0 <= pad < size:
            part.pad_token_id = None
    return config


def read_tokenizer(source: ModelFiles) -> Any:
    """A model's tokenizer; without its vocabulary transformers would make an empty one, which reads nothing.

    Raises:
        ValueError: it has no vocabulary.
        ModelError: it fails on a plain text.
    """
    from transformers import AutoTokenizer

    with panics_as_errors(f"the tokenizer in {source.folder} (tokenizer.json)"):
        tokenizer = AutoTokenizer.from_pretrained(str(source.folder), **source.options)
        if not tokenizer(_SAID, add_special_tokens=False)["input_ids"]:
            raise ValueError("its tokenizer has no vocabulary")
    tokenizer.name_or_path = source.path
    return tokenizer


def _weights(source: ModelFiles, part: Path) -> headers.Stored:
    """What the weights in a folder of a source hold, fetched if need be; its config is held against them."""
    if source.fetched:
        where = part.relative_to(source.folder)
        names = headers.named_weights(part)
        commit = source.folder.name  # of the settings that were looked at
        _fetched(source.path, commit, [glob.escape(str(where / name)) for name in names])
    held = headers.held_by(part)
    for file in part.glob("config*.json"):
        headers.require_plausible(file, held)
    return held


def read_weights(auto: Any, source: ModelFiles, dtype: torch.dtype, **how: Any) -> Any:
    """The model that an Auto class of transformers makes of a folder, from safetensors alone, on the CPU.

    Args:
        how: more that `from_pretrained` is told, such as another device.

    Raises:
        ModelError: weights are missing, have the wrong shape, are fewer by far than the config claims, or are
            those of bitsandbytes.
    """
    held = gguf.stored(Path(source.path)) if source.gguf else _weights(source, source.folder)
    config = read_config(source)
    _require_unpacked(source, config, packing="quantization_config" in how)
    if not source.trusted and (claimed := _claimed(auto, config, dtype)) is not None:
        headers.require_fitting(source.folder, claimed, held)
    model, info = auto.from_pretrained(
        str(source.folder),
        config=config,
        dtype=dtype,
        use_safetensors=None if source.gguf else True,
        output_loading_info=True,
        **source.options,
        **how,
    )
    check_complete(source.name, info)
    if source.gguf:  # its numbers are floats now
        del model.config.quantization_config
        model.hf_quantizer = None
    model.name_or_path = model.config.name_or_path = source.path
    return model


def _require_unpacked(source: ModelFiles, config: Any, *, packing: bool) -> None:
    """Refuses weights that are in few bits already, if bitsandbytes would read them: it checks no sizes.

    Args:
        packing: whether they are to be held in few bits.

    Raises:
        ModelError: they are.
    """
    stored = getattr(config, "quantization_config", None)
    if not stored or source.gguf:
        return
    given = stored.get("quant_method") if isinstance(stored, dict) else getattr(stored, "quant_method", "")
    method = str(getattr(given, "value", given))
    if packing or method.startswith("bitsandbytes"):
        raise ModelError(
            f"model {source.name!r} is quantised already ({method[:40]})",
            "give it with weights of 16 or 32 bits; load_in_4bit: true makes 4 bits of these",
        )


def without_weights(auto: Any, source: ModelFiles, dtype: torch.dtype) -> Any:
    """The model that an Auto class makes of a folder's config, on the device `meta`, which holds no numbers.

    With weights, on the CPU, if its architecture cannot be made without.

    Raises:
        ModelError: see `read_weights`.
    """
    bones = _bones(auto, read_config(source), dtype)
    return read_weights(auto, source, dtype) if bones is None else bones


def _bones(auto: Any, config: Any, dtype: torch.dtype) -> Any:
    """A model of which nothing is allocated, however large it is; None if its architecture cannot be that."""
    try:
        with torch.device("meta"):
            return auto.from_config(copy.deepcopy(config), dtype=dtype, trust_remote_code=False)
    except (NotImplementedError, RuntimeError):  # it computes with its shapes, which are not there
        return None


def _claimed(auto: Any, config: Any, dtype: torch.dtype) -> int | None:
    """Numbers of the parameters and buffers that a config describes; None if its architecture cannot tell."""
    bones = _bones(auto, config, dtype)
    if bones is None:
        return None
    claimed: int = sum(one.numel() for one in (*bones.parameters(), *bones.buffers()))
    return claimed


def check_complete(path: str, info: dict[str, Any]) -> None:
    """Refuses a model whose weights were partly missing: transformers would fill them with random numbers.

    Raises:
        ModelError: weights are missing or have the wrong shape.
    """
    missing = sorted(info["missing_keys"]) + sorted(
        str(item[0]) for item in info.get("mismatched_keys") or ()
    )
    if missing:
        names = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise ModelError(
            f"model {path!r} has no usable weights for {names}",
            "give a model that was trained for this task; untrained weights would answer at random",
        )


def read_encoder(source: ModelFiles, device: torch.device) -> Any:
    """The sentence-transformers model in a folder.

    Raises:
        ModelError: it names classes that are not sentence-transformers' own, or other weights.
    """
    from sentence_transformers import SentenceTransformer

    for kind, part in untrusted.encoder_parts(source.folder):
        if kind in untrusted.WITH_WEIGHTS:
            _weights(source, part)
    return SentenceTransformer(
        str(source.folder),
        device=str(device),
        model_kwargs={"use_safetensors": True},
        trust_remote_code=False,
        local_files_only=True,
    )


def read_adapter(model: Any, folder: Path, config: Any) -> tuple[Any, Any]:
    """The peft model of `model` and the adapter in `folder`, and what peft says of keys that did not fit.

    Args:
        config: what `read_adapter_config` returned.
    """
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is refused by the caller
        wrapped = PeftModel.from_pretrained(model, str(folder), config=config)
        return wrapped, wrapped.load_adapter(str(folder), "default", torch_device=str(model.device))


def read_adapter_config(folder: Path) -> Any:
    """The settings of an adapter that was looked at (`adapted.require_sound`)."""
    from peft import PeftConfig

    return PeftConfig.from_pretrained(str(folder))
