"""Rows come to each tracker once, whole, and alone; one that does not answer is given up."""

from __future__ import annotations

import getpass
import os
import socket
import time
from pathlib import Path

import pytest

from selfstudy.recipe import TrackBlock
from selfstudy.tracking import sender, sending, to_wandb
from selfstudy.tracking.order import TrackedRow, TrackOrder, TrackReply

from .kept import everything, kept
from .mlflow_server import mlflow_server
from .wandb_server import wandb_server

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


def test_a_planted_link_leads_nothing_out_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "tracker" / "wandb"
    elsewhere.mkdir()
    folder.mkdir(parents=True)
    (folder / "steps-1-4.tmp").symlink_to(elsewhere)
    record = tmp_path / "offline-run-0-0" / "run-0.wandb"
    record.parent.mkdir()
    record.write_bytes(b"rows")
    monkeypatch.setattr(to_wandb, "_logged", lambda order, rows: (record, ""))
    to_wandb.send(order("wandb", tmp_path, ROWS))
    assert (folder / "steps-1-4" / "offline-run-0-0" / "run-0.wandb").read_bytes() == b"rows"
    assert not any(elsewhere.iterdir())


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


@pytest.mark.slow
def test_rows_come_once_to_a_server_of_wandb_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second order is one that is given again after a kill; the last comes to one that refuses rows."""
    place = tmp_path / SECRET
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_NOTES", SECRET)
    with wandb_server() as (url, sent):
        block = TrackBlock(type="wandb", url=url)
        for rows in (ROWS[:2], ROWS):
            sending.send(order("wandb", tmp_path, rows, url), block)
        found = [(int(one["_step"]), name, one[name]) for one in sent.rows for name in one if name[0] != "_"]
        assert sorted(found) == expected(ROWS)
        assert sent.paths == {"/graphql", "/files/me/tried/0011223344556677/file_stream"}
        everything_sent = b"\n".join(sent.bodies)
        for word in (SECRET, socket.gethostname(), "sender", "numpy", str(tmp_path)):
            assert word.encode() not in everything_sent, word
        sent.refuses = True
        more = (TrackedRow(step=5, numbers={"x": 1.0}),)
        with pytest.raises(sending.TrackerError, match=r"filestream: fatal error: .*403"):
            sending.send(order("wandb", tmp_path, more, url), block)


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


def test_an_error_of_any_size_and_script_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(order: TrackOrder) -> str:
        raise ValueError("begins" + "z" * 10**6 + "\ud800 ends")

    monkeypatch.setitem(sender.TRACKERS, "trackio", fails)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "order.json").write_text(order("trackio", tmp_path, ROWS).model_dump_json())
    (tmp_path / sender.REPLY).touch()
    mask = os.umask(0o077)
    sender.main(tmp_path / "order.json")
    os.umask(mask)
    said = TrackReply.model_validate_json((tmp_path / sender.REPLY).read_bytes()[: sending._MOST_BYTES])
    assert said.error.startswith("ValueError: begins")
    assert said.error.endswith("z\ufffd ends")


def test_one_that_is_not_there_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(sending.TrackerError, match=r"mlflow: MlflowException: .*refused") as told:
        sending.send(order("mlflow", tmp_path, ROWS, url), TrackBlock(type="mlflow", url=url))
    assert "it sends what was not sent" in told.value.hint
    assert not (tmp_path / "tracker").exists()
