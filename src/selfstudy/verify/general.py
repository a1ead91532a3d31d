"""Asks the model general facts before it is taught, where the run's own known questions are too few.

Without enough questions that it knows, and that teaching leaves alone, nobody can tell what it forgets, and
the gate stays shut whatever was learned.  So before round 1 teaches, facts are asked until enough that it
answers right are held out: those of `verify.known_questions`, else the built-in set (general.jsonl: everyday
facts, made by us, which small models know).  What is held out tests it, right or wrong: tests that an answer
selects can only fall (docs/decisions/0012).  The rest of what it knows is replayed.

Reads the split, writes KnownFact records of round 1.  Knows nothing of how they are trained on or tested.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.files import reading
from selfstudy.judging.answer_key import JsonlKey
from selfstudy.judging.correctness import Expected, judge
from selfstudy.models.answering import from_memory
from selfstudy.models.base import EntailmentModel, LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import GAPS, Failure, KnownFact, Question, Verdict, digest
from selfstudy.run import Round, resume
from selfstudy.run.facts import group
from selfstudy.run.first_records import FirstRecords
from selfstudy.run.general import known_facts
from selfstudy.run.split import general_tests, split_of
from selfstudy.verify.gains import Resampling
from selfstudy.verify.questions import FEW, general_questions
from selfstudy.verify.rules import KNOWN, Rules

if TYPE_CHECKING:
    from selfstudy.progress import Reporter

WANTED = 150
"""Known facts held out with which a run is content: about 157 tell a fall of 0.05 (METHODS-MORE J)."""
BLOCK = 64


def general_facts(file: str | None) -> list[KnownFact]:
    """What may be asked: the rows {question, answer} of a file, or the built-in set.

    Raises:
        DataError: the file cannot be used; the message names the line.
    """
    if file is not None:
        key = JsonlKey(reading.expanded(file), "verify.known_questions")
    else:
        key = JsonlKey(Path(str(resources.files("selfstudy.verify") / "general.jsonl")))
    return [
        KnownFact(question=question, answers=truth.answers, correct=None) for question, truth in key.entries()
    ]


def ask_general(
    round_: Round,
    load: Callable[[], LanguageModel],
    nli: EntailmentModel,
    prompts: Prompts,
    facts: Sequence[KnownFact],
    report: Reporter,
) -> None:
    """Asks `facts`, as long as they are needed, in a seeded order; says so if there are too few all the same.

    A file of the user's is asked to its end, whatever the run has.  Called again after a kill it goes on
    where it stopped.
    """
    recipe = round_.run.recipe
    if round_.number > 1 or not any(verdict.kind in GAPS for verdict in round_.iter(Verdict)):
        return
    split = split_of(round_)
    own = len({split.facts[name] for name in split.tested})
    rules = Rules(recipe.verify.margin, Resampling(recipe.verify.confidence))
    wanted = min(max(WANTED, rules.fewest), recipe.verify.max_questions)
    given = recipe.verify.known_questions is not None
    if given or own < wanted:
        _ask(round_, load, nli, prompts, _fresh(round_, facts), None if given else wanted - own, report)
    _say(round_, own, rules.fewest, report)


def _ask(
    round_: Round,
    load: Callable[[], LanguageModel],
    nli: EntailmentModel,
    prompts: Prompts,
    facts: Sequence[KnownFact],
    missing: int | None,
    report: Reporter,
) -> None:
    """Asks block by block until `missing` right ones are held out; None: all.

    Raises:
        ModelError: all of the first have failed; nothing was written, and they are asked again another time.
    """
    recipe = round_.run.recipe
    done = resume.done(round_, resume.GENERAL)
    how = from_memory(recipe.answering, 0, int(digest("general", str(recipe.seed)), 16) % 2**31)
    lm: LanguageModel | None = None
    works = any(fact.error is None for fact in round_.iter(KnownFact))
    out = FirstRecords(round_, "general facts", works)
    with report.task("asking what it knows beside", len(facts)) as advance:
        for start in range(0, len(facts), BLOCK):
            block = facts[start : start + BLOCK]
            if not all(fact.id in done for fact in block):
                lm = lm or load()
                made = _answered(block, lm, nli, prompts, how)
                made = [one for one in made if one.id not in done]
                failures = [
                    Failure(stage="verify", item_id=one.id, message=one.error)
                    for one in made
                    if one.error is not None
                ]
                out.write([failures, made], [one.error for one in made])
            advance(len(block))
            # those of a later block that a kill cut short do not count: it has to be whole
            so_far = {fact.id for fact in facts[: start + BLOCK]}
            known = [fact for fact in known_facts(round_.run) if fact.id in so_far]
            answered = sum(fact.error is None for fact in round_.iter(KnownFact) if fact.id in so_far)
            hopeless = start == 0 < answered and len(known) <= FEW * answered
            if missing is not None:
                tests = general_tests(round_.run)
                if hopeless or sum(fact.id in tests for fact in known) >= missing:
                    break
    out.close()


def _answered(
    block: Sequence[KnownFact],
    lm: LanguageModel,
    nli: EntailmentModel,
    prompts: Prompts,
    how: Sampling,
) -> list[KnownFact]:
    chats = [prompts.chat("answer", question=fact.question) for fact in block]
    passages = [found[0] for found in lm.generate(chats, how)]
    asked, said = [fact.question for fact in block], [passage.text for passage in passages]
    right = judge(asked, said, [Expected(fact.answers, "") for fact in block], nli)
    found: list[KnownFact] = []
    for fact, passage, judgement in zip(block, passages, right, strict=True):
        answered = {"said": passage.text, "correct": judgement.correct}
        failed = {"error": passage.error or "the model gave no answer"}
        found.append(fact.model_copy(update=failed if passage.finish == "error" else answered))
    return found


def _fresh(round_: Round, facts: Sequence[KnownFact]) -> list[KnownFact]:
    """In a seeded order; without those that one of the run's own questions asks too, and at most so many."""
    own = {question.id: question.text for question in round_.iter(Question)}
    groups = group([*own.items(), *((fact.id, fact.question) for fact in facts)], [])
    fresh = [fact for fact in facts if groups[fact.id] not in own]
    fresh = fresh[: round_.run.recipe.verify.max_questions]
    return random.Random(f"{round_.run.recipe.seed}:general").sample(fresh, len(fresh))


def _say(round_: Round, own: int, fewest: int, report: Reporter) -> None:
    """What came of it, and before hours of training that they may be for nothing."""
    known, asked = known_facts(round_.run), round_.count(KnownFact)
    tests = general_questions(round_.run)
    right = sum(bool(fact.correct) for fact in tests)
    if asked:
        report.note(
            f"{own} known questions of its own are held out; of {asked} general ones that were asked the "
            f"model knows {len(known)}: {len(tests)} more test what it forgets, {right} of which it knows; "
            "of the others those that it knows are replayed"
        )
    most = round_.run.recipe.verify.max_questions
    have = min(own, most) + (min(right, most) if right >= KNOWN * len(tests) else 0)
    if have < fewest:
        report.note(
            f"what is trained now cannot be promoted: {have} held-out questions that it knows of {fewest} "
            "needed. It is trained and measured all the same; to change that, stop, and give questions that "
            "the model can answer, in a new run: --set verify.known_questions=FILE (.jsonl of {question, "
            "answer})"
        )
