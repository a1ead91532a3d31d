"""No path of this machine and no secret stands in what is handed over: looked for, not hoped for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from selfstudy.errors import DataError
from selfstudy.secrets import without_secrets

_TEXTS = (".md", ".json", ".jinja", ".txt", ".yaml")
_LARGEST = 64 * 2**20
_VOCABULARY = "tokenizer.json"
"""The base model's own, as it came: words such as /root are in it by right."""


def require_none(folder: Path, places: Iterable[Path]) -> None:
    """Refuses a folder in whose texts one of `places`, the home or the working folder, or a secret stands.

    Args:
        places: of the run, its documents and its models.

    Raises:
        DataError: which file.
    """
    wanted = {str(one) for one in _all(places)}
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.suffix not in _TEXTS or file.stat().st_size > _LARGEST:
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        name = file.relative_to(folder)
        if name.name == _VOCABULARY:
            continue
        if found := next((one for one in wanted if one in text), None):
            raise DataError(f"{name} would tell {found}, a path of this machine", "please report this")
        if name.name == "README.md" and without_secrets(text) != text:
            raise DataError(
                f"{name} would hold what looks like a key or a password",
                "it came out of a name or the gate's reasons: rename that, or give --no-source-names",
            )


def _all(places: Iterable[Path]) -> Iterable[Path]:
    for one in (*places, Path.home(), Path.cwd(), Path(tempfile.gettempdir())):
        for path in (one.absolute(), one.resolve()):
            if len(path.parts) > 2 or path == Path.home():  # "/" and "/tmp" are no secret
                yield path
