"""The rows of a data set on the Hub, by the library `datasets`, whose scripts are never run.

A set that is in the cache of the Hub needs no net.  Knows nothing of what the rows mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selfstudy.errors import DataError
from selfstudy.files.rows import Row

SPLITS = ("validation", "test", "train")
"""Of a set the first of these that it has: published figures are of the split that nobody trains on."""
MOST_BYTES = 2_000_000_000
"""What is downloaded for a suite."""


def rows(name: str, config: str, what: str) -> Iterator[Row]:
    """The rows of one split.

    Args:
        name: owner/name.
        config: which of several sets under that name; "": the only one.
        what: whom the rows are for, in messages.

    Raises:
        DataError: it cannot be had; the message says how to give it as a file.
    """
    builder = _builder(name, config, what)
    try:
        size = builder.info.download_size or 0
        if size > MOST_BYTES:
            raise DataError(
                f"{what}: {name} has {size:,} bytes, more than the {MOST_BYTES:,} that are downloaded",
                "give a part of it as a .jsonl or .parquet file",
            )
        with _quietly():
            builder.download_and_prepare()
        splits = builder.info.splits or {}
        split = next((one for one in SPLITS if one in splits), next(iter(splits), None))
        table = None if split is None else builder.as_dataset(split=split)
    except DataError:
        raise
    except Exception as error:
        raise _unread(name, config, what, error) from None
    for number, value in enumerate(table if table is not None else (), start=1):
        yield Row(f"row {number} of {split}", dict(value))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without bars of its own, which stand across ours."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            enable_progress_bars()


def _builder(name: str, config: str, what: str) -> Any:
    """What makes the set; it is asked of the Hub, or of its cache."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from datasets import load_dataset_builder

    try:
        # datasets 4 runs no scripts at all, and has no `trust_remote_code` any more
        return load_dataset_builder(name, config or None)
    except Exception as error:  # of the net, the Hub, scripts, names, formats: all end in a message
        raise _unread(name, config, what, error) from None


def _unread(name: str, config: str, what: str, error: Exception) -> DataError:
    said = " ".join(str(error).split())[:300]
    shown = name + (f":{config}" if config else "")
    return DataError(
        f"{what}: no file is called {name!r}, and the data set {shown!r} cannot be read from the Hub "
        f"({type(error).__name__}: {said})",
        "check the name (owner/name or owner/name:config); without a net give a file: .jsonl, .json, .csv or "
        ".parquet",
    )
