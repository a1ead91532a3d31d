"""What the full-text index looks for: words, and pieces of runs of scripts that write no spaces.

LanceDB's tokenizer takes words to be what stands between spaces and punctuation, so a sentence of Chinese is
one word and finds nothing but itself.  Runs of such scripts are cut into overlapping pieces, the same for
passages and queries: two characters of Han, Kana and Hangul, three of others, which write single sounds.
(Lucene's CJKAnalyzer does so with two.)  No dictionary is needed, and other text stays as it is.

It knows nothing of tables and ranking.
"""

from __future__ import annotations

import re
import unicodedata

from selfstudy.text import UNSPACED, nfkc

_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
"""Written with spaces, but endings and particles are joined to the words."""
_RUN = re.compile(f"[{UNSPACED}{_HANGUL}]+")
_PAIRS = re.compile("[\u2e80-\U0003ffff]")
_NO_SPELLING = ("Mn", "Cf")
"""Tone marks and the like, at which LanceDB's tokenizer would cut; accents do not matter elsewhere either."""


def index_words(text: str) -> str:
    """`text` with all runs of scripts without spaces cut into pieces, with spaces between them."""
    return text if text.isascii() else _RUN.sub(_pieces, text)


def _pieces(match: re.Match[str]) -> str:
    run = nfkc(match[0])  # also half-width Kana, and marks joined to their letters
    size = 2 if _PAIRS.match(run) else 3
    run = "".join(char for char in run if unicodedata.category(char) not in _NO_SPELLING)
    pieces = [run[i : i + size] for i in range(max(1, len(run) - size + 1))]
    return f" {' '.join(pieces)} "
