"""A run of the embedded world is published, and the lines of its own card load it and answer."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from selfstudy.run import Run
from selfstudy.verbs.publishing.chosen import choose
from selfstudy.verbs.publishing.questions import ask_taught, chosen_questions

from .small import cli

pytestmark = [pytest.mark.story, pytest.mark.slow]


def test_what_a_run_taught_is_answered_by_the_lines_of_its_card(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "handed over"
    code, said, told = cli("publish", finished, "--to", out, "--license", "apache-2.0", "--unverified")
    assert code == 0, told
    assert "10 of 10 answers, loaded back, are those of the run" in said
    text = (out / "README.md").read_text()
    data = ModelCard(text).data
    assert data.license == "apache-2.0"
    assert data.eval_results
    assert str(finished) not in text
    assert "CC BY 4.0 (GeoNames)" in text

    with Run.open(finished, write=False) as run:
        chosen = choose(run, unverified=True)
        item = ask_taught(chosen, chosen_questions(chosen)[:1]).items[0]
    messages, program = re.findall(r"```python\n(.*?)\n```", text, re.S)
    lines = f"{messages}\n{program}\nprint(answer)\n".replace("path/to/this/folder", str(out))
    lines = lines.replace("  # with your question for {question}", "").replace("{question}", item.question)
    (tmp_path / "card.py").write_text(lines)
    done = subprocess.run(
        [sys.executable, "card.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.strip() == item.answer
