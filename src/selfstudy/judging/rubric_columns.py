"""The claims of a rubric in a row of a data file: texts, or lists of texts; of a text each sentence is one.

gold, reference    Essential
claims, evidence   Important
contradictions     Pitfall
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selfstudy.files.rows import list_in_text, text_of
from selfstudy.text import sentences

_COLUMNS = (("gold", "reference"), ("claims", "evidence"), ("contradictions",))
NAMES = tuple(name for names in _COLUMNS for name in names)


def claims_in(row: Mapping[str, Any]) -> list[list[str]]:
    """Essential claims, important ones and contradictions, as `rubric.from_evidence` takes them.

    Raises:
        MalformedError: a column holds something else.
    """
    return [_claims(row, names) for names in _COLUMNS]


def _claims(row: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        value = list_in_text(row.get(name))
        if isinstance(value, list):
            found += [text_of(claim, f"{name}[{i}]") for i, claim in enumerate(value)]
        elif value is not None:
            found += sentences(text_of(value, name))
    return [claim.strip() for claim in found if claim.strip()]
