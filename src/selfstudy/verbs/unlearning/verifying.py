"""Asks what was forgotten again: of the model that stands now, and of one that never saw it (methods-more I).

The questions are in memory alone.  Numbers come of it, by name, and sentences that say what they mean.  Knows
nothing of how a model was made.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfstudy.judging.correctness import Expected, judge
from selfstudy.judging.truth_ratio import same_distribution, truth_ratio
from selfstudy.models import taught
from selfstudy.models.answering import from_memory
from selfstudy.models.base import NoLogprobsError
from selfstudy.run import Run, standing
from selfstudy.verbs.unlearning.resting import ForgottenQuestion, Resting
from selfstudy.verbs.unlearning.wrong_answers import wrong_answers

if TYPE_CHECKING:
    from selfstudy.judging.answer_key import AnswerKey
    from selfstudy.models.base import EntailmentModel, LanguageModel
    from selfstudy.prompts import Prompts
    from selfstudy.recipe import AnsweringBlock

ForgettingFigures = dict[str, float | str | bool | None]
MOST = 400
"""Questions that are asked again."""


@dataclass(frozen=True)
class AskingAgain:
    """What asking again needs.

    Attributes:
        now: loads the model that stands.
        unseen: loads one that never saw the source.
        unseen_name: what it is called: `base`, or as it was given.
    """

    now: Callable[[], LanguageModel]
    unseen: Callable[[], LanguageModel]
    unseen_name: str
    nli: EntailmentModel
    prompts: Prompts
    answering: AnsweringBlock
    key: AnswerKey | None = None


@dataclass(frozen=True)
class Heard:
    """What one model says to all questions.

    Attributes:
        answers: greedy ones; "" where it failed.
        right: log-probabilities of the tokens of each question's paraphrase of the right answer.
        wrong: the same of each of its wrong answers.
        correct: whether each answer is right; None where it could not be judged.
    """

    answers: list[str]
    correct: list[bool | None]
    right: list[list[float]]
    wrong: list[list[list[float]]]

    @property
    def share(self) -> float:
        """Of right answers, among those that could be judged."""
        judged = [one for one in self.correct if one is not None]
        return sum(judged) / len(judged) if judged else math.nan

    @property
    def ratios(self) -> list[float]:
        """Truth ratios; NaN where there is none."""
        return [truth_ratio(r, w) for r, w in zip(self.right, self.wrong, strict=True)]


def again(found: Resting, asking: AskingAgain) -> ForgettingFigures:
    """What asking again (`to_ask`) shows.

    Returns:
        asked: how many questions.  right_now, right_unseen: shares of right answers.  same_answers: share
        that is answered to the letter alike.  logprob_difference: the largest between the two models,
        of any token of right and wrong answers; 0 is the same model, as far as it was asked.
        truth_ratio_now, truth_ratio_unseen: medians.  ks, ks_p: the Kolmogorov-Smirnov test between these.
    """
    asked = to_ask(found)
    if not asked:
        return {"asked": 0, "unseen": asking.unseen_name}
    pool = [(one.text, one.right) for one in (*found.asked, *found.others)]
    wrong = [wrong_answers(one.text, one.right, pool) for one in asked]
    now = hear(asking.now(), asking, asked, wrong)
    unseen = hear(asking.unseen(), asking, asked, wrong)
    test = same_distribution(now.ratios, unseen.ratios)
    same = sum(a == b for a, b in zip(now.answers, unseen.answers, strict=True))
    return {
        "unseen": asking.unseen_name,
        "asked": len(asked),
        "right_now": _number(now.share),
        "right_unseen": _number(unseen.share),
        "same_answers": same / len(asked),
        "logprob_difference": _difference(now, unseen),
        "truth_ratio_now": _median(now.ratios),
        "truth_ratio_unseen": _median(unseen.ratios),
        "ks": None if test is None else test.statistic,
        "ks_p": None if test is None else test.p,
    }


def to_ask(found: Resting) -> list[ForgottenQuestion]:
    """The questions that were taught, or all if none was."""
    return ([one for one in found.asked if one.taught] or found.asked)[:MOST]


def hear(
    lm: LanguageModel,
    asking: AskingAgain,
    asked: Sequence[ForgottenQuestion],
    wrong: Sequence[Sequence[str]] = (),
) -> Heard:
    """Asks a model all of it; without `wrong` no probabilities."""
    chats = [asking.prompts.chat("answer", question=one.text) for one in asked]
    said = [one[0] for one in lm.generate(chats, from_memory(asking.answering, 0, 0))]
    usable = [i for i, one in enumerate(said) if one.finish != "error"]
    expected = [Expected(_accepted(asking.key, one), one.right) for one in asked]
    judgements = judge(
        [asked[i].text for i in usable],
        [said[i].text for i in usable],
        [expected[i] for i in usable],
        asking.nli,
    )
    correct: list[bool | None] = [None] * len(asked)
    for i, judgement in zip(usable, judgements, strict=True):
        correct[i] = judgement.correct
    texts = [(i, (one.paraphrases or (one.right,))[0]) for i, one in enumerate(asked) if wrong]
    count = len(texts)
    texts += [(i, text) for i, some in enumerate(wrong) for text in some]
    try:
        scored = lm.logprobs([chats[i] for i, _ in texts], [text for _, text in texts]) if texts else []
    except NoLogprobsError:
        scored = [[] for _ in texts]
    by: list[list[list[float]]] = [[] for _ in asked]
    for (i, _), one in zip(texts[count:], scored[count:], strict=True):
        by[i].append(one)
    return Heard([one.text for one in said], correct, scored[:count] or [[] for _ in asked], by)


def _accepted(key: AnswerKey | None, asked: ForgottenQuestion) -> tuple[str, ...]:
    truth = key.lookup(asked.text) if key is not None else None
    return truth.answers if truth is not None else ()


def _difference(one: Heard, other: Heard) -> float | None:
    pairs = [
        (a, b)
        for left, right in ((one.right, other.right), (_flat(one.wrong), _flat(other.wrong)))
        for first, second in zip(left, right, strict=True)
        for a, b in zip(first, second, strict=len(first) == len(second))
    ]
    return max((abs(a - b) for a, b in pairs), default=None)


def _flat(parts: Sequence[Sequence[list[float]]]) -> list[list[float]]:
    return [one for part in parts for one in part]


def _median(values: Sequence[float]) -> float | None:
    left = [value for value in values if not math.isnan(value)]
    return _number(statistics.median(left)) if left else None


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def adapter_hashes(run: Run) -> dict[str, str]:
    """SHA-256 of every file of every adapter beside a router, by round, adapter and file."""
    found = {}
    for round_ in run.rounds:
        folder = round_.adapter()
        if taught.is_routed(folder):
            for name, place in taught.adapters_of(folder).items():
                for file, digest in standing.hashes(place).items():
                    found[f"{round_.number}/{name}/{file}"] = digest
    return found


def kept(run: Run, before: Mapping[str, str]) -> ForgettingFigures:
    """Whether the adapters that are left are byte for byte what they were."""
    after = adapter_hashes(run)
    names = {name.rpartition("/")[0] for name in after.keys() & before.keys()}
    changed = {n.rpartition("/")[0] for n in after.keys() & before.keys() if after[n] != before[n]}
    return {"adapters_kept": len(names), "adapters_changed": len(changed)} if names else {}


def told(figures: ForgettingFigures) -> list[str]:
    """The figures in plain sentences: what they mean, and what they do not."""
    if not figures:
        return ["not verified: nothing was asked again"]
    lines = []
    if "adapters_kept" in figures:
        lines.append(
            f"adapters that stay: {figures['adapters_kept']:,}; {figures['adapters_changed']:,} of these "
            "differ from before in any byte (SHA-256 of all files)"
        )
    if not figures.get("asked"):
        return [*lines, "no question is left to be asked again (an interrupted attempt cleaned them first)"]
    unseen = "the model as it came" if figures["unseen"] == "base" else str(figures["unseen"])
    lines.append(
        f"asked again: {figures['asked']:,} questions; right: {_said(figures['right_now'])} now, "
        f"{_said(figures['right_unseen'])} by {unseen}, which never saw the source"
    )
    difference = figures["logprob_difference"]
    exact = difference == 0 and figures["same_answers"] == 1
    lines.append(
        "both answer all of them to the letter alike, with equal log-probabilities: what was taught is gone "
        "exactly"
        if exact
        else f"answered to the letter alike: {_said(figures['same_answers'])}; log-probabilities differ by "
        f"at most {_said(difference)}"
    )
    if figures["ks_p"] is not None:
        p = float(figures["ks_p"])
        lines.append(
            f"truth ratios (median {_said(figures['truth_ratio_now'])} and "
            f"{_said(figures['truth_ratio_unseen'])}): Kolmogorov-Smirnov p = {p:.3g}, "
            + ("not told apart (above .05)" if p > 0.05 else "told apart: something of it may be left")
        )
    lines.append(
        "what the model knew before it was taught it still knows: that is no leak of the source, and nothing "
        "is suppressed; with few questions no test tells much apart"
    )
    return lines


def _said(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else "not known"
