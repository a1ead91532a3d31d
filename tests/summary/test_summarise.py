"""The summary of small hand-made runs, against numbers worked by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.judging.answer_key import JsonlKey
from selfstudy.probe import capability
from selfstudy.recipe import Recipe
from selfstudy.records import Check, Proposal, Question, Score, Skipped, Verdict, VerdictKind
from selfstudy.run import Run
from selfstudy.summary import summarise

GAIN = {
    "before": 0.5,
    "after": 1.0,
    "difference": 0.5,
    "low": 0.1,
    "high": 0.9,
    "p": 0.01,
    "facts": 2,
    "won": 1,
    "lost": 0,
}
HEADLINES = {
    "gap_correct",
    "gap_correct_reworded",
    "gap_correct_novel",
    "known_correct",
    "reading_correct",
    "gap_hallucination",
}


class Letters:
    """An embedder: which letters a text holds."""

    name = "letters"

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = np.array([[float(chr(97 + i) in text) for i in range(26)] for text in texts], np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def check(
    question: Question, arm: str, target: str, wording: str, right: bool | None, **more: object
) -> Check:
    return Check.model_validate(
        {
            "question_id": question.id,
            "arm": arm,
            "target": target,
            "wording": wording,
            "asked": f"{wording} {question.text}",
            "answer": "a",
            "expected": "a",
            "correct": right,
            **more,
        }
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Five questions, four scored (.9, .7, .1, .3), two gaps; the gaps were taught, one went right."""
    with Run.create_or_resume(tmp_path / "run", Recipe()) as made:
        turn = made.round(1)
        texts = [f"Question {i} {'x' * 90}"[:100] for i in range(5)]  # 100 characters each: brevity 1
        asked = [Question(text=t, method="open" if i < 2 else "documents") for i, t in enumerate(texts)]
        turn.append(asked)
        turn.append(
            Proposal(ask=0, index=i, method=q.method, text=q.text, question_id=q.id)
            for i, q in enumerate(asked)
        )
        turn.append(
            Score(question_id=q.id, scorer="selfcheck-nli", value=v)
            for q, v in zip(asked, (0.9, 0.7, 0.1, 0.3), strict=False)
        )
        turn.append([Score(question_id=asked[4].id, scorer="selfcheck-nli", value=None, error="no sentence")])
        turn.append([Score(question_id=asked[2].id, scorer="another", value=1.0)])
        kinds: tuple[VerdictKind, ...] = ("unknown", "misbelief", "known", "known")
        turn.append(Verdict(question_id=q.id, kind=k, score=0.5) for q, k in zip(asked, kinds, strict=False))
        for gap, after in ((asked[0], True), (asked[1], False)):
            turn.append(
                [
                    check(gap, "base", "gap", "original", False, score=0.8),
                    check(gap, "taught", "gap", "original", after, score=0.2 if after else 0.6),
                    check(gap, "taught", "gap", "reworded", after),
                ]
            )
        turn.append([check(asked[2], arm, "known", "original", True) for arm in ("base", "taught")])
        turn.append([check(asked[3], "taught", "known", "original", None, error="out of memory")])
        turn.fail("verify", "some-id", "out of memory")
        turn.fail("probe", "other-id", ValueError("nothing came back"))
        turn.append([Skipped(source="a.bin", reason="not text")])
        made.write_json(made.round(1).gate_file, {"promoted": False, "reasons": ["too few"], "gains": {}})
    return Run.open(tmp_path / "run", write=False)


@pytest.fixture
def key(tmp_path: Path) -> JsonlKey:
    known = (False, True, True, True)
    lines = [
        json.dumps({"question": f"Question {i} {'x' * 90}"[:100], "answer": "a", "known": k})
        for i, k in enumerate(known)
    ]
    (tmp_path / "key.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return JsonlKey(tmp_path / "key.jsonl")


def test_counts_come_from_the_scorer_of_the_recipe(run: Run) -> None:
    summary = summarise(run, None, Letters())
    assert (summary["questions"], summary["inconsistent"], summary["unscored"]) == (5, 2, 1)
    assert summary.gaps == 2
    counts = {name: (m.questions, m.inconsistent, m.gaps) for name, m in summary.methods.items()}
    assert counts == {"open": (2, 2, 2), "documents": (3, 0, 0)}
    assert summary["verdicts"] == {"known": 2, "unsure": 0, "unknown": 1, "misbelief": 1, "unverifiable": 0}


def test_capability_by_hand(run: Run) -> None:
    summary = summarise(run, None, Letters())
    # of the two that the model proposed: distinct, both inconsistent, 100 characters each; the three made of
    # documents are no merit of the model's
    assert (summary["curiosity"], summary["awareness"], summary["brevity"]) == (1.0, 1.0, 1.0)
    assert summary["slc"] == pytest.approx(1.0)
    assert summary.methods["open"].slc == summary.slc
    assert summary.methods["documents"].slc is None
    assert summary["curiosity_of"] is None


def test_curiosity_of_a_sample_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = capability.self_learning_capability
    monkeypatch.setattr(capability, "self_learning_capability", partial(whole, limit=1))
    assert summarise(run, None, Letters())["curiosity_of"] == 1


def test_auroc_by_hand(run: Run, key: JsonlKey) -> None:
    summary = summarise(run, key, Letters())
    # the one unknown question (.9) scores above all three known ones (.7, .1, .3)
    assert summary["auroc"] == 1.0
    assert summary["auroc_questions"] == 4
    assert summary["auroc_interval"] is None  # one unknown question is too few


def test_auroc_needs_a_key(run: Run) -> None:
    summary = summarise(run, None, Letters())
    assert summary["auroc"] is None
    assert summary["auroc_interval"] is None


def test_before_and_after_by_hand(run: Run) -> None:
    summary = summarise(run, None, Letters())
    assert set(summary.before.model_dump()) >= HEADLINES
    assert set(summary.after.model_dump()) >= HEADLINES
    assert summary["before"]["gap_correct"] == 0.0
    assert summary["after"]["gap_correct"] == 0.5
    assert summary["before"]["gap_correct_reworded"] is None
    assert summary["after"]["gap_correct_reworded"] == 0.5
    assert summary["before"]["gap_hallucination"] == pytest.approx(0.8)
    assert summary["after"]["gap_hallucination"] == pytest.approx(0.4)
    detail = summary["details"]["after"]["known_correct"]
    assert (detail["n"], detail["failed"]) == (1, 1)  # a failed check is no wrong answer
    assert detail["low"] <= 1.0 == detail["high"]


def test_decision_errors_and_provenance(run: Run) -> None:
    summary = summarise(run, None, Letters())
    assert summary["promoted"] is False
    assert summary["reasons"] == ("too few",)
    assert summary["errors"] == {"probe": 1, "gather": 0, "teach": 0, "verify": 1}
    assert summary["skipped"] == 1
    assert summary["models"] == {"lm": "atlas", "nli": "atlas", "embedder": "letters"}
    assert summary["versions"]["selfstudy"]
    assert (summary["seed"], summary["rounds"], summary["round"]) == (0, 1, 1)


def test_an_empty_run_has_all_keys(tmp_path: Path, run: Run) -> None:
    with Run.create_or_resume(tmp_path / "empty", Recipe()) as made:
        empty = summarise(made, None, Letters())
    assert set(empty.to_dict()) == set(summarise(run, None, Letters()).to_dict())
    assert (empty["questions"], empty["round"], empty["promoted"]) == (0, None, None)
    assert empty["after"]["gap_correct"] is None


def test_the_last_promoted_round_speaks_for_the_run_before_and_after(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "rounds", Recipe(rounds=3)) as made:
        for number, promoted in ((1, True), (2, True), (3, False)):
            asked = [Question(text=f"{number} {i}") for i in range(number)]
            made.round(number).append(asked)
            made.round(number).append(check(q, "base", "gap", "original", q is not asked[0]) for q in asked)
            made.round(number).append(check(q, "taught", "gap", "original", True) for q in asked)
            gate = {"promoted": promoted, "reasons": [], "gains": {"gap": GAIN | {"n": number}}}
            made.write_json(made.round(number).gate_file, gate)
        summary = summarise(made, None, Letters())
    assert (summary["round"], summary["questions"], summary["promoted"]) == (2, 2, True)
    assert (summary["before"]["gap_correct"], summary["after"]["gap_correct"]) == (0.5, 1.0)
    assert summary.gains["gap"].n == 2
    assert [d["questions"] for d in summary["rounds_detail"]] == [1, 2, 3]


def test_what_must_be_said_of_an_adaptive_run_and_of_two_ways_of_judging(run: Run, key: JsonlKey) -> None:
    from selfstudy.show.words import cautions

    made = run.recipe.model_copy(update={"probe": run.recipe.probe.model_copy(update={"adaptive": 3})})
    adaptive = summarise(Run(run.path, made, None), key, Letters())
    assert adaptive.adaptive
    assert any("unequal numbers of" in note for note in cautions(adaptive))
    plain = summarise(run, key, Letters())
    assert not any("unequal numbers of" in note for note in cautions(plain))
    details = {"after": {"gap_correct": {"n": 3, "judged_by": {"key": 1, "reference": 2}}}}
    mixed = type(plain).model_validate({"details": details})
    assert "1 against the key, 2 against the reference" in " ".join(cautions(mixed))
