"""What a model has been asked for: calls, tokens, money. Knows nothing of models or stages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts since a model was loaded; two of them subtract to what happened in between.

    Attributes:
        calls: requests sent, repeated ones included.
        prompt_tokens, completion_tokens: as the server counted them.
        cached: completions that came from the response cache instead.
        cost: by the recipe's prices, in `currency`; 0 without prices ("" is then the currency).
        completions: that a server has given, failed ones included; a request may bring several.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached: int = 0
    cost: float = 0.0
    currency: str = ""
    completions: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached + other.cached,
            self.cost + other.cost,
            self.currency or other.currency,
            self.completions + other.completions,
        )

    def __sub__(self, before: Usage) -> Usage:
        return Usage(
            self.calls - before.calls,
            self.prompt_tokens - before.prompt_tokens,
            self.completion_tokens - before.completion_tokens,
            self.cached - before.cached,
            self.cost - before.cost,
            self.currency,
            self.completions - before.completions,
        )
