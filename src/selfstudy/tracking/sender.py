"""The process that sends to a tracker (sending.py); run as a program with a file that holds the order.

    python -m selfstudy.tracking.sender ORDER

What came of it is written into a file beside the order.  A row of the table below for each tracker.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from selfstudy.files import private
from selfstudy.text import clean
from selfstudy.tracking import to_mlflow, to_trackio, to_wandb
from selfstudy.tracking.order import TrackOrder, TrackReply

TRACKERS: dict[str, Callable[[TrackOrder], str]] = {
    "trackio": to_trackio.send,
    "wandb": to_wandb.send,
    "mlflow": to_mlflow.send,
}
"""Each sends what its tracker does not have yet, and says where it can be looked at."""
REPLY = "reply.json"


def main(file: Path) -> None:
    """Sends, and says what came of it."""
    os.umask(0o077)
    os.chdir(file.parent)  # a tracker that looks around sees an empty folder
    order = TrackOrder.model_validate_json(private.read(file))
    try:
        reply = TrackReply(where=TRACKERS[order.tracker](order))
    except Exception as error:  # whatever a tracker's package raises ends here, and is told
        reply = TrackReply(error=clean(_ends(f"{type(error).__name__}: {error}")))
    with os.fdopen(private.open_file(file.parent / REPLY, os.O_WRONLY), "wb") as said:
        said.write(reply.model_dump_json().encode("utf-8", "replace"))


def _ends(text: str) -> str:
    """Of a text of any length what whoever asked reads: its beginning and its end."""
    return text if len(text) <= 2 * _END else f"{text[:_END]} ... {text[-_END:]}"


_END = 5_000


if __name__ == "__main__":
    main(Path(sys.argv[1]))
