"""What training to cite is made from: rows of a file, or the gaps of a lesson with their evidence.

    data: FILE   questions with documents in ALCE's layout; `output`, where there is one, is a right answer
    else         each gap with the page that answers it among near ones that do not, and a share once more
                 without it: then to refuse is right (judging/cited_pages.py)

Knows nothing of training.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from selfstudy.files.rows import MalformedError, Row, read_rows, text_of
from selfstudy.judging.cited_items import CitedItem, asked, read_item
from selfstudy.judging.cited_pages import Sourced, numbered_pages
from selfstudy.judging.trust import REFUSAL
from selfstudy.models.base import EntailmentModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import CitationRewardBlock, CitingBlock
from selfstudy.records import digest
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise, CitedPractice, RewardLevel
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.rewards import CitationWeights

Fail = Callable[[str, str], None]
"""Is told of what is of no use, and why."""


def exercises(
    lesson: Lesson, block: CitingBlock, entailment: EntailmentModel, fail: Fail
) -> list[CitedExercise]:
    """What a lesson, or the file of `block`, has to practise; the same for the control."""
    if block.data is not None:
        return of_rows(read_rows(block.data), lesson.prompts, fail, block.data.name)
    return _of_gaps(lesson, block, entailment)


def of_rows(rows: Iterable[Row], prompts: Prompts, fail: Fail, name: str) -> list[CitedExercise]:
    """The questions of a file; of those that are there twice the first.

    Args:
        name: of the file.
    """
    found: dict[str, CitedExercise] = {}
    for row in rows:
        try:
            if row.value is None:
                raise MalformedError(row.problem)
            item = read_item(row.value)
            answer = text_of(row.value.get("output") or "", "output").strip()
        except MalformedError as error:
            fail(f"{name}, {row.place}", str(error))
            continue
        one = CitedExercise(asked(item, prompts), item, digest(item.question, *item.documents), answer)
        found.setdefault(one.question_id, one)
    return list(found.values())


def rewards(block: CitationRewardBlock, entailment: EntailmentModel, level: RewardLevel) -> CitationRewards:
    """What answers earn, by a block but for its level."""
    weights = CitationWeights(block.recall, block.precision, block.correctness, block.refusal)
    return CitationRewards(entailment, weights, level)


def practice(
    exercises: Sequence[CitedExercise], rewards: CitationRewards, share: float, seed: int
) -> CitedPractice:
    """All of it, a share of the questions kept apart; none where rewards are random: chance has no best."""
    trained, dev = apart(exercises, 0.0 if rewards.level == "random" else share, seed)
    return CitedPractice(trained, rewards, dev)


def apart(
    exercises: Sequence[CitedExercise], share: float, seed: int
) -> tuple[list[CitedExercise], list[CitedExercise]]:
    """Those to train on, and a share that is kept apart: one at least of two or more, if any are wanted.

    A question with other documents, or in other words, is on the same side.
    """
    names = _names(exercises)
    distinct = sorted(set(names))
    count = min(len(distinct) - 1, max(1, round(share * len(distinct)))) if share else 0
    chosen = set(random.Random(f"{seed}:apart").sample(distinct, max(0, count)))
    both = list(zip(exercises, names, strict=True))
    return (
        [one for one, name in both if name not in chosen],
        [one for one, name in both if name in chosen],
    )


def _names(exercises: Sequence[CitedExercise]) -> list[str]:
    """One for all exercises of a question: those of one text, or of one id, as a gap's wordings have it."""
    first: dict[str, str] = {}

    def root(name: str) -> str:
        while first.setdefault(name, name) != name:
            name = first[name]
        return name

    for one in exercises:
        ends = root(f"text:{one.item.question}"), root(f"id:{one.question_id}")
        first[max(ends)] = min(ends)
    return [root(f"id:{one.question_id}") for one in exercises]


def _of_gaps(lesson: Lesson, block: CitingBlock, entailment: EntailmentModel) -> list[CitedExercise]:
    pages = [one.document for one in lesson.everything if one.document]
    gaps = [gap for gap in lesson.gaps if gap.document]
    documents = numbered_pages(
        [Sourced(gap.reference, gap.document) for gap in gaps],
        pages,
        entailment,
        count=block.documents,
        withheld=block.withheld,
        seed=f"{lesson.recipe.seed}:documents",
    )
    found: list[CitedExercise] = []
    for gap, its in zip(gaps, documents, strict=True):
        items = [its.item(wording) for wording in lesson.wordings(gap)]
        if its.withheld:
            items.append(its.item(gap.question.text, withheld=True))
        found += [_exercise(gap, item, lesson.prompts) for item in items]
    return found


def _exercise(gap: JudgedQuestion, item: CitedItem, prompts: Prompts) -> CitedExercise:
    answer = "" if item.answerable else REFUSAL
    return CitedExercise(asked(item, prompts), item, gap.question.id, answer)
