"""An error says what failed and what to do; one tree holds them all."""

from __future__ import annotations

import inspect

from selfstudy import errors
from selfstudy.errors import RunError, SelfstudyError


def test_what_and_hint_are_told() -> None:
    error = RunError("no run at x", "start one")
    assert (error.what, error.hint) == ("no run at x", "start one")
    assert str(error).splitlines() == ["no run at x", "  -> start one"]
    assert str(RunError("no run at x")) == "no run at x"


def test_there_is_one_tree() -> None:
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert len(found) > 5
    assert all(issubclass(kind, SelfstudyError) for kind in found)
