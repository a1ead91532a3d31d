"""A language model elsewhere: it can do what the model can, gives its bits, and says what was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import ModelError
from selfstudy.models import base, load_lm
from selfstudy.models.base import Sampling, chat
from selfstudy.models.spread.lm import CHUNK, spread_lm
from selfstudy.models.workers import ModelSpec
from selfstudy.recipe import LocalModel, ModelBlock, Prices, RemoteModel, ScriptedModel
from selfstudy.records import Chat
from selfstudy.run.budget import metered
from tests.models.in_process import InProcess
from tests.models.remote.faulty_server import FaultyServer

SAMPLED = Sampling(n=2, greedy_first=True, max_new_tokens=4, seed=3)
CHATS: list[Chat] = [chat(f"Say {'one two ' * (n % 5)}{n % 7}") for n in range(12)]
TEXTS = [f"two {n}" for n in range(12)]
ABILITIES = (
    base.ScoresWords,
    base.ReadsPlainText,
    base.ContinuesAnswers,
    base.HasWeights,
    base.CountsTokens,
    base.RendersChats,
    base.HasContext,
    base.HasPrices,
    base.HasAdapters,
)


@pytest.fixture
def local(tiny_llama: Path) -> LocalModel:
    return LocalModel(path=str(tiny_llama), device="cpu", token_budget=48)


@pytest.fixture
def script(tmp_path: Path) -> ScriptedModel:
    (tmp_path / "script.yaml").write_text("'Say.*one': [One., Two., Three.]\n'3': [Three.]\n")
    return ScriptedModel(path=tmp_path / "script.yaml")


def abilities(lm: object) -> set[str]:
    return {kind.__name__ for kind in ABILITIES if isinstance(lm, kind)}


def require_same(block: ModelBlock) -> InProcess:
    workers = InProcess(3, shuffled=2)
    here, there = load_lm(block), spread_lm(block, workers)
    assert there.name == here.name
    assert abilities(there) == abilities(here) - {"HasWeights"}
    advanced: list[int] = []
    assert there.generate(CHATS, SAMPLED, advanced.append) == here.generate(CHATS, SAMPLED)
    assert sum(advanced) == len(CHATS)
    assert there.logprobs(CHATS, TEXTS) == here.logprobs(CHATS, TEXTS)
    assert base.word_logprobs(there, CHATS, TEXTS) == base.word_logprobs(here, CHATS, TEXTS)
    assert base.text_logprobs(there, TEXTS, TEXTS) == base.text_logprobs(here, TEXTS, TEXTS)
    assert base.token_counter(there)("one two") == base.token_counter(here)("one two")
    assert base.prompt_tokens(there, CHATS) == base.prompt_tokens(here, CHATS)
    assert there.generate([], SAMPLED) == []
    assert there.logprobs([], []) == []
    return workers


def test_weights_elsewhere_give_the_bits_of_those_here(local: LocalModel) -> None:
    workers = require_same(local)
    assert len(workers.asked) > 8
    here, there = load_lm(local), spread_lm(local, workers)
    assert isinstance(here, base.ContinuesAnswers)
    assert isinstance(there, base.ContinuesAnswers)
    assert there.continued(CHATS, TEXTS, SAMPLED, _long) == here.continued(CHATS, TEXTS, SAMPLED, _long)
    assert isinstance(there, base.HasContext)
    assert there.context == here.context  # type: ignore[attr-defined]


def _long(text: str) -> bool:
    return len(text) > 5


def test_a_script_too(script: ScriptedModel) -> None:
    require_same(script)


@pytest.mark.parametrize("kind", ["local", "script"])
def test_a_run_counts_what_it_counts_of_a_model_here(kind: str, request: pytest.FixtureRequest) -> None:
    """A loss or a kill apart: what workers were asked is what one process would have been."""
    block = request.getfixturevalue(kind)
    counts = []
    for lm in (load_lm(block), spread_lm(block, InProcess(2, shuffled=1))):
        ledger = _Ledger()
        counted = metered(lm, ledger)  # type: ignore[arg-type]
        counted.generate(CHATS, SAMPLED)
        counted.logprobs(CHATS, TEXTS)
        counted.word_logprobs(CHATS, TEXTS)
        counted.text_logprobs(TEXTS, TEXTS)
        counts.append([(one.calls, one.prompt_tokens, one.completion_tokens) for one in ledger.found])
    assert counts[0] == counts[1]
    assert all(prompt > 0 for _, prompt, _ in counts[0])


class _Ledger:
    """What `Metered` needs of one."""

    def __init__(self) -> None:
        self.found: list[Any] = []

    clock = staticmethod(lambda: 0.0)

    def add(self, spent: Any) -> None:
        self.found.append(spent)

    def check(self, calls: int, guess: Callable[[], Any]) -> None:
        pass


def test_what_is_lost_is_an_error_of_its_own(local: LocalModel) -> None:
    poison = (CHATS[3], (CHATS[4], TEXTS[4]))
    workers = InProcess(2, loses=lambda item: item in poison)
    here, there = load_lm(local), spread_lm(local, workers)
    found, expected = there.generate(CHATS, SAMPLED), here.generate(CHATS, SAMPLED)
    assert [(one.finish, one.error, one.text) for one in found[3]] == [("error", "it was lost", "")] * 3
    assert all(one.finish != "error" for at, row in enumerate(found) if at != 3 for one in row)
    assert [len(row) for row in found] == [len(row) for row in expected]
    assert [bool(row) for row in there.logprobs(CHATS, TEXTS)] == [at != 4 for at in range(len(CHATS))]


def test_equal_chats_are_in_one_unit_and_few_are_in_each(script: ScriptedModel) -> None:
    workers = InProcess(2)
    many = [chat(f"Say one {n % 60}") for n in range(130)]
    there = spread_lm(script, workers)
    assert there.generate(many, SAMPLED) == load_lm(script).generate(many, SAMPLED)
    sizes = [size for method, size in workers.asked if method == "generate"]
    assert sum(sizes) == 130
    assert max(sizes) <= CHUNK
    assert len(sizes) <= 6


def test_a_server_is_asked_once_for_each_and_its_prices_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    with FaultyServer() as server:
        block = RemoteModel(model="m", base_url=server.url, prices=Prices(prompt=1, completion=2))
        there = spread_lm(block, InProcess(2, shuffled=3))
        found = there.generate([chat(f"q {n % 30}") for n in range(90)], SAMPLED)
        # three of each: seeds go by how many equal ones were before
        seeds = Counter(
            (body["messages"][0]["content"], body["seed"]) for body in server.asked() if "seed" in body
        )
        assert len(found) == 90
        assert len(seeds) == 90
        assert there.usage.completions == 270
        assert isinstance(there, base.HasPrices)
        assert there.usage.cost > 0
        assert there.prices == block.prices
        with pytest.raises(ModelError, match="search contrastively"):
            there.generate(CHATS, Sampling(n=1, greedy_first=True, penalty_alpha=0.5, top_k=2))


def test_what_cannot_be_loaded_is_said_at_once() -> None:
    with pytest.raises(ModelError, match="nowhere"):
        spread_lm(LocalModel(path="./nowhere"), InProcess(1))


def test_tokens_are_counted_here_once_both_count_alike(
    local: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Asked(InProcess):
        def call(self, spec: ModelSpec, method: str, *arguments: Any) -> Any:
            asked.append(method)
            return super().call(spec, method, *arguments)

    here = load_lm(local)
    assert isinstance(here, base.CountsTokens)
    there: Any = spread_lm(local, Asked(2))
    counts = [here.count_tokens(text) for text in TEXTS]
    assert [there.count_tokens(text) for text in TEXTS] == counts
    assert asked == ["facts", "count_tokens"]
    monkeypatch.setattr("selfstudy.models.spread.lm.tokenizer_of", lambda block: None)  # it is there alone
    away: Any = spread_lm(local, Asked(2))
    assert [away.count_tokens(text) for text in TEXTS] == counts
    assert asked.count("count_tokens") == 1 + len(TEXTS)
