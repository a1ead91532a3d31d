"""What a run has asked of language models, and where it stops: counted per stage, kept over sessions.

    usage.json of a run    calls, tokens, cost and seconds of each stage

`Metered` goes around any language model; the loop puts it there.  It looks at the budget before each batch,
so a run stops between batches and goes on with the next one.  Knows nothing of stages but their names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from selfstudy.errors import BudgetError
from selfstudy.models.base import LanguageModel, Progress, Sampling
from selfstudy.recipe import BudgetBlock
from selfstudy.records import Chat, Completion
from selfstudy.run import Run

FILE = "usage.json"
_WORDS = {"calls": "calls", "tokens": "tokens", "money": "", "minutes": "minutes"}


@dataclass
class Spent:
    """What was asked of language models.

    Attributes:
        calls: completions asked for, whether a server gives one or many per request; what a response cache
            gave does not count.
        prompt_tokens: as a server counted them (a prompt once per request), else each prompt once per batch.
        completion_tokens: tokens generated.
        cost: by the prices of the recipe, in `currency`.
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


@dataclass
class Ledger:
    """What a run has spent, by stage; `usage.json` in its folder, written after every batch.

    A kill -9 loses the count of the batch that it interrupts, not more.

    Args:
        run: open for writing.
        clock: seconds, of any origin.
    """

    run: Run
    clock: Callable[[], float] = time.monotonic
    stage: str = ""
    stages: dict[str, Spent] = field(default_factory=dict)
    _before: float = 0.0
    _began: float = 0.0

    def __post_init__(self) -> None:
        written = self.run.read_json(FILE) or {}
        known = {f.name for f in fields(Spent)}
        for stage, values in (written.get("stages") or {}).items():
            self.stages[stage] = Spent(**{name: value for name, value in values.items() if name in known})
        self._before = float(written.get("seconds") or 0.0)
        self._began = self.clock()

    @property
    def total(self) -> Spent:
        """Over all stages and sessions."""
        return sum(self.stages.values(), Spent())

    @property
    def seconds(self) -> float:
        """Of all sessions so far, training included."""
        return self._before + self.clock() - self._began

    def add(self, spent: Spent) -> None:
        """Counts what was spent in the current stage, and writes it down."""
        self.stages[self.stage] = self.stages.get(self.stage, Spent()) + spent
        stages = {stage: asdict(one) for stage, one in self.stages.items()}
        self.run.write_json(FILE, {"seconds": self.seconds, "stages": stages})

    def check(self, calls: int) -> None:
        """Whether the budget has room for a batch of so many calls, judged by the batches so far.

        Calls are exact: the limit is never passed.  Tokens and money of a batch are not known before: the
        mean of the calls so far counts, so that they are passed by less than a batch.

        Raises:
            BudgetError: it has not.
        """
        budget, total = self.run.recipe.budget, self.total
        mean = calls / total.calls if total.calls else 0.0
        rows: list[tuple[str, float | None, float, float]] = [
            ("calls", budget.calls, total.calls, calls),
            ("tokens", budget.tokens, total.tokens, mean * total.tokens),
            ("money", budget.money, total.cost, mean * total.cost),
            ("minutes", budget.minutes, self.seconds / 60, 0.0),
        ]
        for name, limit, used, more in rows:
            if limit is not None and (used >= limit or used + more > limit):
                raise _used_up(self.run, name, limit, used, more, total.currency)


def limited(budget: BudgetBlock) -> bool:
    """Whether there is any limit."""
    return any(value is not None for value in budget.model_dump().values())


def _used_up(run: Run, name: str, limit: float, used: float, more: float, currency: str) -> BudgetError:
    unit = currency if name == "money" else name
    shown = f"{used:,.2f}" if name in ("money", "minutes") else f"{used:,.0f}"
    need = f", and the next batch needs about {more:,.2f}" if name == "money" else ""
    if name in ("calls", "tokens") and more:
        need = f", and the next batch needs {'about ' if name == 'tokens' else ''}{more:,.0f}"
    enough = max(2 * limit, used + 2 * more)
    value = f"{enough:.2f}" if name in ("money", "minutes") else f"{enough:.0f}"
    return BudgetError(
        f"the budget of {run.path} is used up: {shown} of {limit:,g} {unit} spent{need}".replace("  ", " "),
        "everything done is kept. To go on, give the same command again with "
        f"--set budget.{name}={value}, or change `budget` in {run.path / 'recipe.yaml'}",
    )


class Metered:
    """A language model whose use is counted; everything else about it is its own.

    Fulfils `base.LanguageModel`; other attributes (tokenizer, weights, counting) are those of the model.
    """

    def __init__(self, lm: LanguageModel, ledger: Ledger) -> None:
        self._lm = lm
        self._ledger = ledger

    @property
    def name(self) -> str:
        return self._lm.name

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """As the model; before that, the budget is looked at.

        Raises:
            BudgetError: it has no room for this batch.
        """
        if not chats:
            return []
        self._ledger.check(len(chats) * sampling.total)
        count = _Count(self._lm, self._ledger)
        try:
            found = self._lm.generate(chats, sampling, progress)
        except BaseException:
            count.interrupted()
            raise
        texts = [completion.tokens for row in found for completion in row]
        count.done(chats, len(chats) * sampling.total, sum(texts))
        return found

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """As the model; a text is a call, and its tokens are prompt tokens.

        Raises:
            BudgetError: the budget has no room for this batch.
        """
        if not chats:
            return []
        self._ledger.check(len(chats))
        count = _Count(self._lm, self._ledger)
        try:
            found = self._lm.logprobs(chats, texts)
        except BaseException:
            count.interrupted()
            raise
        count.done(chats, len(chats), 0, sum(map(len, found)))
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._lm, name)


class _Count:
    """One batch: what the model's own counters say of it if it has any, else what can be counted here."""

    def __init__(self, lm: LanguageModel, ledger: Ledger) -> None:
        self._lm = lm
        self._ledger = ledger
        self._before = getattr(lm, "usage", None)
        self._began = ledger.clock()

    def interrupted(self) -> None:
        """Counts what a server has charged for a batch that did not end."""
        used = self._used()
        if used is not None and used.prompt_tokens:
            self._add(used.calls, used.prompt_tokens, used.completion_tokens, used.cost, used.currency)

    def done(self, chats: Sequence[Chat], calls: int, completion_tokens: int, more_prompt: int = 0) -> None:
        used = self._used()
        if used is not None and (used.prompt_tokens or used.cached):
            calls = max(0, calls - used.cached)
            self._add(calls, used.prompt_tokens, used.completion_tokens, used.cost, used.currency)
        else:
            self._add(calls, prompt_tokens(self._lm, chats) + more_prompt, completion_tokens)

    def _used(self) -> Any:
        after = getattr(self._lm, "usage", None)
        return after if self._before is None or after is None else after - self._before

    def _add(self, calls: int, prompt: int, completion: int, cost: float = 0.0, currency: str = "") -> None:
        seconds = self._ledger.clock() - self._began
        self._ledger.add(Spent(calls, prompt, completion, cost, currency, seconds))


def prompt_tokens(lm: LanguageModel, chats: Sequence[Chat]) -> int:
    """Tokens of the prompts: by the model's template and tokenizer where it has them, else 1.3 a word."""
    render = getattr(lm, "render", None)
    count = getattr(lm, "count_tokens", None) or (lambda text: int(len(text.split()) * 1.3) + 1)
    total = 0
    for chat in chats:
        try:
            text = render(chat) if render is not None else "\n".join(turn.content for turn in chat)
            total += count(text)
        except Exception:  # a chat that cannot be asked: its completions say why
            continue
    return total
