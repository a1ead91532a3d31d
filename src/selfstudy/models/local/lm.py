"""A causal language model of transformers, from a folder or the Hub, on the CPU or an accelerator.

Renders chats, groups them into batches for `decoding.TreeDecoder`, turns tokens into Completions, and puts
errors where they belong: into the item that failed.  No architecture is named here; what a model can do is
found out by `forward.Forward`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from selfstudy.errors import ModelError
from selfstudy.models.base import Progress, Sampling
from selfstudy.models.local import loading, weights
from selfstudy.models.local.chat_format import ChatFormat
from selfstudy.models.local.decoding import Finished, Member, Prompt, TreeDecoder
from selfstudy.models.local.forward import Forward
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat, Completion, digest

_LOGIT_BUDGET = 2**28
"""Most logits (rows x positions x vocabulary) that `logprobs` holds at once: 1 GiB of float32."""


class LocalLM:
    """A language model run in this process; fulfils `base.LanguageModel`.

    A chat whose prompt leaves no room in the model's context, cannot be tokenised, gives logits that are no
    numbers, or does not fit into memory alone comes back as Completions with finish "error".

    Attributes:
        model: the transformers model, in evaluation mode, an adapter merged into it.
        tokenizer: its tokenizer.
        path: the folder or Hub id it was loaded from.
        adapter: the adapter that was merged in, if any: a later adapter has to be combined with it.
    """

    path: str
    adapter: Path | None = None

    def __init__(self, block: LocalModel) -> None:
        """Loads the model.

        Raises:
            ModelError: it is not there, damaged, not of this kind, or does not fit; the message says which.
        """
        self.path, is_folder = loading.locate(block.path, "lm")
        self.adapter = block.adapter
        name = block.path + (f"@{block.revision}" if block.revision else "")
        name += f"+{block.adapter}" if block.adapter else ""
        device = loading.pick_device(block.device)
        with loading.explained(block.path, is_folder):
            model, tokenizer = weights.load(block, self.path, is_folder, device)
        self._prepare(model, tokenizer, name, block.token_budget)

    @classmethod
    def around(
        cls, model: Any, tokenizer: Any, *, name: str = "", token_budget: int = LocalModel().token_budget
    ) -> LocalLM:
        """Live weights that answer: a transformers model, or a peft model in training, its adapter unmerged.

        Nothing is copied, merged or written: what is trained between two calls answers in the second.  A
        call leaves the model as it was, in training mode or not, and makes no gradient.  The answers are
        those that the saved adapter would give.

        Args:
            model: it stays where it is, on its device and in its number type.
            tokenizer: its tokenizer, with its chat template if it has one.
            name: what reports call it; empty: what transformers calls it.
        """
        lm = cls.__new__(cls)
        plain = weights.answering_model(model)
        lm.path = str(plain.name_or_path)
        lm._prepare(plain, tokenizer, name or lm.path, token_budget)
        return lm

    def _prepare(self, model: Any, tokenizer: Any, name: str, token_budget: int) -> None:
        self.model, self.tokenizer, self.name = model, tokenizer, name
        self._device = model.device
        self._budget = token_budget
        self._format = ChatFormat(tokenizer)
        self._forward = Forward(model)
        self._ends = torch.tensor(_end_tokens(model, tokenizer), dtype=torch.long, device=self._device)
        self._context: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)

    def render(self, chat: Chat) -> str:
        """The prompt's text, up to where the assistant's answer begins.

        Raises:
            ModelError: the model's chat template refuses the chat.
        """
        return self._format.render(chat)

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` alone, without special ones."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """`sampling.total` completions for each chat, in the order of `chats`, greedy one first if asked for.

        Completions are stripped of surrounding white space; their token count and log-probability include
        the end token. Two chats with the same text get different samples (by order of occurrence).
        """
        total = sampling.total
        results: list[Completion | None] = [None] * (len(chats) * total)
        stop = (*sampling.stop, *self._format.stop)
        open_slots = [total] * len(chats)

        def settle(slot: int, completion: Completion) -> None:
            if results[slot] is None:
                open_slots[slot // total] -= 1
                if progress is not None and open_slots[slot // total] == 0:
                    progress(1)
            results[slot] = completion

        texts: dict[tuple[int, ...], str] = {}

        def emit(finished: list[Finished]) -> None:
            for one in finished:
                settle(one.slot, self._completion(one, stop, texts))

        prompts, errors = self._prompts(chats, sampling)
        for index, message in errors.items():
            for slot in range(index * total, (index + 1) * total):
                settle(slot, Completion(text="", finish="error", error=message))
        with weights.answering(self.model):
            for prompt, message in self._decode(prompts, sampling, stop, emit):
                for member in prompt.members:
                    settle(member.slot, Completion(text="", finish="error", error=message))
        done = [one for one in results if one is not None]
        return [done[i * total : (i + 1) * total] for i in range(len(chats))]

    def _prompts(self, chats: Sequence[Chat], sampling: Sampling) -> tuple[list[Prompt], dict[int, str]]:
        """Distinct prompts, longest first, each with its members; and the chats that cannot be asked."""
        rendered, errors = self._tokenised(chats)
        prompts: dict[tuple[int, ...], Prompt] = {}
        occurrences: Counter[str] = Counter()
        for index, (text, tokens) in rendered.items():
            room = sampling.max_new_tokens
            if self._context is not None:
                room = min(room, self._context - len(tokens))
            if room < 1:
                errors[index] = (
                    f"the prompt has {len(tokens)} tokens, the model reads {self._context} with its answer"
                )
                continue
            prompt = prompts.setdefault(tuple(tokens), Prompt(tokens, [], room))
            keys = _stream_keys(sampling, text, occurrences[text])
            occurrences[text] += 1
            prompt.members.extend(Member(index * sampling.total + j, key) for j, key in enumerate(keys))
        return sorted(prompts.values(), key=lambda prompt: -len(prompt.tokens)), errors

    def _tokenised(self, chats: Sequence[Chat]) -> tuple[dict[int, tuple[str, list[int]]], dict[int, str]]:
        """Text and tokens of every chat that has any, and what is wrong with the others, by index."""
        rendered: dict[int, tuple[str, list[int]]] = {}
        errors: dict[int, str] = {}
        texts: dict[int, str] = {}
        for index, chat in enumerate(chats):
            try:
                text = self._format.render(chat)
                text.encode()  # a lone surrogate is no text; a tokenizer would fail on the whole batch
                texts[index] = text
            except (ModelError, UnicodeError) as error:
                errors[index] = str(error)
        for index, tokens in zip(texts, self._format.encode(list(texts.values())), strict=True):
            if tokens:
                rendered[index] = (texts[index], tokens)
            else:
                errors[index] = "the prompt has no tokens"
        return rendered, errors

    def _decode(
        self, prompts: list[Prompt], sampling: Sampling, stop: tuple[str, ...], emit: Any
    ) -> Iterator[tuple[Prompt, str]]:
        """Runs prompts in batches; a batch that does not fit into memory is tried again with half the budget.

        The halved budget stays: memory that was short once will be short again.  Yields what failed.
        """
        while prompts:
            batch = prompts[: self._batch_size(prompts)]
            decoder = TreeDecoder(self._forward, sampling, self._ends, self._budget, self._stopper(stop))
            try:
                decoder.run(batch, emit)
            except RuntimeError as error:
                if not loading.is_out_of_memory(error):
                    raise
                short = str(error).splitlines()[0]
            else:
                prompts = prompts[len(batch) :]
                continue
            loading.free_memory(self._device)
            if self._budget > len(batch[0].tokens):
                self._budget //= 2
            else:
                yield batch[0], f"out of memory with {len(batch[0].tokens)} prompt tokens: {short}"
                prompts = prompts[1:]

    def _batch_size(self, prompts: list[Prompt]) -> int:
        """How many of the first prompts to decode together: all their members' rows would fit once read."""
        longest, members = len(prompts[0].tokens), 0
        for count, prompt in enumerate(prompts):
            members += len(prompt.members)
            unpaddable = len(prompt.tokens) < longest and not self._forward.pads
            if count and (unpaddable or members * (longest + 1) > self._budget):
                return count
        return len(prompts)

    def _stopper(self, stop: tuple[str, ...]) -> Any:
        """A test whether the newest token completed a stop string; None when there are none."""
        if not stop:
            return None
        reach = max(len(text.encode()) for text in stop) + 4

        def stopped(tokens: list[int]) -> bool:
            tail = self._format.decode(tokens[-reach:])
            return any(text in tail for text in stop)

        return stopped

    def _completion(
        self, one: Finished, stop: tuple[str, ...], texts: dict[tuple[int, ...], str]
    ) -> Completion:
        if one.reason == "error":
            return Completion(
                text="", finish="error", error="the model's logits are not numbers (NaN or inf)"
            )
        key = tuple(one.tokens)
        if key not in texts:
            ended = one.reason == "stop" and one.tokens[-1] in self._ends.tolist()
            text = self._format.decode(one.tokens[:-1] if ended else one.tokens)
            cut = min((at for at in map(text.find, stop) if at >= 0), default=len(text))
            texts[key] = text[:cut].strip()
        return Completion(text=texts[key], tokens=len(one.tokens), logprob=one.logprob, finish=one.reason)

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """Natural-log probability of every token of texts[i] as the assistant's answer to chats[i].

        An item that cannot be scored (no room in the context or, alone, in memory; not tokenisable; empty)
        gives an empty list.
        """
        if len(chats) != len(texts):
            raise ValueError(f"{len(chats)} chats but {len(texts)} texts")
        rendered, _ = self._tokenised(chats)
        usable = [i for i in rendered if texts[i].strip() and _encodable(texts[i])]
        answers = self._format.encode_answers([self._format.answer(chats[i], texts[i]) for i in usable])
        items = [(i, rendered[i][1], answer) for i, answer in zip(usable, answers, strict=True) if answer]
        if self._context is not None:
            items = [item for item in items if len(item[1]) + len(item[2]) <= self._context]
        items.sort(key=lambda item: -len(item[1]) - len(item[2]))
        results: list[list[float]] = [[] for _ in chats]
        with weights.answering(self.model):
            self._score_all(items, results)
        return results

    def _score_all(
        self, items: Sequence[tuple[int, list[int], list[int]]], results: list[list[float]]
    ) -> None:
        """Puts the log-probabilities of every item into its place of `results`, batch by batch."""
        budget = self._budget
        while items:
            size = self._scoring_size(items, budget)
            scored: list[list[float]] | None = None
            try:
                scored = self._score(items[:size])
            except RuntimeError as error:
                if not loading.is_out_of_memory(error):
                    raise
            if scored is None:
                loading.free_memory(self._device)  # not in the handler: its traceback holds tensors
                if size > 1:
                    budget //= 2
                    continue
                scored = [[]]
            for (index, _, _), values in zip(items[:size], scored, strict=True):
                results[index] = values
            items = items[size:]

    def _scoring_size(self, items: Sequence[tuple[int, list[int], list[int]]], budget: int) -> int:
        length = len(items[0][1]) + len(items[0][2])
        vocabulary = self.model.config.get_text_config().vocab_size
        answer = 0
        for count, (_, prompt, text) in enumerate(items):
            answer = max(answer, len(text))
            unpaddable = len(prompt) + len(text) < length and not self._forward.pads
            rows = count + 1
            too_many = rows * length > budget or rows * (answer + 1) * vocabulary > _LOGIT_BUDGET
            if count and (unpaddable or too_many):
                return count
        return len(items)

    @torch.inference_mode()
    def _score(self, items: Sequence[tuple[int, list[int], list[int]]]) -> list[list[float]]:
        length = max(len(prompt) + len(answer) for _, prompt, answer in items)
        gaps = [length - len(prompt) - len(answer) for _, prompt, answer in items]
        tokens = torch.tensor(
            [p[:1] * gap + p + a for gap, (_, p, a) in zip(gaps, items, strict=True)], device=self._device
        )
        columns = torch.arange(length, device=self._device)
        mask = (columns >= torch.tensor(gaps, device=self._device)[:, None]).long()
        count = max(len(answer) for _, _, answer in items)
        logits = self._forward.last_logits(tokens, mask, count + 1)[:, :-1]
        chosen = logits.gather(2, tokens[:, -count:, None])[..., 0] - logits.logsumexp(2)
        return [row[count - len(a) :] for row, (_, _, a) in zip(chosen.tolist(), items, strict=True)]


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeError:
        return False
    return True


def _stream_keys(sampling: Sampling, text: str, occurrence: int) -> list[int | None]:
    """One key per completion of a chat: None is greedy, else the seed of its own random stream."""
    if sampling.temperature == 0:
        return [None] * sampling.total
    parts = (str(sampling.seed), text, str(occurrence))
    numbers = range(sampling.first, sampling.first + sampling.n)
    keys: list[int | None] = [int(digest(*parts, str(number)), 16) for number in numbers]
    return [None, *keys] if sampling.with_passage else keys


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Every token id that ends an answer, as the generation settings, the model or the tokenizer say."""
    found: set[int] = set()
    for owner in (model.generation_config, model.config.get_text_config(), tokenizer):
        ends = getattr(owner, "eos_token_id", None)
        found.update([ends] if isinstance(ends, int) else ends or [])
    return sorted(found)
