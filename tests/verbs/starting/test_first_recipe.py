"""The file that answers make: it loads, names what was named, and is never put in the place of another."""

from __future__ import annotations

import json
import os
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from selfstudy.errors import RecipeError
from selfstudy.recipe import LocalModel, Recipe
from selfstudy.recipe.file import load_recipe
from selfstudy.verbs.doctor.needs import of_recipe
from selfstudy.verbs.doctor.numbers import GB, MachineNumbers
from selfstudy.verbs.starting import SCHEMA, first_recipe, is_schema, schema_text, settle, write_new
from tests.verbs.doctor.looking import findings
from tests.verbs.starting.models import folder_of

CPU = MachineNumbers(16 * GB, 2)


def written(file: Path, **given: Any) -> Path:
    named = {name.replace("_", "-"): value for name, value in given.items()}
    write_new(file, first_recipe(settle(named, lambda: CPU), file, CPU).text, force=False)
    return file


def place_of(recipe: Recipe) -> str:
    """The folder or file of the library."""
    assert recipe.library is not None
    source = recipe.library.sources[0]
    assert source.type == "folder"
    return source.path


def test_the_default_is_ready_to_run(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml")
    assert [one for one in findings(file, tmp_path).values() if one.state == "fail"] == []
    assert file.read_text().startswith(f"# yaml-language-server: $schema={SCHEMA}\n# A recipe of selfstudy")


def test_a_base_model_in_a_folder_is_ready_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Path(str(resources.files("selfstudy.atlas"))) / "lm"
    shutil.copytree(model, tmp_path / "my model", ignore=shutil.ignore_patterns("chat_template*"))
    settings = json.loads((model / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (tmp_path / "my model/tokenizer_config.json").write_text(json.dumps(settings))
    (tmp_path / "a.txt").write_text("Suva is the capital of Fiji.")
    monkeypatch.chdir(tmp_path)
    file = written(Path("a.yaml"), model="my model", documents="a.txt", size="look")
    assert [one for one in of_recipe(file, (), tmp_path) if one.state == "fail"] == []
    recipe = load_recipe(file)
    assert isinstance(recipe.model, LocalModel)
    assert recipe.model.prompt == "completion"


NAMES = (
    *("plain", "with space", "it's", 'a "quote"', "a#b", "a: b", "-dash", "~home", "é漢字", "null", "1e3"),
    *("[x]", "{x}", "*x", "&x", "!x", "%x", "@x", "atlas", "new\nline", "nel\x85here"),
)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_of_a_folder_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.txt").write_text("Suva is the capital of Fiji.")
    folder_of(tmp_path / "models" / name, 10)
    (tmp_path / "elsewhere").mkdir()
    for file in (Path("a.yaml"), Path("elsewhere/b.yaml")):
        recipe = load_recipe(written(file, model=f"./models/{name}", documents=[f"./{name}"]))
        assert isinstance(recipe.model, LocalModel)
        assert Path(recipe.model.path) == tmp_path / "models" / name
        assert place_of(recipe) == str(tmp_path / name)


def test_a_path_behind_a_link_leads_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "link").symlink_to("far/away")
    (tmp_path / "a.txt").write_text("Suva is the capital of Fiji.")
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(written(Path("link/a.yaml"), documents="a.txt"))
    assert os.path.realpath(place_of(recipe)) == str(tmp_path / "a.txt")


def test_relative_paths_stay_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "model", 10)
    (tmp_path / "asked.txt").write_text("What is the capital of Fiji?\n")
    given = {"model": "model", "documents": "asked.txt", "goal": "questions", "questions": "asked.txt"}
    data = yaml.safe_load(written(Path("a.yaml"), **given).read_text())
    assert (data["model"]["path"], data["library"]) == ("./model", "./asked.txt")
    assert data["probe"]["ask"][0]["source"] == "./asked.txt"


def test_a_model_behind_a_url_is_measured(tmp_path: Path) -> None:
    given = {"model": "http://127.0.0.1:9", "model_name": "m", "documents": "atlas"}
    file = written(tmp_path / "a.yaml", **given)
    data = yaml.safe_load(file.read_text())
    assert data["model"] == {"type": "remote", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    named = {name.replace("_", "-"): value for name, value in given.items()}
    commands = first_recipe(settle(named, lambda: CPU), Path("-a b.yaml"), CPU).commands
    assert commands[2:] == (
        "selfstudy probe './-a b.yaml'",
        "selfstudy gather 'runs/-a b'",
        "selfstudy report 'runs/-a b'",
    )


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    model = folder_of(tmp_path / "model", 10**11)
    settled = settle({"model": str(model), "documents": "atlas"}, lambda: CPU)
    made = first_recipe(settled, tmp_path / "a.yaml", CPU)
    assert "will not fit" in made.warnings[0]
    assert "CAUTION" in made.text


def test_minutes_are_a_budget(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path / "a.yaml", size="12.5")).budget.minutes == 12.5


def test_half_a_character_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a\udcff.txt").write_text("Suva is the capital of Fiji.")
    with pytest.raises(RecipeError):
        written(Path("a.yaml"), documents=["a\udcff.txt"])
    assert not (tmp_path / "a.yaml").exists()


def test_nothing_is_overwritten_unless_told(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    write_new(file, "one", force=False)
    with pytest.raises(RecipeError, match="there already"):
        write_new(file, "two", force=False)
    assert file.read_text() == "one"
    write_new(file, "three", force=True)
    assert file.read_text() == "three"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(RecipeError, match="there already"):
        write_new(link, "four", force=False)
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(RecipeError, match="is a folder"):
        write_new(tmp_path, "five", force=True)
    with pytest.raises(RecipeError, match="no folder"):
        write_new(tmp_path / "no/a.yaml", "six", force=False)


def test_only_a_file_is_ever_replaced(tmp_path: Path) -> None:
    """/dev/stdout is a link and /dev/null a device: replaced by a file, they would be lost to all."""
    theirs, link, pipe = tmp_path / "theirs", tmp_path / "link", tmp_path / "pipe"
    theirs.write_text("one")
    link.symlink_to(theirs)
    os.mkfifo(pipe)
    for one in (link, pipe):
        with pytest.raises(RecipeError, match="only a file is replaced"):
            write_new(one, "two", force=True)
    assert link.is_symlink()
    assert pipe.is_fifo()
    assert theirs.read_text() == "one"


@pytest.mark.parametrize("force", [False, True])
def test_where_nothing_can_be_written_is_said(force: bool) -> None:
    with pytest.raises(RecipeError, match=r"cannot write /proc/a\.yaml"):
        write_new(Path("/proc/a.yaml"), "one", force=force)


def test_a_schema_is_told_from_other_files(tmp_path: Path) -> None:
    ours, other = tmp_path / SCHEMA, tmp_path / "other.json"
    write_new(ours, schema_text(), force=False)
    other.write_text('{"title": "mine"}')
    assert is_schema(ours)
    assert not is_schema(other)
    assert not is_schema(tmp_path / "nowhere")
