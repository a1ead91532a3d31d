"""What to try with a model that fails the smoke check: by the cause, and by the kind of its block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from selfstudy.recipe import LocalModel, ModelBlock, RemoteModel
from selfstudy.smoke.diagnosis import Cause

_MOST = 4
_FORM: tuple[Cause, ...] = (
    "marks",
    "dialogue",
    "echo",
    "deaf",
    "endless",
    "pageless",
    "reading",
    "noise",
    "empty",
)
"""Causes that may lie in the form in which the model is asked."""
_WEIGHTS: tuple[Cause, ...] = ("garbled", "repeats", "noise")
_LOST = "look for what cuts or drops its prompts: its chat template, or a server's limit of context"
_BY_CAUSE: dict[Cause, str] = {
    "failed": "mend what the error says",
    "thinking": "allow more tokens (--set answering.max_new_tokens=2048), or switch the thinking off",
    "empty": "look at the end token (eos_token_id in generation_config.json): answers may begin with it",
    "endless": "name the token that ends its turns as eos_token_id (generation_config.json), or allow longer "
    "answers (--set answering.max_new_tokens=256) if they only are long",
    "marks": "name the token that ends its turns as eos_token_id (generation_config.json)",
    "constant": "see that the server obeys `temperature` and `seed` and caches no replies; or raise "
    "answering.temperature",
    "wild": "--set answering.temperature=1 or lower",
    "deaf": _LOST,
    "pageless": _LOST,
    "system": "use a chat template that renders the system role, or put the instructions into the user's "
    "part of the prompts (recipe key `prompts`)",
}
_BROKEN = (
    "check that the weights are trained, whole and in a number type that they bear (model.dtype=float32), "
    "and that tokenizer and weights belong together; embedding models and the like answer nothing"
)
_KEPT = "after a change of the server give --no-cache too: what it said before is kept"


def to_try(causes: Iterable[Cause], block: ModelBlock) -> list[str]:
    """What to try, in order."""
    return list(dict.fromkeys(_all(list(causes), block)))[:_MOST]


def _all(causes: list[Cause], block: ModelBlock) -> Iterator[str]:
    for cause in causes:
        if cause in _WEIGHTS:
            yield _BROKEN
        if cause in _BY_CAUSE:
            yield _BY_CAUSE[cause]
        if cause in _FORM:
            yield _form(block)
    if isinstance(block, RemoteModel):
        yield _KEPT


def _form(block: ModelBlock) -> str:
    if not isinstance(block, LocalModel):
        return (
            "serve it with the chat template that it was trained with; a base model wants one of plain text"
        )
    if block.prompt == "completion":
        return "--set model.prompt=chat if it is an instructed model with a chat template"
    plain = "--set model.prompt=completion if it is a base model (plain text with demonstrations)"
    if block.demonstrations:
        return plain
    return f"{plain}; --set model.demonstrations=true if it is an instructed one"
