"""What only the whole file tells: one question with several answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.records import Evidence, Example, Reference
from selfstudy.run import Run
from selfstudy.verbs.importing.file import import_file

WHEN = "When was it built?"


def saved(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(answer: str, context: str = "", question: str = WHEN) -> dict[str, Any]:
    return {"question": question, "answer": answer, **({"context": context} if context else {})}


def test_answers_on_pages_of_their_own_are_both_taught_with_their_pages(tmp_path: Path) -> None:
    mill, gate = "The mill was built in 1712.", "The gate was built in 1433."
    other = row("Lind", question="Who built it?")
    path = saved(tmp_path, row("1712", mill), other, row("1433", gate), row("1712", mill))
    found = import_file(path, tmp_path / "run", overrides=["teach.sft.reading=0"])
    assert (found["imported"], found["duplicates"], found["several_answers"]) == (3, 1, 1)
    with Run.open(tmp_path / "run", write=False) as run:
        part = run.round(1)
        examples, evidence = part.read(Example), part.read(Evidence)
        assert [r.text for r in part.iter(Reference)] == ["1712", "1433"]
    assert [e.completion for e in examples] == ["1712", "Lind", "1433"]
    assert mill in examples[0].prompt[-1].content  # never without the page that tells them apart
    assert gate in examples[2].prompt[-1].content
    assert [e.text for e in evidence] == [mill, gate]
    key = (tmp_path / "run" / "answer_key.jsonl").read_text()
    assert "Who built it?" in key
    assert WHEN not in key  # no key can say which


@pytest.mark.parametrize("second", [row("1433"), row("1433", "The gate was built in 1433.")])
def test_answers_that_nothing_tells_apart_are_named(second: dict[str, Any], tmp_path: Path) -> None:
    path = saved(tmp_path, row("1712"), second)
    with pytest.raises(DataError, match=r"line 2: line 1 answers the same question otherwise .*When was it"):
        import_file(path, tmp_path / "run")
    found = import_file(path, tmp_path / "run", skip_bad=True)
    assert (found["imported"], found["failed"], found["duplicates"]) == (1, 1, 0)


def test_the_same_answer_on_another_page_is_kept_and_the_key_has_every_wording(tmp_path: Path) -> None:
    rows = (
        row("1712", "The mill was built in 1712."),
        {
            "question": "WHEN was it built?",
            "answer": ["1712", "in 1712"],
            "context": "Built in 1712: the mill.",
        },
    )
    found = import_file(saved(tmp_path, *rows), tmp_path / "run")
    assert (found["imported"], found["several_answers"]) == (2, 0)
    with Run.open(tmp_path / "run", write=False) as run:
        assert len(run.round(1).read(Evidence)) == 2
    key = json.loads((tmp_path / "run" / "answer_key.jsonl").read_text())
    assert key["answer"] == ["1712", "in 1712"]


def test_conflicts_that_no_context_tells_apart(tmp_path: Path) -> None:
    page = "Begun in 1712, finished in 1733."
    path = saved(tmp_path, row("1712", page), row("1733", page))
    with pytest.raises(DataError, match="line 2: line 1 answers the same question otherwise"):
        import_file(path, tmp_path / "run")
    pair = {"prompt": WHEN, "chosen": "1712", "rejected": "1733"}
    path = saved(tmp_path, pair, pair, {"prompt": WHEN, "chosen": "1733", "rejected": "1712"})
    with pytest.raises(DataError, match="line 3: line 1 prefers '1712' to '1733'"):
        import_file(path, tmp_path / "run")
    assert import_file(path, tmp_path / "run", skip_bad=True)["failed"] == 1
