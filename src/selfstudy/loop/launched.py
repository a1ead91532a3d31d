"""One of the processes that teach a round together (launching.py), which accelerate runs as a program.

    accelerate launch ... --module selfstudy.loop.launched ORDER

The one that leads teaches as the loop does, and says how far it is, or why it could not go on; the others
train along and write nothing.  What else is printed goes to the launcher's log.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from selfstudy.errors import SelfstudyError
from selfstudy.files import private
from selfstudy.loop.launching import LaunchOrder
from selfstudy.loop.relay import ProgressWriter
from selfstudy.loop.study import Study
from selfstudy.models.remote import permissions
from selfstudy.run import Run
from selfstudy.teach.launch import launch


def main(file: Path) -> int:
    """The exit code."""
    order = LaunchOrder.model_validate_json(private.read(file))
    with permissions.allowed(order.allowed, None):
        return follow(order) if launch().rank else lead(order)


def lead(order: LaunchOrder) -> int:
    """Teaches, with the run open for writing."""
    descriptor = private.open_file(order.said, os.O_WRONLY | os.O_APPEND)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        saying = ProgressWriter(file)
        logging.getLogger("selfstudy").addHandler(_Warnings(saying))
        try:
            with Run.create_or_resume(order.run, order.recipe) as run, Study(run, saying) as study:
                study.untracked = True  # the process that waits sends, when this one has ended
                study.teach(order.round)
        except SelfstudyError as error:
            saying.error(error)
            return error.exit_code
    return 0


def follow(order: LaunchOrder) -> int:
    """Trains along, with the run open for reading."""
    try:
        with Run.open(order.run, write=False) as run:
            run.recipe = order.recipe
            with Study(run) as study:
                study.teach_along(order.round)
    except SelfstudyError as error:
        logging.getLogger(__name__).error("%s", error)
        return error.exit_code
    return 0


class _Warnings(logging.Handler):
    """What is logged as a warning is said."""

    def __init__(self, saying: ProgressWriter) -> None:
        super().__init__(logging.WARNING)
        self._saying = saying

    def emit(self, record: logging.LogRecord) -> None:
        self._saying.note(record.getMessage())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
