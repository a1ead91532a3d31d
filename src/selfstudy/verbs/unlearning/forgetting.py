"""Unlearning a source, in an order that a kill at any moment leaves to be gone on with by the same command.

    a tombstone        written first, unfinished: what is meant, and what goes
    adapters           deleted (adapters.py)
    records and files  cleaned; what the sentences are known from goes last (cleaning.py)
    rounds             taught and verified again, where an adapter held other things too
    summary, report    made again; then the whole folder is searched once more
    the tombstone      finished

Knows nothing of how a round is taught: who calls hands that in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfstudy.errors import DataError, RunError
from selfstudy.library.excluded import Excluded
from selfstudy.library.open import open_library
from selfstudy.recipe import FolderSource, RemoteModel, ServerModel
from selfstudy.records import Document, Evidence, Example, Pair
from selfstudy.run import Run, forgotten
from selfstudy.run.forgotten import Tombstone
from selfstudy.text import lines_below
from selfstudy.verbs.unlearning import adapters
from selfstudy.verbs.unlearning.adapters import HoldingAdapters
from selfstudy.verbs.unlearning.cleaning import Cleaned, Cleaning
from selfstudy.verbs.unlearning.resting import Resting, Sources, resting

if TYPE_CHECKING:
    from selfstudy.progress import Reporter


@dataclass(frozen=True)
class ForgettingPlan:
    """What goes, before anything does.

    Attributes:
        stone: of an interrupted attempt, which is gone on with; else the one to be set.
        resumed: whether it is one.
        counts: records that go, by what people call them.
    """

    sources: Sources
    found: Resting
    held: HoldingAdapters
    stone: Tombstone
    resumed: bool
    counts: Counter[str]

    @property
    def all_of_it(self) -> bool:
        """Whether no source of the run would be left."""
        return not self.found.kept_sources and not self.resumed


def plan(run: Run, pattern: str, *, rehearsed: bool = False) -> ForgettingPlan:
    """What unlearning would do.

    Args:
        pattern: of sources, spelled as `gather.exclude`, or one to the letter.
        rehearsed: see `adapters.holding`.

    Raises:
        RunError: it names nothing that the run knows, or another one has to be finished first.
    """
    stones = forgotten.tombstones(run)
    open_ = next((one for one in stones if not one.finished), None)
    if open_ is not None and open_.pattern != pattern:
        raise forgotten.unfinished_error(run, open_)
    sources = Sources(pattern, open_.sources if open_ else ())
    gone = Excluded([one for stone in stones if stone.finished for one in (stone.pattern, *stone.sources)])
    here = [one for one in documents_here(run) if one.source in sources or one.source not in gone]
    found = resting(run, sources, open_.questions if open_ else (), here)
    if open_ is not None:
        found.sources = tuple(sorted({*open_.sources, *found.sources}))
        again = adapters.unfinished(run, open_.rounds) if open_.dropped else open_.rounds
        held = HoldingAdapters(open_.adapters, open_.retrained, (), again)
        return ForgettingPlan(sources, found, held, open_, True, _counts(run, found))
    held = adapters.holding(run, sources, found, rehearsed=rehearsed)
    known = any(one.pattern == pattern for one in stones)
    if not found.sources or not (
        found.questions or found.evidence or held.gone or (found.documents and not known)
    ):
        raise _nothing(run, pattern, stones, found)
    stone = Tombstone(
        pattern=pattern,
        sources=found.sources,
        questions=tuple(sorted(found.questions)),
        adapters=held.dropped,
        retrained=held.retrained,
        rounds=held.rounds,
    )
    return ForgettingPlan(sources, found, held, stone, False, _counts(run, found))


def documents_here(run: Run) -> list[Document]:
    """The library as far as it is folders on this machine: their documents are in no record."""
    library = run.recipe.library
    folders = () if library is None else tuple(s for s in library.sources if isinstance(s, FolderSource))
    if library is None or not folders:
        return []
    try:
        here = library.model_copy(update={"sources": folders})
        return open_library(here, follow_links=run.recipe.gather.follow_links).documents
    except DataError:  # it was moved or emptied: what the run has kept of it is known from its records
        return []


def _counts(run: Run, found: Resting) -> Counter[str]:
    counts: Counter[str] = Counter()
    for round_ in run.rounds:
        counts["passages of evidence"] += sum(one.id in found.evidence for one in round_.iter(Evidence))
        counts["examples"] += sum(one.question_id in found.questions for one in round_.iter(Example))
        counts["pairs"] += sum(one.question_id in found.questions for one in round_.iter(Pair))
    return counts


def _nothing(run: Run, pattern: str, stones: Sequence[Tombstone], found: Resting) -> RunError:
    if any(one.pattern == pattern for one in stones):
        return RunError(
            f"{run.path} has forgotten {pattern!r} already, and holds nothing of it", "see `selfstudy why`"
        )
    known = [one.source for round_ in run.rounds for one in round_.iter(Evidence)]
    said = lines_below(list(dict.fromkeys(known)), 8) if known else "\n    (none)"
    why = "fits, but nothing rests on it" if found.sources else "is of no source that the run knows"
    return RunError(
        f"{pattern!r} {why}; nothing was changed. Sources of its evidence:{said}",
        "spell it as gather.exclude does: a file, a folder, a host, or a pattern with * and ?",
    )


def carry_out(
    run: Run,
    plan: ForgettingPlan,
    again: Callable[[Sequence[int]], object],
    summarise: Callable[[], object],
    report: Reporter,
) -> Cleaned:
    """Does it.

    Args:
        again: teaches and verifies rounds, in order, and sees to it that what stands is promoted.
        summarise: writes summary and report.

    Raises:
        RunError: see `Cleaning` and `adapters.drop`; the same command goes on once that is mended.
    """
    cleaning = Cleaning(run, plan.sources, plan.found)
    cleaning.add_quoting_questions()  # while all their records are there: a kill may leave some of them
    questions = tuple(sorted({*plan.stone.questions, *plan.found.questions}))
    stone = plan.stone.model_copy(update={"questions": questions})
    if plan.resumed:
        _set(run, stone)
    else:
        forgotten.keep(run, [*forgotten.tombstones(run), stone])
    if not stone.dropped:
        adapters.drop(run, plan.held.gone, plan.held.rounds, plan.found.questions)
        for name in plan.held.gone:
            report.note(f"deleted: adapter {name}")
        stone = stone.model_copy(update={"dropped": True})
        _set(run, stone)
    cleaned = cleaning.clean()
    if plan.held.rounds:
        again(plan.held.rounds)
    if run.rounds:
        summarise()
    cleaned.left = cleaning.still_quoting()
    _set(run, stone.model_copy(update={"finished": True}))
    return cleaned


def verified(run: Run, pattern: str, figures: dict[str, float | str | bool | None]) -> None:
    """Writes what asking again has shown into the tombstone."""
    stone = next(one for one in reversed(forgotten.tombstones(run)) if one.pattern == pattern)
    _set(run, Tombstone.model_validate({**stone.model_dump(), "verified": figures}))  # whole numbers as float


def _set(run: Run, stone: Tombstone) -> None:
    """In the place of the last one of that pattern."""
    stones = list(forgotten.tombstones(run))
    at = max(i for i, one in enumerate(stones) if one.pattern == stone.pattern)
    stones[at] = stone
    forgotten.keep(run, stones)


def not_covered(run: Run) -> list[str]:
    """What lies elsewhere and is not touched, in lines for a person."""
    lines = []
    library = run.recipe.library
    folders = [s.path for s in (library.sources if library else ()) if isinstance(s, FolderSource)]
    if folders:
        lines.append(
            f"your own documents stay as they are ({', '.join(folders)}); this run does not read them again"
        )
    others = [
        one for one in run.recipe.language_models.values() if isinstance(one, RemoteModel | ServerModel)
    ]
    if others and run.recipe.cache:
        lines.append(
            "replies of remote models are kept in your own cache, for all runs: it is yours to empty "
            "(cache folder: $SELFSTUDY_HOME/cache, else ~/.cache/selfstudy)"
        )
    if library is not None and library.index is not None:
        lines.append(
            f"indexes at {library.index} that held it are deleted, also those that other runs use: they are "
            "built again; older versions that the bucket itself keeps are not"
        )
    logs = [str(ask.source) for ask in run.recipe.probe.ask if ask.method == "logs"]
    if logs:
        lines.append(
            f"logs of requests stay as they are ({', '.join(logs)}), with the answers that were given; the "
            "run does not take the forgotten questions out of them again"
        )
    lines.append(
        "not covered: backups, snapshots and copy-on-write file systems, copies and exports of an adapter, "
        "servers that still run, and their logs of requests"
    )
    return lines
