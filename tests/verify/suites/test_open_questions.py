"""The sample of open questions, and asking them."""

from __future__ import annotations

from selfstudy import ScriptedLM
from selfstudy.verify.suites.open_questions import answers, sampled


def test_the_sample_goes_by_the_seed_and_is_never_in_the_order_of_the_file() -> None:
    some = list(range(50))
    assert sampled(some, 10, 0) == sampled(some, 10, 0) != sampled(some, 10, 1)
    assert sorted(sampled(some, None, 0)) == some
    assert sampled(some, None, 0) != some
    assert sorted(sampled(some, 99, 0)) == some


def test_answers_are_greedy_and_failures_are_completions() -> None:
    found = answers(ScriptedLM({"good": ["one", "two"]}), ["good?", "bad?"])
    assert found[0].text == "one"
    assert (found[1].finish, found[1].text) == ("error", "")
