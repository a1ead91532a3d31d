"""The command line as a person meets it: help, one-screen errors with exit code 2, how to resume."""

from __future__ import annotations

import errno
import importlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from selfstudy import __version__
from selfstudy.cli import entry, leaving, session
from selfstudy.recipe.file import load_recipe
from selfstudy.run import Run

VERBS = (
    "demo",
    "learn",
    "probe",
    "gather",
    "teach",
    "verify",
    "report",
    "calibrate",
    "compare",
    "import",
    "score",
    "socratic",
    "discuss",
    "rate",
    "cite",
    "library",
    "suite",
    "why",
    "correct",
    "doctor",
    "estimate",
    "chat",
    "export",
    "publish",
    "serve",
    "launch-config",
    "unlearn",
    "submit",
    "merge",
    "job",
    "status",
    "ui",
    "init",
)


def selfstudy(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "selfstudy.cli", *arguments]
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=60)


def refusal(*arguments: str, cwd: Path) -> str:
    """What a person reads: one screen on stderr, exit code 2, no traceback."""
    result = selfstudy(*arguments, cwd=cwd)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith(("error: ", "Usage: "))
    assert len(result.stderr.splitlines()) < 24
    return result.stderr


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text("library: atlas\n")
    return path


def test_help_lists_every_verb() -> None:
    result = selfstudy("--help")
    assert result.returncode == 0
    for verb in VERBS:
        assert f"\n  {verb} " in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_shows_examples(verb: str) -> None:
    result = CliRunner().invoke(entry.app, [verb, "--help"], env={"COLUMNS": "100"})
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"\n    selfstudy {verb}" in result.stdout


def test_schema_for_editors_is_written_and_nothing_is_overwritten(tmp_path: Path) -> None:
    assert "schema=recipe.json" in selfstudy("init", "--json-schema", "recipe.json", cwd=tmp_path).stdout
    written = (tmp_path / "recipe.json").read_text()
    assert written == selfstudy("init", "--json-schema").stdout
    assert "there already" in refusal("init", "--json-schema", "recipe.json", cwd=tmp_path)
    assert selfstudy("init", "--json-schema", "recipe.json", "--force", cwd=tmp_path).returncode == 0
    assert "--json-schema" in refusal("init", "recipe.schema.json", cwd=tmp_path)  # a recipe of that name


def test_a_recipe_is_written_where_nobody_is_asked(tmp_path: Path) -> None:
    written = selfstudy("init", "a b.yaml", "--size", "look", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert written.stdout.endswith("  selfstudy learn 'a b.yaml'\n")
    assert sum(ask.count for ask in load_recipe(tmp_path / "a b.yaml").probe.ask) == 60
    assert (tmp_path / "recipe.schema.json").is_file()
    assert "there already" in refusal("init", "a b.yaml", cwd=tmp_path)


def typed(answers: list[bytes], cwd: Path, *arguments: str) -> tuple[int, str]:
    """What init says at a terminal, and how it ends, when each question is answered so."""
    ours, theirs = pty.openpty()
    # what leads a session, and opens a terminal, is interrupted from there
    line = f'exec "$@" <{os.ttyname(theirs)} >{os.ttyname(theirs)} 2>&1'
    command = ["sh", "-c", line, "sh", sys.executable, "-m", "selfstudy.cli", "init", *arguments]
    said, left, pressed = b"", list(answers), time.monotonic()
    with subprocess.Popen(command, cwd=cwd, start_new_session=True) as process:
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.05)[0]:
                said += os.read(ours, 4096)
            if left and said.endswith(b"]: "):
                said += b"|"
                os.write(ours, left.pop(0))
                pressed = time.monotonic()
            elif answers[-1] == b"\x03" and not left and time.monotonic() - pressed > 3:
                # between its prompt and its waiting for a line Python notes a Ctrl-C, and waits all the same
                os.write(ours, b"\x03")
                pressed = time.monotonic()
    os.close(ours)
    os.close(theirs)
    return process.returncode, said.decode().replace("\r\n", "\n").replace("|", "")


def test_at_a_terminal_init_asks_again_what_was_answered_wrongly(tmp_path: Path) -> None:
    code, said = typed([b"./nowhere\n", b"\n", b"\n", b"measure\n", b"look\n"], tmp_path, "a.yaml")
    assert code == 0
    assert said.count("model [atlas]: ") == 2
    assert "  no model folder at './nowhere'\n" in said
    assert "goal [facts]: measure" in said
    assert said.endswith("  selfstudy report runs/a\n")
    load_recipe(tmp_path / "a.yaml")


def test_init_that_is_interrupted_writes_nothing(tmp_path: Path) -> None:
    code, said = typed([b"\x03"], tmp_path)
    assert code == 130
    assert "nothing was written" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def completed_by_bash(*words: str) -> list[str]:
    """What the script for bash offers for the last of the words."""
    command = str(Path(sys.executable).parent / "selfstudy")
    script = (
        'source <(_SELFSTUDY_COMPLETE=source_bash "$1"); command=$1; shift; COMP_WORDS=(selfstudy "$@")\n'
        'COMP_CWORD=$#; _selfstudy_completion "$command"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    result = subprocess.run(
        ["bash", "-c", script, "bash", command, *words], capture_output=True, text=True, timeout=60
    )
    assert not result.stderr
    return result.stdout.split()


def test_bash_completes_verbs_and_keys() -> None:
    assert completed_by_bash("lea") == ["learn"]
    assert completed_by_bash("learn", "--set", "probe.ask.0.co") == ["probe.ask.0.count="]


def test_bash_completes_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two", "$(touch evil)", "other"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if name != "other":
            (tmp_path / "runs" / name / "run.json").write_text('{\n  "kind": "selfstudy run"')
    assert completed_by_bash("why", "") == ["runs/one", "runs/two"]
    assert completed_by_bash("why", "runs/t") == ["runs/two"]
    assert session.runs(f"{tmp_path}/runs/o") == [f"{tmp_path}/runs/one"]
    assert session.runs("nowhere/") == session.runs("runs/x") == []


@pytest.mark.parametrize(
    ("shell", "words", "said"),
    [
        ("zsh", "selfstudy lea", '"learn":'),
        ("zsh", "selfstudy doctor x", "_files"),
        ("zsh", "selfstudy init --goal c", '"cite"'),
        ("fish", "selfstudy lea", "learn"),
        ("fish", "selfstudy doctor x", ""),
    ],
    ids=("zsh verb", "zsh files", "zsh goal", "fish verb", "fish files"),
)
def test_zsh_and_fish_are_told_what_fits(shell: str, words: str, said: str) -> None:
    """By the protocol that their scripts speak; where nothing is offered they fall back to files."""
    script = shown(_SELFSTUDY_COMPLETE=f"source_{shell}")
    assert f"_SELFSTUDY_COMPLETE=complete_{shell}" in script
    asked = {"_SELFSTUDY_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": words}
    found = shown(**asked, _TYPER_COMPLETE_FISH_ACTION="get-args")
    assert said in found
    assert bool(said) is bool(found.strip())


def shown(**environment: str) -> str:
    """What the command prints for a shell."""
    return CliRunner().invoke(entry.app, [], env=environment, prog_name="selfstudy").stdout


def test_version() -> None:
    assert selfstudy("--version").stdout == f"selfstudy {__version__}\n"


def test_configurations_for_accelerate_are_found_by_name_and_other_verbs_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = selfstudy("launch-config", "fsdp")
    assert found.returncode == 0
    assert Path(found.stdout.strip()).read_text().startswith("# FSDP2")
    wrong = selfstudy("launch-config", "zero9")
    assert (wrong.returncode, "there are: ddp, fsdp, zero2, zero3" in wrong.stderr) == (2, True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused = selfstudy("gather", str(tmp_path))
    assert (refused.returncode, "2 processes were started, and gather runs in one" in refused.stderr) == (
        2,
        True,
    )


def test_a_typo_in_a_verb_or_option_gets_a_suggestion(tmp_path: Path) -> None:
    assert "Did you mean 'gather'" in refusal("gahter", cwd=tmp_path)
    assert "--seed" in refusal("demo", "--sed", "1", cwd=tmp_path)


def test_a_recipe_that_does_not_exist(tmp_path: Path) -> None:
    assert "cannot read the recipe none.yaml" in refusal("learn", "none.yaml", cwd=tmp_path)


def test_a_recipe_with_typos_lists_them_and_makes_no_run(tmp_path: Path, recipe: Path) -> None:
    recipe.write_text("library: atlas\nprobe: {treshold: 0.5, samples: -1}\n")
    message = refusal("learn", "my.yaml", cwd=tmp_path)
    assert "did you mean probe.threshold?" in message
    assert "probe.samples = -1" in message
    assert not (tmp_path / "runs").exists()


def test_a_bad_override(tmp_path: Path, recipe: Path) -> None:
    assert "probe.threshold = 1.5" in refusal(
        "probe", "my.yaml", "--set", "probe.threshold=1.5", cwd=tmp_path
    )
    assert "--set nonsense" in refusal("probe", "my.yaml", "--set", "nonsense", cwd=tmp_path)
    assert "seed = -1" in refusal("learn", "my.yaml", "--seed", "-1", cwd=tmp_path)


@pytest.mark.parametrize("verb", ["gather", "teach", "verify", "report"])
def test_a_stage_without_a_run(verb: str, tmp_path: Path) -> None:
    assert "no run at" in refusal(verb, "nowhere", cwd=tmp_path)


def test_a_run_of_another_recipe(tmp_path: Path, recipe: Path) -> None:
    Run.create_or_resume(tmp_path / "runs/my", load_recipe(recipe)).close()
    message = refusal("probe", "my.yaml", "--seed", "5", cwd=tmp_path)
    assert "seed: 0 -> 5" in message
    assert "--run DIR" in message


def test_two_processes_on_one_run(tmp_path: Path, recipe: Path) -> None:
    with Run.create_or_resume(tmp_path / "runs/my", load_recipe(recipe)):
        for arguments in (("probe", "my.yaml"), ("gather", "runs/my")):
            assert f"process {os.getpid()} on" in refusal(*arguments, cwd=tmp_path)


def test_a_folder_that_is_no_run(tmp_path: Path, recipe: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    assert "thesis.tex" in refusal("probe", "my.yaml", "--run", "mine", cwd=tmp_path)


def test_ctrl_c_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/selfstudy", "learn", "my recipe.yaml", "--seed", "1"])
    with pytest.raises(typer.Exit) as ended, session.session():
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    assert "selfstudy learn 'my recipe.yaml' --seed 1" in capsys.readouterr().err


def test_in_a_job_of_slurm_sigterm_is_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So it is told to make room, and goes on when it is put back; elsewhere it ends a process at once."""
    monkeypatch.setattr(sys, "argv", ["/bin/selfstudy", "job", "run", "ask"])
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(typer.Exit) as ended, session.session():
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.exit_code == 130
        assert "selfstudy job run ask" in capsys.readouterr().err
        session.INTERRUPTS.listen()
        session.INTERRUPTS.forget()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        monkeypatch.delenv("SLURM_JOB_ID")
        with session.session():
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EACCES, "Permission denied", "/tmp/sk-proj-8sT4nowhereElse0912/x"), "permissions"),
        (OSError(errno.EACCES, "Permission denied", "/tmp/my-words-0912/x"), "permissions"),
        (OSError(errno.EACCES, "Permission denied", b"/tmp/my-words-0912/\xff"), "permissions"),
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), "make room"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "make room"),
        (OSError(errno.ENOSPC, "No space left on device", 5), "make room"),
    ],
)
def test_what_the_system_refuses(
    error: OSError, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_TOKEN", "my-words-0912")
    with pytest.raises(typer.Exit) as ended, session.session():
        raise error
    shown = capsys.readouterr().err
    assert ended.value.exit_code == 2
    assert said in shown
    assert len(shown.splitlines()) == 2
    assert not any(key in shown for key in ("sk-proj", "my-words"))


def test_a_question_that_nobody_answers_is_no_fault_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """The end of the input, such as by Ctrl-D."""
    with pytest.raises(typer.Exit) as ended, session.session():
        raise typer.Abort
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "\nnobody answered what was asked: it was not done\n"


def test_a_descriptor_that_is_refused_is_a_fault_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, session.session():
        raise OSError(errno.EACCES, "Permission denied", 5)
    assert ended.value.exit_code == 1
    assert "TypeError" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "given", "ours"),
    [
        (["-m", "learn"], ["python", "-m", "selfstudy", "learn"], True),
        (["-m"], ["python", "-X", "dev", "-mselfstudy.cli"], True),
        (["-m", "learn"], ["python", "-m", "tool", "learn"], False),
        (["-m", "selfstudy"], ["python", "-m", "tool", "selfstudy"], False),
        (["/usr/bin/selfstudy", "learn"], ["python", "/usr/bin/selfstudy", "learn"], True),
        (["/lib/selfstudy/__main__.py"], ["python", "-m", "selfstudy"], True),
        (["/usr/bin/tool"], ["python", "/usr/bin/tool"], False),
        (["-c"], ["python", "-c", "import selfstudy.cli"], False),
        ([], [], False),
        (["-m"], [], False),
    ],
)
def test_whose_program_it_is(argv: list[str], given: list[str], ours: bool) -> None:
    assert leaving._is_program(argv, given) == ours


@pytest.mark.parametrize("streams", ["sys.stdout = sys.stderr = None", "sys.stdout.close()", ""])
def test_an_exit_code_needs_no_stream(streams: str) -> None:
    start = "import sys; sys.argv[0] = '/selfstudy'; from selfstudy.cli import leaving"
    code = f"{start}; {streams}\nleaving.exits_with(130)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize("words", [("ui",), ("serve", "atlas")])
def test_a_verb_without_its_extra_says_what_to_install(words: tuple[str, ...], tmp_path: Path) -> None:
    code = "import sys; sys.modules['starlette'] = None; from selfstudy.cli import main; main()"
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert f"pip install 'selfstudy[{words[0]}]'" in done.stderr


def test_main_modules_are_only_a_program_when_run() -> None:
    for name in ("selfstudy.__main__", "selfstudy.cli.__main__"):
        importlib.import_module(name)


def test_a_fault_of_ours_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, session.session():
        raise ZeroDivisionError("a bug")
    assert ended.value.exit_code == 1
    shown = capsys.readouterr().err
    assert "ZeroDivisionError: a bug" in shown
    assert "selfstudy doctor" in shown


def test_the_shortcuts_are_overrides_and_set_wins() -> None:
    recipe = load_recipe(None, ["library=atlas", *session.overrides("org/m: x", 3, ["seed=4"])])
    assert recipe.seed == 4
    assert recipe.model.path == "org/m: x"


def test_doctor_names_a_mend_for_everything_that_failed(tmp_path: Path) -> None:
    result = selfstudy("doctor", cwd=tmp_path)
    lines = result.stdout.splitlines()
    assert any(line.startswith("ok    python") for line in lines)
    assert any(line.startswith("ok    torch") for line in lines)
    failed = [n for n, line in enumerate(lines) if line.startswith("fail")]
    assert result.returncode == (1 if failed else 0)
    assert all(lines[n + 1].lstrip().startswith("->") for n in failed)
