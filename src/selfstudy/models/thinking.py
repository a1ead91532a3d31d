"""Answers of models that think aloud first: what is thinking, and what is the answer.

Pure functions over text, for every place where a model's words come in: servers, local models, files.  Knows
no model and no tokenizer; a template that opens the thinking itself is noticed by the end of its prompt.
"""

from __future__ import annotations

import re

_NAME = (
    r"(?:[\w-]+:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|[\w-]+_think|scratchpad"
    r"|reflections?|analysis|chain_of_thought|cot|(?:inner_|internal_)(?:monologue|thoughts?)"
    r"|think(?:ing)?_\w+)(?:[:\s][^<>\n]{0,40})?"
)
"""What the marks call it: <think>, <thinking>, <thought>, <reasoning>, <seed:think>, <think id="1">."""
_OPENERS = (
    rf"<{_NAME}>",
    r"\[think\]",  # Magistral
    r"<\|think(?:ing)?\|>",
    r"\AThinking\.\.\.(?=\n)",  # Ollama's terminal
    rf"◁{_NAME}▷",
    r"<\|(?:begin_of_|start_)(?:thought|thinking|reasoning)\|>",
    r"<\|inner_prefix\|>",
    r"(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)<\|message\|>",
    r"<\|channel>thought\b",
    r"<unused94>thought\b",
)
_CLOSERS = (
    rf"</{_NAME}>",
    r"\[/think\]",
    r"<\|/think(?:ing)?\|>",
    r"(?:(?<=\n)|\A)\.\.\.done thinking\.(?=\s)",
    rf"◁/{_NAME}▷",
    r"<\|end_(?:of_)?(?:thought|thinking|reasoning)\|>",
    r"<\|inner_suffix\|>",
    r"(?:<\|end\|>)?(?:<\|start\|>assistant)?<\|channel\|>final<\|message\|>",
    r"<channel\|>",
    r"<unused95>",
)
"""Closers, each in the place of its opener."""
_CLOSING = (
    (r"<(?!\|)([^|>]+)>", r"</\1>"),
    (r"\[(think)\]", r"[/\1]"),
    (r"<\|(think|thinking)\|>", r"<|/\1|>"),
    (r"◁(.+)▷", r"◁/\1▷"),
    (r"<\|begin_of_(.+)\|>", r"<|end_of_\1|>"),
    (r"<\|START_(.+)\|>", r"<|END_\1|>"),
    (r"<\|start_(.+)\|>", r"<|end_\1|>"),
    (r"<\|inner_prefix\|>", "<|inner_suffix|>"),
    (r".*<\|message\|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    (r"<\|channel>thought", "<channel|>"),
    (r"<unused94>thought", "<unused95>"),
)
"""How the closing mark of an opening one is written, letter for letter."""
_ANSWER = re.compile(
    r"<(answer|response|output|solution)>(?P<tagged>.*?)(?:</\1>\s*|\Z)"
    r"|<\|(?:begin_of_|start_)(?:solution|response|answer)\|>(?P<marked>.*?)"
    r"(?:<\|end_(?:of_)?(?:solution|response|answer)\|>\s*|\Z)",
    re.DOTALL | re.IGNORECASE,
)
"""What some models put around the answer that follows their thinking."""
_FLAGS = re.IGNORECASE
_OPENER = re.compile("|".join(f"({opener})" for opener in _OPENERS), _FLAGS)
_CLOSER = re.compile("|".join(_CLOSERS), _FLAGS)
_CLOSER_OF = [re.compile(closer, _FLAGS) for closer in _CLOSERS]
_SPACE = re.compile(r"\s*")
_GOES_ON = re.compile(r"[^\S\n]+[a-z]|[^\S\n]*[,;.)?!]")
"""What follows a mark that a sentence only mentions."""
_OPEN_END = re.compile(rf"(?:{'|'.join(_OPENERS)})\s*\Z", _FLAGS)
_QUOTES = "`'\"“”‘’«»„"


class NoAnswerError(ValueError):
    """All of a text is thinking."""


def opened_by(prompt: str) -> bool:
    """Whether a rendered prompt ends inside thinking: the model's own words then begin there."""
    return _OPEN_END.search(prompt) is not None


def closed(prompt: str) -> str:
    """A rendered prompt with the thinking that it opens closed again, empty; another one as it is."""
    found = _OPEN_END.search(prompt)
    if found is None:
        return prompt
    opener = found[0].strip()
    for flags in (0, _FLAGS):  # <|START_THINKING|> and <|start_thinking|> are closed in their own letters
        for pattern, mark in _CLOSING:
            if re.fullmatch(pattern, opener, flags):
                line = "\n" if prompt.endswith("\n") else "\n\n"
                return f"{prompt}{line}{re.sub(pattern, mark, opener, flags=flags)}\n\n"
    return prompt


def marks(text: str) -> list[str]:
    """The opening and closing marks in `text`, in order."""
    found = [*_OPENER.finditer(text), *_CLOSER.finditer(text)]
    return [mark[0] for mark in sorted(found, key=lambda mark: mark.span())]


def without_thinking(text: str, *, opened: bool = False) -> str:
    """The answer in `text`, without the thinking; a text without thinking comes back as it is.

    Thinking begins where the text does, or with an opening mark alone on its line, and reaches to the closing
    mark.  A closing mark without an opening one ends thinking that the template has opened.  A mark that is
    only mentioned, in quotes, in code or in the middle of a sentence, is text.

    Args:
        opened: the prompt has opened the thinking (see `opened_by`).

    Raises:
        NoAnswerError: the thinking never ends, or nothing follows it.
    """
    at, cut = 0, False
    if opened:
        closer = _first(_CLOSER, text)
        if closer is None:
            raise NoAnswerError("the thinking, opened by the prompt, was not finished")
        at, cut = closer.end(), True
    elif (closer := _orphan(text, 0)) is not None:
        at, cut = closer.end(), True
    rest = _Rest(text, at)
    while (opener := rest.opening()) is not None:
        closer = _first(_CLOSER_OF[(opener.lastindex or 1) - 1], text, opener.end())
        if closer is None:
            raise NoAnswerError(f"the thinking, opened by {opener[0]!r}, was not finished")
        rest.cut(opener, closer)
        cut = True
    if not cut:
        return text
    answer = rest.joined().strip()
    wrapped = _ANSWER.fullmatch(answer)
    if wrapped is not None:
        answer = (wrapped["tagged"] or wrapped["marked"] or "").strip()
    if not answer:
        raise NoAnswerError("nothing follows the thinking")
    return answer


class _Rest:
    """What is left of a text while thinking is cut out of it, from the left, in one pass."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self._at = at
        """Where it goes on behind what was cut out last."""
        self._kept: list[str] = []
        """What stands before that; its last line is blank, for a mark stood alone there."""
        self._blank = True
        self._fences = 0
        self._mentions = False

    def joined(self) -> str:
        return "".join(self._kept) + self._text[self._at :]

    def opening(self) -> re.Match[str] | None:
        """The first opening mark that begins the text, or stands alone on a line outside a block of code."""
        text, at = self._text, self._at
        if self._blank and (first := _OPENER.match(text, _first_word(text, at))):
            return first
        seen = line = at
        fences, alone = self._fences, True
        for found in _OPENER.finditer(text, at):
            fences += text.count("```", seen, found.start())
            newline = text.rfind("\n", seen, found.start()) + 1
            alone = alone or newline > 0  # else another mark stands before it in its line
            line, seen = max(newline, line), found.start()
            if alone and fences % 2 == 0 and not text[line:seen].strip():
                end = text.find("\n", found.end())
                if not text[found.end() : end if end >= 0 else len(text)].strip():
                    return found
            alone, self._mentions = False, True
        return None

    def cut(self, opener: re.Match[str], closer: re.Match[str]) -> None:
        """Cuts out one stretch of thinking; if another one lies in it, up to the end of the outer one."""
        before = self._text[self._at : opener.start()]
        self._kept.append(before)
        self._blank = self._blank and not before.strip()
        self._fences += before.count("```")
        self._at = closer.end()
        nested = _OPENER.search(self._text, opener.end(), closer.start()) is not None
        if nested and not self._mentions and (outer := _orphan(self._text, self._at)) is not None:
            self._kept.clear()
            self._blank, self._fences, self._at = True, 0, outer.end()


def _first_word(text: str, at: int) -> int:
    """Where the white space from `at` on ends."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _orphan(text: str, start: int) -> re.Match[str] | None:
    """The closing mark, behind `start`, of thinking that something before it has opened."""
    closer = _first(_CLOSER, text, start)
    if closer is None or _OPENER.search(text, start, closer.start()):
        return None
    line = text[max(start, text.rfind("\n", start, closer.start()) + 1) : closer.start()]
    word = line.rstrip()
    goes_on = word != line and word[-1:] not in ".!?:;…" and _GOES_ON.match(text, closer.end())
    in_sentence = goes_on or text.count("```", start, closer.start()) % 2
    return None if in_sentence else closer


def _first(mark: re.Pattern[str], text: str, start: int = 0) -> re.Match[str] | None:
    """The first mark that does not stand in quotes."""
    for found in mark.finditer(text, start):
        before, after = text[max(found.start() - 1, 0) : found.start()], text[found.end() : found.end() + 1]
        if not (before and after and before in _QUOTES and after in _QUOTES):
            return found
    return None
