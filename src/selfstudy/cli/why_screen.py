"""How the trail of a question, or of a source, reads in a terminal: long texts are cut, --json has all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from selfstudy.screen import console, printable
from selfstudy.show.words import ARMS, RIGHT
from selfstudy.text import one_line

if TYPE_CHECKING:
    from selfstudy.records import Check, Correction, Evidence, Example, Pair, TrainedItem
    from selfstudy.run.fates import AdapterFate
    from selfstudy.run.forgotten import Tombstone
    from selfstudy.verbs.routed_now import RoutedNow
    from selfstudy.verbs.why import Lineage, Trail
    from selfstudy.verbs.why_source import Rests, SourceLineage, Span

_LONGEST = 240
"""Characters of a quoted text."""
_MOST_LINES = 8
"""Of one kind in a round: more are counted."""
_LABEL = 11

_Lines = Iterator[tuple[str, str]]


def print_lineage(lineage: Lineage) -> None:
    """The trail of one question, round by round."""
    from rich.text import Text

    screen = console()
    screen.width = max(screen.width, 60)
    heading = lineage.text or f"question {lineage.question_id}, whose text was forgotten"
    screen.print(Text(printable(one_line(heading, 1_000)), "bold"))
    if lineage.nearness < 1:
        screen.print(Text(f"the nearest to what was asked ({lineage.nearness:.2f})", "dim"))
    _print(screen, ((said, why) for said, why in _forgotten(lineage.forgotten)))
    _print(screen, _people(lineage.corrections))
    for trail in lineage.rounds:
        screen.print(Text(f"\nround {trail.round}", "bold"))
        _print(screen, round_lines(trail))
    if lineage.routed is not None:
        screen.print(Text("\nnow", "bold"))
        _print(screen, [("router", routed_said(lineage.routed))])
    if not lineage.rounds and not lineage.forgotten:
        screen.print(Text("the run has no record of it", "dim"))


def _people(said: Sequence[Correction]) -> _Lines:
    for one in said[-_MOST_LINES:]:
        parts = [f"the model's answer is {one.label}" if one.label and one.label != "cannot tell" else ""]
        parts += ["cannot tell whether the model's answer is right" if one.label == "cannot tell" else ""]
        parts += [f"the answer is {quoted(one.reference)}" if one.reference else ""]
        parts += [f"the {one.withdraws} given before is withdrawn" if one.withdraws else ""]
        parts += [f"note: {quoted(one.note)}" if one.note else ""]
        yield "people", f"{one_line(one.by, 100) or 'somebody'}: {'; '.join(filter(None, parts))}"


def _print(screen: object, lines: Iterable[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=_LABEL, style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for label, said in lines:
        table.add_row(Text("" if label == before else label), Text(printable(said)))
        before = label or before
    if table.row_count:
        screen.print(table)  # type: ignore[attr-defined]


def round_lines(trail: Trail) -> _Lines:
    """What one round did with a question, in order: what each line is about, and what it says."""
    yield from _asked(trail)
    yield from _gathered(trail)
    yield from _taught(trail)
    yield from _limited([("adapter", fate_said(one)) for one in trail.adapters])
    yield from _limited(list(_checked(trail.checks)))
    for refusal in trail.refusals:
        did = {True: "refused", False: "answered", None: "no answer"}[refusal.refused]
        yield "refusing", f"{ARMS[refusal.arm]}: {did} (no evidence): {quoted(refusal.answer)}"
    for failure in trail.failures:
        yield "failed", f"{failure.stage}: {one_line(failure.message, _LONGEST)}"


def _asked(trail: Trail) -> _Lines:
    if trail.due is not None:
        why = {"scheduled": "it was due", "changed": "its source changed, or a person corrected it"}[
            trail.due.why
        ]
        yield "asked again", f"{why}; asked before in round {trail.due.asked}"
    if trail.question is not None:
        of: list[str] = [trail.question.method]
        of += [f"topic {trail.question.topic}"] if trail.question.topic else []
        if trail.question.document_id:
            sources = {one.document_id: one.source for one in trail.evidence}
            source = sources.get(trail.question.document_id, "")
            of.append(f"from document {trail.question.document_id}" + (f" ({source})" if source else ""))
        of += [f"after {one.tried} tries" for one in trail.proposals[:1] if one.tried > 1]
        yield "proposed", one_line(", ".join(of), _LONGEST)
    if (answer := trail.answer) is not None:
        usable = sum(one.error is None for one in answer.samples)
        scores = [f"{one.scorer} {_number(one.value)}" for one in trail.scores]
        said = ", ".join([f"{usable} samples", *scores])
        yield "answered", f"{quoted(answer.passage.text or answer.passage.error or '')} ({said})"


def _gathered(trail: Trail) -> _Lines:
    numbers = {one.id: number for number, one in enumerate(trail.evidence, 1)}
    read = {one.evidence_id for one in trail.references}
    chosen = [one for one in trail.evidence if one.id in read] or list(trail.evidence[:1])
    for one in chosen:
        yield "evidence", f"{numbers[one.id]}. {place_of(one)}"
        yield "", quoted(one.text)
    if len(trail.evidence) > len(chosen):
        yield "", f"and {len(trail.evidence) - len(chosen):,} other passages"
    if (conflict := trail.conflict) is not None:
        yield "conflict", f"{conflict.decided}: {one_line(conflict.reason, _LONGEST)}"
        for saying in conflict.sayings[:_MOST_LINES]:
            mark = "believed" if saying.side == conflict.chosen else "not believed"
            yield "", f"{quoted(saying.answer)} {saying.source} {saying.date} ({mark})"
    for reference in trail.references:
        number = numbers.get(reference.evidence_id)
        where = f"read in {number}" if number else "given by the teacher"
        where = "given by a person" if reference.given_by == "person" else where
        state = "accepted" if reference.accepted else f"not accepted: {reference.explanation}"
        yield "reference", one_line(f"{quoted(reference.error or reference.text)} {where}, {state}", 500)
    if (verdict := trail.verdict) is not None:
        yield "verdict", " ".join(filter(None, [verdict.kind, _parts(verdict), verdict.reason]))
    uses = [one.use for one in trail.rewordings]
    if uses:
        yield "wordings", f"{uses.count('train')} trained, {uses.count('heldout')} held out"


def _parts(verdict: object) -> str:
    values = {
        "score": getattr(verdict, "score", None),
        "contradiction": getattr(verdict, "contradiction", None),
    }
    said = ", ".join(f"{name} {value:.2f}" for name, value in values.items() if value is not None)
    return f"({said})" if said else ""


def place_of(one: Evidence) -> str:
    """Where a passage stands: its source, its characters, and when that was so."""
    times = [one.date and f"of {one.date}", one.fetched and f"fetched {one.fetched}"]
    known = [*filter(None, times), *([f"sha256 {one.sha256[:12]}"] if one.sha256 else [])]
    said = ", ".join([f"{one.source}, characters {one.start}:{one.end}", *known])
    return one_line(said, 2 * _LONGEST)


def _taught(trail: Trail) -> _Lines:
    steps: dict[str, list[TrainedItem]] = {}
    for one in trail.trained:
        if one.arm == "taught":
            steps.setdefault(one.item_id, []).append(one)
    lines = [("taught", f"{_example(one)}{_steps(steps.pop(one.id, []))}") for one in trail.examples]
    lines += [
        ("taught", f"{_pair(one)}{_steps(steps.pop(one.id, []))}")
        for one in trail.pairs
        if one.origin != "random"
    ]
    lines += [
        ("practised", f"{quoted(one.question)}{_steps(steps.pop(one.id, []))}") for one in trail.practised
    ]
    lines += [("taught", f"what is kept nowhere{_steps(rest)}") for rest in steps.values()]
    yield from _limited(lines)


def _example(one: Example) -> str:
    asked = one_line(one.prompt[-1].content, 80) if one.prompt else ""
    return f"{one.kind}: {quoted(asked)} -> {quoted(one.completion)}"


def _pair(one: Pair) -> str:
    weight = f", weight {one.weight:g}" if one.weight != 1 else ""
    return f"pair: {quoted(one.chosen)} rather than {quoted(one.rejected)} ({one.origin}{weight})"


def _steps(items: Sequence[TrainedItem]) -> str:
    if not items:
        return "; its steps are not written down"
    return "".join(f"; {one.told}" for one in items)


def fate_said(one: AdapterFate) -> str:
    """An adapter, and what became of it."""
    why = f": {one_line(' '.join(one.why), _LONGEST)}" if one.why else ""
    kept = ", to keep it" if one.held == "replayed" else ""
    return f"{one.name}{f' in {one.folder}' if one.folder else ''}{kept}: {one.told}{why}"


def routed_said(one: RoutedNow) -> str:
    """Who answers now, by the router."""
    if one.skipped:
        return one.skipped
    who = one.adapter or "the base model"
    how = ", by what it has of it stored" if one.by == "stored" else ""
    return f"{who} (similarity {one.score:.2f}, the base model's {one.base:.2f}{how})"


def _checked(checks: Sequence[Check]) -> _Lines:
    """Each wording once, with what each model answered to it."""
    asked: dict[tuple[str, str, str], list[Check]] = {}
    for one in checks:
        asked.setdefault((one.target, one.wording, one.asked), []).append(one)
    for (target, wording, text), arms in asked.items():
        reading = "reading, " if target == "reading" else ""
        said = "; ".join(
            f"{ARMS[one.arm]} {RIGHT[one.correct]} {quoted(one.error or one.answer, 80)}"
            for one in sorted(arms, key=lambda one: list(ARMS).index(one.arm))
        )
        yield "verify", f"{reading}{wording}: {quoted(text, 120)} {said}"


def _forgotten(stones: Sequence[Tombstone]) -> _Lines:
    for stone in stones:
        state = "" if stone.finished else " (not finished: give the same command again)"
        yield "forgotten", f"on request: {one_line(stone.pattern, _LONGEST)}{state}"
        if stone.adapters:
            yield "", one_line(f"dropped: {', '.join(stone.adapters)}", _LONGEST)
        if stone.retrained:
            yield "", one_line(f"trained again without it: {', '.join(stone.retrained)}", _LONGEST)


def _limited(lines: Sequence[tuple[str, str]]) -> _Lines:
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield "", f"and {len(lines) - _MOST_LINES:,} more (--json)"


def quoted(text: str, most: int = _LONGEST) -> str:
    """A text in one line and in quotes."""
    return f'"{one_line(text, most)}"'


def _number(value: float | None) -> str:
    return "failed" if value is None else f"{value:.2f}"


def print_source(found: SourceLineage) -> None:
    """What rests on a source: totals, adapters, questions."""
    from rich.text import Text

    screen = console()
    screen.width = max(screen.width, 60)
    screen.print(Text(printable(f"what rests on {one_line(found.pattern, _LONGEST)}"), "bold"))
    _print(screen, source_lines(found))


def source_lines(found: SourceLineage) -> _Lines:
    """The totals first; then, shortened, what they are of."""
    yield from _forgotten(found.forgotten)
    yield "in all", ", ".join(f"{name} {count:,}" for name, count in found.totals.items() if count)
    yield from _limited([("source", one_line(source, _LONGEST)) for source in found.sources])
    yield from _limited(
        [
            ("adapter", f"{one.questions:,} of its questions: {fate_said(one.adapter)}")
            for one in found.adapters
        ]
    )
    passages = sorted(found.spans, key=lambda one: -one.read_for)
    yield from _limited([("passage", _passage(one)) for one in passages])
    yield from _limited([("question", _rests(one)) for one in found.questions])


def _passage(one: Span) -> str:
    used = f"references read in it: {one.read_for:,}"
    where = f"{one.source}, characters {one.start}:{one.end}"
    return f"{one_line(where, _LONGEST)}: found for {one.found_for:,}; {used}"


def _rests(one: Rests) -> str:
    trained = [f"{len(one.examples)} examples"] * bool(one.examples) + [f"{len(one.pairs)} pairs"] * bool(
        one.pairs
    )
    trained += [f"{one.steps:,} steps"] * bool(one.steps)
    asked = [f"{ARMS.get(arm, arm)} {right} of {count} right" for arm, (right, count) in one.checks.items()]
    said = ", ".join([one.verdict or "no verdict", *trained, *asked])
    return f"{quoted(one.text or one.question_id, 120)} round {one.round}: {said}"
