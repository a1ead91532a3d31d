"""The suite `pairwise`: a judge says which answer is better, before's or after's (judging/pairwise_judge.py).

Both orders, with a tie on offer; where a row has a document, once with it shown to the judge and once
without, for an answer that was read out of it wins by its style too.  Answers that are the same are a tie
that nobody is asked about.  What no mean of items says (intervals, length control, whether the judge may be
trusted) says `findings`, over the items of the model after teaching.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from selfstudy.errors import ModelError
from selfstudy.judging.correctness import states
from selfstudy.judging.judge import Judge
from selfstudy.judging.judge_trust import FEWEST, JudgeTrust, KeyedPair, judge_trust
from selfstudy.judging.pairwise import FEWEST_FOR_LENGTH, JudgedPair, compare, length_controlled
from selfstudy.judging.pairwise_judge import judged_pairs
from selfstudy.models.base import EntailmentModel, LanguageModel, Progress
from selfstudy.recipe.suites import PairwiseBlock
from selfstudy.records import SuiteItem, digest
from selfstudy.stats import Interval
from selfstudy.verify.suites import open_questions
from selfstudy.verify.suites.base import Measure, SuiteTools

NAME = "pairwise"
BLOCK = 64
_FIELDS = {
    "question": open_questions.QUESTION,
    "document": ("document", "context"),
    "answers": ("answers", "answer", "gold"),
}
_SHOWN = {"with document": "points_with_document", "without document": "points_without"}
"""What the judge saw, as `reasons` have it, and the part of its points."""
_FAR = 0.1
"""Length-controlled and raw win rate further apart are not both to be trusted, nor a quarter of what is left
to the end of the scale (methods-more G)."""
MEASURES = (
    Measure(
        "win rate", "points", main=True, only_after=True, neutral=0.5,
        explanation="points of the answer after teaching, .5 if no better: with the document where there is one",
    ),
    Measure(
        "with document", "points_with_document", only_after=True, neutral=0.5,
        explanation="the judge sees the document",
    ),
    Measure(
        "without document", "points_without", only_after=True, neutral=0.5,
        explanation="the judge sees no document",
    ),
    Measure("ties", "tie", better="neither", only_after=True, explanation="named by the judge in both orders"),
    Measure("flips", "inconsistent", better="lower", only_after=True, explanation="the same place in both orders"),
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
        few = (
            ("a few questions of our own: they show that it works, and measure little",) if self._own else ()
        )
        read = (
            (
                "where answers were read out of the document, a judge that sees it knows their style: see without",
            )
            if documents
            else ()
        )
        return (f"{len(self)} questions, {documents} with a document", *few, *read, *self._judge_in_words)

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
        for start in range(0, len(self._questions), BLOCK):
            block = self._questions[start : start + BLOCK]
            if all(one.item in done for one in block):
                continue
            said = open_questions.answers(lm, [one.question for one in block], progress)
            items = [
                SuiteItem(
                    suite=NAME,
                    arm=arm,
                    item=one.item,
                    asked=one.question,
                    answer=answer.text,
                    parts={} if answer.finish == "error" else {"characters": float(len(answer.text))},
                    error=(answer.error or "no answer") if answer.finish == "error" else None,
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
    judged = {"without document": without}
    if with_document is not None:
        judged["with document"] = with_document
    said = {_SHOWN[how]: points for how, pair in judged.items() if (points := pair.points) is not None}
    reasons = {
        how: f"{pair.plain or 'unread'}, then {pair.exchanged or 'unread'}" for how, pair in judged.items()
    }
    if not said:
        return item.model_copy(
            update={"parts": {}, "reasons": reasons, "error": "the judge names no choice in both orders"}
        )
    decides = without if with_document is None else with_document
    parts = {
        **item.parts,
        **said,
        **_outcome(decides),
        "characters_before": float(len(old.answer)),
        "longer": _points(len(item.answer), len(old.answer)),
    }
    if one.answers:
        right = [states(answer, one.answers, one.question) for answer in (item.answer, old.answer)]
        parts["gold"] = _points(right[0], right[1])
        if entailed is not None:
            parts["more_entailed"] = entailed
    return item.model_copy(update={"parts": parts, "reasons": reasons})


def _outcome(pair: JudgedPair) -> dict[str, float]:
    """The parts of the choices that decide; none where one of them is missing."""
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
    """Points of the answer that the document entails more (the gold answer to the question without one)."""
    points: list[float | None] = [None] * len(pairs)
    keyed = [i for i, (one, _, _) in enumerate(pairs) if one.answers]
    if nli is None or not keyed:
        return points
    asked = []
    for i in keyed:
        one, item, old = pairs[i]
        premise = one.document or f"{one.question} {one.answers[0]}"
        asked += [(premise, item.answer), (premise, old.answer)]
    rank = {"entailment": 2, "neutral": 1, "contradiction": 0}
    labels = nli.classes(asked)
    for at, i in enumerate(keyed):
        points[i] = _points(rank.get(labels[2 * at], 1), rank.get(labels[2 * at + 1], 1))
    return points


@dataclass(frozen=True, slots=True)
class PairwiseFindings:
    """What no mean of single items says.

    Attributes:
        win_rate: of the answers after teaching, with an interval over questions.
        length_controlled: the same if answers were of one length; None: too few pairs, or nothing to tell by.
        trust: of the judge, where rows have gold answers; None without.
        in_words: all of it, for people.
    """

    win_rate: Interval
    length_controlled: float | None
    trust: JudgeTrust | None
    in_words: tuple[str, ...]


def findings(items: Sequence[SuiteItem], seed: int) -> PairwiseFindings | None:
    """Over the items of the model after teaching; None where the judge said nothing that counts."""
    counted = [one for one in items if one.suite == NAME and "points" in one.parts]
    if not counted:
        return None
    # of what failed nothing is known, so it is none of the judge's that could not be read
    judged = [_pair_of(one) for one in counted]
    figures = compare(judged, seed)
    points = [one.parts["points"] for one in counted]
    lengths = [[int(one.parts[name]) for one in counted] for name in ("characters", "characters_before")]
    controlled = length_controlled(points, lengths[0], lengths[1])
    trust = trust_in_judge(items)
    rate = figures.win_rate
    words = [
        f"win rate {rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f}): {figures.wins} wins, {figures.losses} "
        f"losses (sign test p {figures.p:.3g}), {figures.ties} ties, {figures.halves} half, "
        f"{figures.inconsistent} flips; {len(items) - len(counted)} not counted",
        f"judge: consistency {figures.consistency:.2f}, "
        + ("no choices" if figures.position_bias is None else f"position bias {figures.position_bias:+.2f}")
        + f", both times the first {figures.primacy}, the second {figures.recency}",
        *_of_length(rate.value, controlled, len(counted), lengths),
        *([] if trust is None else [_of_trust(trust)]),
    ]
    return PairwiseFindings(rate, controlled, trust, tuple(words))


def trust_in_judge(items: Sequence[SuiteItem]) -> JudgeTrust | None:
    """How the judge does on the items of rows with gold answers; None where these decide nothing."""
    keyed = [one.parts for one in items if one.suite == NAME and {"gold", "points"} <= one.parts.keys()]
    return judge_trust(
        [KeyedPair(one["gold"], one["points"], one["longer"], one.get("more_entailed")) for one in keyed]
    )


def _pair_of(item: SuiteItem) -> JudgedPair:
    """What decided an item, out of its reasons."""
    said = item.reasons.get("with document") or item.reasons["without document"]
    choices = {word: word for word in ("first", "second", "tie")}
    plain, _, exchanged = said.partition(", then ")
    return JudgedPair(choices.get(plain), choices.get(exchanged))  # type: ignore[arg-type]


def _of_length(raw: float, controlled: float | None, n: int, lengths: Sequence[Sequence[int]]) -> list[str]:
    means = [sum(some) / n for some in lengths]
    said = f"characters {means[0]:,.0f} after, {means[1]:,.0f} before"
    if controlled is None:
        why = f"{n} of {FEWEST_FOR_LENGTH} pairs" if n < FEWEST_FOR_LENGTH else "all differ by one length"
        return [f"{said}; win rate not controlled for length ({why})"]
    room = raw if controlled < raw else 1 - raw
    far = abs(controlled - raw) > max(_FAR, room / 4)
    warning = " (far from raw: length or merit, it cannot tell which)" if far else ""
    return [f"{said}; win rate controlled for length {controlled:.3f}{warning}"]


def _of_trust(trust: JudgeTrust) -> str:
    kappa = "" if trust.kappa is None else f", kappa {trust.kappa:.2f}"
    entailed = "" if trust.entailed is None else f", more entailed wins {trust.entailed:.2f}"
    verdict = {
        True: "the judge is better than both",
        False: "the judge is no better: it may not decide",
        None: f"fewer than {FEWEST} pairs are decided: too few to say",
    }[trust.trusted]
    return (
        f"against gold answers ({trust.decided} pairs decided of {trust.pairs}): judge {trust.accuracy:.2f}{kappa}; "
        f"longer wins {trust.longer:.2f}{entailed}: {verdict}"
    )


def pairwise(block: PairwiseBlock, seed: int) -> Pairwise:
    """The suite as a recipe has it; without `data` with questions of our own (pairwise.jsonl).

    Raises:
        DataError: the data cannot be used.
    """
    own = block.data is None
    file = str(resources.files(__package__) / "pairwise.jsonl") if block.data is None else block.data
    rows = open_questions.read(file, NAME, _FIELDS)
    questions = [
        OpenQuestion(row["question"], row["document"], tuple(filter(None, row["answers"].split("\n"))))
        for row in rows
    ]
    return Pairwise(open_questions.sampled(questions, block.questions, seed), own)
