"""Answers that a model has just given, as rows of tokens with a reward on each; what is computed of them.

A matrix of answers has the shape (answers, longest): place t of a row is token t of its answer, padded on the
right; log-probabilities and values there are those of the token, or of the state before it.  Prompts are in
none of it.  Knows nothing of how advantages are made of rewards, or of losses.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from selfstudy.judging import citations
from selfstudy.models.base import Sampling
from selfstudy.models.local.lm import LocalLM
from selfstudy.records import Completion
from selfstudy.teach import rewards
from selfstudy.teach.cited_practice import AnswerRewards, CitedExercise, CitedPractice
from selfstudy.teach.trainers import answered, memory, packed, shared

PACKED = 2048
"""Most tokens of a pass on the CPU, counted once where packing shares them: more are not faster."""


@dataclass(frozen=True)
class Rollout:
    """An answer.

    Attributes:
        group: which exercise of the step it answers.
        row: `prompt_ids` and `answer_ids`.
        rewards: of each token of the answer.
        segments: of each token, which sentence or item it belongs to, from 0.
        text: as it follows the prompt.
    """

    group: int
    row: shared.TokenRow
    rewards: list[float]
    segments: list[int]
    text: str

    @property
    def total(self) -> float:
        """All that it has earned."""
        return sum(self.rewards)


Columns = dict[str, list[float]]
"""Numbers of each token of an answer, by what says them."""


@dataclass
class Rollouts:
    """The answers of a step that have rewards.

    Attributes:
        problems: why others have none.
    """

    answers: list[Rollout] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def collected(
    exercises: Sequence[CitedExercise],
    completions: Sequence[Sequence[tuple[Completion, list[int]]]],
    valued: AnswerRewards,
    tokens: shared.Tokens,
    model: Any,
    seed: int,
    never_own: bool = False,
) -> Rollouts:
    """Judges all answers in one call, and puts what they earn on their tokens.

    Args:
        completions: of each exercise, with the tokens that they were generated as (`LocalLM.sampled`).
        model: must be able to read them.
        never_own: see `CitationRewards.rewards`.
    """
    found = Rollouts()
    given = [(group, *one) for group, row in enumerate(completions) for one in row]
    found.problems += [one.error or "generation failed" for _, one, _ in given if one.finish == "error"]
    given = [each for each in given if each[1].finish != "error"]
    located = tokens.located(
        [exercises[group].prompt for group, _, _ in given],
        [one.text for _, one, _ in given],
        [one.finish == "stop" for _, one, _ in given],
    )
    outputs: list[list[str]] = [[] for _ in exercises]
    for (group, _, _), (text, _, _) in zip(given, located, strict=True):
        outputs[group].append(text)
    judged = (one for row in valued.rewards(exercises, outputs, seed, never_own=never_own) for one in row)
    prompts = tokens.prompts([one.prompt for one in exercises])
    for (group, _, generated), (text, ids, places) in zip(given, located, strict=True):
        one = next(judged)
        if generated != ids and (own := tokens.placed(text, generated)) is not None:
            ids, places = generated, own  # those that were drawn, however the tokenizer would cut the text
        row = {"prompt_ids": prompts[group], "answer_ids": ids}
        problem = one.error or _unusable(model, row)
        if problem:
            found.problems.append(problem)
            continue
        earned = rewards.on_tokens(one.spans, places)
        found.answers.append(Rollout(group, row, earned, _segments(exercises[group], text, places), text))
    return found


def rewards_of(
    lm: LocalLM, practice: CitedPractice, exercises: Sequence[CitedExercise], max_new_tokens: int
) -> list[float]:
    """Of the most probable answers, those that could be judged."""
    sampling = Sampling(temperature=0.0, max_new_tokens=max_new_tokens)
    answers = lm.generate([one.prompt for one in exercises], sampling)
    texts = [[one.text for one in row if one.finish != "error"] for row in answers]
    return [one.total for row in practice.rewards.rewards(exercises, texts) for one in row if not one.error]


def _unusable(model: Any, row: shared.TokenRow) -> str:
    """Why an answer is not learned from; empty: it is."""
    if not row["answer_ids"]:
        return "an empty answer"
    return shared.unreadable(model, [row], ["answer"]).get("answer", "")


def _segments(exercise: CitedExercise, text: str, places: Sequence[tuple[int, int]]) -> list[int]:
    """The statement of each token: a token belongs to the first that ends behind its beginning."""
    start, end = citations.first_line(text)
    ends = [start + one.end for one in citations.statements(exercise.item.kind, text[start:end])]
    last = max(0, len(ends) - 1)
    found = (min(last, bisect_left(ends, begin + 1)) for begin, _ in places)
    return list(accumulate(found, max))  # a tokenizer may give a token of its own no place


def placed(answers: Sequence[Rollout], first: int) -> list[Rollout]:
    """Answers to one question together, as packing and advantages have them; groups counted from `first`."""
    return [replace(one, group=one.group + first) for one in sorted(answers, key=lambda one: one.group)]


@dataclass(frozen=True)
class Matrices:
    """Columns of answers; see the head of this file.

    Attributes:
        mask: where there is a token.
        groups: (answers,).
    """

    rewards: Tensor
    segments: Tensor
    mask: Tensor
    groups: Tensor


def matrices(answers: Sequence[Rollout], device: Any) -> Matrices:
    """The rewards of some answers, and where they stand."""
    earned = pad_sequence([torch.tensor(one.rewards) for one in answers], batch_first=True)
    segments = pad_sequence([torch.tensor(one.segments) for one in answers], batch_first=True)
    lengths = torch.tensor([len(one.rewards) for one in answers])
    mask = torch.arange(earned.shape[1]) < lengths[:, None]
    groups = torch.tensor([one.group for one in answers])
    return Matrices(earned.to(device), segments.to(device), mask.to(device), groups.to(device))


def columns(told: Sequence[Columns], device: Any) -> dict[str, Tensor]:
    """Matrices of what is told of each answer; 0 in the padding."""
    return {
        name: pad_sequence([torch.tensor(one[name]) for one in told], batch_first=True).to(device)
        for name in told[0]
    }


def unpadded(matrix: Tensor, batch: Mapping[str, Tensor]) -> list[list[float]]:
    """The numbers of the answers of a batch alone."""
    lengths = batch["before"].sum(1).tolist()
    return [row[:length] for row, length in zip(matrix.tolist(), lengths, strict=True)]


def parts(
    core: Any, answers: Sequence[Rollout], tokens: int, packing: packed.Packing
) -> Iterator[list[shared.TokenRow]]:
    """The answers in their order, as many at a time as a forward pass holds.

    On the CPU a pass has all answers to one question, where that is packed and fits, for these share most;
    those to another question would be hidden from them at the cost of what is seen.

    Args:
        core: the transformers model that is run.
        answers: those to one question stand together.
        tokens: most of one pass.
    """
    if core.device.type == "cpu":
        tokens = min(tokens, PACKED)
    rest: list[shared.TokenRow] = []
    for _, own in groupby(answers, key=lambda one: one.group):
        rows = [one.row for one in own]
        if _is_pass(core, rows, tokens, packing):
            yield from shared.parts(core, rest, tokens, ("answer_ids",))
            yield rows
            rest = []
        else:
            rest += rows
    yield from shared.parts(core, rest, tokens, ("answer_ids",))


def _is_pass(core: Any, rows: Sequence[shared.TokenRow], tokens: int, packing: packed.Packing) -> bool:
    """Whether the answers to a question are to be run by themselves."""
    if core.device.type != "cpu":  # where larger passes are better
        return False
    if max(map(shared.length, rows)) > tokens:  # before a mask of its square is made
        return False
    batch = collated(rows, core.device)
    one = packing.pack(core, core, batch["input_ids"], batch["attention_mask"])
    if one is None:
        return False
    size, learned = one.tokens.shape[1], sum(len(row["answer_ids"]) for row in rows)
    return size <= tokens and memory.kept_bytes(core, size, learned) <= memory.KEPT


def collated(rows: Sequence[shared.TokenRow], device: Any) -> dict[str, Tensor]:
    """Each answer behind its prompt, padded on the right.

    Returns:
        See `answered.collated`.
    """
    return answered.collated([(row["prompt_ids"], row["answer_ids"]) for row in rows], device)


def logprobs(model: Any, batch: Mapping[str, Tensor], packing: packed.Packing) -> Tensor:
    """(rows, longest answer): natural-log probability of each token, by the model's whole distribution."""
    return _as_matrix(answered.logprobs(model, batch, packing), batch)


def values(model: Any, batch: Mapping[str, Tensor], packing: packed.Packing) -> Tensor:
    """(rows, longest answer): what a model whose last layer gives one number says before each token."""
    return _as_matrix(answered.outputs(model, batch, packing)[:, 0].float(), batch)


def _as_matrix(flat: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    lengths = batch["before"].sum(1)
    mask = torch.arange(int(lengths.max()), device=flat.device) < lengths[:, None]
    return flat.new_zeros(mask.shape).masked_scatter(mask, flat)
