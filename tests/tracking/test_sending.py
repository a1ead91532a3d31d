"""Rows come to each tracker once, whole, and alone; one that does not answer is given up."""

from __future__ import annotations

import getpass
import socket
import time
from pathlib import Path

import pytest

from selfstudy.recipe import TrackBlock
from selfstudy.tracking import sending
from selfstudy.tracking.order import TrackedRow, TrackOrder

from .kept import everything, kept
from .mlflow_server import mlflow_server

TRACKERS = ("trackio", "wandb", pytest.param("mlflow", marks=pytest.mark.slow))
"""mlflow takes two seconds to be imported."""
ROWS = tuple(
    TrackedRow(step=step, numbers={"train/taught/sft/loss": 1 / step, "round/after/gap_correct": step / 8})
    for step in range(1, 5)
)
SECRET = "Zanzibar-4711"


def order(tracker: str, folder: Path, rows: tuple[TrackedRow, ...], url: str | None = None) -> TrackOrder:
    return TrackOrder.model_validate(
        {
            "tracker": tracker,
            "project": "tried",
            "run_id": "0011223344556677",
            "name": "selfstudy-001122",
            "url": url,
            "offline": tracker == "wandb" and url is None,
            "folder": folder / "tracker",
            "config": {"seed": 3, "teach.method": "sft"},
            "rows": rows,
        }
    )


def expected(rows: tuple[TrackedRow, ...]) -> list[tuple[int, str, float]]:
    return sorted((row.step, name, value) for row in rows for name, value in row.numbers.items())


@pytest.mark.parametrize("tracker", TRACKERS)
def test_rows_come_once_and_nothing_else(
    tracker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second order holds rows of the first, as one does that is given again after a kill."""
    place = tmp_path / SECRET
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("TRACKIO_SPACE_ID", f"{SECRET}/space")
    monkeypatch.setenv("MY_PASSWORD", SECRET)
    monkeypatch.setenv("WANDB_NOTES", SECRET)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr("sys.argv", ["selfstudy", SECRET])
    block = TrackBlock.model_validate({"type": tracker})
    first = ROWS[:2]
    sending.send(order(tracker, tmp_path, first), block)
    assert kept(tracker, tmp_path / "trackio", tmp_path / "tracker") == expected(first)
    sending.send(order(tracker, tmp_path, ROWS), block)
    assert kept(tracker, tmp_path / "trackio", tmp_path / "tracker") == expected(ROWS)
    written = everything(tmp_path / "trackio", tmp_path / "tracker")
    for word in (SECRET, socket.gethostname(), "sender.py", "numpy"):
        assert word.encode() not in written, word
    assert list(place.iterdir()) == []
    assert not any(file.is_symlink() for file in (tmp_path / "tracker").rglob("*"))
    if tracker != "trackio" and getpass.getuser() != "root":
        assert getpass.getuser().encode() not in written


@pytest.mark.slow
def test_rows_come_once_to_a_server_of_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a-token")
    with mlflow_server(tmp_path / "tracker" / "mlflow") as (url, asked):
        for rows in (ROWS[:2], ROWS, ROWS):
            where = sending.send(order("mlflow", tmp_path, rows, url), TrackBlock(type="mlflow", url=url))
    assert where == url
    assert kept("mlflow", tmp_path, tmp_path / "tracker") == expected(ROWS)
    assert {key for _, key in asked} == {"Bearer a-token"}
    assert sum(path.endswith("runs/create") for path, _ in asked) == 1


def test_one_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "DEADLINE", 4.0)
    with socket.create_server(("127.0.0.1", 0)) as hole:  # takes a connection, and says nothing
        url = f"http://127.0.0.1:{hole.getsockname()[1]}"
        block = TrackBlock(type="wandb", url=url)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        began = time.monotonic()
        with pytest.raises(sending.TrackerError, match="wandb did not answer within 4 seconds"):
            sending.send(order("wandb", tmp_path, ROWS, url), block)
        assert time.monotonic() - began < 4 + 10


def test_one_that_is_not_there_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(sending.TrackerError, match=r"mlflow: MlflowException: .*refused") as told:
        sending.send(order("mlflow", tmp_path, ROWS, url), TrackBlock(type="mlflow", url=url))
    assert "--set track=none" in told.value.hint
    assert not (tmp_path / "tracker").exists()
