"""What every block of a recipe shares: frozen, no unknown keys, no secrets; and the types of its values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from selfstudy.recipe.values import leaves
from selfstudy.secrets import looks_secret, names_secret, without_secrets

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]

SECRET = "secret"
"""Type of the errors whose input nobody is shown."""
_INSTEAD = "name its variable with api_key_env (a Hub token goes into $HF_TOKEN; our own servers need none)"


class Block(BaseModel):
    """Base of all recipe blocks: frozen, unknown keys refused.

    A recipe is copied into runs, shown and passed on, so what looks like a secret is refused wherever it
    stands; no error repeats it.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,  # "1e400" is a text of YAML's, and infinity as a number
    )

    @field_validator("*", mode="after")
    @classmethod
    def _holds_no_secret(cls, value: Any) -> Any:
        for place, part in leaves(value):
            given = str(part) if isinstance(part, str | Path) else ""
            named = names_secret(place.rpartition(".")[2]) and part not in (None, "")
            if named or looks_secret(place) or looks_secret(given):
                raise no_secret(place)
        return value


def no_secret(place: str = "") -> PydanticCustomError:
    """The error for a value (at `place` within its field) that may be a secret."""
    where = f"{without_secrets(place)} seems to be" if place else "seems to be"
    return PydanticCustomError(SECRET, f"{where} a secret, which must not be in a recipe: {_INSTEAD}")
