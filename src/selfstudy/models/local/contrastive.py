"""Contrastive search: of the most probable tokens the one that is least like what the text has said so far.

Su et al. 2022, "A Contrastive Framework for Neural Text Generation", arXiv 2202.06417, equation 5.  The score
of a candidate v after the text x is

    (1 - alpha) p(v | x) - alpha max_j cos(h_v, h_j)

over the last layer's hidden states h_j of all tokens of x, prompt included.  h_v is known once v has been
read, so that a step is one forward pass over prompts x candidates.  A text that goes round in a circle comes
to states that it had before, and leaves it.  The search has no chance in it: one prompt, one completion.

Knows tokens only: nothing of chats, texts or files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from selfstudy.models.local import prefixes
from selfstudy.models.local.decoding import REASONS, Decoder, Finished, Prompt, gone, reasons
from selfstudy.models.local.forward import Cached, select_rows
from selfstudy.models.local.kept import KeptCache
from selfstudy.models.local.sampling import most_probable, penalise_, punished


def candidates(logits: Tensor, count: int) -> Tensor:
    """The tokens (rows, count) of the largest logits of each row, in order; equal ones by their number.

    `topk` leaves open which of equal ones it takes, and in bfloat16 many are equal.
    """
    left = logits.clone()
    found = []
    for _ in range(min(count, logits.shape[1])):
        found.append(most_probable(left)[:, None])
        left.scatter_(1, found[-1], -torch.inf)
    return torch.cat(found, 1)


def scores(probability: Tensor, states: Tensor, said: Tensor, mask: Tensor, alpha: float) -> Tensor:
    """The score (rows, candidates) of each candidate, in [-1, 1] (module docstring).

    Args:
        probability: (rows, candidates), of each after the row.
        states: (rows, candidates, size), unit vectors.
        said: (rows, length, size), unit vectors of the tokens of the row.
        mask: (rows, length), 0 where padded.
        alpha: penalty_alpha.
    """
    alike = (states @ said.transpose(1, 2)).masked_fill(mask[:, None] == 0, -torch.inf)
    return (1 - alpha) * probability - alpha * alike.amax(2)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Prompts that are searched together, all up to the same step.

    `cache` holds every row `width` times in a row, once the prompts were read; None: this model has none.
    """

    at: Tensor  # (rows,) which prompt of the batch
    tokens: Tensor  # (rows, length), left-padded with the row's own first token
    mask: Tensor  # (rows, length)
    spared: Tensor  # (rows,) columns at the left whose tokens are not punished
    adapter: Tensor  # (rows,) number of the adapter of each
    states: Tensor  # (rows, length, size), unit vectors
    logits: Tensor  # (rows, vocabulary), of the next token
    logprob: Tensor  # (rows,) float64
    cache: Cached = None

    def halves(self, width: int) -> tuple[_Rows, _Rows]:
        """The first and the second half of the rows, each with a cache of its own."""
        middle = len(self.at) // 2
        every = torch.arange(len(self.at), device=self.at.device)
        return self.only(every[:middle], width), self.only(every[middle:], width)

    def only(self, rows: Tensor, width: int) -> _Rows:
        """Some of the rows."""
        return _Rows(
            at=self.at[rows],
            tokens=self.tokens[rows],
            mask=self.mask[rows],
            spared=self.spared[rows],
            adapter=self.adapter[rows],
            states=self.states[rows],
            logits=self.logits[rows],
            logprob=self.logprob[rows],
            cache=None if self.cache is None else select_rows(self.cache, _wide(rows, width)),
        )


def _wide(rows: Tensor, width: int) -> Tensor:
    """Where the candidates of rows stand."""
    return (rows[:, None] * width + torch.arange(width, device=rows.device)).flatten()


class ContrastiveDecoder(Decoder):
    """Searches one completion of each prompt; all members of a prompt get it.

    Of the options it takes penalty_alpha, top_k and the repetition penalty, by which probabilities are taken.
    Its rows are prompts x candidates; those of one prompt are always read together.
    """

    def rows(self, prompt: Prompt) -> int:
        return self._sampling.top_k

    @torch.inference_mode()
    def run(self, prompts: Sequence[Prompt], emit: Callable[[list[Finished]], None]) -> None:
        waiting = [self._read(prompts)]
        start = waiting[0].tokens.shape[1]
        limit = torch.tensor([prompt.limit for prompt in prompts], device=self._ends.device)
        while waiting:
            rows = waiting.pop()
            width = min(self._sampling.top_k, rows.logits.shape[1])
            while True:
                if len(rows.at) > 1 and width * (rows.tokens.numel() + len(rows.at)) > self._budget:
                    rows, later = rows.halves(width)
                    waiting.append(later)
                    continue
                rows, failed = self._step(rows, width)
                new = rows.tokens[:, start:]
                ended = self._ended(new)
                done = ended | failed | (limit[rows.at] <= new.shape[1])
                if self._left is not None:
                    done |= self._all_gone(self._left, [prompts[at] for at in rows.at.tolist()], new)
                if bool(done.any()):
                    emit(_finished(prompts, rows, start, done, reasons(ended, failed)))
                    if bool(done.all()):
                        break
                    rows = rows.only((~done).nonzero()[:, 0], width)

    @staticmethod
    def _all_gone(left: Callable[[int, list[int]], bool], prompts: Sequence[Prompt], new: Tensor) -> Tensor:
        """Which rows nobody wants more of: all members of a prompt have one."""
        slots = [[member.slot for member in prompt.members] for prompt in prompts]
        found = [gone(left, some, [0] * len(some), row[None]) for some, row in zip(slots, new, strict=True)]
        return torch.stack([one.all() for one in found])

    def _read(self, prompts: Sequence[Prompt]) -> _Rows:
        """The prompts, left-padded to one length and read; each once, and kept once for every candidate."""
        device = self._ends.device
        tokens, mask, gaps = prefixes.padded([prompt.tokens for prompt in prompts], device)
        pairs = zip(prompts, gaps.tolist(), strict=True)
        spared = [prompt.spared and prompt.spared + gap for prompt, gap in pairs]
        adapter = torch.tensor([prompt.adapter for prompt in prompts], device=device)
        logits, states, cache = self._forward.next_states(tokens, mask, None, adapter)
        width = min(self._sampling.top_k, logits.shape[1])
        at = torch.arange(len(prompts), device=device)
        return _Rows(
            at=at,
            tokens=tokens,
            mask=mask,
            spared=torch.tensor(spared, device=device),
            adapter=adapter,
            states=normalize(states, dim=2),
            logits=logits,
            logprob=torch.zeros(len(prompts), dtype=torch.float64, device=device),
            cache=None if cache is None else select_rows(cache, at.repeat_interleave(width)),
        )

    def _step(self, rows: _Rows, width: int) -> tuple[_Rows, Tensor]:
        """One token more for every row; and which rows have failed, as something in them is no number."""
        logits, count = rows.logits, len(rows.at)
        total = logits.logsumexp(1)
        failed = ~total.isfinite()
        judged = logits.masked_fill(failed[:, None], 0.0)
        penalise_(judged, punished(rows.tokens, rows.spared), self._sampling.repetition_penalty)
        token = candidates(judged, width)
        probability = judged.softmax(1).gather(1, token)

        wide = torch.cat([rows.tokens.repeat_interleave(width, 0), token.flatten()[:, None]], 1)
        mask = torch.cat([rows.mask, rows.mask.new_ones(count, 1)], 1)
        after, states, cache = self._forward.next_states(
            wide, mask.repeat_interleave(width, 0), rows.cache, rows.adapter.repeat_interleave(width)
        )
        states = normalize(states[:, -1], dim=1).view(count, width, -1)
        score = scores(probability, states, rows.states, rows.mask, self._sampling.penalty_alpha)
        failed |= ~score.isfinite().all(1)
        score = score.masked_fill(probability == 0, -torch.inf)  # a vocabulary may have fewer candidates
        best = score.masked_fill(failed[:, None], 0.0).argmax(1)  # the first of several, as torch promises

        every = torch.arange(count, device=best.device)
        chosen, place = token[every, best], every * width + best
        return replace(
            rows,
            tokens=wide[place],
            mask=mask,
            states=torch.cat([rows.states, states[every, best][:, None]], 1),
            logits=after[place],
            logprob=rows.logprob + (logits[every, chosen] - total).double(),
            cache=_settled(cache, place.repeat_interleave(width)),
        ), failed


def _settled(cache: Cached, place: Tensor) -> Cached:
    """A cache in which every candidate of a prompt is the one that was chosen, at `place`."""
    if isinstance(cache, KeptCache):  # candidates differ in their last column alone
        cache.move(place, cache.columns - 1)
        return cache
    return None if cache is None else select_rows(cache, place)


def _finished(
    prompts: Sequence[Prompt], rows: _Rows, start: int, done: Tensor, why: Tensor
) -> list[Finished]:
    """The members of rows that are done."""
    columns = (rows.at[done], rows.tokens[done, start:], rows.logprob[done], why[done])
    return [
        Finished(member.slot, tokens, logprob, REASONS[reason])
        for at, tokens, logprob, reason in zip(*(column.tolist() for column in columns), strict=True)
        for member in prompts[at].members
    ]
