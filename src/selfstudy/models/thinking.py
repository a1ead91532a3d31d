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
    rest, cut = text, False
    if opened:
        closer = _first(_CLOSER, rest)
        if closer is None:
            raise NoAnswerError("the thinking, opened by the prompt, was not finished")
        rest, cut = rest[closer.end() :], True
    elif (closer := _orphan(rest)) is not None:
        rest, cut = rest[closer.end() :], True
    while (opener := _opening(rest)) is not None:
        closer = _first(re.compile(_CLOSERS[(opener.lastindex or 1) - 1], _FLAGS), rest, opener.end())
        if closer is None:
            raise NoAnswerError(f"the thinking, opened by {opener[0]!r}, was not finished")
        nested = _OPENER.search(rest, opener.end(), closer.start()) is not None
        rest, cut = rest[: opener.start()] + rest[closer.end() :], True
        if nested and (closer := _orphan(rest)) is not None:
            rest = rest[closer.end() :]
    if not cut:
        return text
    wrapped = _ANSWER.fullmatch(rest.strip())
    if wrapped is not None:
        rest = wrapped["tagged"] or wrapped["marked"] or ""
    if not rest.strip():
        raise NoAnswerError("nothing follows the thinking")
    return rest.strip()


def _opening(text: str) -> re.Match[str] | None:
    """The first opening mark that begins the text, or stands alone on a line outside a block of code."""
    start = len(text) - len(text.lstrip())
    if first := _OPENER.match(text, start):
        return first
    for found in _OPENER.finditer(text):
        line = text[text.rfind("\n", 0, found.start()) + 1 : (text + "\n").find("\n", found.end())]
        if line.strip() == found[0] and text.count("```", 0, found.start()) % 2 == 0:
            return found
    return None


def _orphan(text: str) -> re.Match[str] | None:
    """The closing mark of thinking that something before the text has opened."""
    closer = _first(_CLOSER, text)
    if closer is None or _OPENER.search(text, 0, closer.start()):
        return None
    before, after = text[: closer.start()], text[closer.end() :]
    in_sentence = (
        re.search(r"[^\s.!?:;…][^\S\n]+\Z", before) and re.match(r"[^\S\n]+[a-z]|[^\S\n]*[,;.)?!]", after)
    ) or text.count("```", 0, closer.start()) % 2
    return None if in_sentence else closer


def _first(mark: re.Pattern[str], text: str, start: int = 0) -> re.Match[str] | None:
    """The first mark that does not stand in quotes."""
    for found in mark.finditer(text, start):
        before, after = text[: found.start()][-1:], text[found.end() :][:1]
        if not (before and after and before in _QUOTES and after in _QUOTES):
            return found
    return None
