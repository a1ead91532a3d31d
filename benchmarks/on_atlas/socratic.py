"""A model that tells is taught to ask: atlas-lm, on dialogues of itself as it is told to ask.

Exercises are facts that it knows, a question each; no dialogue about the entities of the measured ones was
trained.  The teacher of the dialogues is told to ask (prompts/tutor.txt), the student plays
(student.txt, student_pressing.txt), and the better turn is the teacher's.  Worse turns:

    own      what it says when it is told nothing, nearly always the answer: the weak model (methods 3)
    telling  what it says when it is told to tell
    outcome  of four turns said when told nothing, sampled at 1, those after which fewer attempts are right;
             the better one is such a turn too (methods-more C)

Measured are dialogues of three turns of the tutor, told nothing, with a student that tries and one that
presses: the share of its turns that ask and that leak, by rule, and what it knew and read before.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from on_atlas.skills import atlas, skills, split
from selfstudy.atlas import language, world
from selfstudy.judging.tutoring import Solution
from selfstudy.models.base import LanguageModel
from selfstudy.models.local.lm import LocalLM
from selfstudy.prompts import Prompts
from selfstudy.recipe import LoraBlock, SocraticBlock
from selfstudy.recipe.training import LORA_TO_FULL_RATE
from selfstudy.records import Example, Pair, digest
from selfstudy.stats import Interval
from selfstudy.teach import rejected_turns
from selfstudy.teach.socratic import next_turns
from selfstudy.teach.trainers import shared
from selfstudy.verbs.socratic.attempts import Examinee
from selfstudy.verbs.socratic.exercises import Exercise
from selfstudy.verbs.socratic.measures import measured
from selfstudy.verbs.socratic.rows import TurnRows
from selfstudy.verbs.socratic.talk import Conversation, Dialogue, StudentKind, TutorKind, dialogues
from trained_weights import dpo_trained

TURNS = 3
HELD_OUT = 100
LORA = LoraBlock(r=8, alpha=16)
BLOCK = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "likelihood": 1.0}
"""As published (r 8, beta .1), but for the rate (5 M parameters learn next to nothing at 2e-4) and the
likelihood, without which the model unlearned to speak (docs/decisions/0016-tutors-and-what-is-missing.md)."""


def compare(sources: Sequence[str], *, exercises: int, seed: int, way: str = "lora") -> dict[str, Any]:
    """Trains and measures an arm for each source of worse turns."""
    lm = atlas(way)
    rate = BLOCK["learning_rate"] / (LORA_TO_FULL_RATE if way == "full" else 1)
    train, held = split(0.3, seed)
    practised, tested = exercises_of(train, exercises, seed), exercises_of(held, HELD_OUT, seed)
    found: dict[str, Any] = {"untaught": figures(lm, lm, tested, seed)}
    print(f"untaught: {found['untaught']}", flush=True)
    for source in sources:
        how = {"rejected": source if source != "outcome" else "own", "learning_rate": rate}
        block = SocraticBlock.model_validate(BLOCK | how)
        began = time.perf_counter()
        pairs, without = pairs_of(source, lm, practised, block, seed)
        if not pairs:
            found[source] = {"pairs": 0, "without": without}
            print(f"{source}: {found[source]}", flush=True)
            continue
        result = dpo_trained(lm, pairs, block, LORA, way, seed)
        seconds = round(time.perf_counter() - began)
        taught = LocalLM.around(shared.merged(result.model), lm.tokenizer, style=lm.style)
        found[source] = {
            "pairs": len(pairs),
            "without": without,
            "seconds": seconds,
            "losses": [round(step.loss, 3) for step in result.steps[:: max(1, len(result.steps) // 5)]],
            **figures(taught, lm, tested, seed),
        }
        print(f"{source}: {found[source]}", flush=True)
    return found


def exercises_of(entities: Sequence[world.Entity], most: int, seed: int) -> list[Exercise]:
    """Questions about facts of these entities, with the fact as rationale."""
    rng = random.Random(f"exercises:{seed}")
    facts = [fact for entity in entities for fact in entity.facts]
    return [_exercise(fact, rng) for fact in rng.sample(facts, most)]


def _exercise(fact: world.Fact, rng: random.Random) -> Exercise:
    problem = rng.choice(language.wordings(fact.attribute, fact.entity))
    return Exercise(
        id=digest(problem),
        problem=problem,
        rationale=language.statement(fact.attribute, fact.entity, fact.value),
        solution=Solution(fact.value, problem=problem),
    )


def talked(
    tutor: LanguageModel,
    student: LanguageModel,
    asked: Sequence[Exercise],
    seed: int,
    kind: TutorKind,
    plays: StudentKind,
) -> list[Dialogue]:
    """Dialogues of `TURNS` turns of the tutor."""
    talk = Conversation(tutor, student, Prompts(), kind, plays, turns=TURNS, seed=seed)
    return dialogues(talk, asked)


def pairs_of(
    source: str, lm: Any, asked: Sequence[Exercise], block: SocraticBlock, seed: int
) -> tuple[list[Pair], dict[str, int]]:
    """Preference pairs, and how many places made none, by reason."""
    half = len(asked) // 2
    said = [
        *talked(lm, lm, asked[:half], seed, "socratic", "frozen"),
        *talked(lm, lm, asked[half:], seed, "socratic", "pressing"),
    ]
    if source == "outcome":
        student = Examinee(lm, Prompts(), attempts=4, attempt_tokens=48, seed=seed)
        rows = TurnRows(lm, Prompts(), "outcome", student, plain=True, seed=seed).of(asked, said)
        reasons: Counter[str] = Counter()
        for row in rows:
            reasons.update(row.without)
        return [
            Pair(prompt=p.prompt, chosen=p.chosen, rejected=p.rejected, question_id=row.id, origin="sample")
            for row in rows
            for p in row.pairs
        ], dict(reasons)
    lost: Counter[str] = Counter()
    examples = [
        Example(prompt=turn.prompt, completion=turn.chosen, question_id=one.id, kind="imported")
        for one in said
        if one.ended != "failed"
        for turn in next_turns(one.turns, TURNS)
    ]
    found = rejected_turns.pairs(examples, lm, block, Prompts(), seed, fail=lambda _, why: lost.update([why]))
    return found, dict(lost)


def figures(
    tutor: LanguageModel, student: LanguageModel, asked: Sequence[Exercise], seed: int
) -> dict[str, Any]:
    """Asking and leaking of a tutor that is told nothing, with both students; and its skills."""
    found: dict[str, Any] = {}
    students: tuple[StudentKind, ...] = ("frozen", "pressing")
    for plays in students:
        by_rule = measured(asked, talked(tutor, student, asked, seed, "plain", plays), seed).by_rule
        found[plays] = {
            "asking": _told(by_rule.asking),
            "leaking": _told(by_rule.leaking),
            "by turn": [
                (turn.turns, round(turn.asking, 3), None if turn.leaking is None else round(turn.leaking, 3))
                for turn in by_rule.by_turn
            ],
        }
    return found | {"skills": skills(tutor, seed)}


def _told(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [round(x, 3) for x in (interval.value, interval.low, interval.high)]
