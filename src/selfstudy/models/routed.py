"""A model that picks an adapter for every prompt, or none (deploy: dynamic; methods 1).

Answers with the adapter that the router names, never with two.  What does not depend on an answer, such as
counting tokens or rendering a chat, is the model's own; its weights are those of the base model.  Knows
neither how the router decides nor where the model runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from selfstudy.errors import ModelError
from selfstudy.models.base import (
    CountsUse,
    HasAdapters,
    LanguageModel,
    Progress,
    Route,
    Sampling,
    Style,
    Token,
    token_counter,
    wants_demonstrations,
)
from selfstudy.records import Chat, Completion

if TYPE_CHECKING:
    from selfstudy.models.local.mixed import MixedLM
    from selfstudy.models.remote.usage import Usage
    from selfstudy.models.router import Router


class Mixed(LanguageModel, HasAdapters, Protocol):
    """A language model with adapters."""


class RoutedLM:
    """Answers each chat as the router says; fulfils `base.HasAdapters`, `base.Routes`, `base.CountsTokens`.

    Over a model in this process it fulfils what that does (`_RoutedHere`); over an engine it counts use.

    Attributes:
        lm: the model with its adapters.
        router: says which of them answers.
    """

    def __new__(cls, lm: Mixed, router: Router) -> RoutedLM:
        """What can do no more than `lm` can: callers ask by isinstance."""
        kind = cls
        if cls is RoutedLM:
            kind = _RoutedHere if _is_here(lm) else _RoutedThere if isinstance(lm, CountsUse) else RoutedLM
        return super().__new__(kind)

    def __init__(self, lm: Mixed, router: Router) -> None:
        """Puts a router before a model.

        Raises:
            ModelError: the router names an adapter that the model has not.
        """
        missing = [name for name in router.adapters if name not in lm.adapters]
        if missing:
            raise ModelError(
                f"the router of {lm.name} names the adapter {missing[0]!r}, which is not there",
                "give the whole folder, as it was taught; `selfstudy unlearn` drops an adapter and its rows",
            )
        self.lm = lm
        self.router = router

    @property
    def name(self) -> str:
        return self.lm.name

    @property
    def adapters(self) -> tuple[str, ...]:
        """See `base.HasAdapters`."""
        return self.lm.adapters

    @property
    def wants_demonstrations(self) -> bool:
        """Whether the demonstrations of a prompt are shown."""
        return wants_demonstrations(self.lm)

    def count_tokens(self, text: str) -> int:
        """As the model counts them, else an estimate."""
        return token_counter(self.lm)(text)

    def route(self, chats: Sequence[Chat]) -> list[Route]:
        """See `base.Routes`; all are embedded together."""
        return self.router.route([self.router.routing_text(chat) for chat in chats])

    def _picked(self, chats: Sequence[Chat]) -> list[str | None]:
        return [route.adapter for route in self.route(chats)]

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """As `base.LanguageModel`, each chat with the adapter that the router picks."""
        return self.lm.generate_as(chats, self._picked(chats), sampling, progress)

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """As `base.LanguageModel`, each chat with the adapter that the router picks."""
        return self.lm.logprobs_as(chats, texts, self._picked(chats))

    def generate_as(
        self,
        chats: Sequence[Chat],
        adapters: Sequence[str | None],
        sampling: Sampling,
        progress: Progress | None = None,
        heard: Sequence[Callable[[str], object] | None] = (),
        settled: Callable[[int, list[Completion]], object] | None = None,
    ) -> list[list[Completion]]:
        """See `base.HasAdapters`: nothing is routed."""
        return self.lm.generate_as(chats, adapters, sampling, progress, heard, settled)

    def logprobs_as(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None]
    ) -> list[list[float]]:
        """See `base.HasAdapters`: nothing is routed."""
        return self.lm.logprobs_as(chats, texts, adapters)


class _RoutedThere(RoutedLM):
    """Over an engine; fulfils `base.CountsUse`."""

    @property
    def usage(self) -> Usage:
        return cast(CountsUse, self.lm).usage


class _RoutedHere(RoutedLM):
    """Over a model in this process, whose other abilities it has too; plain text alone is not routed."""

    lm: MixedLM

    adapter: Path | None = None
    """None: the weights are the base model's, to which whatever is trained next belongs."""

    @property
    def model(self) -> Any:
        return self.lm.model

    @property
    def tokenizer(self) -> Any:
        return self.lm.tokenizer

    @property
    def style(self) -> Style:
        return self.lm.style

    @property
    def context(self) -> int | None:
        return self.lm.context

    def merged_copy(self, *, own: bool = True) -> Any:
        """Of the base model."""
        return self.lm.merged_copy(own=own)

    def render(self, chat: Chat) -> str:
        """See `base.RendersChats`."""
        return self.lm.render(chat)

    def stream(self, chat: Chat, sampling: Sampling, heard: Callable[[str], object]) -> Completion:
        """See `base.Streams`."""
        return self.lm.generate_as([chat], self._picked([chat]), sampling, heard=[heard])[0][0]

    def continued(
        self,
        chats: Sequence[Chat],
        begun: Sequence[str],
        sampling: Sampling,
        enough: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        """See `base.ContinuesAnswers`."""
        return self.lm.continued_as(chats, begun, self._picked(chats), sampling, enough, progress)

    def token_logprobs(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None], top: int = 0
    ) -> list[list[Token]]:
        """See `base.ScoresTokens`: nothing is routed."""
        return self.lm.token_logprobs(chats, texts, adapters, top)

    def word_logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """See `base.ScoresWords`."""
        return self.lm.word_logprobs_as(chats, texts, self._picked(chats))

    def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
        """See `base.ReadsPlainText`: of the base model, as plain text asks nothing."""
        return self.lm.text_logprobs(befores, texts)


def _is_here(lm: Mixed) -> bool:
    from selfstudy.models.local.mixed import MixedLM

    return isinstance(lm, MixedLM)
