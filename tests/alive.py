"""How many records of each type are alive at once while files of them are read."""

from __future__ import annotations

import weakref
from collections import Counter
from typing import Any

import pytest

from selfstudy.records import Record
from selfstudy.run import record_files


def most_alive(monkeypatch: pytest.MonkeyPatch) -> Counter[type[Record]]:
    """The most records of each type that were read from now on and were there at once, kept up to date."""
    now: Counter[type[Record]] = Counter()
    most: Counter[type[Record]] = Counter()
    parsed = record_files._parsed

    def noting(kind: type[Record], *rest: Any) -> Any:
        record = parsed(kind, *rest)
        now[kind] += 1
        most[kind] = max(most[kind], now[kind])
        weakref.finalize(record, now.subtract, [kind])
        return record

    monkeypatch.setattr(record_files, "_parsed", noting)
    return most
