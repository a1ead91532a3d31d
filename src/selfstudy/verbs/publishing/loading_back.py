"""Loads back what was written, in a process without selfstudy, and compares its answers with the run's own.

Knows the process and its files; nothing of what it loads.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from selfstudy.environment import child_environment
from selfstudy.errors import ModelError
from selfstudy.files import private
from selfstudy.models.server import leftovers
from selfstudy.models.server.guarded import Guarded
from selfstudy.secrets import without_secrets
from selfstudy.text import one_line
from selfstudy.verbs.publishing.questions import Asking

PROGRAM = Path(__file__).with_name("plain_child.py")
SECONDS = 3600.0
"""Longest that loading and ten answers may take."""


class _Answer(BaseModel):
    by: str
    answer: str
    same_prompt: bool


class PlainReply(BaseModel):
    """What the process says: its answers, and which modules of selfstudy it imported."""

    answers: tuple[_Answer, ...]
    ours: tuple[str, ...]


@dataclass(frozen=True)
class OtherAnswer:
    """A question that was answered otherwise."""

    question: str
    taught: str
    published: str
    same_prompt: bool


@dataclass(frozen=True)
class LoadedBack:
    """What came of asking.

    Attributes:
        same: answers that are the run's own, to the letter; of `asked`.
        by: how the prompt is made, by most questions: template, text or bare text.
    """

    asked: int
    same: int
    by: str
    differences: tuple[OtherAnswer, ...]


def load_back(folder: Path, asking: Asking, adapters: Sequence[str], *, whole: bool) -> LoadedBack:
    """Asks what lies in `folder`.

    Args:
        adapters: names of its subfolders, "" for itself.
        whole: whether it is a whole model, which needs no base.

    Raises:
        ModelError: it cannot be loaded, or takes too long.
    """
    reply = _answers(request_of(folder, asking, adapters, whole=whole))
    if reply.ours:
        raise ModelError(f"loading it back imported {reply.ours[0]}", "please report this")
    return compared(asking, reply)


def request_of(folder: Path, asking: Asking, adapters: Sequence[str], *, whole: bool) -> dict[str, object]:
    """What the process is asked (plain_child.py)."""
    import torch

    return {
        "folder": str(folder),
        "base": None if whole else str(asking.base),
        "adapters": list(adapters),
        "trusted": asking.trusted and not whole,
        "dtype": asking.dtype,
        "device": asking.device,
        "threads": torch.get_num_threads(),
        "max_new_tokens": asking.max_new_tokens,
        "repetition_penalty": asking.repetition_penalty,
        "ends": list(asking.ends),
        "items": [
            {
                "messages": list(item.messages),
                "text": item.text,
                "tokens": list(item.tokens),
                "stop": list(item.stop),
                "adapter": item.adapter,
            }
            for item in asking.items
        ],
    }


def _answers(request: dict[str, object]) -> PlainReply:
    """What the process says; it and its folder, which holds the questions, end with this process."""
    place = leftovers.make_folder("selfstudy-server")
    asked, said = place / "request.json", place / "reply.json"
    asked.write_text(json.dumps(request), encoding="utf-8")
    said.touch(private.FILE)
    # -P: nothing is imported from the working directory; offline: what is there has to do
    command = [sys.executable, "-P", str(PROGRAM), str(asked), str(said)]
    mine = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}
    with said.open("rb") as reply:  # readable after it is gone
        guarded = Guarded(command, child_environment(downloads=False, mine=mine), [place])
        try:
            code = guarded.wait(SECONDS)
            if code is None:
                raise ModelError(
                    f"loading it back took longer than {SECONDS:,.0f} s", "try it on a faster machine"
                )
            if code:
                lines = guarded.said().strip().splitlines()
                last = one_line(without_secrets(lines[-1]), 400) if lines else f"exit code {code}"
                raise ModelError(
                    f"transformers and peft alone cannot load what was written: {last}",
                    "if `selfstudy chat RUN` answers, please report this with the base model's name",
                )
            return PlainReply.model_validate_json(reply.read(private.LARGEST))
        except ValidationError:
            raise ModelError("the process that loads it back gave no reply", "try again") from None
        finally:
            guarded.stop()


def compared(asking: Asking, reply: PlainReply) -> LoadedBack:
    """How many answers are the run's own."""
    found, ways = [], [one.by for one in reply.answers]
    for item, one in zip(asking.items, reply.answers, strict=True):
        if not one.same_prompt or one.answer != item.answer:
            found.append(OtherAnswer(item.question, item.answer, one.answer, one.same_prompt))
    by = max(dict.fromkeys(ways), key=ways.count) if ways else "template"
    return LoadedBack(len(asking.items), len(asking.items) - len(found), by, tuple(found))
