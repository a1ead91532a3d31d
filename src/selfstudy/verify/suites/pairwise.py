"""The suite `pairwise`: a judge says which answer is better, before's or after's (judging/pairwise_judge.py).

Both orders, with a tie on offer; where a row has a document, once with it shown to the judge and once
without, for an answer that was read out of it wins by its style too.  Answers that are the same are a tie
that nobody is asked about.  What no mean of items says stands in pairwise_findings.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from selfstudy.errors import ModelError
from selfstudy.judging.correctness import states
from selfstudy.judging.judge import Judge
from selfstudy.judging.pairwise import JudgedPair
from selfstudy.judging.pairwise_judge import judged_pairs
from selfstudy.models.base import EntailmentModel, LanguageModel, Progress
from selfstudy.recipe.suites import PairwiseBlock
from selfstudy.records import SuiteItem, digest
from selfstudy.verify.suites import given, open_questions
from selfstudy.verify.suites.base import Measure, SuiteTools, failure

NAME = "pairwise"
BLOCK = 64
_ANSWERS = ("answers", "answer", "gold")
HINT = "give rows like {question, document, answers: [...]}; the document and gold answers may be missing"
WITH, WITHOUT = "with document", "without document"
"""Keys of `reasons`: what the judge said when it saw a document, and when not, as "first, then second"."""
_POINTS = {WITH: "points_with_document", WITHOUT: "points_without"}
MEASURES = (
    Measure(
        "win rate", "points", main=True, only_after=True, neutral=0.5,
        explanation="points of the answer after teaching, with the document if there is one; .5: no better",
    ),
    Measure("with document", "points_with_document", only_after=True, neutral=0.5, explanation="it is seen"),
    Measure("without document", "points_without", only_after=True, neutral=0.5, explanation="it is not seen"),
    Measure("ties", "tie", better="neither", only_after=True, explanation="named in both orders"),
    Measure("flips", "inconsistent", better="neither", only_after=True, explanation="one place both times"),
    Measure("halves", "half", better="neither", only_after=True, explanation="a tie in one order alone"),
    Measure(
        "position bias", "bias", per="choices", better="neither", only_after=True,
        explanation="choices of the first place less those of the second; 0 is none",
    ),
    Measure("characters", "characters", better="neither", explanation="length of an answer"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What is asked, the document that it is about ("": none), and gold answers if there are any."""

    question: str
    document: str = ""
    answers: tuple[str, ...] = ()

    @property
    def item(self) -> str:
        """Tells it from the others."""
        return digest(self.question, self.document)


class Pairwise:
    """See the module; fulfils `base.Suite`."""

    name = NAME
    measures = MEASURES

    def __init__(self, questions: Sequence[OpenQuestion], own: bool = False) -> None:
        """Asks `questions` in this order; `own`: they are those that come with the package."""
        self._questions = tuple(questions)
        self._own = own
        self._judge_in_words: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """See `base.Suite`; who judged is known once it runs."""
        documents = sum(bool(one.document) for one in self._questions)
        said = [f"{len(self)} questions, {documents} with a document"]
        if self._own:
            said.append("a few questions of our own: they show that it works, and measure little")
        if documents:
            said.append("answers read out of a document win by its style too where the judge sees it")
        return (*said, *self._judge_in_words)

    @property
    def keyed(self) -> int:
        """How many questions have gold answers, by which the judge is judged."""
        return sum(bool(one.answers) for one in self._questions)

    def __len__(self) -> int:
        return len(self._questions)

    def run(
        self,
        lm: LanguageModel,
        tools: SuiteTools,
        arm: Literal["base", "taught"],
        before: Sequence[SuiteItem] = (),
        done: frozenset[str] = frozenset(),
        progress: Progress | None = None,
    ) -> Iterator[list[SuiteItem]]:
        """See `base.Suite.run`; of the model before there are answers alone.

        Raises:
            ModelError: there is no judge.
        """
        judge = self._required(tools, lm)
        earlier = {one.item: one for one in before if one.suite == NAME and one.error is None}
        for block in given.open_blocks(self._questions, BLOCK, lambda one: one.item, done):
            said = open_questions.answers(lm, [one.question for one in block], progress)
            items = [
                SuiteItem(
                    suite=NAME,
                    arm=arm,
                    item=one.item,
                    asked=one.question,
                    answer=answer.text,
                    parts={} if failure(answer) else {"characters": float(len(answer.text))},
                    error=failure(answer),
                )
                for one, answer in zip(block, said, strict=True)
            ]
            yield items if arm == "base" else _compared(block, items, earlier, judge, tools.nli)

    def _required(self, tools: SuiteTools, lm: LanguageModel) -> Judge:
        if tools.judge is None:
            raise ModelError(
                f"suite {NAME}: there is no judge that compares answers",
                "name one in the recipe's `judge` (another model than the one that is taught), or leave the "
                "suite out",
            )
        flags = []
        if tools.judged_by_itself:
            flags.append("the judge is the model itself: it may prefer what it says")
        elif (family := _family(lm.name)) and family == _family(tools.judge.name):
            flags.append(f"judge and model are both called {family}: a judge may prefer its family")
        self._judge_in_words = (f"judge: {tools.judge.name}, both orders, a tie on offer", *flags)
        return tools.judge


def _family(name: str) -> str:
    """The letters that a model's name begins with, its folder left out: qwen of Qwen/Qwen3-4B."""
    found = re.match(r"[a-z]{3,40}", name.rstrip("/").rpartition("/")[2].casefold())
    return found[0] if found else ""


def _compared(
    block: Sequence[OpenQuestion],
    items: Sequence[SuiteItem],
    earlier: Mapping[str, SuiteItem],
    judge: Judge,
    nli: EntailmentModel | None,
) -> list[SuiteItem]:
    """The items with what the judge says of them and of those before; every question to it in one batch."""
    pairs = [
        (one, item, earlier[item.item])
        for one, item in zip(block, items, strict=True)
        if item.error is None and item.item in earlier
    ]
    plain = [(one.question, item.answer, old.answer) for one, item, old in pairs]
    shown = [i for i, (one, _, _) in enumerate(pairs) if one.document]
    documents = [""] * len(plain) + [pairs[i][0].document for i in shown]
    judged = judged_pairs([*plain, *(plain[i] for i in shown)], judge, documents=documents)
    with_document = dict(zip(shown, judged[len(plain) :], strict=True))
    entailed = _more_entailed(pairs, nli)
    found = {
        item.item: _judged_item(one, item, old, judged[i], with_document.get(i), entailed[i])
        for i, (one, item, old) in enumerate(pairs)
    }
    return [found.get(item.item) or _unpaired(item) for item in items]


def _unpaired(item: SuiteItem) -> SuiteItem:
    error = item.error or "the model before has no answer to compare with"
    return item.model_copy(update={"parts": {}, "error": error})


def _judged_item(
    one: OpenQuestion,
    item: SuiteItem,
    old: SuiteItem,
    without: JudgedPair,
    with_document: JudgedPair | None,
    entailed: float | None,
) -> SuiteItem:
    judged = {WITHOUT: without}
    if with_document is not None:
        judged[WITH] = with_document
    decides = without if with_document is None else with_document
    reasons = {
        how: f"{pair.plain or 'unread'}, then {pair.exchanged or 'unread'}" for how, pair in judged.items()
    }
    if decides.points is None:  # the rest would be a win rate of those that it can read
        return item.model_copy(
            update={"parts": {}, "reasons": reasons, "error": "the judge names no choice in both orders"}
        )
    said = {_POINTS[how]: points for how, pair in judged.items() if (points := pair.points) is not None}
    parts = {
        **item.parts,
        **said,
        **_outcome(decides),
        "characters_before": float(len(old.answer)),
        "longer": _points(len(item.answer), len(old.answer)),
        "identical": float(item.answer.strip() == old.answer.strip()),
    }
    if one.answers:
        right = [states(answer, one.answers, one.question) for answer in (item.answer, old.answer)]
        parts["gold"] = _points(right[0], right[1])
        if entailed is not None:
            parts["more_entailed"] = entailed
    return item.model_copy(update={"parts": parts, "reasons": reasons})


def _outcome(pair: JudgedPair) -> dict[str, float]:
    """The parts of the choices that decide; none where one of them could not be read."""
    points = pair.points
    if points is None:
        return {}
    kinds = ("win", "loss", "tie", "half", "inconsistent")
    parts = {"points": points, **{kind: float(pair.outcome == kind) for kind in kinds}}
    choices = [one for one in (pair.plain, pair.exchanged) if one != "tie"]
    if choices:
        bias = choices.count("first") - choices.count("second")
        parts |= {"bias": float(bias), "choices": float(len(choices))}
    return parts


def _points(ours: float, theirs: float) -> float:
    return 0.5 if ours == theirs else float(ours > theirs)


def _more_entailed(
    pairs: Sequence[tuple[OpenQuestion, SuiteItem, SuiteItem]], nli: EntailmentModel | None
) -> list[float | None]:
    """Points of the answer that the document entails more, where there is one and a gold answer."""
    points: list[float | None] = [None] * len(pairs)
    keyed = [i for i, (one, _, _) in enumerate(pairs) if one.answers and one.document]
    if nli is None or not keyed:
        return points
    asked = [(pairs[i][0].document, item.answer) for i in keyed for item in pairs[i][1:]]
    rank = {"entailment": 2, "neutral": 1, "contradiction": 0}
    labels = nli.classes(asked)
    for at, i in enumerate(keyed):
        points[i] = _points(rank.get(labels[2 * at], 1), rank.get(labels[2 * at + 1], 1))
    return points


def pairwise(block: PairwiseBlock, seed: int) -> Pairwise:
    """The suite as a recipe has it; without `data` with questions of our own (pairwise.jsonl).

    Raises:
        DataError: the data cannot be used.
    """
    every = given.read(NAME, block.data, "pairwise.jsonl", parse, HINT)
    questions = given.distinct(every, lambda one: one.item)
    return Pairwise(open_questions.sampled(questions, block.questions, seed), block.data is None)


def parse(row: dict[str, Any]) -> list[OpenQuestion]:
    """The question of one row.

    Raises:
        MalformedError: it has none, or a field that is no text.
    """
    answers = next((some for name in _ANSWERS if (some := given.texts(row, name))), ())
    document = given.field(row, "document", "context", needed=False)
    return [OpenQuestion(given.field(row, *open_questions.QUESTION), document, answers)]
