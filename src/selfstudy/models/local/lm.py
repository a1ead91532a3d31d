"""A causal language model of transformers, from a folder or the Hub, on the CPU or an accelerator.

Renders chats, groups them into batches for `decoding.TreeDecoder` (for `contrastive.ContrastiveDecoder` where
greedy completions are searched), has `completions` read the tokens, and puts errors where they belong: into
the item that failed.  No architecture is named here; what a model can do is found out by `forward.Forward`.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from selfstudy.errors import ModelError
from selfstudy.models.base import BY_TEMPLATE, Progress, Sampling, Style
from selfstudy.models.local import adapted, encoding, loading, parts, prefixes, weights
from selfstudy.models.local.chat_format import ChatFormat, style_of
from selfstudy.models.local.completions import (
    AnswerReader,
    ContinuationReader,
    HeardReader,
    KeepingReader,
)
from selfstudy.models.local.contrastive import ContrastiveDecoder
from selfstudy.models.local.decoding import Decoder, Finished, Member, Prompt, TreeDecoder
from selfstudy.models.local.encoding import AskedChats
from selfstudy.models.local.forward import Forward
from selfstudy.models.local.panics import panics_as_errors
from selfstudy.models.local.scoring import LogprobScorer
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat, Completion


class LocalLM:
    """A language model run in this process; fulfils `base.LanguageModel`.

    A chat whose prompt leaves no room in the model's context, cannot be tokenised, gives logits that are no
    numbers, or does not fit into memory alone comes back as Completions with finish "error".

    Attributes:
        model: the transformers model, in evaluation mode.  An adapter is merged into it if its weights are
            float32, else it answers unmerged (see `adapted`); `merged_copy` gives the plain model.
        tokenizer: its tokenizer.
        style: how chats are put to it.
        path: the folder or Hub id it was loaded from.
        adapter: the adapter that it was loaded with, if any: a later adapter has to be combined with it.
    """

    path: str
    adapter: Path | None = None

    def __init__(self, block: LocalModel, say: Callable[[str], object] = lambda text: None) -> None:
        """Loads the model.

        Args:
            say: told if the adapter changes nothing, and of what takes minutes.

        Raises:
            ModelError: it is not there, damaged, not of this kind, or does not fit; the message says which.
        """
        self.path, is_folder = loading.locate(block.path, "lm")
        self.adapter = block.adapter
        name = block.path + (f"@{block.revision}" if block.revision else "")
        name += f"+{block.adapter}" if block.adapter else ""
        device = loading.pick_device(block.device)
        with loading.explained(block.path, is_folder):
            model, tokenizer = weights.load(block, self.path, is_folder, device, say)
            if block.adapter and (idle := adapted.note_if_idle(model)):
                say(f"{name}: {idle}")
            model = weights.settled(model)
        self._prepare(model, tokenizer, name, block.token_budget, style_of(block))

    @classmethod
    def around(
        cls,
        model: Any,
        tokenizer: Any,
        *,
        name: str = "",
        token_budget: int = LocalModel().token_budget,
        style: Style = BY_TEMPLATE,
    ) -> LocalLM:
        """Live weights that answer: a transformers model, or a peft model in training, its adapter unmerged.

        Nothing is copied, merged or written: what is trained between two calls answers in the second.  A
        call leaves the model as it was, in training mode or not, and makes no gradient.  The answers are
        those that the saved adapter would give.

        Args:
            model: it stays where it is, on its device and in its number type.
            tokenizer: its tokenizer, with its chat template if it has one.
            name: what reports call it; empty: what transformers calls it.
            style: as the model has it that it was made from.
        """
        lm = cls.__new__(cls)
        lm.path = str(weights.answering_model(model).name_or_path)
        lm._prepare(model, tokenizer, name or lm.path, token_budget, style)
        return lm

    def _prepare(self, whole: Any, tokenizer: Any, name: str, token_budget: int, style: Style) -> None:
        self._whole = whole
        model = weights.answering_model(whole)
        self.model, self.tokenizer, self.name = model, tokenizer, name
        self._device = model.device
        self._budget = token_budget
        self.style = style
        self._format = ChatFormat(tokenizer, model, style)
        self._forward = Forward(model)
        self._scorer = LogprobScorer(model, self._forward)
        self._ends = torch.tensor(self._format.ends, dtype=torch.long, device=self._device)
        self._context: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)

    def merged_copy(self, *, own: bool = True) -> Any:
        """A plain transformers model to train or to write: an adapter is merged in, in float32.

        Without an adapter that is still to be merged it has the number type of the model.

        Args:
            own: its weights too; else they may be those of this model, which nothing may write into.
        """
        if not own and self._whole is self.model:
            return weights.beside(self.model)
        return adapted.merged(copy.deepcopy(self._whole))

    @property
    def context(self) -> int | None:
        """Tokens of a prompt with its answer; None: without a limit that is known."""
        return self._context

    @property
    def wants_demonstrations(self) -> bool:
        """Whether the demonstrations of a prompt are shown."""
        return self._format.demonstrations

    def render(self, chat: Chat) -> str:
        """The prompt's text, up to where the assistant's answer begins.

        Raises:
            ModelError: the model's chat template refuses the chat.
        """
        return self._format.render(chat)

    def plainly(self, chat: Chat) -> encoding.PlainPrompt:
        """How a chat is asked.

        Raises:
            ModelError: it cannot be.
        """
        rendered, errors = encoding.prompts(self._format, [chat])
        if errors:
            raise ModelError(f"{self.name} cannot be asked: {errors[0]}", "shorten the prompt")
        text, tokens = rendered[0]
        return encoding.PlainPrompt(text, tokens, self._format.stop(chat), list(self._format.ends))

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` alone, without special ones."""
        with panics_as_errors(f"the tokenizer of {self.name}"):
            return self._format.count(text)

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """`sampling.total` completions for each chat, in the order of `chats`, greedy one first if asked for.

        Completions are stripped of surrounding white space; their token count and log-probability include
        the end token. Two chats with the same text get different samples (by order of occurrence).
        """
        asked = AskedChats(chats, *encoding.prompts(self._format, chats))
        return self._answers(asked, sampling, partial(AnswerReader, self._format), progress)

    def stream(self, chat: Chat, sampling: Sampling, heard: Callable[[str], object]) -> Completion:
        """See `base.Streams`; where memory was short and a batch is tried again, the text begins again."""
        asked = AskedChats([chat], *encoding.prompts(self._format, [chat]))
        return self._answers(asked, sampling, partial(HeardReader, self._format, listeners={0: heard}))[0][0]

    def sampled(self, chats: Sequence[Chat], sampling: Sampling) -> list[list[tuple[Completion, list[int]]]]:
        """As `generate`, with the tokens that each completion was generated as, its end included."""
        kept: dict[int, list[int]] = {}
        asked = AskedChats(chats, *encoding.prompts(self._format, chats))
        rows = self._answers(asked, sampling, partial(KeepingReader, self._format, kept=kept))
        total = sampling.total
        return [
            [(one, kept.get(at * total + j, [])) for j, one in enumerate(row)] for at, row in enumerate(rows)
        ]

    def continued(
        self,
        chats: Sequence[Chat],
        begun: Sequence[str],
        sampling: Sampling,
        enough: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        """See `base.ContinuesAnswers`; what follows nothing is sampled as `generate` does it."""
        return self._continued(chats, begun, (), sampling, enough, progress)

    def _continued(
        self,
        chats: Sequence[Chat],
        begun: Sequence[str],
        adapters: Sequence[int],
        sampling: Sampling,
        enough: Callable[[str], bool] | None,
        progress: Progress | None,
    ) -> list[list[Completion]]:
        if len(chats) != len(begun):
            raise ValueError(f"{len(chats)} chats but {len(begun)} beginnings of answers")
        asked, errors, said = encoding.begun(self._format, chats, begun)
        before = {
            index * sampling.total + j: ids for index, ids in said.items() for j in range(sampling.total)
        }
        reader = partial(ContinuationReader, self._format, before=before, enough=enough)
        return self._answers(AskedChats(chats, asked, errors, adapters), sampling, reader, progress)

    def parts(self, chats: Sequence[Chat], sampling: Sampling) -> list[list[int]]:
        """Places of chats that `generate` answers in one batch; alone, a part has the same bits.

        Each place is in one part, in order; equal chats are in the same.  A contrastive search is one part.
        """
        return self._parts(AskedChats(chats, *encoding.prompts(self._format, chats)), sampling)

    def continued_parts(
        self, chats: Sequence[Chat], begun: Sequence[str], sampling: Sampling
    ) -> list[list[int]]:
        """As `parts`, of what `continued` does."""
        asked, errors, _ = encoding.begun(self._format, chats, begun)
        return self._parts(AskedChats(chats, asked, errors), sampling)

    def scored_parts(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[int]]:
        """As `parts`, of what `logprobs` and `word_logprobs` do."""
        batches = self._scorer.batches(self._answered(chats, texts), self._budget)
        return parts.whole([[item.index for item in batch] for batch in batches], len(chats))

    def text_parts(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[int]]:
        """As `parts`, of what `text_logprobs` does; one part where a text is longer than the model reads."""
        rows, owners = encoding.behind(self._format, befores, texts, self._context)
        if len(set(owners)) < len(owners):
            return parts.whole([], len(texts))
        batches = self._scorer.batches(rows, self._budget)
        return parts.whole([[owners[row.index] for row in batch] for batch in batches], len(texts))

    def _parts(self, asked: AskedChats, sampling: Sampling) -> list[list[int]]:
        count, batches = len(asked.chats), []
        if sampling.penalty_alpha:  # searched in some batches, and sampled in others
            return parts.whole([], count)
        decoder = TreeDecoder(self._forward, sampling, self._ends, self._budget)
        for group in self._prompts(asked, sampling)[0].values():
            prompts = self._in_order(group)
            while prompts:
                batch = self._first_batch(prompts, decoder)
                prompts = prompts[len(batch) :]
                batches.append(
                    [member.slot // sampling.total for prompt in batch for member in prompt.members]
                )
        said = {at: (asked.adapter(at), text) for at, (text, _) in asked.prompts.items()}
        return parts.whole(parts.together(batches, said), count)

    def _answers(
        self,
        asked: AskedChats,
        sampling: Sampling,
        reader: Callable[[tuple[str, ...]], AnswerReader],
        progress: Progress | None = None,
        settled: Callable[[int, list[Completion]], object] | None = None,
    ) -> list[list[Completion]]:
        """Completions of what can be asked, and why there are none of the other chats.

        Args:
            reader: what reads the answers that stop at some texts.
            settled: see `base.HasAdapters`.
        """
        total, count = sampling.total, len(asked.chats)
        results: list[Completion | None] = [None] * (count * total)
        open_slots = [total] * count

        def settle(slot: int, completion: Completion) -> None:
            new, index = results[slot] is None, slot // total
            results[slot] = completion
            open_slots[index] -= new
            if new and open_slots[index] == 0:
                if progress is not None:
                    progress(1)
                if settled is not None:
                    settled(index, [one for one in results[index * total :][:total] if one is not None])

        def emit(read: AnswerReader, finished: list[Finished]) -> None:
            for one in finished:
                settle(one.slot, read.completion(one))

        groups, errors = self._prompts(asked, sampling)
        for index, message in errors.items():
            for slot in range(index * total, (index + 1) * total):
                settle(slot, Completion(text="", finish="error", error=message))
        with weights.answering(self.model):
            for stop, prompts in groups.items():
                read = reader(stop)
                for prompt, message in self._decode(prompts, sampling, read, partial(emit, read)):
                    for member in prompt.members:
                        settle(member.slot, Completion(text="", finish="error", error=message))
        done = [one for one in results if one is not None]
        return [done[i * total : (i + 1) * total] for i in range(count)]

    def _prompts(
        self, asked: AskedChats, sampling: Sampling
    ) -> tuple[dict[tuple[str, ...], list[Prompt]], dict[int, str]]:
        """Distinct prompts by what ends their answers, each with its members.

        And the chats that cannot be asked.
        """
        errors = dict(asked.errors)
        groups: dict[tuple[str, ...], dict[tuple[int, ...], Prompt]] = {}
        occurrences: Counter[tuple[int, str]] = Counter()
        for index, (text, tokens) in asked.prompts.items():
            room = sampling.max_new_tokens
            if self._context is not None:
                room = min(room, self._context - len(tokens))
            if room < 1:
                errors[index] = (
                    f"the prompt has {len(tokens)} tokens, the model reads {self._context} with its answer"
                )
                continue
            chat, adapter = asked.chats[index], asked.adapter(index)
            # what demonstrations say may well be said again
            punished = sampling.repetition_penalty != 1.0
            spared = self._format.spared(chat, tokens) if punished else 0
            prompts = groups.setdefault((*sampling.stop, *self._format.stop(chat)), {})
            prompt = prompts.setdefault((adapter, *tokens), Prompt(tokens, [], room, spared, adapter))
            keys = encoding.stream_keys(sampling, text, occurrences[adapter, text])
            occurrences[adapter, text] += 1
            prompt.members.extend(Member(index * sampling.total + j, key) for j, key in enumerate(keys))
        return {stop: list(prompts.values()) for stop, prompts in groups.items()}, errors

    def _decode(
        self, prompts: list[Prompt], sampling: Sampling, read: AnswerReader, emit: Any
    ) -> Iterator[tuple[Prompt, str]]:
        """Runs prompts in batches, each member by the decoder that it is for; yields what failed."""
        sampled = prompts
        if sampling.penalty_alpha:
            searched = _with_members(prompts, lambda member: member.key is None)
            sampled = _with_members(prompts, lambda member: member.key is not None)
            yield from self._in_batches(ContrastiveDecoder, searched, sampling, read, emit)
        yield from self._in_batches(TreeDecoder, sampled, sampling, read, emit)

    def _in_batches(
        self,
        make: type[Decoder],
        prompts: list[Prompt],
        sampling: Sampling,
        read: AnswerReader,
        emit: Any,
    ) -> Iterator[tuple[Prompt, str]]:
        """Runs prompts in batches; a batch that does not fit into memory is tried again with half the budget.

        The halved budget stays: memory that was short once will be short again.  Yields what failed.
        """
        prompts = self._in_order(prompts)
        while prompts:
            decoder = make(self._forward, sampling, self._ends, self._budget, read.stopped, read.left)
            batch = self._first_batch(prompts, decoder)
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
            if self._budget > len(prompts[0].tokens):
                self._budget //= 2
            else:
                yield prompts[0], f"out of memory with {len(prompts[0].tokens)} prompt tokens: {short}"
                prompts = prompts[1:]

    def _in_order(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """The order in which batches are cut."""
        rows, adapters = [one.tokens for one in prompts], [one.adapter for one in prompts]
        return [prompts[at] for at in prefixes.order(self._forward, rows, adapters)]

    def _first_batch(self, prompts: list[Prompt], decoder: Decoder) -> list[Prompt]:
        """The first prompts, as many as are decoded together.

        Which row each is goes by these prompts alone, for the last bits of a product may go by its place:
        the same batch, whatever else was asked with it, gives the same bits.
        """
        return sorted(
            prompts[: self._batch_size(prompts, decoder)], key=lambda one: (one.adapter, one.tokens)
        )

    def _batch_size(self, prompts: list[Prompt], decoder: Decoder) -> int:
        """How many of the first prompts to decode together: all their rows would fit once read."""
        longest, rows = 0, 0
        for count, prompt in enumerate(prompts):
            rows += decoder.rows(prompt)
            unpaddable = count and len(prompt.tokens) != longest and not self._forward.pads
            longest = max(longest, len(prompt.tokens))
            if count and (unpaddable or rows * (longest + 1) > self._budget):
                return count
        return len(prompts)

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """Natural-log probability of every token of texts[i] as the assistant's answer to chats[i].

        An item that cannot be scored (no room in the context or, alone, in memory; not tokenisable; empty)
        gives an empty list.
        """
        results: list[list[float]] = [[] for _ in chats]
        for item, values in self._scored(chats, texts):
            results[item.index] = values
        return results

    def word_logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """See `base.LanguageModel`."""
        results: list[list[tuple[str, float]]] = [[] for _ in chats]
        for item, values in self._scored(chats, texts):
            tokens = item.tokens[len(item.tokens) - item.answer :]
            results[item.index] = self._format.words(tokens, values)
        return results

    def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
        """See `base.ReadsPlainText`; befores that begin alike are read once."""
        if len(befores) != len(texts):
            raise ValueError(f"{len(befores)} texts before, but {len(texts)} texts")
        rows, owners = encoding.behind(self._format, befores, texts, self._context)
        with weights.answering(self.model):
            found = dict(self._scorer.score(rows, self._budget))
        results: list[list[float]] = [[] for _ in texts]
        for row, owner in enumerate(owners):
            results[owner] += found[row]
        for owner in {owner for row, owner in enumerate(owners) if not found[row]}:
            results[owner] = []  # a window of it had no room in memory
        return results

    def _scored(
        self, chats: Sequence[Chat], texts: Sequence[str]
    ) -> Iterator[tuple[encoding.Answered, list[float]]]:
        """What can be scored, with the natural-log probability of every token of the answer."""
        items = self._answered(chats, texts)
        by_index = {one.index: one for one in items}
        with weights.answering(self.model):
            for index, values in self._scorer.score(items, self._budget):
                if values:
                    yield by_index[index], values

    def _answered(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[encoding.Answered]:
        """The items that have tokens, and room in the context."""
        if len(chats) != len(texts):
            raise ValueError(f"{len(chats)} chats but {len(texts)} texts")
        items = encoding.answered(self._format, chats, texts)
        context = self._context
        return items if context is None else [one for one in items if len(one.tokens) <= context]


def _with_members(prompts: list[Prompt], wanted: Callable[[Member], bool]) -> list[Prompt]:
    """The prompts with those of their members alone; without the prompts that have none."""
    found = [replace(one, members=list(filter(wanted, one.members))) for one in prompts]
    return [one for one in found if one.members]
