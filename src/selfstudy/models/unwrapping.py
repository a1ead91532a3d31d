"""What a language model proposed, without what it wrapped it in: JSON, code fences, lists, labels, Markdown.

Models that were asked for a question answer `{"question": "Who painted the mural?"}`, or a fenced list, or
"**Question 1:** ...".  Replies are read by rules that a cut or broken reply passes too, in linear time.  It
knows nothing of what makes a question or topic a good one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Literal

from selfstudy.text import clean, question_end

LONGEST = 20_000
"""Characters of a reply that are looked at."""

Wanted = Literal["question", "topic", "fact"]

_KEYS = {
    "question": re.compile(r"question|query|prompt|q\W*\d*$"),
    "topic": re.compile(r"topic|subject|theme|name$|title$"),
    "fact": re.compile(r"facts?\W*\d*$|claims?$|statements?$|texts?$|sentences?$"),
}
"""Keys of JSON objects whose values are wanted."""
_FENCE = re.compile(r"(?:`{3,}|~{3,})(?:[\w+-]*(?=[ \t]*\n)|json\w*|yaml|text|markdown|python)?")
_TAG = re.compile(
    r"</?(?:question|topic|output|response|reply|item|q|json|xml|yaml|text|p|li|ul|ol|div|b|i|strong|em|br)s?\d{0,2}"
    r" ?/?>|<\|[^|>\n]{1,40}\|>",
    re.IGNORECASE,
)
_TEX = re.compile(r"\\(?:boxed|text\w*|mathrm)\{([^{}\n]*)\}")
_DOLLARS = re.compile(r"^\$([^$\n]*[^$\n\d])\$$", re.MULTILINE)
_CODE = re.compile(
    r"^[ \t]*+(?:[a-z_]\w*+[ \t]*+=|(?:print|return)\b[ \t]*+\(?)[ \t]*+(?=[\"'])(.*)$",
    re.MULTILINE | re.IGNORECASE,
)
_PAIR_ALONE = re.compile(r"""^[ \t]*(?=(["'])[\w ]{1,30}\1[ \t]*:)""", re.MULTILINE)
_CURLY = re.compile("[{\\[]\\s*[“”]")
_JSON = re.compile(r"^[ \t]*(?:[\w ]{0,30}[:=][ \t]*)?(?=\{\s*[\w\"']|\[\s*[\"'\[{])", re.MULTILINE)
_STRING = re.compile(
    r"""[\[{,:]\s*+(?P<quote>["'])(?P<text>(?:\\.|[^\\\n])*?)"""
    r"""(?:(?P=quote)(?=\s*+(?:(?P<colon>:)|[,\]}]|$))|\\?(?:\n|\Z))"""
)
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]+)\*\*")
_LABELS = (
    "q|questions?|topics?|subjects?|pregunta|frage|domanda|pergunta|vraag|pytanie|вопрос|питання|ερώτηση|"
    "thema|thème|tema|temat|тема|θέμα|问题|問題|质问|質問|問|问|主题|主題|話題|题目|질문|주제|سؤال|موضوع|प्रश्न|विषय|คำถาม|หัวข้อ"
)
_LABEL = re.compile(rf"(?:{_LABELS})\s*(?:#?\d{{1,3}})?\s*(?:[:：]|\.(?=\s))\s*", re.IGNORECASE)
_BULLET = re.compile(r"(?:[-*+•·–—▪◦]+(?=\s|[^\W\d])|[>#]+(?=\s))\s*")
_NUMBER = re.compile(r"(?:[（(]?\d{1,3}[.):：、．)）]+(?!\d)|\(?[a-z]\))\s*", re.IGNORECASE)
_YES = r"(?:sure|certainly|of course|okay|ok|absolutely)\b[!,. ]*"
_HERE = r"here\b[^:：?？\n]{0,100}"
_LEAD_IN = re.compile(rf"(?:{_YES}(?:{_HERE})?|{_HERE})[:：]\s*(?=\S)", re.IGNORECASE)
_EDGES = " \t\"'`*_|“”„«»‹›「」『』"
_PAIRS = (("“", "”"), ("«", "»"), ("‹", "›"), ("「", "」"), ("『", "』"))
_HEAD = re.compile(r"^([-+*\d.) \t]*)\*\*([^*\n]++)\*\*\s*+(?::|[–—-]\s).*$", re.MULTILINE)
"""A topic in bold, and what is said about it."""


def entries(reply: str, wanted: Wanted) -> list[str]:
    """What a reply proposes, in order, each in one line without marks and quotes; [] if there is nothing.

    Of JSON the strings, of the keys that name what is `wanted` where there are such; else the lines.  Where
    topics or facts stand in a list, only its items count.
    """
    reply = _TAG.sub("\n", _FENCE.sub("\n", clean(reply[:LONGEST])))
    reply = _CODE.sub(_literal, _DOLLARS.sub(r"\1", _TEX.sub(r"\1", _TEX.sub(r"\1", reply))))
    if _CURLY.search(reply):
        reply = reply.replace("“", '"').replace("”", '"')
    if wanted == "topic":
        reply = _HEAD.sub(lambda head: head[1] + head[2].removesuffix(":").rstrip(), reply)
    found = list(_of_json(_PAIR_ALONE.sub("{", reply), wanted))
    if not found and not _is_json(reply):
        found = list(_of_lines(reply, wanted))
    return [entry for entry in found if any(map(str.isalnum, entry))]


def unquoted(line: str) -> str:
    """`line` without marks and quotes around it; a quote that closes within it stays: "Who" sang it?"""
    bare = line.strip(_EDGES)
    whole = bare.count('"') % 2 == 0 and all(bare.count(pair[0]) == bare.count(pair[1]) for pair in _PAIRS)
    return bare if whole else line.strip(" \t`*_|")


def _literal(match: re.Match[str]) -> str:
    """What a line of code prints or assigns, without the brackets and the semicolon behind it."""
    return match[1].removesuffix(";").removesuffix(")").rstrip(" \t")


def _is_json(reply: str) -> bool:
    try:
        return isinstance(json.loads(reply), dict | list)
    except (ValueError, RecursionError):
        return False


def _of_json(reply: str, wanted: Wanted) -> Iterator[str]:
    """The wanted strings of the JSON in a reply, or of what looks like it: cut short, or badly quoted."""
    start = _JSON.search(reply)
    if start is None:
        return
    key = ""
    values: list[tuple[str, str]] = []
    for match in _STRING.finditer(reply, start.end()):
        if match["colon"]:
            key = match["text"].strip().casefold()
        else:
            values.append((key, _unescaped(match["text"])))
    named = [value for key, value in values if _KEYS[wanted].search(key) and value.strip()]
    keys = [key for key, _ in values]
    if not named and keys.count(keys[0] if keys else "") > 1:  # objects of one kind: their first field
        named = [value for key, value in values if key == keys[0]]
    for value in named or [value for _, value in values]:
        lines = value.splitlines()
        if wanted == "question" and lines and question_end(lines[0]) < 0:
            lines = [" ".join(lines)]  # broken within the question
        for line in lines:
            yield _bare(line)[0]


def _unescaped(text: str) -> str:
    try:
        return clean(str(json.loads(f'"{text}"')))
    except ValueError:  # quotes inside, or an escape that was cut
        return text.replace('\\"', '"').replace("\\'", "'").replace("\\n", " ")


def _of_lines(reply: str, wanted: Wanted) -> Iterator[str]:
    lines = [(raw.rstrip(), *_bare(raw)) for raw in reply.splitlines() if raw.strip()]
    if wanted != "question" and any(marked for _, _, marked in lines):
        lines = [line for line in lines if line[2]]
    for i, (raw, line, _) in enumerate(lines):
        announced = i + 1 < len(lines) and raw.rstrip("*_ ").endswith((":", "："))
        if not announced:
            yield line


def _bare(line: str) -> tuple[str, bool]:
    """A line without marks, labels and quotes around it, and whether a list mark stood before it."""
    line = " ".join(_BOLD.sub(r"\1", line).split())
    marked = numbered = False
    for _ in range(6):  # "- **Question 2:** 1) ..."
        before = line
        if match := _BULLET.match(line):
            line, marked = line[match.end() :], True
        if not numbered and (match := _NUMBER.match(line)):  # once: "1. 3. Liga" is the third league
            line, marked, numbered = line[match.end() :], True, True
        if match := _LABEL.match(line) or _LEAD_IN.match(line):
            line = line[match.end() :]
        line = unquoted(line)
        if line == before:
            break
    return line, marked
