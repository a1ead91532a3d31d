"""What a run has asked of language models, and where it stops: counted per stage, kept over sessions.

`Metered` goes around any language model; the loop puts it there.  It looks at the budget before each batch,
so a run stops between batches and goes on with the next one.  Knows nothing of stages but their names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from selfstudy.errors import BudgetError
from selfstudy.models.base import (
    CountsUse,
    HasPrices,
    HasWeights,
    LanguageModel,
    Progress,
    Route,
    Sampling,
    Style,
    chat,
    continued,
    prompt_tokens,
    text_logprobs,
    token_counter,
    wants_demonstrations,
    word_logprobs,
)
from selfstudy.records import Chat, Completion
from selfstudy.run import Run

if TYPE_CHECKING:
    from selfstudy.models.remote.usage import Usage
    from selfstudy.models.routed import RoutedLM

T = TypeVar("T")


@dataclass
class Spent:
    """What was asked of language models.

    Attributes:
        calls: completions asked for, whether a server gives one or many per request; what a response cache
            gave does not count.
        prompt_tokens: as a server counted them (a prompt once per request), else each prompt once per batch.
        completion_tokens: tokens generated.
        cost: by the prices of the recipe, in `currency`; of a server that counts no tokens, by ours.
        seconds: spent waiting for the models.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    currency: str = ""
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
            self.currency or other.currency,
            self.seconds + other.seconds,
        )


class _UsageFile(BaseModel):
    """usage.json."""

    seconds: float = 0.0
    stages: dict[str, Spent] = {}
    merged: tuple[int, ...] = ()
    """Rounds of which what their shards spent is in it (merging.py)."""


def spent_by_stage(run: Run) -> dict[str, Spent]:
    """What a run has spent so far, by stage.

    Raises:
        RunError: its file is damaged.
    """
    return (run.read_as(run.usage_file, _UsageFile) or _UsageFile()).stages


def total_of(stages: Mapping[str, Spent]) -> Spent:
    """Over all stages."""
    return sum(stages.values(), Spent())


def seconds_spent(run: Run) -> float:
    """Of all sessions so far.

    Raises:
        RunError: its file is damaged.
    """
    return (run.read_as(run.usage_file, _UsageFile) or _UsageFile()).seconds


def add_shards(run: Run, round_: int, shards: Iterable[Run]) -> None:
    """Adds what the shards of a round have spent, once, however often it is called."""
    total = run.read_as(run.usage_file, _UsageFile) or _UsageFile()
    if round_ in total.merged:
        return
    seconds, stages = total.seconds, dict(total.stages)
    for shard in shards:
        one = shard.read_as(shard.usage_file, _UsageFile) or _UsageFile()
        seconds += one.seconds
        for stage, spent in one.stages.items():
            stages[stage] = stages.get(stage, Spent()) + spent
    _write(run, seconds, stages, (*total.merged, round_))


def _write(run: Run, seconds: float, stages: Mapping[str, Spent], merged: Sequence[int]) -> None:
    spent = {stage: asdict(one) for stage, one in stages.items()}
    data: dict[str, Any] = {"seconds": seconds, "stages": spent}
    run.write_json(run.usage_file, data | ({"merged": list(merged)} if merged else {}))


@dataclass
class Ledger:
    """What a run has spent, by stage; its `usage_file`, written after every batch.

    A kill -9 loses the count of the batch that it interrupts, not more.

    Args:
        run: open for writing.
        clock: seconds, of any origin.
    """

    run: Run
    clock: Callable[[], float] = time.monotonic
    stage: str = ""
    stages: dict[str, Spent] = field(default_factory=dict)
    _merged: tuple[int, ...] = ()
    _before: float = 0.0
    _began: float = 0.0

    def __post_init__(self) -> None:
        self.reread()

    def reread(self) -> None:
        """Takes over what is written down, such as by another process to which the run was lent."""
        written = self.run.read_as(self.run.usage_file, _UsageFile) or _UsageFile()
        self.stages |= written.stages
        self._merged = written.merged
        # the run's own times have the training after the last batch, but not what a kill -9 ended
        self._before = max(written.seconds, sum(self.run.seconds().values()))
        self._began = self.clock()

    @property
    def total(self) -> Spent:
        """Over all stages and sessions."""
        return total_of(self.stages)

    @property
    def seconds(self) -> float:
        """Of all sessions so far, training included."""
        return self._before + self.clock() - self._began

    def add(self, spent: Spent) -> None:
        """Counts what was spent in the current stage, and writes it down."""
        self.stages[self.stage] = self.stages.get(self.stage, Spent()) + spent
        _write(self.run, self.seconds, self.stages, self._merged)

    def check(self, calls: int, guess: Callable[[], Spent] = Spent) -> None:
        """Whether the budget has room for a batch of so many calls, judged by the batches so far.

        Calls are exact: the limit is never passed.  Tokens and money of a batch are not known before: the
        mean of the calls so far counts, so that they are passed by less than a batch.  Of the first batch
        `guess` counts: its prompts, and answers of half the longest length.

        Args:
            guess: what the batch may need; asked only as long as nothing was spent.

        Raises:
            BudgetError: it has not.
        """
        budget, total = self.run.recipe.budget, self.total
        mean = calls / total.calls if total.calls else 0.0
        tokens, cost, currency = mean * total.tokens, mean * total.cost, total.currency
        if (budget.tokens is not None and not tokens) or (budget.money is not None and not cost):
            first = guess()
            tokens, cost, currency = tokens or first.tokens, cost or first.cost, currency or first.currency
        rows: list[tuple[str, float | None, float, float]] = [
            ("calls", budget.calls, total.calls, calls),
            ("tokens", budget.tokens, total.tokens, tokens),
            ("money", budget.money, total.cost, cost),
            ("minutes", budget.minutes, self.seconds / 60, 0.0),
        ]
        for name, limit, used, more in rows:
            if limit is not None and (used >= limit or used + more > limit):
                raise _used_up(self.run, name, limit, used, more, currency)


def _used_up(run: Run, name: str, limit: float, used: float, more: float, currency: str) -> BudgetError:
    unit = currency if name == "money" else name
    shown = f"{used:,.2f}" if name in ("money", "minutes") else f"{used:,.0f}"
    need = f", and the next batch needs about {more:,.2f}" if name == "money" else ""
    if name in ("calls", "tokens") and more:
        need = f", and the next batch needs {'about ' if name == 'tokens' else ''}{more:,.0f}"
    state = "used up" if used else "too small"
    enough = run.budget_for(name, max(2 * limit, used + 2 * more))
    value = f"{enough:.2f}" if name in ("money", "minutes") else f"{enough:.0f}"
    return BudgetError(
        f"the budget of {run.path} is {state}: {shown} of {limit:,g} {unit} spent{need}".replace("  ", " "),
        "everything done is kept. To go on, give the same command again: `learn`, `probe`, `demo` and "
        f"`submit` with --set budget.{name}={value}, the others after "
        f"you change `budget` in {run.recipe_file}",
    )


class Metered:
    """A language model whose use is counted; fulfils `base.LanguageModel`."""

    def __init__(self, lm: LanguageModel, ledger: Ledger) -> None:
        self._lm = lm
        self._ledger = ledger

    @property
    def name(self) -> str:
        return self._lm.name

    @property
    def wants_demonstrations(self) -> bool:
        """As the model."""
        return wants_demonstrations(self._lm)

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """As the model; before that, the budget is looked at.

        Raises:
            BudgetError: it has no room for this batch.
        """
        return self._generated(chats, sampling, lambda: self._lm.generate(chats, sampling, progress))

    def continued(
        self,
        chats: Sequence[Chat],
        begun: Sequence[str],
        sampling: Sampling,
        enough: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        """As `generate`, of a model that goes on with answers; what has begun is read like a prompt."""
        ask = partial(continued, self._lm, chats, begun, sampling, enough, progress)
        return self._generated(chats, sampling, ask, begun)

    def _generated(
        self,
        chats: Sequence[Chat],
        sampling: Sampling,
        ask: Callable[[], list[list[Completion]]],
        begun: Sequence[str] = (),
    ) -> list[list[Completion]]:
        if not chats:
            return []
        batch = _Batch(self._lm, self._ledger, chats, sampling.total, sampling.max_new_tokens)
        try:
            found = ask()
        except BaseException:
            batch.interrupted()
            raise
        count = token_counter(self._lm)
        completions = [one for row in found for one in row]
        said = sum(one.tokens or (count(one.text) if one.text else 0) for one in completions)
        batch.done(said, sum(count(text) for text in begun if text))
        return found

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """As the model; a text is a call, and its tokens are prompt tokens.

        Raises:
            BudgetError: the budget has no room for this batch.
        """
        return self._scored(self._lm.logprobs, chats, texts)

    def word_logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """The same, by words, each of which counts as a token."""
        return self._scored(partial(word_logprobs, self._lm), chats, texts)

    def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
        """The same of plain texts."""
        chats = [chat(before) for before in befores]
        return self._scored(lambda _, some: text_logprobs(self._lm, befores, some), chats, texts)

    def _scored(
        self,
        ask: Callable[[Sequence[Chat], Sequence[str]], list[list[T]]],
        chats: Sequence[Chat],
        texts: Sequence[str],
    ) -> list[list[T]]:
        if not chats:
            return []
        batch = _Batch(self._lm, self._ledger, chats, 1, 0)
        try:
            found = ask(chats, texts)
        except BaseException:
            batch.interrupted()
            raise
        batch.done(0, sum(map(len, found)))
        return found

    @property
    def uncounted(self) -> LanguageModel:
        """The model itself, for what is no part of the run."""
        return self._lm

    def count_tokens(self, text: str) -> int:
        """As the model counts them, else an estimate."""
        return token_counter(self._lm)(text)


class _MeteredWeights(Metered):
    """The same of a model that can be trained; fulfils `base.HasWeights`."""

    def __init__(self, lm: LanguageModel, weights: HasWeights, ledger: Ledger) -> None:
        super().__init__(lm, ledger)
        self._weights = weights

    @property
    def model(self) -> Any:
        return self._weights.model

    def merged_copy(self, *, own: bool = True) -> Any:
        return self._weights.merged_copy(own=own)

    @property
    def tokenizer(self) -> Any:
        return self._weights.tokenizer

    @property
    def adapter(self) -> Path | None:
        return self._weights.adapter

    @property
    def style(self) -> Style:
        return self._weights.style


class _MeteredAdapters(Metered):
    """The same of a model that picks an adapter; fulfils `base.HasAdapters` and `base.Routes`."""

    _lm: RoutedLM

    @property
    def adapters(self) -> tuple[str, ...]:
        return self._lm.adapters

    def route(self, chats: Sequence[Chat]) -> list[Route]:
        """As the model: embedding costs nothing of the budget."""
        return self._lm.route(chats)

    def generate_as(
        self,
        chats: Sequence[Chat],
        adapters: Sequence[str | None],
        sampling: Sampling,
        progress: Progress | None = None,
        heard: Sequence[Callable[[str], object] | None] = (),
        settled: Callable[[int, list[Completion]], object] | None = None,
    ) -> list[list[Completion]]:
        """As the model; before that, the budget is looked at.

        Raises:
            BudgetError: it has no room for this batch.
        """
        ask = partial(self._lm.generate_as, chats, adapters, sampling, progress, heard, settled)
        return self._generated(chats, sampling, ask)

    def logprobs_as(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None]
    ) -> list[list[float]]:
        """As `logprobs`, with adapters that are named."""
        return self._scored(partial(self._lm.logprobs_as, adapters=adapters), chats, texts)


class _MeteredWhole(_MeteredAdapters, _MeteredWeights):
    """The same of one whose weights are in this process."""


def metered(lm: LanguageModel, ledger: Ledger) -> Metered:
    """The model with its use counted; it can be trained, and picks adapters, if the model can and does."""
    from selfstudy.models.routed import RoutedLM

    if isinstance(lm, HasWeights):
        kind = _MeteredWhole if isinstance(lm, RoutedLM) else _MeteredWeights
        return kind(lm, lm, ledger)
    return _MeteredAdapters(lm, ledger) if isinstance(lm, RoutedLM) else Metered(lm, ledger)


class _Batch:
    """One batch: what the model's own counters say of it if it has any, else what can be counted here."""

    def __init__(
        self, lm: LanguageModel, ledger: Ledger, chats: Sequence[Chat], each: int, longest: int
    ) -> None:
        """Of `each` completions per chat, of at most `longest` tokens.

        Raises:
            BudgetError: there is no room for it.
        """
        self._lm = lm
        self._ledger = ledger
        self._chats = chats
        self._calls = len(chats) * each
        self._tokens = self._calls * longest // 2
        """Of all completions, as long as they are not known: few are cut off."""
        ledger.check(self._calls, lambda: self._guess(self._calls, self._tokens))
        self._before = _usage(lm)
        self._began = ledger.clock()

    def interrupted(self) -> None:
        """Counts what a server has given and charged for a batch that did not end."""
        if self._before is not None:
            self.done(self._tokens)

    def done(self, completion_tokens: int, more_prompt: int = 0) -> None:
        """Counts the batch; the tokens that are given count where the model has not counted."""
        after = _usage(self._lm)
        used = after if self._before is None or after is None else after - self._before
        if used is None:
            spent = self._guess(self._calls, completion_tokens, more_prompt)
        elif used.completions and not used.prompt_tokens:  # a server that does not count tokens
            spent = self._guess(used.completions, completion_tokens, more_prompt)
        else:
            prompt, completion = used.prompt_tokens, used.completion_tokens
            spent = Spent(used.completions, prompt, completion, used.cost, used.currency)
        self._ledger.add(replace(spent, seconds=self._ledger.clock() - self._began))

    def _guess(self, calls: int, completion_tokens: int, more_prompt: int = 0) -> Spent:
        """What so many of the batch's calls need, if all of them need so many tokens."""
        share = calls / self._calls
        prompt = round((prompt_tokens(self._lm, self._chats) + more_prompt) * share)
        completion = round(completion_tokens * share)
        prices = self._lm.prices if isinstance(self._lm, HasPrices) else None
        if prices is None:
            return Spent(calls, prompt, completion)
        cost = (prompt * prices.prompt + completion * prices.completion) / 1e6
        return Spent(calls, prompt, completion, cost, prices.currency)


def _usage(lm: LanguageModel) -> Usage | None:
    """What the model itself has counted, if it does."""
    return lm.usage if isinstance(lm, CountsUse) else None
