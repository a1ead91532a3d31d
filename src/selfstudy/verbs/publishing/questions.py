"""The questions that a publication is checked with, and what the run's own taught model answers, greedily.

They are questions of verify: gaps first, then what was known.  Knows nothing of files.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from selfstudy.errors import ModelError, RunError
from selfstudy.models.base import Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.records import Check, Question, without_demonstrations
from selfstudy.run import curriculum
from selfstudy.verbs.publishing.chosen import Publication

if TYPE_CHECKING:
    from selfstudy.models.local.lm import LocalLM

T = TypeVar("T")
ASKED = 10
_GAPS = 7
"""Of these, as many are gaps as there are, if there are enough of both."""


@dataclass(frozen=True)
class AskedItem:
    """One question, and how the taught model was asked and answered.

    Attributes:
        adapter: that answers, by the name of its subfolder; "" where there is one alone, or none.
        messages: the turns, as a chat template takes them.
        text, tokens, stop: the prompt, and what ends the answer.
    """

    question: str
    adapter: str
    messages: tuple[dict[str, str], ...]
    text: str
    tokens: tuple[int, ...]
    stop: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Asking:
    """What was asked, and how.

    Attributes:
        ends: tokens that end an answer.
        form: messages and text of a question that reads {question}, for the card.
        dtype, device: of the weights that answered.
        base: the folder of the base model on this machine.
    """

    items: tuple[AskedItem, ...]
    ends: tuple[int, ...]
    form: tuple[tuple[dict[str, str], ...], str, tuple[str, ...]]
    dtype: str
    device: str
    max_new_tokens: int
    repetition_penalty: float
    base: Path
    trusted: bool
    tokenizer: Any


def chosen_questions(chosen: Publication, most: int = ASKED) -> list[tuple[str, str]]:
    """(question, adapter) of those that are asked, in a fixed order.

    Raises:
        RunError: the run has asked nothing.
    """
    found: list[tuple[str, str]] = []
    if len(chosen.adapters) < 2:
        found = [(text, next(iter(chosen.adapters), "")) for text in _spread(chosen, None, most)]
    else:
        each = max(1, most // len(chosen.adapters))
        for name, folder in chosen.adapters.items():
            taught = curriculum.read(folder)
            ids = set(taught.questions) if taught is not None else set()
            found += [(text, name) for text in _spread(chosen, ids, each)]
    if not found:
        raise RunError(f"{chosen.run.path} has asked nothing that could be asked again", "verify it first")
    return found[: max(most, len(chosen.adapters))]


def _spread(chosen: Publication, ids: set[str] | None, most: int) -> list[str]:
    """Texts that verify asked, or the run's questions where it has not: gaps first, spread over all."""
    gaps: dict[str, None] = {}
    known: dict[str, None] = {}
    for check in chosen.round.iter(Check):
        if check.target != "reading" and (ids is None or check.question_id in ids):
            (gaps if check.target == "gap" else known)[check.asked] = None
    if not gaps and not known:
        rounds = [one for one in chosen.run.rounds if one.number <= chosen.round.number]
        for turn in rounds:
            for question in turn.iter(Question):
                if ids is None or question.id in ids:
                    gaps[question.text] = None
    of_known = min(len(known), max(most - _GAPS, most - len(gaps), 0))
    return [*_evenly(list(gaps), most - of_known), *_evenly(list(known), of_known)]


def _evenly(found: Sequence[T], most: int) -> list[T]:
    if len(found) <= most:
        return list(found)
    return [found[at * len(found) // most] for at in range(most)]


def ask_taught(chosen: Publication, asked: Sequence[tuple[str, str]]) -> Asking:
    """Asks the taught model, an adapter at a time, each question alone; then lets go of it.

    Raises:
        ModelError: it cannot be loaded or asked.
    """
    items: list[AskedItem] = []
    first: LocalLM | None = None
    answering = chosen.run.recipe.answering
    prompts = Prompts(chosen.run.recipe.prompts)
    found: dict[str, Any] = {}
    for name in dict.fromkeys(adapter for _, adapter in asked):
        lm = _taught(chosen, name)
        first = first or lm
        penalty = answering.repetition_penalty
        if lm.wants_demonstrations:  # which ours spares, and no other program does
            penalty = 1.0
        sampling = Sampling(
            n=1, temperature=0.0, max_new_tokens=answering.max_new_tokens, repetition_penalty=penalty
        )
        items += _answered(lm, prompts, sampling, [text for text, adapter in asked if adapter == name], name)
        if not found:
            found = _how(lm, prompts) | {
                "max_new_tokens": sampling.max_new_tokens,
                "repetition_penalty": penalty,
            }
        del lm
    first = None
    gc.collect()
    _free(found["device"])
    base, trusted = _base_folder(chosen.block)
    return Asking(items=tuple(items), base=base, trusted=trusted, **found)


def _taught(chosen: Publication, name: str) -> LocalLM:
    from selfstudy.models.local.lm import LocalLM

    # in 4 bits nobody but bitsandbytes answers: what is handed over is asked on the weights as they came
    block = chosen.block.model_copy(update={"load_in_4bit": False})
    if chosen.whole:
        plain = {"path": str(chosen.folder), "dtype": "float32", "revision": None, "adapter": None}
        return LocalLM(block.model_copy(update=plain))
    return LocalLM(block.model_copy(update={"adapter": chosen.adapters[name]}))


def _answered(
    lm: LocalLM, prompts: Prompts, sampling: Sampling, texts: Sequence[str], adapter: str
) -> Iterator[AskedItem]:
    for text in texts:
        chat = prompts.chat("answer", question=text)
        found = lm.generate([chat], sampling)[0][0]
        if found.error is not None:
            raise ModelError(
                f"the taught model gives no answer to {text[:200]!r}: {found.error}", "try a longer one"
            )
        messages, _, stop = _form(lm, prompts, text)
        plain = lm.plainly(chat)
        yield AskedItem(text, adapter, messages, plain.text, tuple(plain.tokens), stop, found.text)


def _form(
    lm: LocalLM, prompts: Prompts, text: str
) -> tuple[tuple[dict[str, str], ...], str, tuple[str, ...]]:
    chat = prompts.chat("answer", question=text)
    plain = lm.plainly(chat)
    shown = chat if lm.wants_demonstrations else without_demonstrations(chat)
    return tuple({"role": turn.role, "content": turn.content} for turn in shown), plain.text, plain.stop


def _how(lm: LocalLM, prompts: Prompts) -> dict[str, Any]:
    form = _form(lm, prompts, "{question}")
    return {
        "ends": tuple(lm.plainly(prompts.chat("answer", question="{question}")).ends),
        "form": form,
        "dtype": str(lm.model.dtype).removeprefix("torch."),
        "device": str(lm.model.device),
        "tokenizer": lm.tokenizer,
    }


def _free(device: str) -> None:
    import torch

    from selfstudy.models.local.loading import free_memory

    free_memory(torch.device(device))


def _base_folder(block: LocalModel) -> tuple[Path, bool]:
    """The base model's folder on this machine, and whether its own code may run."""
    from selfstudy.models.local import loading, pretrained

    path, is_folder = loading.locate(block.path, "lm")
    found = pretrained.source(block.path, path, is_folder, block.revision, block.trust_remote_code)
    return found.folder, found.trusted
