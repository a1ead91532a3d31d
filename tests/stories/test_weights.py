"""The loop on all weights, and on weights of 4 bits: taught, asked, promoted, chatted with, taught again."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy import Run, learn, load_lm
from selfstudy.models import taught
from selfstudy.models.answering import from_memory
from selfstudy.models.server.servers import Servers
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.records import Check
from selfstudy.run.standing import hashes
from selfstudy.verbs.chat import open_talk

from .small import QUICK, Listener, branch, cli, recipe, refusal

pytestmark = pytest.mark.story

PROMOTED = ("rounds=2", "min_gain=0", "verify.margin=1", "deploy=merged")


def test_all_weights_are_trained_promoted_as_a_whole_and_trained_on(finished: Path, tmp_path: Path) -> None:
    how = ("teach.finetuning=full", "teach.lora={}", "teach.sft.learning_rate=1.5e-3", "teach.sft.epochs=8")
    changed = recipe(*QUICK, *PROMOTED, *how, "probe.ask.0.count=24")
    run = branch(finished, tmp_path / "run", changed)
    summary = learn(changed, run)
    assert summary["rounds_detail"][0]["promoted"] is True
    first, second = (run / f"rounds/{number}/adapter" for number in (1, 2))
    assert taught.is_whole(first)
    assert taught.is_whole(second)
    assert hashes(first) != hashes(second)
    last = second if summary["rounds_detail"][1]["promoted"] else first
    assert hashes(run / "promoted") == hashes(last)
    assert not list(run.glob("rounds/*/merged")), "what is whole needs no merging"
    with Run.open(run, write=False) as opened:
        assert {c.arm for c in opened.round(2).iter(Check)} == {"base", "original", "taught"}
        asked = [c for c in opened.round(1).iter(Check) if c.arm == "taught" and c.target != "reading"]
    alone = load_lm(LocalModel(path=str(first)))
    said = alone.generate(
        [Prompts().chat("answer", question=c.asked) for c in asked],
        from_memory(changed.answering, 0, changed.seed),
    )
    assert [row[0].text for row in said] == [c.answer for c in asked], "what was measured is what lies there"

    said_no = refusal(cli("export", run, tmp_path / "taught.gguf"))
    assert "is a whole model, not an adapter" in said_no
    assert "convert_hf_to_gguf.py" in said_no
    with Servers() as servers:
        talk = open_talk(str(run), compare=True, servers=servers)
        shown = "\n".join(talk.answer(asked[0].asked, 100))
    assert asked[0].answer in shown


def test_an_adapter_is_trained_and_asked_on_weights_of_4_bits(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="needs the extra 4bit")
    how = ("model.load_in_4bit=true", "teach.method=sft+dpo", "teach.dpo.epochs=1", "verify.margin=1")
    changed = recipe(*QUICK, *how)
    run = branch(finished, tmp_path / "run", changed)
    summary = learn(changed, run)
    assert summary["after"]["gap_correct"] > summary["before"]["gap_correct"]
    adapter = run / "rounds/1/adapter"
    assert not taught.is_whole(adapter)
    with Run.open(run, write=False) as opened:
        asked = [c for c in opened.round(1).iter(Check) if c.arm == "taught" and c.target != "reading"]
    lm = load_lm(LocalModel(path=changed.model.path, adapter=adapter, load_in_4bit=True), say=Listener().note)
    said = lm.generate(
        [Prompts().chat("answer", question=c.asked) for c in asked],
        from_memory(changed.answering, 0, changed.seed),
    )
    assert [row[0].text for row in said] == [c.answer for c in asked]
