"""What evaluating cited answers writes, and what it never replaces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files.rows import Row
from selfstudy.verbs.citing.evaluating import evaluate
from selfstudy.verbs.citing.outputs import require_free, write_rows
from tests.judging.test_citations import Entails


def test_its_own_file_is_replaced_and_nobody_elses(tmp_path: Path) -> None:
    row = {"question": "Who?", "docs": [{"text": "x"}], "output": "Ann [1]."}
    found = evaluate([Row("item 1", row), Row("item 2", {})], Entails(lambda premise, text: True))
    out, source, mine = (tmp_path / name for name in ("out/a.jsonl", "in.json", "mine.txt"))
    source.write_text("[]")
    mine.write_text("my own")
    for _ in range(2):
        require_free(out, source)
        write_rows(out, found)
    good, bad = [json.loads(line) for line in out.read_text().splitlines()]
    assert good["selfstudy"] == bad["selfstudy"] == "cite"
    assert good["statements"][0]["why"] == "supported"
    assert bad["error"]
    for path, why in ((mine, "is no output of selfstudy cite"), (source, "is the input itself")):
        with pytest.raises(RunError, match=why):
            require_free(path, source)
    with pytest.raises(RunError, match="cannot write"):
        write_rows(mine / "below", found)
