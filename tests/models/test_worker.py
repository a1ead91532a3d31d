"""One worker: models are loaded when asked for, once, and let go of when they are forgotten."""

from __future__ import annotations

import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from selfstudy.errors import ModelError
from selfstudy.models.base import GREEDY, Sampling, chat
from selfstudy.models.remote import permissions
from selfstudy.models.scale import _usual_worker
from selfstudy.models.worker import LMFacts, Worker
from selfstudy.models.workers import ModelSpec
from selfstudy.recipe import LocalModel, RemoteModel, ScriptedModel
from tests.models.remote.faulty_server import FaultyServer, Reaction, Request


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
    assert held() is None
    assert worker.call(spec, "facts") == facts


def test_what_the_run_was_allowed_its_workers_are() -> None:
    """Which key may go where, and what may be asked over plain http, not the keys themselves."""
    spec = ModelSpec("lm", RemoteModel(model="m", base_url="http://gpu-box:8000/v1").model_dump_json())
    with permissions.allowed(["gpu-box:8000"], None):
        make = _usual_worker()
    with permissions.allowed((), None):
        with pytest.raises(ModelError, match="plain http"):
            Worker().call(spec, "facts")
        assert pickle.loads(pickle.dumps(make))().call(spec, "facts").name == "m"


def test_what_cannot_be_loaded_or_done_is_the_model_s_own_error() -> None:
    with pytest.raises(ModelError, match="nowhere"):
        Worker().call(ModelSpec("lm", LocalModel(path="./nowhere").model_dump_json()), "facts")


def test_calls_of_a_remote_model_overlap_and_each_use_is_told_once() -> None:
    """The second is answered while the first still waits for its server."""

    def react(request: Request) -> Reaction:
        return Reaction(delay=2.0 if request.question == "slow?" else 0.0)

    with FaultyServer(react) as server, ThreadPoolExecutor(2) as threads:
        spec = ModelSpec("lm", RemoteModel(model="m", base_url=server.url).model_dump_json(), cache=False)
        worker = Worker()
        used = [worker.do(spec, "generate", [chat("warm?")], GREEDY)[1]]
        slow = threads.submit(worker.do, spec, "generate", [chat("slow?")], GREEDY)
        used.append(worker.do(spec, "generate", [chat("fast?")], GREEDY)[1])
        assert not slow.done()
        used.append(slow.result(20)[1])
    assert sum(one.calls for one in used if one is not None) == 3
    assert sum(one.completions for one in used if one is not None) == 3


def test_a_key_goes_where_the_user_has_said_to_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `--allow-key` does, which no worker reads."""
    monkeypatch.setattr(permissions._said, "entries", ())
    monkeypatch.setenv("MY_TEST_KEY", "sk-of-a-test-0123456789")
    with FaultyServer() as server:
        block = RemoteModel(model="m", base_url=server.url, api_key_env="MY_TEST_KEY")
        spec = ModelSpec("lm", block.model_dump_json(), cache=False)
        with pytest.raises(ModelError, match="was not sent"):
            Worker().call(spec, "facts")
        pair = f"MY_TEST_KEY={urlsplit(server.url).netloc}"
        found, _ = Worker(allowed=[pair]).do(spec, "generate", [chat("allowed?")], GREEDY)
    assert found[0][0].text.startswith("allowed?")


def test_a_forgotten_model_leaves_its_memory_at_once() -> None:
    """Whoever has to have it is another process, and waits for no garbage collection of this one."""

    class Knot:
        def __init__(self) -> None:
            self.itself = self

    worker, spec, model = Worker(), ModelSpec("lm", "{}"), Knot()
    worker._models[spec], held = model, weakref.ref(model)
    del model
    gc.disable()
    try:
        worker.forget(spec)
        assert held() is None
    finally:
        gc.enable()


def test_weights_compute_one_call_at_a_time(tiny_llama: Path) -> None:
    spec = ModelSpec("lm", LocalModel(path=str(tiny_llama), device="cpu").model_dump_json())
    worker = Worker()
    chats = [chat(f"Say {n}") for n in range(3)]
    sampling = Sampling(n=2, max_new_tokens=3)
    alone = worker.do(spec, "generate", chats, sampling)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(worker.do, spec, "generate", chats, sampling) for _ in range(2)]
        assert [one.result(30) for one in both] == [alone, alone]
