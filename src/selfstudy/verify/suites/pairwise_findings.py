"""What many judged pairs say together: intervals, length, and whether the judge may be trusted.

It reads the items of the suite `pairwise` after teaching, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.judging.judge_trust import FEWEST, JudgeTrust, KeyedPair, judge_trust
from selfstudy.judging.pairwise import FEWEST_FOR_LENGTH, Choice, JudgedPair, compare, length_controlled
from selfstudy.records import SuiteItem
from selfstudy.stats import Interval
from selfstudy.verify.suites.pairwise import NAME, WITH, WITHOUT

_FAR = 0.1
"""Length-controlled and raw win rate further apart than this, and than a quarter of what is left to the end
of the scale, are not both to be trusted (methods-more G)."""


@dataclass(frozen=True, slots=True)
class PairwiseFindings:
    """What no mean of single items says.

    Attributes:
        win_rate: of the answers after teaching, with an interval over questions.
        length_controlled: the same if answers were of one length; None: too few pairs, or nothing to tell by.
        trust: of the judge, where rows have gold answers; None without.
        in_words: all of it, for people.
    """

    win_rate: Interval
    length_controlled: float | None
    trust: JudgeTrust | None
    in_words: tuple[str, ...]


def findings(items: Sequence[SuiteItem], seed: int) -> PairwiseFindings | None:
    """Over the items of the model after teaching; None where the judge said nothing that counts."""
    own = [one for one in items if one.suite == NAME]
    counted = [one for one in own if "points" in one.parts]
    if not counted:
        return None
    judged = [_pair_of(one) for one in counted]
    figures = compare(judged, seed)
    points = [one.parts["points"] for one in counted]
    lengths = [[int(one.parts[name]) for one in counted] for name in ("characters", "characters_before")]
    controlled = length_controlled(points, lengths[0], lengths[1])
    trust = trust_in_judge(items, seed)
    rate = figures.win_rate
    same = sum(one.parts["identical"] for one in counted)
    words = [
        f"win rate {rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f}): {figures.wins} wins, "
        f"{figures.losses} losses (sign test p {figures.p:.3g}), {figures.ties} ties ({same:.0f} of the same "
        f"text), {figures.halves} half, {figures.inconsistent} flips; {len(own) - len(counted)} not counted",
        f"judge: consistency {figures.consistency:.2f}, "
        + ("no choices" if figures.position_bias is None else f"position bias {figures.position_bias:+.2f}")
        + f", both times the first {figures.primacy}, the second {figures.recency}",
        *_of_length(rate.value, controlled, len(counted), lengths),
        *([] if trust is None else [_of_trust(trust)]),
    ]
    return PairwiseFindings(rate, controlled, trust, tuple(words))


def trust_in_judge(items: Sequence[SuiteItem], seed: int = 0) -> JudgeTrust | None:
    """How the judge does on the items of rows with gold answers; None where these decide nothing."""
    keyed = [one.parts for one in items if one.suite == NAME and {"gold", "points"} <= one.parts.keys()]
    return judge_trust(
        [KeyedPair(one["gold"], one["points"], one["longer"], one.get("more_entailed")) for one in keyed],
        seed,
    )


def may_not_decide(items: Sequence[SuiteItem], seed: int = 0) -> str:
    """Why what the judge says of these items decides nothing, and what to do; "" if it may decide.

    It may if it is shown to be better than comparisons that cannot judge; what nobody knows is not shown.
    """
    trust = trust_in_judge(items, seed)
    if trust is not None and trust.trusted:
        return ""
    if trust is None:
        why = "no row's gold answers tell the two answers apart"
        todo = f"give rows with gold `answers`, so that {FEWEST} pairs or more are of a right and a wrong one"
    elif trust.trusted is None:
        why = f"{trust.decided} pairs are of a right and a wrong answer, and {FEWEST} are needed"
        todo = "give more rows with gold `answers`"
    else:
        others = f"longer wins {trust.longer:.2f}" + (
            "" if trust.entailed is None else f", more entailed wins {trust.entailed:.2f}"
        )
        why = f"on {trust.decided} pairs with gold answers it is right in {trust.accuracy:.2f}; {others}"
        todo = "name another `judge`, or give more rows with gold `answers`"
    return f"the judge is not shown to be better than length ({why}): {todo}, or leave `margin` out"


def _pair_of(item: SuiteItem) -> JudgedPair:
    """What decided an item, out of its reasons."""
    said = item.reasons.get(WITH) or item.reasons[WITHOUT]
    choices: dict[str, Choice] = {"first": "first", "second": "second", "tie": "tie"}
    plain, _, exchanged = said.partition(", then ")
    return JudgedPair(choices.get(plain), choices.get(exchanged))


def _of_length(raw: float, controlled: float | None, n: int, lengths: Sequence[Sequence[int]]) -> list[str]:
    means = [sum(some) / n for some in lengths]
    said = f"characters {means[0]:,.0f} after, {means[1]:,.0f} before"
    if controlled is None:
        why = f"{n} of {FEWEST_FOR_LENGTH} pairs" if n < FEWEST_FOR_LENGTH else "all differ by one length"
        return [f"{said}; win rate not controlled for length ({why})"]
    room = raw if controlled < raw else 1 - raw
    far = abs(controlled - raw) > max(_FAR, room / 4)
    warning = " (far from raw: length or merit, it cannot tell which)" if far else ""
    return [f"{said}; win rate controlled for length {controlled:.3f}{warning}"]


def _of_trust(trust: JudgeTrust) -> str:
    kappa = "" if trust.kappa is None else f", kappa {trust.kappa:.2f}"
    entailed = "" if trust.entailed is None else f", more entailed wins {trust.entailed:.2f}"
    verdict = {
        True: "the judge is better",
        False: "the judge is not surely better than these and a coin: it may not decide",
        None: f"fewer than {FEWEST} pairs are decided: too few to say",
    }[trust.trusted]
    return (
        f"against gold answers ({trust.decided} pairs decided of {trust.pairs}): judge "
        f"{trust.accuracy:.2f}{kappa}; longer wins {trust.longer:.2f}{entailed}: {verdict}"
    )
