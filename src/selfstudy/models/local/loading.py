"""Finds a model's files, picks its device and number type, and turns loading trouble into a ModelError.

Knows nothing of what the model is for.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch

from selfstudy.errors import ModelError, SelfstudyError
from selfstudy.files import reading
from selfstudy.models.local import gguf
from selfstudy.models.local.panics import is_panic
from selfstudy.records import digest
from selfstudy.text import shortened

PACKAGED = "atlas"
"""The alias of the models that are shipped in the package."""
HUB_SECONDS = 10.0
"""How long the Hub may take to answer a call."""


def locate(path: str, packaged: str | None = None, marker: str = "config.json") -> tuple[str, bool]:
    """The folder, GGUF file or Hub id that `path` means, and whether it is here.

    Args:
        path: a folder, a Hub id (`name` or `owner/name`), or the alias `atlas`.
        packaged: which of the packaged models the alias means, "lm" or "nli"; None = the alias means nothing.
        marker: the file that makes a folder a model.

    Raises:
        ModelError: `path` can only be a folder and is not there.
    """
    if packaged is not None and path == PACKAGED:
        folder = Path(__file__).resolve().parents[2] / "atlas" / packaged
        if not (folder / "config.json").is_file():
            raise ModelError(
                f"the packaged model atlas/{packaged} is not in this installation ({folder})",
                "build it with `selfstudy-atlas build`, or install a released package",
            )
        return str(folder), True
    folder = reading.expanded(path)
    if reading.is_folder(folder):
        if not (folder / marker).is_file():
            quantised = gguf.files_of(folder)
            if len(quantised) == 1 and packaged == "lm":
                return str(quantised[0]), True
            if quantised:
                raise _gguf(quantised, packaged)
            raise ModelError(
                f"{folder} holds no {marker}, so it is not a model folder",
                f"point to the folder that holds {marker} and *.safetensors",
            )
        return str(folder), True
    if reading.is_file(folder):
        if folder.suffix.lower() == gguf.SUFFIX or gguf.is_gguf(folder):
            if packaged == "lm":
                return str(folder), True
            raise _gguf([folder], packaged)
        raise ModelError(
            f"{str(folder)!r} is a file, not a model folder",
            f"give the folder that holds {marker} and *.safetensors: {folder.parent}",
        )
    if reading.exists(folder) or not is_hub_id(path):
        raise ModelError(
            f"no model folder at {shortened(repr(path), 300)}",
            "check the path, or give a Hub id such as owner/name",
        )
    return path, False


def is_hub_id(path: str) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(path)
    except HFValidationError:
        return False
    return path[:1] not in {".", "/", "~"}


def _gguf(files: list[Path], packaged: str | None) -> ModelError:
    if packaged == "lm":
        names = ", ".join(file.name for file in files[:3])
        return ModelError(f"{files[0].parent} holds {len(files)} GGUF files ({names})", "name one of them")
    return ModelError(
        f"{str(files[0])!r} is a GGUF file, which only a language model may be",
        "give the folder with the safetensors that it was made from",
    )


def pad_id(tokenizer: Any, model: Any) -> int | None:
    """The tokenizer's pad token if the model has an embedding for it, else 0: padding is masked, any will do.

    None if the tokenizer does not pad.
    """
    pad: int | None = tokenizer.pad_token_id
    if pad is not None and not 0 <= pad < model.get_input_embeddings().weight.shape[0]:
        return 0
    return pad


def fingerprint(path: str, is_folder: bool, revision: str | None = None) -> str:
    """What makes loaded weights the same ones, wherever they lie: their commit on the Hub, or their files.

    Args:
        path, is_folder: see `locate`.
    """
    if is_folder:
        folder = Path(path)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        stats = [(file.relative_to(folder), file.stat()) for file in files]
        return digest(*(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats))
    config = cached(path, "config.json", revision)
    return digest(path, config.parent.name if config is not None else str(revision))


def cached(hub_id: str, name: str, revision: str | None = None) -> Path | None:
    """A file of a model in the Hub's cache; None if it is not there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub_id, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def hub_answers() -> bool:
    """Whether the Hub takes a connection. Loading without it would retry for minutes before it says so."""
    from huggingface_hub import constants

    if getproxies():
        return True  # the proxy makes the connection
    hub = urlsplit(constants.ENDPOINT)
    port = hub.port or (80 if hub.scheme == "http" else 443)
    try:
        socket.create_connection((hub.hostname or "", port), HUB_SECONDS).close()
    except OSError:
        return False
    return True


def pick_device(device: str) -> torch.device:
    """`auto` is the CUDA (or ROCm) accelerator where there is one, else the CPU; others are torch's names.

    Raises:
        ModelError: torch does not know the device, or this machine does not have it.
    """
    if device == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        # of several processes on one machine each has its own
        rank = os.environ.get("LOCAL_RANK", "")
        own = rank.isdecimal() and int(rank) < torch.cuda.device_count()
        return torch.device(f"cuda:{int(rank)}" if own else "cuda")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError(
            f"device {device!r} cannot be used: {_line(error)}", "use auto, cpu or cuda:0"
        ) from None
    return chosen


def pick_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 on an accelerator that computes in it, float16 on an older one, float32 on the CPU.

    Why float32 on the CPU: on a processor with native bfloat16 instructions (AVX512-BF16, 4.9 M parameters,
    hidden 256) bfloat16 took 0.6 of the time per decoded row, without them it is emulated and slower.
    But its rounding makes logits depend visibly on how the batch was cut, so that the same seed samples
    other texts on another machine; and adapters are trained in float32.  Say `bfloat16` to have it.
    """
    if dtype != "auto":
        chosen: torch.dtype = getattr(torch, dtype)
        return chosen
    if device.type == "cuda":
        return torch.bfloat16 if has_bfloat16(device) else torch.float16
    return torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Whether this is a card that computes in bfloat16."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Progress bars and notes of transformers are silent: the caller reports progress."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def explained(path: str, is_folder: bool) -> Iterator[None]:
    """Turns what transformers raises while it loads `path` into a ModelError that says what to do."""
    try:
        with quiet():
            yield
    except SelfstudyError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        if is_out_of_memory(error):
            raise ModelError(
                f"model {path!r} does not fit into memory", "use a smaller model, or dtype: bfloat16"
            ) from None
        if (absent := _absent_package(path, is_folder)) is not None:
            file, package = absent
            raise ModelError(
                f"the tokenizer of model {path!r} is in {file}, which needs the package {package!r}",
                f"pip install {package}, or save the tokenizer as tokenizer.json where that is installed",
            ) from None
        raise ModelError(
            f"model {path!r} cannot be loaded: {_line(error)}", _hint(error, is_folder)
        ) from None


@contextmanager
def computing(name: str) -> Iterator[None]:
    """Turns what a loaded model raises where it computes into a ModelError, as where a config does not fit.

    Memory that runs out stays what it is, and so does trouble with files and time.
    """
    try:
        yield
    except (SelfstudyError, MemoryError, OSError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        said = f"{type(error).__name__}: {_line(error)}"
        if _is_of_device(error):
            raise ModelError(
                f"model {name!r}: its device failed: {said}",
                "give the same command again; if it fails again, try it with `device: cpu`: that tells "
                "whether the device or its driver is the cause, or the model's files",
            ) from error
        raise ModelError(
            f"model {name!r} fails where it computes: {said}",
            "perhaps its config.json does not fit its weights or its tokenizer: copy or download all of it "
            "again, or use another model; if other models fail too, please report it",
        ) from error


def _is_of_device(error: Exception) -> bool:
    """Whether CUDA or its driver says so: what fails there fails again until the process ends."""
    kind = getattr(torch, "AcceleratorError", None)  # torch 2.8 and newer
    return (kind is not None and isinstance(error, kind)) or (
        isinstance(error, RuntimeError) and str(error).startswith(("CUDA error", "CUDA driver error"))
    )


def _absent_package(path: str, is_folder: bool) -> tuple[str, str] | None:
    """The tokenizer's file and the package that it lacks, where a folder has no tokenizer.json."""
    folder = reading.expanded(path)
    if not is_folder or (folder / "tokenizer.json").is_file():
        return None
    for file in sorted(folder.glob("*.model")):
        # a SentencePiece model is a protocol buffer, a tiktoken file is lines of text
        packages = ("sentencepiece", "google.protobuf") if reading.begins(file, b"\n") else ("tiktoken",)
        for package in packages:
            try:
                present = find_spec(package) is not None
            except ModuleNotFoundError:
                present = False
            if not present:
                return file.name, package.replace("google.", "")
    return None


def _hint(error: BaseException, is_folder: bool) -> str:
    text = f"{type(error).__name__} {error}".lower()
    if "trust_remote_code" in text:
        return "it needs its own code, which is not run; docs/models.md says what to do"
    if "safetensor" in type(error).__name__.lower() or "header" in text or "incomplete metadata" in text:
        return "its safetensors file is damaged or cut short: copy or download it again"
    if "safetensors" in text:
        return "only safetensors weights are loaded: convert it with model.save_pretrained(folder)"
    if is_folder:
        return "the folder must hold config.json, *.safetensors and the tokenizer's files, all of one model"
    return "check the id and the network (a gated model needs HF_TOKEN), or download it and give its folder"


def _line(error: BaseException) -> str:
    """The first line of an error's message, at most 300 characters."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on an accelerator or the CPU."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        said in text for said in ("not enough memory", "can't allocate memory", "out of memory")
    )


def unused_memory(device: torch.device) -> int:
    """Bytes that more can be put into, on an accelerator or in this machine."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + unused)
    import psutil

    return int(psutil.virtual_memory().available)


def free_memory(device: torch.device) -> None:
    """Gives the accelerator's cached blocks back, after an attempt that ran out of memory."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
