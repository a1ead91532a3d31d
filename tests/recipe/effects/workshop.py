"""What observers work with: a folder of tiny models and files, and a server that stands for every host.

Each is made when it is first asked for, and lies there until the process ends.  Observers work in that
folder, and blocks name what lies there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from selfstudy.errors import SelfstudyError
from selfstudy.models.local import loading
from selfstudy.models.remote import permissions
from selfstudy.recipe import Recipe
from selfstudy.run import Run
from tests.conftest import TEMPLATE, make_lm, make_nli
from tests.models.remote.faulty_server import FaultyServer

T = TypeVar("T")
HOST, OTHER_HOST = "one.test", "two.test"
KEYS = {"ONE_KEY": "sk-one-of-the-tests-0a1b2c", "TWO_KEY": "sk-two-of-the-tests-3d4e5f"}
"""Variables of the environment, and what they hold; `KEY_FILE` holds another."""
KEY_FILE = "key"
QUESTIONS = ("What is the capital of Peru?", "Which river flows through Lima?")


@cache
def _made() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="selfstudy-effects-")


def folder() -> Path:
    return Path(_made().name)


@contextlib.contextmanager
def at_work(*names: str) -> Iterator[pytest.MonkeyPatch]:
    """In the folder, with the models and files of these names in it; what is patched lasts as long."""
    for name in names:
        _put(name.rpartition("/")[2])
    with contextlib.chdir(folder()), pytest.MonkeyPatch.context() as patch:
        from huggingface_hub import constants

        patch.setattr(constants, "HF_HUB_CACHE", str(folder() / "hub"))
        patch.setattr(loading, "hub_answers", lambda: False)
        yield patch


def or_said(seen: Callable[[], T]) -> T | str:
    """What it gives, or what it says when it refuses."""
    try:
        return seen()
    except SelfstudyError as error:
        return str(error)


@contextlib.contextmanager
def run_of(recipe: Recipe) -> Iterator[Run]:
    """A new run."""
    with tempfile.TemporaryDirectory() as place, Run.create_or_resume(Path(place) / "run", recipe) as run:
        yield run


@contextlib.contextmanager
def every_host(patch: pytest.MonkeyPatch, **how: Any) -> Iterator[FaultyServer]:
    """The server to which the environment's proxy takes all requests over plain http, and keys to send it."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        patch.delenv(name)
    for name, value in KEYS.items():
        patch.setenv(name, value)
    hosts = (HOST, OTHER_HOST)
    patch.setenv(permissions.HTTP, ",".join(hosts))
    patch.setenv(permissions.KEYS, ",".join(f"{key}={host}" for key in (*KEYS, KEY_FILE) for host in hosts))
    with FaultyServer(**how) as server:
        patch.setenv("http_proxy", server.url.removesuffix("/v1"))
        yield server


def _lm(place: Path, seed: int = 0) -> None:
    make_lm("llama", place, template=TEMPLATE, seed=seed)


def _adapter(place: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    _put("llama")
    model = AutoModelForCausalLM.from_pretrained(str(folder() / "llama"))
    settings = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(model, settings).save_pretrained(str(place))


def _with_code(place: Path) -> None:
    """A model that brings code of its own."""
    _put("llama")
    shutil.copytree(folder() / "llama", place)
    settings = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(settings | {"auto_map": {"AutoModelForCausalLM": "own.M"}}))
    (place / "own.py").write_text("class M: ...\n")


def _t5(place: Path, **more: Any) -> None:
    from tests.models.test_seq2seq_entailment import make_t5

    make_t5(place, **more)


def _encoder(place: Path) -> None:
    """What passes for an encoder until its weights are read."""
    place.mkdir()
    (place / "modules.json").write_text("[]")


def _prompts(place: Path) -> None:
    place.mkdir()
    (place / "answer.txt").write_text("You are terse.\n---\n$question\n")


def _key(place: Path) -> None:
    place.write_text("sk-key-in-a-file-6a7b8c")
    place.chmod(0o600)


_MAKERS: dict[str, Callable[[Path], Any]] = {
    "llama": _lm,
    "llama-2": lambda place: _lm(place, seed=1),
    "adapter": _adapter,
    "coded": _with_code,
    "bert": lambda place: make_nli("bert", place),
    "bert-2": lambda place: make_nli("bert", place, ("entailment", "neutral", "contradiction")),
    "t5": _t5,
    "t5-2": lambda place: _t5(place, num_decoder_layers=1),
    "encoder": _encoder,
    "questions.txt": lambda place: place.write_text("\n".join(QUESTIONS)),
    "key.jsonl": lambda place: place.write_text(json.dumps({"question": QUESTIONS[0], "answer": "Lima"})),
    "prompts": _prompts,
    KEY_FILE: _key,
}


def _put(name: str) -> None:
    place = folder() / name
    if name not in _MAKERS or place.exists():
        return
    _MAKERS[name](place)


def on_the_hub(name: str) -> str:
    """The Hub id of a model that is in the Hub's cache; its branch `v2` has the weights of NAME-2."""
    root = folder() / "hub" / f"models--org--{name}"
    for branch, of in (("main", name), ("v2", f"{name}-2")):
        _put(of)
        commit = (branch.encode().hex() * 40)[:40]
        if not (root / "refs" / branch).exists():
            shutil.copytree(folder() / of, root / "snapshots" / commit)
            (root / "refs").mkdir(exist_ok=True)
            (root / "refs" / branch).write_text(commit)
    return f"org/{name}"


def sentence_transformers() -> SimpleNamespace:
    """Stands for the package, whose import takes five seconds: it gives back what it is told to load."""

    class Encoder:
        def __init__(self, where: str, device: str, **_: Any) -> None:
            self.where, self.device = where, device
            self.tokenizer = SimpleNamespace(all_special_tokens=[], added_tokens_decoder={})

    return SimpleNamespace(SentenceTransformer=Encoder)
