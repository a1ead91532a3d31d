"""What the suites cost: all of a block at once against one item at a time, side by side in one run.

    python benchmarks/suites.py speed [--model atlas] [--questions 24] [--repeats 3]

One at a time is what a script does that loops over questions: the same model, the same calls, with batches
of one.  Both ways have to give the same log-probabilities and answers, or there is nothing to compare.
Fastest of the repeats; what is loaded stays loaded.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from selfstudy import load_lm
from selfstudy.models.base import Sampling, chat
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.recipe.suites import PerplexityBlock, QABlock, TruthfulQABlock
from selfstudy.verify.suites.perplexity import perplexity
from selfstudy.verify.suites.qa import qa
from selfstudy.verify.suites.truthfulqa import continuation, multiple_choice_context, truthfulqa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("speed", help="batched against one at a time")
    verb.add_argument("--model", default="atlas", help="a folder, a Hub id, or atlas")
    verb.add_argument("--questions", type=int, default=41)
    verb.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    speed(given.model, given.questions, given.repeats)


def speed(model: str, questions: int, repeats: int) -> None:
    """Prints a row for each kind of question."""
    lm: Any = load_lm(LocalModel(path=model))
    print("| what | items | at once, s | one at a time, s | ratio |\n|---|---:|---:|---:|---:|")
    for name, texts, ask in (
        ("options of MC1 and MC2", _options(questions), lambda some: _scored(lm, some)),
        ("answers of truthfulqa", _answers(questions), lambda some: _said(lm, some, 32)),
        ("short answers of qa", _short(questions), lambda some: _said(lm, some, 16)),
        ("pieces of perplexity", _pieces(questions), lambda some: _scored(lm, some)),
    ):
        together, all_at_once = _fastest(lambda ask=ask, texts=texts: ask(texts), repeats)
        alone, one_by_one = _fastest(lambda ask=ask, texts=texts: [ask([t])[0] for t in texts], repeats)
        _require_same(name, together, alone)
        ratio = one_by_one / all_at_once
        print(f"| {name} | {len(texts)} | {all_at_once:.2f} | {one_by_one:.2f} | {ratio:.1f} |", flush=True)


def _options(count: int) -> list[Any]:
    asked = truthfulqa(TruthfulQABlock(questions=count), 0)._questions
    return [
        (multiple_choice_context(one.question), continuation(option))
        for one in asked
        for option in (*one.true, *one.false)
    ]


def _answers(count: int) -> list[Any]:
    asked = truthfulqa(TruthfulQABlock(questions=count), 0)._questions
    return [chat(multiple_choice_context(one.question)) for one in asked]


def _short(count: int) -> list[Any]:
    asked = [one for one in qa(QABlock(), 0)._questions if not one.page][:count]
    return [Prompts().chat("qa_answer", question=one.question) for one in asked]


def _pieces(count: int) -> list[Any]:
    return [(one.before, one.text) for one in perplexity(PerplexityBlock(), 0)._pieces[:count]]


def _scored(lm: Any, pairs: list[Any]) -> list[Any]:
    return lm.text_logprobs([before for before, _ in pairs], [text for _, text in pairs])


def _said(lm: Any, chats: list[Any], limit: int) -> list[Any]:
    return [one.text for (one,) in lm.generate(chats, Sampling(temperature=0.0, max_new_tokens=limit))]


def _fastest(ask: Callable[[], list[Any]], repeats: int) -> tuple[list[Any], float]:
    seconds, found = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        found = ask()
        seconds.append(time.perf_counter() - start)
    return found, min(seconds)


def _require_same(name: str, together: list[Any], alone: list[Any]) -> None:
    if isinstance(together[0], str):
        other = sum(one != two for one, two in zip(together, alone, strict=True))
        if other > len(together) // 20:  # rounding may turn an answer whose two next tokens are equally good
            raise SystemExit(f"{name}: {other} of {len(together)} answers differ")
        return
    off = max(abs(sum(one) - sum(two)) for one, two in zip(together, alone, strict=True))
    if off > 1e-2:
        raise SystemExit(f"{name}: log-probabilities differ by {off:g}")


if __name__ == "__main__":
    main()
