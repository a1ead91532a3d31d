"""Workers as Ray actors, on this machine or a cluster: the only file that imports ray.

Ray places processes, moves what they are asked and answer, and tells when one is gone; what is computed next
is sharing.py's business, and results are kept by the run alone.  No variable of this environment, and no
file, is sent to other machines: a worker finds keys and models where it runs, and is told which key may go
where.  A Ray cluster runs whatever is sent to it, by whomever it can be reached: it belongs on a private
network.  The one that is started here listens on 127.0.0.1 only, and takes nothing without a token that is
made for it.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from selfstudy.errors import MissingExtraError, ModelError
from selfstudy.models.cluster_address import foreign_folder
from selfstudy.models.cluster_connection import QUIET, RayConnection, trial, variables
from selfstudy.models.cluster_nodes import have, need, reason, room, unfit
from selfstudy.models.sharing import Sharing, UnitPart
from selfstudy.models.workers import Done, Lost, ModelSpec
from selfstudy.recipe.scale import ScaleBlock
from selfstudy.text import clean, one_line
from selfstudy.version import __version__

START_SECONDS = 60.0
"""Until the first worker is there."""
OTHERS_SECONDS = 20.0
"""Until a run begins without those that are not there yet."""
REPLACE_SECONDS = 60.0
"""Longest wait for a worker that takes another's place, and until a missing one is asked for again."""
ALONE_SECONDS = 60.0
"""How long a call goes on without any worker."""
AGAIN_SECONDS = 5.0
"""Until one is asked for again when there is no other, or when its node died."""
FORGET_SECONDS = 60.0
"""Until a worker has let go of a model."""
TICK_SECONDS = 1.0
AHEAD = 2
"""Parts that a worker has: the one it computes, and the next; a model behind a URL works at both."""
INLINE_BYTES = 100_000
"""Up to this size what all units of a call are given goes with each; above, to the object store, once."""
STRIKES = 3
"""Errors of a model in a row, after which its worker is replaced: its accelerator may be at fault."""
HOPELESS = (3, 10)
"""Times `scale.tries`, failures in a row that end a call: of what has never been done, and of what has."""


@dataclass(slots=True, eq=False)
class _Copy:
    """An actor, from when it is asked for until it is lost.

    Attributes:
        slot: which of the workers it is; what replaces it has the same.
        asked: when it was asked for, by time.monotonic.
        place: the node on which it is.
        queue: what it has been asked and has not answered, in the order in which it computes that.
        strikes: errors in a row.
    """

    slot: int
    actor: Any
    asked: float
    place: str = ""
    queue: list[Any] = field(default_factory=list)
    strikes: int = 0


AskActor = Callable[[Any, Sequence[Any]], Any]
"""Asks an actor to work at some items: a reference to its reply."""


class RayWorkers:
    """`Workers` of a recipe's block `scale`."""

    def __init__(
        self, block: ScaleBlock, say: Callable[[str], object] = lambda line: None, worker: type | None = None
    ) -> None:
        """Connects, and starts the workers.

        Args:
            say: told in one line of workers that start, are lost, or are not to be had.
            worker: whose objects do the work; None: `models.worker.Worker`.

        Raises:
            MissingExtraError: ray is not installed.
            ModelError: no cluster answers, it has not what one worker needs, or cannot run one.
        """
        self._block = block
        self._say = say
        self._living: dict[int, _Copy] = {}
        self._starting: dict[Any, _Copy] = {}
        self._missing: dict[int, float] = {}
        self._last = ""  # what last went wrong, in words
        self._unfit = ""  # what is wrong with a node
        self._proven: set[tuple[ModelSpec, str]] = set()
        self._ray = _import_ray()
        self._connection = RayConnection(self._ray, block)
        try:
            self._actor = self._ray.remote(_actor_class())
            self._code = self._ray.cloudpickle.dumps(_usual_worker() if worker is None else worker)
            self._open()
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        return self._block.workers

    def call(self, spec: ModelSpec, method: str, *arguments: Any) -> Any:
        def send(actor: Any, items: Sequence[Any]) -> Any:
            return actor.work.remote("call", spec, method, items)

        (done,) = self._work(Sharing([[arguments]], self._block.tries), send, (spec, method))
        (result,) = done.results
        if isinstance(result, Lost):
            raise ModelError(f"no worker could do {method!r} of a model: it {result.error}", _LOOK)
        return result

    def share(
        self, spec: ModelSpec, method: str, units: Sequence[Sequence[Any]], *common: Any
    ) -> Iterator[Done]:
        large = len(self._ray.cloudpickle.dumps(common)) > INLINE_BYTES
        given = self._ray.put(common) if large else common  # freed with the last reference, when this ends

        def send(actor: Any, items: Sequence[Any]) -> Any:
            return actor.work.remote("do", spec, method, items, given)

        yield from self._work(Sharing(units, self._block.tries), send, (spec, method))

    def forget(self, spec: ModelSpec) -> None:
        asked = {copy.actor.work.remote("forget", spec): copy for copy in self._living.values()}
        if asked:
            _, late = self._ray.wait(list(asked), num_returns=len(asked), timeout=FORGET_SECONDS)
            for ref in late:
                self._lose(asked[ref], "it did not let go of a model")

    def close(self) -> None:
        for copy in [*self._living.values(), *self._starting.values()]:
            self._kill(copy)
        self._living.clear()
        self._starting.clear()
        self._connection.close()

    # workers

    def _open(self) -> None:
        """Until all are there that find room, or those that are quick."""
        now = time.monotonic()
        wanted = min(self.count, room(self._ray.nodes(), self._block))
        self._missing = dict.fromkeys(range(wanted, self.count), now)
        for slot in range(wanted):
            self._start(slot)
        while self._starting and time.monotonic() - now < (OTHERS_SECONDS if self._living else START_SECONDS):
            ready, _ = self._ray.wait(list(self._starting), timeout=TICK_SECONDS)
            for ref in ready:
                if not self._greeted(ref) and self._unfit:
                    raise ModelError(self._last, _install())
        if not self._living:
            raise ModelError(*self._no_room())
        places = Counter(copy.place for copy in self._living.values())
        where = ", ".join(f"{count} on {place}" for place, count in sorted(places.items()))
        fewer = "" if len(self._living) == self.count else f" of {self.count}"
        short = f"; {have(self._ray.nodes())}, and each needs {need(self._block)}" if fewer else ""
        self._say(f"workers: {len(self._living)}{fewer} ({where}){short}")

    def _no_room(self) -> tuple[str, str]:
        free = self._ray.available_resources()
        last = f" ({self._last})" if self._last else ""
        return (
            f"{self._connection.name} has no room for a worker, which needs {need(self._block)}: "
            f"{have(self._ray.nodes())}; free are {free.get('CPU', 0):g} and {free.get('GPU', 0):g}{last}",
            "ask for less (scale.cpus, scale.gpus), add nodes, or wait until others have finished",
        )

    def _start(self, slot: int) -> None:
        self._missing.pop(slot, None)
        actor = self._actor.options(
            num_cpus=self._block.cpus,
            num_gpus=self._block.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=AHEAD,
            scheduling_strategy="SPREAD",
        ).remote()
        threads = max(1, int(self._block.cpus))
        ref = actor.hello.remote(self._code, threads, self._block.gpus > 0, foreign_folder())
        self._starting[ref] = _Copy(slot, actor, time.monotonic())

    def _greeted(self, ref: Any) -> bool:
        """Whether a worker that has started can work."""
        copy = self._starting.pop(ref)
        since = time.monotonic()
        try:
            hello = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            problem = f"a worker of {self._connection.name} could not start: {reason(str(error))}"
            since -= REPLACE_SECONDS - AGAIN_SECONDS  # its node may be dead, which Ray is about to see
        else:
            copy.place = f"{clean(hello['host'])} ({clean(hello['ip'])})"
            problem = self._unfit = unfit(copy.place, hello)
        if not problem:
            self._living[copy.slot] = copy
            return True
        self._last = problem
        self._miss(copy, since)
        return False

    def _miss(self, copy: _Copy, since: float) -> None:
        self._kill(copy)
        self._missing[copy.slot] = since

    def _lose(self, copy: _Copy, why: str) -> None:
        if self._living.get(copy.slot) is copy:
            del self._living[copy.slot]
            self._kill(copy)
            self._last = f"the worker on {copy.place} was lost ({why})"
            self._say(f"{self._last}; another is started")
            self._start(copy.slot)

    def _kill(self, copy: _Copy) -> None:
        with suppress(Exception):  # it may be gone, or the cluster with it
            self._ray.kill(copy.actor)

    def _tend(self) -> None:
        """Takes in workers that come, gives up those that do not, asks again for those that are missing."""
        started, _ = self._ray.wait(list(self._starting), timeout=0) if self._starting else ([], [])
        for ref in started:
            copy = self._starting[ref]
            self._say(f"a worker started on {copy.place}" if self._greeted(ref) else self._last)
        now = time.monotonic()
        for ref, copy in list(self._starting.items()):
            if now - copy.asked > REPLACE_SECONDS:
                del self._starting[ref]
                self._miss(copy, now)
                self._say(f"no other worker is to be had for now: going on with {len(self._living)}")
        patience = REPLACE_SECONDS if self._living else AGAIN_SECONDS
        due = [slot for slot, since in self._missing.items() if now - since > patience]
        free = room(self._ray.nodes(), self._block) - len(self._living) - len(self._starting) if due else 0
        for slot in due[: max(0, free)]:
            self._start(slot)

    # work

    def _work(self, sharing: Sharing, send: AskActor, asked: tuple[ModelSpec, str]) -> Iterator[Done]:
        pending: dict[Any, tuple[_Copy, UnitPart]] = {}
        alone = time.monotonic()
        try:
            while not sharing.finished:
                self._tend()
                if self._living:
                    alone = time.monotonic()
                self._hand_out(sharing, pending, send)
                for ref in self._ready(pending):
                    done = self._settled(ref, *pending.pop(ref), sharing)
                    if sharing.succeeded:
                        self._proven.add(asked)
                    if done is not None:
                        yield done
                        alone = time.monotonic()  # whoever was given it took its time
                self._must_be_hopeful(sharing.fruitless, asked in self._proven, time.monotonic() - alone)
        finally:
            for copy in {copy for copy, _ in pending.values()}:  # nobody waits for it any more
                if self._living.get(copy.slot) is copy:
                    del self._living[copy.slot]
                    self._miss(copy, float("-inf"))

    def _hand_out(self, sharing: Sharing, pending: dict[Any, tuple[_Copy, UnitPart]], send: AskActor) -> None:
        """Gives each worker a part, then each the next one, unless others will be free for that sooner.

        What has failed before is alone with its worker, so that none else is blamed for what it does.
        """
        busy: Counter[int] = Counter()
        for copy, part in pending.values():
            busy[copy.slot] += AHEAD if part.failed_on else 1
        for ahead in range(AHEAD):
            for slot, copy in self._living.items():
                if busy[slot] > ahead or (ahead and sharing.waiting <= len(self._living)):
                    continue
                taken = sharing.take(slot, self._living.keys(), fresh=ahead > 0)
                if taken is not None:
                    ref = send(copy.actor, taken.items)
                    copy.queue.append(ref)
                    pending[ref] = copy, taken
                    busy[slot] += AHEAD if taken.failed_on else 1

    def _ready(self, pending: Mapping[Any, Any]) -> list[Any]:
        """Those that have been answered, or will never be, in the order in which they were asked."""
        awaited = [*pending, *self._starting]
        if not awaited:
            time.sleep(TICK_SECONDS)
            return []
        self._ray.wait(awaited, timeout=TICK_SECONDS)
        ready = set(self._ray.wait(awaited, num_returns=len(awaited), timeout=0)[0])
        return [ref for ref in pending if ref in ready]

    def _settled(self, ref: Any, copy: _Copy, part: UnitPart, sharing: Sharing) -> Done | None:
        """What came of a part: the unit, if it is whole now.

        Raises:
            SelfstudyError: the model's own.
        """
        begun = copy.queue[0] == ref
        try:
            kind, answer, usage = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:  # of what it was asked or answered, in transit
            kind, answer, usage = "raised", str(error.cause), None
        except self._ray.exceptions.RayError as error:
            why = reason(str(error))
            self._lose(copy, why)
            if begun:
                return sharing.failed(
                    part, copy.slot, f"the worker on {copy.place} was lost ({why})", raised=False
                )
            sharing.give_back(part)
            return None
        copy.queue.remove(ref)
        if kind == "refused":
            raise answer
        if kind == "done" and len(answer) == len(part.items):
            copy.strikes = 0
            return sharing.done(part, answer, usage)
        if kind == "done":
            answer = f"there were {len(answer)} results for {len(part.items)}"
        said = one_line(clean(answer), 300)
        copy.strikes += 1
        if copy.strikes == STRIKES:
            copy.queue.insert(0, ref)  # what waits behind it is not to blame for the end
            self._lose(copy, f"{STRIKES} errors in a row, the last: {said}")
        self._last = f"on the worker on {copy.place}: {said}"
        return sharing.failed(part, copy.slot, self._last, raised=True)

    def _must_be_hopeful(self, fruitless: int, proven: bool, alone: float) -> None:
        """Raises when nothing is to be expected of going on."""
        if alone > ALONE_SECONDS:
            last = f": {self._last}" if self._last else ""
            raise ModelError(f"no worker is left, and none came within {alone:.0f} seconds{last}", _LOOK)
        if fruitless > HOPELESS[proven] * self._block.tries + self.count:
            raise ModelError(
                f"nothing that workers do succeeds; {fruitless} failures, the last: {self._last}", _LOOK
            )


_LOOK = "look at the workers' machines (`ray status`), then give the same command again"


def _install() -> str:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"install there, for Python {python}, what is here: pip install 'selfstudy[ray]=={__version__}'"


def _usual_worker() -> Callable[[], Any]:
    from selfstudy.models.remote.permissions import own_entries
    from selfstudy.models.worker import Worker

    return partial(Worker, str(Path.cwd()), own_entries())


def _actor_class() -> type:
    """Made in here, so that it travels whole: a node without this package can still say so."""

    class SelfstudyWorker:
        worker: Any = None

        def hello(self, code: bytes, threads: int, cards: bool, foreign: str) -> dict[str, Any]:
            """Where this is, and what it cannot do here."""
            import os
            import socket
            import sys

            import ray

            sys.path[:] = [entry for entry in sys.path if not foreign or entry != foreign]
            os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
            if not cards:
                os.environ["CUDA_VISIBLE_DEVICES"] = ""
            error = version = ""
            try:
                from selfstudy.version import __version__ as version

                self.worker = ray.cloudpickle.loads(code)()
            except Exception as problem:
                error = f"{type(problem).__name__}: {problem}"
            if "torch" in sys.modules:
                sys.modules["torch"].set_num_threads(threads)
            ip = ray.util.get_node_ip_address()
            return {"host": socket.gethostname(), "ip": ip, "version": version, "error": error}

        def work(
            self, how: str, spec: Any, method: str = "", items: Sequence[Any] = (), common: Sequence[Any] = ()
        ) -> tuple[str, Any, Any]:
            """A reply that tells the model's own errors from those of Ray."""
            from selfstudy.errors import SelfstudyError
            from selfstudy.secrets import without_secrets

            try:
                if how == "forget":
                    return "done", self.worker.forget(spec), None
                if how == "call":
                    return "done", [self.worker.call(spec, method, *items[0])], None
                return "done", *self.worker.do(spec, method, items, *common)
            except SelfstudyError as error:
                return "refused", error.with_traceback(None), None
            except Exception as error:
                # an item's error goes into the run, where nobody knows the keys of this machine
                return "raised", without_secrets(f"{type(error).__name__}: {error}")[:1_000], None

    return SelfstudyWorker


def try_address() -> None:
    """What a process of its own does to find out whether a cluster answers: see cluster_connection.py."""
    trial(_import_ray(), sys.argv[1])


def _import_ray() -> Any:
    with variables(QUIET):
        try:
            import ray
        except ImportError:
            raise MissingExtraError("ray", "ray", "scale: {type: ray}") from None
    return ray
