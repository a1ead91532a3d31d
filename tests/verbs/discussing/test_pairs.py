"""Which closing answers make a pair, and who reads the file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from selfstudy.cli import app
from selfstudy.errors import DataError, RunError
from selfstudy.verbs.discussing.pairs import closing_pairs, require_apart, require_pairs, write_pairs
from selfstudy.verbs.rating.given import read_given
from tests.verbs.discussing.experts import broken, ended, part


def test_the_answer_that_earned_more_is_chosen_and_the_rest_is_counted() -> None:
    same = {"first": part("first", "It is two."), "second": part("second", "It is two.")}
    found = [
        ended(0, 7, 5),
        ended(1, 2, 3),
        ended(2, 6, 6),
        ended(3, None, 9),
        ended(4, 9, 1, closings=same),
        broken(),
    ]
    pairs, without = closing_pairs(found, margin=0.0)
    assert [(one.chosen, one.rejected) for one in pairs] == [
        ("It is three.", "It is two."),
        ("It is two.", "It is three."),
    ]
    assert without == {"tie": 1, "unscored": 1, "identical": 1, "broke off": 1}
    pairs, without = closing_pairs(found[:2], margin=0.3)  # rewards differ by .4 and .2
    assert [one.chosen for one in pairs] == ["It is three."]
    assert without == {"within the margin": 1}


def test_import_and_rate_read_the_pairs(tmp_path: Path) -> None:
    path = tmp_path / "new" / "pairs.jsonl"
    pairs, _ = closing_pairs([ended(0, 7, 5), ended(1, 2, 3)], margin=0.0)
    write_pairs(path, pairs)
    row = json.loads(path.read_text().splitlines()[0])
    assert row["prompt"] == [{"role": "user", "content": "What is 0 times 7?"}]
    assert row["chosen"] == [{"role": "assistant", "content": "It is three."}]
    assert row["selfstudy"] == {
        "verb": "discuss",
        "chosen": 0.4,
        "rejected": 0.0,
        "why_chosen": "the reason",
        "why_rejected": "the reason",
    }
    given = read_given(path)
    assert given.failures == ()
    assert [[(a.text, a.correct) for a in one.answers] for one in given.prompts] == [
        [("It is three.", True), ("It is two.", False)],
        [("It is two.", True), ("It is three.", False)],
    ]
    done = CliRunner().invoke(app, ["import", str(path), "--run", str(tmp_path / "run")])
    assert "preferences: 2 given, 2 imported" in done.stdout, done.output
    out = ["--reward", "random", "--out", str(tmp_path / "rated.jsonl")]
    rated = CliRunner().invoke(app, ["rate", str(path), *out])
    assert rated.exit_code == 0, rated.output
    assert len((tmp_path / "rated.jsonl").read_text().splitlines()) == 2


def test_no_pair_says_why() -> None:
    with pytest.raises(DataError, match="of 3 discussions: 2 tie, 1 broke off"):
        require_pairs([], Counter({"broke off": 1, "tie": 2}))


def test_pairs_do_not_take_the_place_of_what_is_kept(tmp_path: Path) -> None:
    require_apart(tmp_path / "pairs.jsonl", tmp_path)
    require_apart(tmp_path / "other" / "discussions.jsonl", tmp_path)
    for name in ("discussions.jsonl", "discussions.settings.json", "measures.json"):
        with pytest.raises(RunError, match="keeps something else"):
            require_apart(tmp_path / name, tmp_path)
