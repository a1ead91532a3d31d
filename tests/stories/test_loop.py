"""The whole loop on the embedded world, small: what it leaves behind, its options, its rounds, its refusals.

That other architectures go through is in tests/probe/test_stage.py and tests/teach/trainers/.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfstudy import Run, learn, load_lm
from selfstudy.atlas import world
from selfstudy.errors import ModelError
from selfstudy.models.answering import from_memory
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.local.loading import locate
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, Recipe
from selfstudy.records import (
    Answer,
    Check,
    Evidence,
    Example,
    Failure,
    Pair,
    Question,
    Reference,
    Score,
    Verdict,
)
from selfstudy.run.standing import hashes
from selfstudy.run.threshold import of as threshold_of

from .small import QUICK, branch, cli, recipe, refusal

pytestmark = pytest.mark.story

FIGURES = (
    "gap_correct",
    "gap_correct_reworded",
    "gap_correct_novel",
    "known_correct",
    "reading_correct",
    "gap_hallucination",
)


def summary_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return found


def test_a_run_ends_with_everything_that_it_promises(finished: Path) -> None:
    summary = summary_of(finished)
    assert summary["questions"] >= 40
    assert 0 < summary["gaps"] < summary["questions"]
    for name in ("auroc", "curiosity", "awareness", "brevity", "slc"):
        assert 0 <= summary[name] <= 1, name
    for arm in ("before", "after"):
        assert set(FIGURES) <= set(summary[arm])
    assert summary["after"]["gap_correct"] >= summary["before"]["gap_correct"] + 0.2
    assert summary["after"]["gap_hallucination"] < summary["before"]["gap_hallucination"]
    assert all(summary["seconds"][stage] > 0 for stage in ("probe", "gather", "teach", "verify", "report"))
    with Run.open(finished, write=False) as run:
        failed = [failure.stage for failure in run.round(1).iter(Failure)]
    assert summary["errors"] == {s: failed.count(s) for s in ("probe", "gather", "teach", "verify")}
    adapter = finished / "rounds/1/adapter"
    assert (adapter / "adapter_model.safetensors").is_file()
    assert (adapter / "REJECTED.txt").exists() == (not summary["promoted"])
    assert (finished / "promoted").exists() == summary["promoted"]
    if summary["promoted"]:
        assert hashes(finished / "promoted") == hashes(adapter)
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert not [p.name for p in finished.rglob("*") if p.suffix in {".pkl", ".pt", ".bin", ".tmp"}]


def test_every_gap_can_be_followed_from_question_to_check(finished: Path) -> None:
    with Run.open(finished, write=False) as run:
        turn, threshold = run.round(1), threshold_of(run).value
        questions = {q.id: q for q in turn.iter(Question)}
        answers = {a.question_id: a for a in turn.iter(Answer)}
        scores = {s.question_id: s for s in turn.iter(Score)}
        evidence = {e.id: e for e in turn.iter(Evidence)}
        references = {r.id: r for r in turn.iter(Reference)}
        verdicts = {v.question_id: v for v in turn.iter(Verdict)}
        taught = {e.question_id for e in turn.iter(Example) if e.kind == "reference"}
        checks = list(turn.iter(Check))
    documents = {d.id: d for d in world.documents()}
    assert (
        set(verdicts)
        == {i for i, s in scores.items() if s.value is not None}
        <= set(answers)
        <= set(questions)
    )
    followed = 0
    for name, verdict in verdicts.items():
        assert verdict.score == scores[name].value
        if verdict.kind in ("known", "unverifiable"):
            continue
        assert len(answers[name].samples) == 4
        reference = references[verdict.reference_id or ""]
        assert reference.question_id == name
        assert reference.accepted
        source = evidence[reference.evidence_id]
        assert source.question_id == name
        assert documents[source.document_id].text[source.start : source.end] == source.text
        if verdict.score > threshold and name in taught:  # of near-duplicates only the first is taught
            mine = [c for c in checks if c.question_id == name and c.target == "gap"]
            assert {"base", "taught"} == {c.arm for c in mine}
            assert questions[name].text in {c.asked for c in mine}
            followed += 1
    assert followed >= 5
    assert taught <= {n for n, v in verdicts.items() if v.kind in ("unsure", "unknown", "misbelief")}


def test_what_is_held_out_is_never_trained(finished: Path) -> None:
    with Run.open(finished, write=False) as run:
        trained = {e.prompt[-1].content for e in run.round(1).iter(Example)}
        checks = list(run.round(1).iter(Check))
    held_out = {c.asked for c in checks if c.target == "known" or c.wording in ("reworded", "novel")}
    assert held_out
    assert not [asked for asked in held_out if any(asked in prompt for prompt in trained)]


def test_report_can_be_written_again(finished: Path) -> None:
    before = summary_of(finished)
    (finished / "report.html").unlink()
    code, shown, _ = cli("report", finished)
    assert code == 0
    assert "Known questions" in shown
    assert summary_of(finished) | {"seconds": 0} == before | {"seconds": 0}
    with Run.open(finished, write=False) as run:
        asked = run.round(1).read(Question)[0].text
    assert asked.partition("'")[0] in (finished / "report.html").read_text(encoding="utf-8")


def test_a_stage_out_of_order_says_which_one_is_missing(finished: Path, tmp_path: Path) -> None:
    run = branch(finished, tmp_path / "run", recipe(), ("probe",))
    for verb in ("teach", "verify"):
        message = refusal(cli(verb, run))
        assert "has not finished gather" in message
        assert f"selfstudy gather {run}" in message
    assert cli("report", run)[0] == 0  # of an unfinished run too
    assert summary_of(run)["promoted"] is None


def test_a_second_round_builds_on_what_was_promoted_and_merges_it(finished: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    changed = recipe(
        *QUICK,
        "rounds=2",
        "min_gain=0",
        "verify.margin=1",
        "deploy=merged",
        "probe.ask.0.count=24",
        "probe.ask.1.count=1",
        "probe.ask.2.count=1",
        "teach.lora.r=16",
        "teach.sft.epochs=8",
    )
    run = branch(finished, tmp_path / "run", changed)
    summary = learn(changed, run)
    promoted = [d["promoted"] for d in summary["rounds_detail"]]
    assert promoted[0] is True
    assert len(promoted) == 2
    first, second = (load_file(run / f"rounds/{n}/adapter/adapter_model.safetensors") for n in (1, 2))
    for name, a in first.items():
        if "lora_A" in name:
            assert second[name].shape[0] == 2 * a.shape[0] == 32
            assert second[name][:16].equal(a)
    last = 2 if promoted[1] else 1
    taught = load_lm(LocalModel(path=changed.model.path, adapter=run / f"rounds/{last}/adapter"))
    merged = load_lm(LocalModel(path=str(run / "promoted")))
    with Run.open(run, write=False) as opened:
        assert hashes(run / "promoted") == opened.read_json(opened.promoted_file)["files"]  # type: ignore[index]
        assert {c.arm for c in opened.round(2).iter(Check)} == {"base", "original", "taught"}
        asked = [c for c in opened.round(last).iter(Check) if c.arm == "taught" and c.target != "reading"]
    prompts, greedy = Prompts(), from_memory(changed.answering, 0, changed.seed)
    said = merged.generate([prompts.chat("answer", question=c.asked) for c in asked], greedy)
    assert [row[0].text for row in said] == [c.answer for c in asked], "what was measured is what lies there"
    chats = [chat("What is the capital of France?"), chat("Name a city.")]
    assert [[c.text for c in row] for row in merged.generate(chats, GREEDY)] == [
        [c.text for c in row] for row in taught.generate(chats, GREEDY)
    ]


def test_promotion_has_to_beat_the_control(finished: Path, tmp_path: Path) -> None:
    changed = recipe(*QUICK, "verify.control=true", "verify.margin=1")
    run = branch(finished, tmp_path / "run", changed)
    summary = learn(changed, run)
    assert summary["control"]["gap_correct"] < summary["after"]["gap_correct"]
    assert summary.gains["control"].difference > 0
    arms = [
        (run / f"rounds/1/{name}/adapter_model.safetensors").read_bytes() for name in ("adapter", "control")
    ]
    assert arms[0] != arms[1]


@pytest.mark.parametrize("method", ["sft+dpo", "dpo"])
def test_preferences_are_trained(method: str, finished: Path, tmp_path: Path) -> None:
    changed = recipe(*QUICK, f"teach.method={method}", "teach.sft.epochs=1", "teach.dpo.epochs=1")
    run = branch(finished, tmp_path / "run", changed)
    summary = learn(changed, run)
    assert summary["promoted"] in (True, False)
    assert summary["after"]["gap_correct"] is not None
    with Run.open(run, write=False) as opened:
        pairs = opened.round(1).read(Pair)
        verdicts = {v.question_id: v.kind for v in opened.round(1).iter(Verdict)}
    assert pairs
    assert all(verdicts[p.question_id] == p.verdict and p.chosen != p.rejected for p in pairs)
    assert {p.origin == "taught-model" for p in pairs} == {method == "sft+dpo"}


@pytest.mark.parametrize("rate", [1.0, 1e30], ids=["garbage", "no numbers"])
def test_the_gate_refuses_a_bad_adapter(rate: float, finished: Path, tmp_path: Path) -> None:
    changed = recipe(*QUICK, f"teach.sft.learning_rate={rate}", "teach.sft.epochs=1", "verify.samples=0")
    base = Path(locate(changed.model.path, "lm")[0])
    before = {p.name: p.read_bytes() for p in base.iterdir()}
    run = branch(finished, tmp_path / "run", changed)
    summary = learn(changed, run)
    assert summary["promoted"] is False
    assert summary["reasons"]
    assert {p.name: p.read_bytes() for p in base.iterdir()} == before
    marked = run / "rounds/1/adapter/REJECTED.txt"
    assert marked.read_text(encoding="utf-8").splitlines() == list(summary.reasons)
    assert not (run / "promoted").exists()


@pytest.mark.parametrize(
    ("probed", "what"),
    [
        ({"type": "remote", "model": "m", "base_url": "http://127.0.0.1:9/v1"}, "a model of type remote"),
        ({"type": "server", "engine": "llama-cpp", "model": "m.gguf"}, "engine llama-cpp"),
    ],
)
def test_rounds_ask_again_only_what_can_be_taught(tmp_path: Path, probed: dict[str, Any], what: str) -> None:
    """Else round 2 would silently ask the model of round 1, and find its gaps."""
    made = Recipe.model_validate({"rounds": 2, "probe": {"model": probed}})
    with pytest.raises(ModelError, match=f"probe.model: {what} cannot serve a taught model"):
        learn(made, tmp_path / "run")
    assert not (tmp_path / "run" / "rounds" / "1" / "questions.jsonl").exists()
