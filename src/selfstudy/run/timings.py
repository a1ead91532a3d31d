"""What the stages of a run took, over all its sessions: seconds of each, and costs of parts of them.

Knows the file in which a run keeps that, by what it is given; nothing of what a stage does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeGuard

from pydantic_core import to_json

from selfstudy.errors import RunError
from selfstudy.files import jsonl
from selfstudy.run.record_files import require_writer

ESTIMATE = "estimate"
"""Part of round 0 whose costs are what was told of each stage before the run, in seconds."""
SCORING = "score "
"""Before a scorer's name: what scoring with it cost, in `Run.costs`."""
_MOST = 1e12
"""Of anything that is counted for a stage: its sums stay numbers."""


class Timings:
    """The times and costs in one file of a run directory.

    Args:
        file: where they are kept.
        root: the run directory that it is in, which messages name.
        may_write: whether this process may change it; if not, another may be appending to it.
    """

    def __init__(self, file: Path, root: Path, may_write: Callable[[], bool]) -> None:
        self._file = file
        self._root = root
        self._may_write = may_write

    @contextmanager
    def timed(self, stage: str, round_: int = 1) -> Iterator[None]:
        """Add the seconds spent inside to `timings.jsonl`, also when the stage is interrupted."""
        self._require_writer()
        start = time.perf_counter()
        try:
            yield
        except BaseException:
            with suppress(RunError):  # the error that stopped the stage matters more
                self.note_time(stage, round_, time.perf_counter() - start)
            raise
        self.note_time(stage, round_, time.perf_counter() - start)

    def seconds(self) -> dict[str, float]:
        """Seconds per stage over all rounds and sessions, in the order in which the stages first ran."""
        total: dict[str, float] = {}
        for number, _, entry in jsonl.read_lines(self._file):
            if "stage" in entry:
                stage, seconds = str(entry["stage"]), entry.get("seconds")
                if not _is_amount(seconds):
                    raise jsonl.damaged(self._file, number, "its seconds are no number")
                total[stage] = total.get(stage, 0.0) + seconds
        return total

    def note_cost(self, part: str, round_: int, **figures: float) -> None:
        """Add what a piece of work inside a stage cost to `timings.jsonl`; stages keep their own seconds."""
        self._require_writer()
        self._note({"part": part, "round": round_, **figures})

    def add_shards(self, round_: int, files: Iterable[Path]) -> None:
        """Adds the times and costs in the files of a round's shards, once, however often it is called."""
        self._require_writer()
        lines: list[bytes] = []
        for _, line, entry in jsonl.read_lines(self._file):
            if entry.get("merged") == round_:
                return
            lines.append(line)
        for file in files:
            lines += [line for _, line, _ in jsonl.read_lines(file)]
        lines.append(to_json({"merged": round_}) + b"\n")
        jsonl.replace(self._file, b"".join(lines), self._root)

    def costs(self, round_: int = 1) -> dict[str, dict[str, float]]:
        """Sums of what `note_cost` was given, per part, over all sessions."""
        total: dict[str, dict[str, float]] = {}
        for number, _, entry in jsonl.read_lines(self._file):
            if "part" in entry and entry.get("round") == round_:
                sums = total.setdefault(str(entry["part"]), {})
                for name in entry.keys() - {"part", "round"}:
                    if not _is_amount(entry[name]):
                        raise jsonl.damaged(self._file, number, f"its {name} is no number")
                    sums[name] = sums.get(name, 0) + entry[name]
        return total

    def note_time(self, stage: str, round_: int, seconds: float) -> None:
        """Add seconds of a stage that `timed` did not see."""
        self._note({"stage": stage, "round": round_, "seconds": seconds})

    def _require_writer(self) -> None:
        require_writer(self._may_write(), self._root)

    def _note(self, entry: Mapping[str, Any]) -> None:
        jsonl.append(self._file, to_json(entry) + b"\n", self._root)


def _is_amount(value: object) -> TypeGuard[float]:
    """Whether it is a number of seconds, calls or pairs that a machine could have spent."""
    return isinstance(value, int | float) and 0 <= value < _MOST
