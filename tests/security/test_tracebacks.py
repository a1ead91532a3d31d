"""What is wrong with a file or a value is said in a sentence: no traceback, nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from selfstudy.errors import DataError, ModelError, RecipeError, SelfstudyError
from selfstudy.files.rows import read_rows
from selfstudy.judging.answer_key import JsonlKey
from selfstudy.library.folder import read_documents
from selfstudy.models.scripted import ScriptedLM
from selfstudy.probe.vocabulary import read_vocabulary
from selfstudy.prompts import Prompts
from selfstudy.recipe.file import load_recipe
from selfstudy.verbs.importing.pickles import read_pickle

from ..stories.small import cli, refusal

ALIASES = "a0: &a0 [x]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}, *a{i}]\n" for i in range(60))


def told(error: SelfstudyError) -> str:
    """The message, as a person sees it: short and printable."""
    message = str(error)
    assert len(message.splitlines()) < 24
    assert len(message) < 5000
    assert all(line.isprintable() for line in message.splitlines())
    return message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("library: 2024-01-01", "nothing at"),
        ("2024-01-01: x", "2024-01-01: unknown key"),
        ("probe: {samples: 2024-01-01}", "valid integer"),
        ("probe: {samples: 2024-99-99}", "valid integer"),
        (f"probe: {{samples: {'9' * 5000}}}", "a number of 5,000 digits"),
        (f"seed: 0x{'f' * 90}", "seed: the number is too large"),
        ("seed: 99999999999999999999", "seed: the number is too large"),
        ("probe: {threshold: .nan}", "probe.threshold: the number"),
        ("budget: {minutes: .inf}", "budget.minutes: the number"),
        ("budget: {minutes: 1e400}", "must be a finite number"),  # a text, to YAML 1.1
        ("teach: {sft: {epochs: inf}}", "must be a finite number"),
        ("library: &a [*a]", "contains itself"),
        ("&a {model: *a}", "contains itself"),
        (ALIASES, "stand for too much"),
        ("[" * 50_000, "within each other"),
        ("library: !!set {a}", "set"),
        ("library: !!binary aGk=", "binary"),
        ("library: !!timestamp 2024-01-01", "timestamp"),
        ("library: !!python/name:os.system", "python"),
        ("seed: !!int ''", "type that its tag names"),
        ("yes: 1\nnull: 2\n3: 4", "the key is true or false, not text: put it in quotes"),
        ("probe: {1: 2}", "probe.1: the key is a number"),
        ("? {a: b}\n: c", "unhashable"),
        ('library: "a\\0b"', "library: the text holds a NUL"),
        ('"a\\0b": 1', "the key holds a NUL"),
        ('library: "\\ud800"', "not YAML"),
        ("library: ~nobody_of_this_name/docs", "library"),
        (f"library: {'a' * 5000}", "nothing at"),
        (f"model: {{path: /{'a' * 5000}}}", "no model folder"),
        (f"probe: {{ask: [{{method: external, count: 1, source: {'a' * 5000}}}]}}", "no file at"),
        (f"prompts: {'a' * 5000}", "no folder"),
        ("\n".join(f"k{i}: 1" for i in range(30_000)), "more than 20 problems"),
        (f"{'k' * 1000}: 1", "unknown key"),
        (f"probe: {{ask: [{'1,' * 10_000}]}}", "more than 20 problems"),
        ("", "empty"),
        ("- a", "not key: value lines"),
    ],
)
def test_recipes(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert said in told(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (f"probe.samples={'9' * 5000}", "a number of 5,000 digits"),
        ("probe.samples=2024-01-01", "valid integer"),
        ("library=&a [*a]", "contains itself"),
        ('library="a\\0b"', "NUL"),
        (f"library={'[' * 10_000}", "within each other"),
        ("probe.ask.²=1", "has no item"),
        (f"probe.ask.{'1' * 5000}=1", "has no item"),
        (f"{'a.' * 5000}b=1", "parts"),
        ("library=~nobody_of_this_name", "library"),
    ],
)
def test_changes_of_a_recipe(change: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(None, [change])
    assert said in told(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x: &a [*a]", "contains itself"),
        ("- " * 10_000, "within each other"),
        ("x: " + "9" * 5000, "digits"),
        (ALIASES, "stand for too much"),
        ("'(a+)+$': x", "may take for ever"),
        ("'(a|aa)*b': x", "may take for ever"),
        ("? '" + "(" * 5000 + "'\n: x", "no pattern"),
        ("'a{99999999999999}': x", "no pattern"),
        ("[]", "no mapping"),
    ],
)
def test_scripts(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(ModelError) as caught:
        ScriptedLM.from_yaml(path)
    assert said in told(caught.value)


READERS: dict[str, Callable[[Path], object]] = {
    "recipe.yaml": load_recipe,
    "script.yaml": ScriptedLM.from_yaml,
    "rows.jsonl": lambda path: list(read_rows(path)),
    "rows.json": lambda path: list(read_rows(path)),
    "rows.csv": lambda path: list(read_rows(path)),
    "key.jsonl": JsonlKey,
    "words.txt": read_vocabulary,
    "answer.txt": lambda path: Prompts(path.parent).chat("answer", question="?"),
    "data.pickle": read_pickle,
}


@pytest.mark.parametrize("name", READERS)
def test_files_that_are_none(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(SelfstudyError, match="pipe"):
        READERS[name](path)
    path.unlink()
    path.mkdir()
    with pytest.raises(SelfstudyError) as caught:
        READERS[name](path)
    assert str(path) in told(caught.value)
    if name != "answer.txt":  # its name is ours
        with pytest.raises(SelfstudyError) as caught:
            READERS[name](tmp_path / "a\0b.csv")
        assert "Error" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in READERS if name not in ("rows.jsonl", "data.pickle")])
def test_files_that_are_not_utf_8(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b'"question": caf\xe9, "answer": "x"\n')
    with pytest.raises(SelfstudyError, match=r"(?i)utf-8"):
        READERS[name](path)


def test_numbers_and_depths_in_json(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    hostile = ("9" * 5000, "[" * 100_000, '{"a":' * 50_000, "1e999", '"\\ud800"')
    path.write_text("".join(f'{{"question": "q", "answer": {value}}}\n' for value in hostile))
    rows = list(read_rows(path))
    assert [row.value is None for row in rows] == [True, True, True, False, False]
    with pytest.raises(DataError) as caught:
        JsonlKey(path)
    assert "line 1" in told(caught.value)
    documents = tmp_path / "docs.jsonl"
    documents.write_text("".join(f'{{"text": {value}}}\n' for value in hostile) + '{"text": "fine"}\n')
    assert [d.text for d in read_documents(documents).documents] == ["\ufffd", "fine"]


def test_names_and_texts_that_are_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.md")).write_bytes(b"# caf\xe9\n\nText.")
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "rows.csv").write_bytes(b'text\n"caf\xe9 au lait"\n')
    found = read_documents(tmp_path)
    assert sorted(d.source for d in found.documents) == ["caf\ufffd.md", "rows.csv#line 2"]
    assert json.dumps([d.model_dump() for d in found.documents]).encode()


def test_the_command_line_says_it_in_a_sentence_and_ends_with_2(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.yaml")
    path.write_text("library: &a [*a]\n")
    for arguments in (["learn", path], ["learn", tmp_path], ["import", path], ["score", tmp_path]):
        command = [sys.executable, "-m", "selfstudy.cli", *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, cwd=tmp_path, timeout=60)
        assert result.returncode == 2, result.stderr
        assert result.stderr.startswith(b"error: ")
        assert b"Traceback" not in result.stderr


LONG = "a" * 300


@pytest.mark.parametrize(
    "name", [LONG, "a/" * 1900, "a/" * 3000, "~nobody_of_this_name/x", "my model", "--x"]
)
def test_names_that_no_file_has(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Some name nothing on this machine, and raise where it is asked whether they do."""
    monkeypatch.chdir(tmp_path)
    # a run may have been begun deeper than pytest can clear away
    request.addfinalizer(lambda: subprocess.run(["rm", "-rf", tmp_path / "a"], check=True))
    recipe = tmp_path / "my.yaml"
    recipe.write_text(json.dumps({"model": {"path": name}, "nli": {"path": name}, "library": "atlas"}))
    runs = [(verb, "--", name) for verb in ("gather", "verify", "report", "compare", "calibrate", "chat")]
    for arguments in (*runs, ("probe", recipe), ("probe", recipe, f"--run={name}")):
        assert "fault" not in refusal(cli(*arguments))
    code, shown, said = cli("doctor", recipe)
    assert code == 1, said
    assert "fail  " in shown
    engine = {"type": "server", "engine": "llama-cpp", "model": name, "weights": name}
    recipe.write_text(json.dumps({"model": engine, "library": "atlas"}))
    for verb in ("doctor", "estimate"):
        assert "Traceback" not in cli(verb, recipe)[2]


def test_a_file_of_the_kernel_is_not_waited_for(tmp_path: Path) -> None:
    for path in (Path("/proc/kmsg"), Path("/proc/self/environ"), tmp_path / "link.yaml"):
        if path.suffix:
            path.symlink_to("/proc/kmsg")
        with pytest.raises(RecipeError, match="kernel"):
            load_recipe(path)
        assert "is a file, not a model folder" in refusal(cli("chat", path))


@pytest.mark.parametrize("place", ["x/../loop", "loop", "x/../loop/run"])
def test_a_link_to_itself_is_no_place_for_a_run(place: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "rows.jsonl").write_text('{"question": "What is the capital of Peru?", "answer": "Lima"}\n')
    refusal(cli("import", tmp_path / "rows.jsonl", "--run", tmp_path / place))


PRESSED = """
import os, signal, sys

class Presser:
    def find_spec(self, name, path=None, target=None):
        if name == WHEN:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

WHEN = sys.argv.pop()
sys.meta_path.insert(0, Presser())
from selfstudy.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    "when",
    ["selfstudy.cli.entry", "typer", "dataclasses", "selfstudy.run.directory"],
)
def test_ctrl_c_while_it_starts_is_a_line(when: str, tmp_path: Path) -> None:
    program = tmp_path / "selfstudy"
    program.write_text(PRESSED)
    command = [sys.executable, str(program), "report", str(tmp_path / "none"), when]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert result.returncode == 130, result.stderr
    assert "stopped" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.split("\n")) <= 4


def test_a_line_without_end(tmp_path: Path) -> None:
    for name in ("rows", "rows.jsonl", "rows.csv"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(10**12)  # it takes no room
    for name in ("rows", "rows.jsonl"):
        with pytest.raises(DataError, match="00,000,000 bytes"):
            list(read_rows(tmp_path / name))
    with pytest.raises(DataError):
        list(read_rows(tmp_path / "rows.csv"))
