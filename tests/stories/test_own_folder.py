"""A person's own folder of documents, with whatever lies in such folders, through `selfstudy learn`."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from selfstudy import Run
from selfstudy.atlas import world
from selfstudy.records import Evidence, Skipped

from .small import SMALL, cli

RECIPE = """
library: ./my-docs
probe:
  ask: [{{method: {method}}}]
  samples: 2
gather: {{samples: 2}}
answering: {{max_new_tokens: 48, reading_tokens: 48}}
teach:
  wordings: 1
  lora: {{r: 8, alpha: 16}}
  sft: {{epochs: 2, learning_rate: 0.002}}
verify: {{samples: 2, max_questions: 12, repeats: 0}}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my-docs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def learn(home: Path, method: str) -> tuple[dict[str, Any], str]:
    """The summary, and what a person was told."""
    (home / "my.yaml").write_text(RECIPE.format(method=method), encoding="utf-8")
    code, shown, said = cli("learn", "my.yaml", "--no-measure", "--set", SMALL[0])
    assert code == 0, said
    return json.loads((home / "runs/my/summary.json").read_text(encoding="utf-8")), shown + said


def pages(count: int) -> list[tuple[str, str]]:
    """Title and text of pages, half of them about what atlas-lm never saw."""
    documents = {d.title: d for d in world.documents()}
    known = [e.name for e in world.entities() if e.known][: count // 2]
    withheld = [e.name for e in world.entities() if not e.known][: count - count // 2]
    return [(name, documents[name].text) for name in [*known, *withheld]]


@pytest.mark.story
def test_a_mixed_folder_works_and_says_what_it_left_out(home: Path) -> None:
    docs = home / "my-docs"
    (docs / "deeper").mkdir()
    for n, (title, text) in enumerate(pages(24)):
        if n % 3 == 0:
            (docs / f"{n}.md").write_text(f"# {title}\n\n{text}\n", encoding="utf-8")
        elif n % 3 == 1:
            (docs / "deeper" / f"{n}.txt").write_text(text, encoding="utf-8")
        else:
            page = f"<html><head><title>{title}</title></head><body><p>{text}</p></body></html>"
            (docs / f"{n}.html").write_text(page, encoding="utf-8")
    (docs / "copy.txt").write_bytes((docs / "deeper/1.txt").read_bytes())
    (docs / "empty.md").touch()
    (docs / "blank.txt").write_text(" \n\n ")
    (docs / "latin.txt").write_bytes(
        "Der Fluß fließt durch Österreich. Größe und Höhe.".encode("latin-1") * 9
    )
    (docs / "memory.txt").write_bytes(b"MZ\0\0\1")
    (docs / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    (docs / "broken.html").write_text("<html><body><div><script>")

    summary, told = learn(home, "documents, count: 20")

    reasons = {
        "deeper/1.txt": "same text as copy.txt",
        "empty.md": "empty",
        "blank.txt": "empty",
        "memory.txt": "binary",
        "photo.jpg": "not one of",
        "broken.html": "",
    }
    with Run.open(home / "runs/my", write=False) as run:
        skipped = {s.source: s.reason for s in run.round(1).iter(Skipped)}
        sources = {e.source.partition("#")[0] for e in run.round(1).iter(Evidence)}
    assert set(skipped) == set(reasons)
    assert all(part in skipped[name] for name, part in reasons.items())
    assert summary["skipped"] == len(reasons)
    assert all(f"{name}: {reason}" in told for name, reason in skipped.items())
    assert "latin.txt: not UTF-8" in told
    assert sources <= {p.relative_to(docs).as_posix() for p in docs.rglob("*.*")} - set(reasons)
    assert {Path(source).suffix for source in sources} >= {".md", ".txt", ".html"}
    assert summary["questions"] >= 15
    assert summary["promoted"] in (True, False)
    assert summary["verdicts"]["unknown"] + summary["verdicts"]["known"] > 0
    page = (home / "runs/my/report.html").read_text(encoding="utf-8")
    assert all(name in page for name in reasons)


@pytest.mark.story
def test_nothing_to_teach_is_a_result_and_no_error(home: Path) -> None:
    (home / "my-docs/notes.txt").write_text(
        "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich."
    )
    (home / "topics.txt").write_text("Peru\nChad\n")

    summary, told = learn(home, "external, count: 4, source: topics.txt")

    assert summary["promoted"] is False
    assert "nothing to promote" in summary["reasons"][0]
    assert "nothing to teach" in told
    assert not (home / "runs/my/rounds/1/adapter").exists()
    assert (home / "runs/my/report.html").is_file()


@pytest.mark.slow
def test_a_file_of_fifty_megabytes(home: Path) -> None:
    rng = random.Random(0)
    texts = [text for _, text in pages(40)]
    with (home / "my-docs/big.txt").open("w", encoding="utf-8") as file:
        while file.tell() < 50 * 2**20:
            file.write(f"Part {rng.random()}. {rng.choice(texts)}\n\n")
    for title, text in pages(20):
        (home / f"my-docs/{title}.md").write_text(f"# {title}\n\n{text}\n", encoding="utf-8")

    summary, _ = learn(home, "documents, count: 12")

    assert summary["questions"] > 0
    assert summary["promoted"] in (True, False)
