"""Adaptive sampling: a prefix of what would be drawn anyway, stopped when it no longer matters."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from selfstudy.errors import RecipeError
from selfstudy.models import load_lm
from selfstudy.models.answering import from_memory
from selfstudy.models.base import Sampling, chat
from selfstudy.models.scripted import ScriptedLM
from selfstudy.probe.answers import Stop, answer, settled
from selfstudy.probe.scorers import Tools, make_scorer
from selfstudy.probe.stage import run_probe
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import (
    MEANS_OVER_SAMPLES,
    AdaptiveBlock,
    AnsweringBlock,
    LocalModel,
    ProbeBlock,
    Recipe,
)
from selfstudy.recipe.file import load_recipe
from selfstudy.records import Answer, Completion, Failure, Question, Score
from selfstudy.run import Round, Run
from selfstudy.summary import summarise

from .world import Judge, Spots, Student, asking, models, pages

SHORT = AnsweringBlock(max_new_tokens=12)
RULE = AdaptiveBlock()


def stop(scorer: str = "agreement", threshold: float = 0.5, **rule: object) -> Stop:
    made = make_scorer(scorer, Tools(models()))
    return Stop(made, threshold, AdaptiveBlock.model_validate(rule))


def named(*names: str) -> list[Question]:
    return [Question(text=f"What is the capital of {name}?") for name in names]


COUNTRIES = named("Austria", "Belgium", "Fiji", "Ghana", "Hungary", "Iceland", "Japan", "Chile")


# what is drawn


@pytest.mark.parametrize("greedy_first", [True, False])
@pytest.mark.parametrize("kind", ["llama", "scripted", "student"])
def test_a_call_goes_on_where_another_stopped(kind: str, greedy_first: bool, tiny_llama: Path) -> None:
    lm: Any = {
        "llama": lambda: load_lm(LocalModel(path=str(tiny_llama), device="cpu", dtype="float32")),
        "scripted": lambda: ScriptedLM({".": [f"answer {i}" for i in range(7)]}),
        "student": Student,
    }[kind]()
    chats = [chat(f"What is the capital of {name}?") for name in ("Fiji", "Ghana", "Mali")]

    def drawn(n: int, first: int) -> list[list[str]]:
        sampling = Sampling(n=n, first=first, greedy_first=greedy_first, max_new_tokens=8, seed=3)
        return [[c.text for c in row] for row in lm.generate(chats, sampling)]

    whole = drawn(9, 0)
    assert [len(row) for row in whole] == [9 + greedy_first] * 3
    parts = zip(drawn(4, 0), drawn(2, 4), drawn(3, 6), strict=True)
    assert [a + b + c for a, b, c in parts] == whole
    if kind == "llama":
        assert len(set(whole[0])) > 4  # it has something to say


def test_adaptive_samples_are_a_prefix_of_all_byte_for_byte() -> None:
    all_of_them = answer(COUNTRIES, Student(), Prompts(), from_memory(SHORT, 10, 5))
    some = answer(COUNTRIES, Student(), Prompts(), from_memory(SHORT, 10, 5), stop=stop())
    lengths = set()
    for whole, part in zip(all_of_them, some, strict=True):
        assert isinstance(whole, Answer)
        assert isinstance(part, Answer)
        lengths.add(len(part.samples))
        cut = whole.model_copy(update={"samples": whole.samples[: len(part.samples)]})
        assert part.model_dump_json() == cut.model_dump_json()
    assert min(lengths) == RULE.first < max(lengths)


def test_the_shipped_model_says_the_same_in_waves() -> None:
    lm = load_lm(LocalModel(path="atlas", device="cpu"))
    asked = [Question(text=f"What is the capital of {n}?") for n in ("Peru", "Austria", "Zorvia", "Mali")]
    sampling = from_memory(AnsweringBlock(max_new_tokens=24), 10, seed=1)
    never = Stop(stop().scorer, 0.5, AdaptiveBlock(error=0, first=3, wave=1))
    for whole, part in zip(
        answer(asked, lm, Prompts(), sampling),
        answer(asked, lm, Prompts(), sampling, stop=never),
        strict=True,
    ):
        assert isinstance(whole, Answer)
        assert isinstance(part, Answer)
        for one, other in zip((part.passage, *part.samples), (whole.passage, *whole.samples), strict=False):
            assert one.text.encode() == other.text.encode()
            assert (one.tokens, one.finish) == (other.tokens, other.finish)
            assert one.logprob == pytest.approx(other.logprob, abs=1e-3)  # batches round differently


# when it stops


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
    st.lists(st.floats(0, 1), max_size=12),
    st.floats(0, 1),
)
@settings(max_examples=300)
def test_without_error_a_verdict_is_settled_only_if_nothing_can_turn_it(
    seen: list[float], later: list[float], threshold: float
) -> None:
    rest = len(later)
    gap = sum(seen) / len(seen) > threshold
    worst = (sum(seen) + (0 if gap else rest)) / (len(seen) + rest)
    assert settled(sum(seen), len(seen), rest, threshold, 0.0) == ((worst > threshold) == gap)
    if settled(sum(seen), len(seen), rest, threshold, 0.0) and abs(worst - threshold) > 1e-9:
        assert (sum([*seen, *later]) / (len(seen) + rest) > threshold) == gap


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 12), st.floats(0.05, 0.95), st.floats(1e-4, 0.4))
@settings(max_examples=200)
def test_the_chance_is_the_beta_binomials(
    bad: int, good: int, rest: int, threshold: float, error: float
) -> None:
    count = bad + good
    if not count:
        assert settled(0, 0, rest, threshold, error) == (rest == 0)
        return
    gap = bad / count > threshold
    law = betabinom(rest, 0.5 + bad, 0.5 + good)
    turned = sum(
        law.pmf(more) for more in range(rest + 1) if ((bad + more) / (count + rest) > threshold) != gap
    )
    if abs(turned - error) > 1e-9:
        assert settled(bad, count, rest, threshold, error) == (turned <= error)


def test_verdicts_hardly_change_and_samples_are_saved() -> None:
    """Students of any consistency, uniform over [0, 1]: far harder than a real model's."""
    rng = random.Random(0)
    threshold, total, changed, count = 0.5, 0, 0, 4000
    for _ in range(count):
        chance = rng.random()
        drawn = [float(rng.random() < chance) for _ in range(10)]
        used = next(
            (n for n in (4, 6, 8) if settled(sum(drawn[:n]), n, 10 - n, threshold, RULE.error)), len(drawn)
        )
        total += used
        changed += (sum(drawn[:used]) / used > threshold) != (sum(drawn) / 10 > threshold)
    assert changed / count <= RULE.error
    assert total / (10 * count) < 0.75


def test_unsettled_questions_get_all_samples_and_a_broken_one_no_more() -> None:
    class Torn(Student):
        """Two of four samples differ from the passage."""

        def generate(self, chats: Any, sampling: Sampling, progress: Any = None) -> list[list[Completion]]:
            self.calls += len(chats)
            return [[self._torn(c[-1].content, number) for number in sampling.numbers] for c in chats]

        def _torn(self, prompt: str, number: int) -> Completion:
            if "Fiji" in prompt:
                return Completion(text="", finish="error", error="out of luck")
            return Completion(text="yes" if number % 2 == 0 else "no", tokens=1)

    student = Torn()
    records = answer(named("Fiji", "Ghana"), student, Prompts(), from_memory(SHORT, 10, 0), stop=stop())
    assert isinstance(records[0], Failure)
    assert records[0].message == "no passage: out of luck"
    assert isinstance(records[1], Answer)
    assert len(records[1].samples) == 10
    assert student.calls == 2 + 3  # Fiji once; Ghana in waves of 4, 2, 2, 2


def test_failed_samples_are_no_evidence() -> None:
    class Fragile(Student):
        def generate(self, chats: Any, sampling: Sampling, progress: Any = None) -> list[list[Completion]]:
            return [[self._at(number) for number in sampling.numbers] for _ in chats]

        def _at(self, number: int) -> Completion:
            if 1 <= number <= 4:
                return Completion(text="", finish="error", error="timeout")
            return Completion(text="yes", tokens=1)

    (record,) = answer(named("Fiji"), Fragile(), Prompts(), from_memory(SHORT, 10, 0), stop=stop())
    assert isinstance(record, Answer)
    assert [s.error for s in record.samples[:4]] == ["timeout"] * 4
    assert 4 < len(record.samples) < 10


def test_progress_counts_every_question_once() -> None:
    seen: list[int] = []
    answer(COUNTRIES, Student(broken="Fiji"), Prompts(), from_memory(SHORT, 10, 5), seen.append, stop())
    assert sum(seen) == len(COUNTRIES)


@pytest.mark.parametrize("name", MEANS_OVER_SAMPLES)
def test_the_scores_of_waves_add_up_to_the_score_of_all(name: str) -> None:
    """What `adaptive` rests on: the value is a mean over samples."""
    judge = ScriptedLM({"red.*Sentence: A fox": "No.", ".": "Yes."})
    tools = Tools(SimpleNamespace(lm=judge, judge=judge, nli=Judge(), embedder=Spots()))  # type: ignore[arg-type]
    scorer = make_scorer(name, tools)
    question = Question(text="What is it?")
    texts = ["A fox. It runs.", "red", "A fox. It runs.", "green. A fox.", "red. It runs.", "A fox."]
    passage, *samples = [Completion(text=text) for text in texts]

    def value(some: Sequence[Completion]) -> float:
        (score,) = scorer.score(
            [question], [Answer(question_id=question.id, passage=passage, samples=tuple(some))]
        )
        assert score.value is not None
        return score.value

    assert (2 * value(samples[:2]) + 3 * value(samples[2:])) / 5 == pytest.approx(value(samples))
    assert 0 < value(samples) < 1


# in a run

ASKS = (asking(method="documents", count=24, per_chunk=4),)


def probe(path: Path, student: Student | None = None, **changes: object) -> Round:
    block = {"ask": ASKS, "samples": 10, "scorer": "agreement", "adaptive": {}, **changes}
    with Run.create_or_resume(
        path, Recipe(answering=AnsweringBlock(block_size=7), probe=ProbeBlock.model_validate(block))
    ) as run:
        run_probe(run.round(1), models(student), Prompts(), pages(), Silent())
        return run.round(1)


def test_a_run_draws_fewer_and_says_so(tmp_path: Path) -> None:
    part, whole = probe(tmp_path / "adaptive"), probe(tmp_path / "whole", adaptive=None)
    verdicts = []
    for turn in (part, whole):
        verdicts.append({s.question_id: s.value > 0.5 for s in turn.read(Score) if s.value is not None})
    assert len(verdicts[0]) >= 15
    assert verdicts[0] == verdicts[1]
    found = summarise(part.run, None, Spots())
    drawn = [len(a.samples) for a in part.read(Answer)]
    assert found["samples_drawn"] == sum(drawn)
    assert found["samples_saved"] == pytest.approx(1 - sum(drawn) / (10 * len(drawn)))
    assert found["samples_saved"] > 0.3
    full = summarise(whole.run, None, Spots())
    assert (full["samples_drawn"], full["samples_saved"]) == (10 * len(drawn), None)


def test_cut_short_it_ends_the_same(tmp_path: Path) -> None:
    turn = probe(tmp_path / "run")
    names = ("answers.jsonl", "scores.jsonl", "questions.jsonl")
    expected = {name: (turn.path / name).read_bytes() for name in names}
    lines = expected["answers.jsonl"].splitlines(keepends=True)
    for kept in (0, 3, 9, len(lines) - 1):
        (turn.path / "answers.jsonl").write_bytes(b"".join(lines[:kept]) + lines[kept][:40])
        (turn.path / "scores.jsonl").unlink()
        (turn.path / "probe.done").unlink()
        probe(tmp_path / "run")
        assert {name: (turn.path / name).read_bytes() for name in names} == expected


def test_it_decides_by_the_threshold_of_the_run(tmp_path: Path) -> None:
    low, high = (
        sum(len(a.samples) for a in probe(tmp_path / str(t), threshold=t).read(Answer)) for t in (0.5, 0.95)
    )
    assert low != high


@pytest.mark.parametrize("scorer", ["semantic-entropy", "p-true", "ensemble", "selfcheck-ngram"])
def test_a_scorer_that_is_no_mean_is_refused_at_load_time(scorer: str) -> None:
    with pytest.raises(RecipeError) as refusal:
        load_recipe(None, ["library=atlas", f"probe.scorer={scorer}", "probe.adaptive.error=0.02"])
    assert f"the scorer {scorer} needs all samples" in str(refusal.value)
    assert all(name in str(refusal.value) for name in MEANS_OVER_SAMPLES)


def test_one_that_is_loads() -> None:
    loaded = load_recipe(None, ["library=atlas", "probe.adaptive={error: 0.02, first: 3}"])
    assert loaded.probe.adaptive == AdaptiveBlock(error=0.02, first=3)
