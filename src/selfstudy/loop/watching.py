"""`selfstudy learn --watch`: when documents change, a round begins that asks about them, and what is due.

It goes on for ever, beyond the recipe's rounds; min_gain and what was not promoted end nothing.  A round that
was interrupted is finished first.  Knows no stage, nor how questions are chosen (run/changes.py,
run/relearning.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selfstudy.errors import DataError, RecipeError
from selfstudy.library.settling import FileMarks, FilesAtRest, marks_of
from selfstudy.library.snapshot import Difference, Snapshot, difference, snapshot, unreadable, with_unseen
from selfstudy.loop.study import MOST_SEEN
from selfstudy.run import standing
from selfstudy.run.changes import Changes, begin, keep_seen, learned, seen
from selfstudy.run.forgotten import forgotten_sources
from selfstudy.run.relearning import due_again
from selfstudy.text import one_line

if TYPE_CHECKING:
    from selfstudy.loop.study import Study
    from selfstudy.run import Round

NAMED = 5
"""Sources that a line names."""


@dataclass(frozen=True)
class WatchOptions:
    """How a library is watched; guesses.

    Attributes:
        every: seconds between two looks at files.
        every_page: seconds between two looks at what is fetched.
        settle: seconds for which nobody may have written to a file that is read.
        again: seconds after which a round asks what is due first though nothing has changed; None: none does.
        allow_removals: whether more than half of a library may be gone.
    """

    every: float = 10.0
    every_page: float = 3600.0
    settle: float = 2.0
    again: float | None = None
    allow_removals: bool = False


def watch(study: Study, options: WatchOptions | None = None, stop: Callable[[], bool] | None = None) -> None:
    """The rounds of the recipe, then one each time that the library has changed; for ever.

    Args:
        stop: asked before each look; once it is true, watching ends.

    Raises:
        SelfstudyError: what the user can fix; called again it goes on.
    """
    _LibraryWatch(study, options or WatchOptions(), stop or (lambda: False)).run()


@dataclass
class _LibraryWatch:
    """See `watch`."""

    study: Study
    options: WatchOptions
    stop: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _said: dict[str, str] = field(default_factory=dict, init=False)

    def run(self) -> None:
        self._require()
        settling = FilesAtRest(self.options.settle)
        self.study.learn()
        self._finish()
        page_at = again_at = self.clock()
        while not self.stop():
            now = self.clock()
            marks = self._marks()
            pages = self._fetches and now - page_at >= self.options.every_page
            if marks is not None and (settling.ready(marks, now) or pages):
                if self._look(settling, marks, pages=pages):
                    again_at = self.clock()
                page_at = self.clock() if pages else page_at
            elif self.options.again is not None and now - again_at >= self.options.again:
                self._ask_again()
                again_at = self.clock()
            if marks is not None:
                self._say(self._state(settling), "state")
            self.sleep(self.options.every)

    def _require(self) -> None:
        library = self.study.recipe.library
        if library is None or not library.fixed:
            raise RecipeError(
                "--watch: the recipe has no library that can be watched: all of it is searched by question",
                "give a folder, titles, a dump or addresses",
            )
        if self.options.again is not None and self.study.recipe.relearn is None:
            raise RecipeError(
                "--again: nothing is asked again by schedule",
                "set relearn: {} in the recipe, or leave it out",
            )

    @property
    def _fetches(self) -> bool:
        library = self.study.recipe.library
        return library is not None and len(library.fixed) > len(library.here)

    def _marks(self) -> FileMarks | None:
        library = self.study.recipe.library
        assert library is not None
        marks = marks_of(library, follow_links=self.study.recipe.gather.follow_links)
        if marks is None:
            self._say("the library is not there; what was learned from it stays, and it is waited for")
        return marks

    def _finish(self) -> None:
        """The round that was interrupted, if one was."""
        rounds = self.study.run.rounds
        if rounds and rounds[-1].finished("verify"):
            learned(rounds[-1])  # a kill may have come before that: the same would be asked about again
        elif rounds and rounds[-1].changes_file.is_file():
            self._turn(rounds[-1])

    def _look(self, settling: FilesAtRest, marks: FileMarks, *, pages: bool) -> bool:
        """Reads the library, and begins a round if it has changed; whether one has been."""
        busy = {name.partition(":")[2] for name in settling.restless}
        try:
            contents = self.study.reread_library(fresh=pages)
        except DataError as error:
            self._say(f"the library cannot be read, and is waited for: {error.what}")
            settling.read(marks)
            return False
        after = self._marks()
        moved = {
            name for name in marks.keys() | (after or {}).keys() if marks.get(name) != (after or {}).get(name)
        }
        if moved - settling.restless:
            return False  # while it was read, somebody wrote
        settling.read(marks)
        if len(contents.documents) > MOST_SEEN:
            raise DataError(
                f"--watch: the library has {len(contents.documents):,} documents, and at most {MOST_SEEN:,} "
                "are watched",
                "watch a part of it, or learn without --watch",
            )
        before = seen(self.study.run)
        now = snapshot(contents.documents)
        if before is None:
            keep_seen(self.study.run, now)
            self._note(f"{len(now):,} sources; what changes from now on is learned")
            return False
        gone = forgotten_sources(self.study.run)
        before = {source: text for source, text in before.items() if source not in gone}
        now = with_unseen(before, now, busy | unreadable(contents.skipped, pages=self._fetches))
        found = difference(before, now)
        if not found or self._refuses(found, before):
            return False
        self._note(f"{_shown(found)}")
        self._turn(self.study.run.round(self._number), _changes(found, now))
        return True

    def _refuses(self, found: Difference, before: Snapshot) -> bool:
        """Whether too much is gone for it to be meant."""
        if self.options.allow_removals or 2 * len(found.removed) <= len(before):
            return False
        self._say(
            f"{len(found.removed):,} of {len(before):,} sources are gone, more than half: nothing is done; "
            "with --allow-removals it is taken as meant"
        )
        return True

    def _ask_again(self) -> None:
        """A round of what is due first."""
        self.study.reread_library()
        run = self.study.run
        if due_again(run, self._number, self.study.documents, changes=True, early=True):
            self._note("nothing has changed; what is due first is asked again")
            self._turn(run.round(self._number), Changes(early=True))
        else:
            self._say("nothing has changed, and nothing is to be asked again")

    @property
    def _number(self) -> int:
        """Of the next round: one that has only a folder, after a kill, is the next one still."""
        rounds = self.study.run.rounds
        return rounds[-1].number + rounds[-1].finished("verify")

    def _turn(self, round_: Round, changes: Changes | None = None) -> None:
        """A round, begun or gone on with, and the report."""
        if changes is not None:
            begin(round_, changes)
        self._note(f"round {round_.number} {'begins' if changes is not None else 'goes on'}")
        self.study.turn(round_)
        self.study.report()
        decided = standing.decision(round_)
        self._note(f"round {round_.number} is done: {_outcome(decided)}")
        self._said.clear()

    def _state(self, settling: FilesAtRest) -> str:
        when = f"the next look is in {self.options.every:g} s"
        if settling.restless:
            return f"{len(settling.restless):,} files are being written to; {when}"
        return f"waiting for the library to change; {when}, and so on"

    def _say(self, text: str, about: str = "library") -> None:
        """What need not be said again until something else is said about the same."""
        if self._said.get(about) != text:
            self._said[about] = text
            self._note(text)

    def _note(self, text: str) -> None:
        self.study.reporter.note(f"watch: {text}")


def _outcome(decided: standing.Decision | None) -> str:
    if decided is not None and decided.promoted:
        return "promoted"
    why = decided.reasons[:1] if decided is not None else ()
    return ": ".join(["nothing was promoted", *(one_line(reason, 300) for reason in why)])


def _shown(found: Difference) -> str:
    parts = []
    for word, some in (("added", found.added), ("changed", found.changed), ("removed", found.removed)):
        if some:
            names = ", ".join(one_line(one, 60) for one in some[:NAMED])
            more = f" and {len(some) - NAMED:,} more" if len(some) > NAMED else ""
            parts.append(f"{len(some):,} {word} ({names}{more})")
    return ", ".join(parts)


def _changes(found: Difference, now: Snapshot) -> Changes:
    return Changes(
        added={one: now[one] for one in found.added},
        changed={one: now[one] for one in found.changed},
        removed=found.removed,
    )
