"""The suite `atomic-facts`: longer answers, fact by fact against the library (judging/atomic_facts.py).

Its main figure is F1@K: what is supported among what is said, and among the K facts that the model before
teaching says.  Refusing has 0 in it, one sure sentence a low recall and padding a low precision; FActScore's
own mean leaves refusals out, so it is won by refusing what is hard, and its penalty makes figures of models
with short answers vanish.  Both stand beside it, with the share of prompts that are answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from selfstudy.errors import DataError, ModelError
from selfstudy.judging import fact_scores, fact_splitting
from selfstudy.judging.atomic_facts import CheckedAnswer, CheckedFact, check
from selfstudy.judging.fact_splitting import FactList, LongAnswer
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import LanguageModel, Progress
from selfstudy.recipe.suites import AtomicFactsBlock
from selfstudy.records import Document, SuiteItem, digest
from selfstudy.text import one_line
from selfstudy.verify.suites import given, open_questions
from selfstudy.verify.suites.base import Measure, SuiteTools, failure

NAME = "atomic-facts"
PROMPT = "Tell me what you know about {topic}."
BLOCK = 64
"""Prompts asked and checked as one batch; K is the median of the first one, which is a random sample."""
HINT = "give rows like {prompt, topic, source}; topic and source may be missing"
MEASURES = (
    Measure(
        "f1@k", "f1", main=True, explanation="F1 of precision and of supported facts among K; refusing has 0"
    ),
    Measure(
        "score", "score", explanation="FActScore times respond ratio: precision x penalty, refusing has 0"
    ),
    Measure("factscore", "factscore", explanation="precision x penalty, of prompts that are answered alone"),
    Measure("precision", "precision", explanation="supported facts of those said, of answered prompts alone"),
    Measure("responded", "responded", better="neither", explanation="share of prompts answered with facts"),
    Measure("facts", "facts", better="neither", explanation="facts per prompt"),
    Measure("contradicted", "contradicted", per="facts", better="lower", explanation="of all facts"),
    Measure("not found", "not_found", per="facts", better="neither", explanation="of all facts"),
)


@dataclass(frozen=True, slots=True)
class TopicPrompt:
    """What is asked; see `LongAnswer`."""

    prompt: str
    topic: str = ""
    source: str = ""

    @property
    def item(self) -> str:
        """Tells it from the others."""
        return digest(self.prompt, self.topic, self.source)


class AtomicFacts:
    """See the module; fulfils `base.Suite`."""

    name = NAME
    measures = MEASURES

    def __init__(
        self, prompts: Sequence[TopicPrompt], gamma: int = fact_scores.GAMMA, k: int | None = None
    ) -> None:
        """Asks `prompts` in this order.

        Args:
            k: facts of a full answer; None: of the model before.
        """
        self._prompts = tuple(prompts)
        self._gamma = gamma
        self._k = k
        self._tools_in_words: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """See `base.Suite`; who split and who verified is known once it runs."""
        penalty = f"penalty below {self._gamma} facts (gamma)" if self._gamma else "no penalty (gamma 0)"
        k = f"K is {self._k}" if self._k else f"K is the median of the first {BLOCK} answers before teaching"
        return (
            f"{len(self)} prompts; {k}; {penalty}",
            *self._tools_in_words,
            "levels depend on splitter and verifier (published ones differ by 13 points): compare models",
        )

    def __len__(self) -> int:
        return len(self._prompts)

    def run(
        self,
        lm: LanguageModel,
        tools: SuiteTools,
        arm: Literal["base", "taught"],
        before: Sequence[SuiteItem] = (),
        done: frozenset[str] = frozenset(),
        progress: Progress | None = None,
    ) -> Iterator[list[SuiteItem]]:
        """See `base.Suite.run`.

        Where K is not known yet and the first block is done, it is asked once more to find K.

        Raises:
            ModelError: there is nothing to find passages with, or no entailment model.
        """
        self._require(tools)
        k = self._k or _k_of(before) or (1 if arm == "taught" else None)
        blocks = [self._prompts[i : i + BLOCK] for i in range(0, len(self._prompts), BLOCK)]
        finished = [all(one.item in done for one in block) for block in blocks]
        if all(finished):
            return
        for block, is_finished in zip(blocks, finished, strict=True):
            if is_finished and k is not None:
                continue
            made = self._made(block, lm, tools, None if is_finished else progress)
            said = [one.checked.counts.facts for one in made]
            if k is None and any(said):
                k = fact_scores.reference_k(said)
            if not is_finished:
                yield [self._item(one, arm, k) for one in made]

    def _require(self, tools: SuiteTools) -> None:
        if tools.retriever is None or tools.nli is None:
            missing = "library to check facts against" if tools.retriever is None else "entailment model"
            raise ModelError(
                f"suite {NAME}: there is no {missing}",
                "give the recipe a `library`" if tools.retriever is None else "give the recipe an `nli`",
            )
        judge = tools.judge
        splitter = (
            f"taken apart by {judge.name}" if judge else "sentences as they stand (no judge takes them apart)"
        )
        verifier = f"{tools.nli.name}" + (f", {judge.name} where that is not sure" if judge else "")
        self._tools_in_words = (f"facts: {splitter}", f"verdicts: {verifier}")
        if judge and tools.judged_by_itself:
            self._tools_in_words += ("the model itself takes its answers apart and decides unsure facts",)

    def _made(
        self, block: Sequence[TopicPrompt], lm: LanguageModel, tools: SuiteTools, progress: Progress | None
    ) -> list[_Made]:
        """The answers to a block, with their facts checked; all as one batch."""
        assert tools.retriever is not None
        assert tools.nli is not None
        said = open_questions.answers(lm, [one.prompt for one in block], progress)
        asked = [
            LongAnswer(one.prompt, "" if is_refusal(answer.text) else answer.text, one.topic, one.source)
            for one, answer in zip(block, said, strict=True)
        ]
        lists = fact_splitting.split(asked, tools.judge, tools.nli)
        checked = check(asked, lists, tools.retriever, tools.nli, tools.judge)
        return [
            _Made(
                prompt,
                answer.text,
                listed,
                CheckedAnswer(error=error) if (error := failure(answer)) else one,
            )
            for prompt, answer, listed, one in zip(block, said, lists, checked, strict=True)
        ]

    def _item(self, made: _Made, arm: Literal["base", "taught"], k: int | None) -> SuiteItem:
        error = made.checked.error
        return SuiteItem(
            suite=NAME,
            arm=arm,
            item=made.prompt.item,
            asked=made.prompt.prompt,
            answer=made.answer,
            about=made.prompt.topic,
            parts={} if error else self._parts(made, k),
            reasons={} if error else _reasons(made),
            error=error,
        )

    def _parts(self, made: _Made, k: int | None) -> dict[str, float]:
        counts = made.checked.counts
        parts = {
            "responded": float(counts.facts > 0),
            "facts": float(counts.facts),
            "supported": float(counts.supported),
            "contradicted": float(counts.contradicted),
            "not_found": float(counts.not_found),
            "f1": 0.0,
            "score": 0.0,
        }
        precision, score = counts.precision, fact_scores.factscore(counts, self._gamma)
        if precision is not None and score is not None and k is not None:
            parts |= {"precision": precision, "factscore": score, "score": score}
            parts |= {"f1": fact_scores.f1_at(counts, k), "k": float(k)}
        return parts


@dataclass(frozen=True, slots=True)
class _Made:
    """A prompt, its answer and what came of it."""

    prompt: TopicPrompt
    answer: str
    facts: FactList
    checked: CheckedAnswer


def _k_of(before: Sequence[SuiteItem]) -> int | None:
    """K as the model before was measured with."""
    return next((int(one.parts["k"]) for one in before if one.suite == NAME and "k" in one.parts), None)


def _reasons(made: _Made) -> dict[str, str]:
    """For people: each fact with its verdict and passage, and what was left out."""
    found = {f"fact {i}": _in_words(one) for i, one in enumerate(made.checked.facts, start=1)}
    if left_out := fact_splitting.left_out_in_words(made.facts.left_out):
        found["left out"] = left_out
    if made.facts.unread:
        found["not read"] = f"{made.facts.unread:,} characters at the end"
    return found


def _in_words(one: CheckedFact) -> str:
    sure = "" if one.probability is None else f" ({one.probability:.2f})"
    where = "" if one.passage is None else f" | {one.passage.source}[{one.passage.start}:{one.passage.end}]"
    return f"{one.verdict} by {one.decided_by}{sure}: {one_line(one.fact.text, 300)}{where}"


def atomic_facts(block: AtomicFactsBlock, seed: int, documents: Sequence[Document] = ()) -> AtomicFacts:
    """The suite as a recipe has it.

    Args:
        documents: of the library; without `data` each one's title is a topic, checked against all of them.

    Raises:
        DataError: the data cannot be used, or there is neither data nor a title.
    """
    if block.data is not None:
        prompts = given.distinct(given.read(NAME, block.data, "", parse, HINT), lambda one: one.item)
    else:
        titles = dict.fromkeys(title for one in documents if (title := one_line(one.title, 200)))
        prompts = [TopicPrompt(PROMPT.format(topic=title), title) for title in titles]
    if not prompts:
        raise DataError(
            f"suite {NAME}: no document of the library has a title to ask about",
            "give its `data`: rows of prompt, and perhaps topic and source",
        )
    return AtomicFacts(open_questions.sampled(prompts, block.questions, seed), block.gamma, block.k)


def parse(row: dict[str, Any]) -> list[TopicPrompt]:
    """The prompt of one row.

    Raises:
        MalformedError: it has none, or a field that is no text.
    """
    topic = given.field(row, "topic", "entity", "title", needed=False)
    source = given.field(row, "source", "url", needed=False)
    return [TopicPrompt(given.field(row, *open_questions.QUESTION), topic, source)]
