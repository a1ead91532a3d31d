"""Facts beyond a run's own questions that the model was asked before teaching: some are replayed, some test.

They stand in where the run's own known questions are too few to see forgetting with; they are asked once,
before round 1 teaches (verify/general.py).  Like a run's own known facts they are split by a hash (split.py),
and no round trains on what is held out.  Knows nothing of stages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfstudy.records import KnownFact

if TYPE_CHECKING:
    from selfstudy.run.directory import Run


def answered_facts(run: Run) -> list[KnownFact]:
    """Those that the model answered, right or wrong, in the order in which they were asked."""
    first = next((one for one in run.rounds if one.number == 1), None)
    return [fact for fact in first.iter(KnownFact) if fact.correct is not None] if first else []


def known_facts(run: Run) -> list[KnownFact]:
    """Those of them that it answered right."""
    return [fact for fact in answered_facts(run) if fact.correct]


def wordings(run: Run) -> list[tuple[str, str]]:
    """(id, question) of all that it answered."""
    return [(fact.id, fact.question) for fact in answered_facts(run)]
