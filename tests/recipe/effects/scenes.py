"""What observers of stages share: a folder to work in with files of one's own, and models that note what they
are asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from selfstudy.models.base import LanguageModel, Progress, Sampling
from selfstudy.records import Chat, Completion


@contextmanager
def working_in(files: Mapping[str, str]) -> Iterator[Path]:
    """A new folder with these files, by their paths; in it paths are short, and the same every time."""
    with TemporaryDirectory() as folder, chdir(folder):
        for name, words in files.items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(words, encoding="utf-8")
        yield Path()


class Noted:
    """Answers as another model does, and notes each chat with how it was asked; each word is as probable."""

    def __init__(self, lm: LanguageModel) -> None:
        self.name = lm.name
        self.asked: list[tuple[Chat, Sampling]] = []
        self._lm = lm

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        self.asked += [(chat, sampling) for chat in chats]
        return self._lm.generate(chats, sampling, progress)

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        return [[-1.0] * len(text.split()) for text in texts]
