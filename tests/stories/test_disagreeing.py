"""A small library whose pages disagree, read by the embedded model: with care far fewer references are wrong.

The benchmark's own functions (benchmarks/conflicts.py); docs/evidence.md has the figures of the whole.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.records import Conflict, Evidence, Reference, Verdict
from selfstudy.run import Run
from tests.stories.small import ROOT


def test_fewer_references_are_wrong_and_none_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from on_atlas.disagreeing import gather

    found = gather(["ignore", "careful"], [1], tmp_path, share=0.03)
    before, after = found["ignore"]["counts"], found["careful"]["counts"]
    assert before["changed"]["wrong"] >= 8
    assert after["changed"].get("wrong", 0) <= before["changed"]["wrong"] / 2
    assert after["changed"]["right"] > before["changed"]["right"]
    assert after["untouched"] == before["untouched"]  # where nobody disagrees nothing changes
    assert found["ignore"]["conflicts"] == {}

    with Run.open(tmp_path / "careful-1", write=False) as run:
        turn = run.round(1)
        evidence, verdicts = turn.by_id(Evidence), {one.question_id: one for one in turn.iter(Verdict)}
        references = {one.question_id: one for one in turn.iter(Reference)}
        for conflict in turn.iter(Conflict):
            for said in conflict.sayings:
                page = evidence[said.evidence_id]
                assert page.text[said.start - page.start : said.end - page.start] == said.quote
            if conflict.decided == "unresolved":
                assert not references[conflict.question_id].accepted
                assert verdicts[conflict.question_id].kind == "unverifiable"
