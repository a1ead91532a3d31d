"""The rules of the layout (docs: CONTRIBUTING): who may import whom, and what must not be imported early."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import selfstudy
from selfstudy.run import Round

ROOT = Path(selfstudy.__file__).parent
STAGES = ("probe", "gather", "teach", "verify")
HEAVY = {
    "accelerate",
    "datasets",
    "fastapi",
    "gradio",
    "hishel",
    "httpx",
    "httpx2",
    "lancedb",
    "libzim",
    "lm_eval",
    "mlflow",
    "mwparserfromhell",
    "openai",
    "pandas",
    "peft",
    "protego",
    "pyarrow",
    "pypdfium2",
    "ray",
    "sacrebleu",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "torch",
    "trackio",
    "trafilatura",
    "transformers",
    "trl",
    "wandb",
}
MAY_LOAD_HEAVY = ("models/", "teach/trainers/", "atlas/", "ui/views/")
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


@cache
def parsed(path: Path) -> ast.Module:
    """A file's tree; each is looked at by many tests."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path, *, top_level: bool = False) -> frozenset[str]:
    """Dotted names of the modules that a file imports; `from a import b` counts as a and as a.b."""
    found = set()
    for node in nodes(parsed(path), top_level=top_level):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ["selfstudy", *path.relative_to(ROOT).with_suffix("").parts]
            base = (
                [*package[: -node.level], *filter(None, [node.module])] if node.level else [node.module or ""]
            )
            found |= {".".join(base)} | {".".join([*base, alias.name]) for alias in node.names}
    return frozenset(found)


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def of(folder: str) -> list[Path]:
    return [path for path in FILES if relative(path).startswith(f"{folder}/") or relative(path) == folder]


def importers(package: str) -> set[tuple[str, str]]:
    """(file, module) of every import of a package or of what is in it, from outside of it."""
    return {
        (relative(path), module)
        for path in FILES
        for module in imports(path)
        if inside(module, f"selfstudy.{package}")
        and not inside(
            f"selfstudy.{relative(path).removesuffix('.py').replace('/', '.')}", f"selfstudy.{package}"
        )
    }


def from_elsewhere(package: str, *allowed: str) -> set[tuple[str, str]]:
    """Imports of a package by files other than those of the allowed folders."""
    return {found for found in importers(package) if not found[0].startswith(allowed)}


SEES_STAGES = ("cli/", "verbs/", "loop/", "summary/", "atlas/build/")
"""Everything else knows no stage; atlas/build makes the embedded models, and asks as the probe does."""


@pytest.mark.parametrize("stage", STAGES)
def test_stages_never_import_each_other_and_nothing_below_imports_one(stage: str) -> None:
    assert not from_elsewhere(stage, *SEES_STAGES)


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("cli", ()),
        ("ui", ("cli/",)),
        ("verbs", ("cli/", "ui/")),
        ("serve", ("cli/", "ui/")),
        ("show", ("cli/", "loop/", "ui/")),
        ("loop", ("cli/", "__init__.py")),
        ("summary", ("loop/", "show/", "cli/", "ui/")),
        ("atlas", ("library/open.py", "judging/answer_key.py", "cli/")),
    ],
)
def test_who_may_import_the_upper_floors(package: str, allowed: tuple[str, ...]) -> None:
    assert not from_elsewhere(package, *allowed)


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_reads_the_block_of_another(stage: str) -> None:
    others = "|".join(other for other in STAGES if other != stage)
    wrong = {
        (relative(path), number, line.strip())
        for path in of(stage)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(rf"\brecipe\.({others})\b", line)
    }
    assert not wrong


GROUND = (
    *("errors.py", "records.py", "environment.py", "text.py", "duplicates.py", "stats.py", "progress.py"),
    *("version.py", "secrets.py", "screen.py"),
)


def test_the_ground_knows_nothing_above_it() -> None:
    known = {f"selfstudy.{name.removesuffix('.py')}" for name in GROUND}
    for name in GROUND:
        above = {
            m
            for m in imports(ROOT / name)
            if inside(m, "selfstudy") and m != "selfstudy" and not any(inside(m, one) for one in known)
        }
        assert not above, name


def modules() -> dict[str, Path]:
    """Every module by its dotted name; a package by that of its `__init__.py`."""
    found = {}
    for path in FILES:
        parts = ["selfstudy", *path.relative_to(ROOT).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def edges() -> dict[str, set[str]]:
    """What every module imports of ours, inside functions and for type checkers too."""
    ours = modules()
    found: dict[str, set[str]] = {}
    for name, path in ours.items():
        wanted = imports(path) & set(ours)
        # `from a import b` imports the package a for the sake of its module a.b, if there is one
        narrow = {one for one in wanted if not any(inside(other, one) and other != one for other in wanted)}
        found[name] = (narrow | wanted_names(path, ours)) - {name}
    return found


def wanted_names(path: Path, ours: dict[str, Path]) -> set[str]:
    """Packages of which a file imports a name that is no module, so that their `__init__.py` hands it on."""
    return {
        node.module
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom)
        and node.module in ours
        and any(f"{node.module}.{alias.name}" not in ours for alias in node.names)
    }


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Sets of nodes that reach each other."""
    reach = {name: set(found) for name, found in graph.items()}
    for middle in graph:
        for name in graph:
            if middle in reach[name]:
                reach[name] |= reach[middle]
    return [
        {name, *(o for o in reach[name] if name in reach.get(o, ()))} for name in graph if name in reach[name]
    ]


def test_no_module_imports_itself_over_others() -> None:
    assert not circles(edges())


def test_no_room_imports_itself_over_others() -> None:
    def room(module: str) -> str:
        if module.startswith("selfstudy.atlas.build"):
            return "selfstudy.atlas.build"  # the world lies below everything, what builds it above
        return ".".join(module.split(".")[:2])

    rooms: dict[str, set[str]] = {}
    for name, found in edges().items():
        rooms.setdefault(room(name), set()).update(room(one) for one in found if room(one) != room(name))
    assert not circles(rooms)


def test_a_circle_would_be_seen() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert circles(graph) == [{"a", "b", "c"}] * 3


LAZY = "__init__.py"
"""The package itself hands its names on when they are first used."""


def test_init_files_hand_names_on_and_hold_no_logic() -> None:
    plain = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.If)
    wrong = {
        (relative(path), ast.unparse(node).splitlines()[0])
        for path in FILES
        if path.name == "__init__.py" and relative(path) != LAZY
        for node in parsed(path).body
        if not isinstance(node, plain)
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) != "__all__")
    }
    assert not wrong


def named_types(tree: ast.Module) -> Iterator[str]:
    """Public classes, and the aliases of types that a module gives a capitalised name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and re.fullmatch("[A-Z]+[a-z][A-Za-z0-9]*", target.id):
                    yield target.id


def test_no_two_classes_or_type_aliases_have_the_same_name() -> None:
    homes: dict[str, list[str]] = {}
    for path in FILES:
        for name in named_types(parsed(path)):
            if not name.startswith("_"):
                homes.setdefault(name, []).append(relative(path))
    assert not {name: places for name, places in homes.items() if len(places) > 1}


def test_an_alias_is_seen() -> None:
    assert list(named_types(ast.parse("Pair = tuple[str, str]\nLIMIT = 3\nclass Row: ...\n"))) == [
        "Row",
        "Pair",
    ]


def test_the_files_of_a_run_are_named_in_one_place() -> None:
    """No other file of the package spells one; docstrings may."""
    named = {
        name
        for owner in (selfstudy.Run, Round)
        for attribute in vars(owner)
        if not attribute.startswith("_") and isinstance(name := getattr(owner, attribute), str)
    }
    assert {"recipe.yaml", "summary.json", "gate.json", "promoted"} <= named
    files = {name.rpartition("/")[2] for name in named if "." in name} | {"REJECTED.txt", ".done"}
    folders = {name for name in named if "." not in name} | {"adapter", "control", "weaker", "merged"}
    wrong = []
    for path in FILES:
        if relative(path) in ("run/directory.py", *SPELL_OWN):
            continue
        tree = parsed(path)
        documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in documentation
            ):
                last = re.split(r"[/*]", node.value)[-1]
                wrong += [(relative(path), node.lineno, node.value)] * (last in files)
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                part = node.right.value if isinstance(node.right, ast.Constant) else None
                if isinstance(part, str) and folders & set(part.split("/")):
                    wrong.append((relative(path), node.lineno, part))
    assert not wrong


SPELL_OWN = {
    "run/resume.py": "the marker that resuming goes by; the table in run/directory.py lists it",
    "verbs/score.py": "the user's own cache is called as that of a run, and lies elsewhere",
    "files/jsonl.py": "the error for a damaged line tells what to delete",
    "files/own.py": "a run is told by its file, also by those who know no runs and must leave it alone",
}


WITHOUT_MIRROR = {
    "atlas/build/": "makes the shipped models, once; tests/atlas measure what it made",
    "atlas/language.py": "atlas/test_world.py",
    "cli/": "test_cli.py, verbs/ and stories/, which give the commands",
    "judging/labels.py": "probe/test_calibration.py and test_comparison.py",
    "models/cluster_connection.py": "models/test_scale.py, with Ray and clusters of its own",
    "models/workers.py": "the contract, no code: what fulfils it is tested",
    "files/jsonl.py": "run/test_directory.py and test_record_files.py, with kills and full disks",
    "files/rows.py": "verbs/importing/test_preferences.py, verbs/test_score.py",
    "library/web/fetched.py": "library/web/test_fetch.py: data, and a contract",
    "library/retriever.py": "library/test_index.py: a contract",
    "loop/": "stories/",
    "models/load.py": "every test that loads a model",
    "models/lora.py": "teach/trainers/test_shared.py",
    "models/local/": "models/local/test_lm.py, test_decoding.py: through the model's door",
    "models/remote/": "models/remote/test_lm.py: through the model's door, against a faulty server",
    "models/server/": "models/server/test_lm.py: through the model's door, against a small engine",
    "probe/answers.py": "probe/test_adaptive.py and test_stage.py",
    "probe/slots.py": "probe/test_questions.py",
    "probe/scorers/grading.py": "probe/scorers/test_bsdetector.py and test_p_true.py",
    "prompts/templates.py": "every test that asks anything",
    "recipe/": "recipe/test_file.py: blocks are data, and come out of files",
    "serve/api_error.py": "serve/test_app.py and test_asked.py, which are told them",
    "serve/limits.py": "serve/, all files: data",
    "smoke/": "smoke/test_check.py and test_in_a_run.py: through the check itself",
    "verbs/publishing/": "verbs/publishing/test_publish.py and test_card.py, through the verb's door",
    "tracking/order.py": "tracking/, all files: data",
    "tracking/sender.py": "tracking/test_sending.py: a process of its own",
    "tracking/to_": "tracking/test_sending.py, with what each tracker keeps",
    "ui/app.py": "ui/test_server.py, through the server",
    "ui/view.py": "ui/, all files: data",
    "ui/views/": "ui/test_views.py, and stories/test_page.py in a browser",
    "verify/suites/base.py": "verify/suites/, all files: data, and a contract",
    "verbs/doctor/everything.py": "verbs/doctor/, all files",
    "verbs/doctor/finding.py": "verbs/doctor/, all files",
    "verbs/try_model.py": "smoke/test_in_a_run.py",
    "verbs/work.py": "verbs/test_estimate.py, against what a run really asks",
    "verbs/importing/": "verbs/importing/test_preferences.py, test_experiment.py and test_convert.py",
    "verify/blocks.py": "verify/test_refusing.py and test_citing.py, with failures and resumed runs",
}
"""Files or folders in which a module needs no test file of its own, and where its tests are."""


def test_every_module_has_a_test_file_or_a_reason() -> None:
    tests = Path(__file__).parent
    bare = set()
    for path in FILES:
        name = relative(path)
        mirror = tests / Path(name).parent / f"test_{path.name}"
        if path.name not in ("__init__.py", "__main__.py") and not mirror.is_file():
            bare.add(name)
    assert not {name for name in bare if not name.startswith(tuple(WITHOUT_MIRROR))}
    stale = {start for start in WITHOUT_MIRROR if not any(name.startswith(start) for name in bare)}
    assert not stale, "has its test file by now: take it off the list"


FOREIGN_DOORS = {
    "models/local/pretrained.py": {
        "from_pretrained",
        "load_adapter",
        "SentenceTransformer",
        "snapshot_download",
    },
    "models/local/loading.py": {"try_to_load_from_cache"},
    "verbs/publishing/plain_child.py": {"from_pretrained", "load_adapter", "apply_chat_template"},
    "verbs/doctor/models.py": {"try_to_load_from_cache"},
    "verify/suites/hub.py": {"load_dataset_builder"},  # whose version 4 runs no scripts
    "atlas/build/train_lm.py": {"from_pretrained"},  # goes on with what it made itself
    "verbs/importing/pickles.py": set(),  # an allow-list, no call of pickle's own
}
"""Who may read what can be a stranger's program: models, adapters, pickles, chat templates."""
DOORS = {
    *("from_pretrained", "load_adapter", "SentenceTransformer", "CrossEncoder", "AutoPeftModel", "pipeline"),
    *("snapshot_download", "hf_hub_download", "cached_file", "try_to_load_from_cache", "apply_chat_template"),
    *("load_dataset", "load_dataset_builder", "load_from_disk"),
    *("torch.load", "pickle.load", "pickle.loads", "joblib.load", "dill.load", "numpy.load", "from_string"),
}


def test_models_and_templates_of_others_are_read_in_one_place() -> None:
    wrong = set()
    for path in FILES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                door = called if called in DOORS else called.rpartition(".")[2]
                if door in DOORS and door not in FOREIGN_DOORS.get(relative(path), set()):
                    wrong.add((relative(path), called))
    assert not wrong


def test_one_file_writes_to_the_terminal() -> None:
    """There control characters and keys are taken out of other people's words."""
    printing = re.compile(
        r"(?<![.\w])print\(|typer\.s?echo\(|\bConsole\(|sys\.std(out|err)\.write\(|print_exc"
    )
    wrong = {
        relative(path)
        for path in FILES
        if printing.search(path.read_text(encoding="utf-8")) and not relative(path).startswith(MAY_PRINT)
    }
    assert not wrong


MAY_PRINT = ("screen.py", "atlas/", "models/server/watchdog.py", "models/server/serve_fixes.py")
"""Besides the one: what makes the embedded models, and what runs in processes of its own."""


def test_ray_is_imported_in_one_file() -> None:
    users = {relative(p) for p in FILES for m in imports(p) if m.split(".")[0] == "ray"}
    assert users <= {"models/scale.py"}


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


def test_files_that_a_docstring_lists_are_there() -> None:
    """A line of it that begins with a file's name says what is in that file, beside it."""
    listed = re.compile(r"^    ([\w/]+\.py) +\S", re.M)
    gone = [
        (relative(path), name)
        for path in FILES
        for name in listed.findall(ast.get_docstring(parsed(path)) or "")
        if not (path.parent / name).is_file()
    ]
    assert not gone


def test_no_room_is_left_out_of_a_checkout_or_a_wheel() -> None:
    """Both go by .gitignore, whose patterns may hit a room of the house too."""
    files = [str(path) for path in ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    git = ["git", "-C", str(ROOT), "check-ignore", "--no-index", "--stdin"]
    try:
        inside = subprocess.run([*git[:3], "rev-parse"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        inside = False
    if not inside:
        pytest.skip("no git checkout here")
    ignored = subprocess.run(git, input="\n".join(files), capture_output=True, text=True, check=False).stdout
    assert not ignored.split()
    assert all((path.parent / "__init__.py").is_file() for path in FILES)
