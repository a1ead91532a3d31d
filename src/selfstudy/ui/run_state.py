"""What state a run is in: at work, stopped, failed or finished; by its files and its process.

Knows no page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from selfstudy.errors import SelfstudyError
from selfstudy.files import lock
from selfstudy.run import Run
from selfstudy.ui import processes
from selfstudy.ui.desk import Desk
from selfstudy.verbs.status.status import RunStatus, status_of

StateName = Literal["starting", "running", "elsewhere", "finished", "failed", "stopped"]
SAID: dict[StateName, str] = {
    "starting": "starting: its process has begun, and the run does not exist yet",
    "running": "running: it goes on when this page is closed",
    "elsewhere": "running, started elsewhere: Ctrl-C in its own terminal stops it",
    "finished": "finished: all rounds that the recipe wants are done",
    "failed": "failed: its process ended by itself before it was done; the log says why",
    "stopped": "stopped: what is done is kept, and it can go on",
}


@dataclass(frozen=True)
class RunState:
    """Of one run.

    Attributes:
        outcome: what came of it, in a sentence; "" until it is known.
        log: the last lines of what its last command printed here.
    """

    name: str
    state: StateName
    status: RunStatus
    outcome: str = ""
    log: tuple[str, ...] = ()

    @property
    def at_work(self) -> bool:
        return self.state in ("starting", "running", "elsewhere")

    @property
    def said(self) -> str:
        return SAID[self.state]

    @property
    def stage(self) -> str:
        """Of the last round, with its last step."""
        if not self.status.rounds:
            return ""
        last = self.status.rounds[-1]
        if not last.stage:
            return "done"
        step = last.steps[-1] if last.steps else None
        of = "" if step is None or step.of is None else f" of {step.of:,}"
        return last.stage if step is None else f"{last.stage}: {step.step} {step.done:,}{of}"


def state_of(desk: Desk, name: str) -> RunState:
    """Of a run, or of one whose command has been started and has made nothing yet.

    Raises:
        RunError: there is neither.
    """
    place = processes.place_of(desk.folder, name)
    command = processes.last(place)
    alive = command is not None and processes.runs(command)
    log = tuple(processes.tail(place))
    try:
        path = desk.path_of(name)
    except SelfstudyError:
        if command is None:
            raise
        ended: StateName = "stopped" if command.stopped else "failed"
        return RunState(name, "starting" if alive else ended, RunStatus(name), log=log)
    try:
        status = status_of(path)
    except SelfstudyError as error:
        status = RunStatus(name, problems=(error.what,))
    state: StateName
    if alive:
        state = "running"
    elif lock.holder(path / Run.lock_file) is not None:
        state = "elsewhere"
    elif status.finished:
        state = "finished"
    elif command is None or command.stopped or any(line.startswith("stopped; ") for line in log[-6:]):
        state = "stopped"
    else:
        state = "failed"
    outcome = status.rounds[-1].outcome if status.rounds else ""
    return RunState(name, state, status, outcome, log)


def pending(desk: Desk) -> list[str]:
    """Names of runs whose command has been started here and that do not exist (yet)."""
    found = []
    try:
        places = [one for one in (desk.folder / processes.FOLDER).iterdir() if not one.is_symlink()]
    except OSError:
        return []
    for place in places:
        made = (desk.folder / place.name / Run.recipe_file).exists()
        plain = processes.place_of(desk.folder, place.name) == place
        if plain and not made and processes.last(place) is not None:
            found.append(place.name)
    return sorted(found)
