"""One worker: models that are loaded when first asked of it, by their blocks, and kept until forgotten.

Knows models and what is asked of them; nothing of processes, nor of who shares the work out (scale.py): the
same object answers in the process of a test.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.models import base
from selfstudy.models.load import load_embedder, load_lm, load_nli
from selfstudy.models.remote import permissions
from selfstudy.models.remote.usage import Usage

if TYPE_CHECKING:
    from selfstudy.models.workers import ModelSpec
    from selfstudy.recipe import Prices
    from selfstudy.records import Chat, Completion


@dataclass(frozen=True, slots=True)
class LMFacts:
    """What a language model says of itself.

    Attributes:
        notes: what was said while it was loaded.
    """

    name: str
    context: int | None
    wants_demonstrations: bool
    prices: Prices | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JudgeFacts:
    """What an entailment model says of itself; see `pairs.Judges`."""

    budget: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class EmbedderFacts:
    """What an embedder says of itself; `dimension` is how many numbers a vector has."""

    name: str
    fingerprint: str
    dimension: int


class Worker:
    """Holds copies of models, one of each spec.

    An engine that a model needs is started here, for this worker alone, and ends when the model is forgotten.
    Keys come from this process's own environment and files: none is ever sent.

    It may be called from several threads.  Weights compute one call at a time; a model behind a URL, whose
    calls are spent waiting, answers several at once, so that its engines have work while one call ends.

    Args:
        folder: where the run's own process works, so that paths of a recipe mean the same here; if there is
            no such folder on this machine, relative ones are looked for where this process works.
        allowed: what the run's own process was allowed (remote/permissions.py): which key may go where.
    """

    def __init__(self, folder: str | None = None, allowed: Sequence[str] = ()) -> None:
        if folder is not None and Path(folder).is_dir():
            os.chdir(folder)
        permissions.allow(*allowed)
        self._models: dict[ModelSpec, Any] = {}
        self._notes: dict[ModelSpec, list[str]] = {}
        self._told: dict[ModelSpec, Usage] = {}
        """What of a model's own count has been given out: calls that overlap share one count."""
        self._turn = threading.RLock()

    def do(
        self, spec: ModelSpec, method: str, items: Sequence[Any], *common: Any
    ) -> tuple[list[Any], Usage | None]:
        """One result for each item, in their order; and what was asked of the model for them, if it counts.

        Args:
            method: of a language model `generate` (items are chats; common: the sampling), `logprobs` and
                `word_logprobs` (chats with texts), `text_logprobs` (texts with texts) or `continued` (chats
                with beginnings; common: the sampling, and what is enough); of an entailment model `judge`
                (encoded pairs); of an embedder `encode` (texts).

        Raises:
            SelfstudyError: the model cannot be loaded, or refuses the call as it would anywhere.
        """
        model = self._model(spec)
        with nullcontext() if _is_remote(model) else self._turn:
            if spec.kind == "nli":
                return model.judged(items), None
            if spec.kind == "embedder":
                return list(model.encode(items)), None
            found, guess = _ASKED[method](model, items, *common)
            return found, self._used(spec, model) if isinstance(model, base.CountsUse) else guess()

    def call(self, spec: ModelSpec, method: str, *arguments: Any) -> Any:
        """What a model says of itself (`facts`), or its own method `method` does.

        Raises:
            SelfstudyError: the model cannot be loaded.
        """
        model = self._model(spec)
        with self._turn:
            if method != "facts":
                return getattr(model, method)(*arguments)
            return _facts(model, tuple(self._notes[spec])) if spec.kind == "lm" else _FACTS[spec.kind](model)

    def forget(self, spec: ModelSpec) -> None:
        """Lets go of a model, and of memory that others may need; harmless if it was never loaded."""
        with self._turn:
            if self._models.pop(spec, None) is not None:
                _free_memory()

    def _model(self, spec: ModelSpec) -> Any:
        with self._turn:
            if spec not in self._models:
                notes = self._notes[spec] = []
                model = self._models[spec] = _loaded(spec, notes.append)
                if isinstance(model, base.CountsUse):
                    self._told[spec] = model.usage
            return self._models[spec]

    def _used(self, spec: ModelSpec, model: base.CountsUse) -> Usage:
        """What it was asked since this was last said, by calls under way too: said once, by one of them."""
        with self._turn:
            now = model.usage
            used, self._told[spec] = now - self._told[spec], now
            return used


def _free_memory() -> None:
    gc.collect()
    if "torch" in sys.modules:  # which keeps what it had of an accelerator
        from selfstudy.models.local import loading

        loading.free_memory(loading.pick_device("auto"))


def _is_remote(model: object) -> bool:
    from selfstudy.models.remote.lm import RemoteLM

    return type(model) is RemoteLM


def _loaded(spec: ModelSpec, say: Callable[[str], object]) -> Any:
    from pydantic import TypeAdapter

    from selfstudy.recipe import EmbedderBlock, EntailmentBlock, ModelBlock

    if spec.kind == "lm":
        return load_lm(TypeAdapter(ModelBlock).validate_json(spec.block), cache=spec.cache, say=say)
    if spec.kind == "nli":
        return load_nli(TypeAdapter(EntailmentBlock).validate_json(spec.block))
    return load_embedder(EmbedderBlock.model_validate_json(spec.block))


def _facts(lm: base.LanguageModel, notes: tuple[str, ...]) -> LMFacts:
    return LMFacts(
        name=lm.name,
        context=lm.context if isinstance(lm, base.HasContext) else None,
        wants_demonstrations=base.wants_demonstrations(lm),
        prices=lm.prices if isinstance(lm, base.HasPrices) else None,
        notes=notes,
    )


_FACTS: dict[str, Callable[[Any], Any]] = {
    "nli": lambda model: JudgeFacts(model.budget, model.fingerprint),
    "embedder": lambda model: EmbedderFacts(model.name, model.fingerprint, model.dimension),
}

_Results = tuple[list[Any], Callable[[], Usage]]
"""With what was asked of a model that does not count it."""


def _generate(lm: Any, chats: Sequence[Chat], sampling: base.Sampling) -> _Results:
    found = lm.generate(chats, sampling)
    return found, lambda: _answered(lm, chats, found)


def _continued(lm: Any, items: Sequence[Any], sampling: base.Sampling, enough: Any) -> _Results:
    chats, begun = map(list, zip(*items, strict=True))
    found = lm.continued(chats, begun, sampling, enough)
    return found, lambda: _answered(lm, chats, found)


def _scored(method: str) -> Callable[..., _Results]:
    def score(lm: Any, items: Sequence[Any]) -> _Results:
        befores, texts = map(list, zip(*items, strict=True))
        found = _SCORES[method](lm, befores, texts)
        return found, lambda: _read(lm, befores, found)

    return score


_SCORES: dict[str, Callable[..., list[Any]]] = {
    "logprobs": lambda lm, chats, texts: lm.logprobs(chats, texts),
    "word_logprobs": base.word_logprobs,
    "text_logprobs": base.text_logprobs,
}
_ASKED: dict[str, Callable[..., _Results]] = {
    "generate": _generate,
    "continued": _continued,
    **{method: _scored(method) for method in _SCORES},
}


def _answered(lm: base.LanguageModel, chats: Sequence[Chat], found: Sequence[Sequence[Completion]]) -> Usage:
    """As `run.budget.Metered` counts what answers without counting."""
    count = base.token_counter(lm)
    every = [one for row in found for one in row]
    return Usage(
        prompt_tokens=base.prompt_tokens(lm, chats),
        completion_tokens=sum(one.tokens or (count(one.text) if one.text else 0) for one in every),
        completions=len(every),
    )


def _read(lm: base.LanguageModel, befores: Sequence[Any], found: Sequence[Sequence[Any]]) -> Usage:
    """The same of given texts, whose tokens are prompt tokens."""
    chats = [base.chat(one) if isinstance(one, str) else one for one in befores]
    prompt = base.prompt_tokens(lm, chats) + sum(map(len, found))
    return Usage(prompt_tokens=prompt, completions=len(befores))
