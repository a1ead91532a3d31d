"""Facts beyond a run's own questions that the model knew before teaching: which are replayed, which test.

They stand in where the run's own known questions are too few to see forgetting with; they are asked once,
before round 1 teaches (verify/general.py).  Like a run's own known facts they are split by a hash (split.py),
and no round trains on what is held out.  Knows nothing of stages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfstudy.records import KnownFact

if TYPE_CHECKING:
    from selfstudy.run.directory import Run


def known_facts(run: Run) -> list[KnownFact]:
    """Those that the model answered right, in the order in which they were asked."""
    first = next((one for one in run.rounds if one.number == 1), None)
    return [fact for fact in first.iter(KnownFact) if fact.correct] if first else []


def wordings(run: Run) -> list[tuple[str, str]]:
    """(id, question) of all of them."""
    return [(fact.id, fact.question) for fact in known_facts(run)]
