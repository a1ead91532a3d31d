"""Other people's files: what lies where selfstudy writes is named and left alone, and no link is followed."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from selfstudy import Recipe, Run
from selfstudy.errors import RunError
from selfstudy.files import jsonl, own
from selfstudy.library.index import Library
from selfstudy.models import taught
from selfstudy.records import Document, Question, Score
from selfstudy.run.standing import promote

from ..stories.small import cli, refusal

RECIPE = "library: atlas\n"


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder: the content of files, where links lead, or that it is a folder."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = path.read_bytes() if path.is_file() else "folder"
    return found


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Data that `selfstudy import` makes a run of, without any model."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "What is the capital of Peru?", "answer": "Lima"}\n')
    return path


@pytest.fixture
def run(tmp_path: Path, rows: Path) -> Path:
    """A run that selfstudy made."""
    assert cli("import", rows, "--run", tmp_path / "run")[0] == 0
    with Run.open(tmp_path / "run") as made:
        (question,) = made.round(1).ids(Question)
        made.round(1).append(Score(question_id=question, scorer=s, value=0.5) for s in ("agreement", "other"))
    return tmp_path / "run"


def doors(folder: Path, tmp_path: Path, rows: Path) -> list[tuple[str | Path, ...]]:
    recipe = tmp_path / "my.yaml"
    recipe.write_text(RECIPE)
    return [
        ("learn", recipe, "--run", folder),
        ("probe", recipe, "--run", folder),
        ("demo", "--run", folder),
        ("import", rows, "--run", folder),
        *((verb, folder) for verb in ("gather", "teach", "verify", "report", "calibrate", "compare")),
    ]


@pytest.mark.parametrize(
    "files",
    [
        {"run.json": '{"name": "my experiment", "seed": 3}'},
        {"run.json": '{"name": "my'},
        {"run.json": "[]", "lock": "my own lock"},
        {"run.json": '{"kind": "another tool", "selfstudy": "1", "recipe_digest": "2"}'},
        {"run.json": "{}", "recipe.yaml": "eggs: 3\n"},
        {"recipe.yaml": "eggs: 3\n"},
        {"lock": "held by my program"},
        {"run.json": "{}", "recipe.yaml": "seed: 0\n", "library/thesis.txt": "precious"},
        {".selfstudy": "selfstudy made this folder", "thesis.txt": "precious"},
    ],
)
def test_a_folder_of_somebody_is_no_run_whatever_its_files_are_called(
    files: dict[str, str], tmp_path: Path, rows: Path
) -> None:
    folder = tmp_path / "mine"
    for name, content in {**files, "promoted/model.bin": "weights", "rounds/1/notes.txt": "mine"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    before = snapshot(folder)
    for command in doors(folder, tmp_path, rows):
        assert str(folder) in refusal(cli(*command)), command
        assert snapshot(folder) == before, command


def test_the_way_to_a_folder_of_somebody_through_one_that_is_not_there_yet(
    tmp_path: Path, rows: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    folder.chmod(0o755)
    for command in doors(folder / "not/yet/../..", tmp_path, rows)[:4]:
        assert "is not empty and no run" in refusal(cli(*command)), command
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
    assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("left", [{}, {"lock": ""}, {"lock": "process 12 on host\n", "run.json": ""}])
def test_what_a_kill_left_of_a_beginning_is_ours(left: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name, content in left.items():
        (folder / name).write_text(content)
    Run.create_or_resume(folder, Recipe()).close()
    written = json.loads((folder / "run.json").read_text())
    assert written["kind"] == "selfstudy run"


def test_a_run_of_before_the_mark_opens_and_goes_on(run: Path, rows: Path) -> None:
    written = json.loads((run / "run.json").read_text())
    del written["kind"]
    (run / "run.json").write_text(json.dumps(written))
    assert cli("import", rows, "--run", run)[0] == 0
    assert cli("report", run)[0] == 0


LINKED = (
    "lock",
    "run.json",
    "recipe.yaml",
    "summary.json",
    "report.html",
    "timings.jsonl",
    "imported.json",
    "promoted",
    "promoted.json",
    "promoted.old",
    "library",
    "cache",
    "cache/nli.sqlite",
    "rounds",
    "rounds/1",
    "rounds/1/examples.jsonl",
    "rounds/1/new.jsonl",
    "rounds/1/probe.done",
    "rounds/1/gate.json",
    "rounds/1/adapter",
    "rounds/1/adapter/adapter_config.json",
)


@pytest.mark.parametrize("name", LINKED)
def test_nothing_follows_a_link_out_of_a_run_or_waits_for_a_pipe(
    name: str, run: Path, tmp_path: Path
) -> None:
    victim, folder = tmp_path / "victim.txt", tmp_path / "victims"
    victim.write_text("precious")
    folder.mkdir()
    (folder / "weights").write_text("precious")
    cli("report", run)
    place = run / name
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    plants: list[Callable[[], object]] = [
        lambda: place.symlink_to(victim),
        lambda: place.symlink_to(folder),
        lambda: place.symlink_to(tmp_path / "nowhere"),
        lambda: os.mkfifo(place),
    ]
    before = snapshot(folder)
    for plant in plants:
        plant()
        for command in (("report", run), ("teach", run), ("compare", run)):
            message = refusal(cli(*command))
            assert str(run) in message
        with pytest.raises(RunError):
            Run.create_or_resume(run, Recipe())
        assert victim.read_text() == "precious"
        assert snapshot(folder) == before
        assert not (tmp_path / "nowhere").exists()
        place.unlink()


def test_names_that_are_not_ours_are_neither_read_nor_written(run: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    planted = ("summary.json.tmp", "report.html.tmp", "rounds/1/teach.done.tmp", "run.json.tmp", "notes.md")
    for name in planted:
        (run / name).symlink_to(victim)
    (run / "usage.json.tmp").write_text("mine")
    assert cli("report", run)[0] == 0
    assert victim.read_text() == "precious"
    assert all((run / name).is_symlink() for name in planted)
    assert (run / "usage.json.tmp").read_text() == "mine"


def test_a_link_that_is_planted_while_a_run_is_open_is_not_followed(run: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim.jsonl"
    victim.write_text("precious\n")
    with Run.open(run) as opened:
        (run / "rounds/1/questions.jsonl").unlink()
        (run / "rounds/1/questions.jsonl").symlink_to(victim)
        with pytest.raises(RunError, match="link"):
            opened.round(1).append([Question(text="What is the capital of Chad?")])
        (run / "summary.json").symlink_to(victim)
        opened.write_json(opened.summary_file, {})
    assert victim.read_text() == "precious\n"


DOCUMENTS = [Document(source="a.txt", text="The ferry began in 1908.")]


def index(folder: Path, text: str = "The ferry began in 1908.") -> None:
    Library.build([Document(source="a.txt", text=text)], folder, chunk_tokens=64)


@pytest.mark.parametrize("how", ["a folder of documents", "a file", "a link", "documents in our index"])
def test_the_index_replaces_no_library_of_somebody(how: str, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "run" / "library", tmp_path / "elsewhere"
    folder.parent.mkdir()
    elsewhere.mkdir()
    (elsewhere / "thesis.txt").write_text("precious")
    if how == "a folder of documents":
        shutil.copytree(elsewhere, folder)
    elif how == "a file":
        folder.write_text("precious")
    elif how == "a link":
        index(elsewhere / "index")
        folder.symlink_to(elsewhere / "index")
    else:
        index(folder, "Another text.")
        (folder / "thesis.txt").write_text("precious")
    before = snapshot(tmp_path)
    with pytest.raises(RunError, match="left as it is"):
        index(folder, "A text that has changed.")
    assert snapshot(tmp_path) == before


def test_an_index_of_before_the_mark_is_built_again(tmp_path: Path) -> None:
    index(tmp_path / "library")
    (tmp_path / "library" / own.MARK).unlink()
    index(tmp_path / "library", "Another text.")
    assert Library.open(tmp_path / "library").find(["another"], 1)[0][0].text == "Another text."


def adapter(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights").write_text(content)
    return folder


@pytest.mark.parametrize("how", ["not promoted", "added", "changed", "link", "dangling", "file", "half"])
def test_what_somebody_has_in_promoted_is_not_replaced(how: str, tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        place = run.promoted_folder
        if how in ("added", "changed", "half"):
            promote(run.round(1), lambda: adapter(run.round(1).adapter(), "one"), move=False)
        if how == "added":
            (place / "README.md").write_text("my model card")
        elif how == "changed":
            (place / "weights").write_text("mine")
        elif how == "not promoted":
            adapter(place, "mine")
        elif how in ("link", "dangling"):
            place.symlink_to(adapter(tmp_path / "mine", "mine") if how == "link" else tmp_path / "nowhere")
        elif how == "file":
            place.write_text("mine")
        else:
            adapter(run.promoted_unfinished, "mine")
        new = adapter(run.round(2).adapter(), "two")
        before = snapshot(tmp_path)
        with pytest.raises(RunError, match="left as it is"):
            promote(run.round(2), lambda: new, move=False)
        assert snapshot(tmp_path) == before


def test_a_folder_of_somebody_in_place_of_an_adapter_stays(tmp_path: Path) -> None:
    finished = adapter(tmp_path / "finished", "ours")
    for place in (adapter(tmp_path / "adapter", "mine"), tmp_path / "linked"):
        if place.name == "linked":
            place.symlink_to(tmp_path / "adapter")
        with pytest.raises(RunError, match="left as it is"):
            taught.publish(finished, place)
    assert (tmp_path / "adapter" / "weights").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    taught.publish(finished, tmp_path / "empty")
    assert (tmp_path / "empty" / "weights").read_text() == "ours"


def test_writers_of_one_file_do_not_tear_it(tmp_path: Path) -> None:
    path = tmp_path / "home" / "calibration.json"
    whole = [bytes([65 + n]) * 200_000 for n in range(8)]

    def write(data: bytes) -> None:
        for _ in range(10):
            jsonl.replace(path, data, tmp_path)
            assert path.read_bytes() in whole

    threads = [threading.Thread(target=write, args=(data,)) for data in whole]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in whole
    assert list(path.parent.iterdir()) == [path]


def test_what_a_kill_left_is_swept_and_nothing_else(run: Path) -> None:
    dead, alive = 2**22 + 1, os.getppid()  # no process can have the first number
    ours = run / f"rounds/1/.selfstudy-{dead}-0123456789abcdef.tmp"
    others = [
        run / f".selfstudy-{alive}-0123456789abcdef.tmp",
        run / "rounds/1/.selfstudy-1-x.tmp",
        run / "x.tmp",
    ]
    for path in (ours, *others):
        path.write_text("half")
    Run.open(run, write=False).close()
    assert ours.exists()
    Run.open(run).close()
    assert not ours.exists()
    assert all(path.exists() for path in others)


def test_a_page_replaces_only_pages_and_writes_nothing_beside_them(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "site"
    place.mkdir()
    page = place / "index.html"
    page.write_text("<!doctype html><title>My thesis</title>")
    (place / "index.html.tmp").write_text("mine")
    before = snapshot(place)
    quoting = '<!doctype html>\n<!-- not <meta name="generator" content="selfstudy"> but mine -->'
    own_head = f"<html><head>{own.PAGE}<title>My thesis</title>"
    for mine in (quoting, f"\n{own.PAGE}", own_head, page.read_text()):
        page.write_text(mine)
        assert "--force" in refusal(cli("compare", run, "--html", page))
        assert page.read_text() == mine
    assert snapshot(place) == before
    assert cli("compare", run, "--html", page, "--force")[0] == 0
    assert cli("compare", run, "--html", page)[0] == 0, "a page of ours may be replaced"
    head, _, rest = page.read_text().partition("<meta http-equiv")
    page.write_text(f"{head}<meta name='new in another version'>\n{rest}")
    assert cli("compare", run, "--html", page)[0] == 0, "whatever version made it"
    page.write_text(f"\n{head}{rest}")
    assert "--force" in refusal(cli("compare", run, "--html", page))
    assert cli("compare", run, "--html", page, "--force")[0] == 0
    assert cli("report", run)[0] == 0
    assert own.is_page(page)
    assert own.is_page(run / Run.report_file)
    assert snapshot(place).keys() == before.keys()
    assert (place / "index.html.tmp").read_text() == "mine"
    assert page.stat().st_mode & 0o777 == 0o666 & ~umask()
    (place / "link.html").symlink_to(place / "index.html.tmp")
    os.mkfifo(place / "pipe.html")
    for name in ("link.html", "pipe.html", "."):
        for option in ((), ("--force",)):
            refusal(cli("compare", run, "--html", place / name, *option))
    assert (place / "index.html.tmp").read_text() == "mine"
    assert (place / "link.html").is_symlink()


def umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


@pytest.mark.parametrize(
    "files",
    [
        {"out.jsonl.recipe.yaml": "eggs: 3\n"},
        {"out.jsonl": '{"id":"mine, and no line end'},
        {"out.jsonl": '{"id": "a", "line": 1}\n'},
        {"out.jsonl": '{"id":["a"],"line":1}\n'},
        {"out.jsonl": '{"id":"a","line":1,"scores":3}\n'},
    ],
)
def test_scores_replace_nothing_of_somebody(files: dict[str, str], tmp_path: Path) -> None:
    source = tmp_path / "answers.jsonl"
    source.write_text('{"question": "Q?", "passage": "It is so.", "samples": ["It is so."]}\n')
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    before = snapshot(tmp_path)
    refusal(cli("score", source, "--scorer", "agreement", "--out", tmp_path / "out.jsonl"))
    assert snapshot(tmp_path) == before


def test_scores_go_to_no_link_and_no_pipe(tmp_path: Path) -> None:
    source = tmp_path / "answers.jsonl"
    source.write_text('{"question": "Q?", "passage": "It is so.", "samples": ["It is so."]}\n')
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "good.jsonl.recipe.yaml").symlink_to(tmp_path / "nowhere")
    for name in ("link.jsonl", "pipe.jsonl", "good.jsonl", "."):
        refusal(cli("score", source, "--scorer", "agreement", "--out", tmp_path / name))
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "good.jsonl").exists()


def test_the_embedded_models_are_rebuilt_in_a_new_place_only(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from selfstudy.atlas.build.cli import app

    (tmp_path / "world.json").write_text("mine")
    result = CliRunner().invoke(app, ["world", "--to", str(tmp_path / "world.json")])
    assert result.exit_code == 2
    assert (tmp_path / "world.json").read_text() == "mine"
