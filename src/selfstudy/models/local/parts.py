"""A call cut into the batches that it is computed in: places of its items, each in one part.

Pure functions over places; they know neither tokens nor models.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence


def whole(batches: Sequence[Sequence[int]], count: int) -> list[list[int]]:
    """Batches as parts of `count` items: what is in none, as it is not computed, goes with the last.

    Args:
        batches: a place may come several times in one, and in no two; empty: all is one part.
    """
    found = [sorted(set(batch)) for batch in batches]
    rest = set(range(count)).difference(*found)
    if rest:
        found[-1:] = [sorted(rest.union(*found[-1:]))]
    return found


def together(batches: Sequence[Sequence[int]], said: Mapping[int, Hashable]) -> list[list[int]]:
    """Batches, those put together that have places of one text: its occurrences say which sample is whose.

    It is of few batches, if of any: one text may be ended by different words (`ChatFormat.stop`).
    """
    found: list[list[int]] = []
    of: dict[Hashable, list[int]] = {}
    for batch in batches:
        mine = list(batch)
        for other in {id(one): one for at in batch if (one := of.get(said[at])) is not None}.values():
            found = [one for one in found if one is not other]
            mine += other
        found.append(mine)
        of |= dict.fromkeys((said[at] for at in mine), mine)
    return found
