"""A routed model: the router picks, the named adapter answers, and it claims only what it can do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import ModelError
from selfstudy.models import base, load_lm, taught
from selfstudy.models.base import GREEDY, Sampling, chat
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.local import weights
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.question_words import Worded
from selfstudy.models.routed import RoutedLM
from selfstudy.models.router import Router, numbered
from selfstudy.models.router_file import RouterData
from selfstudy.recipe import EmbedderBlock, LocalModel, ServerModel
from selfstudy.run.budget import Ledger, metered
from tests.models.local.test_mixed import make_adapter, same
from tests.run.test_budget import opened

CITIES, RIVERS = "Which cities does the Danube flow through?", "How long is the river Seine?"
ASKED = [chat(text) for text in (CITIES, "Who are you?", RIVERS, CITIES)]
SAMPLING = Sampling(n=1, greedy_first=True, max_new_tokens=8, seed=1)
ABILITIES = (
    *(base.HasWeights, base.Streams, base.RendersChats, base.HasContext, base.ScoresWords),
    *(base.ReadsPlainText, base.ContinuesAnswers, base.ScoresTokens, base.CountsTokens),
    *(base.TakesDemonstrations, base.HasAdapters, base.Routes),
)


def router(questions: Mapping[str, str]) -> Router:
    """Picks an adapter for its one question."""
    embedder, names = LexicalEmbedder(), tuple(questions)
    words, stored = numbered([(text, at, Worded.of([text])) for at, text in enumerate(questions.values())])
    data = RouterData(
        method="nearest",
        embedder=EmbedderBlock(),
        fingerprint=embedder.fingerprint,
        dimension=1024,
        adapters=names,
        thresholds=dict.fromkeys(names, 0.9),
        words=words,
        questions=stored,
        rows=tuple(range(len(stored))),
    )
    return Router(data, embedder.encode(list(questions.values())), embedder)


@pytest.fixture(scope="module")
def folder(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training leaves: a router and two adapters."""
    folder = tmp_path_factory.mktemp("routed")
    questions = {}
    for seed, (group, question) in enumerate({"city": CITIES, "river": RIVERS}.items()):
        made = make_adapter(tiny_llama, folder / group, seed, 4)
        name = taught.adapter_name(group, made)
        made.rename(folder / name)
        questions[name] = question
    router(questions).save(folder)
    return folder


def block(model: Path, folder: Path | None, **options: Any) -> LocalModel:
    return LocalModel(path=str(model), adapter=folder, device="cpu", **options)


@pytest.fixture(scope="module")
def lm(tiny_llama: Path, folder: Path) -> RoutedLM:
    found = load_lm(block(tiny_llama, folder))
    assert isinstance(found, RoutedLM)
    return found


def test_each_chat_is_answered_and_scored_by_the_adapter_that_is_picked(
    tiny_llama: Path, folder: Path, lm: RoutedLM
) -> None:
    city, river = taught.adapters_of(folder)
    assert lm.adapters == (city, river)
    picked = [city, None, river, city]
    assert [route.adapter for route in lm.route(ASKED)] == picked
    assert lm.route(ASKED)[0].score > 0.9
    found, texts = lm.generate(ASKED, SAMPLING), ["Vienna", "a student", "long", "Vienna and Budapest"]
    scores = lm.logprobs(ASKED, texts)
    same(lm.generate_as(ASKED, picked, SAMPLING), found)
    assert lm.logprobs_as(ASKED, texts, picked) == scores
    for name in (None, city, river):
        single = LocalLM(block(tiny_llama, folder / name if name else None))
        own = [at for at, who in enumerate(picked) if who == name]
        same([found[at] for at in own], single.generate([ASKED[at] for at in own], SAMPLING))
    assert lm.generate([], SAMPLING) == lm.logprobs([], []) == []


def test_what_it_can_it_does(tiny_llama: Path, folder: Path, lm: RoutedLM) -> None:
    plain = LocalLM(block(tiny_llama, None))
    heard: list[str] = []
    assert isinstance(lm, ABILITIES[0])
    assert all(isinstance(lm, ability) for ability in ABILITIES)
    whole: Any = lm
    assert whole.stream(ASKED[0], GREEDY, heard.append) == lm.generate(ASKED[:1], GREEDY)[0][0]
    assert heard[-1] == lm.generate(ASKED[:1], GREEDY)[0][0].text
    assert whole.render(ASKED[0]) == plain.render(ASKED[0])
    assert whole.context == plain.context
    assert lm.count_tokens("one two") == plain.count_tokens("one two")
    assert whole.text_logprobs(["The Danube"], [" flows"]) == plain.text_logprobs(["The Danube"], [" flows"])
    begun = whole.continued(ASKED, ["", "I", "", "x"], SAMPLING)
    for row, other in zip((begun[0], begun[2]), lm.generate([ASKED[0], ASKED[2]], SAMPLING), strict=True):
        assert [one.logprob for one in row] == pytest.approx([one.logprob for one in other], abs=1e-4)
    assert [len(row) for row in whole.word_logprobs(ASKED, ["a b"] * 4)] == [2] * 4
    assert whole.token_logprobs(ASKED[:1], ["Paris"], [None])[0]
    assert whole.adapter is None
    assert whole.style == plain.style
    assert whole.merged_copy().state_dict().keys() == plain.model.state_dict().keys()
    assert lm.name == f"{tiny_llama}+{folder}"


def test_counting_its_use_takes_nothing_away(tmp_path: Path, lm: RoutedLM) -> None:
    with opened(tmp_path) as run:
        ledger = Ledger(run)
        counted: Any = metered(lm, ledger)
        assert all(isinstance(counted, one) for one in (base.HasWeights, base.HasAdapters, base.Routes))
        assert counted.route(ASKED) == lm.route(ASKED)
        same(counted.generate(ASKED, SAMPLING), lm.generate(ASKED, SAMPLING))
        assert ledger.total.calls == 8
        same(counted.generate_as(ASKED, [None] * 4, GREEDY), lm.generate_as(ASKED, [None] * 4, GREEDY))
        assert counted.logprobs_as(ASKED[:1], ["Vienna"], [None]) == lm.logprobs_as(
            ASKED[:1], ["Vienna"], [None]
        )
        assert ledger.total.calls == 13
        assert counted.adapters == lm.adapters
        assert counted.adapter is None


def test_without_adapters_the_base_model_answers(tiny_llama: Path, tmp_path: Path) -> None:
    router({}).save(tmp_path)
    lm = load_lm(block(tiny_llama, tmp_path))
    assert isinstance(lm, RoutedLM)
    assert lm.adapters == ()
    same(lm.generate(ASKED, SAMPLING), LocalLM(block(tiny_llama, None)).generate(ASKED, SAMPLING))


def test_an_adapter_of_the_router_that_is_not_there(tiny_llama: Path, tmp_path: Path) -> None:
    router({"city-12345678": CITIES}).save(tmp_path)
    with pytest.raises(ModelError, match="names the adapter 'city-12345678', which is not there"):
        load_lm(block(tiny_llama, tmp_path))


def test_several_adapters_are_never_merged_nor_put_on_as_one(
    tiny_llama: Path, folder: Path, tmp_path: Path
) -> None:
    for use in (LocalLM, lambda one: weights.save_merged(one, tmp_path / "merged")):
        with pytest.raises(ModelError, match="of which a router picks one by prompt") as error:
            use(block(tiny_llama, folder))  # type: ignore[operator]
        assert all(name in str(error.value) for name in taught.adapters_of(folder))


def test_an_engine_of_one_adapter_at_a_time_is_refused(tiny_llama: Path, folder: Path) -> None:
    pytest.importorskip("fastapi")
    with pytest.raises(ModelError, match="engine transformers serves one adapter at a time"):
        load_lm(ServerModel(engine="transformers", model=str(tiny_llama), adapter=folder))
