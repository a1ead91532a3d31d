"""Tokens of a GGUF file that are whole words of its tokenizer, and that transformers cuts into pieces.

In a byte-level vocabulary it leaves out, or numbers anew, what has white space or letters beyond Latin in it,
such as `<｜User｜>` of DeepSeek's models.  Here they get the numbers that the file says, as llama.cpp has it.
Knows the file of a fast tokenizer, and no model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfstudy.models.local.gguf import Word

_FILE = "tokenizer.json"
_FIRST, _LAST = "<[{", ">]}"


def mend(folder: Path, words: Sequence[Word]) -> None:
    """Puts the words that are missing into the tokenizer that transformers wrote into a folder."""
    file = folder / _FILE
    tokenizer: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    spelled = {number: key for key, number in vocabulary.items()}
    lost = {word.text: word for word in words if _is_lost(word, spelled.get(word.id))}
    if not lost:
        return
    for word in lost.values():
        del vocabulary[spelled[word.id]]
        vocabulary[word.text] = word.id
    kept = [token for token in tokenizer["added_tokens"] if token["content"] not in lost]
    added = [
        {"id": word.id, "content": word.text, "special": word.control}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for word in lost.values()
    ]
    tokenizer["added_tokens"] = sorted(kept + added, key=lambda token: int(token["id"]))
    file.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")


def _is_lost(word: Word, spelled: str | None) -> bool:
    """Whether transformers has another spelling for it; llama.cpp calls some plain words control."""
    if spelled is None or spelled == word.text:
        return False
    return not word.control or (word.text[:1] in _FIRST and word.text[-1:] in _LAST)
