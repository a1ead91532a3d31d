"""Every message of the page on troubleshooting still exists, word for word, in the source."""

from __future__ import annotations

import ast
import re

import pytest

from .pages import ROOT

MESSAGE = re.compile(r"^\| `([^`]+)` \| \S.* \| \S.* \|$", re.M)
PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def said() -> str:
    """All texts of the package, a line each; f-strings by their fixed parts."""
    texts = []
    for path in sorted((ROOT / "src/selfstudy").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def test_rows_are_read() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(MESSAGE.findall(PAGE)) == len(rows) >= 25


@pytest.mark.parametrize("message", MESSAGE.findall(PAGE))
def test_it_is_still_said(message: str, said: str) -> None:
    assert message in said
