"""What training to cite is made from: rows of a file, or the gaps of a lesson with their evidence.

    data: FILE   questions with documents in ALCE's layout; `output`, where there is one, is a right answer
    else         each gap with the page that answers it among near ones that do not, and a share once more
                 without it: then to refuse is right

Which near pages answer a gap too is asked of the entailment model.  Knows nothing of training.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from selfstudy.files.rows import MalformedError, Row, read_rows, text_of
from selfstudy.judging import citations
from selfstudy.judging.cited_items import CitedItem, asked, read_item
from selfstudy.judging.trust import REFUSAL
from selfstudy.models.base import EntailmentModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import CitationRewardBlock, CitingBlock
from selfstudy.records import digest
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise, CitedPractice, RewardLevel
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.rewards import CitationWeights
from selfstudy.text import tokens

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
    """All of it, a share of the questions kept apart."""
    trained, dev = apart(exercises, share, seed)
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
    pages = list(dict.fromkeys(one.document for one in lesson.everything if one.document))
    words = {page: set(tokens(page)) for page in pages}
    gaps = [gap for gap in lesson.gaps if gap.document]
    shown = [_near(gap, pages, words, block.documents) for gap in gaps]
    pairs = [(page, gap.reference) for gap, near in zip(gaps, shown, strict=True) for page in near]
    labels = citations.labels(pairs, entailment)
    rng = random.Random(f"{lesson.recipe.seed}:documents")
    found: list[CitedExercise] = []
    for gap, near in zip(gaps, shown, strict=True):
        holds = {page: next(labels) == citations.ENTAILED for page in near} | {gap.document: True}
        others = [page for page in near if page != gap.document]
        told = rng.sample([gap.document, *others], 1 + len(others))
        sure = [page for page in others if not holds[page]]
        withheld = rng.random() < block.withheld
        for wording in lesson.wordings(gap):
            found.append(_exercise(gap, wording, told, holds, lesson.prompts))
        if withheld and sure:
            found.append(_exercise(gap, gap.question.text, sure, holds, lesson.prompts))
    return found


def _near(gap: JudgedQuestion, pages: Sequence[str], words: dict[str, set[str]], count: int) -> list[str]:
    """The page of a gap, and those that share most words with it; first ones where that says nothing."""
    own = words.get(gap.document) or set(tokens(gap.document))
    others = [page for page in pages if page != gap.document]
    order = sorted(range(len(others)), key=lambda at: (-_alike(own, words[others[at]]), at))
    return [gap.document, *(others[at] for at in order[: count - 1])]


def _alike(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def _exercise(
    gap: JudgedQuestion, wording: str, pages: Sequence[str], holds: dict[str, bool], prompts: Prompts
) -> CitedExercise:
    found = tuple((int(holds[page]),) for page in pages)
    item = CitedItem(wording, tuple(pages), "eli5", claims=(gap.reference,), found=found)
    answer = "" if item.answerable else REFUSAL
    return CitedExercise(asked(item, prompts), item, gap.question.id, answer)
