"""Commands that a page starts: `selfstudy VERB ...` in a process of its own, which outlives page and server.

What belongs to a run's commands lies beside it, in FOLDER/desk/NAME/, closed to others:

    recipe.yaml     what a new run was begun with, to be kept
    documents/      what was uploaded for it
    output.log      what its commands printed; only the end is ever read
    process.json    the last command, and which process it is

A process is known by its number and the moment at which it began, so that one that got the same number later
is not taken for it.  Knows nothing of what a command does.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

from selfstudy.environment import child_environment
from selfstudy.errors import RunError
from selfstudy.files import private
from selfstudy.screen import printable
from selfstudy.secrets import without_secrets
from selfstudy.text import shortened

FOLDER = "desk"
"""Below the folder that is worked in; no run is called so."""
TAIL = 65_536
"""Bytes of a log that are read: its end."""
LINES = 40
"""Of it that are shown, each of at most `LONGEST` characters."""
LONGEST = 400
_NAMED = 200
"""Bytes of the name of such a folder."""
_LOG, _PROCESS = "output.log", "process.json"
_SELFSTUDY = (sys.executable, "-P", "-m", "selfstudy.cli")
"""-P: nothing is imported from the working directory, which may hold files of others."""
_OURS = ("SELFSTUDY_", "OLLAMA_HOST")


@dataclass(frozen=True)
class Command:
    """A command that was started.

    Attributes:
        words: what follows `selfstudy`.
        pid: its process; `began`: when that began, as the system writes it.
        stopped: whether a person asked it to stop.
    """

    words: tuple[str, ...]
    pid: int
    began: str
    stopped: bool = False


def place_of(folder: Path, name: str) -> Path:
    """Where what belongs to the commands of a run lies; made when the first is started.

    Args:
        folder: that is worked in.
        name: of the run, a path below it.
    """
    if not name.strip("."):
        return folder / FOLDER / ("%2E" * len(name) or "%")  # no other name is written so
    safe = quote(name, safe=" ~", errors="surrogatepass")
    if len(safe) > _NAMED:
        safe = f"{safe[: _NAMED - 20]}%{hashlib.sha256(safe.encode()).hexdigest()[:16]}"
    return folder / FOLDER / safe


def start(place: Path, words: Sequence[str], variables: Sequence[str] = ()) -> Command:
    """Starts `selfstudy WORDS...`; closing the page or the server does not end it.

    Args:
        place: see `place_of`.
        variables: of our environment that it gets beside harmless ones: where its recipe says its keys are.

    Raises:
        RunError: the last one still runs, or nothing can be written there.
    """
    with _STARTING:  # two clicks are one
        if (before := last(place)) is not None and runs(before):
            raise RunError(
                f"process {before.pid} is still at work (selfstudy {before.words[0]})",
                "wait for it, or stop it first",
            )
        try:
            _check_links(place)
            private.make_folder(place)
            log = private.open_file(place / _LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        except OSError as error:
            raise RunError(f"cannot write {place}: {error.strerror}", "check its permissions") from None
        with os.fdopen(log, "wb") as output:
            made = subprocess.Popen(
                [*_SELFSTUDY, *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment(variables),
            )
        # whoever waits for it lets it end: else it stays in the table of processes, and seems to run
        threading.Thread(target=made.wait, daemon=True).start()
        command = Command(tuple(words), made.pid, _began(made.pid) or "")
        try:
            _keep(place, command)
        except OSError as error:  # what nobody could find again, or stop, does not go on
            made.kill()
            raise RunError(
                f"cannot write {place / _PROCESS}: {error.strerror}", "see what is there, and make room"
            ) from None
    return command


def _check_links(place: Path) -> None:
    if place.is_symlink() or place.parent.is_symlink():
        raise OSError(0, "it is a link, and links are not followed")


def _keep(place: Path, command: Command) -> None:
    with private.replacing(place / _PROCESS) as file:
        file.write(json.dumps(asdict(command)).encode())


_STARTING = threading.Lock()


def last(place: Path) -> Command | None:
    """The command that was started last, if any was."""
    try:
        _check_links(place)
        found = json.loads(private.read(place / _PROCESS, 2**20))
        words, pid, began = found["words"], found["pid"], found["began"]
        stopped = found.get("stopped") is True
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = isinstance(pid, int) and pid > 1 and isinstance(began, str) and isinstance(words, list) and words
    return Command(tuple(map(str, words)), pid, began, stopped) if sound else None


def runs(command: Command) -> bool:
    """Whether that very process is at work; one that does something else is not, whoever wrote its number."""
    return bool(command.began) and _began(command.pid) == command.began and _does(command)


def _does(command: Command) -> bool:
    """Whether the process was started with those words; where the system does not tell, its start decides."""
    try:
        said = os.fsdecode(Path(f"/proc/{command.pid}/cmdline").read_bytes()).split("\0")
    except OSError:
        return not Path("/proc/self/cmdline").exists()
    return said[1:-1] == [*_SELFSTUDY[1:], *command.words]


def stop(place: Path) -> bool:
    """Asks the last command to end, as Ctrl-C does: what is done is kept; whether there was one to ask."""
    command = last(place)
    if command is None or not runs(command):
        return False
    try:
        _keep(place, replace(command, stopped=True))
        os.kill(command.pid, signal.SIGINT)
    except OSError:  # it has just ended, or is another user's; or the disk is full
        return False
    return True


def tail(place: Path, lines: int = LINES) -> list[str]:
    """The last lines of what the last command printed, without keys and control characters."""
    try:
        _check_links(place)
        with os.fdopen(private.open_file(place / _LOG, os.O_RDONLY), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - TAIL))
            said = file.read(TAIL).decode("utf-8", "replace")
    except OSError:
        return []
    found = said.splitlines()[1 if size > TAIL else 0 :] or [said[-LONGEST:]]
    shown = [shortened(without_secrets(printable(line)).rstrip(), LONGEST) for line in found[-lines:]]
    return shown if any(shown) else []


def answer(words: Sequence[str], seconds: float, variables: Sequence[str] = ()) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that is waited for; its ends, of what is very long.

    Raises:
        RunError: it took longer than that, and was ended.
    """
    try:
        done = subprocess.run(
            [*_SELFSTUDY, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env=environment(variables),
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise RunError(
            f"selfstudy {words[0]} has not ended after {seconds:g} s",
            "run it in a terminal to see why; the run can be started without it",
        ) from None
    out, err = (part[-TAIL:].decode("utf-8", "replace") for part in (done.stdout, done.stderr))
    return done.returncode, without_secrets(out), without_secrets(err)


def environment(variables: Sequence[str]) -> dict[str, str]:
    """What a command sees of ours: what is harmless, what the Hub needs, and the variables that are named.

    A key goes no further than in a terminal: the command itself asks whether its host may have it.
    """
    ours = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
    named = {name: os.environ[name] for name in variables if name in os.environ}
    return child_environment(downloads=True, mine={**ours, **named, "COLUMNS": "110", "TERM": "dumb"})


def key_variables(written: object) -> list[str]:
    """The variables in which a recipe, as plain data, says that its keys are."""
    if isinstance(written, Mapping):
        mine = [value for key, value in written.items() if key == "api_key_env" and isinstance(value, str)]
        return mine + [name for value in written.values() for name in key_variables(value)]
    if isinstance(written, list):
        return [name for value in written for name in key_variables(value)]
    return []


def _began(pid: int) -> str | None:
    """When a process began; None: there is none, or it has ended."""
    try:
        found = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        # the fields after the name: state is the first, the start in ticks since boot the twentieth
        return None if found[0] in (b"Z", b"X") else f"{_boot()} {found[19].decode()}"
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return None
    told = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, began = told.stdout.strip().partition(" ")
    return began.strip() or None if state[:1] not in ("", "Z") else None


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
