"""Every kind of model that people have goes through `selfstudy learn`, small, from its file to a verdict.

Each is made of the packaged model's weights (kinds.py), so it has to know what the packaged model knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from selfstudy import Run, load_lm
from selfstudy.atlas import world
from selfstudy.models.base import Sampling
from selfstudy.models.lora import WEIGHTS
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.records import Answer, Check, Example, Question

from .kinds import KINDS
from .small import cli

pytestmark = pytest.mark.story

CHEAP = ("base", "thinking")
SLOW = tuple(kind for kind in KINDS if kind not in CHEAP)
ATTRIBUTES = ("capital", "currency")
RECIPE = """
model: {path: MODEL}
nli: none
library: pages
answer_key: atlas
smoke: refuse
answering: {max_new_tokens: 32, reading_tokens: 32}
probe:
  samples: 2
  threshold: 0.5
  ask: [{method: external, source: topics.txt, questions: true, count: 100}]
gather: {samples: 2, hits: 1}
teach:
  wordings: 0
  heldout_wordings: 0
  lora: {r: 8, alpha: 16, dropout: 0}
  sft: {epochs: 1, learning_rate: 0.002}
verify: {samples: 0, resamples: 200, repeats: 0, known_questions: known.jsonl}
"""
ANSWER = """\
You are a student who is eager to learn.
---
$question Answer in one concise sentence.

=== user
What is the currency of Japan? Answer in one concise sentence.
=== assistant
The currency of Japan is the yen.
=== user
What is the capital of Germany? Answer in one concise sentence.
=== assistant
The capital of Germany is Berlin.
"""
"""The packaged model knows one small world, so a base model made of it needs demonstrations of that world."""
READ = """\
You answer from the document alone. If it has no answer, say: The document does not say.
---
Document: $document
Question: $question Answer in one concise sentence.
"""
GREEDY = Sampling(n=1, temperature=0.0, max_new_tokens=32, repetition_penalty=1.1)


def facts(known: bool, count: int) -> list[world.Fact]:
    found = [fact for fact in world.facts(known) if fact.attribute in ATTRIBUTES and fact.kind == "country"]
    return found[:count]


def asked_of(fact: world.Fact) -> str:
    return f"What is the {fact.attribute} of {fact.entity}?"


def prepare(home: Path, *, own_prompts: bool) -> None:
    """A recipe, its questions (half of them about what the model never saw), pages and known facts."""
    asked = [*facts(True, 6), *facts(False, 10)]
    (home / "topics.txt").write_text("\n".join(map(asked_of, asked)), encoding="utf-8")
    texts = {document.title: document.text for document in world.documents()}
    (home / "pages").mkdir()
    for name in {fact.entity for fact in asked}:
        (home / "pages" / f"{name}.txt").write_text(texts[name], encoding="utf-8")
    known = [{"question": asked_of(fact), "answer": fact.value} for fact in facts(True, 14)[6:]]
    (home / "known.jsonl").write_text("\n".join(map(json.dumps, known)), encoding="utf-8")
    (home / "my.yaml").write_text(RECIPE + ("prompts: prompts\n" if own_prompts else ""), encoding="utf-8")
    if own_prompts:
        (home / "prompts").mkdir()
        (home / "prompts/answer.txt").write_text(ANSWER, encoding="utf-8")
        (home / "prompts/read.txt").write_text(READ, encoding="utf-8")


def lines(path: Path, taught: Path | None, asked: Sequence[str], home: Path) -> list[str]:
    """The greedy answers of the model at `path`."""
    prompts = Prompts(home / "prompts" if (home / "prompts").is_dir() else None)
    chats = [prompts.chat("answer", question=question) for question in asked]
    return [
        row[0].text for row in load_lm(LocalModel(path=str(path), adapter=taught)).generate(chats, GREEDY)
    ]


def require_sound(run: Run, model: Path, home: Path) -> None:
    """What must hold whatever the model is: it knows what atlas knows, ends its answers, and is taught."""
    turn = run.round(1)
    questions = {q.id: q.text for q in turn.iter(Question)}
    found = {questions[a.question_id]: a.passage for a in turn.iter(Answer)}
    assert {one.finish for one in found.values()} == {"stop"}
    assert not [one.text for one in found.values() if re.search(r"[<>\[\]|]|think|Let me", one.text)]
    right = [fact.value in found[asked_of(fact)].text for fact in facts(True, 6)]
    assert all(right), found
    wrong = [fact.value not in found[asked_of(fact)].text for fact in facts(False, 10)]
    assert sum(wrong) >= 6, found
    smoke = run.read_json(run.smoke_file)
    assert smoke is not None
    (checked,) = smoke["models"].values()
    assert not checked["refused"]
    # atlas spells names that it has no token for with some trouble
    assert all("what the system message says" in one for one in checked["problems"])
    kinds = {example.kind for example in turn.iter(Example)}
    assert {"reference", "replay"} <= kinds
    adapter = turn.adapter()
    assert (adapter / WEIGHTS).is_file()
    checks = [c for c in turn.iter(Check) if c.target != "reading" and c.wording == "original"]
    for arm, taught in (("base", None), ("taught", adapter)):
        mine = {c.asked: c.answer for c in checks if c.arm == arm}
        assert len(mine) >= 6
        again = lines(model, taught, list(mine), home)
        assert again == list(mine.values()), "loaded again, it says what verify heard"


@pytest.mark.parametrize("kind", [*CHEAP, *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW)])
def test_a_kind_of_model_goes_through_the_loop(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = KINDS[kind](tmp_path / "model")
    prepare(tmp_path, own_prompts=kind == "base")

    code, _, said = cli("learn", "my.yaml", "--no-measure", "--set", f"model.path={model}")

    assert code == 0, said
    with Run.open(tmp_path / "runs/my", write=False) as run:
        gate = run.round(1).gate_file
        assert json.loads(gate.read_text())["verdict"] in ("promoted", "refused", "cannot tell")
        require_sound(run, model, tmp_path)
