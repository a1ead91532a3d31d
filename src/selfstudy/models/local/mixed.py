"""A local model with several adapters, none of them merged, each chat of a batch answered with its own.

Knows the adapters by name; what a forward pass makes of their numbers, `mixture` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selfstudy.errors import ModelError
from selfstudy.models import lora
from selfstudy.models.base import Progress, Sampling, Token
from selfstudy.models.local import adapted, encoding, loading, weights
from selfstudy.models.local.completions import AnswerReader, HeardReader
from selfstudy.models.local.encoding import Asked
from selfstudy.models.local.forward import Forward
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.local.mixture import Change, Mixture
from selfstudy.models.local.pieces import alternative, pieces
from selfstudy.models.local.scoring import LogprobScorer, with_others
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat, Completion


class MixedLM(LocalLM):
    """A model with named adapters in this process; fulfils `base.HasAdapters` and `base.ScoresTokens`.

    Without a name it is the base model: so are `model`, `merged_copy`, and what `generate` answers.
    """

    def __init__(
        self,
        block: LocalModel,
        folders: Mapping[str, Path],
        say: Callable[[str], object] = lambda text: None,
    ) -> None:
        """Loads the model once, and every adapter.

        Args:
            block: its adapter, if any, is where the adapters come from: a part of the name, and not loaded.
            folders: of the adapters, by name.
            say: told of adapters that change nothing, and of what takes minutes.

        Raises:
            ModelError: as of `LocalLM`; or an adapter is damaged, unsafe, of another model, or no plain LoRA,
                which alone can be mixed.
        """
        super().__init__(block.model_copy(update={"adapter": None}), say)
        if block.adapter is not None:
            self.name += f"+{block.adapter}"
        self._numbers: dict[str | None, int] = {None: 0}
        mixture = Mixture(self.model)
        trial = _Trial(self.model)
        with loading.explained(block.path, True):
            for name, folder in folders.items():
                mixture.add(_changes(self.model, folder, block.path, trial, partial(_say_of, say, name)))
                self._numbers[name] = len(mixture)
        self._forward = Forward(self.model, mixture)
        self._scorer = LogprobScorer(self.model, self._forward)
        with weights.answering(self.model):
            trial.require_same(self._forward, block.path)

    @property
    def adapters(self) -> tuple[str, ...]:
        """See `base.HasAdapters`."""
        return tuple(name for name in self._numbers if name is not None)

    def generate_as(
        self,
        chats: Sequence[Chat],
        adapters: Sequence[str | None],
        sampling: Sampling,
        progress: Progress | None = None,
        heard: Sequence[Callable[[str], object] | None] = (),
        settled: Callable[[int, list[Completion]], object] | None = None,
    ) -> list[list[Completion]]:
        """See `base.HasAdapters`; where memory was short and a batch is tried again, a text begins again."""
        numbers = self._of(chats, adapters)
        listeners = {index: listener for index, listener in enumerate(heard) if listener is not None}
        reader: Callable[[tuple[str, ...]], AnswerReader] = partial(AnswerReader, self._format)
        if listeners:
            reader = partial(HeardReader, self._format, listeners=listeners, total=sampling.total)
        asked = Asked(chats, *encoding.prompts(self._format, chats), numbers)
        return self._answers(asked, sampling, reader, progress, settled)

    def continued_as(
        self,
        chats: Sequence[Chat],
        begun: Sequence[str],
        adapters: Sequence[str | None],
        sampling: Sampling,
        enough: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        """See `base.ContinuesAnswers`, chats[i] with adapters[i]."""
        return self._continued(chats, begun, self._of(chats, adapters), sampling, enough, progress)

    def logprobs_as(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None]
    ) -> list[list[float]]:
        """See `base.HasAdapters`; what cannot be scored gives an empty list."""
        results: list[list[float]] = [[] for _ in chats]
        for item, found in self._read(chats, texts, adapters, 0):
            results[item.index] = found[:, 0].tolist()
        return results

    def word_logprobs_as(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None]
    ) -> list[list[tuple[str, float]]]:
        """See `base.ScoresWords`, chats[i] with adapters[i]."""
        results: list[list[tuple[str, float]]] = [[] for _ in chats]
        for item, found in self._read(chats, texts, adapters, 0):
            results[item.index] = self._format.words(item.tokens[-item.answer :], found[:, 0].tolist())
        return results

    def token_logprobs(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None], top: int = 0
    ) -> list[list[Token]]:
        """See `base.ScoresTokens`."""
        results: list[list[Token]] = [[] for _ in chats]
        for item, found in self._read(chats, texts, adapters, top):
            said = pieces(self._format, item.tokens[-item.answer :])
            befores = item.tokens[-item.answer - 1 : -1]
            results[item.index] = [
                Token(text, row[0], self._others(before, row[1:]))
                for text, before, row in zip(said, befores, found.tolist(), strict=True)
            ]
        return results

    def _others(self, before: int, found: Sequence[float]) -> tuple[tuple[str, float], ...]:
        pairs = zip(found[::2], found[1::2], strict=True)
        return tuple((alternative(self._format, before, int(token)), logprob) for token, logprob in pairs)

    def _read(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None], top: int
    ) -> list[tuple[encoding.Answered, Tensor]]:
        """What can be scored, with (tokens, 1 + 2 * top) of its answer as `scoring.with_others` has them."""
        numbers = self._of(chats, adapters)
        items = [replace(one, adapter=numbers[one.index]) for one in self._answered(chats, texts)]
        by_index = {one.index: one for one in items}
        with weights.answering(self.model):
            read = self._scorer.read(items, self._budget, with_others(top))
            return [(by_index[index], found) for index, found in read if len(found)]

    def _of(self, chats: Sequence[Chat], adapters: Sequence[str | None]) -> list[int]:
        """The numbers of adapters.

        Raises:
            ModelError: there is none of that name.
        """
        if len(chats) != len(adapters):
            raise ValueError(f"{len(chats)} chats but {len(adapters)} adapters")
        unknown = next((name for name in adapters if name not in self._numbers), None)
        if unknown is not None:
            known = ", ".join(self.adapters) or "none"
            raise ModelError(f"{self.name} has no adapter {unknown[:100]!r}", f"it has: {known}")
        return [self._numbers[name] for name in adapters]


def _say_of(say: Callable[[str], object], name: str, line: str) -> None:
    say(f"{name}: {line}")


class _Trial:
    """What peft makes of a few tokens with each adapter, to compare what the mixture makes of them."""

    def __init__(self, model: Any) -> None:
        size = int(model.get_input_embeddings().weight.shape[0])
        self._tokens = torch.arange(8, device=model.device)[None] * 7 % size
        self._rounding = 1e-3 if model.dtype == torch.float32 else 0.2
        self._wanted: list[Tensor] = []

    @torch.no_grad()
    def note(self, wrapped: Any) -> None:
        """One more adapter, put on as peft does it."""
        wrapped.eval()
        self._wanted.append(wrapped(input_ids=self._tokens).logits[0, -1].float())

    @torch.inference_mode()
    def require_same(self, forward: Forward, name: str) -> None:
        """Refuses a model that has ways past its layers, such as kernels that take their weights alone.

        Raises:
            ModelError: what is answered with adapters is not what they make of it one at a time.
        """
        if not self._wanted:
            return
        count = len(self._wanted) + 1
        tokens = self._tokens.expand(count, -1)
        numbers = torch.arange(count, device=tokens.device)
        base, *found = forward.next_logits(tokens, torch.ones_like(tokens), None, numbers)[0]
        for one, wanted in zip(found, self._wanted, strict=True):
            wrong, change = (one - wanted).norm(), (wanted - base).norm()
            if wrong > self._rounding * (change + 0.05 * wanted.std() * len(wanted) ** 0.5):
                raise ModelError(
                    f"model {name!r} answers otherwise with adapters side by side than with one at a time",
                    "let one adapter answer at a time (model.adapter), or teach other layers "
                    "(teach.lora.target_modules)",
                )


def _changes(
    model: Any, folder: Path, name: str, trial: _Trial, say: Callable[[str], object]
) -> dict[str, Change]:
    """What the adapter in `folder` changes of each layer of a model, which stays as it is.

    Raises:
        ModelError: see `MixedLM`.
    """
    from peft.tuners.lora import LoraLayer
    from transformers.pytorch_utils import Conv1D

    adapted.require_files(folder)
    adapted.require_sound(folder)
    try:
        lora.require_plain(folder)
    except ModelError as error:
        raise ModelError(
            error.what, "only plain LoRA matrices answer side by side: teach without what is named"
        ) from None
    wrapped = adapted.put_on(model, folder, name)
    try:
        if (idle := adapted.note_if_idle(wrapped)) is not None:
            say(idle)
        trial.note(wrapped)
        found: dict[str, Change] = {}
        for place, layer in wrapped.get_base_model().named_modules():
            if not isinstance(layer, LoraLayer):
                continue
            if not isinstance(layer.get_base_layer(), torch.nn.Linear | Conv1D):
                raise ModelError(
                    f"adapter {folder} changes {place}, which is no linear layer", "teach others"
                )
            a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
            found[place] = a.detach(), b.detach() * layer.scaling["default"]
        return found
    finally:
        wrapped.unload()
