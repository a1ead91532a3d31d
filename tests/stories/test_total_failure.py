"""Nothing usable comes of a server: said with the first items, exit code 2; the same command goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfstudy.models.remote import retries
from selfstudy.records import Answer, Failure, Question, Score
from selfstudy.run import Run

from ..models.remote.faulty_server import FaultyServer, Reaction, Request, choice, reply
from .small import cli, refusal

COUNT = 120
LOGIN = b"<!DOCTYPE html><html><title>Sign in</title></html>"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(retries, "BACKOFF", 0.001)
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def recipe(tmp_path: Path, server: FaultyServer, *, questions: bool = True, **more: Any) -> Path:
    import yaml

    (tmp_path / "q.txt").write_text("".join(f"What is the capital of Land {i}?\n" for i in range(COUNT)))
    ask = {"method": "external", "source": str(tmp_path / "q.txt"), "count": COUNT, "questions": questions}
    content = {
        "model": {"type": "remote", "model": "m", "base_url": server.url},
        "probe": {"ask": [ask], "samples": 2, "scorer": "agreement"},
        "smoke": "skip",  # it would find it first
        **more,
    }
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


FAULTS: dict[str, tuple[Callable[[Request], Reaction], str]] = {
    "login page": (lambda r: Reaction(body=LOGIN), "no JSON object"),
    "redirect": (lambda r: Reaction(301, b"", {"Location": "/v1/elsewhere"}), "a redirect to /v1/elsewhere"),
    "redirect to nowhere": (lambda r: Reaction(301, b""), "HTTP 301, a redirect to nowhere"),
    "no such model": (lambda r: Reaction(400, {"error": {"message": "no such model"}}), "no such model"),
    "thinking": (lambda r: Reaction(body=reply(choice("<think>Hm", finish="length"))), "thinking"),
    "empty": (lambda r: Reaction(body=reply(choice(None))), "holds no text"),
}


@pytest.mark.parametrize("questions", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_of_which_nothing_comes(tmp_path: Path, fault: str, questions: bool) -> None:
    react, said = FAULTS[fault]
    broken = True
    with FaultyServer(lambda r: react(r) if broken else Reaction()) as server:
        path = recipe(tmp_path, server, questions=questions)
        message = refusal(cli("probe", path, "--run", tmp_path / "run"))
        assert said in message
        assert len(server.requests) < 100
        with Run.open(tmp_path / "run", write=False) as run:
            assert not run.round(1).finished("probe")
            for kind in (Failure, Answer):
                assert not run.round(1).read(kind)
        broken = False
        code, _, shown = cli("probe", path, "--run", tmp_path / "run")
        assert code == 0, shown
        with Run.open(tmp_path / "run", write=False) as run:
            assert run.round(1).finished("probe")
            assert not run.round(1).read(Failure)
            assert len(run.round(1).read(Score)) == len(run.round(1).read(Question))


def test_a_scorer_without_what_it_needs_is_found_before_all_is_paid(tmp_path: Path) -> None:
    with FaultyServer() as server:  # it gives no log-probabilities, whatever it is asked
        model = {"type": "remote", "model": "m", "base_url": server.url, "logprobs": True}
        path = recipe(tmp_path, server, model=model)
        options = ("--run", tmp_path / "run", "--set", "probe.compare=[predictive-entropy]")
        message = refusal(cli("probe", path, *options))
        assert "scoring with predictive-entropy: all of the first 16 failed" in message
        assert len(server.requests) < 100
        message = refusal(cli("probe", path, *options))
        assert "predictive-entropy" in message
        assert len(server.requests) < 100


@pytest.mark.parametrize("where", ["scorer", "compare"])
def test_a_scorer_that_needs_what_was_not_asked_for_is_refused_at_once(tmp_path: Path, where: str) -> None:
    with FaultyServer() as server:
        value = "semantic-entropy" if where == "scorer" else "[semantic-entropy]"
        path = recipe(tmp_path, server)
        message = refusal(cli("probe", path, "--run", tmp_path / "run", "--set", f"probe.{where}={value}"))
        assert "log-probabilities" in message
        assert "logprobs" in message
        assert not server.requests


def test_a_few_bad_items_among_good_ones_are_failures_as_ever(tmp_path: Path) -> None:
    def react(request: Request) -> Reaction:
        bad = any(f"Land {i}?" in request.question for i in (0, 1, 2, 50))
        return Reaction(400, {"error": {"message": "not this one"}}) if bad else Reaction()

    with FaultyServer(react) as server:
        code, _, shown = cli("probe", recipe(tmp_path, server), "--run", tmp_path / "run")
        assert code == 0, shown
        with Run.open(tmp_path / "run", write=False) as run:
            assert len(run.round(1).read(Failure)) == 4
            assert len(run.round(1).read(Answer)) == COUNT - 4
