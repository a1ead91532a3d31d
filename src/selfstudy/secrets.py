"""Secrets in texts: what looks like one, and every known one taken out of whatever is kept or shown.

A key that this process uses is known (`keep`), and so is what the environment calls a key, token or password.
Knows texts and the environment; nothing of models, recipes or screens.
"""

from __future__ import annotations

import base64
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache

from selfstudy import environment

HIDDEN = "[key]"
NOT_SHOWN = "(not shown)"
SHORTEST = 4
"""Characters; what is shorter can be guessed, and hiding it would eat words out of answers."""
_ORDINARY = 16
"""A shorter key of letters alone may be a part of other words: only the whole word is hidden."""
_LONG_VALUE = 8
"""Shorter values of the environment's keys are too often ordinary words."""
PLACEHOLDERS = frozenset(
    {
        *("none", "null", "empty", "dummy", "test", "key", "token", "secret", "true", "false", "changeme"),
        *("no-key", "nokey", "not-needed", "no-key-required", "sk-no-key-required", "placeholder", "unused"),
        *("local", "ollama", "lm-studio", "vllm"),
    }
)
"""What people give to servers that want no key; an ordinary word in an answer must stay."""

_SHAPES = re.compile(
    r"""(?<![A-Za-z0-9])(?:
        sk[-_](?=[\w-]{0,64}(?:\d[A-Za-z]|[A-Za-z]\d))[\w-]{12,}
      | (?:hf|gsk|gh[pousr]|r8|fw|tgp_v1|npm|dapi|xai|pplx|csk|key)[-_][A-Za-z0-9]{20,}
      | (?:nvapi|glpat|github_pat|xox[abeoprs])[-_][\w-]{20,}
      | A(?:KIA|SIA)[A-Z0-9]{12,}
      | AIza[\w-]{30,}
      | ya29\.[\w-]{20,}
      | eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?
      | (?i:bearer)[ ]+(?=[^\s'",]{0,200}\d)[\w.~+/=-]{8,}
      | (?i:basic)[ ]+(?=[A-Za-z0-9+/]{0,200}[0-9=])[A-Za-z0-9+/]{12,}={0,2}
    )
    | -----BEGIN[ ][A-Z ]{0,40}PRIVATE[ ]KEY
    | (?<=://)[^\s/@'"]{1,300}@
    """,
    re.VERBOSE,
)
"""As providers shape their keys (OpenAI, Anthropic, Hub, GitHub, GitLab, AWS, Google), a JWT, a header."""
_RUN = re.compile("[A-Za-z0-9]{20,}")
_NAMES = re.compile(
    r"(?:.*[_-])?(?:(?:x[_-])?api[_-]?key|secret|password|passwd|passphrase|credentials?|authorization|private[_-]?key"
    r"|(?:api|auth|access|bearer|hf|hub|refresh|id|session)[_-]?token)|token|key",
    re.IGNORECASE,
)
_OWN = "SELFSTUDY_"


def looks_secret(text: str) -> bool:
    """Whether `text` holds what is shaped as a key, or the value of a key in the environment."""
    if len(text) < _LONG_VALUE:
        return False
    return _SHAPES.search(text) is not None or any(value in text for value in in_environment())


def looks_random(text: str) -> bool:
    """Whether a run of 20 letters and digits or more is mixed as only keys are; no hash in hex is."""
    return any(
        sum(map(str.isupper, run)) >= 2
        and sum(map(str.islower, run)) >= 2
        and sum(map(str.isdigit, run)) >= 2
        for run in _RUN.findall(text)
    )


def names_secret(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever it looks like: api_key, Authorization ..."""
    return _NAMES.fullmatch(name[:100]) is not None


def without_secrets(text: str) -> str:
    """`text` with what looks like a secret, or is known as one, left out; for messages about files."""
    for value in in_environment():
        text = text.replace(value, NOT_SHOWN)
    return _SHAPES.sub(NOT_SHOWN, hide(text))


def in_environment(variables: Mapping[str, str] = os.environ) -> list[str]:
    """Values of variables that are called a key, a token or a password; no paths, no ordinary words."""
    named = dict.fromkeys(
        value.strip()
        for name, value in variables.items()
        if environment.is_secret(name) and not name.startswith(_OWN)
    )
    return sorted(filter(_is_no_word, named), key=len, reverse=True)  # one may be the beginning of another


def _is_no_word(value: str) -> bool:
    least = _ORDINARY if value.isalpha() else _LONG_VALUE
    if len(value) < least or value[0] in "/~." or value.lower() in PLACEHOLDERS:
        return False
    return not (any(map(str.isspace, value)) and all(char.isalpha() or char.isspace() for char in value))


class Secret:
    """One secret that shows itself to nobody, and is found however it is spelled.

    As it is, in any case of its letters; percent-encoded, as escapes of JSON or HTML, wholly or in part; in
    hex; in base64, alone or within something longer such as `user:key`; each of them also broken over lines.
    """

    def __init__(self, value: str) -> None:
        raw = value.encode()
        # as it stands, and as `_unescaped` reads it: a key may hold a % or a backslash itself
        read = _ESCAPED.sub(_unescaped, value)
        spelled = dict.fromkeys((value, read if len(read) >= SHORTEST else value))
        self._values = tuple(map(str.lower, spelled))
        self._hex = raw.hex()
        self._cores = tuple(_base64_cores(raw))
        itself = f"(?:{'|'.join(map(re.escape, spelled))})"
        encoded = "|".join([f"(?i:{self._hex})", *map(re.escape, self._cores)])
        if (value.isalpha() or value.isdigit()) and len(value) < _ORDINARY:
            self._pattern = re.compile(rf"(?i:(?<![^\W_]){itself}(?![^\W_]))|{encoded}")
            self._broken = re.compile(encoded)
        else:
            self._pattern = self._broken = re.compile(f"(?i:{itself})|{encoded}")

    def __repr__(self) -> str:
        return "Secret(...)"

    def may_be_in(self, text: str) -> bool:
        """Whether `hide` may change a part of `text`; quick, and true for a part of a longer word too."""
        return self._stands_in(text) or any(
            self._stands_in(marks.sub(_unescaped, text)) for marks in _read_in(text)
        )

    def _stands_in(self, text: str) -> bool:
        plain = text.lower()
        return any(one in plain for one in (*self._values, self._hex)) or any(
            core in text for core in self._cores
        )

    def hide(self, text: str) -> str:
        """`text` without it; to be called before a text is cut, or part of the secret stays."""
        if not self.may_be_in(text):
            return text
        text = self._pattern.sub(HIDDEN, text)
        for marks in _read_in(text):
            text = _hidden(text, marks, self._broken if marks is _BROKEN else self._pattern)
        return text


def secret(value: str) -> Secret | None:
    """The secret `value`; None if it is none: empty, a placeholder, or too short to be one."""
    if len(value) < SHORTEST or value.lower() in PLACEHOLDERS:
        return None
    return _secret(value)


@lru_cache(maxsize=64)
def _secret(value: str) -> Secret:
    return Secret(value)


_KEPT: dict[str, Secret] = {}


def keep(value: str) -> Secret | None:
    """Makes a secret known to `hide`, for as long as this process runs."""
    found = secret(value)
    if found is not None:
        _KEPT[value] = found
        _leave_no_core()
    return found


def _leave_no_core() -> None:
    """A crash writes no image of this process, and of the key in it, into the working folder."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def hide(text: str) -> str:
    """`text` without any secret that is known."""
    for one in list(_KEPT.values()):
        text = one.hide(text)
    return text


_ESCAPED = re.compile(
    r"%(?:25){0,3}([0-7][0-9a-f])|&#x0{0,4}([0-7][0-9a-f]);|&#0{0,4}([0-9]{2,3});"
    r"|(?<!\\)\\++(?:(?:u00|x)([0-7][0-9a-f])|(?=[^ux]))",
    re.IGNORECASE,
)
"""A character of ASCII as URLs, HTML and JSON (also JSON within JSON) may write it."""
_MARKS = ("%", "\\", "&#")
"""Without one of these nothing is escaped, and a text is looked through much faster."""


_BROKEN = re.compile(rf"[ \t]{{0,16}}(?:\r?\n|\\{{1,8}}[rn])[ \t]{{0,16}}|{_ESCAPED.pattern}", re.IGNORECASE)
"""The end of a line, as it is or as JSON writes it, and the indentation around it; or such a character."""
_BREAKS = ("\n", "\\n", "\\r")


def _read_in(text: str) -> Iterator[re.Pattern[str]]:
    """In which ways, beside letter by letter, a text is to be read."""
    if any(mark in text for mark in _MARKS):
        yield _ESCAPED
    if any(mark in text for mark in _BREAKS):
        yield _BROKEN


def _hidden(text: str, marks: re.Pattern[str], wanted: re.Pattern[str]) -> str:
    """`text` without what is wanted where the marks in it are read as what they stand for."""
    parts: list[str] = []
    places = array("Q")  # in `text`, of each character that is read
    at = 0
    for mark in marks.finditer(text):
        read = _unescaped(mark)
        parts += text[at : mark.start()], read
        places.extend(range(at, mark.start() + len(read)))
        at = mark.end()
    parts.append(text[at:])
    places.extend(range(at, len(text)))
    kept: list[str] = []
    done = 0
    for found in wanted.finditer("".join(parts)):
        kept += text[done : places[found.start()]], HIDDEN
        last = places[found.end() - 1]
        ending = marks.match(text, last)
        done = ending.end() if ending else last + 1
    return "".join([*kept, text[done:]])


def _unescaped(match: re.Match[str]) -> str:
    in_hex = match[1] or match[2] or match[4]
    return chr(int(in_hex, 16)) if in_hex else chr(int(match[3])) if match[3] else ""


def _base64_cores(raw: bytes) -> Iterable[str]:
    """What base64 makes of `raw` at each of the three places in which it may begin, without the edges.

    The characters at the edges depend on what stands beside it.
    """
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        start = (8 * before + 5) // 6
        end = (8 * (before + len(raw))) // 6
        core = whole[start:end]
        yield core
        if "+" in core or "/" in core:
            yield core.replace("+", "-").replace("/", "_")
