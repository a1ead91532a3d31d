"""Panics of libraries written in Rust (tokenizers), as errors.

A panic comes as an exception that is none of `Exception`, so that it would end everything: a tokenizer whose
regular expression gives up on a text is enough.  Knows nothing of what was asked of the library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from selfstudy.errors import ModelError


@contextmanager
def panics_as_errors(what: str) -> Iterator[None]:
    """Turns a panic into a ModelError.

    Args:
        what: what failed then, as the message begins.
    """
    try:
        yield
    except BaseException as error:
        if not is_panic(error):
            raise
        raise ModelError(
            f"{what} failed: {' '.join(str(error).split())[:200]}",
            "its files are damaged, or made to do harm: copy or download them again, or use another model",
        ) from None


def is_panic(error: BaseException) -> bool:
    """Whether `error` is a panic. Its class is made anew by every library, so it is known by its name."""
    return type(error).__name__ == "PanicException"
