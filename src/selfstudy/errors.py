"""Every error selfstudy raises on purpose.

    SelfstudyError
    ├── RecipeError        the recipe is wrong: unknown key, value out of range, conflicting choices
    ├── RunError           the run directory is wrong, locked, full, or belongs to another recipe
    ├── DataError          input data cannot be used: empty library, unreadable file
    ├── ModelError         a model cannot be loaded or cannot do what is asked of it
    ├── MissingExtraError  an optional package is absent; the message names the extra to install
    └── BudgetError        the recipe's budget is used up: the run stopped cleanly and can go on

The message says what failed, the value found, and what to do next.  The command line prints it without
a traceback and exits with code 2 (3 for a budget).  A single failed item is not an exception but a
`records.Failure`.
"""

from __future__ import annotations

from typing import Any


class SelfstudyError(Exception):
    """Base of all errors that a user can fix.

    Args:
        what: what failed, with the value found.
        hint: the next step, as an instruction.
    """

    exit_code = 2

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n  -> {self.hint}" if self.hint else self.what

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as what it says, whatever its kind was made of, so that one of a worker is raised here."""
        return _again, (type(self), self.what, self.hint), self.__dict__


class RecipeError(SelfstudyError):
    """The recipe is wrong."""


class RunError(SelfstudyError):
    """The run directory cannot be used."""


class DataError(SelfstudyError):
    """Input data cannot be used."""


class ModelError(SelfstudyError):
    """A model cannot be loaded or used."""


class MissingExtraError(SelfstudyError):
    """An optional package is absent."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed",
            f"pip install 'selfstudy[{extra}]'",
        )


class BudgetError(SelfstudyError):
    """The budget of a run is used up; everything done is kept."""

    exit_code = 3


def _again(kind: type[SelfstudyError], what: str, hint: str) -> SelfstudyError:
    error = kind.__new__(kind)
    SelfstudyError.__init__(error, what, hint)
    return error
