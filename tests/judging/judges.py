"""Judges that answer from a script and count what they are asked."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy import ScriptedLM
from selfstudy.models.base import Progress, Sampling
from selfstudy.records import Chat, Completion


class CountingLM(ScriptedLM):
    """Keeps the size of each batch that it is asked."""

    def __init__(self, answers: dict[str, str], name: str = "scripted") -> None:
        super().__init__(answers, name)
        self.batches: list[int] = []

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        self.batches.append(len(chats))
        return super().generate(chats, sampling, progress)
