"""The HTML report: whatever the texts hold, it is text; whatever a run lacks, there is a report."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.errors import RunError
from selfstudy.models.base import chat
from selfstudy.recipe import Recipe
from selfstudy.records import (
    Answer,
    Check,
    Completion,
    Conflict,
    Evidence,
    Example,
    Pair,
    Question,
    Reference,
    Rewording,
    Saying,
    Score,
    SentenceScore,
    Skipped,
    TrainingStep,
    Verdict,
)
from selfstudy.run import Run
from selfstudy.show.report import write_report
from selfstudy.summary import summarise
from selfstudy.summary.model import Figures
from selfstudy.text import clean
from selfstudy.verify.gains import FigureGain, Gain
from selfstudy.verify.noise import Noise

HOSTILE = (
    "<script>alert('pwned')</script>",
    "</script><img src=x onerror=alert('pwned')>",
    "\"><svg onload=alert('pwned')> ' & &lt;b&gt; <!--",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "emoji \U0001f9ea\U0001f468\u200d\U0001f469, \u202eRTL override\u202c \u05e9\u05dc\u05d5\u05dd",
    "line\u2028sep\u2029par\u0000nul\u0007bell\u001b[31m lone \ud800 surrogate",
)


class Flat:
    """An embedder: the length of a text and its first character."""

    name = "flat <b>&</b>"

    def encode(self, texts: Any) -> npt.NDArray[np.float32]:
        return np.array([[len(t) % 7, ord(t[:1] or "a") % 11, 1.0] for t in texts], np.float32)


class Page(HTMLParser):
    """What a browser would see: elements, attributes, visible text, script contents."""

    VOID = frozenset({"meta", "input", "img", "br", "link"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.visible: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag == "script":
            self.scripts.append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag]
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.visible.append(data)

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found


def fill(run: Run, text: str, number: int = 1) -> Question:
    """One gap with everything a run can hold, `text` in every place that takes text."""
    turn = run.round(number)
    asked = Question(text=text, topic=text)
    said = Completion(text=text)
    evidence = Evidence(
        question_id=asked.id,
        document_id="d",
        source=text,
        title=text,
        text=f"First. {text} Last.",
        start=0,
        end=9,
        rank=0,
        relevance=1.0,
    )
    reference = Reference(
        question_id=asked.id, evidence_id=evidence.id, text=text, inconsistency=0.1, accepted=True
    )
    failed = Completion(text="", finish="error", error=text)
    turn.append(
        [
            asked,
            Answer(question_id=asked.id, passage=said, samples=(said, failed, said)),
            Score(
                question_id=asked.id,
                scorer="selfcheck-nli",
                value=0.9,
                sentences=(SentenceScore(text=text, value=0.9, per_sample=(0.95, 0.85)),),
            ),
            evidence,
            reference,
            Conflict(
                question_id=asked.id,
                sayings=tuple(
                    Saying(
                        side=side,
                        evidence_id=evidence.id,
                        source=text,
                        date=text,
                        answer=text,
                        quote=text,
                        start=0,
                        end=9,
                    )
                    for side in (0, 1)
                ),
                support=(1, 1),
                decided="newer",
                chosen=1,
                reason=text,
            ),
            Verdict(
                question_id=asked.id,
                kind="unknown",
                score=0.9,
                agrees=False,
                reference_id=reference.id,
                label="partly",
                reason=text,
            ),
            Rewording(question_id=asked.id, text=text + " reworded", use="heldout"),
            Example(prompt=chat(text), completion=text, question_id=asked.id, kind="reference"),
            Pair(prompt=chat(text), chosen=text, rejected="no", question_id=asked.id, verdict="unknown"),
            TrainingStep(arm="taught", phase=text, step=1, loss=2.0),
            TrainingStep(arm="taught", phase=text, step=2, loss=float("nan")),
            Skipped(source=text, reason=text),
        ]
    )
    for arm, right in (("base", False), ("taught", True)):
        turn.append(
            [
                Check.model_validate(
                    {
                        "question_id": asked.id,
                        "arm": arm,
                        "target": "gap",
                        "wording": "original",
                        "asked": text,
                        "answer": text,
                        "expected": text,
                        "correct": right,
                        "score": 0.1 if right else 0.3,
                        "parts": {"match": float(right), "token_f1": 0.5},
                    }
                )
            ]
        )
    turn.fail("probe", text, text)
    return asked


GAIN = Gain(before=1, after=1, difference=0, low=0, high=0, p=1, n=10, facts=10, won=0, lost=0)


def report(run: Run, **more: Any) -> Page:
    summary = summarise(run, None, Flat()).model_copy(update=more)
    path = run.path / "report.html"
    write_report(run, summary, path, Flat())
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def run(tmp_path: Path) -> Any:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as made:
        yield made


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(run: Run, text: str) -> None:
    fill(run, text)
    page = report(run, reasons=(text,), promoted=False)
    assert len(page.scripts) == 2  # the data and the program: nothing else is a script
    assert not page.open
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    shown = clean(text.replace("\ud800", "?"))  # what the run directory keeps of a lone surrogate
    assert "".join(page.visible).count(shown) >= 3  # phase, failure and skipped file, verbatim
    assert clean(text) in "".join(page.visible)  # the reason
    assert page.data["points"]["question"] == [shown]
    assert page.data["trails"]["0"]["passage"] == shown


def test_a_gate_that_cannot_tell_says_so_with_its_margins_and_noise(run: Run) -> None:
    fill(run, "Where is Peru?")
    noise = Noise(questions=50, repeats=3, answers=100, flipped=0, changed=2, flip_rate=0.0, spread=0.0)
    silent = noise.model_copy(update={"questions": 0, "answers": 0, "failed": 100})
    more: dict[str, Any] = {"noise": {"known": noise, "gap": silent}, "margins": {"known": 0.02}}
    page = report(
        run, promoted=False, verdict="cannot tell", reasons=("too few",), gains={"known": GAIN}, **more
    )
    said = " ".join("".join(page.visible).split())
    for part in ("? Cannot tell, not promoted", "Why it cannot be told", "known 0.02", "at most 0.03"):
        assert part in said


def test_refusing_is_shown_with_its_halves(run: Run) -> None:
    fill(run, "Where is Peru?")
    gain = FigureGain(before=0.1, after=0.6, difference=0.5, low=0.4, high=0.55, n=40, facts=30)
    names = ("refusal_f1", "refusal_f1_ref", "refusal_f1_ans", "unanswerable_answered", "known_refused")
    arms = {
        "before": Figures(refusal_f1=0.1, refusal_f1_ref=0.0),
        "after": Figures(refusal_f1=0.6, refusal_f1_ref=0.8),
    }
    page = report(
        *(run,),
        **arms,
        refusing=dict.fromkeys(names, gain),
        refusing_control={"refusal_f1": gain},
    )
    said = " ".join("".join(page.visible).split())
    for part in (
        *("Refusing what has no evidence", "Refusal F1", "Half of it: refusing", "Half of it: answering"),
        *("Made up", "Known, but refused", "The same, against the control", "+40.0 to +55.0", "80.0%"),
    ):
        assert part in said


def test_the_page_reaches_for_nothing_outside_itself(run: Run) -> None:
    fill(run, "Where is Peru?")
    page = report(run)
    assert not [v for name, v in page.attributes if name in ("src", "href") and not v.startswith("#")]
    policy = dict(page.attributes).get("content")
    assert any(v.startswith("default-src 'none'") for n, v in page.attributes if n == "content"), policy
    source = (run.path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|fetch\(|innerHTML|insertAdjacentHTML|document\.write|eval\(", source)


def test_a_gap_can_be_followed_to_its_new_answer(run: Run) -> None:
    asked = fill(run, "The river of Peru is long.")
    trail = report(run).data["trails"]["0"]
    assert trail["passage"] == "The river of Peru is long."
    assert trail["samples"][1].startswith("[failed: ")
    assert trail["scores"][0]["sentences"][0]["each"] == [0.95, None, 0.85]
    assert trail["evidence"][0]["parts"] == ["First. ", "The river of Peru is long.", " Last."]
    assert trail["references"][0]["accepted"] is True
    assert trail["examples"][0]["kind"] == "reference"
    assert trail["pairs"][0]["rejected"] == "no"
    assert [w["use"] for w in trail["wordings"]] == ["heldout"]
    assert [(c["arm"], c["correct"]) for c in trail["checks"]] == [("base", False), ("taught", True)]
    points = report(run).data["points"]
    assert points["id"] == [asked.id]
    assert (points["found"], points["before"], points["after"]) == ([90], [30], [10])  # never on one scale
    assert points["outcome"] == ["01"]
    assert (points["gap"], points["inconsistent"]) == ([1], [1])


def test_headline_failures_and_recipe_are_shown(run: Run) -> None:
    fill(run, "Where is Peru?")
    seen = " ".join("".join(report(run).visible).split())
    assert "rose from 0.0% to 100.0%" in seen
    assert "probe: 1 failed" in seen
    assert "1 files or parts were not used" in seen
    assert "token_budget: 16384" in seen
    assert "1 steps without a finite loss" in seen


def test_an_empty_run_has_a_report(run: Run) -> None:
    page = report(run)
    seen = "".join(page.visible)
    assert "Nothing has been asked yet." in seen
    assert "No item failed" in seen
    assert "table" not in page.ids


def test_a_run_that_only_probed_has_a_report(run: Run) -> None:
    for i in range(12):
        asked = Question(text=f"What is {i}?")
        run.round(1).append([asked, Score(question_id=asked.id, scorer="selfcheck-nli", value=i / 12)])
    run.round(1).append([Question(text="Never answered?")])
    page = report(run)
    seen = "".join(page.visible)
    assert "asked 13 questions and is not sure of its answers to 5" in seen
    assert "No verdicts yet" in seen
    assert "Nothing has been trained yet" in seen
    points = page.data["points"]
    assert points["found"][-1] == -1
    assert points["inconsistent"].count(1) == 5
    assert points["gap"].count(1) == 0  # nothing is a gap before the evidence says so
    assert len(points["x"]) == len(points["y"]) == 13
    assert min(points["x"] + points["y"]) >= 0
    assert max(points["x"] + points["y"]) <= 1000


def test_without_an_embedder_there_is_no_map(run: Run) -> None:
    fill(run, "Where is Peru?")
    write_report(run, summarise(run, None, Flat()), run.path / "report.html")
    page = Page((run.path / "report.html").read_text(encoding="utf-8"))
    assert "map-canvas" not in page.ids
    assert "table" in page.ids
    assert "without an embedder" in "".join(page.visible)


def test_several_rounds_are_kept_apart(run: Run) -> None:
    for number in (1, 2):
        fill(run, "Where is Peru?", number)
    page = report(run)
    assert page.data["points"]["round"] == [1, 2]
    assert "map-round" in page.ids
    assert "(shown above)" in "".join(page.visible)


def test_ids_are_unique_and_labels_exist(run: Run) -> None:
    fill(run, "Where is Peru?")
    page = report(run)
    assert len(page.ids) == len(set(page.ids))
    used = [v for name, v in page.attributes if name in ("aria-labelledby", "aria-describedby")]
    assert set(used) <= set(page.ids)
    assert {v[1:] for name, v in page.attributes if name == "href"} <= set(page.ids)


def test_the_same_run_gives_the_same_bytes(run: Run) -> None:
    for i in range(30):
        fill(run, f"What is number {i}?")
    report(run)
    first = (run.path / "report.html").read_bytes()
    report(run)
    assert (run.path / "report.html").read_bytes() == first


def test_a_report_that_cannot_be_written_says_so(run: Run) -> None:
    with pytest.raises(RunError, match="cannot write the report"):
        write_report(run, summarise(run, None, Flat()), run.path / "nowhere" / "report.html", Flat())


def test_suites_are_shown_with_what_was_left_out(run: Run) -> None:
    from .test_suites import RESULT

    assert "suites" not in report(run).ids
    page = report(run, suites={"truth<b>fulqa": RESULT})
    text = " ".join(" ".join(page.visible).split())
    assert "truth<b>fulqa" in text
    assert "the one <true> answer" in text
    for part in (
        "+0.250",
        "+0.050 to +0.450",
        "0 and 2 failed, 1 missing",
        "Judge: somebody.",
        "most of them like",
    ):
        assert part in text
