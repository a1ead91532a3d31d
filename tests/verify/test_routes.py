"""What a router did with what verify asked, as shares."""

from __future__ import annotations

import pytest

from selfstudy.models.embedder import load as load_embedder
from selfstudy.prompts import Prompts
from selfstudy.recipe import EmbedderBlock, RouterBlock
from selfstudy.records import Check, Target, Wording
from selfstudy.teach.router import build
from selfstudy.verify.routes import routed_shares

PLACES = ("Peru", "Chile", "Ghana", "Nepal", "Cuba", "Fiji", "Togo", "Oman")
SOUTH = {f"s{n}": f"What is the capital of {place}?" for n, place in enumerate(PLACES)}
REST = {f"r{n}": f"Which currency is used in {place}?" for n, place in enumerate(PLACES)}
KNOWN = {f"k{n}": f"Who painted the {thing} in the old hall?" for n, thing in enumerate(PLACES)}


def check(name: str, asked: str, target: Target = "gap", wording: Wording = "original") -> Check:
    return Check(
        question_id=name,
        arm="taught",
        target=target,
        wording=wording,
        asked=asked,
        answer="",
        expected="",
        correct=False,
    )


def test_shares_of_an_adapters_own_gaps_and_of_what_it_should_leave_alone() -> None:
    block = EmbedderBlock()
    router = build(
        {"south-1": list(SOUTH.items()), "rest-2": list(REST.items())},
        list(KNOWN.items()),
        ["How do I bake bread?", "What is the tallest tree?"],
        RouterBlock(),
        load_embedder(block),
        block,
        0,
    )
    checks = [
        *(check(name, text) for name, text in SOUTH.items()),
        check("s0", "How deep is the sea?", wording="novel"),  # which no adapter takes
        check("r0", SOUTH["s0"], wording="novel"),  # which the other one takes
        check("k0", "How high is the sky?", "known"),
        check("k1", SOUTH["s1"], "known"),
        check("s0", SOUTH["s0"], "reading"),  # with a page, which is not in the check
    ]
    again = [one.model_copy(update={"arm": "base"}) for one in checks]
    taught = {"south-1": tuple(SOUTH), "rest-2": tuple(REST)}
    found = routed_shares([*checks, *again], router, taught, Prompts())
    south, rest = found["south-1"], found["rest-2"]
    assert (south.asked, south.own, south.other, south.novel) == (9, pytest.approx(8 / 9), 0.0, 0.0)
    assert (rest.asked, rest.own, rest.other, rest.novel) == (1, 0.0, 1.0, 0.0)
    assert (south.others_asked, south.false_activation) == (2, 0.5)
    assert rest.false_activation == 0.0


def test_nothing_asked_is_no_share() -> None:
    block = EmbedderBlock()
    router = build({"south-1": list(SOUTH.items())}, [], [], RouterBlock(), load_embedder(block), block, 0)
    found = routed_shares([], router, {}, Prompts())["south-1"]
    assert (found.asked, found.own, found.novel, found.false_activation) == (0, None, None, None)
