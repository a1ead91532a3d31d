"""Commands of the page: they outlive who started them, are found again, and are never taken for another."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files import private
from selfstudy.ui import processes


def ended(place: Path) -> None:
    command = processes.last(place)
    assert command is not None
    until = time.monotonic() + 60
    while processes.runs(command) and time.monotonic() < until:
        time.sleep(0.05)
    assert not processes.runs(command)


def test_a_command_is_started_found_again_and_told(tmp_path: Path) -> None:
    place = processes.place_of(tmp_path, "a/b")
    assert place.parent == tmp_path / processes.FOLDER
    assert processes.last(place) is None
    assert not processes.stop(place)
    started = processes.start(place, ["--version"])
    assert processes.last(place) == started
    ended(place)
    assert processes.tail(place)[0].startswith("selfstudy ")
    assert place.stat().st_mode & 0o077 == 0


def test_every_name_has_a_place_of_its_own_below_the_folder(tmp_path: Path) -> None:
    names = [".", "..", "_", "%2E", "a", "a/b", "a%2Fb"]
    places = {processes.place_of(tmp_path, name) for name in names}
    assert len(places) == len(names)
    assert {place.parent for place in places} == {tmp_path / processes.FOLDER}
    assert ".." not in {place.name for place in places}


def test_nothing_is_imported_from_the_folder_that_is_worked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "typer.py").write_text("raise SystemExit(7)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert processes.answer(["--version"], 60)[0] == 0


def test_it_outlives_who_started_it_and_stops_cleanly(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from selfstudy.ui import processes\n"
        f"processes.start(Path({str(tmp_path / 'one')!r}), ['learn', {str(tmp_path / 'none.fifo')!r}])"
    )
    recipe = tmp_path / "none.fifo"
    recipe.write_text("library: atlas\n", encoding="utf-8")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    command = processes.last(tmp_path / "one")
    assert command is not None
    assert processes.runs(command)
    with pytest.raises(RunError, match="still at work"):
        processes.start(tmp_path / "one", ["--version"])
    assert processes.stop(tmp_path / "one")
    ended(tmp_path / "one")
    found = processes.last(tmp_path / "one")
    assert found == replace(command, stopped=True)


def test_a_command_that_could_not_be_found_again_does_not_go_on(tmp_path: Path) -> None:
    place = tmp_path / "one"
    (place / "process.json").mkdir(parents=True)
    with pytest.raises(RunError, match=r"cannot write .*process\.json"):
        processes.start(place, ["--version"])
    assert not processes.tail(place)  # it was ended before it said anything


def test_another_process_of_the_same_number_is_not_taken_for_it(tmp_path: Path) -> None:
    command = processes.start(tmp_path / "one", ["--help"])
    assert not processes.runs(replace(command, began="another moment"))
    assert not processes.runs(replace(command, began=""))
    ended(tmp_path / "one")


def test_a_file_of_others_ends_no_process_that_is_not_ours(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        began = processes._began(other.pid)
        written = {"words": ["learn"], "pid": other.pid, "began": began}
        (tmp_path / "process.json").write_text(json.dumps(written), encoding="utf-8")
        assert not processes.stop(tmp_path)
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("name", ["", "..", "\udcff", "\u00e9" * 300], ids=ascii)
def test_each_name_has_a_place_in_the_folder(tmp_path: Path, name: str) -> None:
    place = processes.place_of(tmp_path, name)
    assert place.resolve().parent == tmp_path / processes.FOLDER
    assert place != processes.place_of(tmp_path, name + "a")
    private.make_folder(place)


def test_what_stands_in_the_way_is_no_command(tmp_path: Path) -> None:
    (tmp_path / "process.json").write_text('{"words": [], "pid": -1, "began": "x"}', encoding="utf-8")
    assert processes.last(tmp_path) is None
    (tmp_path / "process.json").write_text("[1]", encoding="utf-8")
    assert processes.last(tmp_path) is None
    (tmp_path / "process.json").write_text("[" * 100_000, encoding="utf-8")
    assert processes.last(tmp_path) is None
    (tmp_path / "process.json").write_text('{"words": ["a"], "pid": 9, "began": "x"}', encoding="utf-8")
    (tmp_path / "output.log").write_text("of others", encoding="utf-8")
    assert processes.last(tmp_path) is not None
    (tmp_path / "link").symlink_to(tmp_path)
    assert processes.last(tmp_path / "link") is None
    assert processes.tail(tmp_path / "link") == []
    with pytest.raises(RunError, match="link"):
        processes.start(tmp_path / "link", ["--version"])


def test_a_log_is_read_by_its_end(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_bytes(b"x" * 10_000_000 + b"\x1b[31m\nlast\n")
    said = processes.tail(tmp_path)
    assert said[-1] == "last"
    assert all(len(line) <= processes.LONGEST and "\x1b" not in line for line in said)


def test_a_command_sees_no_key_but_those_of_its_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "one")
    monkeypatch.setenv("OPENAI_API_KEY", "two")
    recipe = {"model": {"api_key_env": "MY_KEY"}, "library": [{"api_key_env": None}]}
    seen = processes.environment(processes.key_variables(recipe))
    assert seen["MY_KEY"] == "one"
    assert "OPENAI_API_KEY" not in seen


def test_a_command_that_does_not_end_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="has not ended"):
        processes.answer(["--version"], 0.001)
