"""A public fake language model that answers from a script: for tests, examples and dry runs.

    lm = ScriptedLM({r"capital of France": ["Paris.", "Paris.", "Lyon."], r".": ["I do not know."]})

Deterministic: no seed, no weights.  Knows nothing of prompts beyond their text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from selfstudy.errors import ModelError
from selfstudy.files import plain_yaml, reading
from selfstudy.models.base import Progress, Sampling, refuse_contrastive_search
from selfstudy.records import Chat, Completion, without_demonstrations
from selfstudy.text import UNSPACED, shortened, until

_UNSPACED = re.compile(f"[{UNSPACED}]")
Script = Sequence[str] | Callable[[Chat, int], str]
"""Answers in turn, or a function of the chat and the number of the completion (0 = first)."""


class ScriptedLM:
    """Answers a chat by the first pattern found in its text; fulfils `base.LanguageModel`.

    The text is the chat's turns, `role: content`, one a line. Completion k of a chat (0 is the passage with
    `greedy_first`) is answer k of its script, from the start again when there are fewer; at temperature 0
    always the first. A token is a word and has log-probability -1. A chat that no pattern matches, or whose
    function raises, comes back with finish "error".
    """

    def __init__(self, answers: Mapping[str, Script | str], name: str = "scripted") -> None:
        """Compiles the patterns (regular expressions, searched anywhere, "." matches line ends too).

        Raises:
            ModelError: a pattern is no regular expression, or has no answers.
        """
        self.name = name
        self._script: list[tuple[re.Pattern[str], Script]] = []
        for pattern, script in answers.items():
            shown = shortened(pattern, 80)
            if _may_never_end(pattern):
                raise ModelError(
                    f"script {name!r}: the pattern {shown!r} repeats a group that itself repeats or chooses: "
                    "it may take for ever",
                    "write it without the inner or the outer repetition",
                )
            try:
                compiled = re.compile(pattern, re.DOTALL)
            except (re.error, OverflowError, RecursionError) as error:
                raise ModelError(
                    f"script {name!r}: {shown!r} is no pattern: {error}", "fix the regular expression"
                ) from None
            script = [script] if isinstance(script, str) else script
            if not callable(script) and not script:
                raise ModelError(f"script {name!r}: {pattern!r} has no answers", "give it at least one")
            self._script.append((compiled, script))

    @classmethod
    def from_yaml(cls, path: Path | str) -> ScriptedLM:
        """Reads a YAML mapping of pattern to an answer or a list of answers.

        Raises:
            ModelError: the file is absent or holds something else.
        """
        hint = "write a YAML mapping, for example  'capital of France': [Paris., Lyon.]"
        try:
            data = plain_yaml.load(reading.text(Path(path)))
        except OSError as error:
            raise ModelError(f"script {str(path)!r} cannot be read: {error.strerror}", hint) from None
        except (plain_yaml.NotPlainError, UnicodeError) as error:
            raise ModelError(f"script {str(path)!r} is no YAML: {error}", hint) from None
        if not isinstance(data, dict):
            raise ModelError(f"script {str(path)!r} holds no mapping", hint)
        answers: dict[str, list[str]] = {}
        for pattern, script in data.items():
            answers[str(pattern)] = [str(one) for one in (script if isinstance(script, list) else [script])]
        return cls(answers, name=str(path))

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """`sampling.total` scripted completions for each chat, in the order of `chats`.

        Raises:
            ModelError: contrastive search is asked for.
        """
        refuse_contrastive_search(self.name, sampling)
        results = []
        for chat in chats:
            results.append([self._complete(chat, number, sampling) for number in sampling.numbers])
            if progress is not None:
                progress(1)
        return results

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """-1.0 for every word of each text."""
        return [[-1.0] * len(text.split()) for text in texts]

    def word_logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """-1.0 for every word of each text."""
        return [[(word, -1.0) for word in text.split()] for text in texts]

    def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
        """-1.0 for every word of each text."""
        return [[-1.0] * len(text.split()) for text in texts]

    def count_tokens(self, text: str) -> int:
        """Words of `text`; where a script writes no spaces, its characters."""
        return len(_UNSPACED.sub(" x ", text).split())

    def _complete(self, chat: Chat, number: int, sampling: Sampling) -> Completion:
        asked = "\n".join(f"{turn.role}: {turn.content}" for turn in without_demonstrations(chat))
        script = next((script for pattern, script in self._script if pattern.search(asked)), None)
        if script is None:
            return Completion(text="", finish="error", error=f"no scripted answer to {asked[-200:]!r}")
        number = 0 if sampling.temperature == 0 else number
        try:
            text = script(chat, number) if callable(script) else script[number % len(script)]
        except Exception as error:
            return Completion(text="", finish="error", error=f"scripted answer failed: {error}")
        said = until(text, sampling.stop)
        words = said.split()
        if len(words) > sampling.max_new_tokens:
            words = words[: sampling.max_new_tokens]
            return Completion(
                text=" ".join(words), tokens=len(words), logprob=-float(len(words)), finish="length"
            )
        return Completion(text=said.strip(), tokens=len(words), logprob=-float(len(words)))


_PARTS = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]|\(\?[:>=!]|\(\?<[=!]|\((?:\?P?<\w+>)?|[)|]"
    r"|(?:[*+]|\{\d*,\d*\})[?+]?|[?]|\{\d+\}|.",
    re.DOTALL,
)
"""A regular expression, part by part: escapes, classes, groups, repetitions, characters."""


def _may_never_end(pattern: str) -> bool:
    """Whether a group that repeats or chooses is itself repeated, as in (a+)+ or (a|aa)*: exponential time.

    Possessive repetitions and atomic groups never go back, so they may.
    """
    groups: list[tuple[bool, bool]] = [(False, False)]  # atomic, and whether something in it may go back
    closed = False  # whether the part before is a group in which something may go back
    for found in _PARTS.finditer(pattern):
        part = found[0]
        varies = part[0] in "*+" or (part[0] == "{" and "," in part and len(part) > 3)
        if part[0] == "(":
            groups.append((part == "(?>", False))
        elif part == ")" and len(groups) > 1:
            atomic, closed = groups.pop()
            closed = closed and not atomic
            if closed:
                groups[-1] = (groups[-1][0], True)
            continue
        elif varies and not (len(part) > 1 and part[-1] == "+"):
            if closed:
                return True
            groups[-1] = (groups[-1][0], True)
        elif part == "|" and len(groups) > 1:
            groups[-1] = (groups[-1][0], True)
        closed = False
    return False
