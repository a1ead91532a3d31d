"""What verify asks: gaps in several wordings, questions about facts never trained, reading from a page.

It reads records and the answer key and makes a fixed list; it knows nothing of models.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

from selfstudy import text
from selfstudy.judging.answer_key import AnswerKey
from selfstudy.judging.correctness import Expected
from selfstudy.judging.counterfactual import swapped
from selfstudy.prompts import Prompts, rotated
from selfstudy.recipe import Recipe
from selfstudy.records import (
    GAPS,
    Arm,
    Chat,
    Check,
    Evidence,
    Example,
    KnownFact,
    Pair,
    Question,
    Record,
    Reference,
    Rewording,
    Target,
    Truth,
    Verdict,
    Wording,
)
from selfstudy.run import Round, Run
from selfstudy.run.general import answered_facts
from selfstudy.run.split import (
    Split,
    general_tests,
    kept_apart,
    split_of,
    trained_facts,
    trained_now,
    used_texts,
)

R = TypeVar("R", bound=Record)
FEW = 0.1
"""Of general facts: who answers no larger share of them right has another language or world."""


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """One question to ask of the arms.

    Attributes:
        fact, order: see `records.Check`.
        page: what to read the answer from, for target reading.
        kept: known or general, and kept apart over all rounds.
    """

    question_id: str
    target: Target
    wording: Wording
    asked: str
    expected: Expected
    fact: str = ""
    page: str = ""
    kept: bool = False
    order: int = 0

    def is_for(self, arm: Arm) -> bool:
        """Whether this arm is asked: the model before round 1 only what all rounds have in common."""
        return arm != "original" or self.kept or self.target == "reading"

    @property
    def sampled(self) -> bool:
        """Whether its hallucination score is wanted too: gaps as first asked."""
        return self.target == "gap" and self.wording == "original"

    def chat(self, prompts: Prompts) -> Chat:
        """The prompt: the probe's own, or the one for reading."""
        if self.target == "reading":
            return prompts.chat("read", document=self.page, question=self.asked)
        return rotated(prompts.chat("answer", question=self.asked), self.order)

    def unasked(self, arm: Arm) -> Check:
        """The check before its answer is there: it has the final id."""
        return Check(
            question_id=self.question_id,
            arm=arm,
            target=self.target,
            wording=self.wording,
            asked=self.asked,
            order=self.order,
            answer="",
            expected=self.expected.shown,
            fact=self.fact,
            correct=None,
            judged_by="page" if self.page else "key" if self.expected.answers else "reference",
        )


@dataclass(frozen=True, slots=True)
class _Case:
    """A question with what is known about its truth."""

    question: Question
    verdict: Verdict
    reference: Reference
    truth: Truth | None

    @property
    def expected(self) -> Expected:
        return Expected(self.truth.answers if self.truth else (), self.reference.text)


def plan(round_: Round, prompts: Prompts, key: AnswerKey | None) -> list[PlannedCheck]:
    """The questions of this round, in a fixed order: sampled gaps first, then the rest.

    - gap: verdict unsure, unknown or misbelief, with an accepted reference; not those about a fact that is
      kept apart, which nobody was taught.  Asked as first put, in one trained and one held-out rewording,
      and in one novel wording of the key, where there are any.
    - known: those that round 1 kept apart, as they were then, whatever their verdict is now; and in later
      rounds those of the round that are known, held out, and about facts that no round has trained, or that
      an earlier one has, and this one asks again (`relearn`).
    - general: facts beside these that it was asked before round 1, and that are held out (general.py): all
      of them, whatever it answered, each in `recipe.verify.orders` orders of the prompt's demonstrations, if
      the model is shown any.
    - reading: gaps and known ones, with a page in the prompt in which the answer is another one
      (judging/counterfactual.py), where one can be made of the evidence: without reading it nobody is right.
      Not those whose page teach rehearsed reading with.

    Each target has at most `recipe.verify.max_questions` questions, chosen by the recipe's seed.
    """
    recipe = round_.run.recipe
    split = split_of(round_)
    cases = _cases(round_, key)
    taught = [c for c in cases if c.verdict.kind in GAPS and c.question.id not in split.reserved]
    gaps = _sample(taught, recipe, "gap")
    known = _known(round_, cases, split, key)
    readable = _readable(round_, [*gaps, *known])
    changed = swapped(
        [c.question.text for c, _ in readable],
        [c.expected for c, _ in readable],
        [page for _, page in readable],
    )
    kept = kept_apart(round_.run)

    def check(case: _Case, target: Target, wording: Wording = "original", asked: str = "") -> PlannedCheck:
        name = case.question.id
        asked = asked or case.question.text
        fact = split.facts.get(name, name)
        is_kept = target == "known" and name in kept
        return PlannedCheck(name, target, wording, asked, case.expected, fact, kept=is_kept)

    wordings = _wordings(round_, gaps, recipe.seed)
    return [
        *(check(c, "gap") for c in gaps),
        *(check(c, "gap", wording, asked) for c in gaps for wording, asked in wordings[c.question.id]),
        *(check(c, "known") for c in known),
        *_general(round_, split, prompts),
        *(
            replace(check(c, "reading"), expected=Expected((new.answer,), ""), page=new.page)
            for (c, _), new in zip(readable, changed, strict=True)
            if new is not None
        ),
    ]


@dataclass(frozen=True, slots=True)
class KnownWithPage:
    """A known question that is asked, its accepted answer as a sentence, and the page that has it."""

    question_id: str
    fact: str
    question: str
    answer: str
    page: str


def known_with_pages(round_: Round, key: AnswerKey | None) -> tuple[list[KnownWithPage], list[str]]:
    """The known questions of `plan` whose evidence is there; and all pages that answers were read from."""
    cases, split = _cases(round_, key), split_of(round_)
    known = _known(round_, cases, split, key)
    wanted = {case.reference.evidence_id for case in [*cases, *known]}
    found = {**round_.run.round(1).by_id(Evidence, wanted), **round_.by_id(Evidence, wanted)}
    pages = {name: _page(passage) for name, passage in found.items()}
    asked = [
        KnownWithPage(
            one.question.id,
            split.facts.get(one.question.id, one.question.id),
            one.question.text,
            one.reference.text.strip(),
            pages[one.reference.evidence_id],
        )
        for one in known
        if one.reference.evidence_id in pages
    ]
    return asked, list(pages.values())


def _known(round_: Round, cases: Sequence[_Case], split: Split, key: AnswerKey | None) -> list[_Case]:
    """Known questions to ask: first those kept apart over all rounds, then those of this round."""
    facts, trained = trained_facts(round_)
    kept = kept_apart(round_.run)
    first = cases if round_.number == 1 else _cases(round_.run.round(1), key)
    always = [c for c in first if c.question.id in kept and facts[c.question.id] not in trained]
    always = _sample(always, round_.run.recipe, "known")
    now, tested = trained_now(round_, facts), split.tested - kept
    fresh = [
        c
        for c in cases
        if (c.question.id in tested and facts[c.question.id] not in trained)
        or (c.question.id in split.again and facts[c.question.id] not in now)
    ]
    return always + _sample(fresh, round_.run.recipe, "known", taken=len(always))


def _general(round_: Round, split: Split, prompts: Prompts) -> list[PlannedCheck]:
    """General facts that no round has trained, order by order."""
    some = general_questions(round_.run)
    if not some:
        return []
    trained = trained_facts(round_)[1]
    some = [fact for fact in some if split.facts[fact.id] not in trained]
    some = some[: round_.run.recipe.verify.max_questions]
    first = [
        PlannedCheck(
            f.id, "general", "original", f.question, Expected(f.answers, ""), split.facts[f.id], kept=True
        )
        for f in some
    ]
    count = orders(round_.run.recipe, prompts, shown=_shows_demonstrations(round_))
    return [replace(one, order=order) for order in range(count) for one in first]


def orders(recipe: Recipe, prompts: Prompts, *, shown: bool) -> int:
    """In how many orders general questions are asked of a model that is, or is not, shown demonstrations."""
    there = len(prompts.demonstrations("answer")) // 2
    return max(1, min(recipe.verify.orders, there)) if shown else 1


def _shows_demonstrations(round_: Round) -> bool:
    """Who was taught with demonstrations is shown them (imported lessons have none)."""
    taught = chain((e.prompt for e in round_.iter(Example)), (p.prompt for p in round_.iter(Pair)))
    return any(turn.demonstration for prompt in taught for turn in prompt)


def general_questions(run: Run) -> list[KnownFact]:
    """The general facts that test: those held out; of the built-in ones none, if it knows next to none."""
    tests = general_tests(run)
    some = [fact for fact in answered_facts(run) if fact.id in tests]
    hopeless = sum(bool(fact.correct) for fact in some) <= FEW * len(some)
    return [] if hopeless and run.recipe.verify.known_questions is None else some


def _readable(round_: Round, cases: Sequence[_Case]) -> list[tuple[_Case, str]]:
    """The cases whose evidence is there, with its text; at most as many as the recipe asks for.

    Without those of pages that any round has rehearsed reading with, for whatever question.
    """
    wanted = {c.reference.evidence_id for c in cases}
    first = round_.run.round(1)
    found = {**first.by_id(Evidence, wanted), **round_.by_id(Evidence, wanted)}
    rehearsed = _rehearsed(round_)
    pages = {name: _page(passage) for name, passage in found.items() if _page(passage) not in rehearsed}
    some = [c for c in cases if c.reference.evidence_id in pages]
    return [(c, pages[c.reference.evidence_id]) for c in _sample(some, round_.run.recipe, "reading")]


def _rehearsed(round_: Round) -> set[str]:
    """The pages that this and earlier rounds rehearsed reading with; two questions may have one."""
    pages: set[str] = set()
    for one in round_.run.rounds:
        names = {e.question_id for e in one.iter(Example) if e.kind == "swapped"}
        if names and one.number <= round_.number:
            read = {v.reference_id for v in one.iter(Verdict) if v.question_id in names}
            used = {r.evidence_id for r in one.by_id(Reference, read).values()}
            pages |= {_page(passage) for passage in one.by_id(Evidence, used).values()}
    return pages


def _page(passage: Evidence) -> str:
    """What a prompt shows of it."""
    return text.under_title(passage.title, passage.text)


def _cases(round_: Round, key: AnswerKey | None) -> list[_Case]:
    """Every question whose verdict rests on an accepted reference, in the order of the verdicts."""
    verdicts = [v for v in round_.iter(Verdict) if v.reference_id and v.kind != "unverifiable"]
    references = round_.by_id(Reference, {v.reference_id for v in verdicts})
    questions = round_.by_id(Question, {v.question_id for v in verdicts})
    found = []
    for verdict in verdicts:
        reference = references.get(verdict.reference_id or "")
        question = questions.get(verdict.question_id)
        if question is not None and reference is not None and reference.accepted:
            truth = key.lookup(question.text) if key else None
            found.append(_Case(question, verdict, reference, truth))
    return found


def _sample(cases: Sequence[_Case], recipe: Recipe, target: Target, taken: int = 0) -> list[_Case]:
    """At most `max_questions` of the cases, `taken` ones included, in their order."""
    limit = max(0, recipe.verify.max_questions - taken)
    if len(cases) <= limit:
        return list(cases)
    chosen = random.Random(f"{recipe.seed}:verify:{target}").sample(range(len(cases)), limit)
    return [cases[i] for i in sorted(chosen)]


def _wordings(round_: Round, gaps: Sequence[_Case], seed: int) -> dict[str, list[tuple[Wording, str]]]:
    """For each gap one trained, one held-out and one novel wording, where there are any.

    A held-out or novel wording that some question has, or that was trained on, in this round or before,
    possibly for another question about the same fact, would be no test and is left out.
    """
    options: dict[str, dict[Wording, list[str]]] = {
        c.question.id: {"trained": [], "reworded": [], "novel": list(c.truth.novel) if c.truth else []}
        for c in gaps
    }
    trained = used_texts(one for one in round_.run.rounds if one.number <= round_.number)
    for rewording in round_.iter(Rewording):
        kind: Wording = "trained" if rewording.use == "train" else "reworded"
        if rewording.question_id in options:
            options[rewording.question_id][kind].append(rewording.text)
    chosen: dict[str, list[tuple[Wording, str]]] = {}
    for name, by_wording in options.items():
        chosen[name] = []
        for wording, texts in by_wording.items():
            fresh = [t for t in texts if wording == "trained" or text.normalise(t) not in trained]
            if fresh:
                rng = random.Random(f"{seed}:verify:{wording}:{name}")
                chosen[name].append((wording, rng.choice(fresh)))
    return chosen
