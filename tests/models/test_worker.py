"""One worker: models are loaded when asked for, once, and let go of when they are forgotten."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.worker import LMFacts, Worker
from selfstudy.models.workers import ModelSpec
from selfstudy.recipe import LocalModel, ScriptedModel


def test_it_works_where_the_run_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path.cwd())
    (tmp_path / "script.yaml").write_text("'.': [Yes.]\n")
    spec = ModelSpec("lm", ScriptedModel(path=Path("script.yaml")).model_dump_json())
    Worker("/no/such/folder")
    assert Path.cwd() != tmp_path
    worker = Worker(str(tmp_path))
    found, usage = worker.do(spec, "generate", [chat("Is it?")], GREEDY)
    assert found[0][0].text == "Yes."
    assert usage is not None
    assert (usage.completions, usage.completion_tokens) == (1, 1)
    assert worker.call(spec, "facts") == LMFacts("script.yaml", None, False, None, ())


def test_a_model_is_held_until_it_is_forgotten(tiny_llama: Path) -> None:
    spec = ModelSpec("lm", LocalModel(path=str(tiny_llama), device="cpu").model_dump_json())
    worker = Worker()
    worker.forget(spec)
    facts = worker.call(spec, "facts")
    assert facts.name == str(tiny_llama)
    assert facts.context is not None
    held = weakref.ref(worker._model(spec))
    assert worker._model(spec) is held()
    worker.forget(spec)
    gc.collect()
    assert held() is None
    assert worker.call(spec, "facts") == facts


def test_what_cannot_be_loaded_or_done_is_the_model_s_own_error() -> None:
    with pytest.raises(ModelError, match="nowhere"):
        Worker().call(ModelSpec("lm", LocalModel(path="./nowhere").model_dump_json()), "facts")
