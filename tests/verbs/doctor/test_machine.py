"""What the doctor finds of a machine, and that each failure names what fixes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.verbs.doctor import examine, machine


def test_a_machine_that_is_ready(tmp_path: Path) -> None:
    found = list(examine(tmp_path))
    assert [one.name for one in found if one.state == "fail"] == []
    assert {"python", "packages", "memory", "disk", "torch", "accelerator"} <= {one.name for one in found}
    assert all(one.fix for one in found if one.state != "ok")


def test_versions_are_compared_with_the_tested_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = tmp_path / "constraints.txt"
    pinned.write_text("# tested\nnumpy==0.0.1 \\\n    --hash=sha256:0\nno-such-package==1.0\n")
    monkeypatch.setattr(machine, "_constraints_file", lambda: pinned)
    finding = {one.name: one for one in examine(tmp_path)}["versions"]
    assert finding.state == "warn"
    assert "(tested: 0.0.1)" in finding.found
    assert "no-such-package" not in finding.found
    assert finding.fix == f"pip install --require-hashes --no-deps -r {pinned}"


def test_the_tested_versions_are_known() -> None:
    file = machine._constraints_file()
    assert file is not None
    assert "\ntorch==" in file.read_text()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    found = {one.name: one for one in examine(tmp_path / "nowhere")}
    assert found["disk"].state == "fail"
    assert "--run DIR" in found["disk"].fix
