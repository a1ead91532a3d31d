"""What answers: the contract every language model, entailment model and embedder fulfils.

Batch first: callers hand over everything they have, the backend decides how to batch.  Order is kept.
One bad item does not fail the batch: it comes back as a Completion with finish "error".
This file knows nothing of any backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from selfstudy.errors import ModelError
from selfstudy.records import Chat, Completion, Message, without_demonstrations
from selfstudy.text import estimate_tokens

if TYPE_CHECKING:
    from selfstudy.models.remote.usage import Usage
    from selfstudy.recipe import Prices

Progress = Callable[[int], None]
"""Called with the number of items newly finished."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to generate.

    Attributes:
        n: sampled completions per chat (>= 0 with `greedy_first`, else >= 1).
        temperature: 0 is greedy; 1 samples the model's own distribution (no hidden top-k or top-p).
        greedy_first: put one greedy completion (temperature 0) before the n sampled ones; all n + 1 share
            the prompt's prefill.
        max_new_tokens: limit per completion, in tokens.
        repetition_penalty: 1.0 = off (Keskar et al. 2019, CTRL, section 4.1).
        top_k, top_p: 0 and 1.0 = off.
        penalty_alpha: 0.0 = off; above it a greedy completion is found by contrastive search (Su et al. 2022,
            arXiv 2202.06417) among the `top_k` most probable tokens, whose likeness to the text so far has
            this weight.  Samples stay samples, at the temperature: the search has no chance in it and gives
            one answer, so two that differ are `greedy_first` and a sample.  Its score is no distribution to
            draw from: probability is worth 1 - penalty_alpha in it at most, so that at a temperature near 1 a
            token of no probability would be drawn nearly as often as a certain one.
        stop: strings that end a completion; they are cut off.
        seed: sampling depends on (seed, chat, sample number) alone, never on what else is in the batch.
        first: number of the first sample.  Above 0 the call goes on where one with fewer samples stopped: it
            gives samples first ... first + n - 1 as that call would have, and the greedy one is not repeated.

    Raises:
        ValueError: penalty_alpha is not in [0, 1], or has no candidates or no greedy completion.
    """

    n: int = 1
    temperature: float = 1.0
    greedy_first: bool = False
    max_new_tokens: int = 128
    repetition_penalty: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    first: int = 0
    penalty_alpha: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.penalty_alpha <= 1.0:
            raise ValueError(f"penalty_alpha = {self.penalty_alpha}: give 0 (off) to 1")
        if self.penalty_alpha and self.top_k < 1:
            raise ValueError(
                f"penalty_alpha = {self.penalty_alpha} with top_k = {self.top_k}: give 1 or more"
            )
        if self.penalty_alpha and self.temperature > 0 and not self.greedy_first:
            raise ValueError(
                f"penalty_alpha = {self.penalty_alpha} changes greedy completions alone, and none is asked "
                "for: set greedy_first, or temperature 0"
            )

    @property
    def with_passage(self) -> bool:
        """Whether a greedy completion comes before the samples of this call."""
        return self.greedy_first and self.first == 0

    @property
    def total(self) -> int:
        """Completions returned per chat."""
        return self.n + (1 if self.with_passage else 0)

    @property
    def numbers(self) -> range:
        """Places of this call's completions among all of a chat, counted from 0 with the greedy one."""
        start = self.first + (1 if self.greedy_first and self.first else 0)
        return range(start, start + self.total)


GREEDY = Sampling(n=1, temperature=0.0)


@dataclass(frozen=True, slots=True)
class Style:
    """How chats are put to a model.

    Attributes:
        completion: as plain text, whatever template there is; None: where there is none.
        demonstrations: with the demonstrations of a prompt; None: in plain text alone.
    """

    completion: bool | None = None
    demonstrations: bool | None = None


BY_TEMPLATE = Style()
"""As a turn-taking model where there is a template, else as plain text."""


class NoLogprobsError(ModelError):
    """A language model cannot say how probable given texts are."""


def refuse_contrastive_search(name: str, sampling: Sampling) -> None:
    """For models whose hidden states are not at hand: what they cannot do is not left out in silence.

    Raises:
        ModelError: contrastive search is asked for.
    """
    if sampling.penalty_alpha:
        raise ModelError(
            f"{name} cannot search contrastively (penalty_alpha = {sampling.penalty_alpha:g}): that needs "
            "the hidden states of the model's last layer",
            "take a model of type local, or set penalty_alpha to 0",
        )


class LanguageModel(Protocol):
    """Anything that answers chats."""

    @property
    def name(self) -> str:
        """What reports call it: a path, a Hub id or an alias, with a revision where there is one."""

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """`sampling.total` completions for each chat, in the order of `chats`."""

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """Natural-log probability of every token of texts[i] as the assistant's answer to chats[i].

        Raises:
            NoLogprobsError: this model cannot do it.
        """


@runtime_checkable
class ScoresWords(Protocol):
    """Says how probable each word of a given text is."""

    def word_logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """The words of texts[i] as the answer to chats[i], each with its tokens' summed log-probability.

        A word begins where a token begins with white space.  What cannot be scored has none.
        """


def word_logprobs(
    lm: LanguageModel, chats: Sequence[Chat], texts: Sequence[str]
) -> list[list[tuple[str, float]]]:
    """See `ScoresWords`.

    Raises:
        NoLogprobsError: this model cannot do it, as no server can, whose tokens' texts are not known.
    """
    if not isinstance(lm, ScoresWords):
        raise NoLogprobsError(
            f"{lm.name} does not say how probable each word of a given text is",
            "take a local model, or another scorer (passage-likelihood needs the answers' own probabilities)",
        )
    return lm.word_logprobs(chats, texts)


@runtime_checkable
class ReadsPlainText(Protocol):
    """Says how probable a text is behind another, whatever template there is: for benchmarks that say so."""

    def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
        """Natural-log probability of every token of texts[i] where it follows befores[i].

        Both are cut into tokens as one text; what belongs to texts[i] are the tokens from the first on that
        befores[i] alone does not have.  Neither is stripped or quoted.  Where the model reads less, the
        beginning of befores[i] is left out, and of a longer text each token has half of what the model reads
        before it.  Behind an empty one the first token follows the mark of a beginning, or that of an end;
        of a tokenizer without either it is not scored.  What cannot be scored has none.
        """


def text_logprobs(lm: LanguageModel, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
    """See `ReadsPlainText`.

    Raises:
        NoLogprobsError: this model cannot do it, as no server can, which renders chats itself.
    """
    if not isinstance(lm, ReadsPlainText):
        raise NoLogprobsError(
            f"{lm.name} does not say how probable a plain text is",
            "take a local model, or leave out what goes by the probability of given texts (mc1 and mc2 of "
            "truthfulqa; perplexity)",
        )
    return lm.text_logprobs(befores, texts)


@runtime_checkable
class ContinuesAnswers(Protocol):
    """Goes on with answers that have begun: for a search that writes sentence by sentence."""

    def continued(
        self,
        chats: Sequence[Chat],
        begun: Sequence[str],
        sampling: Sampling,
        enough: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        """`sampling.total` completions of what follows begun[i], which begins the answer to chats[i].

        Random streams go by the prompt with the beginning.  White space around begun[i] does not count; that
        of a completion is kept, so that one behind the other is the answer.  Thinking is over before it.

        Args:
            begun: "" where nothing is said yet.
            enough: asked of the text of a completion after each token: whether it may stop there.

        Returns:
            finish is "stop" where the model ended its turn, or a text of `sampling.stop` did, and "length"
            where the model would have said more: also where `enough` stopped it.
        """


def continued(
    lm: LanguageModel,
    chats: Sequence[Chat],
    begun: Sequence[str],
    sampling: Sampling,
    enough: Callable[[str], bool] | None = None,
    progress: Progress | None = None,
) -> list[list[Completion]]:
    """See `ContinuesAnswers`.

    Raises:
        ModelError: this model cannot do it, as no server can.
    """
    if not isinstance(lm, ContinuesAnswers):
        raise ModelError(
            f"{lm.name} cannot go on with an answer that has begun, as a beam search needs it to",
            "take a model of type local, or search: best-of, for which any model will do",
        )
    return lm.continued(chats, begun, sampling, enough, progress)


@runtime_checkable
class HasWeights(Protocol):
    """A language model whose weights are in this process, so that they can be trained and written down."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> Any:
        """The transformers model."""

    def merged_copy(self, *, own: bool = True) -> Any:
        """A copy of it without adapter layers: an adapter that is not merged yet is, in float32, or, where
        weights are of 4 bits, stands beside them, frozen.

        Args:
            own: with weights of its own; else it may share the model's, and nothing may write into them.
        """

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""

    @property
    def adapter(self) -> Path | None:
        """The adapter that it was loaded with; a later one has to be combined with it."""

    @property
    def style(self) -> Style:
        """How chats are put to it."""


@runtime_checkable
class CountsTokens(Protocol):
    """Counts with the model's own tokenizer."""

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` alone."""


@runtime_checkable
class RendersChats(Protocol):
    """Says what a model is really given."""

    def render(self, chat: Chat) -> str:
        """The text of a prompt, as the model's template makes it."""


class StopListening(Exception):  # noqa: N818 (no error: as StopIteration)
    """Raised by who hears an answer (`heard`) to have no more of it: its chat is not answered to the end.

    All completions of the chat end where they are, with finish "length"; others of the batch go on.
    """


@runtime_checkable
class Streams(Protocol):
    """Can be listened to while it writes."""

    def stream(self, chat: Chat, sampling: Sampling, heard: Callable[[str], object]) -> Completion:
        """The completion of a chat, as `generate` gives it.

        Args:
            sampling: asks for one (`total` is 1).
            heard: called with the answer so far whenever there is more of it, "" while it thinks; it may
                raise `StopListening`.
        """


@runtime_checkable
class HasAdapters(Protocol):
    """Answers each chat with the adapter that is named for it, several of them in one batch."""

    @property
    def adapters(self) -> tuple[str, ...]:
        """Their names, each with a hash of its weights at its end."""

    def generate_as(
        self,
        chats: Sequence[Chat],
        adapters: Sequence[str | None],
        sampling: Sampling,
        progress: Progress | None = None,
        heard: Sequence[Callable[[str], object] | None] = (),
        settled: Callable[[int, list[Completion]], object] | None = None,
    ) -> list[list[Completion]]:
        """As `generate`, chats[i] with adapters[i], or as the base model where that is None.

        What a chat is answered does not depend on the others of the batch, nor on their adapters; samples of
        the same chat with the same adapter differ, as those of `generate` do.

        A batch takes as long as its longest completion, and none joins it meanwhile.  Who has others waiting
        bounds `max_new_tokens`, hands on each chat's completions as it is `settled`, and ends what nobody
        waits for by `StopListening`.

        Args:
            heard: heard[i] is called with the first completion of chats[i] so far, whenever there is more of
                it, and with "" while it thinks; it may raise `StopListening`.  () or None: nobody listens.
                What cannot be listened to is said once it is whole.
            settled: called with i and the completions of chats[i] as soon as all of them are there.

        Raises:
            ModelError: it has no adapter of that name.
        """

    def logprobs_as(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None]
    ) -> list[list[float]]:
        """As `logprobs`, chats[i] with adapters[i]."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text: what it adds to the text, its natural-log probability, and the likeliest instead."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@runtime_checkable
class ScoresTokens(Protocol):
    """Says how probable each token of given answers is, and what else was."""

    def token_logprobs(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None], top: int = 0
    ) -> list[list[Token]]:
        """The tokens of texts[i] as the answer to chats[i], with adapters[i]; each with the `top` likeliest.

        What cannot be scored has none.
        """


@runtime_checkable
class Routes(Protocol):
    """Has adapters, and says which of them answers which chat."""

    def route(self, chats: Sequence[Chat]) -> list[Route]:
        """Of each chat, by its last turn."""


@dataclass(frozen=True, slots=True)
class Route:
    """Which adapter answers, None for the base model; and how near what it was taught is.

    Attributes:
        score: similarity with the nearest adapter's questions, in [-1, 1], whether it was taken or not.
        base: similarity with the questions that the base model knows.
        nearest: the taught question that decided, as an id; "" where none is near.
    """

    adapter: str | None
    score: float = 0.0
    base: float = 0.0
    nearest: str = ""


@runtime_checkable
class HasContext(Protocol):
    """Says how much it reads."""

    @property
    def context(self) -> int | None:
        """Tokens of a prompt with its answer; None: not known."""


@runtime_checkable
class TakesDemonstrations(Protocol):
    """May want the demonstrations of a prompt; what does not say so does without."""

    @property
    def wants_demonstrations(self) -> bool: ...


def wants_demonstrations(model: object) -> bool:
    """Whether the demonstrations of a prompt are shown to a model."""
    return isinstance(model, TakesDemonstrations) and model.wants_demonstrations


@runtime_checkable
class CountsUse(Protocol):
    """Counts what it has asked a server for, and what that costs."""

    @property
    def usage(self) -> Usage:
        """Since it was made."""


@runtime_checkable
class HasPrices(Protocol):
    """What its tokens cost is known."""

    @property
    def prices(self) -> Prices | None: ...


@runtime_checkable
class HasFingerprint(Protocol):
    """Weights that are known by their content, wherever they lie."""

    @property
    def fingerprint(self) -> str: ...


def token_counter(model: object) -> Callable[[str], int]:
    """Counts the tokens of a text: as the model does, else by the estimate of `text`."""
    return model.count_tokens if isinstance(model, CountsTokens) else estimate_tokens


def prompt_tokens(lm: LanguageModel, chats: Sequence[Chat]) -> int:
    """Tokens of the prompts: by the model's template and tokenizer where it has them, else 1.3 a word."""
    count = token_counter(lm)
    total = 0
    for chat in chats:
        try:
            shown = chat if wants_demonstrations(lm) else without_demonstrations(chat)
            plain = "\n".join(turn.content for turn in shown)
            total += count(lm.render(chat) if isinstance(lm, RendersChats) else plain)
        except Exception:  # a chat that cannot be asked: its completions say why
            continue
    return total


class EntailmentModel(Protocol):
    """Natural language inference over sentence pairs."""

    @property
    def name(self) -> str: ...

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        """For (premise, hypothesis) pairs: shape (len(pairs), 2), columns P(entailment), P(contradiction).

        Softmax over these two classes alone (a neutral class is dropped and the rest renormalised:
        Manakul et al. 2023, section 5.4), so rows sum to 1.
        """

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """The most probable label of each pair over all classes: entailment, neutral or contradiction.

        It is empty where the model gives NaN or inf.
        """


@runtime_checkable
class CutsTexts(Protocol):
    """Has a vocabulary of its own, which fits some texts better than others."""

    def cut(self, texts: Sequence[str]) -> tuple[int, int]:
        """Tokens of all texts together, and how many of these are unknown ones."""


class Embedder(Protocol):
    """Maps texts to unit vectors."""

    @property
    def name(self) -> str: ...

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Shape (len(texts), dimension), rows of Euclidean length 1 (a row of an empty text may be 0)."""


def chat(user: str, system: str = "") -> Chat:
    """A chat of one user message, with a system message before it if given."""
    turns = (Message(role="user", content=user),)
    return (Message(role="system", content=system), *turns) if system else turns
