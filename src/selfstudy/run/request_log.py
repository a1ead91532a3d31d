"""A line of the log that a server writes of the requests it answered: a source of questions for later runs.

`selfstudy serve --log FILE` writes it (serve/log.py), `ask: {method: logs}` reads it.  Knows neither.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RequestLine(BaseModel):
    """One answered request; what looks like a secret is left out of both texts.

    A line may also be cut short, by a kill or a full disk, or be of a later version with more fields.

    Attributes:
        time: when it was answered, in seconds since 1970.
        model: as it was asked for: base, routed, the name of an adapter.
        adapter: which one answered; "" is the base model.
        question: the last turn of the user, as it was sent.
        answer: the first answer, where several were asked for.
        finish: why the answer ended.
        prompt_tokens: of the prompt as the model read it.
        completion_tokens: of all answers.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    time: float = Field(ge=0, allow_inf_nan=False)
    model: str = Field(max_length=300)
    adapter: str = Field(default="", max_length=300)
    question: str
    answer: str
    finish: Literal["stop", "length"]
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
