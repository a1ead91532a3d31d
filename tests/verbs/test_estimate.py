"""What a recipe will ask for: hand-counted, and held against what a run really asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from selfstudy import ScriptedLM, learn
from selfstudy.models.base import Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import (
    Ask,
    LocalModel,
    ProbeBlock,
    PromptedNLI,
    Recipe,
    RemoteModel,
    TeachBlock,
    VerifyBlock,
)
from selfstudy.records import Chat, Document
from selfstudy.run import Run
from selfstudy.teach.pairs import TAUGHT_SAMPLES
from selfstudy.verbs.estimate import estimate
from selfstudy.verbs.measuring import Measured, Training
from selfstudy.verbs.speeds import Speed
from selfstudy.verbs.work import GAPS, KNOWN, RIGHT, Work
from tests.stories.small import DEMO, QUICK, cli, recipe, sets

FACTOR = 2.5
"""How far an estimate may be from what a run asks, in calls and tokens of a stage, either way."""

asking = partial(Ask, check="none", proposals=1)
"""As published; what checking costs has a test of its own."""


def words(chat: Chat) -> int:
    return sum(len(turn.content.split()) for turn in chat if not turn.demonstration)


def asked(recipe: Recipe, documents: list[Document], measured: Measured | None = None) -> dict[str, Work]:
    works = estimate(recipe, documents, Prompts(), words, measured).works
    return {f"{work.stage} {work.kind}": work for work in works}


def test_pages_that_would_be_fetched_are_assumed_to_be_full() -> None:
    block = ProbeBlock(ask=(asking(method="open", count=10),), samples=4)
    web = {"type": "web", "engine": "ddgs"}
    known, unknown = (
        Recipe.model_validate({"library": library, "probe": block, "gather": {"chunk_tokens": 300}})
        for library in ("x", web)
    )
    more = asked(unknown, [])["gather read"].prompt - asked(known, [])["gather read"].prompt
    assert more == 300
    assumed = [estimate(one, [], Prompts(), words).assumed for one in (known, unknown)]
    assert [any("pages are not fetched" in line for line in lines) for lines in assumed] == [False, True]


def test_counts_by_hand() -> None:
    documents = [Document(source=str(i), text="word " * 40) for i in range(10)]
    block = ProbeBlock(ask=(asking(method="documents", count=1000),), samples=4)
    found = asked(Recipe(library="x", probe=block, verify=VerifyBlock(samples=3)), documents)
    answer = found["probe answer"]
    assert (answer.chats, answer.each, answer.calls) == (10, 5, 50)  # no more questions than chunks
    assert found["probe question"].chats == pytest.approx(13)
    read = found["gather read"]
    assert read.each == 6
    assert (
        read.prompt == words(Prompts().chat("read", document="", question="a b c d e f g h i j k l m")) + 40
    )
    assert found["verify read"].chats == pytest.approx((2 + 2) * (10 * 0.5 + 10 * 0.35 * 0.5))  # 2 repeats


def test_general_facts_and_repeats_are_counted(tmp_path: Path) -> None:
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]
    block = ProbeBlock(ask=(asking(method="documents", count=20),), samples=4)
    own = tmp_path / "own.jsonl"
    own.write_text("".join(f'{{"question": "What is {i}?", "answer": "It is {i}."}}\n' for i in range(30)))

    def answers(model: str, **verify: Any) -> tuple[float, float]:
        made = Recipe(model=LocalModel(path=model), library="x", probe=block, verify=VerifyBlock(**verify))
        found = asked(made, documents)
        facts = found.get("teach answer")
        return facts.chats if facts else 0, found["verify answer"].chats

    gaps, known = 20 * 0.5, 20 * 0.35 * 0.5
    once = 2 * (gaps * 2 + known)  # two more wordings
    assert answers("atlas", repeats=0) == (64, pytest.approx(once))
    assert answers("atlas") == (64, pytest.approx(once + 2 * (gaps + known)))
    assert answers("m", repeats=0, max_questions=2)[0] == 0  # its own are enough
    held = 30 * 0.5
    assert answers("m", repeats=0, known_questions=str(own)) == (30, pytest.approx(once + 2 * held))
    facts, tested = answers("m", repeats=0)
    assert facts > 300
    assert tested == pytest.approx(once + 2 * min(facts * 0.5, (150 - known) / RIGHT))


def test_general_facts_are_counted_in_every_order_of_the_demonstrations_that_are_shown() -> None:
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]
    block = ProbeBlock(ask=(asking(method="documents", count=20),), samples=4)

    def chats(count: Callable[[Chat], int], orders: int) -> float:
        verify = VerifyBlock(repeats=0, orders=orders)
        made = Recipe(model=LocalModel(path="m"), library="x", probe=block, verify=verify)
        works = estimate(made, documents, Prompts(), count).works
        return sum(work.chats for work in works if (work.stage, work.kind) == ("verify", "answer"))

    def shown(chat: Chat) -> int:
        return sum(len(turn.content.split()) for turn in chat)

    tested = (150 - 20 * 0.35 * 0.5) / RIGHT
    assert chats(words, 3) == chats(words, 1) == pytest.approx(chats(shown, 1))
    assert chats(shown, 3) - chats(shown, 1) == pytest.approx(2 * 2 * tested)
    assert chats(shown, 9) == chats(shown, 3), "there are three demonstrations"


def test_what_judging_by_prompt_asks_is_said_to_be_left_out() -> None:
    found = estimate(Recipe(nli=PromptedNLI()), [], Prompts(), words)
    assert any("nli: lm" in one for one in found.assumed)
    assert not any("nli: lm" in one for one in estimate(Recipe(), [], Prompts(), words).assumed)


def test_what_checks_questions_is_counted() -> None:
    documents = [Document(source=str(i), text="word " * 40) for i in range(10)]
    block = ProbeBlock(ask=(Ask(method="documents", count=10, check="page", proposals=4),))
    works = estimate(Recipe(library="x", probe=block), documents, Prompts(), words).works
    asked, read, reworded = (
        one for one in works if one.stage == "probe" and one.kind in ("question", "read")
    )
    assert asked.each == 4
    assert read.calls == 2 * asked.chats == 2 * reworded.calls


def test_a_long_document_is_cut_into_chunks() -> None:
    documents = [Document(source="a", text="word " * 5000)]
    block = ProbeBlock(ask=(asking(method="documents", count=1000, chunk_tokens=512, per_chunk=2),))
    found = asked(Recipe(library="x", probe=block), documents)
    assert 2 * 9 <= found["probe answer"].chats <= 2 * 11
    asked_alone = words(Prompts().chat("read", document="", question=""))
    assert found["gather read"].prompt < asked_alone + 560


def test_ways_of_asking_without_documents() -> None:
    asks = (asking(method="open", count=30), asking(method="induced", count=60))
    found = estimate(Recipe(probe=ProbeBlock(ask=asks, samples=1)), [], Prompts(), words)
    topics = [work for work in found.works if work.kind == "topics"]
    assert [work.calls for work in topics] == [30, 10]
    assert {row.stage for row in found.rows} == {"probe"}  # without a library nothing else is asked
    assert sum(work.calls for work in found.works if work.kind == "answer") == 180


def test_a_judge_is_counted_apart_and_priced() -> None:
    judge = RemoteModel(model="big", prices={"prompt": 2.0, "completion": 8.0, "currency": "EUR"})
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]
    block = ProbeBlock(ask=(asking(method="documents", count=20),), samples=4, compare=("selfcheck-llm",))
    found = estimate(Recipe(library="x", judge=judge, probe=block), documents, Prompts(), words)
    (row,) = [row for row in found.rows if row.model == "big"]
    assert row.stage == "probe"
    assert row.calls == 20 * 4 * 1.5
    assert row.cost == pytest.approx((row.prompt_tokens * 2 + row.completion_tokens * 8) / 1e6)
    assert row.currency == "EUR"
    assert all(other.cost is None for other in found.rows if other is not row)


def test_a_phase_after_another_asks_the_model_again() -> None:
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]
    block = ProbeBlock(ask=(asking(method="documents", count=20),), samples=4)

    def answers(**teach: Any) -> list[Work]:
        made = Recipe(library="x", probe=block, teach=TeachBlock.model_validate(teach))
        works = estimate(made, documents, Prompts(), words).works
        asked = [work for work in works if (work.stage, work.kind) == ("teach", "answer")]
        return [work for work in asked if work.each > 1]  # not general facts

    assert answers(method="sft") == answers(method="dpo") == []
    (after,) = answers(method="sft+dpo", wordings=2)
    assert after.calls == 20 * 0.5 * 3 * TAUGHT_SAMPLES
    assert len(answers(phases=[{"type": "dpo"}, {"type": "sft"}, {"type": "dpo"}])) == 1


def test_an_online_phase_answers_and_judges_in_every_step() -> None:
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]

    def calls(apart: RemoteModel | None = None, **block: Any) -> dict[str, float]:
        teach = TeachBlock.model_validate(
            {"wordings": 0, "heldout_wordings": 0, "phases": [{"type": "online-dpo", "steps": 3, **block}]}
        )
        works = estimate(Recipe(library="x", judge=apart, teach=teach), documents, Prompts(), words).works
        found = [work for work in works if work.stage == "teach" and work.chats]
        return {work.role or f"{work.kind} {work.each}": work.calls for work in found}

    answers = 3 * 8 * 4
    assert calls(batch_size=8, completions=4, reward={"type": "random"})["answer 4"] == answers
    assert calls(batch_size=8, completions=4)["answer 1"] == answers
    apart = calls(RemoteModel(model="big"), batch_size=8, completions=4, judge="judge")
    assert apart["judge"] == apart["answer 4"] == answers


def test_phases_that_train_to_cite_answer_and_verify_asks_with_documents(tmp_path: Path) -> None:
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]
    block = ProbeBlock(ask=(asking(method="documents", count=20),), samples=4)

    def works(phase: dict[str, Any]) -> dict[str, Work]:
        teach = TeachBlock.model_validate({"wordings": 1, "known_heldout": 0.5, "phases": [phase]})
        found = estimate(Recipe(library="x", probe=block, teach=teach), documents, Prompts(), words).works
        return {work.stage: work for work in found if work.kind == "cite"}

    steps = {"steps": 3, "batch_size": 8, "completions": 5}
    for kind in ("ppo", "grpo"):
        assert works({"type": kind, **steps})["teach"].calls == 3 * 8 * 5
    gaps = 20 * GAPS * (2 + 0.25)  # each wording, and a quarter without their page
    best = {"type": "rejection", "search": "best-of", "samples": 6}
    assert works(best)["teach"].calls == gaps * 6
    beam = {"type": "rejection", "search": "beam", "beams": 3, "continuations": 2}
    assert works(beam)["teach"].calls == gaps * 6
    (tmp_path / "rows.jsonl").write_text('{"question": "a"}\n{"question": "b"}\n', encoding="utf-8")
    assert works({**best, "data": tmp_path / "rows.jsonl"})["teach"].calls == 2 * 6
    verify = works(best)["verify"]
    assert verify.calls == 2 * 2 * 20 * KNOWN * 0.5  # before and after, with the page and without
    few, many = (works({**best, "documents": count})["teach"].prompt for count in (2, 4))
    assert many - few == 2 * 10
    assert works({"type": "sft"}) == {}


def test_questions_without_evidence_are_asked_where_refusing_is_taught() -> None:
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]
    block = ProbeBlock(ask=(asking(method="documents", count=20),), samples=4)

    def chats(**teach: Any) -> float:
        made = Recipe(library="x", probe=block, teach=TeachBlock.model_validate(teach))
        return asked(made, documents)["verify answer"].chats

    more = chats(refuse_unverifiable=True, refusals={"heldout": 0.5}) - chats()
    assert more == pytest.approx(2 * 20 * (1 - GAPS - KNOWN) * 0.5)


def test_wordings_of_replayed_questions_are_written_and_checked_too() -> None:
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]
    block = ProbeBlock(ask=(asking(method="documents", count=20),), samples=4)

    def chats(**sft: Any) -> tuple[float, float]:
        teach = TeachBlock.model_validate({"sft": sft, "known_heldout": 0.5})
        works = asked(Recipe(library="x", probe=block, teach=teach), documents)
        return works["teach question"].chats, works["teach read"].chats

    more = [with_known / gaps for with_known, gaps in zip(chats(replay_wordings=True), chats(), strict=True)]
    assert more == pytest.approx([(GAPS + KNOWN / 2) / GAPS] * 2)


def test_time_follows_from_what_was_measured() -> None:
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]
    block = ProbeBlock(ask=(asking(method="documents", count=20),), samples=4)
    speeds = {"answer": Speed(10.0, 12.0), "read": Speed(5.0, 8.0), "question": Speed(20.0, 9.0)}
    found = estimate(Recipe(library="x", probe=block), documents, Prompts(), words, Measured(speeds))
    probe = found.rows[0]
    assert probe.seconds == pytest.approx(100 / 10 + 26 / 20)
    assert probe.completion_tokens == pytest.approx(100 * 12 + 26 * 9)


def test_what_is_beside_asking_takes_time_too() -> None:
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]
    block = ProbeBlock(ask=(asking(method="documents", count=20),), samples=4)
    recipe = Recipe(
        library="x",
        probe=block,
        gather={"samples": 2},
        teach={"wordings": 0, "heldout_wordings": 0, "sft": {"epochs": 3}},
        verify={"samples": 3, "repeats": 0},
    )
    speeds = {kind: Speed(1e9, 9.0) for kind in ("answer", "read", "question")}  # the model takes no time
    measured = Measured(
        speeds,
        scoring=0.5,
        pair=0.25,
        loading=7.0,
        gaps=0.2,
        known=0.6,
        training={0: Training(4.0, 2.0, 1.5)},
    )
    rows = {row.stage: row.seconds for row in estimate(recipe, documents, Prompts(), words, measured).rows}
    assert rows["probe"] == pytest.approx(7 + 20 * 0.5)
    assert rows["gather"] == pytest.approx(20 * (2 + 2) * 0.25)
    gaps = 20 * 0.2
    assert rows["teach"] == pytest.approx(4 + 2 * 1.5 * gaps * 3)
    known = 20 * 0.6 * 0.5
    asked = 2 * (gaps + known + (gaps + known))  # two arms: gaps, known ones, both again with a page
    assert rows["verify"] == pytest.approx(7 + (2 * asked + 2 * gaps * 3) * 0.25)


def test_each_group_of_documents_begins_a_training_of_its_own() -> None:
    documents = [Document(source=f"{group}/{i}", text="word " * 10) for group in "abc" for i in range(8)]
    block = ProbeBlock(ask=(asking(method="documents", count=24),), samples=4)
    one = Measured({"answer": Speed(1e9, 9.0)}, gaps=0.5, known=0.5, training={0: Training(4.0, 2.0, 1.5)})
    seconds = {}
    for deploy in ("adapter", "dynamic"):
        made = Recipe.model_validate({"library": "x", "probe": block, "deploy": deploy})
        found = estimate(made, documents, Prompts(), words, one)
        seconds[deploy] = next(row.seconds for row in found.rows if row.stage == "teach") or 0.0
        assert any("an adapter of its own" in line for line in found.assumed) == (deploy == "dynamic")
    assert seconds["dynamic"] == pytest.approx(seconds["adapter"] + 2 * 4.0)


def test_a_batch_has_a_part_that_does_not_grow() -> None:
    speed = Speed(1.0, 10.0, batch=1.0, prompt=0.5, step=0.1, token=0.01, longest=20)
    assert speed.seconds(8, 3, block=4) == pytest.approx(2 * (1 + 20 * 0.1) + 8 * 0.5 + 8 * 3 * 10 * 0.01)
    assert Speed(4.0, 10.0).seconds(8, 3, block=4) == 6


def test_a_remote_model_reads_a_prompt_once_per_request() -> None:
    documents = [Document(source=str(i), text="word " * 10) for i in range(20)]
    block = ProbeBlock(ask=(asking(method="documents", count=20),), samples=4)

    def probe_tokens(**model: Any) -> tuple[int, float]:
        measured = Measured({"answer": Speed(9, 9)})
        made = Recipe(library="x", probe=block, **model)
        found = estimate(made, documents, Prompts(), words, measured)
        (answer,) = [work for work in found.works if work.kind == "answer" and work.stage == "probe"]
        return found.rows[0].prompt_tokens, answer.chats * answer.prompt

    local, answers = probe_tokens()
    assert probe_tokens(model=RemoteModel(model="m"))[0] == pytest.approx(local + answers, abs=1)
    assert probe_tokens(model=RemoteModel(model="m", n=False))[0] == pytest.approx(local + 4 * answers, abs=1)


def test_the_speed_of_other_models_is_said_to_be_assumed() -> None:
    speeds = Measured({"answer": Speed(9, 9)})
    one = estimate(Recipe(library="x"), [], Prompts(), words, speeds)
    two = estimate(Recipe(library="x", judge=RemoteModel(model="big")), [], Prompts(), words, speeds)
    said = "every model is assumed to be as fast as the one that was measured, atlas"
    assert said in two.assumed
    assert said not in one.assumed


def test_a_server_that_starts_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Starting(ScriptedLM):
        def __init__(self, say: Any) -> None:
            super().__init__({".": ["It is."]})
            self.say = say

        def generate(self, chats: Any, sampling: Sampling, progress: Any = None) -> Any:
            self.say("starting vllm:m")
            return super().generate(chats, sampling, progress)

    monkeypatch.setattr("selfstudy.models.load_lm", lambda block, cache, servers: Starting(servers.say))
    path = tmp_path / "my.yaml"
    path.write_text("library: atlas\nprobe: {ask: [{method: documents, count: 5}]}\n")
    code, _, said = cli("estimate", path, "--seconds", "0.1")
    assert code == 0
    assert "starting vllm:m" in said


@pytest.mark.slow
@pytest.mark.story
def test_estimates_against_a_real_run(tmp_path: Path) -> None:
    changes = ("probe.ask.0.count=36", "probe.ask.1.count=4", "probe.ask.2.count=4", *QUICK)
    code, shown, said = cli("estimate", DEMO, "--json", "--seconds", "2", *sets(*changes))
    assert code == 0, said
    expected = {row["stage"]: row for row in json.loads(shown)["stages"]}
    learn(recipe(*changes, "smoke=skip"), tmp_path / "run")
    spent = json.loads((tmp_path / "run" / Run.usage_file).read_text())["stages"]
    assert {"probe", "gather", "verify"} <= set(spent)
    for stage, real in spent.items():
        for name in ("calls", "prompt_tokens", "completion_tokens"):
            ratio = expected[stage][name] / real[name]
            assert 1 / FACTOR < ratio < FACTOR, (stage, name, expected[stage][name], real[name])


def test_the_verb_and_the_dry_run_show_the_same(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("library: atlas\nprobe: {ask: [{method: documents, count: 50}]}\n")
    code, shown, _ = cli("estimate", path, "--no-measure")
    assert code == 0
    lines = shown.splitlines()
    assert lines[0].split()[:4] == ["stage", "calls", "prompt", "tokens"]
    assert [line.split()[0] for line in lines[1:6]] == ["probe", "gather", "teach", "verify", "total"]
    assert "are assumed to be gaps" in shown
    assert cli("learn", path, "--run", tmp_path / "run", "--dry-run", "--no-measure")[1] == shown
    assert not (tmp_path / "run").exists()
