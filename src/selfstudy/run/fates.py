"""Which adapters of a run hold a question, and what became of each: it stands, was refused, or was forgotten.

Reads folders, what lies beside their weights, and tombstones; loads no model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from selfstudy.models import lora, taught
from selfstudy.records import Failure
from selfstudy.run import curriculum, forgotten, standing
from selfstudy.run.directory import Round, Run
from selfstudy.run.forgotten import Tombstone
from selfstudy.run.standing import Decision

LARGEST_HASHED = 2**29
"""Bytes of an adapter of which the hash is taken here: of more it takes too long for a question."""

State = Literal["stands", "built on", "replaced", "rejected", "undecided", "failed", "forgotten", "gone"]


class AdapterFate(BaseModel):
    """An adapter that a round trained.

    Attributes:
        name: `group-HASH`, or of a round that trains one `round-N-HASH`, by its weights.
        folder: inside the run directory; "" if it is not there any more.
        held: whether it was taught the question, or shown it to keep it.
        promoted: whether the gate promoted what its round had trained.
        state: stands: what answers now has it.  built on: it was promoted, and what stands was trained on
            from it.  replaced: what was promoted later is without it.  rejected: by the gate.  undecided:
            verify has not said yet.  failed: its training is of no use.  forgotten: somebody asked for it
            (`selfstudy unlearn`).  gone: its folder is missing, and nothing says why.
        why: the gate's reasons, what failed, or the pattern that was forgotten.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    round: int
    folder: str
    held: Literal["taught", "replayed"] = "taught"
    promoted: bool = False
    state: State
    why: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What became of it, in words."""
        return {
            "stands": "promoted, and stands",
            "built on": "promoted; what stands was trained on from it",
            "replaced": "promoted; what was promoted later is without it",
            "rejected": "rejected",
            "undecided": "not decided yet",
            "failed": "its training failed",
            "forgotten": "forgotten on request",
            "gone": "its folder is not there any more",
        }[self.state]


@dataclass(frozen=True)
class _Own:
    """An adapter that a round trained; `questions` is None where an older version did not write them down."""

    fate: AdapterFate
    group: str = ""
    questions: frozenset[str] | None = None
    replayed: frozenset[str] = frozenset()

    def holds(self, question: str, groups: Collection[str], *, held: bool) -> AdapterFate | None:
        if self.questions is None:
            return self.fate if held else None
        if question in self.questions:
            return self.fate
        if question in self.replayed:
            return self.fate.model_copy(update={"held": "replayed"})
        return self.fate if held and self.group in groups else None


class Fates:
    """What became of the adapters of a run.

    Args:
        run: any, also one that is open for reading.

    Attributes:
        router: the folder of what stands, if a router picks one of its adapters.
        tombstones: of the run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.tombstones = forgotten.tombstones(run)
        last = standing.promoted_last(run)
        place = standing.decided(last) if last is not None else None
        self.router = place if place is not None and taught.is_routed(place) else None
        self._last = last.number if last is not None else 0
        self._standing = set(taught.adapters_of(self.router)) if self.router is not None else set()
        self._trained: dict[int, list[_Own]] = {}

    def of(self, round_: Round, question: str, groups: Collection[str], *, held: bool) -> list[AdapterFate]:
        """Those of a round that hold a question.

        Args:
            groups: of adapters in which it was trained, by the round's records ("": the only one).
            held: whether the round trained it at all.
        """
        own = self._of_round(round_)
        found = [fate for one in own if (fate := one.holds(question, groups, held=held)) is not None]
        if held and not found:
            here = {one.group for one in own}
            wanted = sorted(groups) or [""]
            return [self._missing(round_, group) for group in wanted if group not in here]
        return found

    def holding(self, round_: Round, questions: Collection[str]) -> Iterator[tuple[AdapterFate, int]]:
        """Those of a round that say they were taught some of these questions, and how many."""
        for one in self._of_round(round_):
            if count := sum(name in questions for name in one.questions or ()):
                yield one.fate, count

    def forgotten(self, question: str) -> list[Tombstone]:
        """The requests by which a question was forgotten."""
        return [stone for stone in self.tombstones if question in stone.questions]

    def _of_round(self, round_: Round) -> list[_Own]:
        """Those that the round itself trained."""
        if round_.number not in self._trained:
            self._trained[round_.number] = list(self._read(round_))
        return self._trained[round_.number]

    def _read(self, round_: Round) -> Iterator[_Own]:
        folder = round_.adapter()
        if not taught.is_complete(folder):
            return
        gate, failed = standing.decision(round_), _failed(round_)
        places = taught.adapters_of(folder) if taught.is_routed(folder) else {"": folder}
        for name, place in places.items():
            known = curriculum.read(place)
            if known is not None and known.round != round_.number:  # one of before, which stands beside it
                continue
            fate = self._fate(round_, name or _named(round_, place), place, gate)
            if not name and (why := failed.get("")):
                fate = fate.model_copy(update={"state": "failed", "why": (why,)})
            if known is None:
                yield _Own(fate)
            else:
                yield _Own(fate, known.group, frozenset(known.questions), frozenset(known.replayed))

    def _fate(self, round_: Round, name: str, place: Path, gate: Decision | None) -> AdapterFate:
        named = {name, f"round-{round_.number}"} if place == round_.adapter() else {name}
        # forgetting takes the folder away: one that is there though it is finished was trained anew
        open_ = [stone for stone in self.tombstones if not stone.finished]
        why = tuple(stone.pattern for stone in open_ if named & {*stone.adapters, *stone.retrained})
        state: State = "forgotten"
        if not why and gate is None:
            state = "undecided"
        elif not why and gate is not None and not gate.promoted:
            state, why = "rejected", gate.reasons
        elif not why and self.router is not None:
            state = "stands" if name in self._standing else "replaced"
        elif not why:
            state = "stands" if self._last == round_.number else "built on"
        return AdapterFate(
            name=name,
            round=round_.number,
            folder=place.relative_to(self._run.path).as_posix(),
            promoted=gate is not None and gate.promoted,
            state=state,
            why=why,
        )

    def _missing(self, round_: Round, group: str) -> AdapterFate:
        """One that was trained, by the records, and is not there."""
        gate = standing.decision(round_)
        plain = f"round-{round_.number}"
        stones = [
            (name, stone.pattern)
            for stone in self.tombstones
            for name in stone.adapters
            if (name.rpartition("-")[0] == group if group else name == plain)
        ]
        failed = _failed(round_).get(group)
        why = [pattern for _, pattern in stones] or [one for one in (failed,) if one]
        return AdapterFate(
            name=stones[0][0] if stones else group or plain,
            round=round_.number,
            folder="",
            promoted=gate is not None and gate.promoted,
            state="forgotten" if stones else "failed" if failed else "gone",
            why=tuple(why),
        )


def _failed(round_: Round) -> dict[str, str]:
    """Why trainings of a round are of no use, by group ("": the only one)."""
    failures = (one for one in round_.iter(Failure) if one.stage == "teach")
    told = ((one.item_id.partition("/"), one.message) for one in failures)
    return {group: message for (arm, _, group), message in told if arm == "taught"}


def _named(round_: Round, folder: Path) -> str:
    """A name with the hash of its weights, if that takes no long time."""
    weights, name = folder / lora.WEIGHTS, f"round-{round_.number}"
    if not weights.is_file() or weights.stat().st_size > LARGEST_HASHED:
        return name
    return taught.adapter_name(name, folder)
