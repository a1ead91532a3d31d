"""Work that was interrupted goes on, and ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.verbs.kept import KeptFolder
from selfstudy.verbs.socratic.attempts import Attempts
from selfstudy.verbs.socratic.exercises import Exercise
from tests.verbs.socratic.tutors import TABLE

SETTINGS = {"seed": 1}


class Work:
    """Makes records that say how large their block was; stops before a block, if it is to."""

    def __init__(self, stop: int | None = None) -> None:
        self.made: list[int] = []
        self.stop = stop

    def __call__(self, block: Sequence[Exercise]) -> list[Attempts]:
        if len(self.made) == self.stop:
            raise KeyboardInterrupt
        self.made.append(len(block))
        return [Attempts(id=one.id, read=len(block), right=0, failed=0) for one in block]


def keep(folder: Path, work: Work, block: int = 4, **settings: object) -> list[Attempts]:
    return KeptFolder(folder, block).keep("tried", Attempts, TABLE, work, {**SETTINGS, **settings})


def test_what_is_interrupted_goes_on_with_the_same_blocks(tmp_path: Path) -> None:
    undisturbed = keep(tmp_path / "a", Work())
    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path / "b", Work(stop=1))
    again = Work()
    assert keep(tmp_path / "b", again) == undisturbed
    assert again.made == [2]
    assert KeptFolder(tmp_path / "b", 4).kept("tried", Attempts) == undisturbed
    assert KeptFolder(tmp_path / "b", 4).kept("never", Attempts) == []
    assert (tmp_path / "b/tried.jsonl").read_bytes() == (tmp_path / "a/tried.jsonl").read_bytes()


@pytest.mark.parametrize(("lost", "made"), [(1, [2]), (60, [2]), (150, [4, 2])])
def test_a_torn_block_is_made_again_whole(tmp_path: Path, lost: int, made: list[int]) -> None:
    undisturbed = keep(tmp_path, Work())
    path = tmp_path / "tried.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    again = Work()
    assert keep(tmp_path, again) == undisturbed
    assert again.made == made
    assert path.read_bytes() == whole


def test_what_is_done_is_not_made_again(tmp_path: Path) -> None:
    first = keep(tmp_path, Work())
    again, advanced = Work(), []
    found = KeptFolder(tmp_path, 4).keep("tried", Attempts, TABLE, again, SETTINGS, advanced.append)
    assert (found, again.made, advanced) == (first, [], [4, 2])


def test_a_block_in_which_a_model_failed_is_made_again(tmp_path: Path) -> None:
    def fails(block: Sequence[Exercise]) -> list[Attempts]:
        found = Work()(block)
        bad = {"read": 0, "failed": 1, "model_failed": True}
        return [one.model_copy(update=bad) if one.id == TABLE[1].id else one for one in found]

    folder = KeptFolder(tmp_path, 4)
    first = folder.keep("tried", Attempts, TABLE, fails, SETTINGS)
    assert [one.failed for one in first] == [0, 1, 0, 0, 0, 0]
    again = Work()
    assert keep(tmp_path, again) == keep(tmp_path / "undisturbed", Work())
    assert again.made == [4]


def test_a_file_of_somebody_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "tried.jsonl").write_text('{"no": "newline"}')
    with pytest.raises(RunError, match="is missing"):
        keep(tmp_path, Work())
    assert (tmp_path / "tried.jsonl").read_text() == '{"no": "newline"}'


def test_other_settings_are_refused_with_what_differs(tmp_path: Path) -> None:
    keep(tmp_path, Work())
    with pytest.raises(RunError, match="seed: 1 -> 2"):
        keep(tmp_path, Work(), seed=2)
    with pytest.raises(RunError, match="block: 4 -> 3"):
        keep(tmp_path, Work(), block=3)
    with pytest.raises(RunError, match="turns: None -> 3"):
        keep(tmp_path, Work(), turns=3)


def test_records_of_nobody_knows_what_are_refused(tmp_path: Path) -> None:
    keep(tmp_path, Work())
    (tmp_path / "tried.settings.json").unlink()
    with pytest.raises(RunError, match="is missing"):
        keep(tmp_path, Work())


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    keep(tmp_path, Work())
    path = tmp_path / "tried.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], '{"id": "x"}', *lines[1:]]) + "\n")
    with pytest.raises(RunError, match="line 2 is damaged"):
        keep(tmp_path, Work())
