"""Which adapters of a run hold a question, and what became of each: it stands, was refused, or was forgotten.

Reads folders, what lies beside their weights, and tombstones; loads no model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from selfstudy.models import lora, taught
from selfstudy.run import Round, Run, curriculum, forgotten, standing
from selfstudy.run.curriculum import Curriculum
from selfstudy.run.forgotten import Tombstone

LARGEST_HASHED = 2**29
"""Bytes of an adapter of which the hash is taken here: of more it takes too long for a question."""

State = Literal["stands", "built on", "replaced", "rejected", "undecided", "forgotten", "gone"]


class AdapterFate(BaseModel):
    """An adapter that a round trained.

    Attributes:
        name: `group-HASH`, or of a round that trains one `round-N-HASH`, by its weights.
        folder: inside the run directory; "" if it is not there any more.
        held: whether it was taught the question, or shown it to keep it.
        promoted: whether the gate promoted what its round had trained.
        state: stands: what answers now has it.  built on: it was promoted, and what stands was trained on
            from it.  replaced: what was promoted later is without it.  rejected: by the gate.  undecided:
            verify has not said yet.  forgotten: somebody asked for it (`selfstudy unlearn`).  gone: its
            folder is missing, and nothing says why.
        why: the gate's reasons, or the pattern that was forgotten.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    round: int
    folder: str
    held: Literal["taught", "replayed"] = "taught"
    promoted: bool = False
    state: State
    why: tuple[str, ...] = ()


class Fates:
    """What became of the adapters of a run.

    Args:
        run: any, also one that is open for reading.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.tombstones = forgotten.tombstones(run)
        self._last = standing.promoted_last(run)
        place = standing.decided(self._last) if self._last is not None else None
        self.router = place if place is not None and taught.is_routed(place) else None
        self._standing = set(taught.adapters_of(self.router)) if self.router is not None else set()
        self._names: dict[Path, str] = {}
        self._held: dict[int, list[tuple[str, Path, Curriculum | None]]] = {}

    def of(self, round_: Round, question: str, groups: Collection[str], *, held: bool) -> list[AdapterFate]:
        """Those of a round that hold a question.

        Args:
            groups: of adapters that the round's records say it was trained in ("": the only one).
            held: whether the round trained it at all.
        """
        found = [
            self._fate(round_, name, place, "taught" if name_taught else "replayed")
            for name, place, known in self._adapters(round_)
            if (name_taught := _is_taught(known, question, groups, held=held)) is not None
        ]
        here = {known.group if known else "" for _, _, known in self._adapters(round_)}
        if held and not found:
            found += [self._missing(round_, group) for group in (sorted(groups) or [""]) if group not in here]
        return found

    def holding(self, round_: Round, questions: Collection[str]) -> Iterator[tuple[AdapterFate, int]]:
        """Those of a round that say they were taught some of these questions, and how many."""
        for name, place, known in self._adapters(round_):
            if known is not None and (count := sum(one in questions for one in known.questions)):
                yield self._fate(round_, name, place, "taught"), count

    def forgotten(self, question: str) -> list[Tombstone]:
        """The requests by which a question was forgotten."""
        return [stone for stone in self.tombstones if question in stone.questions]

    def _adapters(self, round_: Round) -> list[tuple[str, Path, Curriculum | None]]:
        """Those that the round itself trained, with what they were taught."""
        if round_.number not in self._held:
            self._held[round_.number] = list(self._trained(round_))
        return self._held[round_.number]

    def _trained(self, round_: Round) -> Iterator[tuple[str, Path, Curriculum | None]]:
        folder = round_.adapter()
        if not taught.is_complete(folder):
            return
        if not taught.is_routed(folder):
            yield self._named(round_, folder), folder, curriculum.read(folder)
            return
        for name, place in taught.adapters_of(folder).items():
            known = curriculum.read(place)
            if known is None or known.round == round_.number:
                yield name, place, known

    def _named(self, round_: Round, folder: Path) -> str:
        """A name with the hash of its weights, if that takes no long time."""
        weights, name = folder / lora.WEIGHTS, f"round-{round_.number}"
        if not weights.is_file() or weights.stat().st_size > LARGEST_HASHED:
            return name
        if folder not in self._names:
            self._names[folder] = taught.adapter_name(name, folder)
        return self._names[folder]

    def _fate(
        self, round_: Round, name: str, place: Path, held: Literal["taught", "replayed"]
    ) -> AdapterFate:
        gate = standing.decision(round_)
        state, why = self._state(round_, name)
        return AdapterFate(
            name=name,
            round=round_.number,
            folder=place.relative_to(self._run.path).as_posix(),
            held=held,
            promoted=gate is not None and gate.promoted,
            state=state,
            why=why,
        )

    def _state(self, round_: Round, name: str) -> tuple[State, tuple[str, ...]]:
        gate = standing.decision(round_)
        if stones := self._dropped(round_, name):
            return "forgotten", stones
        if gate is None:
            return "undecided", ()
        if not gate.promoted:
            return "rejected", gate.reasons
        if self.router is not None:
            return ("stands" if name in self._standing else "replaced"), ()
        is_last = self._last is not None and self._last.number == round_.number
        return ("stands" if is_last else "built on"), ()

    def _dropped(self, round_: Round, name: str) -> tuple[str, ...]:
        plain = f"round-{round_.number}"
        named = {name, plain} if name.startswith(f"{plain}-") else {name}
        return tuple(stone.pattern for stone in self.tombstones if named & set(stone.adapters))

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
        return AdapterFate(
            name=stones[0][0] if stones else group or plain,
            round=round_.number,
            folder="",
            promoted=gate is not None and gate.promoted,
            state="forgotten" if stones else "gone",
            why=tuple(pattern for _, pattern in stones),
        )


def _is_taught(
    known: Curriculum | None, question: str, groups: Collection[str], *, held: bool
) -> bool | None:
    """Whether an adapter was taught a question, or (False) shown it to keep it; None: neither."""
    if known is None:  # of an older version, which trained one a round
        return True if held else None
    if question in known.questions:
        return True
    if question in known.replayed:
        return False
    return True if held and known.group in groups else None
