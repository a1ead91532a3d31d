"""The OpenAI API through its official client, unchanged, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from selfstudy.models import load_lm
from selfstudy.models.base import LanguageModel, Sampling, chat
from selfstudy.recipe import LocalModel
from selfstudy.serve.limits import RequestLimits
from selfstudy.serve.server import ApiServer
from tests.serve.serving import Echo, Plain, fixed, plain_offer, routed_offer, serving, wait_until

QUESTIONS = ("What is the capital of France?", "Tell me of the Danube", "Who are you", "Budapest?")


def ask(text: str, **rest: Any) -> dict[str, Any]:
    return {"model": "base", "messages": [{"role": "user", "content": text}], **rest}


def read(http: httpx2.Client, request: httpx2.Request, seen: bytearray) -> None:
    """Reads what comes of an answer, as long as there is something."""
    answer = http.send(request, stream=True)
    for part in answer.iter_bytes():
        seen += part


def client(server: ApiServer, **rest: Any) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{server.url}/v1", **{"api_key": "none is needed", "max_retries": 0, "timeout": 30, **rest}
    )


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> LanguageModel:
    return load_lm(LocalModel(path=str(tiny_llama)))


@pytest.fixture(scope="module")
def local(llama: LanguageModel) -> Iterator[ApiServer]:
    with serving(fixed(plain_offer(llama)), limits=RequestLimits(new_tokens=24, grace=5)) as server:
        yield server


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def routed(echo: Echo) -> Iterator[ApiServer]:
    with serving(
        fixed(routed_offer(echo)), limits=RequestLimits(grace=5, queue=4, n=4, body=20_000)
    ) as server:
        yield server


def test_greedy_answers_are_those_of_the_local_model_whoever_asks_beside(
    local: ApiServer, llama: LanguageModel
) -> None:
    sampling = Sampling(temperature=0.0, max_new_tokens=20)
    wanted = [row[0] for row in llama.generate([chat(text) for text in QUESTIONS], sampling)]
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda text: client(local).chat.completions.create(
                    **ask(text, temperature=0, max_completion_tokens=20)
                ),
                QUESTIONS * 4,
            )
        )
    assert [one.choices[0].message.content for one in found] == [one.text for one in wanted] * 4
    assert [one.choices[0].finish_reason for one in found] == [one.finish for one in wanted] * 4
    assert found[0].usage is not None
    assert found[0].usage.completion_tokens == wanted[0].tokens
    assert found[0].usage.total_tokens == found[0].usage.prompt_tokens + wanted[0].tokens
    assert len({one.id for one in found}) == len(found)


def test_a_stream_adds_up_to_the_answer_and_ends_with_its_usage(local: ApiServer) -> None:
    whole = client(local).chat.completions.create(**ask(QUESTIONS[0], temperature=0))
    events = list(
        client(local).chat.completions.create(
            **ask(QUESTIONS[0], temperature=0, stream=True, stream_options={"include_usage": True})
        )
    )
    text = "".join(one.choices[0].delta.content or "" for one in events if one.choices)
    assert text == whole.choices[0].message.content
    assert len(events) > 4, "it was not sent while it was written"
    assert events[-1].choices == []
    assert events[-1].usage == whole.usage
    assert events[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert {one.usage for one in events[:-1]} == {None}


def test_a_seed_gives_the_same_samples_again_also_beside_others_and_none_gives_others(
    local: ApiServer, llama: LanguageModel
) -> None:
    wanted = llama.generate([chat("Vienna")], Sampling(n=3, max_new_tokens=12, seed=5))[0]
    request = ask("Vienna", n=3, max_tokens=12, seed=5)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: client(local).chat.completions.create(**request), range(6)))
    assert [[c.message.content for c in one.choices] for one in found] == [[one.text for one in wanted]] * 6
    assert [choice.index for choice in found[0].choices] == [0, 1, 2]
    del request["seed"]
    texts = {
        choice.message.content
        for _ in range(4)
        for choice in client(local).chat.completions.create(**request).choices
    }
    assert len(texts) > 6


def test_stop_texts_end_an_answer_also_in_a_stream(local: ApiServer) -> None:
    whole = client(local).chat.completions.create(**ask(QUESTIONS[1], temperature=0))
    text = whole.choices[0].message.content or ""
    stop = text[6:9]
    cut = client(local).chat.completions.create(**ask(QUESTIONS[1], temperature=0, stop=[stop]))
    assert cut.choices[0].message.content == text[: text.index(stop)].strip()
    assert cut.choices[0].finish_reason == "stop"
    events = client(local).chat.completions.create(
        **ask(QUESTIONS[1], temperature=0, stop=[stop], stream=True)
    )
    parts = [one.choices[0].delta.content or "" for one in events]
    assert "".join(parts) == cut.choices[0].message.content


def test_models_are_listed_and_an_unknown_one_is_told_what_there_is(routed: ApiServer, echo: Echo) -> None:
    names = [one.id for one in client(routed).models.list()]
    assert names == ["routed", "base", *echo.adapters]
    assert client(routed).models.retrieve("base").owned_by == "selfstudy"
    with pytest.raises(openai.NotFoundError, match="togo-00000002") as told:
        client(routed).chat.completions.create(**{**ask("hello"), "model": "togo-99999999"})
    assert (told.value.code, told.value.param) == ("model_not_found", "model")
    assert echo.batches == []


@pytest.mark.parametrize(
    ("model", "text", "wanted"),
    [
        ("base", "Fiji", ""),
        ("fiji-00000001", "hello", "fiji-00000001"),
        ("routed", "of Togo", "togo-00000002"),
        ("routed", "of Peru", ""),
    ],
)
def test_who_answers_is_said(routed: ApiServer, model: str, text: str, wanted: str) -> None:
    raw = client(routed).chat.completions.with_raw_response.create(
        **{**ask(text), "model": model}, extra_body={"selfstudy": True}
    )
    found = raw.parse()
    assert raw.headers["x-selfstudy-adapter"] == (wanted or "base")
    assert found.model == model
    assert found.choices[0].message.content == f"{wanted or 'base'} heard: {text}"
    explained = found.model_extra["selfstudy"]
    assert explained["adapter"] == (wanted or None)
    if model == "routed":
        assert explained["nearest_question"] == ("q1" if wanted else None)
        assert explained["score"] == (0.9 if wanted else 0.1)


def test_requests_that_wait_are_answered_together_with_their_own_adapters(
    routed: ApiServer, echo: Echo
) -> None:
    echo.open.clear()
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(lambda: client(routed).chat.completions.create(**ask("first")))
        wait_until(lambda: echo.batches)
        rest = [
            pool.submit(
                lambda name=name, at=at: client(routed).chat.completions.create(
                    **{**ask(f"number {at}"), "model": name}
                )
            )
            for at, name in enumerate(("base", *echo.adapters))
        ]
        wait_until(lambda: "queue_requests 3.0" in httpx2.get(f"{routed.url}/metrics").text)
        echo.open.set()
        answers = {one.result().choices[0].message.content for one in [first, *rest]}
    assert answers == {
        "base heard: first",
        "base heard: number 0",
        "fiji-00000001 heard: number 1",
        "togo-00000002 heard: number 2",
    }
    assert [len(one) for one in echo.batches] == [1, 3]
    assert set(echo.batches[1]) == {None, *echo.adapters}


def test_one_request_that_breaks_the_model_fails_alone(routed: ApiServer, echo: Echo) -> None:
    echo.open.clear()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(lambda: client(routed).chat.completions.create(**ask("first")))
        wait_until(lambda: echo.batches)
        texts = ("one", "poison", "two")
        rest = [
            pool.submit(lambda text=text: client(routed).chat.completions.create(**ask(text)))
            for text in texts
        ]
        wait_until(lambda: "queue_requests 3.0" in httpx2.get(f"{routed.url}/metrics").text)
        echo.open.set()
        assert first.result().choices[0].message.content == "base heard: first"
        assert rest[0].result().choices[0].message.content == "base heard: one"
        assert rest[2].result().choices[0].message.content == "base heard: two"
        with pytest.raises(openai.InternalServerError) as told:
            rest[1].result()
    assert told.value.type == "server_error"
    assert "poison" not in str(told.value)


def test_log_probabilities_come_token_by_token(routed: ApiServer) -> None:
    found = client(routed).chat.completions.create(**ask("you there", logprobs=True, top_logprobs=2))
    logprobs = found.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join(one.token for one in logprobs.content) == found.choices[0].message.content
    assert logprobs.content[0].logprob == -0.5
    assert [one.token for one in logprobs.content[1].top_logprobs] == [" heard:", " other"]
    assert bytes(logprobs.content[1].bytes or []) == b" heard:"
    events = list(client(routed).chat.completions.create(**ask("you there", logprobs=True, stream=True)))
    tokens = [one.choices[0] for one in events if one.choices[0].logprobs]
    assert [one.delta.content for one in tokens] == [one.token for one in logprobs.content]


def test_what_a_model_cannot_say_is_refused() -> None:
    with serving(fixed(plain_offer(Plain()))) as server, pytest.raises(openai.BadRequestError) as told:
        client(server).chat.completions.create(**ask("hello", logprobs=True))
    assert told.value.param == "logprobs"


def test_a_queue_that_is_full_says_when_to_come_again(routed: ApiServer, echo: Echo) -> None:
    echo.open.clear()
    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(lambda: client(routed).chat.completions.create(**ask("first")))]
        wait_until(lambda: echo.batches)
        running += [
            pool.submit(lambda at=at: client(routed).chat.completions.create(**ask(f"{at}")))
            for at in range(4)
        ]
        wait_until(lambda: "queue_requests 4.0" in httpx2.get(f"{routed.url}/metrics").text)
        with pytest.raises(openai.RateLimitError) as told:
            client(routed).chat.completions.create(**ask("one too many"))
        assert int(told.value.response.headers["retry-after"]) >= 1
        assert told.value.code == "queue_full"
        echo.open.set()
        assert len({one.result().choices[0].message.content for one in running}) == 5
    assert not any("one too many" in text for text in echo.heard_of)


def test_a_request_that_takes_too_long_is_told_so_and_given_up() -> None:
    echo = Echo()
    echo.open.clear()
    with serving(fixed(routed_offer(echo)), limits=RequestLimits(seconds=0.2, grace=5)) as server:
        with pytest.raises(openai.InternalServerError) as told:
            client(server).chat.completions.create(**ask("slow"))
        assert (told.value.status_code, told.value.code) == (504, "request_timeout")
        wait_until(lambda: "busy_requests 0.0" in httpx2.get(f"{server.url}/metrics").text)
        assert echo.heard_of == [], "it was gone on with"
        echo.open.set()
        assert client(server).chat.completions.create(**ask("next")).choices[0].message.content


@pytest.mark.parametrize("streams", [True, False])
def test_a_client_that_leaves_is_not_answered_any_more(routed: ApiServer, echo: Echo, streams: bool) -> None:
    echo.open.clear()
    with httpx2.Client() as http:
        request = http.build_request(
            "POST", f"{routed.url}/v1/chat/completions", json=ask("leaving", stream=streams), timeout=0.3
        )
        seen = bytearray()
        with pytest.raises(httpx2.TimeoutException):
            read(http, request, seen)
    wait_until(lambda: "busy_requests 0.0" in httpx2.get(f"{routed.url}/metrics").text)
    assert (b"base heard:" in seen) == streams
    assert echo.heard_of == []
    assert 'requests_total{status="499"} 1.0' in httpx2.get(f"{routed.url}/metrics").text
    echo.open.set()
    assert client(routed).chat.completions.create(**ask("next")).choices[0].message.content


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b"[" * 5_000, 400, "invalid_json"),
        (b'{"messages": ' + b"[" * 3000 + b"]" * 3000 + b"}", 400, "invalid_json"),
        (b'{"messages": [], "temperature": NaN}', 400, "invalid_json"),
        (b'{"messages": "\xff"}', 400, "invalid_json"),
        (b'{"messages": []}', 400, "invalid_value"),
        (b'{"model": "base"}', 400, "missing_required_parameter"),
        (b'{"messages": [{"role": "user", "content": "' + b"x" * 30_000 + b'"}]}', 413, "request_too_large"),
    ],
)
def test_bodies_that_are_none_are_refused_in_the_shape_of_openai(
    routed: ApiServer, echo: Echo, body: bytes, status: int, code: str
) -> None:
    answer = httpx2.post(
        f"{routed.url}/v1/chat/completions", content=body, headers={"content-type": "application/json"}
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"}
    assert len(answer.content) < 1000
    assert echo.batches == []


def test_paths_methods_and_kinds_of_body_that_are_not_there(routed: ApiServer) -> None:
    assert httpx2.get(f"{routed.url}/docs").status_code == 404
    assert httpx2.get(f"{routed.url}/openapi.json").json()["error"]["type"] == "invalid_request_error"
    assert httpx2.get(f"{routed.url}/v1/chat/completions").status_code == 405
    assert httpx2.get(f"{routed.url}/v1/models/").status_code == 404  # and leads nowhere else
    form = httpx2.post(f"{routed.url}/v1/chat/completions", content=json.dumps(ask("hello")))
    assert form.status_code == 415
    packed = httpx2.post(
        f"{routed.url}/v1/chat/completions",
        content=b"{}",
        headers={"content-type": "application/json", "content-encoding": "gzip"},
    )
    assert packed.status_code == 415


def test_a_prompt_that_does_not_fit_is_refused_before_it_is_read(local: ApiServer) -> None:
    for text in ("word " * 300, "word " * 100_000):
        with pytest.raises(openai.BadRequestError) as told:
            client(local).chat.completions.create(**ask(text))
        assert told.value.code == "context_length_exceeded"
        assert "256" in str(told.value)


def test_figures_are_counted(routed: ApiServer) -> None:
    for text in ("of Fiji", "of Peru"):
        client(routed).chat.completions.create(**{**ask(text), "model": "routed"})
    figures = httpx2.get(f"{routed.url}/metrics").text
    assert 'selfstudy_answered_total{adapter="fiji-00000001"} 1.0' in figures
    assert "selfstudy_routed_to_base_total 1.0" in figures
    assert 'selfstudy_tokens_total{kind="completion"} 8.0' in figures
    assert "selfstudy_batch_answers_count 2.0" in figures
    assert httpx2.get(f"{routed.url}/health").json() == {"status": "ok"}
