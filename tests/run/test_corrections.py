"""What people say of a run: kept line by line, beside whoever writes the run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files import lock
from selfstudy.recipe import Recipe
from selfstudy.run import Run, corrections


def test_added_while_the_run_is_written_and_the_last_saying_counts(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as writer:
        reader = Run.open(tmp_path / "run", write=False)
        for label in ("right", "wrong", "right"):
            corrections.add(reader, "q", label=label, by=" Ana\x00 \n")  # type: ignore[arg-type]
        corrections.add(reader, "q", reference="<b>Suva</b>\x00", note="as the atlas says")
        said = corrections.read(writer)
        assert [one.label for one in said] == ["right", "wrong", "right", None]
        assert len({one.id for one in said}) == 4
        now = corrections.standing(writer)["q"]
        assert now.label
        assert (now.label.number, now.label.source) == (3, "person:Ana")
        assert now.reference
        assert now.reference.reference == "<b>Suva</b>"
    assert [one.number for one in corrections.read(Run.open(tmp_path / "run", write=False))] == [1, 2, 3, 4]
    Run.open(tmp_path / "run").close()  # nothing in the folder is foreign to it


def test_what_is_withdrawn_counts_no_more_until_it_is_said_anew(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        with pytest.raises(RunError, match="nobody has given question q a reference"):
            corrections.add(run, "q", withdraws="reference")
        corrections.add(run, "q", label="right", reference="Suva")
        with pytest.raises(RunError, match="and one is withdrawn"):
            corrections.add(run, "q", label="wrong", withdraws="label")
        corrections.add(run, "q", withdraws="reference", note="another Fiji", by="Ana")
        now = corrections.standing(run)["q"]
        assert now.label
        assert (now.reference, now.taken_back and now.taken_back.note) == (None, "another Fiji")
        with pytest.raises(RunError, match="a reference that counts"):
            corrections.add(run, "q", withdraws="reference")
        corrections.add(run, "q", withdraws="label")
        corrections.add(run, "q", reference="Lami")
        now = corrections.standing(run)["q"]
        assert now.reference
        assert (now.reference.reference, now.taken_back, now.label) == ("Lami", None, None)
        assert len(corrections.read(run)) == 4


def test_a_torn_last_line_is_left_out_and_then_repaired(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        corrections.add(run, "q", label="right")
        whole = run.corrections_file.read_bytes()
        run.corrections_file.write_bytes(whole + b'{"number": 2, "quest')
        assert len(corrections.read(run)) == 1
        corrections.add(run, "q", label="wrong")
        assert [one.label for one in corrections.read(run)] == ["right", "wrong"]


def test_many_at_once_lose_none(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: corrections.add(run, f"q{n}", label="right"), range(24)))
        assert sorted(one.number for one in corrections.read(run)) == list(range(1, 25))


def test_what_says_nothing_is_too_long_or_waits_in_vain_is_told_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        with pytest.raises(RunError, match="nothing is said"):
            corrections.add(run, "q", reference=" \x00 ", by="Ana")
        with pytest.raises(RunError, match="no letter and no digit"):
            corrections.add(run, "q", reference="\u200b\u202e ?")
        with pytest.raises(RunError, match=r"the note has 4,001 characters, more than 4,000"):
            corrections.add(run, "q", note="x" * 4_001)
        with pytest.raises(RunError, match="the name has 101 characters"):
            corrections.add(run, "q", label="right", by="x" * 101)
        monkeypatch.setattr(corrections, "_PATIENCE", 0.05)
        held = lock.take(run.corrections_lock, run.path)
        with pytest.raises(RunError, match="is being written by process"):
            corrections.add(run, "q", label="right")
        lock.release(held)
        assert corrections.read(run) == []


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        corrections.add(run, "q", label="right")
        said = run.corrections_file.read_bytes()
        for line in (b'{"number": 0}\n', b"\xff\n", b"[]\n"):
            run.corrections_file.write_bytes(line + said)
            with pytest.raises(RunError, match="line 1 is damaged") as told:
                corrections.standing(run)
            assert "take that line out" in told.value.hint  # and never to delete what people said
