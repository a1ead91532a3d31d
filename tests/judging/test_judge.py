"""One batch, distinct questions once, readable replies kept, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.files.cache import Cache
from selfstudy.judging.judge import JudgeQuestion, PromptedJudge
from selfstudy.judging.missing import Missing, Unscored, read
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel

from .judges import CountingLM

SCRIPT = {
    "Response: good": "Fine. [[9]] [[[]]]",
    "Response: bad": "Bad. [[2]] [[[All of it.]]]",
    "Response: odd": "I would rather not.",
}


def asked(text: str, limit: int = 64) -> JudgeQuestion:
    return JudgeQuestion("missing", {"prompt": "Who?", "response": text}, limit)


def judged(judge: PromptedJudge, *texts: str) -> list[Missing | Unscored]:
    return judge.judgements([asked(text) for text in texts], [read] * len(texts))


def test_all_questions_are_one_batch_and_distinct_ones_are_asked_once() -> None:
    lm = CountingLM(SCRIPT)
    done: list[int] = []
    judge = PromptedJudge(lm, Prompts())
    texts = ["good", "bad", "good", "good"]
    found = judge.judgements([asked(text) for text in texts], [read] * 4, done.append)
    assert [one.rating for one in found if isinstance(one, Missing)] == [9, 2, 9, 9]
    assert lm.batches == [2]
    assert sum(done) == 4
    assert judge.use.calls == judge.use.fresh == 2


def test_what_cannot_be_read_says_why() -> None:
    lm = CountingLM({**SCRIPT, "Response: long": "word " * 100})
    odd, long, unscripted = judged(PromptedJudge(lm, Prompts()), "odd", "long", "nobody knows")
    assert odd == Unscored("no rating in [[ ]]")
    assert long == Unscored("no rating in [[ ]]: the reply was cut off")
    assert isinstance(unscripted, Unscored)
    assert unscripted.reason.startswith("the judge failed: no scripted answer")


def test_only_readable_replies_are_kept(tmp_path: Path) -> None:
    first, second = CountingLM(SCRIPT), CountingLM(SCRIPT)
    one = PromptedJudge(first, Prompts(), Cache(tmp_path / "c.sqlite"))
    found = judged(one, "good", "odd", "bad")
    two = PromptedJudge(second, Prompts(), Cache(tmp_path / "c.sqlite"))
    assert judged(two, "good", "odd", "bad") == found
    assert (first.batches, second.batches) == ([3], [1])  # "odd" is asked again
    assert (two.use.calls, two.use.fresh) == (3, 1)
    assert two.use.tokens == one.use.tokens  # kept replies cost what they cost


def test_tokens_are_those_of_prompt_and_reply() -> None:
    judge = PromptedJudge(CountingLM(SCRIPT), Prompts())
    judged(judge, "good", "good")
    chat = Prompts().without_demonstrations().chat("missing", prompt="Who?", response="good")
    assert judge.use.tokens == sum(len(turn.content.split()) for turn in chat) + 3


@pytest.mark.parametrize("change", ["model", "prompt"])
def test_another_judge_or_prompt_is_asked_afresh(change: str, tmp_path: Path) -> None:
    judged(PromptedJudge(CountingLM(SCRIPT), Prompts(), Cache(tmp_path / "c.sqlite")), "good")
    folder = tmp_path / "prompts"
    folder.mkdir()
    if change == "prompt":
        (folder / "missing.txt").write_text("Prompt: $prompt\nResponse: $response\nWhat lacks?")
    other = CountingLM(SCRIPT, "other" if change == "model" else "scripted")
    judged(PromptedJudge(other, Prompts(folder), Cache(tmp_path / "c.sqlite")), "good")
    assert other.batches == [1]


def test_a_damaged_entry_is_asked_again(tmp_path: Path) -> None:
    lm = CountingLM(SCRIPT)
    cache = Cache(tmp_path / "c.sqlite")
    judge = PromptedJudge(lm, Prompts(), cache)
    judged(judge, "good")
    keys = [row[0] for row in cache._db.execute("SELECT key FROM entries")]
    cache.put(dict.fromkeys(keys, b"[1]"))
    judged(judge, "good")
    assert lm.batches == [1, 1]


def test_without_a_cache_nothing_is_kept() -> None:
    lm = CountingLM(SCRIPT)
    judge = PromptedJudge(lm, Prompts())
    judged(judge, "good")
    judged(judge, "good")
    assert lm.batches == [1, 1]  # its weights may have changed
    assert (judge.use.calls, judge.use.fresh) == (1, 2)


def test_a_judge_with_weights(tiny_llama: Path, tmp_path: Path) -> None:
    from selfstudy import load_lm

    lm = load_lm(LocalModel(path=str(tiny_llama)))
    judge = PromptedJudge(lm, Prompts(), Cache(tmp_path / "c.sqlite"))
    (found,) = judged(judge, "good")
    assert isinstance(found, Unscored)  # random weights rate nothing
    assert "the judge failed" not in found.reason
    assert judge.use.tokens > 64
