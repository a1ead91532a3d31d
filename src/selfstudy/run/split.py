"""What teach may use and what verify keeps for itself, in this round and over all of them.

A hash decides, so both agree unasked.  What is split are facts (`run.facts`), never single questions: a
fact is wholly trained or wholly kept.  Whatever any round trained on is no test of forgetting later, and the
known questions that round 1 kept are kept over all rounds, so that all rounds are measured by the same ones.
Knows nothing of stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from selfstudy.duplicates import Groups
from selfstudy.recipe import CitingBlock, Recipe
from selfstudy.records import (
    GAPS,
    Due,
    Example,
    Pair,
    Practised,
    Question,
    Reference,
    Rewording,
    Verdict,
    digest,
)
from selfstudy.run.facts import facts_of
from selfstudy.run.general import answered_facts, wordings
from selfstudy.text import folded, normalise, tokens

if TYPE_CHECKING:
    from selfstudy.run.directory import Round, Run


@dataclass(frozen=True, slots=True)
class Split:
    """Which questions of a round are for what, by id.

    Attributes:
        facts: question -> name of its fact, for all questions up to this round.
        held_out: never replayed, if the model knows them (`held_out_ids`).
        tested: known ones that verify may ask: held out, and their fact is neither a gap of this round nor
            was it trained before.
        reserved: about a fact that is kept apart since round 1: never trained, whatever their verdict is now.
        again: known ones that this round asks again, held out of it, of a fact that an earlier round trained
            and this one has no gap of: they show whether what was taught is forgotten.
        unsure: not compared with all questions that may be about the same fact (`facts.group`).
        refusable: without evidence, and nothing of its fact is known or a gap, so that it may be taught to be
            refused; none, unless the recipe wants that.
        unanswerable: the same, but held out, and of a fact that was never trained: it tests refusing.
    """

    facts: Mapping[str, str]
    held_out: frozenset[str]
    tested: frozenset[str]
    reserved: frozenset[str]
    unsure: frozenset[str] = frozenset()
    again: frozenset[str] = frozenset()
    refusable: frozenset[str] = frozenset()
    unanswerable: frozenset[str] = frozenset()


def split_of(round_: Round) -> Split:
    """The split of a round that has its verdicts; the same before, during and after teaching."""
    run = round_.run
    rounds = [one for one in run.rounds if one.number <= round_.number]
    earlier = rounds[:-1]
    lessons = [*(one for part in earlier for one in _trained(part)), *_imported(round_)]
    unsure: set[str] = set()
    facts = facts_of(rounds, [*lessons, *wordings(run)], unsure)
    questions = round_.read(Question)
    never_replayed = held_out_ids(questions, run.recipe, facts)
    verdicts = {verdict.question_id: verdict.kind for verdict in round_.iter(Verdict)}
    gaps = {facts[name] for name, kind in verdicts.items() if kind in GAPS and name in facts}
    imported = {facts[name] for name, _ in _imported(round_)}
    trained = {facts[name] for name, _ in lessons}
    always = kept_apart(run) | general_tests(run) if earlier else frozenset()
    kept = {facts[name] for name in always if name in facts}
    spoilt, forgettable = gaps | trained | kept, trained - gaps - imported - kept
    answerable = {facts[name] for name, kind in verdicts.items() if kind != "unverifiable" and name in facts}
    without = {name: facts[name] for name in _without_evidence(round_) if name in facts}
    not_without = answerable | kept
    without = {name: fact for name, fact in without.items() if fact not in not_without}
    share = run.recipe.teach.refusals.heldout
    alone = {name for name, fact in without.items() if held_out(fact, run.recipe.seed, share)}
    return Split(
        facts=facts,
        held_out=never_replayed,
        tested=frozenset(
            name
            for name, kind in verdicts.items()
            if kind == "known" and name in never_replayed and facts[name] not in spoilt
        ),
        reserved=frozenset(question.id for question in questions if facts[question.id] in kept),
        unsure=frozenset(unsure),
        again=frozenset(
            one.question_id
            for one in round_.iter(Due)
            if verdicts.get(one.question_id) == "known"
            and one.question_id in never_replayed
            and facts[one.question_id] in forgettable
        ),
        refusable=frozenset(without.keys() - alone),
        unanswerable=frozenset(name for name in alone if without[name] not in trained),
    )


def _without_evidence(round_: Round) -> list[str]:
    """Questions that may be refused, if that is taught.  Sources that disagree are evidence."""
    if not teaches_to_refuse(round_.run.recipe):
        return []
    return [v.question_id for v in round_.iter(Verdict) if v.kind == "unverifiable" and not v.reason]


def teaches_to_refuse(recipe: Recipe) -> bool:
    """Whether "I don't know." is taught, which verify then measures."""
    return recipe.teach.refuse_unverifiable


def keep_apart(run: Run) -> None:
    """Writes down which known questions of round 1 are kept apart over all rounds, once it has verdicts."""
    if run.read_json(run.kept_apart_file) is None:
        run.write_json(run.kept_apart_file, {"questions": sorted(split_of(run.round(1)).tested)})


def kept_apart(run: Run) -> frozenset[str]:
    """Ids of the known questions of round 1 that are kept apart over all rounds.

    Without those whose page has changed since, and that are answered otherwise now (`Due`): what was right
    then is no test of what is forgotten.  One whose page still says the same has slipped, and stays.
    """
    written = run.read_as(run.kept_apart_file, _KeptApart)
    kept = split_of(run.round(1)).tested if written is None else written.questions
    return kept - _overtaken(run) if kept else kept


def _overtaken(run: Run) -> frozenset[str]:
    changed = {
        round_.number: {one.question_id for one in round_.iter(Due) if one.why == "changed"}
        for round_ in run.rounds
    }
    wanted = set().union(*changed.values())
    found: set[str] = set()
    said: dict[str, list[str]] = {}
    for round_ in run.rounds if wanted else ():
        verdicts = list(round_.where(Verdict, "question_id", wanted))
        references = round_.by_id(Reference, {one.reference_id for one in verdicts if one.reference_id})
        for one in verdicts:
            reference = references.get(one.reference_id or "")
            words = sorted(tokens(reference.text)) if reference is not None else []
            is_new = not words or words != said.get(one.question_id)
            if one.question_id in changed[round_.number] and one.kind != "known" and is_new:
                found.add(one.question_id)
            if words:
                said[one.question_id] = words
    return frozenset(found)


def reserved_ids(run: Run, rounds: Sequence[Round]) -> frozenset[str]:
    """Ids of the questions of these rounds that are about a fact that is kept apart over all rounds."""
    lessons = [one for part in rounds for one in _trained(part)]
    facts = facts_of(rounds, [*lessons, *wordings(run)])
    kept = {facts[name] for name in kept_apart(run) | general_tests(run) if name in facts}
    return frozenset(name for name, fact in facts.items() if fact in kept)


def general_tests(run: Run) -> frozenset[str]:
    """Ids of the general facts that test every round; the others that the model knows may be replayed.

    Chosen whatever was answered: whoever tests by what was right once finds that less is right later, taught
    or not.
    """
    share = run.recipe.teach.known_heldout
    return frozenset(f.id for f in answered_facts(run) if held_out(f.id, run.recipe.seed, share))


class _KeptApart(BaseModel):
    """kept_apart.json."""

    questions: frozenset[str]


def trained_facts(round_: Round) -> tuple[dict[str, str], frozenset[str]]:
    """The facts by question, and those of them that this or an earlier round has trained in any wording."""
    rounds = [one for one in round_.run.rounds if one.number <= round_.number]
    lessons = [one for part in rounds for one in _trained(part)]
    facts = facts_of(rounds, [*lessons, *wordings(round_.run)])
    return facts, frozenset(facts[name] for name, _ in lessons)


def trained_now(round_: Round, facts: Mapping[str, str]) -> frozenset[str]:
    """The facts that this round has trained in any wording."""
    return frozenset(facts[name] for name, _ in _trained(round_) if name in facts)


def trained_share(round_: Round, questions: Iterable[str]) -> float | None:
    """Share of the facts behind these questions that were trained, in [0, 1]; None without questions.

    It is measured from what was trained (examples, pairs, rewordings), not from what was to be.  Of those
    that test whether what an earlier round taught is forgotten (`Split.again`), only what this one trained.
    """
    facts, trained = trained_facts(round_)
    again = {facts[name] for name in split_of(round_).again if name in facts}
    if again:
        trained -= again - trained_now(round_, facts)
    asked = {facts[name] for name in questions}
    return len(asked & trained) / len(asked) if asked else None


def _trained(round_: Round) -> Iterator[tuple[str, str]]:
    """(question id, wording) of everything that a round has trained on."""
    yield from _imported(round_)
    cited = dict(_cited(round_))
    seen = {lesson.question_id for lesson in _lessons(round_)} | cited.keys()
    for question in round_.iter(Question):
        cited.pop(question.id, None)
        if question.id in seen:
            yield question.id, question.text
    yield from cited.items()  # out of a file: of no question here
    yield from ((name, text) for name, text in wordings(round_.run) if name in seen)
    for rewording in round_.iter(Rewording):
        if rewording.use == "train" and rewording.question_id in seen:
            yield rewording.question_id, rewording.text


def _imported(round_: Round) -> Iterator[tuple[str, str]]:
    """(question id, prompt) of lessons that somebody else made, and that will be taught."""
    for lesson in _lessons(round_):
        if (lesson.kind if isinstance(lesson, Example) else lesson.origin) == "imported":
            yield lesson.question_id, lesson.prompt[-1].content


def _cited(round_: Round) -> Iterator[tuple[str, str]]:
    """(question id, question) of what was practised or learned with documents."""
    yield from ((one.question_id, one.question) for one in round_.iter(Practised))
    for lesson in round_.iter(Example):
        if lesson.kind == "cited":
            yield lesson.question_id, lesson.question


def _lessons(round_: Round) -> Iterator[Example | Pair]:
    yield from round_.iter(Example)
    yield from round_.iter(Pair)


def held_out(name: str, seed: int, share: float) -> bool:
    """Whether what `name` stands for is kept for verify and never trained on.

    Depends on name and seed alone: adding others moves none.

    Args:
        name: `Question.id`, or the name of a group of questions.
        seed: the recipe's seed.
        share: expected share that is held out, in [0, 1]; 0 holds out none, 1 all.
    """
    return int(digest("held out", str(seed), name), 16) < share * 2**64


def held_out_ids(questions: Sequence[Question], recipe: Recipe, facts: Mapping[str, str]) -> frozenset[str]:
    """Ids of the questions that teach never replays if the model knows them.

    `teach.split_by` = question: whole facts, by the name of the fact (`held_out`).  topic: whole topics, and
    where questions about one fact have different topics all of these together, so that neither a topic nor a
    fact is on both sides (methods 2, step 2).  A question without a topic is a topic of its own.

    This holds of known questions only: gaps are all taught, also those of a topic that is held out.

    Args:
        questions: all of a round, in the order of its records; another question may join two groups and so
            move them.
        facts: question -> name of its fact (`run.facts`).
    """
    share = recipe.teach.known_heldout
    names = facts if recipe.teach.split_by == "question" else topic_groups(questions, facts)
    return frozenset(q.id for q in questions if held_out(names[q.id], recipe.seed, share))


def holds_wordings(recipe: Recipe) -> bool:
    """Whether other wordings of the gaps are kept for verify."""
    return recipe.teach.heldout_wordings > 0


def trains_to_cite(recipe: Recipe) -> bool:
    """Whether some phase trains to cite documents, which verify then measures."""
    return any(isinstance(block, CitingBlock) for block in recipe.teach.plan)


def trains_to_know(recipe: Recipe) -> bool:
    """Whether some phase trains anything else, so that gaps are to be answered from memory."""
    return not all(isinstance(block, CitingBlock) for block in recipe.teach.plan)


def used_texts(rounds: Iterable[Round]) -> set[str]:
    """Normal forms of all questions of these rounds, and of the rewordings that they trained on."""
    found = set()
    for round_ in rounds:
        found |= {normalise(question.text) for question in round_.iter(Question)}
        found |= {normalise(one.text) for one in round_.iter(Rewording) if one.use == "train"}
    return found


def topic_groups(questions: Sequence[Question], facts: Mapping[str, str]) -> dict[str, str]:
    """Question id -> name of its group: its topic, or the first by name of the topics joined with it.

    Topics are joined by a fact that both ask about.
    """
    topics = [folded(q.topic) or q.id for q in questions]
    names = sorted(set(topics))  # so the first of a group is the first by name
    place = {name: i for i, name in enumerate(names)}
    groups = Groups(len(names))
    home: dict[str, str] = {}
    for question, topic in zip(questions, topics, strict=True):
        groups.join(place[topic], place[home.setdefault(facts[question.id], topic)])
    return {q.id: names[groups.first(place[topic])] for q, topic in zip(questions, topics, strict=True)}
