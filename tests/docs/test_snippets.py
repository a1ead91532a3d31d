"""What the pages show can be typed: verbs and options exist, recipes load, Python compiles."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .pages import PAGES, ROOT, blocks, generate

COMMAND = re.compile(r"^\s*(?:\$ )?(?:.*\| )?(selfstudy .*)$")
COMMANDS = dict(generate.commands())


def names(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def shown_commands(page: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of every line that begins a `selfstudy` command, in blocks of a page."""
    inside = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        inside = inside != line.startswith("```")
        if (inside or line.startswith("    ")) and (found := COMMAND.match(line)):
            yield number, found[1]


def problem(command: str) -> str:
    """What is wrong with a command; "" if its verb and its options are there."""
    try:
        words = shlex.split(command.split(" #")[0].split(" | ")[0].rstrip("\\"), comments=True)
    except ValueError:  # goes on in the next line
        words = command.split()
    if len(words) < 2 or words[1].startswith("-") or words[1].isupper():
        return ""
    verb = next((" ".join(words[1 : 1 + n]) for n in (2, 1) if " ".join(words[1 : 1 + n]) in COMMANDS), "")
    if not verb:
        return f"there is no verb {words[1]}"
    known = {name for param in COMMANDS[verb].params for name in (*param.opts, *param.secondary_opts)}
    used = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
    return " ".join(sorted(used - known - {"--help"}))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_commands_are_there(page: Path) -> None:
    wrong = [(line, command, said) for line, command in shown_commands(page) if (said := problem(command))]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_python_compiles_and_yaml_is_yaml(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, f"{page}:{block.line}", "exec")
        elif block.language in {"yaml", "yml"}:
            whole: Any = yaml.safe_load(block.text)
            assert whole is not None, f"{page}:{block.line}"


def test_recipes_of_tutorials_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from selfstudy.recipe.file import load_recipe

    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-docs").mkdir()
    (tmp_path / "my-docs/page.txt").write_text("Peru is a country.")
    loaded = 0
    for page in PAGES:
        for block in blocks(page):
            if page.parent.name != "tutorials" or not block.title:
                continue
            (tmp_path / block.title).write_text(block.text)
            if block.title.endswith(".yaml"):
                load_recipe(tmp_path / block.title)
                loaded += 1
    assert loaded >= 2


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("selfstudy learn my.yaml --run runs/x", ""),
        ("selfstudy cite eval --help", ""),
        ("selfstudy lern my.yaml", "there is no verb lern"),
        ("selfstudy learn my.yaml --runn=x", "--runn"),
    ],
)
def test_wrong_commands_are_found(command: str, said: str) -> None:
    assert problem(command) == said
