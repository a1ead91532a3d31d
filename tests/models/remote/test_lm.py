"""A model behind a server: what is asked, what comes back, what a bad server can and cannot do to it."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from selfstudy.errors import ModelError
from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, Sampling, chat
from selfstudy.models.remote import retries as retries
from selfstudy.models.remote.lm import RemoteLM
from selfstudy.models.remote.usage import Usage
from selfstudy.recipe import Prices, RemoteModel

from .faulty_server import (
    FaultyServer,
    Reaction,
    Request,
    choice,
    one_only,
    refusing,
    reply,
)

KEY = "sk-planted-0123456789abcdef"
PROBE = Sampling(n=3, temperature=1.0, greedy_first=True, max_new_tokens=32)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No key, no proxy and no cache of this user; retries without long waits; threads that take turns."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    for name in (
        "OPENAI_API_KEY",
        "SELFSTUDY_ALLOW_KEYS",
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(retries, "BACKOFF", 0.005)
    monkeypatch.setattr(retries, "LONGEST_BACKOFF", 0.05)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def serve() -> Iterator[Callable[..., FaultyServer]]:
    """Starts servers that end with the test."""
    running: list[FaultyServer] = []

    def start(react: Callable[[Request], Reaction] = lambda request: Reaction()) -> FaultyServer:
        running.append(FaultyServer(react).__enter__())
        return running[-1]

    yield start
    for server in running:
        server.__exit__(None, None, None)


def model(server: FaultyServer, **more: Any) -> RemoteLM:
    return RemoteLM(RemoteModel(model="m", base_url=server.url, **more))


def chats(count: int) -> list[Any]:
    return [chat(f"question {i}") for i in range(count)]


# what is asked, and what comes back


def test_answers_are_in_order_greedy_first(serve: Callable[..., FaultyServer]) -> None:
    server = serve(lambda request: Reaction(delay=random.Random(request.question).random() / 50))
    advanced: list[int] = []
    found = model(server).generate(chats(40), PROBE, advanced.append)
    assert sum(advanced) == 40
    for i, (passage, *samples) in enumerate(found):
        assert passage.text == f"question {i} | greedy | 0"
        assert [sample.text.split(" | ")[0] for sample in samples] == [f"question {i}"] * 3
        assert [sample.text.split(" | ")[2] for sample in samples] == ["0", "1", "2"]
    assert len(server.requests) == 80  # one greedy, and one for all samples
    assert {body["n"] for body in server.asked() if "n" in body} == {3}


@pytest.mark.parametrize("react", [one_only, refusing("n", "n must be 1"), refusing("n", "Only 'n'=1 works")])
def test_a_server_without_n_is_asked_once_per_sample(
    serve: Callable[..., FaultyServer], react: Callable[[Request], Reaction]
) -> None:
    server = serve(react)
    lm = model(server)
    for _ in range(2):
        found = lm.generate(chats(10), PROBE)
        texts = [sample.text for row in found for sample in row]
        assert len(set(texts)) == 40
        assert all(text.startswith(f"question {i // 4} |") for i, text in enumerate(texts))
    assert sum("n" in body for body in server.asked()) == 1  # found out once, remembered
    assert len(server.requests) <= 81


def test_greedy_copies_cost_one_request(serve: Callable[..., FaultyServer]) -> None:
    server = serve()
    [row] = model(server).generate([chat("q")], Sampling(n=4, temperature=0.0))
    assert [one.text for one in row] == ["q | greedy | 0"] * 4
    assert len(server.requests) == 1
    assert "seed" not in server.requests[0].body


def test_seeds_follow_from_seed_chat_and_sample(serve: Callable[..., FaultyServer]) -> None:
    server = serve()

    def seeds(seed: int, asked: list[Any]) -> list[int]:
        before = len(server.requests)
        model(server, n=False).generate(asked, Sampling(n=2, seed=seed))
        return sorted(request.body["seed"] for request in server.requests[before:])

    once = seeds(0, [chat("a"), chat("a"), chat("b")])
    assert len(set(once)) == 6  # equal chats get different samples
    assert seeds(0, [chat("b"), chat("a"), chat("a")]) == once  # whatever else is in the batch
    assert not set(seeds(1, [chat("a"), chat("b")])) & set(once)
    assert all(0 <= seed < 2**31 for seed in once)


def test_neutral_values_are_not_sent_but_for_top_p(serve: Callable[..., FaultyServer]) -> None:
    server = serve()
    lm = model(server)
    lm.generate([chat("q", "be brief")], Sampling(n=1))
    lm.generate([chat("q")], Sampling(repetition_penalty=1.1, top_k=20, top_p=0.9, stop=("\n",)))
    lm.generate([chat("q")], GREEDY)
    plain, full, greedy = server.asked()
    assert set(greedy) == {"model", "messages", "temperature", "max_tokens"}
    assert set(plain) == {"model", "messages", "temperature", "max_tokens", "seed", "top_p"}
    assert plain["top_p"] == 1.0  # servers have defaults of their own
    assert [turn["role"] for turn in plain["messages"]] == ["system", "user"]
    assert (full["repetition_penalty"], full["top_k"], full["top_p"], full["stop"]) == (1.1, 20, 0.9, ["\n"])


@pytest.mark.parametrize(
    "message",
    [
        None,
        "[{'type': 'extra_forbidden', 'loc': ('body', 'repetition_penalty'), 'msg': 'not permitted'}]",
        "repetition_penalty is not supported by this model",
    ],
)
def test_a_refused_parameter_is_left_out_and_said_once(
    serve: Callable[..., FaultyServer], caplog: pytest.LogCaptureFixture, message: str | None
) -> None:
    server = serve(refusing("repetition_penalty", message))
    lm = model(server)
    found = lm.generate(chats(20), Sampling(repetition_penalty=1.1))
    assert all(row[0].error is None for row in found)
    assert sum("repetition_penalty" in body for body in server.asked()) == 1
    assert [r.message for r in caplog.records if "repetition_penalty" in r.message] == [
        "m refuses the parameter repetition_penalty: going on without it"
    ]


def test_more_fields_of_the_recipe_are_sent(serve: Callable[..., FaultyServer]) -> None:
    server = serve()
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "top_p": 0.5}
    model(server, extra=extra).generate([chat("q")], Sampling())
    assert server.asked()[0].items() >= extra.items()


@pytest.mark.parametrize("name", ["n", "messages", "temperature", "stream"])
def test_what_is_set_here_is_no_extra(name: str) -> None:
    with pytest.raises(ValidationError, match="must hold none of"):
        RemoteModel(model="m", extra={name: 1})


def test_newer_servers_call_the_limit_otherwise(serve: Callable[..., FaultyServer]) -> None:
    server = serve(
        refusing("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    )
    found = model(server).generate(chats(5), Sampling(max_new_tokens=7))
    assert all(row[0].error is None for row in found)
    assert server.asked()[-1]["max_completion_tokens"] == 7


def test_a_model_that_takes_temperature_or_top_p_gets_temperature(serve: Callable[..., FaultyServer]) -> None:
    server = serve(refusing("top_p", "`temperature` and `top_p` cannot both be specified for this model."))
    found = model(server).generate(chats(3), Sampling())
    assert all(row[0].error is None for row in found)
    assert {"temperature", "top_p"} & server.asked()[-1].keys() == {"temperature"}


def test_a_model_without_temperature_is_refused(serve: Callable[..., FaultyServer]) -> None:
    server = serve(refusing("temperature", "'temperature' does not support 0 with this model"))
    with pytest.raises(ModelError, match="refuses temperature 0") as caught:
        model(server).generate(chats(50), GREEDY)
    assert caught.value.hint
    assert len(server.requests) <= 2


def test_a_stop_string_cuts_also_where_the_server_ignores_it(serve: Callable[..., FaultyServer]) -> None:
    server = serve(lambda request: Reaction(body=reply(choice("  first line \nsecond"))))
    [[found]] = model(server).generate([chat("q")], Sampling(stop=("\n",)))
    assert found.text == "first line"


def test_log_probabilities_where_offered(serve: Callable[..., FaultyServer]) -> None:
    content = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -0.25}]
    with_them = {**choice("ab"), "logprobs": {"content": content}}
    server = serve(lambda r: Reaction(body=reply(with_them if r.body.get("logprobs") else choice("ab"))))
    [[found]] = model(server, logprobs=True).generate([chat("q")], GREEDY)
    assert (found.tokens, found.logprob) == (2, -0.75)
    [[found]] = model(server).generate([chat("q")], GREEDY)
    assert found.tokens == 4  # as the server counts
    assert math.isnan(found.logprob)


def test_tokens_are_shared_out_over_choices(serve: Callable[..., FaultyServer]) -> None:
    server = serve(
        lambda r: Reaction(body=reply(choice("x" * 10), choice("x" * 30, 1), completion_tokens=10))
    )
    [row] = model(server).generate([chat("q")], Sampling(n=2))
    assert [one.tokens for one in row] == [5, 15]


def test_usage_and_cost(serve: Callable[..., FaultyServer]) -> None:
    server = serve()
    lm = model(server, prices=Prices(prompt=2.0, completion=10.0, currency="EUR"))
    lm.generate(chats(10), PROBE)
    before = lm.usage
    assert before == Usage(20, 200, 160, 0, pytest.approx(20 * 10 * 2e-6 + 160 * 10e-6), "EUR", 40)
    lm.generate(chats(1), GREEDY)
    assert lm.usage - before == Usage(1, 10, 4, 0, pytest.approx(6e-5), "EUR", 1)


def test_it_works_inside_a_running_event_loop(serve: Callable[..., FaultyServer]) -> None:
    lm = model(serve())

    async def notebook() -> str:
        return lm.generate([chat("q")], GREEDY)[0][0].text

    assert asyncio.run(notebook()) == "q | greedy | 0"


def test_log_probabilities_of_given_texts(serve: Callable[..., FaultyServer]) -> None:
    def react(request: Request) -> Reaction:
        if request.path == "/tokenize":
            text = request.body.get("prompt") or "".join(m["content"] for m in request.body["messages"]) + ">"
            return Reaction(body={"tokens": [ord(c) for c in text]})
        values = [None, *(-float(token) for token in request.body["prompt"][1:]), -9.0]
        return Reaction(body={"choices": [{"logprobs": {"token_logprobs": values}}]})

    server = serve(react)
    lm = model(server)
    assert lm.logprobs([chat("why"), chat("x"), chat("y")], ["ab", "", " c "]) == [
        [-97.0, -98.0],
        [],
        [-99.0],
    ]
    templates = [body["chat_template_kwargs"] for body in server.asked("/tokenize") if "messages" in body]
    assert templates == [{"enable_thinking": False}] * 2  # as the local backend renders


def test_a_server_without_echo_says_which_scorers_need_it(serve: Callable[..., FaultyServer]) -> None:
    server = serve(lambda request: Reaction(404, {"detail": "Not Found"}))
    with pytest.raises(ModelError, match="no log-probabilities of given texts") as caught:
        model(server).logprobs(chats(100), ["a"] * 100)
    assert "p-true" in caught.value.hint
    assert len(server.requests) < 100


# items that fail


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (reply(choice("", finish="content_filter")), "content filter"),
        (reply(choice(None, refusal="I must not")), "refused: I must not"),
        (reply(choice(None)), "holds no text"),
        (reply(choice(None, finish="length")), "went into reasoning"),
        (reply(choice(None, finish="tool_calls")), "ended with 'tool_calls'"),
        (reply(), "no choices"),
        ({"usage": None}, "no choices"),
        ({"choices": "none"}, "no choices"),
        ({"choices": [None]}, "no choices"),
        (b'{"choices": [', "no JSON"),
        (b"<html>Bad gateway</html>", "no JSON"),
        (b"", "no JSON"),
        (b"[1]", "no JSON"),
        ({"error": {"message": "overheated"}}, "overheated"),
        ({"error": {"message": "overheated", "code": "hot"}}, "overheated"),
    ],
)
def test_a_bad_reply_is_an_item_error_and_hurts_no_other(
    serve: Callable[..., FaultyServer], body: Any, said: str
) -> None:
    server = serve(lambda r: Reaction(body=body if r.question == "question 3" else None))
    found = [row[0] for row in model(server).generate(chats(8), GREEDY)]
    assert [i for i, one in enumerate(found) if one.error is not None] == [3]
    assert (found[3].finish, found[3].text) == ("error", "")
    assert said in (found[3].error or "")
    assert found[4].text == "question 4 | greedy | 0"


def test_a_prompt_at_which_the_server_always_fails_is_an_item_error(
    serve: Callable[..., FaultyServer],
) -> None:
    server = serve(lambda r: Reaction(500, b"oops") if r.question == "question 0" else Reaction())
    for concurrency in (1, 64):  # the first of all, which the others wait for
        found = [row[0] for row in model(server, concurrency=concurrency).generate(chats(30), GREEDY)]
        assert [i for i, one in enumerate(found) if one.error is not None] == [0]
        assert found[0].error == "HTTP 500: oops"
    assert len(server.requests) == 2 * (6 + 29)


def test_a_server_that_always_fails_is_waited_for(serve: Callable[..., FaultyServer]) -> None:
    server = serve(lambda r: Reaction(500, b"oops") if r.at - server.requests[0].at < 0.5 else Reaction())
    found = [row[0] for row in model(server, concurrency=8).generate(chats(50), GREEDY)]
    errors = [one.error for one in found if one.error is not None]
    assert set(errors) == {"HTTP 500: oops"}
    assert 1 <= len(errors) <= 3 + 8  # and those whose last try crossed the first answer


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"error": {"message": "slow down", "code": 429}}),
        (200, {"error": {"message": "upstream", "code": 502}}),
        (502, b"Bad gateway"),
        (503, {"error": "full"}),
    ],
)
def test_what_passes_is_tried_again(serve: Callable[..., FaultyServer], status: int, body: Any) -> None:
    server = serve(lambda r: Reaction(status, body) if r.number < 12 else Reaction())
    found = model(server, concurrency=1).generate(chats(3), GREEDY)
    assert not any(row[0].error for row in found)
    assert len(server.requests) == 15


def test_a_403_is_about_the_item_once_others_were_answered(serve: Callable[..., FaultyServer]) -> None:
    said = {"error": {"message": "flagged by moderation"}}
    server = serve(lambda r: Reaction(403, said) if r.question == "question 3" else Reaction())
    found = [row[0] for row in model(server).generate(chats(8), GREEDY)]
    assert [one.error for one in found if one.error] == ["HTTP 403: flagged by moderation"]


@pytest.mark.parametrize("limit", ["total_timeout", "read_timeout"])
def test_a_request_that_takes_too_long_is_given_up(serve: Callable[..., FaultyServer], limit: str) -> None:
    server = serve(lambda r: Reaction(delay=0.0 if r.question != "question 3" else 60.0))
    lm = model(server, deadline=1.5, **{limit: 0.5})
    found = [row[0] for row in lm.generate(chats(8), GREEDY)]
    assert [i for i, one in enumerate(found) if one.error is not None] == [3]
    assert (found[3].error or "").startswith("no answer within 1.5 s")
    assert sum(request.question == "question 3" for request in server.requests) > 1  # and tried again


def test_a_prompt_that_the_server_refuses_is_asked_once(serve: Callable[..., FaultyServer]) -> None:
    said = "This model's maximum context length is 8 tokens. Please reduce the length of the messages."
    server = serve(
        lambda r: Reaction(400, {"error": {"message": said}}) if r.question == "question 3" else Reaction()
    )
    found = model(server).generate([*chats(8), chat("\ud800")], PROBE)
    assert all(said in (one.error or "") for one in found[3])
    assert [one.error is None for row in found[:8] for one in row].count(False) == 4
    assert all("cannot be sent" in (one.error or "") for one in found[8])
    assert len(server.requests) == 16


def test_a_length_cut_off_is_an_answer(serve: Callable[..., FaultyServer]) -> None:
    [[found]] = model(serve(lambda r: Reaction(body=reply(choice("half an", finish="length"))))).generate(
        [chat("q")], GREEDY
    )
    assert (found.text, found.finish, found.error) == ("half an", "length", None)


def test_a_missing_choice_is_asked_for_again(serve: Callable[..., FaultyServer]) -> None:
    def react(request: Request) -> Reaction:
        short = request.body.get("n") == 3 and request.question == "question 5"
        return Reaction(body=reply(choice("one")) if short else None)

    server = serve(react)
    lm = model(server)
    found = lm.generate(chats(8), Sampling(n=3))
    assert all(one.error is None for row in found for one in row)
    assert len(server.requests) == 10
    lm.generate(chats(4), Sampling(n=3))
    assert len(server.requests) == 14  # one short reply does not change what the server can


# a server that is hopeless


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (401, {"error": {"message": "Incorrect API key"}}, "api_key_env"),
        (403, {"error": "forbidden"}, "api_key_env"),
        (404, {"error": {"message": "The model 'm' does not exist"}}, "base_url"),
        (402, {}, "money"),
        (429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, "money"),
    ],
)
def test_what_no_retry_mends_fails_at_once(
    serve: Callable[..., FaultyServer], status: int, body: Any, hint: str
) -> None:
    server = serve(lambda request: Reaction(status, body))
    with pytest.raises(ModelError, match=f"m at {server.url}: HTTP {status}") as caught:
        model(server).generate(chats(2000), PROBE)
    assert hint in caught.value.hint
    assert len(server.requests) <= 2


def test_where_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelError, match=f"no server answers at {url}") as caught:
        RemoteLM(RemoteModel(model="m", base_url=url)).generate(chats(500), PROBE)
    assert "start it" in caught.value.hint


def test_where_nobody_accepts() -> None:
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # its queue is full: further connections are neither made nor refused
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        began = time.monotonic()
        with pytest.raises(ModelError, match=f"no server answers at {url}: no connection"):
            RemoteLM(RemoteModel(model="m", base_url=url, connect_timeout=0.1)).generate(chats(50), PROBE)
        assert 0.5 < time.monotonic() - began < 10


def test_a_server_that_dies_ends_the_batch_and_the_cache_keeps_what_it_gave(
    serve: Callable[..., FaultyServer],
) -> None:
    server = serve(lambda r: Reaction(status=200 if r.number < 40 else 500))
    block = RemoteModel(model="m", base_url=server.url, deadline=2, revision="1")
    with pytest.raises(ModelError, match="has answered nothing for"):
        load_lm(block).generate(chats(100), GREEDY)
    healthy = serve()
    elsewhere = RemoteModel(model="m", base_url=healthy.url, revision="1")
    found = load_lm(elsewhere).generate(chats(100), GREEDY)
    assert all(row[0].error is None for row in found)
    assert len(healthy.requests) == 60


def test_an_endless_retry_after_is_not_waited_for(serve: Callable[..., FaultyServer]) -> None:
    server = serve(lambda request: Reaction(429, headers={"retry-after": "86400"}))
    with pytest.raises(ModelError, match="wants no request for 86400 s"):
        model(server).generate(chats(100), PROBE)
    assert len(server.requests) == 1


def test_nor_does_it_hold_up_the_next_batch(serve: Callable[..., FaultyServer]) -> None:
    server = serve(lambda r: Reaction(429, headers={"retry-after": "86400"}) if r.number == 0 else Reaction())
    lm = model(server, deadline=0.5)
    with pytest.raises(ModelError, match="wants no request for"):
        lm.generate(chats(3), GREEDY)
    began = time.monotonic()
    assert not any(row[0].error for row in lm.generate(chats(3), GREEDY))
    assert time.monotonic() - began < 10


# a server in trouble


def faults(request: Request, dice: random.Random) -> Reaction:
    """20% 429 with Retry-After, 5% 500, 5% resets, 5% slow bytes, 5% no JSON, 1% hangs."""
    roll = dice.random()
    if roll < 0.20:
        return Reaction(429, {"error": {"message": "slow down"}}, {"retry-after": "0.001"})
    kinds: list[tuple[float, Reaction]] = [
        (0.25, Reaction(500, b"oops")),
        (0.30, Reaction(fault="reset")),
        (0.35, Reaction(fault="drip")),
        (0.40, Reaction(body=b'{"choices": [{"mess')),
        (0.41, Reaction(fault="hang")),
    ]
    return next((reaction for limit, reaction in kinds if roll < limit), Reaction())


def test_two_thousand_requests_to_a_server_in_trouble(serve: Callable[..., FaultyServer]) -> None:
    dice = random.Random(7)
    server = serve(lambda request: faults(request, dice))
    advanced: list[int] = []
    deadline = 60.0
    lm = model(server, read_timeout=0.5, deadline=deadline, concurrency=32)
    found = lm.generate(chats(2000), GREEDY, advanced.append)
    assert (len(found), sum(advanced)) == (2000, 2000)
    wrong = [row[0] for row in found if row[0].error is not None]
    good = [(i, row[0].text) for i, row in enumerate(found) if row[0].error is None]
    assert all(text == f"question {i} | greedy | 0" for i, text in good)  # none lost, doubled or swapped
    assert all("no JSON" in (one.error or "") for one in wrong)  # three times; none reached its deadline
    assert len(good) >= 1980
    assert len(server.requests) > 2400
    first: dict[str, float] = {}
    for (
        request
    ) in server.requests:  # no request of an item comes after its deadline, and none lasts beyond it
        assert request.at - first.setdefault(request.question, request.at) < deadline
    # every good reply was used: the server sent no answer twice
    assert lm.usage.completion_tokens == 4 * len(good)


def test_memory_is_flat(serve: Callable[..., FaultyServer]) -> None:
    ballast = "x" * 400_000
    server = serve(lambda request: Reaction(body={**reply(choice("yes")), "ballast": ballast}))
    lm = model(server, concurrency=16)
    lm.generate(chats(50), GREEDY)
    before = psutil.Process().memory_info().rss
    lm.generate(chats(500), GREEDY)  # 200 MB of replies
    assert psutil.Process().memory_info().rss - before < 60 * 2**20


@pytest.mark.parametrize(
    "header",
    [
        lambda: {"retry-after": "0.3"},
        lambda: {"retry-after-ms": "300", "retry-after": "86400"},
        lambda: {"retry-after": formatdate(time.time() + 2, usegmt=True)},
    ],
)
def test_retry_after_is_honoured_by_all(
    serve: Callable[..., FaultyServer], header: Callable[[], dict[str, str]]
) -> None:
    def reaction(request: Request) -> Reaction:
        if request.number == 20:
            return Reaction(429, headers=header())
        return Reaction(delay=0.15 if request.number > 20 else 0)  # till the refusal has arrived

    server = serve(reaction)
    model(server, concurrency=4).generate(chats(60), GREEDY)
    refused = server.requests[20].at
    later = [request.at - refused for request in server.requests[21:]]
    assert len([wait for wait in later if wait < 0.29]) <= 3  # those that were under way already
    assert len(server.requests) == 61


def test_no_more_requests_at_once_than_the_recipe_allows(serve: Callable[..., FaultyServer]) -> None:
    server = serve(lambda request: Reaction(delay=0.01))
    model(server, concurrency=5).generate(chats(100), PROBE)
    assert server.peak == 5


def test_a_server_with_few_places_is_asked_gently(serve: Callable[..., FaultyServer]) -> None:
    places = 6

    def react(request: Request) -> Reaction:
        if server._running > places:
            return Reaction(503, {"error": "full"})
        return Reaction(delay=0.01)

    server = serve(react)
    found = model(server, concurrency=64).generate(chats(600), GREEDY)
    assert all(row[0].error is None for row in found)
    assert len(server.requests) < 1000  # more than 2,000 where 64 push in


def test_a_caller_who_stops_leaves_nothing_running(serve: Callable[..., FaultyServer]) -> None:
    server = serve(lambda request: Reaction(delay=0.005))
    lm = load_lm(RemoteModel(model="m", base_url=server.url, concurrency=4))

    def stop(count: int) -> None:
        if len(server.requests) > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lm.generate(chats(500), GREEDY, stop)
    sent = len(server.requests)
    time.sleep(0.1)
    assert len(server.requests) <= sent + 4
    lm.generate(chats(500), GREEDY)
    assert 500 <= len(server.requests) < 520  # what was answered is not asked again


# the cache


def test_the_cache_answers_without_a_call(serve: Callable[..., FaultyServer]) -> None:
    server = serve()
    block = RemoteModel(model="m", base_url=server.url, revision="1")
    first = load_lm(block).generate([*chats(20), *chats(5)], PROBE)
    asked = len(server.requests)
    elsewhere = serve()
    again = load_lm(block.model_copy(update={"base_url": elsewhere.url}))
    assert _texts(again.generate([*chats(20), *chats(5)], PROBE)) == _texts(first)
    assert (len(server.requests), len(elsewhere.requests)) == (asked, 0)
    assert again.usage.calls == 0  # type: ignore[attr-defined]
    load_lm(block, cache=False).generate(chats(1), GREEDY)
    assert len(server.requests) == asked + 1


def _texts(found: list[list[Any]]) -> list[list[str]]:
    return [[one.text for one in row] for row in found]


def test_who_asks_for_ten_after_five_pays_for_five(serve: Callable[..., FaultyServer]) -> None:
    server = serve()
    block = RemoteModel(model="m", base_url=server.url)
    [five] = load_lm(block).generate([chat("q")], Sampling(n=5))
    [ten] = load_lm(block).generate([chat("q")], Sampling(n=10))
    assert [one.text for one in ten[:5]] == [one.text for one in five]
    assert [body["n"] for body in server.asked()] == [5, 5]
    assert len({one.text for one in ten}) == 10


@pytest.mark.parametrize(
    ("change", "sampling"),
    [
        ({"model": "other"}, PROBE),
        ({"revision": "2"}, PROBE),
        ({}, Sampling(n=3, greedy_first=True, max_new_tokens=33)),
        ({}, Sampling(n=3, greedy_first=True, max_new_tokens=32, repetition_penalty=1.1)),
        ({"logprobs": True}, PROBE),
        ({"extra": {"top_k": 20}}, PROBE),
    ],
)
def test_what_changes_an_answer_is_in_its_key(
    serve: Callable[..., FaultyServer], change: dict[str, Any], sampling: Sampling
) -> None:
    server = serve()
    block = RemoteModel(model="m", base_url=server.url)
    load_lm(block).generate([chat("q")], PROBE)
    load_lm(block.model_copy(update=change)).generate([chat("q")], sampling)
    assert len(server.requests) == 4


def test_two_servers_with_one_name_for_their_models_share_no_answers(
    serve: Callable[..., FaultyServer],
) -> None:
    for server in (serve(), serve()):
        load_lm(RemoteModel(model="m", base_url=server.url)).generate(chats(3), GREEDY)
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("parameter", "kept"), [("repetition_penalty", False), ("seed", True), ("top_p", True), ("stop", True)]
)
def test_answers_without_what_the_server_refuses_are_not_those_of_the_key(
    serve: Callable[..., FaultyServer], parameter: str, kept: bool
) -> None:
    server = serve(refusing(parameter))
    block = RemoteModel(model="m", base_url=server.url)
    for _ in range(2):
        load_lm(block).generate([chat("q")], Sampling(repetition_penalty=1.1, stop=("\n",)))
    assert len(server.requests) == (2 if kept else 4)


def test_errors_are_never_cached(serve: Callable[..., FaultyServer]) -> None:
    server = serve(lambda r: Reaction(400, {"error": "no"}) if r.number < 5 else Reaction())
    block = RemoteModel(model="m", base_url=server.url)
    assert all(row[0].error for row in load_lm(block).generate(chats(5), GREEDY))
    assert not any(row[0].error for row in load_lm(block).generate(chats(5), GREEDY))


def test_a_thinking_model_gives_answers_or_item_errors(serve: Callable[..., FaultyServer]) -> None:
    def react(request: Request) -> Reaction:
        done = request.question != "question 1"
        said = "<think>Hm, Mali.</think>Bamako." if done else "<think>Hm, Mali. It could be"
        return Reaction(body=reply(choice(said, finish="stop" if done else "length")))

    block = RemoteModel(model="m", base_url=serve(react).url)
    for _ in range(2):  # from the cache too
        found = [row[0] for row in load_lm(block).generate(chats(3), GREEDY)]
        assert [one.text for one in found] == ["Bamako.", "", "Bamako."]
        assert "thinking" in (found[1].error or "")


def test_a_cache_in_which_thinking_is_an_answer_is_asked_again(
    serve: Callable[..., FaultyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    block = RemoteModel(model="m", base_url=serve(lambda r: Reaction(body=reply(choice("<think>Hm.")))).url)
    with monkeypatch.context() as old:
        old.setattr("selfstudy.models.remote.replies.without_thinking", str)
        assert load_lm(block).generate(chats(1), GREEDY)[0][0].text == "<think>Hm."
    assert load_lm(block).generate(chats(1), GREEDY)[0][0].finish == "error"


def test_a_damaged_cache_stops_nothing(serve: Callable[..., FaultyServer], tmp_path: Path) -> None:
    path = tmp_path / "home" / "cache" / "responses.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"rubbish " * 1000)
    server = serve()
    block = RemoteModel(model="m", base_url=server.url)
    for _ in range(2):
        assert load_lm(block).generate(chats(3), GREEDY)[2][0].text == "question 2 | greedy | 0"
    assert len(server.requests) == 3


# the key


def test_the_key_comes_from_the_environment_or_a_file(
    serve: Callable[..., FaultyServer],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = serve()
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    file = tmp_path / "key"
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", f"MY_KEY=127.0.0.1,OTHER_KEY=127.0.0.1,{file}=127.0.0.1")
    file.write_text("sk-file\n")
    file.chmod(0o600)
    model(server, api_key_env="MY_KEY").generate([chat("q")], GREEDY)
    model(server, api_key_env="OTHER_KEY").generate([chat("q")], GREEDY)
    model(server, api_key_file=file).generate([chat("q")], GREEDY)
    assert not caplog.records
    file.chmod(0o644)
    model(server, api_key_file=file)
    assert f"chmod 600 {file}" in caplog.text
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == [f"Bearer {KEY}", "Bearer sk-other", "Bearer sk-file"]


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff\xfe", "sk-ключ".encode(), b"k" * 2**16])
def test_a_key_file_that_is_none(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", f"{file}=api.openai.com")
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match="key") as caught:
        RemoteLM(RemoteModel(model="m", api_key_file=file))
    assert "ключ" not in str(caught.value)


def test_a_server_that_repeats_the_key_does_not_get_it_into_an_answer_or_error(
    serve: Callable[..., FaultyServer], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", "MY_KEY=127.0.0.1")
    caplog.set_level(logging.DEBUG)

    def react(request: Request) -> Reaction:
        said = f"you sent {request.headers['authorization']}"
        answers: list[Reaction] = [
            Reaction(body=reply(choice(said))),
            Reaction(400, {"error": {"message": said}}),
            Reaction(body=said.encode()),
            Reaction(body=reply(choice(None, refusal=said))),
            # where it is cut, the key is no key any more, but half of it
            Reaction(400, {"error": {"message": "x" * 270 + said}}),
            Reaction(400, b"x" * 270 + said.encode()),
            Reaction(body=b"x" * 170 + said.encode()),
            Reaction(body={"error": {"message": "x" * 270 + said}}),
            Reaction(body=reply(choice(None, refusal="x" * 170 + said))),
            Reaction(body=reply(choice(None, finish="x" * 12 + said))),
            Reaction(body=reply(choice(said + "!"))),
        ]
        return answers[int(request.question.split()[-1])]

    server = serve(react)
    lm = model(server, api_key_env="MY_KEY")
    found = [row[0] for row in lm.generate(chats(11), Sampling(temperature=0.0, stop=("cdef!",)))]
    assert found[0].text == "you sent Bearer [key]"
    assert found[10].text == "you sent Bearer [key]!"
    assert all("Bearer [key]" in (one.error or "") for one in found[1:4])
    assert all(one.error for one in found[4:10])
    shown = [
        repr(lm),
        str(vars(lm)),
        caplog.text,
        repr(lm._http_client.key),
        *(one.error or "" for one in found),
    ]
    server = serve(lambda r: Reaction(401, {"error": {"message": r.headers["authorization"]}}))
    with pytest.raises(ModelError, match=r"\[key\]") as caught:
        model(server, api_key_env="MY_KEY").generate(chats(1), GREEDY)
    shown += [str(caught.value), str(caught.getrepr(showlocals=False, chain=True))]
    assert not any(KEY[:8] in text for text in shown)


def test_an_ordinary_word_as_a_key_stays_in_answers(
    serve: Callable[..., FaultyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "none")
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", "MY_KEY=127.0.0.1")
    server = serve(lambda r: Reaction(body=reply(choice("none of them"))))
    [[found]] = model(server, api_key_env="MY_KEY").generate([chat("q")], GREEDY)
    assert found.text == "none of them"
