"""Stands for Ray, where each worker would take seconds to start: its actors are objects in this process."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from selfstudy.models.scale import RayWorkers
from selfstudy.models.workers import ModelSpec
from selfstudy.recipe import ScaleBlock
from selfstudy.version import __version__


class RayHere:
    """As much of the package as the workers of a run use.

    Attributes:
        module: to be imported as `ray`.
        begun: what it was started with.
        greeted: workers that said hello.
        asked: how often one was asked to work.
        options: what each worker needs.
    """

    def __init__(self) -> None:
        self.begun: dict[str, Any] = {}
        self.greeted = 0
        self.asked = 0
        self.options: dict[str, Any] = {}
        self._error = error = type("RayError", (Exception,), {})
        self.module: Any = SimpleNamespace(
            is_initialized=lambda: False,
            init=self.begun.update,
            shutdown=lambda: None,
            remote=self._remote,
            get=lambda made: made(),
            wait=lambda made, **_: (made, []),
            put=lambda value: value,
            kill=lambda actor: None,
            nodes=lambda: [{"Alive": True, "Resources": {"CPU": 64.0, "GPU": 8.0}}],
            cloudpickle=SimpleNamespace(dumps=lambda made: [made], loads=lambda made: made[0]),
            job_config=SimpleNamespace(JobConfig=SimpleNamespace),
            exceptions=SimpleNamespace(RayError=error, RayTaskError=type("RayTaskError", (error,), {})),
            _private=SimpleNamespace(ray_constants=SimpleNamespace(ENABLE_RAY_CLUSTER=False)),
        )

    def tried(self, block: ScaleBlock) -> object:
        """What is started for a block, and what becomes of an item with which each worker is lost."""
        workers = RayWorkers(block)
        try:
            found = [done.results for done in workers.share(ModelSpec("lm", "{}"), "generate", [["item"]])]
        finally:
            workers.close()
        needs = self.options["num_cpus"], self.options["num_gpus"]
        return self.begun["num_cpus"], needs, self.greeted, found, self.asked

    def _remote(self, _: type) -> Any:
        methods = {"hello": self._hello, "work": self._work}
        actor = {name: SimpleNamespace(remote=_referred_to(method)) for name, method in methods.items()}
        made = SimpleNamespace(remote=lambda: SimpleNamespace(**actor))

        def options(**given: Any) -> Any:
            self.options = given
            return made

        return SimpleNamespace(options=options)

    def _hello(self) -> dict[str, str]:
        self.greeted += 1
        return {"host": "here", "ip": "127.0.0.1", "version": __version__, "error": ""}

    def _work(self) -> Any:
        self.asked += 1
        raise self._error("the actor's process has died")


def _referred_to(method: Callable[[], Any]) -> Callable[..., Callable[[], Any]]:
    """A reference to an answer; who asks for it has the method called."""
    return lambda *_: lambda: method()
