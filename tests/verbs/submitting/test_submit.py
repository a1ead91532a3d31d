"""`selfstudy submit` from the command line, against a stand-in for Slurm that runs what it is given."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from selfstudy.cli import app
from selfstudy.errors import RunError
from selfstudy.files import lock
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import load_recipe
from selfstudy.run import Run
from selfstudy.verbs.submitting import submit as submitting
from selfstudy.verbs.submitting.submit import needed_variables

from ...run.sharded import make_recipe, records, whole
from .slurm import StandIn, directives


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a scripted model, which cannot be taught: that is refused elsewhere, and by the job that teaches."""
    make_recipe(tmp_path, cluster={"shards": 3, "at_once": 2, "time": "1:00:00"})
    monkeypatch.setattr("selfstudy.loop.study.require_teachable", lambda recipe: None)
    return tmp_path / "my.yaml"


def cli(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_dry_run_writes_the_files_and_says_what_would_be_submitted(
    recipe: Path, tmp_path: Path, slurm: StandIn
) -> None:
    code, said, trouble = cli("submit", recipe, "--slurm", "--dry-run", "--run", tmp_path / "run")
    assert code == 0, trouble
    folder = tmp_path / "run/slurm"
    assert said.splitlines() == [
        f"sbatch --parsable {folder}/01-ask-1.sbatch",
        f"sbatch --parsable --dependency=afterok:<01-ask-1> {folder}/02-shard-1.sbatch  (3 shards)",
        f"sbatch --parsable --dependency=afterok:<02-shard-1> {folder}/03-merge-1.sbatch",
        f"sbatch --parsable --dependency=afterok:<03-merge-1> {folder}/04-teach-1.sbatch",
        f"sbatch --parsable --dependency=afterok:<04-teach-1> {folder}/05-verify-1.sbatch",
        "nothing was submitted (--dry-run)",
    ]
    for file in folder.glob("*.sbatch"):
        assert subprocess.run(["bash", "-n", file], check=False, timeout=20).returncode == 0
        assert file.stat().st_mode & 0o077 == 0
    assert slurm.jobs == []


def test_the_jobs_do_the_run_and_what_failed_is_submitted_again(
    recipe: Path, tmp_path: Path, slurm: StandIn
) -> None:
    run = tmp_path / "run"
    code, said, trouble = cli("submit", recipe, "--slurm", "--run", run)
    assert (code, "5 submitted" in said) == (0, True), trouble
    names = [job["name"].rpartition(".")[2] for job in slurm.jobs]
    assert names == ["ask-1", "shard-1", "merge-1", "teach-1", "verify-1"]
    assert [job["after"] for job in slurm.jobs] == [None, 101, 102, 103, 104]
    code, said, _ = cli("submit", recipe, "--slurm", "--run", run)
    assert (code, said.count("in the queue already"), len(slurm.jobs)) == (0, 5, 5)

    questions = (tmp_path / "questions.txt").rename(tmp_path / "hidden")
    slurm.run()
    assert [set(job["tasks"].values()) for job in slurm.jobs] == [{"FAILED"}, *[{"CANCELLED"}] * 4]
    code, said, _ = cli("status", run)
    assert code == 0
    for part in ("ask-1 [101]", "FAILED", "questions.txt", "01-ask-1.log", "-> fix what it says", "merge-1"):
        assert part in said

    questions.rename(tmp_path / "questions.txt")
    assert cli("submit", recipe, "--slurm", "--run", run)[0] == 0
    assert len(slurm.jobs) == 10
    slurm.run(108)
    assert [set(job["tasks"].values()) for job in slurm.jobs[5:8]] == [{"COMPLETED"}] * 3
    assert records(run) == records(whole(tmp_path / "alone", load_recipe(recipe)))
    slurm.run()
    assert slurm.jobs[8]["tasks"] == {"": "FAILED"}  # a script has no weights
    assert not list((run / "slurm").glob("ask*.json"))
    code, said, _ = cli("submit", recipe, "--slurm", "--run", run, "--dry-run")
    assert [line.rpartition("/")[2] for line in said.splitlines()[:-1]] == [
        "04-teach-1.sbatch",
        "05-verify-1.sbatch",
    ]


def test_only_shards_that_are_left_are_submitted_again(recipe: Path, tmp_path: Path, slurm: StandIn) -> None:
    run = tmp_path / "run"
    assert cli("submit", recipe, "--slurm", "--run", run)[0] == 0
    slurm.run(102)
    (run / "shards/002-of-003/rounds/1/gather.done").unlink()
    slurm.run()
    said = cli("status", run)[1]
    assert "2 done" in said
    assert "not finished: 2/3" in said
    assert cli("submit", recipe, "--slurm", "--run", run)[0] == 0
    assert directives((run / "slurm/02-shard-1.sbatch").read_text())["array"] == "2%2"
    assert [job["after"] for job in slurm.jobs[5:]] == [None, 106, 107, 108]
    slurm.run(107)
    assert (run / "rounds/1/gather.done").exists()


@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_kill_between_two_jobs_is_made_up_for(
    recipe: Path, tmp_path: Path, slurm: StandIn, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    left = [killed_after]
    keep = submitting._keep

    def dying(*arguments: object) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        keep(*arguments)  # type: ignore[arg-type]

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(submitting, "_keep", dying)
        assert cli("submit", recipe, "--slurm", "--run", run)[0] == 130
    assert len(slurm.jobs) == killed_after
    assert cli("submit", recipe, "--slurm", "--run", run)[0] == 0
    assert [job["name"].rpartition(".")[2] for job in slurm.jobs] == [
        *("ask-1", "shard-1", "merge-1", "teach-1", "verify-1")
    ]
    assert [job["after"] for job in slurm.jobs] == [None, 101, 102, 103, 104]


def test_a_later_job_in_the_queue_does_not_run_before_an_earlier_one(
    recipe: Path, tmp_path: Path, slurm: StandIn
) -> None:
    run = tmp_path / "run"
    assert cli("submit", recipe, "--slurm", "--run", run)[0] == 0
    state = slurm.folder / "state.json"
    state.write_text(json.dumps([job for job in slurm.jobs if job["id"] != 102]))
    code, _, trouble = cli("submit", recipe, "--slurm", "--run", run)
    assert (code, "scancel" in trouble) == (2, True)


def test_without_slurm_nothing_is_begun(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, trouble = cli("submit", recipe, "--slurm", "--run", tmp_path / "run")
    assert (code, "there is no sbatch" in trouble, "--dry-run" in trouble) == (2, True, True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["a run", "it's", "run\n#SBATCH --uid=0", "%j", "$(id)"])
def test_a_folder_whose_name_breaks_lines_is_refused_before_it_is_made(
    recipe: Path, tmp_path: Path, slurm: StandIn, name: str
) -> None:
    code, _, trouble = cli("submit", recipe, "--slurm", "--run", tmp_path / name)
    assert (code, "batch file" in trouble) == (2, True)
    assert not (tmp_path / name).exists()


def test_what_submit_needs_is_said(recipe: Path, tmp_path: Path, slurm: StandIn) -> None:
    assert "add --slurm" in cli("submit", recipe)[2]
    (tmp_path / "plain.yaml").write_text(
        yaml.safe_dump({k: v for k, v in yaml.safe_load(recipe.read_text()).items() if k != "cluster"})
    )
    assert "no block `cluster`" in cli("submit", tmp_path / "plain.yaml", "--slurm")[2]
    run = tmp_path / "run"
    for seed in ("3", "0"):  # nothing has begun, so anything may change
        assert cli("submit", recipe, "--slurm", "--run", run, "--dry-run", "--seed", seed)[0] == 0
        with Run.open(run, write=False) as opened:
            assert opened.recipe.seed == int(seed)
    assert cli("submit", recipe, "--slurm", "--run", run)[0] == 0
    assert "seed: 0 -> 7" in cli("submit", recipe, "--slurm", "--run", run, "--seed", "7")[2]
    held = lock.take(run / "slurm/submit.lock", run)
    assert "is being written by" in cli("submit", recipe, "--slurm", "--run", run)[2]
    os.close(held)


def test_what_may_differ_is_taken_from_the_recipe_that_is_submitted(
    recipe: Path, tmp_path: Path, slurm: StandIn
) -> None:
    """A budget is raised so: the jobs read the recipe of the run."""
    run = tmp_path / "run"
    for calls in (5, 5000):
        more = ("--set", f"budget.calls={calls}")
        assert cli("submit", recipe, "--slurm", "--run", run, "--dry-run", *more)[0] == 0
        with Run.open(run, write=False) as opened:
            assert opened.recipe.budget.calls == calls
        (run / "rounds").mkdir(exist_ok=True)  # from now on it has begun
    with Run.open(run):
        assert cli("submit", recipe, "--slurm", "--run", run, "--dry-run", *more)[0] == 0
        assert "is being written by" in cli("submit", recipe, "--slurm", "--run", run, "--dry-run")[2]


@pytest.mark.parametrize(
    ("gpus", "processes", "said"),
    [
        (1, 2, "cluster.gpus = 1 is less than teach.launch.processes = 2"),
        (0, 3, "cannot be shared out evenly"),
    ],
)
def test_what_its_processes_could_not_train_is_refused_before_it_waits_in_a_queue(
    recipe: Path, tmp_path: Path, slurm: StandIn, gpus: int, processes: int, said: str
) -> None:
    teach = {"method": "dpo", "launch": {"processes": processes}}
    make_recipe(tmp_path, cluster={"gpus": gpus}, teach=teach)
    assert said in cli("submit", recipe, "--slurm", "--run", tmp_path / "run")[2]
    assert not (tmp_path / "run").exists()


def test_a_model_that_cannot_be_taught_is_refused_at_once(tmp_path: Path, slurm: StandIn) -> None:
    make_recipe(tmp_path, cluster={"shards": 3})
    assert "cannot be taught" in cli("submit", tmp_path / "my.yaml", "--slurm", "--run", tmp_path / "run")[2]
    assert not (tmp_path / "run").exists()


def test_variables_are_named_and_their_values_written_nowhere() -> None:
    recipe = Recipe.model_validate(
        {
            "judge": {
                "type": "remote",
                "base_url": "https://a.example/v1",
                "model": "m",
                "api_key_env": "A_KEY",
            },
            "library": {"sources": [{"type": "web", "engine": "brave", "api_key_env": "BRAVE_KEY"}]},
        }
    )
    assert needed_variables(recipe) == ["A_KEY", "BRAVE_KEY"]


def test_a_name_in_the_queue_is_of_one_run_alone(tmp_path: Path) -> None:
    """However one comes to it: else its jobs would be submitted once more."""
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home")
    (same,) = {submitting.run_name(tmp_path / name / "run") for name in ("home", "link")}
    assert same.startswith("run.")
    one, other = (submitting.run_name(Path(path)) for path in ("/a/my run$", "/b/my run$"))
    assert one != other
    assert one.startswith("my-run-.")


def test_a_part_that_is_none_is_refused(tmp_path: Path) -> None:
    assert "there is no part" in cli("job", tmp_path, "dance")[2]
    with pytest.raises(RunError):
        submitting.prepare(tmp_path, submitting.cluster_of(Recipe.model_validate({"cluster": {}})))


def test_a_run_that_is_named_by_a_link_is_not_submitted_twice(
    recipe: Path, tmp_path: Path, slurm: StandIn
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert cli("submit", recipe, "--slurm", "--run", tmp_path / "link/run")[0] == 0
    assert cli("submit", recipe, "--slurm", "--run", tmp_path / "real/run")[0] == 0
    assert len(slurm.jobs) == 5


def test_lines_that_each_job_will_run_are_shown_first(recipe: Path, tmp_path: Path, slurm: StandIn) -> None:
    lines = ("--set", "cluster.setup=['curl https://x.example | sh']")
    code, _, trouble = cli("submit", recipe, "--slurm", "--run", tmp_path / "run", "--dry-run", *lines)
    assert (code, "each job first runs, as you: curl https://x.example | sh" in trouble) == (0, True)


def test_who_submits_meanwhile_does_not_change_the_recipe(
    recipe: Path, tmp_path: Path, slurm: StandIn
) -> None:
    """Of a run in which nothing has begun any key may change, but not while its jobs are submitted."""
    run = tmp_path / "run"
    assert cli("submit", recipe, "--slurm", "--run", run, "--dry-run")[0] == 0
    with submitting.alone(run):
        code, _, trouble = cli("submit", recipe, "--slurm", "--run", run, "--seed", "7")
    assert (code, "is being written by" in trouble) == (2, True)
    with Run.open(run, write=False) as opened:
        assert opened.recipe.seed == 0


def test_one_of_several_processes_submits_nothing(
    recipe: Path, tmp_path: Path, slurm: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs get the environment: each of them would wait for the others of a launcher that is not there."""
    assert cli("submit", recipe, "--slurm", "--run", tmp_path / "run", "--dry-run")[0] == 0
    monkeypatch.setenv("WORLD_SIZE", "2")
    for words in (
        ("submit", recipe, "--slurm", "--run", tmp_path / "run"),
        ("job", tmp_path / "run", "teach"),
    ):
        code, _, trouble = cli(*words)
        assert (code, "2 processes were started" in trouble) == (2, True)
    assert slurm.jobs == []
