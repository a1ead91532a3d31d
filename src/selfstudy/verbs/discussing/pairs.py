"""Discussions become preference pairs: of a topic's two closing answers the one that earned more is chosen.

Each was rated by its opponent, so a pair compares two judges' numbers: one that is strict with everybody
makes its own answers win.  measures.py says how far apart they are.  What makes no pair is counted, by
reason (verbs/rating/choosing.py).  Asks no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic_core import to_json

from selfstudy.errors import DataError
from selfstudy.files import jsonl, private
from selfstudy.judging.rewards import Reward
from selfstudy.models.base import chat
from selfstudy.verbs import outputs
from selfstudy.verbs.discussing.discussion import Discussion
from selfstudy.verbs.discussing.topics import SIDES
from selfstudy.verbs.outputs import MARK
from selfstudy.verbs.rating.choosing import RatedPair, choose
from selfstudy.verbs.rating.given import GivenAnswer, PromptAnswers
from selfstudy.verbs.rating.layouts import LAYOUTS

VERB = "discuss"
BROKE_OFF = "broke off"
_KEPT = frozenset({"discussions", "measures"})


def closing_pairs(found: Sequence[Discussion], margin: float) -> tuple[list[RatedPair], Counter[str]]:
    """The pairs, and how many discussions made none, by reason.

    Args:
        margin: the better answer must earn more than the other by more than this.
    """
    pairs: list[RatedPair] = []
    without: Counter[str] = Counter()
    for one in found:
        outcome = BROKE_OFF if one.error else choose(_answers(one), _rewards(one), margin)
        if isinstance(outcome, RatedPair):
            pairs.append(outcome)
        else:
            without[outcome] += 1
    return pairs, without


def write_pairs(path: Path, pairs: Sequence[RatedPair]) -> None:
    """Writes them as TRL has conversational preferences, with what both earned under our mark.

    Raises:
        RunError: the file cannot be written; what was there is as it was.
    """
    private.make_folder(path.parent)
    jsonl.replace(path, b"".join(to_json(_row(pair)) + b"\n" for pair in pairs), None, private.SHARED)


def require_pairs(pairs: Sequence[RatedPair], without: Counter[str]) -> None:
    """Refuses to end well without a pair.

    Raises:
        DataError: there is none; says why.
    """
    if not pairs:
        said = ", ".join(f"{count:,} {why}" for why, count in without.most_common())
        raise DataError(
            f"no pair came of {sum(without.values()):,} discussions: {said}",
            "give more topics, a smaller --margin, or models that rate (selfstudy doctor --model MODEL)",
        )


def require_apart(pairs: Path, folder: Path) -> None:
    """Refuses pairs in the place of what is kept.

    Raises:
        RunError: `folder` keeps something by that name.
    """
    outputs.require_apart(pairs, folder, _KEPT, "--pairs", "pairs.jsonl")


def _answers(one: Discussion) -> PromptAnswers:
    texts = list(dict.fromkeys(one.closings[side].text for side in SIDES))
    answers = tuple(GivenAnswer(text) for text in texts)
    return PromptAnswers(chat(one.topic), answers, len(SIDES) - len(texts), ())


def _rewards(one: Discussion) -> list[Reward]:
    return [one.received[side].valued for side in SIDES]


def _row(pair: RatedPair) -> dict[str, object]:
    good, bad = pair.chosen_reward, pair.rejected_reward
    mark = {
        "verb": VERB,
        "chosen": good.value,
        "rejected": bad.value,
        "why_chosen": good.why,
        "why_rejected": bad.why,
    }
    return {**LAYOUTS["trl"](pair.chat, pair.chosen, pair.rejected), MARK: mark}
