"""A language model whose copies answer in other processes; what it can do is what the model can.

A local one says itself how it would batch a call; what a server or a script answers does not depend on what
else is asked, so those calls are cut into chunks.  Knows neither processes nor what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.errors import ModelError
from selfstudy.files import reading
from selfstudy.models import content
from selfstudy.models.counting import tokenizer_of
from selfstudy.models.families import of_servers
from selfstudy.models.local.panics import panics_as_errors
from selfstudy.models.remote.usage import Usage
from selfstudy.models.workers import Lost, ModelSpec, Workers
from selfstudy.recipe import LocalModel, ModelBlock, RemoteModel, ScriptedModel
from selfstudy.records import Chat, Completion, without_demonstrations

if TYPE_CHECKING:
    from selfstudy.models.base import Progress, Sampling
    from selfstudy.models.local.chat_format import ChatFormat
    from selfstudy.models.worker import LMFacts
    from selfstudy.recipe import Prices

_SAID = "Counted alike here and there: naïve, 東京, ½, 1234567?"
CHUNK = 32
"""Chats of a unit of a model that does not batch."""


def lm_spec(block: ModelBlock, *, cache: bool = True) -> ModelSpec:
    """By which workers know the language model of a block."""
    return ModelSpec("lm", block.model_dump_json(), cache)


def spread_lm(
    block: ModelBlock,
    workers: Workers,
    *,
    cache: bool = True,
    say: Callable[[str], object] = lambda text: None,
) -> SpreadLM:
    """The language model of a block, answering in `workers`; one of them loads it now, and says what it is.

    Args:
        cache: a remote one is not asked for what this user has already.
        say: told what `load_lm` says.

    Raises:
        ModelError: it cannot be loaded.
    """
    spec = lm_spec(block, cache=cache)
    facts: LMFacts = workers.call(spec, "facts")
    for note in facts.notes:
        say(note)
    if isinstance(block, LocalModel):
        return _Local(spec, workers, facts, block)
    if isinstance(block, ScriptedModel):
        return _Scripted(spec, workers, facts)
    return _Remote(spec, workers, facts) if isinstance(block, RemoteModel) else _Served(spec, workers, facts)


class SpreadLM:
    """A language model in other processes; fulfils `base.LanguageModel` and `base.CountsUse`.

    An item that no worker could answer is a Completion with finish "error", or has no log-probabilities.
    """

    def __init__(self, spec: ModelSpec, workers: Workers, facts: LMFacts) -> None:
        self.name = facts.name
        self._spec = spec
        self._workers = workers
        self._facts = facts
        self._usage = Usage()

    @property
    def usage(self) -> Usage:
        """What was asked of all copies for calls of this one; of one that counts nothing, as a run counts."""
        return self._usage

    @property
    def wants_demonstrations(self) -> bool:
        """Whether the demonstrations of a prompt are shown."""
        return self._facts.wants_demonstrations

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """As the model does; `progress` counts units as they are done."""
        parts = self._parts("parts", chats, sampling)
        return self._completions("generate", parts, chats, sampling, progress)

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """As the model does."""
        return self._scored("logprobs", chats, texts)

    def _parts(self, method: str, *arguments: Any) -> list[list[int]]:
        """The units of a call, as places of its items.

        Args:
            method: of a local model, which says how it would batch; it is given `arguments`.
        """
        return _chunks(arguments[0]) if arguments[0] else []

    def _completions(
        self,
        method: str,
        parts: Sequence[Sequence[int]],
        items: Sequence[Any],
        sampling: Sampling,
        progress: Progress | None,
        *more: Any,
    ) -> list[list[Completion]]:
        results: list[list[Completion]] = [[] for _ in items]
        for place, found in self._shared(method, parts, items, sampling, *more, progress=progress):
            if isinstance(found, Lost):
                found = [Completion(text="", finish="error", error=found.error)] * sampling.total
            results[place] = found
        return results

    def _scored(self, method: str, befores: Sequence[Any], texts: Sequence[str]) -> list[list[Any]]:
        if len(befores) != len(texts):
            raise ValueError(f"{len(befores)} chats but {len(texts)} texts")
        parts = self._parts("text_parts" if method == "text_logprobs" else "scored_parts", befores, texts)
        results: list[list[Any]] = [[] for _ in texts]
        pairs = list(zip(befores, texts, strict=True))
        for place, found in self._shared(method, parts, pairs):
            results[place] = [] if isinstance(found, Lost) else found
        return results

    def _shared(
        self,
        method: str,
        parts: Sequence[Sequence[int]],
        items: Sequence[Any],
        *common: Any,
        progress: Progress | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """The place of each item, and its result; what was asked for it is counted."""
        units = [[items[place] for place in part] for part in parts]
        for done in self._workers.share(self._spec, method, units, *common):
            if done.usage is not None:
                self._usage += done.usage
            yield from zip(parts[done.unit], done.results, strict=True)
            if progress is not None:
                progress(len(done.results))


class _CountsInWorkers(SpreadLM):
    """One with a tokenizer, or a script's words; fulfils `base.CountsTokens`."""

    def count_tokens(self, text: str) -> int:
        """As the model counts them."""
        return int(self._workers.call(self._spec, "count_tokens", text))


class _ScoresTexts(_CountsInWorkers):
    """Fulfils `base.ScoresWords` and `base.ReadsPlainText`."""

    def word_logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """As the model does."""
        return self._scored("word_logprobs", chats, texts)

    def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
        """As the model does."""
        return self._scored("text_logprobs", befores, texts)


class _Scripted(_ScoresTexts):
    """Answers from a script, there."""


class _Local(_ScoresTexts):
    """Weights there; fulfils `base.ContinuesAnswers`, `base.RendersChats` and `base.HasContext` too."""

    def __init__(self, spec: ModelSpec, workers: Workers, facts: LMFacts, block: LocalModel) -> None:
        super().__init__(spec, workers, facts)
        self._block = block

    @cached_property
    def _format(self) -> ChatFormat | None:
        """How chats are put to it, read here: stages count every page, one text a call.

        None: the model is not on this machine, or is another here.
        """
        from selfstudy.models.local.chat_format import ChatFormat, style_of

        if reading.is_file(Path(self._block.path)):  # it would be converted first, which takes minutes
            return None
        try:
            tokenizer = tokenizer_of(self._block)
            found = tokenizer and ChatFormat(tokenizer, style=style_of(self._block))
        except ModelError:
            return None
        return found if found and found.count(_SAID) == super().count_tokens(_SAID) else None

    def count_tokens(self, text: str) -> int:
        """As the model counts them."""
        if self._format is None:
            return super().count_tokens(text)
        with panics_as_errors(f"the tokenizer of {self.name}"):
            return self._format.count(text)

    @property
    def context(self) -> int | None:
        """Tokens of a prompt with its answer; None: without a limit that is known."""
        return self._facts.context

    def render(self, chat: Chat) -> str:
        """The prompt's text, as the model's template makes it."""
        return str(self._workers.call(self._spec, "render", chat))

    def continued(
        self,
        chats: Sequence[Chat],
        begun: Sequence[str],
        sampling: Sampling,
        enough: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        """As the model does."""
        if len(chats) != len(begun):
            raise ValueError(f"{len(chats)} chats but {len(begun)} beginnings of answers")
        parts = self._parts("continued_parts", chats, begun, sampling)
        items = list(zip(chats, begun, strict=True))
        return self._completions("continued", parts, items, sampling, progress, enough)

    def _parts(self, method: str, *arguments: Any) -> list[list[int]]:
        found: list[list[int]] = self._workers.call(self._spec, method, *arguments) if arguments[0] else []
        return found


class _Remote(SpreadLM):
    """Behind a URL; fulfils `base.HasPrices`."""

    @property
    def prices(self) -> Prices | None:
        """What its tokens cost, where that is known."""
        return self._facts.prices


class _Served(_CountsInWorkers):
    """Behind engines, of which each worker starts its own; one that is named by a URL is asked by all."""


def _chunks(items: Sequence[Any]) -> list[list[int]]:
    """Places of items, about `CHUNK` together; those that a model may take for the same are in one.

    Which of several samples an equal chat gets goes by how many were before it in a call.
    """
    alike: dict[Any, list[int]] = {}
    for place, item in enumerate(items):
        alike.setdefault(item if isinstance(item, str) else _sent(item), []).append(place)
    found: list[list[int]] = []
    for places in alike.values():
        if found and len(found[-1]) + len(places) <= CHUNK:
            found[-1] += places
        else:
            found.append(list(places))
    return [sorted(part) for part in found]


def _sent(chat: Chat) -> Chat:
    """A chat as a server is given it at least: without demonstrations, its words without marks."""
    return content.within(without_demonstrations(chat), of_servers)
