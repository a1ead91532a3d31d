"""Generated tokens as completions: what they say, where it stops, and why it ended.

Knows one format of chats; nothing of models, prompts or batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from selfstudy.models.base import StopListening
from selfstudy.models.local.chat_format import ChatFormat
from selfstudy.models.local.decoding import Finished, Left, Stopped
from selfstudy.models.local.pieces import Growing
from selfstudy.models.thinking import NoAnswerError
from selfstudy.records import Completion
from selfstudy.text import until

_NO_NUMBERS = "the model's logits are not numbers (NaN or inf)"


class AnswerReader:
    """Reads whole answers that stop at the same texts."""

    def __init__(self, chat_format: ChatFormat, stop: tuple[str, ...]) -> None:
        self._format, self._stop = chat_format, stop
        self._reach = max((len(text.encode()) for text in stop), default=0) + 4
        self._read: dict[tuple[int, ...], str | NoAnswerError] = {}

    @property
    def stopped(self) -> Stopped:
        return self._stops if self._stop else None

    @property
    def left(self) -> Left:
        return None

    def completion(self, one: Finished) -> Completion:
        if one.reason == "error":
            return Completion(text="", finish="error", error=_NO_NUMBERS)
        key = tuple(one.tokens)
        if key not in self._read:
            self._read[key] = self._answer(one)
        text = self._read[key]
        if isinstance(text, NoAnswerError):
            error = f"no answer in {len(key)} tokens: {text} (allow more tokens, or switch the thinking off)"
            return Completion(text="", tokens=len(key), logprob=one.logprob, finish="error", error=error)
        return Completion(text=text, tokens=len(key), logprob=one.logprob, finish=one.reason)

    def _stops(self, tokens: list[int]) -> bool:
        """Whether the newest token completed a stop string, in the answer and not in the thinking before."""
        tail = self._format.decode(tokens[-self._reach :])
        if not any(text in tail for text in self._stop):
            return False
        try:
            answer = self._format.read(tokens)
        except NoAnswerError:
            return False
        return any(text in answer for text in self._stop)

    def _answer(self, one: Finished) -> str | NoAnswerError:
        """The answer that was written, up to where it stops."""
        try:
            text = self._format.read(self._without_end(one))
        except NoAnswerError as error:
            return error
        return until(text, self._stop).strip()

    def _without_end(self, one: Finished) -> list[int]:
        return one.tokens[:-1] if self._ended(one) else one.tokens

    def _ended(self, one: Finished) -> bool:
        return one.reason == "stop" and one.tokens[-1] in self._format.ends


class HeardReader(AnswerReader):
    """Reads answers aloud to those who listen: whenever one has a token more, until they have heard enough.

    Args:
        listeners: of chats, by their index; each hears the first completion of its chat.
        total: completions of every chat.
    """

    def __init__(
        self,
        chat_format: ChatFormat,
        stop: tuple[str, ...],
        listeners: Mapping[int, Callable[[str], object]],
        total: int = 1,
    ) -> None:
        super().__init__(chat_format, stop)
        self._listeners, self._total = listeners, total
        self._left: set[int] = set()
        self._texts: dict[int, tuple[Growing, Growing]] = {}

    @property
    def left(self) -> Left:
        return self._hears if self._listeners else None

    def _hears(self, slot: int, tokens: list[int]) -> bool:
        chat, number = divmod(slot, self._total)
        if number == 0 and chat in self._listeners and chat not in self._left:
            try:
                self._listeners[chat](self._so_far(chat, tokens))
            except StopListening:
                self._left.add(chat)
        return chat in self._left

    def _so_far(self, chat: int, tokens: list[int]) -> str:
        if chat not in self._texts:
            with_marks = partial(self._format.decode, special=True)
            self._texts[chat] = Growing(with_marks), Growing(self._format.decode)
        whole, said = (text.of(tokens) for text in self._texts[chat])
        try:
            return until(self._format.answer_in(whole, said), self._stop).strip()
        except NoAnswerError:  # it still thinks
            return ""


class KeepingReader(AnswerReader):
    """Keeps the tokens of completions, by slot."""

    def __init__(self, chat_format: ChatFormat, stop: tuple[str, ...], kept: dict[int, list[int]]) -> None:
        super().__init__(chat_format, stop)
        self._kept = kept

    def completion(self, one: Finished) -> Completion:
        self._kept[one.slot] = list(one.tokens)
        return super().completion(one)


class ContinuationReader(AnswerReader):
    """Reads what follows the beginnings of answers: thinking is over before them, and white space counts.

    Args:
        before: of each slot, the tokens of the beginning; a slot without any begins the answer.
        enough: whether the text of a completion may stop where it is.
    """

    def __init__(
        self,
        chat_format: ChatFormat,
        stop: tuple[str, ...],
        before: Mapping[int, Sequence[int]],
        enough: Callable[[str], bool] | None,
    ) -> None:
        super().__init__(chat_format, stop)
        self._before, self._enough = before, enough

    @property
    def stopped(self) -> Stopped:
        return self._stops if self._stop or self._enough is not None else None

    def completion(self, one: Finished) -> Completion:
        if one.reason == "error":
            return Completion(text="", finish="error", error=_NO_NUMBERS)
        whole = self._format.decode_behind(self._before.get(one.slot, ()), self._without_end(one))
        text = until(whole, self._stop)
        ended = self._ended(one) or (one.reason == "stop" and text != whole)
        return Completion(
            text=text,
            tokens=len(one.tokens),
            logprob=one.logprob,
            finish="stop" if ended else "length",
        )

    def _stops(self, tokens: list[int]) -> bool:
        text = self._format.decode(tokens)
        return any(end in text for end in self._stop) or (self._enough is not None and self._enough(text))
