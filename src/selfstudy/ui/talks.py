"""Who answers in the page: the models of one run at a time, loaded when they are asked and let go after.

Loading takes long, so it happens in a thread; who asked is told how long it has been at it.  Knows nothing of
HTML.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.errors import SelfstudyError
from selfstudy.records import STAGES

if TYPE_CHECKING:
    from selfstudy.verbs.chat import Talk, TalkTurn

IDLE = 600.0
"""Seconds after the last question after which the models are let go."""
TELL = 1.0
"""Seconds between two words on how far it is."""
LONGEST = 4_000
"""Characters of a question."""


@dataclass
class Job:
    """A question on its way to the models.

    Attributes:
        doing: in words.
        found: what came of it; an error is a sentence.
    """

    doing: str
    found: TalkTurn | SelfstudyError | None = None
    notes: tuple[str, ...] = ()
    done: threading.Event = field(default_factory=threading.Event)


class Talks:
    """One run's models; asking another run, or the same after it has gone on, lets them go first.

    Args:
        idle: seconds after which they are let go.
    """

    def __init__(self, idle: float = IDLE) -> None:
        self._idle = idle
        self._busy = threading.Lock()
        self._talk: Talk | None = None
        self._of: Path | None = None
        self._when: frozenset[tuple[object, object]] = frozenset()
        self._open = ExitStack()
        self._timer: threading.Timer | None = None

    @property
    def loaded(self) -> Path | None:
        """The run whose models are loaded."""
        return self._of

    def ask(self, run: Path, said: str) -> Iterator[tuple[str, Job]]:
        """Asks the models of a run; yields in words what is done, about every second, and at last "".

        The job then has the answers.  A page that is closed meanwhile loses only the answer.
        """
        job = Job("waiting for another question to be answered")
        threading.Thread(target=self._work, args=(run, said[:LONGEST], job), daemon=True).start()
        start = time.monotonic()
        while not job.done.wait(TELL):
            yield f"{job.doing}, {time.monotonic() - start:.0f} s", job
        yield "", job

    def release(self) -> None:
        """Lets the models go, once no question is being answered."""
        with self._busy:
            self._let_go()

    def _work(self, run: Path, said: str, job: Job) -> None:
        with self._busy:
            try:
                self._stop_timer()
                now = _ended(run)
                if (self._of, self._when) != (run, now):
                    job.doing = "loading the models of this run"
                    self._let_go()
                    self._load(run)
                    self._when = now
                talk = self._talk
                assert talk is not None
                job.notes, job.doing = tuple(talk.notes), "the models answer"
                job.found = talk.ask(said)
            except SelfstudyError as error:
                job.found = error
            except Exception as error:  # a model, or its folder, is other people's: the page says what it was
                job.found = SelfstudyError(f"the models cannot answer: {type(error).__name__}: {error}")
                self._let_go()
            finally:
                self._start_timer()
                job.done.set()

    def _load(self, run: Path) -> None:
        from selfstudy.models.server.servers import Servers
        from selfstudy.run import Run
        from selfstudy.verbs.chat import has_taught, open_talk

        with Run.open(run, write=False) as read:
            both = has_taught(read)
        servers = self._open.enter_context(Servers())
        try:
            self._talk = open_talk(str(run), compare=both, servers=servers)
        except BaseException:
            self._let_go()
            raise
        self._of = run

    def _let_go(self) -> None:
        self._talk, self._of = None, None
        self._open.close()
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _start_timer(self) -> None:
        if self._of is not None:
            self._timer = threading.Timer(self._idle, self.release)
            self._timer.daemon = True
            self._timer.start()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _ended(run: Path) -> frozenset[tuple[object, object]]:
    """What a run has ended, decided and forgotten, and when: other models answer then, and it knows more."""
    from selfstudy.run import Run

    with Run.open(run, write=False) as read:
        ended = {(turn.number, stage) for turn in read.rounds for stage in STAGES if turn.finished(stage)}
        files = [read.forgotten_file, *(turn.gate_file for turn in read.rounds)]
        return frozenset({*ended, *((file, file.stat().st_mtime_ns) for file in files if file.exists())})
