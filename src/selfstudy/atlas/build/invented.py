"""Invented place names: names that belong to nothing, for teaching what not knowing looks like.

The "ignorance" task of atlas-lm and the counterfactual readings use them; no real name is among them.
"""

from __future__ import annotations

import random
from functools import cache

from selfstudy.atlas import world

_ONSETS = (
    "b",
    "br",
    "d",
    "dr",
    "f",
    "g",
    "gl",
    "h",
    "k",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "z",
)
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ou", "ea")
_CODAS = ("", "", "n", "r", "l", "s", "m", "nd", "rk")
_ENDS = ("ia", "a", "ova", "land", "stan", "burg", "ville", "pur", "dor", "esh")
COUNT = 300


@cache
def invented_names() -> tuple[str, ...]:
    """`COUNT` pronounceable names, none of them in the world; always the same ones."""
    rng = random.Random("invented names")
    taken = {name.lower() for name in world.names()}
    found: list[str] = []
    while len(found) < COUNT:
        stem = "".join(
            rng.choice(part) for _ in range(rng.choice((1, 2))) for part in (_ONSETS, _VOWELS, _CODAS)
        )
        name = (stem + rng.choice(_ENDS)).capitalize()
        if name.lower() not in taken and 5 <= len(name) <= 12:
            taken.add(name.lower())
            found.append(name)
    return tuple(found)
