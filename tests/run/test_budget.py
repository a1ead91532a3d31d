"""What a run has spent, and that it stops at its budget, cleanly and to be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from selfstudy import Run, ScriptedLM
from selfstudy.errors import BudgetError, ModelError
from selfstudy.models.base import (
    GREEDY,
    NoLogprobsError,
    Sampling,
    chat,
    continued,
    prompt_tokens,
    text_logprobs,
)
from selfstudy.models.remote.usage import Usage
from selfstudy.recipe import BudgetBlock, Prices, Recipe
from selfstudy.records import Chat, Completion
from selfstudy.run.budget import Ledger, Metered, Spent
from selfstudy.text import estimate_tokens
from tests.stories.small import DEMO, cli, sets

CHATS = [chat("one two three"), chat("four five six")]
THREE = Sampling(n=2, greedy_first=True)
BRIEF = Sampling(n=2, greedy_first=True, max_new_tokens=6)


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(folder: Path, **budget: float) -> Run:
    return Run.create_or_resume(folder, Recipe(library="atlas", budget=BudgetBlock(**budget)))


def metered(run: Run, lm: Any = None, clock: Clock | None = None) -> tuple[Metered, Ledger]:
    ledger = Ledger(run, clock or Clock(), stage="probe")
    return Metered(lm or ScriptedLM({".": "so it is"}), ledger), ledger


def test_calls_and_tokens_are_counted_by_stage(tmp_path: Path) -> None:
    with opened(tmp_path) as run:
        lm, ledger = metered(run)
        lm.generate(CHATS, THREE)
        ledger.stage = "verify"
        lm.generate(CHATS[:1], GREEDY)
        lm.logprobs(CHATS, ["a b", "c"])
    probe, verify = ledger.stages["probe"], ledger.stages["verify"]
    assert (probe.calls, probe.completion_tokens) == (6, 18)
    assert probe.prompt_tokens == prompt_tokens(lm, CHATS) > 0
    assert verify.calls == 1 + 2
    assert verify.prompt_tokens == prompt_tokens(lm, CHATS[:1]) + prompt_tokens(lm, CHATS) + 3


def test_plain_texts_are_counted_and_what_cannot_score_them_says_so(tmp_path: Path) -> None:
    class Server:
        name = "elsewhere"

    with opened(tmp_path) as run:
        lm, ledger = metered(run)
        assert text_logprobs(lm, ["one two", ""], ["a b", "c"]) == [[-1.0, -1.0], [-1.0]]
        assert ledger.stages["probe"].calls == 2
        assert ledger.stages["probe"].prompt_tokens >= 2 + 3
        other, ledger = metered(run, Server())
        with pytest.raises(NoLogprobsError, match="elsewhere"):
            text_logprobs(other, ["a"], ["b"])


def test_answers_that_have_begun_are_gone_on_with_and_counted(tmp_path: Path) -> None:
    class Goes(ScriptedLM):
        def continued(
            self, chats: Sequence[Chat], begun: Sequence[str], *rest: Any
        ) -> list[list[Completion]]:
            return self.generate(chats, rest[0])

    with opened(tmp_path) as run:
        lm, ledger = metered(run, Goes({".": "so it is"}))
        found = continued(lm, CHATS, ["it may", ""], THREE)
        assert [len(row) for row in found] == [3, 3]
        assert (ledger.stages["probe"].calls, ledger.stages["probe"].completion_tokens) == (6, 18)
        assert ledger.stages["probe"].prompt_tokens == prompt_tokens(lm, CHATS) + 2
        other, _ = metered(run)
        with pytest.raises(ModelError, match="cannot go on with an answer"):
            continued(other, CHATS, ["", ""], THREE)


def test_counts_go_on_in_the_next_session(tmp_path: Path) -> None:
    clock = Clock()
    for _ in range(3):
        with opened(tmp_path) as run:
            lm, ledger = metered(run, clock=clock)
            clock.now += 10
            lm.generate(CHATS, GREEDY)
    assert ledger.total.calls == 6
    assert ledger.seconds == 30
    written = json.loads((tmp_path / Run.usage_file).read_text())
    assert written["stages"]["probe"]["calls"] == 6


def test_calls_never_pass_the_limit(tmp_path: Path) -> None:
    with opened(tmp_path, calls=10) as run:
        lm, ledger = metered(run)
        lm.generate(CHATS, THREE)
        with pytest.raises(BudgetError, match="6 of 10 calls spent, and the next batch needs 6") as error:
            lm.generate(CHATS, THREE)
        lm.generate(CHATS, Sampling(n=2))  # what fits, fits
        assert ledger.total.calls == 10
        with pytest.raises(BudgetError, match="10 of 10 calls"):
            lm.generate(CHATS[:1], GREEDY)
    assert error.value.exit_code == 3
    assert "--set budget.calls=" in error.value.hint
    assert "the others after you change `budget` in" in error.value.hint


def test_tokens_stop_before_the_batch_that_would_pass_them(tmp_path: Path) -> None:
    with opened(tmp_path, tokens=60) as run:
        lm, ledger = metered(run)
        lm.generate(CHATS, BRIEF)
        each = ledger.total.tokens
        for _ in range(60 // each - 1):
            lm.generate(CHATS, BRIEF)
        with pytest.raises(BudgetError, match="of 60 tokens spent, and the next batch needs about"):
            lm.generate(CHATS, BRIEF)
        assert 60 - each < ledger.total.tokens <= 60


def test_the_first_batch_is_guessed_by_its_prompts_and_half_the_longest_answers(tmp_path: Path) -> None:
    with opened(tmp_path, tokens=60) as run:
        lm, ledger = metered(run)
        guess = prompt_tokens(lm, CHATS) + 6 * 128 // 2
        with pytest.raises(BudgetError, match=f"is too small: 0 of 60 tokens spent, .* about {guess}"):
            lm.generate(CHATS, THREE)
        assert ledger.total.calls == 0
    with opened(tmp_path, tokens=guess) as run:
        metered(run)[0].generate(CHATS, THREE)


def test_minutes_are_those_of_all_sessions(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path, minutes=1) as run:
        lm, _ = metered(run, clock=clock)
        clock.now += 45
        lm.generate(CHATS, GREEDY)
    with opened(tmp_path, minutes=1) as run:
        lm, _ = metered(run, clock=clock)
        lm.generate(CHATS, GREEDY)
        clock.now += 16
        with pytest.raises(BudgetError, match=r"1\.02 of 1 minutes"):
            lm.generate(CHATS, GREEDY)


@pytest.mark.parametrize("ends", [None, KeyboardInterrupt])
def test_minutes_have_the_training_after_the_last_batch(tmp_path: Path, ends: Any) -> None:
    with opened(tmp_path) as run, suppress(KeyboardInterrupt), run.timed("teach"):
        metered(run)[0].generate(CHATS, GREEDY)
        time.sleep(0.05)
        if ends is not None:
            raise ends
    with opened(tmp_path) as run:
        assert metered(run)[1].seconds >= 0.05


@dataclass
class Charging:
    """Any model, with counters of its own, as a server has them."""

    usage: Usage = Usage(currency="EUR")  # noqa: RUF009 - it is frozen
    name: str = "charging"

    def generate(self, chats: Sequence[Any], sampling: Sampling, progress: Any = None) -> Any:
        old = self.usage
        self.usage = old + Usage(1, 50, 0, 1, 0.4, "EUR", 1)
        if chats[0][-1].content == "break":
            raise KeyboardInterrupt
        return [[Completion(text="x", tokens=1)] * sampling.total for _ in chats]


def test_money_by_the_prices_of_a_server(tmp_path: Path) -> None:
    with opened(tmp_path, money=1.0) as run:
        lm, ledger = metered(run, Charging())
        lm.generate(CHATS, GREEDY)
        assert ledger.total == Spent(1, 50, 0, 0.4, "EUR", 0.0)  # one of the two came from the cache
        with pytest.raises(KeyboardInterrupt):
            lm.generate([chat("break")], GREEDY)
        assert ledger.total.cost == pytest.approx(0.8)  # what was charged is charged
        with pytest.raises(BudgetError, match=r"0\.80 of 1 EUR spent, and the next batch needs about"):
            lm.generate(CHATS, GREEDY)


@dataclass
class Uncounted:
    """A server that gives two completions per request, and tells no tokens."""

    prices: Prices = Prices(prompt=1e6, completion=1e5, currency="EUR")  # noqa: RUF009 - it is frozen
    usage: Usage = Usage(currency="EUR")  # noqa: RUF009
    name: str = "uncounted"

    def generate(self, chats: Sequence[Any], sampling: Sampling, progress: Any = None) -> Any:
        ends = chats[-1][-1].content == "break"
        done = len(chats) - ends
        self.usage += Usage(calls=done, completions=done * sampling.total)
        if ends:
            raise KeyboardInterrupt
        return [[Completion(text="so it is")] * sampling.total for _ in chats]


def test_a_server_without_counts_is_priced_by_ours(tmp_path: Path) -> None:
    two = Sampling(n=2, max_new_tokens=10)
    answered = 4 * estimate_tokens("so it is")
    with opened(tmp_path, money=1000) as run:
        lm, ledger = metered(run, Uncounted())
        lm.generate(CHATS, two)
        asked = prompt_tokens(lm, CHATS)
        assert ledger.total == Spent(4, asked, answered, asked + answered / 10, "EUR", 0.0)


def test_a_batch_that_breaks_off_counts_what_came(tmp_path: Path) -> None:
    with opened(tmp_path) as run:
        lm, ledger = metered(run, Uncounted())
        with pytest.raises(KeyboardInterrupt):
            lm.generate([*CHATS, chat("break")], Sampling(n=2, max_new_tokens=10))
        assert (ledger.total.calls, ledger.total.completion_tokens) == (4, 4 * 5)
        assert ledger.total.cost > 0


def test_money_stops_before_the_first_batch(tmp_path: Path) -> None:
    with opened(tmp_path, money=20) as run:
        lm, ledger = metered(run, Uncounted())
        with pytest.raises(BudgetError, match=r"0\.00 of 20 EUR spent, and the next batch needs about"):
            lm.generate(CHATS, THREE)
        assert ledger.total.calls == 0


def test_a_metered_model_is_the_model_in_all_else(tmp_path: Path) -> None:
    with opened(tmp_path) as run:
        inner = ScriptedLM({".": "so"}, name="me")
        lm, _ = metered(run, inner)
        assert lm.name == "me"
        assert lm.count_tokens("a b c") == 3
        assert not hasattr(lm, "tokenizer")
        assert lm.generate([], GREEDY) == []


def test_a_budget_may_differ_between_sessions_and_nothing_else(tmp_path: Path) -> None:
    with opened(tmp_path, calls=1):
        pass
    with opened(tmp_path, calls=2) as run:
        assert run.recipe.budget.calls == 2


@pytest.mark.story
def test_a_run_that_stops_at_its_budget_goes_on_to_the_same_end(tmp_path: Path) -> None:
    small = ("probe.ask.0.count=8", "probe.ask.1.count=1", "probe.ask.2.count=1", "answering.block_size=4")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"

    def probe(run: Path, *changes: str) -> tuple[int, str, str]:
        return cli("probe", DEMO, "--run", run, *sets(*small, *changes))

    assert probe(whole)[0] == 0
    code, _, told = probe(stopped, "budget.calls=40")
    assert code == 3
    assert "the budget of" in told
    assert "--set budget.calls=80" in told
    spent = json.loads((stopped / Run.usage_file).read_text())["stages"]["probe"]["calls"]
    assert 0 < spent <= 40
    assert probe(stopped, "budget.calls=40")[0] == 3  # nothing more without more budget
    assert probe(stopped, "budget.calls=100000")[0] == 0
    for file in ("questions.jsonl", "answers.jsonl", "scores.jsonl", "proposals.jsonl"):
        place = Path("rounds/1") / file
        assert (stopped / place).read_bytes() == (whole / place).read_bytes()


def test_what_another_process_spent_is_not_forgotten(tmp_path: Path) -> None:
    with opened(tmp_path, calls=7) as run:
        lm, ledger = metered(run)
        lm.generate(CHATS[:1], GREEDY)
        with run.lent(), Run.open(tmp_path) as other:
            its, its_ledger = metered(other)
            its_ledger.stage = "teach"
            its.generate(CHATS, THREE)
            other.note_time("teach", 1, 120)
        ledger.reread()
        assert ledger.total.calls == 7
        assert ledger.seconds == 120
        with pytest.raises(BudgetError):
            lm.generate(CHATS[:1], GREEDY)
        written = json.loads(run.usage_file.read_text())["stages"]
        assert {stage: spent["calls"] for stage, spent in written.items()} == {"probe": 1, "teach": 6}
