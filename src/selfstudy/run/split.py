"""What teach may use and what verify keeps for itself: a hash decides, so both agree unasked.

Knows nothing of stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from selfstudy.duplicates import near_duplicate_groups
from selfstudy.recipe import Recipe
from selfstudy.records import Question, Rewording, digest
from selfstudy.text import folded, normalise

if TYPE_CHECKING:
    from selfstudy.run import Round


def held_out(name: str, seed: int, share: float) -> bool:
    """Whether what `name` stands for is kept for verify and never trained on.

    Depends on name and seed alone: adding others moves none.

    Args:
        name: `Question.id`, or the name of a group of questions.
        seed: the recipe's seed.
        share: expected share that is held out, in [0, 1]; 0 holds out none, 1 all.
    """
    return int(digest("held out", str(seed), name), 16) < share * 2**64


def held_out_ids(questions: Sequence[Question], recipe: Recipe) -> frozenset[str]:
    """Ids of the questions that verify keeps if the model knows them, and teach then never replays.

    `teach.split_by` = question: each for itself (`held_out`), but near-duplicates together, by the first of
    them, so that no wording is on both sides.  topic: whole topics, and where near-duplicate questions have
    different topics all of these together, so that neither a topic nor a wording is on both sides (methods 2,
    step 2).  A question without a topic is a topic of its own.

    This holds of known questions only: gaps are all taught, also those of a topic that is held out.

    Args:
        questions: all of a round, in the order of its records; another question may join two groups and so
            move them.
    """
    share = recipe.teach.known_heldout
    if recipe.teach.split_by == "question":
        first = near_duplicate_groups([q.text for q in questions])
        return frozenset(
            q.id
            for q, k in zip(questions, first, strict=True)
            if held_out(questions[k].id, recipe.seed, share)
        )
    names = topic_groups(questions)
    return frozenset(q.id for q in questions if held_out(names[q.id], recipe.seed, share))


def used_texts(rounds: Iterable[Round]) -> set[str]:
    """Normal forms of all questions of these rounds, and of the rewordings that they trained on."""
    found = set()
    for round_ in rounds:
        found |= {normalise(question.text) for question in round_.iter(Question)}
        found |= {normalise(one.text) for one in round_.iter(Rewording) if one.use == "train"}
    return found


def topic_groups(questions: Sequence[Question]) -> dict[str, str]:
    """Question id -> name of its group: its topic, or the first by name of the topics joined with it."""
    topics = [folded(q.topic) or q.id for q in questions]
    parent = {topic: topic for topic in topics}

    def root(topic: str) -> str:
        while parent[topic] != topic:
            parent[topic] = topic = parent[parent[topic]]
        return topic

    for topic, first in zip(topics, near_duplicate_groups([q.text for q in questions]), strict=True):
        one, other = sorted((root(topic), root(topics[first])))
        parent[other] = one
    return {q.id: root(topic) for q, topic in zip(questions, topics, strict=True)}
