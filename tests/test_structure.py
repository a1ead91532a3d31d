"""The rules of the layout (docs: CONTRIBUTING): who may import whom, and what must not be imported early."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import selfstudy

ROOT = Path(selfstudy.__file__).parent
STAGES = ("probe", "gather", "teach", "verify")
HEAVY = {
    "accelerate",
    "datasets",
    "httpx",
    "httpx2",
    "lancedb",
    "openai",
    "pandas",
    "peft",
    "pyarrow",
    "ray",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "torch",
    "trafilatura",
    "transformers",
    "trl",
}
MAY_LOAD_HEAVY = ("models/", "teach/trainers/", "atlas/")
"""Folders with files whose only purpose needs such a package; they are themselves imported where used."""
LIGHT = ("models/__init__.py", "models/base.py", "teach/trainers/__init__.py", "atlas/__init__.py")
"""Files in those folders that everybody imports, and that must stay light."""
PUBLIC = {
    "AnswerKey",
    "LanguageModel",
    "Recipe",
    "Run",
    "Sampling",
    "ScriptedLM",
    "SelfstudyError",
    "Study",
    "__version__",
    "learn",
    "load_embedder",
    "load_lm",
    "load_nli",
    "load_recipe",
}
"""The names of `selfstudy` that users build on: a change here is a change of the interface."""

FILES = sorted(ROOT.rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def nodes(tree: ast.AST, *, top_level: bool) -> Iterator[ast.AST]:
    """All nodes, or those that run on import."""
    for node in ast.iter_child_nodes(tree):
        if top_level and (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_type_checking(node)):
            continue
        yield node
        yield from nodes(node, top_level=top_level)


def imports(path: Path, *, top_level: bool = False) -> set[str]:
    """Dotted names of the modules that a file imports; `from a import b` counts as a and as a.b."""
    found = set()
    for node in nodes(ast.parse(path.read_text(encoding="utf-8")), top_level=top_level):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ["selfstudy", *path.relative_to(ROOT).with_suffix("").parts]
            base = (
                [*package[: -node.level], *filter(None, [node.module])] if node.level else [node.module or ""]
            )
            found |= {".".join(base)} | {".".join([*base, alias.name]) for alias in node.names}
    return found


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("stage", STAGES)
def test_stages_never_import_each_other(stage: str) -> None:
    others = [f"selfstudy.{other}" for other in (*STAGES, "loop", "cli") if other != stage]
    wrong = {
        (relative(path), module)
        for path in (ROOT / stage).rglob("*.py")
        for module in imports(path)
        if any(inside(module, other) for other in others)
    }
    assert not wrong


SEES_STAGES = ("cli", "loop.py", "summary", "verbs", "run", "__init__.py")
SEES_SHOW = ("cli", "loop.py")


def test_only_the_loop_and_the_command_line_see_stages_and_show() -> None:
    for path in FILES:
        home = relative(path).split("/")[0]
        for package in (*STAGES, "show"):
            allowed = SEES_SHOW if package == "show" else (*SEES_STAGES, "atlas")
            if home != package and home not in allowed:
                wrong = [module for module in imports(path) if inside(module, f"selfstudy.{package}")]
                assert not wrong, (relative(path), wrong)


def test_foundations_know_nothing_above_them() -> None:
    for name in ("errors.py", "records.py", "files/jsonl.py", "run/directory.py", "progress.py"):
        above = {
            m for m in imports(ROOT / name) if inside(m, "selfstudy.models") or inside(m, "selfstudy.atlas")
        }
        assert not above, name


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    wrong = {
        (relative(path), module)
        for path in FILES
        if not relative(path).startswith(MAY_LOAD_HEAVY) or relative(path) in LIGHT
        for module in imports(path, top_level=True)
        if module.split(".")[0] in HEAVY
    }
    assert not wrong


@pytest.mark.parametrize(
    "what", ["import selfstudy", "import selfstudy.run, selfstudy.models, selfstudy.progress"]
)
def test_importing_the_package_loads_nothing_heavy(what: str) -> None:
    code = f"import sys; {what}; print(*{{m.split('.')[0] for m in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not HEAVY & set(loaded.split())


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('LOADED', *{m.split('.')[0] for m in sys.modules}))\n"
        "sys.argv = ['selfstudy', 'learn', '--help']\n"
        "from selfstudy.cli import main\n"
        "main()\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(out.partition("LOADED")[2].split())
    assert "selfstudy" in loaded
    assert not (HEAVY | {"rich", "numpy"}) & loaded


def test_public_names_are_pinned() -> None:
    assert set(selfstudy.__all__) == PUBLIC
    assert set(dir(selfstudy)) == PUBLIC
    assert all(hasattr(selfstudy, name) for name in PUBLIC)
