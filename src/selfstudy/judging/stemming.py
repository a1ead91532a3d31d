"""English words without their endings (Porter 1980, An algorithm for suffix stripping), with the changes that
NLTK makes: what published ROUGE figures are counted with.

Knows the spelling of words, and nothing of what is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

_WHOLE = {
    **dict.fromkeys(("sky", "skies"), "sky"),
    **{"dying": "die", "lying": "lie", "tying": "tie", "news": "news", "howe": "howe"},
    **{form: noun for noun in ("inning", "outing", "canning") for form in (noun, noun + "s")},
    **{verb: verb for verb in ("proceed", "exceed", "succeed")},
}
"""Words that the rules would spoil."""
_SECOND = (
    *(("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize")),
    *(("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize")),
    *(("ation", "ate"), ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful")),
    *(("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful")),
    ("logi", "log"),
)
_THIRD = (
    *(("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic")),
    *(("ful", ""), ("ness", "")),
)
_FOURTH = (
    *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism"),
    *("ate", "iti", "ous", "ive", "ize"),
)


@lru_cache(maxsize=2**16)
def stem(word: str) -> str:
    """The stem of a word in lower case; of two letters or fewer it is the word."""
    if word in _WHOLE:
        return _WHOLE[word]
    if len(word) <= 2:
        return word
    word = _y_to_i(_without_ed_or_ing(_without_s(word)))
    word = _replaced(_second(word), _THIRD, lambda left, ending: _measure(left) > 0)
    word = _replaced(word, [(ending, "") for ending in _FOURTH], _is_long)
    return _without_e(word)


def _consonants(word: str) -> list[bool]:
    """For each letter; y is one at the beginning and behind a vowel."""
    found: list[bool] = []
    for letter in word:
        found.append(letter not in "aeiou" and (letter != "y" or not found or not found[-1]))
    return found


def _measure(word: str) -> int:
    """How often a vowel is followed by a consonant: m of the paper."""
    flags = _consonants(word)
    return sum(not one and other for one, other in pairwise(flags))


def _has_vowel(word: str) -> bool:
    return not all(_consonants(word))


def _is_double(word: str) -> bool:
    return len(word) > 1 and word[-1] == word[-2] and _consonants(word)[-1]


def _is_short(word: str) -> bool:
    """Whether it ends as "hop" does, or is a vowel and a consonant: an e belongs behind it."""
    flags = _consonants(word)
    if len(word) == 2:
        return flags == [False, True]
    return flags[-3:] == [True, False, True] and word[-1] not in "wxy"


def _is_long(left: str, ending: str) -> bool:
    return _measure(left) > 1 and (ending != "ion" or left[-1:] in ("s", "t"))


def _replaced(word: str, rules: Sequence[tuple[str, str]], allowed: Callable[[str, str], bool]) -> str:
    """The first ending that is there, replaced if it may be."""
    for ending, other in rules:
        if word.endswith(ending):
            left = word.removesuffix(ending)
            return left + other if allowed(left, ending) else word
    return word


def _without_s(word: str) -> str:
    if word.endswith("ies") and len(word) == 4:
        return word[:-1]
    rules = (("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", ""))
    return _replaced(word, rules, lambda left, ending: True)


def _without_ed_or_ing(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    left = next((word.removesuffix(end) for end in ("ed", "ing") if word.endswith(end)), word)
    if left == word or not _has_vowel(left):
        # "ring" does not end in "ed", "red" not in "ing": no word ends in both
        return word
    if left.endswith(("at", "bl", "iz")):
        return left + "e"
    if _is_double(left):
        return left if left[-1] in "lsz" else left[:-1]
    return left + "e" if _measure(left) == 1 and _is_short(left) else left


def _y_to_i(word: str) -> str:
    """ "happy", and not "say" or "by"."""
    left = word[:-1]
    return left + "i" if word.endswith("y") and len(left) > 1 and _consonants(left)[-1] else word


def _second(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _second(word[:-2])
    # the l of "logi" counts for what is left, so that "geology" is as "archaeology"
    return _replaced(
        word, _SECOND, lambda left, ending: _measure(left + "l" if ending == "logi" else left) > 0
    )


def _without_e(word: str) -> str:
    if word.endswith("e"):
        left = word[:-1]
        if _measure(left) > 1 or (_measure(left) == 1 and not _is_short(left)):
            word = left
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
