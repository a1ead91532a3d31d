"""`selfstudy socratic`: from a file to rows and measures, killed in the middle, and what is refused."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from selfstudy.atlas import language, world
from selfstudy.cli import app
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.records import Chat
from selfstudy.verbs.kept import KeptFolder
from selfstudy.verbs.socratic.rows import trl_rows
from selfstudy.verbs.socratic.tutoring import Tutoring
from selfstudy.verbs.voices import Voice
from tests.verbs.socratic.tutors import (
    ATTEMPT,
    STUDENT,
    TABLE,
    TEACHER,
    TELLER,
    Counted,
    asked,
    conversation,
)


def solver(chat: Chat, number: int) -> str:
    return "It is 42." if "6 times 7" in asked(chat) else "Hm."


TEACHES = {TELLER: "It is all easy.", TEACHER: "What is ten times that?"}
LEARNS = {ATTEMPT: ["Answer: 42", "Answer: 41"], STUDENT: solver}


def tutoring(folder: Path, teacher: ScriptedLM, student: ScriptedLM, block: int = 2) -> Tutoring:
    return Tutoring(
        exercises=TABLE,
        talk=conversation(teacher, student, turns=2),
        teacher=Voice(teacher, "teacher"),
        student=Voice(student, "student"),
        folder=KeptFolder(folder, block),
        report=Silent(),
        attempts=2,
    )


def test_batches_are_of_turns_and_not_of_dialogues(tmp_path: Path) -> None:
    teacher, student = Counted(TEACHES), Counted(LEARNS)
    work = tutoring(tmp_path, teacher, student, block=100)
    said = [work.dialogues("socratic"), work.dialogues("silent")]
    assert teacher.batches == [6, 5]
    assert student.batches == [6, 5, 6, 5]
    found = work.measures(said)
    assert [one.tutor for one in found] == ["socratic", "silent"]
    assert student.batches == [6, 5, 6, 5, 6, 6, 6]  # before once, and after each tutor
    learned = found[0].learned
    assert learned is not None
    assert learned.before is not None
    assert learned.before.value == pytest.approx(1 / 12)
    work.measures([work.dialogues("socratic")])
    assert len(teacher.batches) == 2  # nothing is asked again


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.verbs.socratic import test_tutoring as here
calls = 0
def dies(chat, number):
    global calls
    calls += 1
    if calls > int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return here.TEACHES[here.TEACHER]
teacher = here.Counted({here.TELLER: "It is all easy.", here.TEACHER: dies})
here.tutoring(Path(sys.argv[1]), teacher, here.Counted(here.LEARNS)).dialogues("socratic")
"""


@pytest.mark.parametrize("calls", [1, 6])
def test_a_kill_in_the_middle_changes_no_row(tmp_path: Path, calls: int) -> None:
    root = Path(__file__).parents[3]
    died = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "b", str(calls)], cwd=root, check=False)
    assert died.returncode == -signal.SIGKILL
    made = {}
    for name in ("a", "b"):
        work = tutoring(tmp_path / name, Counted(TEACHES), Counted(LEARNS))
        rows = work.rows(work.dialogues("socratic"), "telling", work.teacher)
        made[name] = trl_rows(rows), (tmp_path / name / "dialogues.jsonl").read_bytes()
    assert made["a"] == made["b"]
    assert made["a"][0].count(b"\n") == 11  # one of the first, two of each other dialogue


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kill_9_at_ten_random_moments_changes_no_byte(tmp_path: Path) -> None:
    facts = random.Random(0).sample(world.facts(known=True), 24)
    exercises = tmp_path / "exercises.jsonl"
    exercises.write_text(
        "".join(
            json.dumps(
                {
                    "problem": language.wordings(fact.attribute, fact.entity)[0],
                    "rationale": language.statement(fact.attribute, fact.entity, fact.value),
                    "answer": fact.value,
                }
            )
            + "\n"
            for fact in facts
        )
    )

    def begun(name: str) -> subprocess.Popen[bytes]:
        out = ["--out", str(tmp_path / name), "--rows", str(tmp_path / f"{name}.jsonl")]
        ways = ["--rejected", "outcome", "--tutor", "plain", "--turns", "2", "--block", "3"]
        models = ["--teacher", "atlas", "--student", "atlas"]
        command = [sys.executable, "-m", "selfstudy", "socratic", str(exercises), *models, *ways, *out]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def kept(name: str) -> int:
        return sum(path.stat().st_size for path in (tmp_path / name).glob("*.jsonl"))

    assert begun("whole").wait(600) == 0
    rng, killed = random.Random(1), 0
    for part in range(10):
        running = begun("torn")
        wanted = (part + rng.random()) / 11 * kept("whole")
        while running.poll() is None and kept("torn") < wanted:
            time.sleep(0.01)
        time.sleep(rng.random())
        running.kill()
        killed += running.wait() == -signal.SIGKILL
        print(f"start {part + 1}: killed {killed}, {kept('torn')} bytes are kept")
    assert begun("torn").wait(600) == 0
    assert killed == 10
    for path in [*(tmp_path / "whole").iterdir(), tmp_path / "whole.jsonl"]:
        other = tmp_path / str(path.relative_to(tmp_path)).replace("whole", "torn")
        assert other.read_bytes() == path.read_bytes(), path.name


def test_what_failed_once_is_made_again_by_the_next_run(tmp_path: Path) -> None:
    failing = {"6 times 9.*" + TEACHER, "7 times 7.*" + TELLER, "7 times 9.*" + ATTEMPT}

    def down(chat: Chat, number: int) -> str:
        raise OSError("the server is down")

    def work(folder: Path, broken: bool) -> tuple[bytes, object]:
        bad = dict.fromkeys(failing, down) if broken else {}
        one = tutoring(folder, Counted({**bad, **TEACHES}), Counted({**bad, **LEARNS}))
        said = one.dialogues("socratic")
        judge = Voice(Counted({"": down if broken else "yes"}), "judge")
        return trl_rows(one.rows(said, "telling", one.teacher)), one.measures([said], judge)

    undisturbed = work(tmp_path / "a", broken=False)
    assert work(tmp_path / "b", broken=True) != undisturbed
    assert work(tmp_path / "b", broken=False) == undisturbed
    for path in (tmp_path / "a").iterdir():
        other = (tmp_path / "b" / path.name).read_bytes()
        assert sorted(path.read_bytes().splitlines()) == sorted(other.splitlines())


SCRIPT = """
'Does the teacher ask': ["yes"]
'Does this turn tell': ["no"]
'whole solution, without': ["Multiply."]
'Write the result': ["Answer: 42", "Answer: 1"]
'next turn of the teacher': ["What is known?", "It is 42."]
'6 times 7(.*)next turn of the student': ["It is 42."]
'next turn of the student': ["Hm."]
"""
ROW = {"Problem": "What is 6 times 7?", "Rationale": "42", "options": "a ) 41 , b ) 42", "correct": "b"}
OTHER = {**ROW, "Problem": "What is 5 plus 7?", "options": "a ) 12 , b ) 13", "correct": "a"}


def run(folder: Path, rows: list[object], *options: str) -> Result:
    (folder / "t.yaml").write_text(SCRIPT)
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    models = ["--teacher", str(folder / "t.yaml"), "--set", "teacher.type=scripted"]
    out = ["--out", str(folder / "out")]
    return CliRunner().invoke(app, ["socratic", str(folder / "a.jsonl"), *models, *out, *options])


def test_the_command_writes_dialogues_rows_and_measures(tmp_path: Path) -> None:
    judge = ["--judge", str(tmp_path / "t.yaml"), "--set", "judge.type=scripted"]
    rows = tmp_path / "rows.jsonl"
    done = run(tmp_path, [ROW, OTHER, {**ROW, "correct": "f"}], "--compare", "--rows", str(rows), *judge)
    assert done.exit_code == 0, done.output
    assert "2 exercises, 0 repeats, 1 failed" in done.stdout
    assert "line 3: field 'answer': 'f' is not one of the options" in done.stderr
    assert len(rows.read_text().splitlines()) == 1 + 3
    assert "preference rows: 4" in done.stdout
    measures = json.loads((tmp_path / "out/measures.json").read_text())
    assert [one["tutor"] for one in measures["tutors"]] == ["socratic", "silent", "telling"]
    first = measures["tutors"][0]
    assert first["arrived"]["value"] == 0.5
    assert first["by_judge"]["asking"]["value"] == 1.0
    assert first["learned"]["delta"]["value"] == 0.0
    imported = CliRunner().invoke(app, ["import", str(rows), "--run", str(tmp_path / "run")])
    assert "preferences: 4 given, 4 imported" in imported.stdout, imported.output


def test_where_every_dialogue_breaks_off_the_command_fails(tmp_path: Path) -> None:
    (tmp_path / "n.yaml").write_text('"no such question": nothing\n')
    mute = ["--set", f"teacher.path={tmp_path / 'n.yaml'}"]
    done = run(tmp_path, [ROW, OTHER], "--attempts", "0", *mute)
    assert done.exit_code == 2
    assert "all 2 dialogues broke off" in done.stderr
    assert "selfstudy doctor" in done.stderr


def test_other_settings_are_refused(tmp_path: Path) -> None:
    assert run(tmp_path, [ROW], "--attempts", "0").exit_code == 0
    again = run(tmp_path, [ROW], "--attempts", "0", "--turns", "3")
    assert again.exit_code == 2
    assert "turns: 6 -> 3" in again.stderr


def test_a_file_without_exercises_ends_with_the_next_step(tmp_path: Path) -> None:
    done = run(tmp_path, [{**ROW, "Rationale": ""}])
    assert done.exit_code == 2
    assert "no rationale" in done.stderr
    assert "--column problem=" in done.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([], "one source of exercises is wanted"),
        (["a.jsonl", "--dialogues", "b.csv"], "one source of exercises is wanted"),
        (["a.jsonl"], "--teacher MODEL"),
        (["a.jsonl", "--tutor", "silent", "--rows", "r.jsonl"], "teach nothing"),
        (["a.jsonl", "--column", "task=x"], "NAME: problem"),
        (["--dialogues", "b.csv", "--rows", "r.jsonl", "--limit", "3"], "--rows, --limit would do nothing"),
        (["--dialogues", "b.csv", "--judge", "m", "--compare"], "--compare, --judge would do nothing"),
    ],
)
def test_what_cannot_be_asked_for(options: list[str], why: str) -> None:
    done = CliRunner().invoke(app, ["socratic", *options])
    assert done.exit_code == 2
    assert why in done.stderr


def test_only_our_own_files_are_replaced(tmp_path: Path) -> None:
    theirs, link, mine = (tmp_path / name for name in ("theirs.jsonl", "link.jsonl", "mine.jsonl"))
    theirs.write_text('{"prompt": "precious"}\n')
    link.symlink_to(mine)
    own = {path: path.read_bytes() for path in (theirs,)}
    cases = [
        (tmp_path / "a.jsonl", "is the input itself"),
        (theirs, "is no output of selfstudy socratic"),
        (link, "is a link"),
        (tmp_path / "out/dialogues.jsonl", "keeps something else"),
    ]
    for path, why in cases:
        done = run(tmp_path, [ROW], "--attempts", "0", "--rows", str(path))
        assert done.exit_code == 2
        assert why in done.stderr
    assert not (tmp_path / "out").exists()  # nothing was asked
    assert json.loads((tmp_path / "a.jsonl").read_text()) == ROW
    assert theirs.read_bytes() == own[theirs]
    for _ in range(2):  # the second replaces rows and measures of the first
        assert run(tmp_path, [ROW], "--attempts", "0", "--rows", str(mine)).exit_code == 0
    (tmp_path / "out/measures.json").write_text('{"precious": 1}\n')
    refused = run(tmp_path, [ROW], "--attempts", "0")
    assert refused.exit_code == 2
    assert "measures.json is no output" in refused.stderr


def test_a_judge_or_a_weak_model_that_is_none_costs_no_dialogue(tmp_path: Path) -> None:
    none = str(tmp_path / "none.yaml")
    assert run(tmp_path, [ROW], "--judge", none, "--set", "judge.type=scripted").exit_code == 2
    rows = ["--rows", str(tmp_path / "r.jsonl"), "--rejected", "weak", "--weak", str(tmp_path / "none")]
    assert run(tmp_path, [ROW], *rows).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_dialogues_of_others_need_no_model(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("Prompt,Bad answer,Good answer\nStudent: Help!,,Teacher: With what?\n")
    done = CliRunner().invoke(app, ["socratic", "--dialogues", str(path)])
    assert done.exit_code == 0, done.output
    assert "1 row of 1 dialogue, 0 failed" in done.stdout
    assert "not measured" in done.stdout
