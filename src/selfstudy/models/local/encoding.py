"""Chats and texts of a batch as tokens, and what is wrong with those that have none; random streams.

A chat that cannot be asked is an error of its own and leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from selfstudy.errors import ModelError
from selfstudy.models.base import Sampling
from selfstudy.models.local.chat_format import ChatFormat
from selfstudy.models.local.prefixes import in_common
from selfstudy.records import Chat, digest


@dataclass(frozen=True, slots=True)
class Answered:
    """A prompt and a given answer as one row: item `index` of the batch, the last `answer` tokens are its.

    `adapter`: the number of the adapter that reads it; 0: none does.
    """

    index: int
    tokens: list[int]
    answer: int
    adapter: int = 0


@dataclass(frozen=True, slots=True)
class AskedChats:
    """A batch of chats to be answered.

    Attributes:
        prompts: text and tokens of those that can be asked, by index.
        errors: what is wrong with the others.
        adapters: the number of the adapter that answers each chat, 0 for none; (): none has any.
    """

    chats: Sequence[Chat]
    prompts: dict[int, tuple[str, list[int]]]
    errors: dict[int, str]
    adapters: Sequence[int] = ()

    def adapter(self, index: int) -> int:
        return self.adapters[index] if self.adapters else 0


@dataclass(frozen=True, slots=True)
class PlainPrompt:
    """How one chat is asked, for a program that knows nothing of ours.

    Attributes:
        text, tokens: the prompt.
        stop: texts that end the answer; ends: tokens that do.
    """

    text: str
    tokens: list[int]
    stop: tuple[str, ...]
    ends: list[int]


def prompts(
    chat_format: ChatFormat, chats: Sequence[Chat], *, closed: bool = False
) -> tuple[dict[int, tuple[str, list[int]]], dict[int, str]]:
    """Text and tokens of every chat that has any, and what is wrong with the others, by index.

    Args:
        closed: as before a given answer, see `ChatFormat.render_closed`.
    """
    rendered: dict[int, tuple[str, list[int]]] = {}
    errors: dict[int, str] = {}
    texts: dict[int, str] = {}
    render = chat_format.render_closed if closed else chat_format.render
    for index, chat in enumerate(chats):
        try:
            text = render(chat)
            text.encode()  # a lone surrogate is no text; a tokenizer would fail on the whole batch
            texts[index] = text
        except (ModelError, UnicodeError) as error:
            errors[index] = str(error)
    for index, tokens in _encoded(chat_format.encode, texts, errors).items():
        if not tokens:
            errors[index] = "the prompt has no tokens"
        elif unknown := chat_format.unknown(tokens):
            errors[index] = f"the tokenizer gives token {unknown[0]}, for which the model has no embedding"
        else:
            rendered[index] = (texts[index], tokens)
    return rendered, errors


def _encoded(
    encode: Callable[[Sequence[str]], list[list[int]]], texts: dict[int, str], errors: dict[int, str]
) -> dict[int, list[int]]:
    """Tokens of texts; one on which the tokenizer fails is an error of its own, the others go on."""
    try:
        return dict(zip(texts, encode(list(texts.values())), strict=True))
    except ModelError as error:
        if len(texts) == 1:
            errors |= {index: str(error) for index in texts}
            return {}
        found: dict[int, list[int]] = {}
        for index, text in texts.items():
            found |= _encoded(encode, {index: text}, errors)
        return found


def begun(
    chat_format: ChatFormat, chats: Sequence[Chat], texts: Sequence[str]
) -> tuple[dict[int, tuple[str, list[int]]], dict[int, str], dict[int, list[int]]]:
    """As `prompts`, closed, with the beginning of the answer behind each; and the tokens of beginnings."""
    rendered, errors = prompts(chat_format, chats, closed=True)
    beginnings: dict[int, str] = {}
    for index in [index for index in rendered if texts[index].strip()]:
        try:
            texts[index].encode()
            beginnings[index] = chat_format.answer(chats[index], texts[index])
        except (ModelError, UnicodeError) as error:
            errors[index] = str(error)
            del rendered[index]
    said = _encoded(chat_format.encode_answers, beginnings, errors)
    for index, beginning in beginnings.items():
        text, tokens = rendered.pop(index)
        if index not in said:
            continue
        if unknown := chat_format.unknown(said[index]):
            errors[index] = f"the tokenizer gives token {unknown[0]}, for which the model has no embedding"
        else:
            rendered[index] = (text + beginning, [*tokens, *said[index]])
    return dict(sorted(rendered.items())), errors, said


def answered(chat_format: ChatFormat, chats: Sequence[Chat], texts: Sequence[str]) -> list[Answered]:
    """Every chat with its text as the answer, where both have tokens."""
    usable = [i for i, text in enumerate(texts) if text.strip() and _encodable(text)]
    rendered, _ = prompts(chat_format, [chats[i] for i in usable], closed=True)
    usable = [usable[at] for at in rendered]
    answers = chat_format.encode_answers([chat_format.answer(chats[i], texts[i]) for i in usable])
    return [
        Answered(i, [*prompt, *answer], len(answer))
        for i, (_, prompt), answer in zip(usable, rendered.values(), answers, strict=True)
        if answer and not chat_format.unknown(answer)
    ]


def behind(
    chat_format: ChatFormat, befores: Sequence[str], texts: Sequence[str], context: int | None
) -> tuple[list[Answered], list[int]]:
    """Plain texts behind others as rows, numbered in order, and which text each row is of.

    Boundaries, and what is done where the model reads less, are as `base.ReadsPlainText` says.

    Args:
        context: tokens that the model reads; None: no limit is known.
    """
    usable = [i for i, text in enumerate(texts) if text and _encodable(befores[i] + text)]
    errors: dict[int, str] = {}
    wholes = _encoded(chat_format.encode_plain, {i: befores[i] + texts[i] for i in usable}, errors)
    distinct = {before: at for at, before in enumerate(dict.fromkeys(befores[i] for i in wholes))}
    alone = _encoded(chat_format.encode_plain, {at: before for before, at in distinct.items()}, errors)
    beginning, mark = chat_format.beginning, chat_format.mark
    rows: list[Answered] = []
    owners: list[int] = []
    for i, tokens in wholes.items():
        shared = in_common(alone.get(distinct[befores[i]], []), tokens)
        at = max(0, min(shared, len(tokens) - 1))
        head, new = [*(beginning if at else mark), *tokens[:at]], tokens[at:]
        if not head:
            head, new = new[:1], new[1:]
        if chat_format.unknown([*head, *new]):
            continue
        for row, count in _windows(head, new, context):
            rows.append(Answered(len(rows), row, count))
            owners.append(i)
    return rows, owners


def _windows(head: list[int], new: list[int], context: int | None) -> Iterator[tuple[list[int], int]]:
    """Rows of at most `context` tokens, in which each token of `new` is among the last ones once.

    With each how many these are.
    """
    whole = [*head, *new]
    most = len(whole) if context is None else context
    step = len(new) if len(whole) <= most else max(1, most // 2)
    for start in range(len(head), len(whole), max(1, step)):
        end = min(start + step, len(whole))
        yield whole[max(0, end - most) : end], end - start


def stream_keys(sampling: Sampling, text: str, occurrence: int) -> list[int | None]:
    """One key per completion of a chat: None is greedy, else the seed of its own random stream."""
    if sampling.temperature == 0:
        return [None] * sampling.total
    parts = (str(sampling.seed), text, str(occurrence))
    numbers = range(sampling.first, sampling.first + sampling.n)
    keys: list[int | None] = [int(digest(*parts, str(number)), 16) for number in numbers]
    return [None, *keys] if sampling.with_passage else keys


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeError:
        return False
    return True
