"""Does a library support what an answer states, fact by fact?  (methods-more E; "ours")

Facts (fact_splitting.py) are looked up, and an entailment model says of passages whether they entail or
contradict the fact: one search and two batches of pairs for all facts of all answers, the best hits and then
the others of what these do not surely entail.  A passage that contradicts is kept apart from none that says
anything.  Where the model is not sure, and passages that disagree are such a case, a judge decides if there
is one.  It knows nothing of how facts are worded, or of scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from selfstudy import text
from selfstudy.judging.fact_scores import FactCounts
from selfstudy.judging.fact_splitting import AtomicFact, FactList, LongAnswer
from selfstudy.judging.judge import Judge, JudgeQuestion, one_of
from selfstudy.judging.missing import Unscored
from selfstudy.judging.rewards import JUDGE_FAILED
from selfstudy.library.index import Hit
from selfstudy.library.retriever import Retriever, unanswered
from selfstudy.models.base import EntailmentModel, Progress

PASSAGES = 5
"""Per fact (the paper's)."""
_WIDE = 20
"""Passages looked through where only one document's count."""
SURE = 0.8
"""Probability of entailment against contradiction, or the other way round, whichever class a passage has (so
never below .5), from which on no other passage is asked, and no judge.  A guess."""
_PROMPT, _LIMIT = "support", 16

FactVerdict = Literal["supported", "contradicted", "not found"]


@dataclass(frozen=True, slots=True)
class CheckedFact:
    """A fact and what the library says of it.

    Attributes:
        passage: that decided; the best hit where none says anything; None where there is no hit.
        probability: of the class (entailment, contradiction) that the passage has, against the other; None
            where it says neither.
        decided_by: entailment model, judge, or nobody, where no passage was found.
    """

    fact: AtomicFact
    verdict: FactVerdict
    passage: Hit | None
    probability: float | None
    decided_by: Literal["entailment", "judge", "nobody"]


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """The facts of an answer as they were checked, or why they could not be."""

    facts: tuple[CheckedFact, ...] = ()
    error: str | None = None

    @property
    def counts(self) -> FactCounts:
        """How many facts have each verdict."""
        said = [one.verdict for one in self.facts]
        return FactCounts(said.count("supported"), said.count("contradicted"), said.count("not found"))


@dataclass(frozen=True, slots=True)
class _Found:
    """A passage of a fact, and what the entailment model says of both."""

    passage: Hit
    label: str
    probability: float


def check(
    answers: Sequence[LongAnswer],
    lists: Sequence[FactList],
    retriever: Retriever,
    nli: EntailmentModel,
    judge: Judge | None = None,
    progress: Progress | None = None,
) -> list[CheckedAnswer]:
    """Checks every fact of every answer.

    Args:
        lists: the facts of each answer; one with an error is not checked.
        judge: decides where the entailment model is not sure: a class below `SURE`, or passages of both
            classes.  None: the best entailment decides, from .5 on.
        progress: called with numbers of facts.
    """
    facts = [(answer, fact) for answer, one in zip(answers, lists, strict=True) for fact in one.facts]
    passages = _passages(facts, retriever)
    labelled = _labelled(facts, passages, nli)
    checked = [
        _verdict(fact, hits, found) for (_, fact), hits, found in zip(facts, passages, labelled, strict=True)
    ]
    errors = [
        why if found is not None else f"{nli.name} gave NaN or inf"
        for found, why in zip(labelled, _not_looked_up(facts, retriever), strict=True)
    ]
    if judge is not None:
        _ask(checked, labelled, errors, judge)
    if progress is not None:
        progress(len(facts))
    results, at = [], 0
    for one in lists:
        own = slice(at, at + len(one.facts))
        at += len(one.facts)
        error = one.error or next(filter(None, errors[own]), None)
        results.append(CheckedAnswer(error=error) if error else CheckedAnswer(tuple(checked[own])))
    return results


def _passages(facts: Sequence[tuple[LongAnswer, AtomicFact]], retriever: Retriever) -> list[list[Hit]]:
    """The best passages for each fact; of its answer's source alone, if that is named."""
    found: dict[tuple[str, int], list[Hit]] = {}
    wanted = [(_query(answer, fact), _WIDE if answer.source else PASSAGES) for answer, fact in facts]
    for hits in (PASSAGES, _WIDE):
        queries = list(dict.fromkeys(query for query, most in wanted if most == hits))
        if queries:
            found |= {
                (query, hits): own for query, own in zip(queries, retriever.find(queries, hits), strict=True)
            }
    return [
        [hit for hit in found[key] if not answer.source or hit.source == answer.source][:PASSAGES]
        for key, (answer, _) in zip(wanted, facts, strict=True)
    ]


def _not_looked_up(facts: Sequence[tuple[LongAnswer, AtomicFact]], retriever: Retriever) -> list[str | None]:
    """Why each fact could not be looked up: who is asked may not answer, and "not found" is a verdict."""
    said = unanswered(retriever, [_query(answer, fact) for answer, fact in facts])
    return [None if why is None else f"not looked up: {why}" for why in said]


def _query(answer: LongAnswer, fact: AtomicFact) -> str:
    named = not answer.topic or text.contains(fact.text, answer.topic)
    return fact.text if named else f"{answer.topic}. {fact.text}"


def _labelled(
    facts: Sequence[tuple[LongAnswer, AtomicFact]], passages: Sequence[Sequence[Hit]], nli: EntailmentModel
) -> list[list[_Found] | None]:
    """What the model says of each fact's passages; None where it could not say it of one of them.

    Two batches: the best hits, and then all others of the facts that these do not surely entail.
    """
    best = _said(facts, [hits[:1] for hits in passages], nli)
    rest = [() if _is_settled(own) else hits[1:] for own, hits in zip(best, passages, strict=True)]
    return [
        None if own is None or more is None else own + more
        for own, more in zip(best, _said(facts, rest, nli), strict=True)
    ]


def _is_settled(found: Sequence[_Found] | None) -> bool:
    return any(one.label == "entailment" and one.probability >= SURE for one in found or ())


def _said(
    facts: Sequence[tuple[LongAnswer, AtomicFact]], passages: Sequence[Sequence[Hit]], nli: EntailmentModel
) -> list[list[_Found] | None]:
    """What the model says of these passages.

    Classes tell what is neutral, which the two probabilities alone do not; these are asked for the rest.
    """
    pairs = [
        (text.under_title(hit.title, hit.text), fact.text)
        for (_, fact), hits in zip(facts, passages, strict=True)
        for hit in hits
    ]
    labels = nli.classes(pairs) if pairs else []
    which = [i for i, label in enumerate(labels) if label in ("entailment", "contradiction")]
    shares = np.full(len(pairs), np.nan)
    if which:
        rows = nli.probabilities([pairs[i] for i in which])
        for i, row in zip(which, rows, strict=True):
            shares[i] = row[0 if labels[i] == "entailment" else 1]
    found: list[list[_Found] | None] = []
    at = 0
    for hits in passages:
        own = [_Found(hit, labels[at + i], float(shares[at + i])) for i, hit in enumerate(hits)]
        at += len(hits)
        found.append(None if any(not one.label for one in own) else own)
    return found


def _best(found: Sequence[_Found], label: str) -> _Found | None:
    return max((one for one in found if one.label == label), key=lambda one: one.probability, default=None)


def _verdict(fact: AtomicFact, hits: Sequence[Hit], found: Sequence[_Found] | None) -> CheckedFact:
    """By the entailment model: one passage that entails is enough, whatever others say."""
    if not hits or not found:
        return CheckedFact(fact, "not found", None, None, "nobody")
    if best := _best(found, "entailment"):
        return CheckedFact(fact, "supported", best.passage, best.probability, "entailment")
    if best := _best(found, "contradiction"):
        return CheckedFact(fact, "contradicted", best.passage, best.probability, "entailment")
    return CheckedFact(fact, "not found", hits[0], None, "entailment")


def _is_unsure(found: Sequence[_Found] | None) -> bool:
    """Whether a judge decides: passages disagree, or what they say is not sure."""
    if not found:
        return False
    best = [one for label in ("entailment", "contradiction") if (one := _best(found, label))]
    return len(best) > 1 or any(one.probability < SURE for one in best)


def _ask(
    checked: list[CheckedFact],
    labelled: Sequence[Sequence[_Found] | None],
    errors: list[str | None],
    judge: Judge,
) -> None:
    """Lets the judge decide, in one batch, what the entailment model is not sure of; changes both lists.

    It sees the passages that say anything.  "No" leaves a contradiction as it is and makes what was supported
    not found; what it says in no word that can be read changes nothing.
    """
    unsure = [i for i, found in enumerate(labelled) if _is_unsure(found)]
    asked = [
        JudgeQuestion(
            _PROMPT, {"context": _context(labelled[i] or ()), "sentence": checked[i].fact.text}, _LIMIT
        )
        for i in unsure
    ]
    for i, said in zip(unsure, judge.judgements(asked, [one_of("yes", "no")] * len(asked)), strict=True):
        one = checked[i]
        if isinstance(said, Unscored):
            if said.reason.startswith(JUDGE_FAILED):
                errors[i] = said.reason
            continue
        verdict: FactVerdict = "supported"
        if said == "no":
            against = _best(labelled[i] or (), "contradiction") is not None
            verdict = "contradicted" if against else "not found"
        checked[i] = CheckedFact(one.fact, verdict, one.passage, one.probability, "judge")


def _context(found: Sequence[_Found]) -> str:
    said = [one.passage for one in found if one.label in ("entailment", "contradiction")]
    return text.one_line(" ".join(text.under_title(hit.title, hit.text) for hit in said), 6_000)
