"""The file that `selfstudy cite eval` writes: a row for every answer, with its statements and why."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import to_json

from selfstudy.files import jsonl, private
from selfstudy.verbs import outputs
from selfstudy.verbs.citing.evaluating import Evaluation


def require_free(path: Path, source: Path) -> None:
    """Refuses to replace anything but a file of ours; see `outputs.require_free`."""
    outputs.require_free(path, source, "give another file with --out", "cite")


def write_rows(path: Path, found: Evaluation) -> None:
    """Writes the file whole.

    Raises:
        RunError: it cannot be written; what was there is as it was.
    """
    data = b"".join(to_json({outputs.MARK: "cite"} | row.to_dict()) + b"\n" for row in found.rows)
    jsonl.replace(path, data, None, private.SHARED)
