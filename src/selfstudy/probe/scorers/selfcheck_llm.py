"""SelfCheck with a language model as judge: does a sample support a sentence? (Manakul et al. 2023, 5.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from selfstudy.judging.choices import chosen
from selfstudy.models.base import GREEDY, LanguageModel
from selfstudy.probe.scorers.base import obstacle, scored, sentence_score, usable
from selfstudy.prompts import Prompts
from selfstudy.records import Answer, Completion, Question, Score
from selfstudy.text import sentences

REPLY = replace(GREEDY, max_new_tokens=8)
VALUES = {"yes": 0.0, "no": 1.0}


class SelfCheckLLM:
    """Mean over sentences and samples of the judge's verdict: supported 0, not supported 1.

    Any other reply leaves that pair unjudged (the paper counts it as 0.5, which would pass for a finding).
    """

    name = "selfcheck-llm"

    def __init__(self, judge: LanguageModel, prompts: Prompts) -> None:
        self._judge = judge
        self._prompts = prompts

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. Each distinct (sentence, sample) is asked once; `unjudged` counts pairs."""
        split = [sentences(answer.passage.text) for answer in answers]
        pairs = dict.fromkeys(
            (sentence, sample.text)
            for answer, parts in zip(answers, split, strict=True)
            for sentence in parts
            for sample in usable(answer)
        )
        replies = self._ask(list(pairs))
        return [self._score(answer, parts, replies) for answer, parts in zip(answers, split, strict=True)]

    def _ask(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Completion]:
        chats = [self._prompts.chat("support", context=sample, sentence=part) for part, sample in pairs]
        replies = self._judge.generate(chats, REPLY) if chats else []
        return {pair: reply for pair, (reply,) in zip(pairs, replies, strict=True)}

    def _score(
        self, answer: Answer, parts: Sequence[str], replies: dict[tuple[str, str], Completion]
    ) -> Score:
        said = [[replies[part, sample.text] for sample in usable(answer)] for part in parts]
        values = [[VALUES.get(chosen(reply.text, VALUES) or "") for reply in row] for row in said]
        error = obstacle(answer)
        if error is None:
            first = said[0][0]
            error = f"the judge said neither yes nor no to any pair, first: {first.error or first.text!r}"
        unjudged = sum(row.count(None) for row in values)
        found = [sentence_score(part, row) for part, row in zip(parts, values, strict=True)]
        return scored(self.name, answer, found, error, {"unjudged": float(unjudged)})
