"""At which smaller strength an adapter that learned but forgot is asked once more.

The strength is chosen by a smooth quantity over what verify never asks: what teaching rehearsed.  Accuracy
jumps where two words are nearly as probable, and whoever searches on the questions of the test finds luck
(methods-more J).  r of an answer is the mean probability of its tokens, given those before; what is lost of
it relative to the model before teaching counts, never what is won elsewhere.  Not its logarithm: that goes on
falling long after an answer is lost, and makes the fall look small at half the strength.

The rule: the largest of the strengths at which the loss is at most `remain` of the loss at full strength,
where `remain` is the share of the fall that the gate lets pass (a fall of .08 with a margin of .02: a
quarter); else the smallest.  Where nothing rehearsed was lost, the square of the strength stands for that
share: near the model a change that is scaled by s moves its distributions by s^2.

Answers to trained gaps are measured beside it, for people; they choose nothing, for verify asks them.
Pure functions over records; they know nothing of models or of how an adapter is scaled.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from selfstudy.prompts import Prompts
from selfstudy.records import Answer, Chat, Example, Pair, Question, Verdict
from selfstudy.run import Round
from selfstudy.run.general import known_facts
from selfstudy.run.split import general_tests, split_of

T = TypeVar("T")
Item = tuple[Chat, str]
"""A prompt and the answer to it."""
AnswerTokens = Sequence[Sequence[float]]
"""Natural-log probabilities of the tokens of each answer; of one that cannot be scored none."""

MOST = 100
"""Most items of each kind."""
UNSEEN = 1e-3
"""A loss per answer below this is none: rounding alone moves r by less."""


class StrengthPoint(BaseModel):
    """At one strength: mean r of the answers to trained gaps and of what was rehearsed, and its mean loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    strength: float
    taught: float | None
    rehearsed: float | None
    lost: float


class Chosen(BaseModel):
    """weaker.json: the strength, what share of the loss may remain, and the curve: 1, down to it, and 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    strength: float
    remain: float
    taught: int
    rehearsed: int
    curve: tuple[StrengthPoint, ...]


def taught_items(round_: Round) -> list[Item]:
    """Trained gaps in trained wordings, without a page."""
    found = [(e.prompt, e.completion) for e in round_.iter(Example) if e.kind in ("reference", "imported")]
    found = found or [(p.prompt, p.chosen) for p in round_.iter(Pair) if p.origin != "random"]
    return _some(found, round_, "taught")


def rehearsed_items(round_: Round, prompts: Prompts) -> list[Item]:
    """Known questions that verify keeps off, with what the model answered; reading and neutral examples."""
    split, run = split_of(round_), round_.run
    verdicts = {v.question_id for v in round_.iter(Verdict) if v.kind == "known"}
    wanted = verdicts - split.held_out - split.reserved
    said = {a.question_id: a.passage.text.strip() for a in round_.iter(Answer) if a.question_id in wanted}
    known = [(q.text, said.get(q.id, "")) for q in round_.iter(Question) if q.id in wanted]
    tests = general_tests(run)
    known += [(fact.question, fact.said.strip()) for fact in known_facts(run) if fact.id not in tests]
    asked = [(prompts.chat("answer", question=text), answer) for text, answer in known if answer]
    there = {(chat[-1], answer) for chat, answer in asked}
    examples = [e for e in round_.iter(Example) if (e.prompt[-1], e.completion) not in there]
    found = _some(asked, round_, "known")
    for kind in ("replay", "swapped", "neutral"):
        found += _some([(e.prompt, e.completion) for e in examples if e.kind == kind], round_, kind)
    return found


def choose(
    strengths: Sequence[float],
    remain: float,
    taught: Sequence[Item],
    rehearsed: Sequence[Item],
    score: Callable[[float, Sequence[Item]], AnswerTokens],
) -> Chosen:
    """Goes by the rule of this file; of the curve it measures full strength, 0, and down to what is chosen.

    Args:
        strengths: those to choose from, each in (0, 1).
        remain: share of the loss at full strength that may remain, in (0, 1].
        score: the token log-probabilities of items at a strength; 0 is the model before teaching.
    """
    items = [*taught, *rehearsed]

    def right(strength: float) -> list[float | None]:
        return [_right(tokens) for tokens in score(strength, items)]

    before = right(0.0)
    curve = [_point(1.0, right(1.0), before, len(taught))]
    full = curve[0].lost
    for strength in sorted(strengths, reverse=True):
        curve.append(_point(strength, right(strength), before, len(taught)))
        if (curve[-1].lost / full if full >= UNSEEN else strength**2) <= remain:
            break
    return Chosen(
        strength=curve[-1].strength,
        remain=remain,
        taught=len(taught),
        rehearsed=len(rehearsed),
        curve=(*curve, _point(0.0, before, before, len(taught))),
    )


def _point(
    strength: float, row: Sequence[float | None], before: Sequence[float | None], taught: int
) -> StrengthPoint:
    pairs = [(a, b) for a, b in zip(row[taught:], before[taught:], strict=True) if None not in (a, b)]
    kept = [(a, b) for a, b in pairs if a is not None and b is not None]
    return StrengthPoint(
        strength=strength,
        taught=_mean([a for a in row[:taught] if a is not None]),
        rehearsed=_mean([a for a, _ in kept]),
        lost=_mean([max(0.0, b - a) for a, b in kept]) or 0.0,
    )


def _right(tokens: Sequence[float]) -> float | None:
    """Mean probability of the tokens, in [0, 1]; None where they could not be scored."""
    value = fmean(math.exp(min(0.0, one)) for one in tokens) if tokens else math.nan
    return value if math.isfinite(value) else None


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _some(items: Sequence[T], round_: Round, kind: str) -> list[T]:
    """At most `MOST`, by the seed, in their order."""
    rng = random.Random(f"{round_.run.recipe.seed}:strengths:{kind}")
    return [items[i] for i in sorted(rng.sample(range(len(items)), min(MOST, len(items))))]
