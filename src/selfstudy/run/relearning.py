"""Which questions of earlier rounds a round asks again, and why: read from records.

    scheduled   what was known, or is a gap that was found, when its turn comes (schedule.py)
    changed     the passage that its answer was read from is not in the library any more, or a person
                has given another answer (corrections.py)

Not those that test forgetting over all rounds (`split.kept_apart`), unless their passage changed: what was
true then may be so no more; nor what was forgotten (forgotten.py).  General facts are no questions of a
round, and are asked by verify alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from selfstudy.records import GAPS, Document, Due, Evidence, Question, Reference, Verdict
from selfstudy.run import corrections, schedule, threshold
from selfstudy.run.forgotten import tombstones
from selfstudy.run.schedule import FIRM, PastAsking
from selfstudy.run.split import reserved_ids

if TYPE_CHECKING:
    from selfstudy.run.directory import Round, Run


def due_again(
    run: Run, number: int, documents: Iterable[Document], *, changes: bool, early: bool = False
) -> list[Due]:
    """What round `number` asks again: first what changed, then what is overdue longest.

    The same for the same earlier rounds and documents.

    Args:
        documents: all of the library that are the same for every question.
        changes: whether what changed is asked without `relearn` too.
        early: where nothing is due, what would be first.
    """
    earlier = [one for one in run.rounds if one.number < number]
    block = run.recipe.relearn
    if not earlier or (block is None and not changes):
        return []
    gone = {name for stone in tombstones(run) for name in stone.questions}
    histories = {name: some for name, some in _histories(run, earlier).items() if name not in gone}
    last = {name: some[-1][0].round for name, some in histories.items()}
    moved = set(_changed(earlier, documents)) | _corrected(run, earlier)
    found = [
        Due(question_id=name, why="changed", asked=last[name], interval=number - last[name])
        for name in last
        if name in moved
    ]
    if block is None:
        return found
    tests = reserved_ids(run, earlier)
    open_ = {
        name: some
        for name, some in histories.items()
        if name not in moved and name not in tests and _may_return(some)
    }
    waiting = schedule.turns({name: [one for one, _ in some] for name, some in open_.items()}, block)
    pick = schedule.soonest if early else schedule.due
    scheduled = pick(waiting, number, max(0, block.most - len(found)))
    return found + [
        Due(question_id=one.question_id, why="scheduled", asked=one.asked, interval=one.interval)
        for one in scheduled
    ]


def asked_before(round_: Round, ids: Collection[str]) -> list[Question]:
    """The questions of earlier rounds with these ids, as they were asked, in the order of the ids."""
    found: dict[str, Question] = {}
    for one in round_.run.rounds:
        if one.number < round_.number:
            found.update(one.by_id(Question, set(ids)))
    return [found[name] for name in ids if name in found]


def _may_return(some: Sequence[tuple[PastAsking, str]]) -> bool:
    """What nothing in the library answers is not asked for ever."""
    kinds = [kind for _, kind in some if kind]
    return bool(kinds) and kinds[-1] != "unverifiable"


def _histories(run: Run, rounds: Sequence[Round]) -> dict[str, list[tuple[PastAsking, str]]]:
    """Of each question its askings with their verdicts ("": none), in the order of the first askings."""
    limit = threshold.of(run).value
    found: dict[str, list[tuple[PastAsking, str]]] = {}
    for round_ in rounds:
        verdicts = {one.question_id: one for one in round_.iter(Verdict)}
        for question in round_.iter(Question):
            verdict = verdicts.get(question.id)
            asking = PastAsking(round_.number, None)
            if verdict is not None and verdict.kind != "unverifiable":
                firm = verdict.score is not None and verdict.score <= FIRM * limit
                asking = PastAsking(round_.number, verdict.kind not in GAPS, firm)
            kind = "" if verdict is None else verdict.kind
            found.setdefault(question.id, []).append((asking, kind))
    return found


def _changed(rounds: Sequence[Round], documents: Iterable[Document]) -> list[str]:
    """Ids of the questions whose last verdict rests on a passage that the library has no more."""
    rests: dict[str, Evidence] = {}
    for round_ in rounds:
        verdicts = {one.question_id: one.reference_id for one in round_.iter(Verdict)}
        references = round_.by_id(Reference, {name for name in verdicts.values() if name})
        evidence = round_.by_id(Evidence, {one.evidence_id for one in references.values()})
        for question, name in verdicts.items():
            rests.pop(question, None)  # of its last verdict, which may rest on nothing
            reference = references.get(name) if name else None
            if reference is not None and reference.given_by == "person":
                continue  # no page of the library
            if reference is not None and reference.evidence_id in evidence:
                rests[question] = evidence[reference.evidence_id]
    if not rests:
        return []
    library = rounds[0].run.recipe.library
    searched = library is not None and bool(library.searched)
    there = _texts(documents, {one.source for one in rests.values()})
    return [
        question
        for question, one in rests.items()
        if not any(_folded(one.text) in text for text in there.get(one.source, ()))
        and not (searched and one.fetched and one.source not in there)  # a search may find it again
    ]


def _corrected(run: Run, rounds: Sequence[Round]) -> set[str]:
    """Questions whose last verdict rests on something else than what a person says the answer is, or on what
    they have taken back.
    """
    people = corrections.standing(run)
    said = {name: one.reference for name, one in people.items() if one.reference or one.taken_back}
    if not said:
        return set()
    rests: dict[str, Reference | None] = {}
    for round_ in rounds:
        verdicts = {one.question_id: one.reference_id for one in round_.where(Verdict, "question_id", said)}
        references = round_.by_id(Reference, {name for name in verdicts.values() if name})
        rests |= {question: references[name] if name else None for question, name in verdicts.items()}
    now = {name: one.reference if one else "" for name, one in said.items()}
    return {name for name, one in rests.items() if _persons(one) != now[name]}


def _persons(one: Reference | None) -> str:
    """A reference that a person gave; "" of any other, and of none."""
    return one.text if one is not None and one.given_by == "person" else ""


def _texts(documents: Iterable[Document], sources: Collection[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in documents:
        if one.source in sources:
            found.setdefault(one.source, []).append(_folded(one.text))
    return found


def _folded(text: str) -> str:
    return " ".join(text.split())
