"""What the router of a round did with the questions that verify asked: none of them has it seen before.

It reads checks, and routes their questions again: no language model is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from selfstudy.prompts import Prompts
from selfstudy.records import Check, Unit

if TYPE_CHECKING:
    from selfstudy.models.router import Router

FORGETTING = ("known", "general")
"""Targets of which no adapter should answer anything."""


class RoutedShares(BaseModel):
    """Of an adapter's own gaps, in all wordings that verify asked, and of what the base model should answer.

    Attributes:
        asked: wordings of its gaps.
        own: share of them that it answers.
        other: share that another adapter answers; the rest goes to the base model.
        novel: as `own`, of wordings that were never trained; None: none was asked.
        others_asked: questions held out that the model knew, and general ones.
        false_activation: share of these that it answers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    asked: int = 0
    own: Unit | None = None
    other: Unit | None = None
    novel: Unit | None = None
    others_asked: int = 0
    false_activation: Unit | None = None


def routed_shares(
    checks: Sequence[Check], router: Router, taught: Mapping[str, Collection[str]], prompts: Prompts
) -> dict[str, RoutedShares]:
    """By the name of the adapter.

    Args:
        checks: of one round, any arms; each question counts once.
        taught: ids of what each adapter was taught.
    """
    found = {(c.question_id, c.target, c.wording, c.asked): c for c in checks if c.target != "reading"}
    asked = list(found.values())
    chats = [prompts.chat("answer", question=one.asked) for one in asked]
    routes = [one.adapter for one in router.route([router.routing_text(chat) for chat in chats])]
    both = list(zip(asked, routes, strict=True))
    kept = [route for check, route in both if check.target in FORGETTING]
    activated = Counter(kept)
    shares: dict[str, RoutedShares] = {}
    for name in router.adapters:
        mine = [(c, r) for c, r in both if c.target == "gap" and c.question_id in taught.get(name, ())]
        new = [r for c, r in mine if c.wording == "novel"]
        shares[name] = RoutedShares(
            asked=len(mine),
            own=_share(r == name for _, r in mine),
            other=_share(r not in (name, None) for _, r in mine),
            novel=_share(r == name for r in new),
            others_asked=len(kept),
            false_activation=activated[name] / len(kept) if kept else None,
        )
    return shares


def _share(hits: Iterable[bool]) -> float | None:
    found = list(hits)
    return sum(found) / len(found) if found else None
