"""What answering and evaluating write, and what neither replaces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files.rows import Row
from selfstudy.verbs.citing.answering import AnsweredQuestion
from selfstudy.verbs.citing.evaluating import evaluate
from selfstudy.verbs.citing.outputs import answer_row, require_free, write_answers, write_rows
from selfstudy.verbs.citing.questions import read_questions
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


def test_answers_are_rows_and_no_judgement_takes_their_place(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    docs = [{"title": "A", "text": "a", "extra": 1}, {"text": "b"}]
    before = {
        "question": "Who?",
        "docs": docs,
        "claims": ["Ann."],
        "output": "old",
        "said": "old",
        "error": "x",
    }
    source.write_text(json.dumps(before) + "\n{torn\n")
    good, bad = read_questions(source, finding=False)
    answers = [
        AnsweredQuestion(id=good.id, docs=(docs[0],), unshown=1, output="Ann [1]."),
        AnsweredQuestion(id=bad.id, error=bad.error),
    ]
    write_answers(out, [good, bad], answers, "m")
    one, other = [json.loads(line) for line in out.read_text().splitlines()]
    mark = {"verb": "cite answer", "model": "m"}
    assert one == {
        "selfstudy": mark,
        "question": "Who?",
        "docs": docs[:1],
        "claims": ["Ann."],
        "output": "Ann [1].",
        "unshown": 1,
    }
    assert other == {"selfstudy": mark, "place": "line 2", "error": bad.error}
    failed = answer_row(good, AnsweredQuestion(id=good.id, docs=tuple(docs), error="down"))
    assert failed == {
        "question": "Who?",
        "docs": docs,
        "claims": ["Ann."],
        "place": "line 1",
        "error": "down",
    }
    require_free(out, source, "cite answer")
    with pytest.raises(RunError, match="is no output of selfstudy cite;"):
        require_free(out, None)
    write_rows(tmp_path / "judged.jsonl", evaluate([Row("line 1", one)], Entails(lambda p, t: True)))
    with pytest.raises(RunError, match="is no output of selfstudy cite answer"):
        require_free(tmp_path / "judged.jsonl", None, "cite answer")
