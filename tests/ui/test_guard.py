"""Who may come in: who has the token, under a name of this host, from no other site's page."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from selfstudy.ui.guard import PageGuard

TOKEN = "a-token-that-nobody-guesses"


def client(**headers: str) -> TestClient:
    routes = Starlette(routes=[Route("/{rest:path}", lambda request: PlainTextResponse("inside"))])
    guarded = PageGuard(routes, TOKEN, "selfstudy-7860", {"127.0.0.1", "localhost"})
    return TestClient(guarded, base_url="http://127.0.0.1:7860", headers=headers, follow_redirects=False)


def test_the_token_opens_once_and_is_not_in_the_next_address() -> None:
    browser = client()
    door = browser.get("/run", params={"token": TOKEN, "run": "a b&c"})
    assert (door.status_code, door.headers["location"]) == (303, "/run?run=a+b%26c")
    assert "httponly" in door.headers["set-cookie"].lower()
    assert browser.get("/run?run=a").text == "inside"


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", f"?token={TOKEN}&token={TOKEN}"])
def test_without_it_nobody_comes_in(query: str) -> None:
    assert client().get(f"/{query}").status_code == 403


def test_the_door_leads_to_this_host_alone() -> None:
    door = client().get("http://127.0.0.1:7860//evil.example/", params={"token": TOKEN})
    assert door.headers["location"] == "/evil.example/"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        # browsers send one cookie to all ports: who serves a page on another one must not use ours
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "http://127.0.0.1"}, 403),
        ({"origin": "http://localhost:7860"}, 403),
        ({"origin": "http://127.0.0.1:7860"}, 303),
    ],
)
def test_other_hosts_and_sites_are_refused_even_with_it(headers: dict[str, str], status: int) -> None:
    assert client(**headers).get("/", params={"token": TOKEN}).status_code == status


@pytest.mark.parametrize(
    ("hosts", "host", "origin", "status"),
    [
        ({"127.0.0.1"}, "127.0.0.1:7860", "http://127.0.0.1:7860", 200),
        ({"127.0.0.1", "work.example"}, "127.0.0.1:7860", "https://work.example", 200),
        ({"127.0.0.1", "work.example"}, "work.example", "https://work.example:444", 403),
        (None, "10.0.0.1:7860", "http://10.0.0.1:7860", 200),
        (None, "10.0.0.1:7860", "http://10.0.0.1:9999", 403),
    ],
    ids=["itself", "proxy", "beside-the-proxy", "anywhere", "beside-anywhere"],
)
def test_a_page_is_ours_by_its_whole_origin(
    hosts: set[str] | None, host: str, origin: str, status: int
) -> None:
    routes = Starlette(routes=[Route("/{rest:path}", lambda request: PlainTextResponse("inside"))])
    browser = TestClient(PageGuard(routes, TOKEN, "c", hosts), cookies={"c": TOKEN})
    assert browser.get("/", headers={"host": host, "origin": origin}).status_code == status


def test_every_answer_forbids_to_fetch_from_elsewhere() -> None:
    for answer in (client().get("/"), client().get("/", params={"token": TOKEN})):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
