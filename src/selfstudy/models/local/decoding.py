"""Decodes many prompts at once as a prefix tree: texts that agree so far are computed once.

Each distinct (prompt, tokens so far) is one row of the model's cache; each completion asked for is a member
that points to a row.  A step is one forward pass over the rows.  Members of a row share its distribution and
each takes its own token from it: members that took the same token stay together, different tokens split the
row, finished members leave, rows without members go.  All of that is one selection of cache rows.  The
distribution of every member is exactly that of decoding it alone, but K samples that agree cost one.  Each
row has its adapter from its prompt on; rows of two adapters are never one.

Knows tokens only: nothing of chats, texts or files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from selfstudy.models.base import Sampling
from selfstudy.models.local import prefixes
from selfstudy.models.local.forward import Cached, Forward, select_rows
from selfstudy.models.local.kept import staying
from selfstudy.models.local.sampling import choose, punished, streams

Stopped = Callable[[list[int]], bool] | None
"""Whether the newest of the new tokens of a row ends it, beside the end tokens; None: nothing else does."""
Left = Callable[[int, list[int]], bool] | None
"""Whether nobody wants more of the completion of a slot, which has these new tokens; None: all are wanted."""
EndReason = Literal["stop", "length", "error"]
REASONS: tuple[EndReason, ...] = ("stop", "length", "error")


@dataclass(frozen=True, slots=True)
class Member:
    """A completion asked for: the caller's `slot` for it, the `key` of its random stream (None: greedy)."""

    slot: int
    key: int | None


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids, and every completion wanted of them.

    `limit`: most new tokens, at least 1.  `spared`: how many of the first tokens no repetition penalty knows.
    `adapter`: the number of the adapter that reads and continues it; 0: none does.
    """

    tokens: list[int]
    members: list[Member]
    limit: int
    spared: int = 0
    adapter: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """A completion: its tokens (the end token included), their summed log-probability, why it ended."""

    slot: int
    tokens: list[int]
    logprob: float
    reason: EndReason


@dataclass(frozen=True, slots=True)
class _Members:
    """Columns over the members of a batch, in one fixed order."""

    slot: list[int]
    greedy: Tensor  # (members,) bool
    uniform: Tensor  # (members, steps) float64
    limit: Tensor  # (members,)

    def slots(self, members: Tensor) -> list[int]:
        """The callers' numbers for some of them."""
        return [self.slot[member] for member in members.tolist()]


@dataclass(slots=True)
class _Branch:
    """Rows that are computed together.

    `cache` holds the beginning of `cached` rows, all but the last token once they were read; row i of the
    branch continues cache row parent[i].  Another branch may hold the same cache when it is `shared`.
    """

    tokens: Tensor  # (rows, length), left-padded with the row's own first token
    mask: Tensor  # (rows, length)
    spared: Tensor  # (rows,) columns at the left whose tokens are not punished
    adapter: Tensor  # (rows,) number of the adapter of each
    logprob: Tensor  # (rows,) float64
    row: Tensor  # (members,) the row of each member still writing
    member: Tensor  # (members,) which member of the batch that is
    cache: Cached = None
    cached: int = 0
    parent: Tensor | None = None
    shared: bool = False

    def halves(self) -> tuple[_Branch, _Branch]:
        """The first and the second half of the rows, each with its members."""
        middle = len(self.tokens) // 2
        return self._part(0, middle), self._part(middle, len(self.tokens))

    def _part(self, start: int, end: int) -> _Branch:
        inside = (self.row >= start) & (self.row < end)
        return replace(
            self,
            tokens=self.tokens[start:end],
            mask=self.mask[start:end],
            spared=self.spared[start:end],
            adapter=self.adapter[start:end],
            logprob=self.logprob[start:end],
            row=self.row[inside] - start,
            member=self.member[inside],
            parent=None if self.parent is None else self.parent[start:end],
            shared=True,
        )


class Decoder(ABC):
    """Decodes batches of prompts with one set of sampling options.

    Args:
        forward: the model.
        sampling: its n, greedy_first and stop are the caller's business.
        ends: token ids that end a completion.
        budget: most tokens (rows x length) of one forward pass; what is above it is cut in halves, of which
            the second waits.
        stopped: says whether the new tokens of a row end it, beside `ends`.
        left: is told the slot and the new tokens of every completion at every step, where somebody listens,
            and says whether nobody wants more of it.
    """

    def __init__(
        self,
        forward: Forward,
        sampling: Sampling,
        ends: Tensor,
        budget: int,
        stopped: Stopped = None,
        left: Left = None,
    ) -> None:
        self._forward = forward
        self._sampling = sampling
        self._ends = ends
        self._budget = budget
        self._stopped = stopped
        self._left = left

    @abstractmethod
    def rows(self, prompt: Prompt) -> int:
        """How many rows of a forward pass a prompt may need."""

    @abstractmethod
    def run(self, prompts: Sequence[Prompt], emit: Callable[[list[Finished]], None]) -> None:
        """Decodes all members of `prompts`; `emit` gets them as they finish, in no particular order."""

    def _ended(self, new: Tensor) -> Tensor:
        """Which rows end with the last of their new tokens (rows, length)."""
        ended = torch.isin(new[:, -1], self._ends)
        if self._stopped is not None:
            texts = [self._stopped(text) for text in new.tolist()]
            ended |= torch.tensor(texts, device=ended.device)
        return ended


class TreeDecoder(Decoder):
    """Decodes as a prefix tree; the second half of a branch that is cut costs the cache they came from."""

    def rows(self, prompt: Prompt) -> int:
        return len(prompt.members)

    @torch.inference_mode()
    def run(self, prompts: Sequence[Prompt], emit: Callable[[list[Finished]], None]) -> None:
        members = self._members(prompts)
        root = self._root(prompts)
        start = root.tokens.shape[1]
        waiting = [root]
        while waiting:
            branch: _Branch | None = waiting.pop()
            while branch is not None:
                if branch.tokens.numel() > self._budget and len(branch.tokens) > 1:
                    branch, later = branch.halves()
                    waiting.append(later)
                else:
                    branch, finished = self._step(branch, members, start)
                    if finished:
                        emit(finished)

    def _members(self, prompts: Sequence[Prompt]) -> _Members:
        device = self._ends.device
        every = [(member, prompt.limit) for prompt in prompts for member in prompt.members]
        greedy = torch.tensor([member.key is None for member, _ in every], device=device)
        keys = np.array([member.key or 0 for member, _ in every], dtype=np.uint64)
        return _Members(
            slot=[member.slot for member, _ in every],
            greedy=greedy,
            uniform=torch.from_numpy(streams(keys, max(limit for _, limit in every))).to(device),
            limit=torch.tensor([limit for _, limit in every], device=device),
        )

    def _root(self, prompts: Sequence[Prompt]) -> _Branch:
        """All prompts, left-padded to one length, with what they share already read."""
        device = self._ends.device
        every, adapters = [prompt.tokens for prompt in prompts], [prompt.adapter for prompt in prompts]
        cache = prefixes.read(self._forward, every, [1] * len(every), adapters)
        tokens, mask, gaps = prefixes.padded(every, device)
        pairs = zip(prompts, gaps.tolist(), strict=True)
        spared = [prompt.spared and prompt.spared + gap for prompt, gap in pairs]
        counts = torch.tensor([len(prompt.members) for prompt in prompts], device=device)
        return _Branch(
            tokens=tokens,
            mask=mask,
            spared=torch.tensor(spared, device=device),
            adapter=torch.tensor(adapters, device=device),
            logprob=torch.zeros(len(prompts), dtype=torch.float64, device=device),
            row=torch.arange(len(prompts), device=device).repeat_interleave(counts),
            member=torch.arange(int(counts.sum()), device=device),
            cache=cache,
            cached=len(prompts),
            parent=None if cache is None else torch.arange(len(prompts), device=device),
        )

    def _step(self, branch: _Branch, members: _Members, start: int) -> tuple[_Branch | None, list[Finished]]:
        """One token for every member: the branch that goes on (None when all are done), and who finished."""
        own = self._own_cache(branch)
        logits, cache = self._forward.next_logits(branch.tokens, branch.mask, own, branch.adapter)
        vocabulary = logits.shape[1]
        step = branch.tokens.shape[1] - start
        uniform, greedy = members.uniform[branch.member, step], members.greedy[branch.member]
        seen = punished(branch.tokens, branch.spared)
        token, total = choose(logits, seen, branch.row, uniform, greedy, self._sampling)

        # Members that continue a row by the same token are one row from here on.
        child, of = torch.unique(branch.row * vocabulary + token, return_inverse=True)
        parent, token = child // vocabulary, child % vocabulary
        tokens = torch.cat([branch.tokens[parent], token[:, None]], 1)
        logprob = branch.logprob[parent] + (logits[parent, token] - total[parent]).double()

        failed = ~total[parent].isfinite()
        ended = self._ended(tokens[:, start:])
        done = (ended | failed)[of] | (members.limit[branch.member] <= step + 1)
        if self._left is not None:
            done |= gone(self._left, members.slots(branch.member), of.tolist(), tokens[:, start:])

        finished: list[Finished] = []
        if bool(done.any()):
            finished = _finished(
                members.slots(branch.member[done]),
                of[done],
                tokens[:, start:],
                logprob,
                reasons(ended, failed),
            )
            if bool(done.all()):
                return None, finished
        kept, row = torch.unique(of[~done], return_inverse=True)
        order = staying(parent[kept])
        kept, row = kept[order], torch.argsort(order)[row]
        parent = parent[kept]
        mask = branch.mask[parent]
        return _Branch(
            tokens=tokens[kept],
            mask=torch.cat([mask, mask.new_ones(len(mask), 1)], 1),
            spared=branch.spared[parent],
            adapter=branch.adapter[parent],
            logprob=logprob[kept],
            row=row,
            member=branch.member[~done],
            cache=cache,
            cached=len(branch.tokens),
            parent=parent,
        ), finished

    @staticmethod
    def _own_cache(branch: _Branch) -> Cached:
        """The branch's cache with exactly its rows, so that the forward pass may change it."""
        if branch.cache is None or branch.parent is None:
            return None
        rows = branch.parent
        if not branch.shared and torch.equal(rows, torch.arange(branch.cached, device=rows.device)):
            return branch.cache
        return select_rows(branch.cache, rows, own=not branch.shared)


def gone(
    left: Callable[[int, list[int]], bool], slots: Sequence[int], rows: Sequence[int], new: Tensor
) -> Tensor:
    """Which completions nobody wants more of: that of slots[i] has row rows[i] of the new tokens."""
    texts = new.tolist()
    found = [left(slot, texts[row]) for slot, row in zip(slots, rows, strict=True)]
    return torch.tensor(found, device=new.device)


def reasons(ended: Tensor, failed: Tensor) -> Tensor:
    """Why each row that is done ends, as a place in `REASONS`."""
    return torch.where(failed, 2, torch.where(ended, 0, 1))


def _finished(slots: list[int], row: Tensor, new: Tensor, logprob: Tensor, reason: Tensor) -> list[Finished]:
    """Finished members from their rows; each row's tokens are fetched once."""
    rows, index = torch.unique(row, return_inverse=True)
    texts, sums, why = new[rows].tolist(), logprob[rows].tolist(), reason[rows].tolist()
    return [
        Finished(slot, texts[i], sums[i], REASONS[why[i]])
        for slot, i in zip(slots, index.tolist(), strict=True)
    ]
