"""The beginnings that different prompts share: read once, then continued by every prompt.

Instructions and demonstrations are the same before every question, a page before all questions about it.
A batch shares one beginning, and inside it groups of prompts may share longer ones.  What one adapter has
read is continued by its own prompts alone: each adapter reads the beginning for itself.  Knows tokens only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from selfstudy.models.local.forward import Forward
from selfstudy.models.local.kept import KeptCache

_PASS = 64
"""A forward pass of its own has to spare this many tokens."""
_DEPTHS = 16
"""How many lengths of longer beginnings are considered."""


@dataclass(frozen=True, slots=True)
class Level:
    """Rows of tokens that are read together: row i continues row parent[i] of the level before.

    adapter[i] is the number of the adapter that reads row i, as it has read what row i continues.
    """

    rows: list[list[int]]
    parent: list[int]
    adapter: list[int]


def padded(rows: Sequence[list[int]], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens (rows, length), their mask, and how many columns at the left of each row are padding.

    Padding repeats the row's own first token: masked from attention, and the repetition penalty knows it.
    """
    length = max(map(len, rows))
    gaps = [length - len(row) for row in rows]
    tokens = torch.tensor([row[:1] * gap + row for row, gap in zip(rows, gaps, strict=True)], device=device)
    gap = torch.tensor(gaps, device=device)
    return tokens, (torch.arange(length, device=device) >= gap[:, None]).long(), gap


def read(
    forward: Forward, prompts: Sequence[list[int]], own: Sequence[int], adapters: Sequence[int] = ()
) -> KeptCache | None:
    """What `prompts`, padded to one length, share: a row for each, with its first columns; None: nothing.

    Args:
        own: how many tokens at the end of each must be left to read.
        adapters: the number of each one's adapter; (): all are the model's own.
    """
    if len(prompts) < 2 or not (forward.keeps and forward.pads):
        return None
    cache: KeptCache | None = None
    gap_before = torch.zeros(1, dtype=torch.long, device=forward.device)
    levels = plan(prompts, own, adapters)
    for number, level in enumerate(levels):
        tokens, mask, gap = padded(level.rows, forward.device)
        if cache is not None:
            parent = torch.tensor(level.parent, device=forward.device)
            before = [len(levels[number - 1].rows[at]) for at in level.parent]
            new = max(len(row) - old for row, old in zip(level.rows, before, strict=True))
            columns = torch.arange(tokens.shape[1] - new, device=forward.device)
            shift = gap_before[parent] - gap
            index = (columns + shift[:, None]).clamp(min=0)
            cache = cache.continued(parent, index, new)
        if number < len(levels) - 1:
            adapter = torch.tensor(level.adapter, device=forward.device)
            _, cache = forward.next_logits(tokens, mask, cache, adapter)
        gap_before = gap
    return cache


def plan(prompts: Sequence[list[int]], own: Sequence[int], adapters: Sequence[int] = ()) -> list[Level]:
    """The levels whose last one is the prompts themselves, by which the fewest tokens are read; [] for one.

    Args:
        own: how many tokens at the end of each must be left to the last level.
        adapters: see `read`.
    """
    who = list(adapters) or [0] * len(prompts)
    most = [len(prompt) - left for prompt, left in zip(prompts, own, strict=True)]
    order = sorted(range(len(prompts)), key=lambda at: (who[at], prompts[at]))
    alike = [in_common(prompts[a], prompts[b]) for a, b in pairwise(order)]
    common = min([*alike, *most])
    if common < 1:
        return []
    shared = [same if who[a] == who[b] else 0 for same, (a, b) in zip(alike, pairwise(order), strict=True)]
    longest, count = max(map(len, prompts)), len(prompts)
    readers = sorted(set(who))
    place = {adapter: at for at, adapter in enumerate(readers)}
    root = Level([prompts[0][:common]] * len(readers), [], readers)
    last = Level(list(prompts), [place[adapter] for adapter in who], who)
    first = common * len(readers)
    best = [root, last]
    least = first + count * (longest - common) + _PASS
    if least >= count * longest:
        best, least = [], count * longest
    for depth in sorted({one for one in shared if one > common + 1})[::-1][:_DEPTHS]:
        beginnings, group = _groups(prompts, most, order, shared, depth, common)
        new = max(len(prompt) - len(beginnings[at]) for prompt, at in zip(prompts, group, strict=True))
        middle = len(beginnings) * (max(map(len, beginnings)) - common)
        tokens = first + middle + count * new + 2 * _PASS
        if tokens < least:
            least = tokens
            reader = dict(zip(group, who, strict=True))
            of = [reader[at] for at in range(len(beginnings))]
            best = [
                root,
                Level(beginnings, [place[adapter] for adapter in of], of),
                replace(last, parent=group),
            ]
    return best


def _groups(
    prompts: Sequence[list[int]],
    most: Sequence[int],
    order: Sequence[int],
    shared: Sequence[int],
    depth: int,
    common: int,
) -> tuple[list[list[int]], list[int]]:
    """Beginnings of groups of prompts that share `depth` tokens, and the group of each prompt.

    A prompt of its own leaves as much to the last level as the others do.
    """
    runs = [[order[0]]]
    lengths = [0]
    for at, length in zip(order[1:], shared, strict=True):
        if length < depth:
            runs.append([at])
            lengths.append(0)
        else:
            lengths[-1] = min(lengths[-1] or length, length, most[at], most[runs[-1][-1]])
            runs[-1].append(at)
    grouped = [(run, length) for run, length in zip(runs, lengths, strict=True) if length]
    left = max(len(prompts[at]) - length for run, length in grouped for at in run)
    group = [0] * len(prompts)
    beginnings = []
    for number, (run, length) in enumerate(zip(runs, lengths, strict=True)):
        first = run[0]
        length = length or min(most[first], len(prompts[first]) - left)
        beginnings.append(prompts[first][: max(length, common, 1)])
        for at in run:
            group[at] = number
    return beginnings, group


def order(forward: Forward, prompts: Sequence[list[int]], adapters: Sequence[int] = ()) -> list[int]:
    """The order in which to batch prompts: longest first, those with half their length in common together.

    Args:
        adapters: see `read`; what two of them have in common is nothing.
    """
    if len(prompts) < 2 or not (forward.keeps and forward.pads):
        return sorted(range(len(prompts)), key=lambda at: -len(prompts[at]))
    who = list(adapters) or [0] * len(prompts)
    alphabetic = sorted(range(len(prompts)), key=lambda at: (who[at], prompts[at]))
    groups = [alphabetic[:1]]
    for before, at in pairwise(alphabetic):
        alike = in_common(prompts[before], prompts[at]) if who[before] == who[at] else 0
        if 2 * alike >= len(prompts[at]):
            groups[-1].append(at)
        else:
            groups.append([at])
    for group in groups:
        group.sort(key=lambda at: (-len(prompts[at]), at))
    groups.sort(key=lambda group: (-len(prompts[group[0]]), group[0]))
    return [at for group in groups for at in group]


def in_common(first: list[int], second: list[int]) -> int:
    """How many tokens at the beginning are the same."""
    length = min(len(first), len(second))
    if first[:length] == second[:length]:
        return length
    return next(at for at in range(length) if first[at] != second[at])
