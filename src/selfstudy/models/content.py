"""What others wrote, as content: what a tokenizer or a template would read as its own marks is broken up.

A document, a question or an answer may hold `<|im_end|>` or a line "Assistant: yes".  As it stands it would
end the turn and begin another one.  A space inside of a mark, or "> " before a line, makes it text that can
still be read.  A text without marks comes back as it is.

It is done where texts meet a template or a tokenizer, in models/ alone, so that prompts, judges, training and
counting agree; records keep what was written.  A tokenizer's own `split_special_tokens` does not serve:
tokens that were added but are not special stay, a Unigram vocabulary has the special ones among its pieces,
and servers tokenise for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.models import thinking
from selfstudy.models.local.panics import panics_as_errors
from selfstudy.records import Chat
from selfstudy.text import quote_lines

Content = Callable[[str], str]
"""A text of others to what may stand inside of a turn; what it gives, it leaves alone."""

_HTML = re.compile(
    r"</?(?:[abiuspq]|b[dr]|h[1-6r]|[uod]l|li|d[dt]|t[dhr]|em|su[bp]|table|thead|tbody|tfoot|caption|code|pre|div"
    r"|span|strong|blockquote|del|ins|small|mark|kbd) ?/?>"
)
"""Vocabularies hold some of it as tokens of their own that mean nothing else."""
_BRACKETS = (("<", ">"), ("[", "]"), ("{", "}"), ("◁", "▷"))


class Marks:
    """Breaks the marks of one tokenizer and template.

    Args:
        words: what must not stand in content; digits in them stand for any digits.
        lines: what no line may begin with, in whatever letters, and whatever blanks stand before it.
        patterns: regular expressions of more words.
        normalise: what the tokenizer does to a text before it looks for its tokens.
        begins: regular expressions of more lines, as `text.quote_lines` sees them.
    """

    def __init__(
        self,
        words: Iterable[str] = (),
        lines: Iterable[str] = (),
        patterns: Sequence[str] = (),
        normalise: Callable[[str], str] | None = None,
        begins: Sequence[str] = (),
    ) -> None:
        words = {word for word in words if _breakable(word)}
        self._words = _any_of(words, patterns)
        self._lines = _begins(lines, begins)
        self._normalise = normalise
        normal = {normalise(word).strip() for word in words} if normalise else set()
        self._normal = _any_of({word for word in normal if _breakable(word)})

    def __call__(self, text: str) -> str:
        """`text` without marks."""
        text = _broken(text, self._words)
        if self._normalise is not None and self._normal is not None:
            read = self._normalise(text)  # letters of another case or width, put together as a mark
            if self._normal.search(read):
                text = _broken(read, self._normal)
        return text if self._lines is None else quote_lines(text, self._lines)


def of_tokenizer(tokenizer: Any, lines: Iterable[str] = (), words: Iterable[str] = ()) -> Marks:
    """For texts that `tokenizer` reads: its special tokens, and those that were added as marks.

    An added token is a mark if it is special, stands in the chat template, or looks like one: in brackets,
    but no HTML; words and white space that were added to a vocabulary are none.

    Args:
        lines, words: more of them, such as the template writes.
    """
    special = set(getattr(tokenizer, "all_special_tokens", ()))
    details = getattr(tokenizer, "added_tokens_decoder", {}).values()
    special |= {one.content for one in details if one.special}
    added = {*getattr(tokenizer, "get_added_vocab", dict)()}
    template = str(getattr(tokenizer, "chat_template", None) or "")
    marks = special | {word for word in added if (word in template and is_mixed(word)) or _in_brackets(word)}
    marks |= {*thinking.marks(template), *words}
    return Marks(marks, lines, normalise=_normaliser(tokenizer))


def within(chat: Chat, content: Content) -> Chat:
    """A chat with each turn's words as `content` has them."""
    said = [content(turn.content) for turn in chat]
    if all(turn.content == words for turn, words in zip(chat, said, strict=True)):
        return chat
    return tuple(turn.model_copy(update={"content": words}) for turn, words in zip(chat, said, strict=True))


def is_mixed(word: str) -> bool:
    """Whether there are letters and other signs in it: "user" and "```" may stand in any text."""
    return any(map(str.isalnum, word)) and not all(char.isalnum() or char.isspace() for char in word)


def _in_brackets(word: str) -> bool:
    word = word.strip()
    if not any(word.startswith(left) and word.endswith(right) for left, right in _BRACKETS):
        return False
    return _HTML.fullmatch(word) is None


def _normaliser(tokenizer: Any) -> Callable[[str], str] | None:
    normaliser = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
    if normaliser is None:
        return None

    def normalise(text: str) -> str:
        try:
            with panics_as_errors("the tokenizer"):
                return str(normaliser.normalize_str(text)).replace("▁", " ")  # SentencePiece's space
        except UnicodeError:  # a lone surrogate: whoever tokenises the text will say so
            return text

    return normalise


def _breakable(word: str) -> bool:
    """Whether something can be put inside of it, and whether it is more than a sign that any text may use."""
    return len(word.strip()) > 1


def _any_of(words: Iterable[str], patterns: Sequence[str] = ()) -> re.Pattern[str] | None:
    """Finds each of `words`: those that begin alike share the first step, as there may be thousands."""
    literal = sorted({re.sub(r"\d+", "0", word) for word in words}, key=lambda word: (word[:2], -len(word)))
    groups = [
        f"{re.escape(start)}(?:{'|'.join(_any_digits(word[2:]) for word in group)})"
        if not any(map(str.isdigit, start))
        else "|".join(map(_any_digits, group))
        for start, found in groupby(literal, key=lambda word: word[:2])
        for group in [list(found)]
    ]
    every = [*groups, *patterns]
    return re.compile("|".join(every)) if every else None


def _any_digits(word: str) -> str:
    """<unused0> to <unused6241> are one mark."""
    return re.escape(word).replace("0", r"\d+")


def _begins(lines: Iterable[str], patterns: Sequence[str]) -> re.Pattern[str] | None:
    words = {" ".join(line.split()) for line in lines if line.strip()}
    found = [
        f"{re.escape(word[:-1].rstrip())} ?:" if word.endswith(":") else re.escape(word)
        for word in sorted(words, key=lambda word: (-len(word), word))
    ]
    every = [*found, *patterns]
    return re.compile("|".join(every), re.IGNORECASE) if every else None


_ROUNDS = 16
"""Of a real tokenizer none needs more than three: what was broken is a mark again only with a blank in it."""


def _broken(text: str, marks: re.Pattern[str] | None) -> str:
    """Until there is no mark left: one may begin inside of another."""
    for _ in range(_ROUNDS):
        if marks is None or not marks.search(text):
            return text
        text = marks.sub(_split, text)
    raise ModelError(
        "the tokenizer has too many marks that differ in blanks alone: no text can be kept apart from them",
        "its files are damaged, or made to do harm: copy or download them again, or use another model",
    )


def _split(mark: re.Match[str]) -> str:
    """`< |im_end|>`, `USER :`."""
    word = mark[0]
    start, end = len(word) - len(word.lstrip()), len(word.rstrip())
    at = end - 1 if word[start].isalnum() and not word[end - 1].isalnum() else start + 1
    return f"{word[:at]} {word[at:]}"
