"""Task files of lm-eval that somebody brings: what in them is a program, and is not run unless it is allowed.

A task file may name Python (`!function`, a class), scripts of the Hub (a metric of `evaluate`), or ask that
what a model writes be run.  Its Jinja templates are rendered in a sandbox.  The tasks that come with lm-eval
are code that was installed, and trusted as that.  Knows files; nothing of models.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selfstudy.errors import DataError
from selfstudy.files.rows import shown

MOST_FILES = 10_000
MOST_BYTES = 2**20
MOST_VALUES = 100_000
"""In a file, what an alias stands for counted each time."""
_ENDINGS = (".yaml", ".yml")
_HINT = "read it first; if you trust it: --allow-code (allow_code: true in a recipe)"


def require_plain(folder: Path, metrics: Container[object]) -> None:
    """Refuses a folder of task files that would run code.

    Args:
        metrics: names of those that lm-eval itself computes.

    Raises:
        DataError: one would, or is too large, or cannot be read.
    """
    everything = sorted(folder.rglob("*"))
    for path in everything:  # they are not looked into here, and lm-eval may do so
        if path.is_symlink() and path.is_dir():
            raise DataError(f"{path} is a link to another folder", "put a copy there, or take it away")
    files = [path for path in everything if path.suffix in _ENDINGS]
    if not files:
        raise DataError(f"{folder} has no task file (.yaml)", "give the folder that holds them")
    if len(files) > MOST_FILES:
        raise DataError(f"{folder} has {len(files):,} task files", "give a smaller folder")
    for path in files:
        _require_plain(path, folder.resolve(), metrics)


def _require_plain(path: Path, folder: Path, metrics: Container[object]) -> None:
    import yaml

    tags: list[str] = []

    class _Tagged(yaml.SafeLoader):
        """Notes tags instead of obeying them."""

    def tagged(loader: Any, suffix: str, node: Any) -> None:
        tags.append(f"!{suffix}")

    _Tagged.add_multi_constructor("!", tagged)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"the task file {path} is larger than {MOST_BYTES:,} bytes", "shorten it")
        data = yaml.load(path.read_text(encoding="utf-8"), _Tagged)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        why = str(error).splitlines()[0]
        raise DataError(f"the task file {path} cannot be read: {why}", "mend it, or take it away") from None
    if _values(data, {}) > MOST_VALUES:
        raise DataError(f"the task file {path} has aliases that stand for too much", "write it out")
    for what in [*tags[:1], *_programs(data, path, folder, metrics)]:
        raise DataError(f"the task file {path} would run code: {what}", _HINT)


def _values(data: Any, counted: dict[int, int], depth: int = 0) -> int:
    """How many values there are, at most `MOST_VALUES` and one more; what is nested too deeply is one."""
    if not isinstance(data, (dict, list)) or depth > _DEEPEST:
        return 1
    if id(data) not in counted:
        inside = data.values() if isinstance(data, dict) else data
        counted[id(data)] = min(MOST_VALUES + 1, 1 + sum(_values(one, counted, depth + 1) for one in inside))
    return counted[id(data)]


_DEEPEST = 50
_CODE = ("class", "hf_evaluate", "unsafe_code", "trust_remote_code")
"""Keys that name programs, if they are given at all."""


def _programs(
    data: Any, path: Path, folder: Path, metrics: Container[object], depth: int = 0
) -> Iterator[str]:
    """What in a file is a program, or leads to one."""
    if depth > _DEEPEST:
        yield "it is nested too deeply to be looked through"
    elif isinstance(data, dict):
        for key, value in data.items():
            if key in _CODE and value:
                yield f"{key}: {shown(value)}"
            elif key == "metric" and value not in metrics:
                yield f"metric: {shown(value)}, a script of the Hub"
            elif key == "include" and not _inside(str(value), path, folder):
                yield f"include: {shown(value)}, outside of the folder, or no .yaml"
            else:
                yield from _programs(value, path, folder, metrics, depth + 1)
    elif isinstance(data, list):
        for one in data:
            yield from _programs(one, path, folder, metrics, depth + 1)


def _inside(name: str, path: Path, folder: Path) -> bool:
    """Whether it names a file that is looked through too."""
    included = (path.parent / name).resolve()
    return included.is_relative_to(folder) and included.suffix in _ENDINGS


@contextmanager
def sandboxed() -> Iterator[None]:
    """While it lasts, lm-eval renders templates in Jinja's sandbox, which reaches no program of ours."""
    from jinja2.sandbox import SandboxedEnvironment
    from lm_eval import utils

    before = utils.env
    safe = SandboxedEnvironment(
        loader=before.loader, undefined=before.undefined, keep_trailing_newline=before.keep_trailing_newline
    )
    safe.filters.update({name: one for name, one in before.filters.items() if name not in safe.filters})
    utils.env = safe
    try:
        yield
    finally:
        utils.env = before
