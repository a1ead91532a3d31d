"""The run directory through its public door: writing, resuming, damage, locks, a full disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfstudy.errors import RunError
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import load_recipe
from selfstudy.records import Failure, Question
from selfstudy.run import Run


def questions(count: int) -> list[Question]:
    return [Question(text=f"What is {n}?", topic="numbers") for n in range(count)]


def files(run: Path) -> dict[str, bytes]:
    """Every record of a run, byte by byte."""
    return {str(p.relative_to(run)): p.read_bytes() for p in sorted(run.rglob("rounds/*/*")) if p.is_file()}


def test_a_run_of_version_0_1_0_is_refused_clearly(place: Path, recipe: Recipe) -> None:
    Run.create_or_resume(place, recipe).close()
    provenance = json.loads((place / "run.json").read_text())
    del provenance["format"]
    (place / "run.json").write_text(json.dumps(provenance))
    (place / "recipe.yaml").write_text("probe: {max_new_tokens: 48}\ngather: {max_new_tokens: 48}\n")
    for opened in (lambda: Run.open(place, write=False), lambda: Run.create_or_resume(place, recipe)):
        with pytest.raises(RunError, match="made by another version of selfstudy") as caught:
            opened()
        assert "start a new run with --run DIR" in str(caught.value)
        assert "answering" not in str(caught.value), "it is no recipe to be fixed"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(min_value=0, max_value=2000),
    junk=st.sampled_from([b"", b"{", b"\x00" * 40, b"{oops\n", b'"\n'[:1]]),
)
def test_a_file_torn_anywhere_keeps_every_whole_line_and_resumes_to_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, recipe: Recipe, cut: int, junk: bytes
) -> None:
    place = tmp_path_factory.mktemp("torn") / "run"
    with Run.create_or_resume(place, recipe) as run:
        run.round(1).append(questions(12))
    whole = files(place)
    file = place / "rounds/1/questions.jsonl"
    data = file.read_bytes()[:cut]
    file.write_bytes(data + junk)
    kept = data.count(b"\n")
    with Run.open(place, write=False) as run:
        assert run.round(1).read(Question) == questions(12)[:kept]
    with Run.create_or_resume(place, recipe) as run:
        assert run.round(1).read(Question) == questions(12)[:kept]
        run.round(1).append(questions(12))
    assert files(place) == whole
    shutil.rmtree(place)


def test_another_recipe_is_refused_with_the_changed_keys(place: Path, recipe: Recipe) -> None:
    Run.create_or_resume(place, recipe).close()
    other = load_recipe(None, ["library=atlas", "probe.threshold=0.6", "seed=1"])
    with pytest.raises(RunError) as refusal:
        Run.create_or_resume(place, other)
    assert "probe.threshold: null -> 0.6" in str(refusal.value)
    assert "seed: 0 -> 1" in str(refusal.value)
    assert str(refusal.value).count("->") == 3  # two changes and the hint
    Run.create_or_resume(place, recipe).close()  # the refusal let go of the lock


def test_an_edited_stored_recipe_is_noticed(place: Path, recipe: Recipe) -> None:
    Run.create_or_resume(place, recipe).close()
    stored = place / "recipe.yaml"
    stored.write_text(stored.read_text().replace("threshold: null", "threshold: 0.9"))
    with pytest.raises(RunError, match="edited"):
        Run.open(place)


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path, recipe: Recipe) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunError, match=r"thesis\.tex"):
        Run.create_or_resume(tmp_path, recipe)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(RunError, match="is a file"):
        Run.create_or_resume(tmp_path / "thesis.tex", recipe)
    with pytest.raises(RunError, match="no run at"):
        Run.open(tmp_path)


def test_a_kill_during_creation_can_be_resumed(place: Path, recipe: Recipe) -> None:
    place.mkdir()
    (place / "lock").touch()
    (place / "run.json").write_text("{")
    (place / "recipe.yaml.tmp").write_text("mod")
    with Run.create_or_resume(place, recipe):
        assert json.loads((place / "run.json").read_text())["seed"] == 0


def test_a_second_process_is_refused_and_told_who_writes(place: Path, recipe: Recipe) -> None:
    code = f"""
        from pathlib import Path
        from selfstudy.errors import RunError
        from selfstudy.records import Question
        from selfstudy.run import Run
        try:
            Run.open(Path({str(place)!r}))
        except RunError as error:
            print(error)
        print(len(Run.open(Path({str(place)!r}), write=False).round(1).read(Question)))
    """
    with Run.create_or_resume(place, recipe) as run:
        run.round(1).append(questions(2))
        out = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
        )
    assert f"process {os.getpid()} on" in out.stdout
    assert out.stdout.rstrip().endswith("2")  # reading needs no lock


def test_a_killed_writer_leaves_no_lock_and_a_resumed_run_equals_an_undisturbed_one(
    tmp_path: Path, recipe: Recipe
) -> None:
    code = """
        import sys
        from pathlib import Path
        from selfstudy.recipe.file import load_recipe
        from selfstudy.records import Question
        from selfstudy.run import Run
        with Run.create_or_resume(Path(sys.argv[1]), load_recipe(None, ["library=atlas"])) as run:
            turn = run.round(1)
            items = [Question(text=f"What is {n}?", topic="numbers") for n in range(400)]
            for block in turn.pending(items, 7, lambda q: q.id in turn.ids(Question)):
                turn.append(block)
            turn.finish("probe")
    """
    script = [sys.executable, "-c", textwrap.dedent(code)]
    subprocess.run([*script, str(tmp_path / "quiet")], check=True)
    place = tmp_path / "disturbed"
    for _ in range(3):
        process = subprocess.Popen([*script, str(place)])
        file = place / "rounds/1/questions.jsonl"
        before = file.stat().st_size if file.exists() else 0
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            if file.exists() and file.stat().st_size > before + 3000:
                process.send_signal(signal.SIGKILL)
                process.wait()
    subprocess.run([*script, str(place)], check=True)
    assert files(place) == files(tmp_path / "quiet")
    with Run.open(place, write=False) as run:
        assert run.round(1).finished("probe")


def test_a_full_disk_loses_nothing_and_says_how_to_go_on(place: Path) -> None:
    # a limit on file size fails a write half-way, as a full disk does
    code = f"""
        import resource
        from pathlib import Path
        from selfstudy.errors import RunError
        from selfstudy.recipe.file import load_recipe
        from selfstudy.records import Question
        from selfstudy.run import Run
        with Run.create_or_resume(Path({str(place)!r}), load_recipe(None, ["library=atlas"])) as run:
            run.round(1).append([Question(text="first")])
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
            try:
                run.round(1).append([Question(text=f"more {{n}}") for n in range(1000)])
            except RunError as error:
                print(error)
            try:
                run.write_json(run.summary_file, {{"text": "x" * 9000}})
            except RunError as error:
                print(error)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert [q.text for q in run.round(1).read(Question)] == ["first"]
            run.round(1).append([Question(text="second")])
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert out.stdout.count("nothing written earlier is lost") == 2
    assert f"--run {place}" in out.stdout
    with Run.open(place, write=False) as run:
        assert [q.text for q in run.round(1).read(Question)] == ["first", "second"]
    assert not list(place.rglob("*.tmp"))


def test_failures_are_noted_once(place: Path, recipe: Recipe) -> None:
    with Run.create_or_resume(place, recipe) as run:
        for _ in range(2):
            run.round(1).fail("gather", "q1", ValueError("no text"))
        assert run.round(1).read(Failure) == [
            Failure(stage="gather", item_id="q1", message="ValueError: no text")
        ]


def test_stages_finish_and_a_marker_is_dropped_when_its_records_were_lost(
    place: Path, recipe: Recipe
) -> None:
    with Run.create_or_resume(place, recipe) as run:
        run.round(1).append(questions(3))
        run.round(1).finish("probe")
    file = place / "rounds/1/questions.jsonl"
    file.write_bytes(file.read_bytes() + b'{"id"')  # torn after probe had finished: probe lost nothing
    with Run.open(place) as run:
        assert run.round(1).finished("probe")
        assert not run.round(1).finished("gather")
    file.write_bytes(file.read_bytes()[:-5])
    with Run.open(place) as run:
        assert not run.round(1).finished("probe")


@given(count=st.integers(0, 40), size=st.integers(1, 12), done=st.sets(st.integers(0, 39)))
def test_pending_yields_fixed_blocks_whole(count: int, size: int, done: set[int]) -> None:
    blocks = list(
        Run(Path("/nowhere"), Recipe(), None).round(1).pending(range(count), size, done.__contains__)
    )
    for block in blocks:
        assert block[0] % size == 0
        assert block == list(range(block[0], min(block[0] + size, count)))
    assert set(range(count)) - done <= {n for block in blocks for n in block}
    assert all(set(block) - done for block in blocks)


def test_rounds_are_ordered_by_number(place: Path, recipe: Recipe) -> None:
    with Run.create_or_resume(place, recipe) as run:
        for number in (10, 2, 1):
            run.round(number)
        assert [turn.number for turn in run.rounds] == [1, 2, 10]
        with pytest.raises(ValueError):
            run.round(0)


def test_json_files_are_replaced_whole_and_stay_json(place: Path, recipe: Recipe) -> None:
    with Run.create_or_resume(place, recipe) as run:
        assert run.read_json(run.summary_file) is None
        run.write_json(run.summary_file, {"auroc": float("nan"), "promoted": True})
        assert run.read_json(run.summary_file) == {"auroc": None, "promoted": True}
        json.loads((place / "summary.json").read_text(), parse_constant=pytest.fail)


def test_a_reader_cannot_write(place: Path, recipe: Recipe) -> None:
    Run.create_or_resume(place, recipe).close()
    before = files(place)
    with Run.open(place, write=False) as run:
        with pytest.raises(RunError, match="reading only"):
            run.round(1).append(questions(1))
        with pytest.raises(RunError, match="reading only"):
            run.write_json(run.path / "x.json", {})
    assert files(place) == before
    assert not (place / "rounds").exists()


def test_what_another_process_wrote_meanwhile_is_known(place: Path, recipe: Recipe) -> None:
    first, second, third = questions(3)
    with Run.create_or_resume(place, recipe) as run:
        round_ = run.round(1)
        round_.append([first])
        with run.lent():
            assert not run.writable
            with Run.open(place) as other:
                other.round(1).append([second])
        round_.append([first, second, third])
        assert round_.read(Question) == [first, second, third]


@pytest.mark.parametrize("error", [None, ZeroDivisionError()])
def test_a_run_that_somebody_else_has_taken_is_not_written_to(
    error: Exception | None, place: Path, recipe: Recipe
) -> None:
    """An error of the work itself comes first."""
    taken = []

    def work() -> None:
        taken.append(Run.open(place))
        if error is not None:
            raise error

    with Run.create_or_resume(place, recipe) as run:
        with pytest.raises(RunError if error is None else type(error)), run.lent():
            work()
        assert not run.writable
    taken[0].close()


def test_a_file_may_be_as_large_as_is_said(place: Path, recipe: Recipe) -> None:
    """What a run keeps of a million questions from outside is more than its other files may be."""
    with Run.create_or_resume(place, recipe) as run:
        data = {"lines": ["What is it?"] * 100}
        with pytest.raises(RunError, match="more than can be read again: nothing was written"):
            run.write_json(run.external_file(0), data, 1000)
        assert run.read_json(run.external_file(0)) is None
        run.write_json(run.external_file(0), data, 3000)
        assert run.read_json(run.external_file(0), 3000) == data
        with pytest.raises(RunError, match="at most 1,000 are read"):
            run.read_json(run.external_file(0), 1000)


def test_what_others_are_writing_for_a_queue_is_let_be(tmp_path: Path) -> None:
    """A job begins, and tidies its run, while `submit` writes the files of those behind it, elsewhere."""
    Run.create_or_resume(tmp_path, Recipe()).close()
    written = [tmp_path / folder / f".selfstudy-{2**31 - 1}-{'0' * 16}.tmp" for folder in ("slurm", "rounds")]
    for file in written:  # as a process of another machine does
        file.parent.mkdir(exist_ok=True)
        file.touch()
    Run.open(tmp_path).close()
    assert [file.exists() for file in written] == [True, False]
