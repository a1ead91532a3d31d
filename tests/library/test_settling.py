from __future__ import annotations

import os
from pathlib import Path

from selfstudy.library.settling import PATIENCE, FilesAtRest, marks_of
from selfstudy.recipe.library import folder_library

A, B = {"a": (1,)}, {"a": (2,)}


def at_rest(settle: float = 2.0) -> FilesAtRest:
    found = FilesAtRest(settle)
    assert found.ready(A, 0)
    found.read(A)
    assert not found.ready(A, 1)
    return found


def test_what_was_written_to_is_ready_when_it_has_been_at_rest() -> None:
    files = at_rest()
    assert not files.ready(B, 10)
    assert files.restless == {"a"}
    assert not files.ready({"a": (3,)}, 11.9)  # written to again
    assert not files.ready({"a": (3,)}, 13)
    assert files.ready({"a": (3,)}, 13.9)
    files.read({"a": (3,)})
    assert not files.ready({"a": (3,)}, 20)


def test_what_was_put_back_has_not_changed() -> None:
    files = at_rest()
    assert not files.ready(B, 10)
    assert not files.ready(A, 11)
    assert not files.ready(A, 100)


def test_what_comes_and_what_goes_is_a_change_too() -> None:
    files = at_rest()
    assert not files.ready({}, 10)
    assert files.ready({}, 12)
    files.read({})
    assert not files.ready(A, 20)
    assert files.ready(A, 22)


def test_one_that_is_written_to_all_the_time_is_passed_over_in_the_end_and_stays_to_be_read() -> None:
    files = at_rest(settle=1)
    seconds = 10
    while not files.ready({"a": (seconds,), "new": (1,)}, seconds):
        seconds += 1
        assert seconds < 100
    assert seconds == 10 + PATIENCE
    assert files.restless == {"a"}
    files.read({"a": (seconds,), "new": (1,)})
    assert not files.ready({"a": (seconds,), "new": (1,)}, seconds + 0.5)
    assert files.ready({"a": (seconds,), "new": (1,)}, seconds + 2)  # at rest now, and not read yet


def test_a_library_of_which_nothing_rests_is_not_read() -> None:
    files = at_rest(settle=1)
    assert not any(files.ready({"a": (seconds,)}, seconds) for seconds in range(10, 1000))


def test_marks_change_with_a_file_and_are_none_where_a_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    library = folder_library(folder)
    assert marks_of(library) == {}
    file = folder / "a.txt"
    file.write_text("One.")
    first = marks_of(library)
    assert first is not None
    assert list(first) == ["0:a.txt"]
    assert marks_of(library) == first
    file.write_text("Two.")
    os.utime(file, ns=(1, 1))  # of the same size and an old time
    assert marks_of(library) != first
    file.unlink()
    assert marks_of(library) == {}
    folder.rmdir()
    assert marks_of(library) is None


def test_the_embedded_world_never_changes() -> None:
    assert marks_of(folder_library("atlas")) == {}
