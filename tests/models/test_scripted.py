"""ScriptedLM: the fake that others test with."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, Sampling, chat
from selfstudy.models.scripted import ScriptedLM
from selfstudy.recipe import ScriptedModel


def test_the_first_matching_pattern_answers_in_turn() -> None:
    lm = ScriptedLM({"capital of France": ["Paris.", "Lyon."], "France": "Yes."})
    found = lm.generate([chat("The capital of France?"), chat("France?")], Sampling(n=3, greedy_first=True))
    assert [one.text for one in found[0]] == ["Paris.", "Lyon.", "Paris.", "Lyon."]
    assert [one.text for one in found[1]] == ["Yes."] * 4
    assert lm.generate([chat("The capital of France?")], GREEDY)[0][0].text == "Paris."


def test_the_system_part_and_line_ends_can_be_matched() -> None:
    lm = ScriptedLM({r"^system: Be brief.*user: Who": "Me."})
    assert lm.generate([chat("Who?", "Be brief.")], GREEDY)[0][0].text == "Me."


def test_functions_limits_stops_and_errors() -> None:
    lm = ScriptedLM(
        {"count": lambda asked, k: f"{k} one two three\nmore", "fail": lambda asked, k: str(1 / 0)}
    )
    done: list[int] = []
    found = lm.generate([chat("count"), chat("fail"), chat("?")], Sampling(n=2, stop=("\n",)), done.append)
    assert [one.text for one in found[0]] == ["0 one two three", "1 one two three"]
    assert (found[0][0].tokens, found[0][0].logprob) == (4, -4.0)
    assert [row[0].finish for row in found] == ["stop", "error", "error"]
    assert "division by zero" in (found[1][0].error or "")
    assert sum(done) == 3
    short = lm.generate([chat("count")], Sampling(max_new_tokens=2))[0][0]
    assert (short.text, short.finish) == ("0 one", "length")
    assert lm.logprobs([chat("x")], ["a b c"]) == [[-1.0, -1.0, -1.0]]


def test_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text("capital: [Paris., Lyon.]\nother: 42\n")
    lm = load_lm(ScriptedModel(path=path))
    assert [one.text for one in lm.generate([chat("capital?")], Sampling(n=2))[0]] == ["Paris.", "Lyon."]
    assert lm.generate([chat("other")], GREEDY)[0][0].text == "42"


@pytest.mark.parametrize("text", ["- a list", "a: [", "'(': x", "a: []"])
def test_a_bad_script_is_explained(tmp_path: Path, text: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(ModelError) as caught:
        ScriptedLM.from_yaml(path)
    assert caught.value.hint
    with pytest.raises(ModelError, match="cannot be read"):
        ScriptedLM.from_yaml(tmp_path / "absent.yaml")
