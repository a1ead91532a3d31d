"""Has numbers sent to a tracker by a process of its own, which has a deadline.

Of our environment it gets what a program needs to start, and the tracker's own keys; its arguments are the
name of our module and of a file; its working directory is empty.  Knows nothing of runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import selfstudy
from selfstudy.environment import child_environment
from selfstudy.errors import SelfstudyError
from selfstudy.files import private
from selfstudy.models.server import leftovers
from selfstudy.models.server.guarded import Guarded
from selfstudy.recipe import TrackBlock
from selfstudy.secrets import without_secrets
from selfstudy.text import clean, one_line
from selfstudy.tracking.access import KEYS, SERVER
from selfstudy.tracking.order import TrackOrder, TrackReply
from selfstudy.tracking.sender import REPLY

DEADLINE = 60.0
"""Seconds for all of it: for one stage of a run that is thousands of numbers. A guess."""
MODULE = "selfstudy.tracking.sender"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_OWN = {
    "trackio": ("TRACKIO_DIR", "TRACKIO_SQLITE_JOURNAL_MODE"),
    "wandb": ("WANDB_ENTITY", "NETRC"),
    "mlflow": (),
}
"""Variables of a tracker's that it may read; others of its could have it send more, or elsewhere."""
_QUIET = {
    "DO_NOT_TRACK": "true",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "WANDB_ERROR_REPORTING": "false",
}
"""No reports of their own, nothing from the Hub, and no endless attempts."""
_LONGEST, _MOST_BYTES = 300, 100_000


class TrackerError(SelfstudyError):
    """A tracker was not sent all that it should have been."""


def send(order: TrackOrder, block: TrackBlock) -> str:
    """Sends what the tracker does not have yet; where it can be looked at.

    Raises:
        TrackerError: it was not sent, or not in time; trying again sends nothing twice.
    """
    folder = leftovers.make_folder("selfstudy-server")
    file = folder / "order.json"
    with private.replacing(file) as written:
        written.write(order.model_dump_json().encode())
    os.close(private.open_file(folder / REPLY, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    with (folder / REPLY).open("rb") as said:  # readable after it is gone
        reply = _said(order.tracker, [sys.executable, "-P", "-m", MODULE, str(file)], block, folder, said)
    if reply.error:
        raise TrackerError(f"{order.tracker}: {_both_ends(without_secrets(clean(reply.error)))}", _NEXT)
    return one_line(without_secrets(clean(reply.where)), _LONGEST)


def _said(
    tracker: str, command: Sequence[str], block: TrackBlock, folder: Path, file: IO[bytes]
) -> TrackReply:
    """What the process says; it has ended, however that was."""
    guarded = Guarded(command, _environment(block), [folder])
    try:
        code = guarded.wait(DEADLINE)
        if code is None:
            raise TrackerError(f"{tracker} did not answer within {DEADLINE:.0f} seconds", _NEXT)
        try:
            return TrackReply.model_validate_json(file.read(_MOST_BYTES))
        except ValueError:
            told = one_line(without_secrets(guarded.log_tail()), _LONGEST)
            raise TrackerError(f"{tracker} ended with exit code {code}: {told}", _NEXT) from None
    finally:
        guarded.stop()


def _both_ends(text: str) -> str:
    """A long error in short: what it is stands first, and its cause last."""
    text = " ".join(text.split())
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} ... {text[-half:]}"


_NEXT = "see to it, and give the same command again: it sends what was not sent"


def _environment(block: TrackBlock) -> dict[str, str]:
    server = SERVER.get(block.type)
    mine = {
        name: value
        for name in (*_PROXIES, *map(str.lower, _PROXIES), *KEYS[block.type], *_OWN[block.type], server)
        if name is not None and (value := os.environ.get(name))
    }
    found = child_environment(downloads=False, mine={**mine, **_QUIET})
    root = Path(selfstudy.__file__).parents[1]
    if root.name not in ("site-packages", "dist-packages"):  # a checkout, perhaps beside an installed one
        found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), found.get("PYTHONPATH", "")]))
    return found
