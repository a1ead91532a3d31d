"""Imported lessons are taught as they are: from the file to an adapter that prefers what the file prefers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from selfstudy.cli import app
from selfstudy.loop import Study
from selfstudy.models import load_lm
from selfstudy.recipe import LocalModel
from selfstudy.records import Example, Message, Pair, TrainingStep
from selfstudy.run import Run
from selfstudy.verbs.importing.file import import_file

torch.set_num_threads(1)

TRAINING = (
    "teach.lora.r=4",
    "teach.lora.alpha=8",
    "teach.lora.dropout=0",
    "teach.sft.epochs=15",
    "teach.sft.learning_rate=0.02",
    "teach.sft.batch_size=4",
    "teach.dpo.epochs=15",
    "teach.dpo.learning_rate=0.02",
    "teach.dpo.batch_size=4",
)
CAPITALS = {"Peru": "Lima", "Chile": "Santiago", "Ghana": "Accra", "Nepal": "Kathmandu", "Cuba": "Havana"}


def settings(model: Path, *more: str) -> list[str]:
    return [f"model.path={model}", *TRAINING, *more]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs(folder: Path) -> Path:
    return write(
        folder / "pairs.jsonl",
        [
            {"prompt": f"Capital of {country}?", "chosen": capital, "rejected": "Rome"}
            for country, capital in CAPITALS.items()
        ],
    )


def taught(folder: Path) -> Path:
    with Run.open(folder) as run:
        Study(run).teach()
    return folder / "rounds" / "1" / "adapter"


def margin(model: Path, adapter: Path | None) -> float:
    """Mean over the capitals of log p(chosen) - log p(rejected), in nats."""
    lm = load_lm(LocalModel(path=str(model), adapter=adapter))
    chats = [(Message(role="user", content=f"Capital of {country}?"),) for country in CAPITALS]
    good = lm.logprobs(chats, list(CAPITALS.values()))
    bad = lm.logprobs(chats, ["Rome"] * len(CAPITALS))
    return sum(sum(g) - sum(b) for g, b in zip(good, bad, strict=True)) / len(good)


@pytest.mark.parametrize("method", ["dpo", "sft", "sft+dpo"])
def test_pairs_are_taught(method: str, tiny_llama: Path, tmp_path: Path) -> None:
    found = import_file(
        pairs(tmp_path), tmp_path / "run", overrides=settings(tiny_llama, f"teach.method={method}")
    )
    assert found["imported"] == len(CAPITALS)
    adapter = taught(tmp_path / "run")
    assert margin(tiny_llama, adapter) > margin(tiny_llama, None) + 1
    with Run.open(tmp_path / "run", write=False) as run:
        part = run.round(1)
        assert {p.rejected for p in part.iter(Pair)} == {"Rome"}  # as given, also after supervised training
        assert {s.phase for s in part.iter(TrainingStep)} == set(method.split("+"))
        assert part.finished("teach")


def test_pairs_are_taught_in_phases_of_ones_own(tiny_llama: Path, tmp_path: Path) -> None:
    phases = (
        "[{type: dpo, epochs: 8, learning_rate: 0.02, batch_size: 4}, "
        "{type: sft, epochs: 8, learning_rate: 0.02, batch_size: 5}]"
    )
    lora = [f"teach.lora.{change}" for change in ("r=4", "alpha=8", "dropout=0")]
    changes = [f"model.path={tiny_llama}", *lora, f"teach.phases={phases}"]
    import_file(pairs(tmp_path), tmp_path / "run", overrides=changes)
    adapter = taught(tmp_path / "run")
    assert margin(tiny_llama, adapter) > margin(tiny_llama, None) + 1
    with Run.open(tmp_path / "run", write=False) as run:
        assert [s.phase for s in run.round(1).iter(TrainingStep) if s.step == 1] == ["dpo", "sft"]


def test_questions_are_taught_by_the_command_line(tiny_llama: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "qa.jsonl",
        [
            {"question": f"Capital of {country}?", "answers": [capital], "context": f"{capital} is it."}
            for country, capital in CAPITALS.items()
        ],
    )
    run = tmp_path / "run"
    sets = [part for change in settings(tiny_llama) for part in ("--set", change)]
    begun = CliRunner().invoke(app, ["import", str(path), "--run", str(run), *sets])
    assert begun.exit_code == 0, begun.output
    assert "qa: 5 given, 5 imported, 0 repeats, 0 failed" in begun.stdout
    assert f"next: selfstudy teach {run}" in begun.stdout
    done = CliRunner().invoke(app, ["teach", str(run)])
    assert done.exit_code == 0, done.output
    with Run.open(run, write=False) as opened:
        steps = [s.loss for s in opened.round(1).iter(TrainingStep) if s.arm == "taught"]
        examples = opened.round(1).read(Example)
    assert {e.completion for e in examples} == set(CAPITALS.values())
    assert steps[-1] < steps[0] / 2
    base, after = (
        load_lm(LocalModel(path=str(tiny_llama), adapter=adapter))
        for adapter in (None, run / "rounds" / "1" / "adapter")
    )
    chats, answers = [e.prompt for e in examples], [e.completion for e in examples]
    before, now = (sum(map(sum, lm.logprobs(chats, answers))) for lm in (base, after))
    assert now > before + len(examples)
    assert CliRunner().invoke(app, ["report", str(run)]).exit_code == 0


def test_the_control_gets_answers_of_others(tiny_llama: Path, tmp_path: Path) -> None:
    changes = settings(tiny_llama, "verify.control=true", "teach.dpo.epochs=1")
    import_file(pairs(tmp_path), tmp_path / "run", overrides=changes)
    taught(tmp_path / "run")
    with Run.open(tmp_path / "run", write=False) as run:
        control = [p for p in run.round(1).iter(Pair) if p.origin == "random"]
        given = {p.prompt: p.chosen for p in run.round(1).iter(Pair) if p.origin == "imported"}
    assert len(given) == len(control) == len(CAPITALS)
    assert all(pair.chosen != given[pair.prompt] for pair in control)
    assert {pair.chosen for pair in control} == set(given.values())
    assert (tmp_path / "run" / "rounds" / "1" / "control").is_dir()


def test_questions_without_pairs_give_dpo_nothing(tiny_llama: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "qa.jsonl", [{"question": "Capital of Peru?", "answer": "Lima"}])
    import_file(path, tmp_path / "run", overrides=settings(tiny_llama, "teach.method=dpo"))
    assert not taught(tmp_path / "run").exists()
