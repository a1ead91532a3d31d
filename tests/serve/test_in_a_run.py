"""A run with adapters and a router, asked through the official client: answers, batches, a newer round."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from selfstudy import Run
from selfstudy.models import load_lm, taught
from selfstudy.models.base import Sampling, chat
from selfstudy.models.routed import RoutedLM
from selfstudy.models.router import Router, frame
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.run.standing import promote
from selfstudy.serve.offer import ModelSource
from selfstudy.serve.server import ApiServer
from tests.models.local.test_mixed import make_adapter
from tests.models.test_routed import router
from tests.serve.serving import serving
from tests.serve.test_offer import make_run

CITIES, RIVERS = "Which cities does the Danube flow through?", "How long is the river Seine?"
TEXTS = (CITIES, "Who are you?", RIVERS, "And why?", "What for?")


@pytest.fixture(scope="module")
def place(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose first round promoted two adapters and a router over them."""

    def routed(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        questions = {}
        for seed, (group, question) in enumerate({"city": CITIES, "river": RIVERS}.items()):
            made = make_adapter(tiny_llama, folder / group, seed, 4)
            name = taught.adapter_name(group, made)
            made.rename(folder / name)
            questions[name] = question
        made_of = router(questions)
        around, page = frame(Prompts())
        data = made_of.data.model_copy(update={"around": around, "page": page})
        Router(data, made_of.vectors).save(folder)

    return make_run(tmp_path_factory.mktemp("serve") / "run", LocalModel(path=str(tiny_llama)), routed)


@pytest.fixture
def server(place: Path, tmp_path: Path) -> Iterator[ApiServer]:
    run = Path(shutil.copytree(place, tmp_path / "run"))
    with serving(ModelSource(str(run), "plain")) as server:
        yield server


def client(server: ApiServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=60)


def body(model: str, text: str, **rest: Any) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "max_tokens": 12,
        **rest,
    }


def test_everybody_is_answered_as_the_local_model_would_whatever_else_is_in_the_batch(
    server: ApiServer, tiny_llama: Path, place: Path
) -> None:
    folder = place / "rounds/1/adapter"
    lm = load_lm(LocalModel(path=str(tiny_llama), adapter=folder))
    assert isinstance(lm, RoutedLM)
    city, river = lm.adapters
    assert [one.id for one in client(server).models.list()] == ["routed", "base", city, river]
    asked = [(model, text) for model in ("routed", "base", city, river) for text in TEXTS]
    routes = {
        text: route.adapter for text, route in zip(TEXTS, lm.route([chat(t) for t in TEXTS]), strict=True)
    }
    assert set(routes.values()) == {city, river, None}
    adapters = [{"routed": routes[text], "base": None}.get(model, model) for model, text in asked]
    sampling = Sampling(temperature=0.0, max_new_tokens=12)
    wanted = [row[0].text for row in lm.generate_as([chat(text) for _, text in asked], adapters, sampling)]
    assert len(set(wanted)) > len(TEXTS)
    with client(server) as http, ThreadPoolExecutor(20) as pool:
        found = list(
            pool.map(
                lambda one: http.chat.completions.with_raw_response.create(**body(*one, stream=False)), asked
            )
        )
    assert [one.parse().choices[0].message.content for one in found] == wanted
    assert [one.headers["x-selfstudy-adapter"] for one in found] == [name or "base" for name in adapters]


def test_log_probabilities_are_those_of_the_adapter_that_answered(
    server: ApiServer, tiny_llama: Path, place: Path
) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama), adapter=place / "rounds/1/adapter"))
    found = client(server).chat.completions.create(**body("routed", CITIES, logprobs=True, top_logprobs=3))
    logprobs = found.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    text = found.choices[0].message.content or ""
    wanted = lm.token_logprobs([chat(CITIES)], [text], [lm.adapters[0]], 3)[0]
    assert [one.logprob for one in logprobs.content] == pytest.approx(
        [one.logprob for one in wanted], abs=1e-4
    )
    assert all(len(one.top_logprobs) == 3 for one in logprobs.content)
    assert lm.token_logprobs([chat(CITIES)], [text], [None])[0][0].logprob != pytest.approx(wanted[0].logprob)


def test_a_run_puts_questions_into_its_prompt_and_routes_them_as_before(
    place: Path, tiny_llama: Path
) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama), adapter=place / "rounds/1/adapter"))
    asked = Prompts().chat("answer", question=CITIES)
    sampling = Sampling(temperature=0.0, max_new_tokens=12, repetition_penalty=1.1)
    with serving(ModelSource(str(place))) as server:
        found = client(server).chat.completions.create(
            **body("routed", CITIES), extra_body={"selfstudy": True}
        )
    assert found.choices[0].message.content == lm.generate([asked], sampling)[0][0].text
    assert found.model_extra is not None
    assert found.model_extra["selfstudy"]["adapter"] == lm.adapters[0]
    assert found.model_extra["selfstudy"]["score"] > 0.9


def test_an_adapter_that_was_dropped_is_not_found_after_loading_anew(server: ApiServer) -> None:
    place = Path(server._source.place)
    with Run.create_or_resume(place, Run.open(place, write=False).recipe) as run:
        turn = run.round(2)
        shutil.copytree(run.round(1).adapter(), turn.adapter())
        city, river = taught.adapters_of(turn.adapter())
        shutil.rmtree(turn.adapter() / river)
        router({city: CITIES}).save(turn.adapter())
        run.write_json(turn.gate_file, {"promoted": True})
        promote(turn, turn.adapter, move=False)
    assert client(server).chat.completions.create(**body(river, "hello")).choices[0].message.content
    loaded = httpx2.post(f"{server.url}/admin/reload", timeout=60).json()
    assert loaded == {"result": "loaded", "models": ["routed", "base", city]}
    with pytest.raises(openai.NotFoundError, match=city):
        client(server).chat.completions.create(**body(river, "hello"))
    raw = client(server).chat.completions.with_raw_response.create(**body("routed", RIVERS))
    assert raw.headers["x-selfstudy-adapter"] == "base"
