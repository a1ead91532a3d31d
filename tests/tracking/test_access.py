"""What of a tracker can be told before anything is loaded or sent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from selfstudy.errors import ModelError, RecipeError
from selfstudy.recipe import TrackBlock
from selfstudy.tracking import access

VARIABLES = ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN")


@pytest.fixture(autouse=True)
def _nothing_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "SELFSTUDY_ALLOW_KEYS", "SELFSTUDY_ALLOW_HTTP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_a_missing_package_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wandb").mkdir()  # as wandb itself leaves it in a working directory
    monkeypatch.delitem(sys.modules, "wandb", raising=False)  # other packages import it
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.setattr("sys.meta_path", [one for one in sys.meta_path if "PathFinder" in str(one)])
    with pytest.raises(RecipeError, match="needs the package 'wandb'") as told:
        access.require(TrackBlock(type="wandb"))
    assert "pip install wandb" in told.value.hint
    access.require(TrackBlock())


def test_a_key_goes_only_where_the_user_lets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    block = TrackBlock(type="mlflow", url="https://tracker.example")
    access.require(block)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    with pytest.raises(ModelError, match=r"was not sent to tracker\.example"):
        access.require(block)
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", "MLFLOW_TRACKING_TOKEN=tracker.example")
    access.require(block)


def test_a_password_that_mlflow_keeps_itself_goes_only_where_the_user_lets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mlflow sends it to any server, and so to one that a stranger's recipe names."""
    kept = tmp_path / ".mlflow" / "credentials"
    kept.parent.mkdir()
    kept.write_text("[mlflow]\nmlflow_tracking_username = ana\nmlflow_tracking_password = 0123\n")
    block = TrackBlock(type="mlflow", url="https://tracker.example")
    with pytest.raises(ModelError, match=r"credentials was not sent to tracker\.example"):
        access.require(block)
    access.require(TrackBlock(type="mlflow"))
    access.require(TrackBlock(type="wandb", url="https://tracker.example"))
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", f"{kept}=tracker.example")
    access.require(block)


def test_nothing_goes_over_plain_http_to_another_machine() -> None:
    access.require(TrackBlock(type="mlflow", url="http://127.0.0.1:5000"))
    with pytest.raises(ModelError, match="plain http"):
        access.require(TrackBlock(type="mlflow", url="http://tracker.example"))


def test_wandb_without_a_key_writes_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = TrackBlock(type="wandb")
    assert access.server_of(block) is None
    assert "for there is no key" in access.described(block)
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password 0123\n")
    assert access.server_of(block) == access.WANDB
    assert access.server_of(block.model_copy(update={"url": "https://own.example"})) is None
    monkeypatch.setenv("WANDB_API_KEY", "0123")
    assert access.server_of(block.model_copy(update={"url": "https://own.example"})) == "https://own.example"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert access.server_of(block) is None


def test_the_users_own_variable_names_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    block = TrackBlock(type="mlflow")
    assert access.server_of(block) is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hidden@tracker.example/x")
    assert access.server_of(block) == "https://me:hidden@tracker.example/x"
    assert access.described(block).endswith("project selfstudy: https://tracker.example")


@pytest.mark.parametrize("place", ["http://[hidden", "me:hidden@tracker.example"])
def test_a_variable_that_holds_no_url_is_told_without_what_may_be_a_password(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
    assert "hidden" not in access.described(TrackBlock(type="mlflow"))
