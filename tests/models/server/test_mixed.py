"""One engine with several adapters: each chat is asked of the model that its adapter is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.models import base
from selfstudy.models.base import Sampling, StopListening, chat
from selfstudy.models.routed import RoutedLM
from selfstudy.models.server.mixed import MixedServerLM
from selfstudy.models.server.servers import Servers
from selfstudy.recipe import ServerModel
from selfstudy.records import Completion
from tests.models.test_routed import CITIES, RIVERS, router

from .engine import noted

WHO = ["a-1", None, "b-2", "a-1"]
CHATS = [chat(text) for text in (CITIES, "Who?", RIVERS, CITIES)]
GREEDY = Sampling(temperature=0.0)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name in ("a-1", "b-2"):
        found[name] = tmp_path / name
        found[name].mkdir()
        (found[name] / "adapter_model.safetensors").write_bytes(name.encode())
    return found


@pytest.fixture
def lm(
    workshop: Path, model: Callable[..., ServerModel], folders: dict[str, Path], servers: Servers
) -> MixedServerLM:
    return MixedServerLM(model(), folders, servers)


def test_each_chat_is_answered_by_the_model_of_its_adapter(
    workshop: Path, lm: MixedServerLM, folders: dict[str, Path]
) -> None:
    assert isinstance(lm, base.HasAdapters)
    heard: list[str] = []
    settled: list[tuple[int, list[Completion]]] = []
    done: list[int] = []
    found = lm.generate_as(
        CHATS,
        WHO,
        GREEDY,
        done.append,
        heard=[None, heard.append, None, None],
        settled=lambda at, row: settled.append((at, row)),
    )
    said = [row[0].text for row in found]
    assert said[0] == said[3]
    assert len(set(said)) == 3
    assert said[0].startswith("I am selfstudy-")
    assert said[1] == lm.generate(CHATS[1:2], GREEDY)[0][0].text
    assert heard == [said[1]]
    assert sorted(settled, key=lambda one: one[0]) == list(enumerate(found))
    assert sum(done) == 4
    assert len(noted(workshop, "starts")) == 1
    loads = [r["body"] for r in noted(workshop, "requests") if r["path"] == "/v1/load_lora_adapter"]
    assert {load["lora_path"] for load in loads} == {str(one) for one in folders.values()}
    assert lm.usage.completions == 5


def test_a_listener_that_left_disturbs_nobody(lm: MixedServerLM) -> None:
    def leaves(text: str) -> None:
        raise StopListening

    assert len(lm.generate_as(CHATS, WHO, GREEDY, heard=[leaves] * 4)) == 4
    assert lm.generate_as([], [], GREEDY) == []


def test_names_that_it_has_not(lm: MixedServerLM) -> None:
    with pytest.raises(ModelError, match="has no adapter 'c-3'"):
        lm.generate_as(CHATS[:1], ["c-3"], GREEDY)


def test_an_adapter_that_is_refused_ends_the_batch_and_not_the_model(
    lm: MixedServerLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_ADAPTERS", "refuse")
    with pytest.raises(ModelError, match="greater than max_lora_rank 16"):
        lm.generate_as(CHATS, WHO, GREEDY)
    assert lm.generate_as(CHATS[:1], [None], GREEDY)[0][0].text.startswith("I am")


def test_a_router_goes_before_it(lm: MixedServerLM) -> None:
    routed = RoutedLM(lm, router({"a-1": CITIES, "b-2": RIVERS}))
    said = [row[0].text for row in routed.generate(CHATS, GREEDY)]
    assert said == [row[0].text for row in lm.generate_as(CHATS, WHO, GREEDY)]
    assert isinstance(routed, base.CountsUse)
    assert not isinstance(routed, base.HasWeights | base.Streams | base.ScoresTokens)
    assert routed.usage.completions == 8
