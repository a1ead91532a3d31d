"""What a chat template does, found out by trial renderings: the end of a turn, the system role, thinking,
and the words with which it opens and ends turns.

No template is known by name and none is parsed: marked turns are rendered, and what stands around the marks
says what the template writes.  A template that strips, adds a system prompt of its own or changes letters
does not mislead it.  Knows nothing of models and tokens, but for the words that are tokens of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from selfstudy.errors import ModelError
from selfstudy.models import thinking
from selfstudy.models.content import is_mixed
from selfstudy.records import Chat, Message

Render = Callable[[Chat, bool], str]
"""A template: a chat, and whether the assistant's next turn is opened, to text."""

_BRACKETED = re.compile(r"[<\[◁]+[^\s<>\[\]◁▷]{1,80}[>\]▷]+")
_SYSTEM, _ASKED, _SAID, _NEXT = "sysmarkone", "usermarktwo", "saidmarkthree", "nextmarkfour"


@dataclass(frozen=True, slots=True)
class Ending:
    """What a template writes after the assistant's words.

    Attributes:
        text: all that ends the turn, for training; empty where the template writes nothing of its own.
        token: the word in it (a token of its own) at which generation stops; empty if there is none.
        stop: texts at which generation stops.
    """

    text: str = ""
    token: str = ""
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Habits:
    """What a template does.

    Attributes:
        system: it renders a system message.
        opens_thinking: its prompts end inside thinking, so that a model's first words are no answer.
        lines: what opens or ends its turns at the beginning of a line, as `User:` does.
        words: what does anywhere, as `[/INST]` does.  What is a token of its own is in neither.
    """

    system: bool
    opens_thinking: bool
    ending: Ending
    lines: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def habits(render: Render, words: Iterable[str]) -> Habits:
    """Tries a template out.

    Args:
        words: what the tokenizer holds as tokens of their own, such as `<|im_end|>`.
    """
    words = sorted((word for word in words if word.strip()), key=lambda word: (-len(word), word))
    splitter = re.compile("|".join(map(re.escape, words)) or r"\Z.")
    found = set(_written(render, splitter))
    return Habits(
        system=_SYSTEM in _tried(render, (("system", _SYSTEM), ("user", _ASKED)), True),
        opens_thinking=thinking.opened_by(_tried(render, (("user", _ASKED),), True, lower=False)),
        ending=_ending(render, splitter),
        lines=tuple(sorted(word for word, at_line in found if at_line)),
        words=tuple(sorted(word for word, at_line in found if not at_line)),
    )


def hears_user(render: Render) -> bool:
    """Whether a template renders the user's words; one that refuses the trial may still render others."""
    text = _tried(render, (("user", _ASKED),), True)
    return not text or _ASKED in text


def _ending(render: Render, splitter: re.Pattern[str]) -> Ending:
    """What stands behind the assistant's words, at the end of a chat and before another turn."""
    turns = (("user", _ASKED), ("assistant", _SAID))
    last = _after(_tried(render, turns, False, lower=False), _SAID)
    whole = _after(_tried(render, (*turns, ("user", _NEXT)), False, lower=False), _SAID)
    at = whole.lower().find(_NEXT)
    between = whole[:at] if at >= 0 else ""
    pairs = zip(_pieces(last, splitter), _pieces(between, splitter), strict=False)
    both = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)) if between else last
    for text in (both, last):
        if found := splitter.search(text):
            before = text[: found.start()].strip()
            return Ending(text[: found.end()], found[0], (before,) if before else ())
        if text is both and text.strip():
            mark = text.rstrip()
            # One sign alone, such as a closing quote, may stand in an answer: the line's end belongs to it.
            mark = mark if len(mark.strip()) > 1 else text
            return Ending(mark, "", (mark,))
    # Nothing ends the turn but the opening of the next one; that is nothing to teach.
    if found := splitter.search(between):
        return Ending("", found[0], ())
    opening = next((line for line in between.splitlines() if line.strip()), "").strip()
    line = "\n" if "\n" in between[: len(between) - len(between.lstrip())] else ""
    return Ending("", "", (line + opening,) if len(opening) > 1 else ())


def _written(render: Render, splitter: re.Pattern[str]) -> Iterator[tuple[str, bool]]:
    """What stands next to the words of each turn, and whether it has to begin a line."""
    turns = (("system", _SYSTEM), ("user", _ASKED), ("assistant", _SAID), ("user", _NEXT))
    text = _tried(render, turns, True, lower=False) or _tried(render, turns[1:], True, lower=False)
    spoken = re.compile("|".join(content for _, content in turns), re.IGNORECASE)
    for number, between in enumerate(spoken.split(text)):
        # before the first turn there may be words of the template's own: a system prompt, a date
        pieces = [piece for part in splitter.split(between) for piece in part.splitlines()]
        pieces = [piece for piece in pieces if piece.strip()]
        for piece in {*pieces[:1], *pieces[-1:]} if number else pieces[-1:]:
            before, newline, _ = between[: between.find(piece)].rpartition("\n")
            begins = bool(newline) or not (number or before)
            bracketed = _BRACKETED.findall(piece)
            for word in bracketed or [piece.strip()]:
                if is_mixed(word):
                    yield word, begins and not bracketed


def _tried(render: Render, turns: Sequence[tuple[str, str]], open_answer: bool, *, lower: bool = True) -> str:
    """A trial rendering; empty if the template refuses it.

    Raises:
        ModelError: it is no template, or one that does not end (`rendering`).
    """
    chat = tuple(Message.model_validate({"role": role, "content": content}) for role, content in turns)
    try:
        text = render(chat, open_answer)
    except ModelError:
        raise
    except Exception:  # a template raises whatever it likes
        return ""
    return text.lower() if lower else text


def _after(text: str, mark: str) -> str:
    at = text.lower().rfind(mark)
    return text[at + len(mark) :] if at >= 0 else ""


def _pieces(text: str, splitter: re.Pattern[str]) -> list[str]:
    """Words that are tokens as wholes, everything else letter by letter."""
    found: list[str] = []
    at = 0
    for match in splitter.finditer(text):
        found += [*text[at : match.start()], match[0]]
        at = match.end()
    return [*found, *text[at:]]
