"""What a router is made from, out of a run's records: the wordings of what was taught, and of what is known.

What verify tests is in neither: no held-out wording, no known question that is held out or kept apart.
Knows nothing of vectors, nor of how a router decides (router.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from selfstudy.models import load_embedder
from selfstudy.models.taught import is_routed
from selfstudy.prompts import Prompts
from selfstudy.records import GAPS, Example, Pair, Question, Rewording, Verdict
from selfstudy.run import Round, Run, standing
from selfstudy.run.curriculum import Curriculum
from selfstudy.run.general import known_facts
from selfstudy.run.split import split_of
from selfstudy.teach.gaps import JudgedQuestion, judged_questions
from selfstudy.text import normalise

if TYPE_CHECKING:
    from selfstudy.models import Models
    from selfstudy.models.base import Embedder
    from selfstudy.recipe import EmbedderBlock, Recipe

Wordings = list[tuple[str, str]]
"""(question id, wording)."""


def embedder_block(recipe: Recipe) -> EmbedderBlock:
    """What says how near a prompt is."""
    return recipe.deploy.router.embedder or recipe.embedder


def embedder_of(recipe: Recipe, models: Models) -> Embedder:
    """The same, loaded."""
    block = embedder_block(recipe)
    return models.embedder if block == recipe.embedder else load_embedder(block)


def without_taught(
    round_: Round, questions: Sequence[JudgedQuestion], embedder: Embedder, prompts: Prompts
) -> list[JudgedQuestion]:
    """Without what is known only because an adapter answered it: the base model, which is trained, does not.

    It is neither replayed to a new adapter nor a question of the base model's to the router.
    """
    folder = standing.standing(round_)
    if folder is None or not is_routed(folder):
        return list(questions)
    from selfstudy.models.router import Router

    router = Router.load(folder, embedder)
    general = {fact.id for fact in known_facts(round_.run)}  # asked before there were adapters
    known = [q for q in questions if q.verdict.kind == "known" and q.question.id not in general]
    chats = [prompts.chat("answer", question=one.question.text) for one in known]
    routes = router.route([router.routing_text(chat) for chat in chats])
    taught = {q.question.id for q, one in zip(known, routes, strict=True) if one.adapter is not None}
    return [q for q in questions if q.question.id not in taught]


def known_wordings(
    round_: Round, questions: Sequence[JudgedQuestion], embedder: Embedder, prompts: Prompts
) -> Wordings:
    """Of what the base model knows and verify does not test, in this round and those before.

    Not what a later round found to be a gap, as a fact that has changed: that is taught to an adapter.

    Args:
        questions: of this round, `without_taught`.
    """
    earlier = [one for one in round_.run.rounds if one.number < round_.number]
    found = [
        (one.number, q)
        for one in earlier
        for q in without_taught(one, judged_questions(one), embedder, prompts)
    ]
    found += [(round_.number, q) for q in questions]
    split = split_of(round_)  # by the facts of all rounds: a later question may join two
    gaps: dict[str, int] = {}
    for one in (*earlier, round_):
        for verdict in one.iter(Verdict):
            if verdict.kind in GAPS:
                gaps[split.facts.get(verdict.question_id, verdict.question_id)] = one.number
    said = {
        normalise(q.question.text): (q.question.id, q.question.text)
        for number, q in found
        if q.verdict.kind == "known"
        and not q.held_out
        and q.question.id not in split.held_out
        and gaps.get(split.facts.get(q.question.id, q.question.id), 0) <= number
    }
    return list(said.values())


def taught_wordings(run: Run, curriculum: Curriculum) -> Wordings:
    """Of all that an adapter was taught: as first asked, and the rewordings that were trained on."""
    round_ = run.round(curriculum.round)
    wanted = dict.fromkeys(curriculum.questions)
    found = [(one.id, one.text) for one in round_.iter(Question) if one.id in wanted]
    found += [
        (one.question_id, one.text)
        for one in round_.iter(Rewording)
        if one.use == "train" and one.question_id in wanted
    ]
    imported: list[Example | Pair] = [one for one in round_.iter(Example) if one.kind == "imported"]
    imported += [one for one in round_.iter(Pair) if one.origin == "imported"]
    found += [(one.question_id, one.prompt[-1].content) for one in imported if one.question_id in wanted]
    return list(dict.fromkeys(found))


def of_adapters(round_: Round, curricula: Mapping[str, Curriculum]) -> dict[str, Wordings]:
    """The wordings of each adapter, the oldest first; what was taught again is of the last that learned it.

    So are the wordings in which an older one learned it: without them, whatever is worded like one of these
    would go to the older adapter, for what that was taught beside about the same thing.  An adapter is left
    out of which nothing else is left.
    """
    facts = split_of(round_).facts
    owner: dict[str, str] = {}  # of each fact and each text
    found: dict[str, Wordings] = {}
    handed: dict[str, Wordings] = {}
    for number in sorted({one.round for one in curricula.values()}, reverse=True):
        now: dict[str, str] = {}
        for name in sorted(n for n, one in curricula.items() if one.round == number):
            for asked, text in taught_wordings(round_.run, curricula[name]):
                fact, said = facts.get(asked, asked), normalise(text)
                if said in owner:
                    continue
                if fact in owner:
                    handed.setdefault(owner[fact], []).append((asked, text))
                else:
                    found.setdefault(name, []).append((asked, text))
                    now.setdefault(fact, name)
                now.setdefault(said, owner.get(fact, name))
        owner |= now
    return {
        name: [*found[name], *handed.get(name, [])]
        for name in sorted(found, key=lambda name: (curricula[name].round, name))
    }
