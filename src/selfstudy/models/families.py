"""The marks by which families of models tell turns, for texts that a server tokenises.

The shape of a mark tells most: bars in brackets (`<|im_end|>`), a tag or a bracket with a word of turns and
tokens in it (`<end_of_turn>`, `<SPECIAL_11>`, `[/INST]`), a speaker's name where templates write one
(`### Response:`, `ASSISTANT:`).  HTML, Markdown, code and e-mail have other shapes, and stay as they are.
Which family a server has is not known here.
"""

from __future__ import annotations

import re

from selfstudy.models.content import Marks

_LATIN = ("system", "user", "assistant", "human", "bot", "gpt", "chatbot", "falcon", "instruct")
_OTHERS = ("система", "пользователь", "ассистент", "系统", "用户", "助手", "问", "答")
"""Of YandexGPT, Pangu and ChatGLM."""
_SPEAKERS = _LATIN + _OTHERS
_SECTIONS = (
    *("instruction", "instructions", "response", "input"),
    *("system prompt", "user message", "user input", "user query"),
)
"""What Alpaca and its like write with a speaker's marks: `### Response:`."""
_SPEAKER, _SECTION = "|".join(_SPEAKERS), "|".join(_SECTIONS)
_PART = (
    "start|end|begin|beginning|bos|eos|pad|unk|mask|cls|sep|eot|eom|tool|unused|extra|reserved|special|image|img"
    "|vision|audio|video|speech|fim|im|tokens|turn|sentence|utterance|human|bot"
)
_WORD, _JOIN = r"[^\W_]{1,30}", "[_:▁]{1,3}"
_TAG = (
    "s|bos|eos|pad|unk|mask|cls|sep|eo[a-z]|so[a-z]|image|img|audio|video|patch|human|bot|AI|role"
    r"|用户|助手|系统|_\w{1,30}"
    rf"|(?:{_WORD}{_JOIN}){{1,6}}(?i:{_PART})\d{{0,6}}(?:{_JOIN}{_WORD}){{0,6}}"
    rf"|(?i:{_PART})(?:\d{{1,6}}|(?:{_JOIN}{_WORD}){{1,6}})"
)
_FIELD = r"(?!\w{1,60}_(?:url|date|time|path|file|title|width|height|format|type)s?/?>)"
"""What fields of records end with, and no token does: `<image_url>`, `<end_date>`."""
_CAPITALS = (
    "INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_(?:CALLS|RESULTS|CONTENT)|ARGS|CALL_ID|MODEL_SETTINGS|PREFIX"
    "|MIDDLE|SUFFIX|IMG(?:_BREAK|_END)?|(?:BEGIN_)?AUDIO|TRANSCRIBE|THINK|BOS|EOS|EOT|PAD|UNK|MASK|CLS|SEP"
    r"|[gs]MASK|USER|ASSISTANT|SYSTEM|BOT|UNUSED_TOKEN_\d{1,6}|unused\d{1,6}|Round \d{1,6}"
)
_MARKS = Marks(
    begins=(
        rf"(?:#{{2,6}} ?|@@ ?|\|\| ?|(?:gpt\w{{0,3}} |code |math )?(?:correct )?)(?:{_SPEAKER}) ?:",
        rf"(?:#{{3,6}}|@@) ?(?:{_SECTION}) ?:",
        # without a colon too (Phind, StarCoder2, Magicoder): nothing else may stand in the line
        r"(?:#{3,6}|@@) ?(?:instruction|response|user(?: message)?|assistant|human|system prompt) ?$",
    ),
    patterns=(
        r"</?[|｜][^\s<>]{1,80}>",  # <|im_end|>, <|eot_id|>, <｜User｜>, <|turn>
        r"<[^\s<>|｜]{1,40}[|｜]>",  # <turn|>
        r"\[\|/?[^\W\d][^\s\[\];,]{0,39}\|\]",  # [|endofturn|]
        r"◁[^\s◁▷]{1,40}▷",
        rf"</?{_FIELD}(?:{_TAG})/?>",
        rf"\[/?(?:{_CAPITALS})\]",
        r"</?(?:\w{1,20}:)?think(?:ing)?>",
        r"<</?SYS>>",
        r">>[A-Z]{2,20}<<",  # Falcon: >>QUESTION<<
        r"\]~!?b\[?|\[e~\[",  # MiniMax
    ),
)

_COLON = re.compile("[:：]")
_CALLED = tuple(sorted((*_SPEAKERS, *_SECTIONS), key=len, reverse=True))
_LONGEST = len(_CALLED[0])
_OPENCHAT = re.compile(r"GPT\w{0,3} (?:Correct )?\Z")
_BLANK = re.compile(r"[^\S\r\n]")
_LINE = re.compile(r"(?:^|[^\S \t])>?\Z")
"""The last of what stands before the beginning of a line, quoted or not."""
_SIGNS = ".!?…])}”’»。！？；"
"""Behind one of these a speaker is no part of a sentence: "done. Assistant: yes"."""


def of_servers(text: str) -> str:
    """A text that a server tokenises, without the marks of any family."""
    return _MARKS(_uncalled(text))


def _uncalled(text: str) -> str:
    """`text` with a space before the colon of whoever is called within a line."""
    kept, at = [], 0
    for colon in _COLON.finditer(text):
        end = colon.start()
        before = text[max(0, end - _LONGEST) : end].lower()
        if before.endswith(_CALLED) and _is_called(text, next(filter(before.endswith, _CALLED)), end):
            kept.append(text[at:end])
            at = end
    return " ".join([*kept, text[at:]])


def _is_called(text: str, name: str, end: int) -> bool:
    """Whether `name`, before the colon at `end`, is more than a word: Vicuna's ` ASSISTANT: `."""
    start = end - len(name)
    near = _before(text, start)
    if text[max(0, near - 3) : near] == "###":
        return True
    if name not in _SPEAKERS or (text[end] == ":" and not _is_gap(text[end + 1 : end + 2])):
        return False  # `user:read`, `$USER:$USER`
    if text[max(0, near - 2) : near] in ("##", "||"):  # one that begins a line will be quoted
        begin = _before(text, near - 2)
        return not _LINE.search(text[max(0, begin - 2) : begin])
    if text[start:end].isupper() or _OPENCHAT.search(text[max(0, start - 16) : start]):
        before = text[max(0, start - 1) : start]
        return _is_gap(before) or before in _SIGNS or before == ">"
    behind_sign = near > 0 and text[near - 1] in _SIGNS
    return behind_sign and (near < start or not text[start].islower())  # `self.user: User` is code


def _is_gap(char: str) -> bool:
    """Whether it is white space, cannot be seen, or is the end of the text."""
    return not char.isprintable() or char.isspace() or not char


def _before(text: str, end: int) -> int:
    """Where the blanks before `end` begin."""
    while end and _BLANK.match(text, end - 1):
        end -= 1
    return end
