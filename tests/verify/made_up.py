"""Made-up checks: so many right of so many, per arm and target."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.records import Arm, Check, Target, Wording
from selfstudy.verify.gains import Resampling

HOW = Resampling(confidence=0.95, resamples=2_000, seed=0)


def checks(
    arm: Arm, target: Target, right: Sequence[bool | None], wording: Wording = "original"
) -> list[Check]:
    """One check per entry of `right`; None is a failed one."""
    return [
        Check(
            question_id=f"{target}{i}",
            arm=arm,
            target=target,
            wording=wording,
            asked=f"{wording} {i}?",
            answer="" if good is None else "a",
            expected="e",
            correct=good,
            error="out of memory" if good is None else None,
        )
        for i, good in enumerate(right)
    ]


def in_orders(arm: Arm, target: Target, right: Sequence[Sequence[bool]]) -> list[Check]:
    """One fact per row of `right`, which is asked in as many orders of the demonstrations as the row has."""
    turned = zip(*right, strict=True)
    return [
        check.model_copy(update={"order": order, "id": "", "fact": check.question_id})
        for order, some in enumerate(turned)
        for check in checks(arm, target, some)
    ]


def share(right: int, of: int) -> list[bool | None]:
    """`right` right ones first."""
    return [i < right for i in range(of)]


def both(target: Target, before: int, after: int, of: int, wording: Wording = "original") -> list[Check]:
    return checks("base", target, share(before, of), wording) + checks(
        "taught", target, share(after, of), wording
    )


LEARNED = both("gap", 10, 95, 100) + both("gap", 8, 90, 100, "reworded") + both("reading", 100, 100, 100)
