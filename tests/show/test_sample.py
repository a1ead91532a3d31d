"""Which questions the report shows of more than it can hold, and what it says then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.probe.calibration import calibrate_round
from selfstudy.recipe import Ask, ProbeBlock, Recipe
from selfstudy.records import (
    Answer,
    Check,
    Completion,
    Proposal,
    Question,
    Record,
    Score,
    Verdict,
    VerdictKind,
)
from selfstudy.run import Round, Run
from selfstudy.show.questions import points
from selfstudy.show.report import write_report
from selfstudy.show.sample import MAX_POINTS, Overview, fair_shares, overview
from selfstudy.summary import summarise

from ..alive import most_alive

KINDS: tuple[VerdictKind, ...] = ("known", "known", "unknown", "misbelief")


def asked(turn: Round, numbers: range, checked: int = 0) -> list[str]:
    """Questions with scores and verdicts, a quarter each of gaps and misbeliefs; the first are checked."""
    made: list[Record] = []
    names = []
    for number in numbers:
        question = Question(text=f"What is number {number}?")
        kind = KINDS[number % 4]
        value = 0.9 if kind == "unknown" else 0.1
        names.append(question.id)
        made += [
            question,
            Score(question_id=question.id, scorer="selfcheck-nli", value=value),
            Score(question_id=question.id, scorer="agreement", value=1.0),
            Verdict(question_id=question.id, kind=kind, score=value),
        ]
        if len(names) <= checked:
            for arm in ("base", "taught"):
                made.append(
                    Check.model_validate(
                        {
                            "question_id": question.id,
                            "arm": arm,
                            "target": "gap",
                            "wording": "original",
                            "asked": question.text,
                            "answer": "",
                            "expected": "",
                            "correct": arm == "taught",
                            "score": 0.5 if arm == "base" else number / 1000,
                        }
                    )
                )
    turn.append(made)
    return names


class Anywhere:
    """An embedder that notes how many texts it was given."""

    name = fingerprint = "anywhere"

    def __init__(self) -> None:
        self.given: list[int] = []

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.given.append(len(texts))
        return np.random.default_rng(0).normal(size=(len(texts), 8)).astype(np.float32)


def shown_ids(found: Overview) -> set[str]:
    assert found.shown is not None
    return {name for ids in found.shown.values() for name in ids}


def test_few_questions_are_all_shown_and_nothing_is_said(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        asked(run.round(1), range(12), checked=4)
        found = overview(run, 12)
        assert (found.questions, found.shown, found.left_out, found.note) == (12, None, 0, "")
        assert list(found.found) == [point.found for point in points(run)]
        assert found.again == [(0.5, n / 1000) for n in range(4)]
        assert overview(run).shown is None
    assert MAX_POINTS > 5_000  # all that can be opened can be listed


def test_of_many_each_group_gets_its_share_and_the_sample_says_so(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        names = asked(run.round(1), range(200), checked=6)
        asked(run.round(2), range(200, 240))
        found = overview(run, 40)
        assert found.groups == ((6, 6), (59, 11), (59, 11), (116, 12))
        assert set(names[:6]) < shown_ids(found)
        assert len(shown_ids(found)) == 40
        assert found.note == (
            "40 of 240 questions are shown, drawn by a hash of their ids: 6 of 6 that verify asked, 11 of 59 "
            "misbeliefs, 11 of 59 other gaps and 12 of 116 others. Shares among them are not those of all; "
            "the figures are of all."
        )
        assert len(found.found) == 240
        assert overview(run, 40) == found
        drawn = points(run, found.shown)
        assert [point for point in points(run) if point.asked.id in shown_ids(found)] == drawn
        asked(run.round(2), range(240, 241))
        more = shown_ids(overview(run, 40))
    assert len(shown_ids(found) - more) <= 1


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 100))
def test_shares_fill_all_places_and_favour_no_group(counts: list[int], places: int) -> None:
    shares = fair_shares(counts, places)
    assert sum(shares) == min(places, sum(counts))
    assert all(0 <= share <= there for share, there in zip(shares, counts, strict=True))
    assert all(
        share == there or share + 1 >= max(shares) for share, there in zip(shares, counts, strict=True)
    )


@pytest.mark.parametrize("most", [40, 12])
def test_the_report_of_a_sample_says_so_and_its_figures_are_of_all(tmp_path: Path, most: int) -> None:
    embedder = Anywhere()
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        asked(run.round(1), range(40), checked=6)
        summary = summarise(run, None, embedder)
        embedder.given.clear()
        write_report(run, summary, run.report_file, embedder, most=most)
        first = run.report_file.read_bytes()
        write_report(run, summary, run.report_file, embedder, most=most)
    page = first.decode()
    assert run.report_file.read_bytes() == first
    assert set(embedder.given) == {most}  # what is not shown is not embedded
    told = page.count("12 of 40 questions are shown, drawn by a hash of their ids")
    assert told == (0 if most == 40 else 2)  # above the map, and above the table
    assert "<b>All questions, by the probe (selfcheck-nli)</b> 40 questions" in page
    assert page.count('"question":"What is number') == most  # the trails


def test_of_many_questions_few_records_are_there_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The summary, both scorers side by side, a calibration and the report: files may outgrow the memory."""
    recipe = Recipe(probe=ProbeBlock(ask=(Ask(method="open", count=300),), compare=("agreement",)))
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        turn = run.round(1)
        names = asked(turn, range(300), checked=4)
        said = Completion(text="It is.")
        turn.append(Answer(question_id=name, passage=said, samples=(said,)) for name in names)
        turn.append(
            Proposal(ask=0, index=n, method="open", text=f"What is number {n}?", question_id=name)
            for n, name in enumerate(names)
        )
        most = most_alive(monkeypatch)
        summary = summarise(run, None, Anywhere())
        assert summary.comparison is not None
        assert summary.curiosity is not None
        known = {name: n % 4 < 2 for n, name in enumerate(names)}
        assert calibrate_round(turn, known, "the test")[0][0].labels == 300
        assert {most[kind] for kind in (Proposal, Score, Verdict, Question)} <= {1, 2, 3}
        assert most[Answer] == 0  # they are counted
        write_report(run, summary, run.report_file, Anywhere(), most=10)
    assert max(most[kind] for kind in (Proposal, Score, Answer)) <= 3
    assert max(most[kind] for kind in (Question, Verdict)) <= 10 + 3  # those shown
