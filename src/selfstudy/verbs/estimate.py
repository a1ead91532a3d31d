"""What a recipe will ask of language models, told before a run begins: calls, tokens, time, cost, by stage.

The counts follow from the recipe; how many questions turn out to be gaps is not known before, so a share is
assumed and said.  Prompts are the real templates, filled with passages of the library and counted with the
model's own tokenizer.  `measure` asks the loaded model for some seconds: then answers have their real length
and time can be told.

Takes the stages' own constants and the table of training phases; what a stage does with them it repeats as
arithmetic, and a test holds it against what a run really asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from selfstudy.models.answering import from_document, from_memory
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.probe.scorers.bsdetector import GRADINGS
from selfstudy.probe.scorers.grading import GRADES
from selfstudy.probe.slots import WORDS
from selfstudy.probe.topics import PER_SET
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask, ModelBlock, Recipe, RemoteModel, ServerModel, name_of
from selfstudy.recipe.probe import SCORER_FACTS, ScorerName
from selfstudy.records import Chat, Document
from selfstudy.run.models import block_of
from selfstudy.teach import wordings as rewording
from selfstudy.teach.phases import labelled

ANSWER_TOKENS = 24.0
"""Assumed length of an answer in one sentence; half of a longer limit is not reached in practice."""
GAPS = 0.5
"""Assumed share of questions that are gaps with a reference, and so are taught and verified."""
KNOWN = 0.35
"""Assumed share of questions that are known."""
TRIES = 1.3
"""Assumed proposals per question from a document; refused ones are tried again."""
LOOKS = 1.3
"""Assumed passages read per question until one has the answer."""
CHECKS = 1.5
"""Assumed wordings checked per wording kept."""
SHOWN_DOCUMENTS = 200
"""Documents, evenly spread, whose length stands for all."""
SENTENCES = 1.5
"""Assumed sentences of an answer."""
LARGEST, GROWTH = 256, 4
"""Prompts of the largest batch that is measured, a block of the probe; how much larger each one is."""
QUESTION = "What is the name of the largest city of the country in question?"


@dataclass(frozen=True)
class Work:
    """One kind of asking: `chats` prompts of `prompt` tokens, `each` completions of `completion` tokens."""

    stage: str
    kind: str
    chats: float
    each: float
    prompt: float
    completion: float
    role: str = ""
    """Whose model is asked, where that is not the stage's: the judge."""
    greedy: bool = False
    """Whether the first completion of a prompt is greedy: a server is then asked for it apart."""

    @property
    def calls(self) -> float:
        """Completions asked for."""
        return self.chats * self.each

    def prompt_tokens(self, block: ModelBlock) -> float:
        """As the model of a block counts them: each prompt once, behind a server once per request."""
        requests = 1.0
        if isinstance(block, RemoteModel | ServerModel):
            one_each = isinstance(block, RemoteModel) and block.n is False
            requests = self.each if one_each else 1.0 + (self.greedy and self.each > 1)
        return self.chats * self.prompt * requests

    @property
    def completion_tokens(self) -> float:
        return self.calls * self.completion


@dataclass(frozen=True)
class Speed:
    """What was measured of one kind of asking: completions per second, and their mean length in tokens."""

    per_second: float
    tokens: float


@dataclass(frozen=True)
class StageCost:
    """A stage's sums. `seconds` without a measurement, and `cost` without prices, are None."""

    stage: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    cost: float | None
    currency: str = ""


@dataclass(frozen=True)
class Estimate:
    """Rows by stage, and what was assumed, in words."""

    rows: tuple[StageCost, ...]
    assumed: tuple[str, ...]
    works: tuple[Work, ...] = field(default=(), repr=False)


def estimate(
    recipe: Recipe,
    documents: Sequence[Document],
    prompts: Prompts,
    count: Callable[[Chat], int],
    speeds: dict[str, Speed] | None = None,
) -> Estimate:
    """What `selfstudy learn` would ask for.

    Args:
        documents: the library.
        count: tokens of a prompt.
        speeds: by kind of asking, from `measure`; None: nothing was measured.
    """
    works = list(_works(_Plan(recipe, documents, prompts, count, speeds or {})))
    rows = []
    for stage, role in dict.fromkeys((work.stage, work.role) for work in works):
        block = block_of(recipe, role or stage)
        if role and block == recipe.model:  # without a judge the model that answers judges
            block = block_of(recipe, stage)
        mine = [work for work in works if (work.stage, work.role) == (stage, role)]
        rows.append(_row(stage, block, mine, speeds))
    return Estimate(tuple(rows), tuple(_assumptions(recipe, speeds)), tuple(works))


def measure(
    lm: LanguageModel, recipe: Recipe, documents: Sequence[Document], prompts: Prompts, seconds: float = 5.0
) -> dict[str, Speed]:
    """Asks the model in ever larger batches, for about `seconds`: how fast it answers, and at what length.

    A slow model is asked for one completion of each kind, and is then faster in a run than measured here.
    """
    probe, gather, answering = recipe.probe, recipe.gather, recipe.answering
    passages = [document.text[:2000] for document in _spread(documents)] or [QUESTION]
    asked = prompts.chat
    kinds: dict[str, tuple[Callable[[int], Chat], Sampling]] = {
        "answer": (
            lambda i: asked("answer", question=_question(passages[i % len(passages)], i)),
            from_memory(answering, probe.samples, recipe.seed),
        ),
        "read": (
            lambda i: asked("read", question=QUESTION, document=passages[i % len(passages)]),
            replace(from_document(answering, max(1, gather.samples), recipe.seed), greedy_first=False),
        ),
        "question": (
            lambda i: asked("question_document", document=passages[i % len(passages)]),
            Sampling(n=1, max_new_tokens=64),
        ),
    }
    lm.generate([asked("answer", question=QUESTION)], Sampling(max_new_tokens=1))  # the first call is slow
    found = {}
    for kind, (chat, sampling) in kinds.items():
        found[kind] = _speed(lm, chat, sampling, seconds / len(kinds))
    return {kind: speed for kind, speed in found.items() if speed is not None}


def _speed(
    lm: LanguageModel, chat: Callable[[int], Chat], sampling: Sampling, seconds: float
) -> Speed | None:
    """From the last batch that was begun in time: larger batches are faster, and real ones are large."""
    began = time.perf_counter()
    speed, _ = _timed(lm, [chat(0)], replace(sampling, n=1, greedy_first=False))
    size, start, expected = 1, 1, 0.0
    while size <= LARGEST and time.perf_counter() - began + expected <= seconds:
        chats = [chat(start + i) for i in range(size)]
        found, took = _timed(lm, chats, replace(sampling, seed=start))
        speed = found or speed
        start += size
        size *= GROWTH
        # a batch that is four times as large takes about twice as long, as long as it fills the machine
        expected = 2 * took
    return speed


def _timed(lm: LanguageModel, chats: Sequence[Chat], sampling: Sampling) -> tuple[Speed | None, float]:
    """The speed at one batch, None if nothing was answered; and the seconds that it took."""
    began = time.perf_counter()
    answers = lm.generate(chats, sampling)
    took = time.perf_counter() - began
    good = [one.tokens for row in answers for one in row if one.error is None]
    return Speed(len(good) / max(took, 1e-6), fmean(good)) if good else None, took


def _question(passage: str, number: int) -> str:
    """A question with words of the passage, so that no two prompts are equal."""
    words = passage.split()
    at = (7 * number) % max(1, len(words) - 3)
    return f"What is {' '.join(words[at : at + 3])}?"


@dataclass(frozen=True)
class _Plan:
    """What all kinds of work are figured from."""

    recipe: Recipe
    documents: Sequence[Document]
    prompts: Prompts
    count: Callable[[Chat], int]
    speeds: dict[str, Speed]

    def tokens(self, name: str, **values: str) -> float:
        return float(self.count(self.prompts.chat(name, **values)))

    def with_document(self, name: str, longest: int, **values: str) -> float:
        """Mean tokens of a prompt with a passage of at most `longest` tokens in it."""
        shown = _spread(self.documents)
        if not shown:
            return self.tokens(name, document="", **values)
        empty = self.tokens(name, document="", **values)
        sizes = [self.tokens(name, document=one.text, **values) - empty for one in shown]
        return empty + fmean(min(size, longest) for size in sizes)

    def chunks(self, longest: int) -> int:
        """Chunks of the whole library."""
        shown = _spread(self.documents)
        if not shown:
            return 0
        sizes = [self.tokens("question_document", document=one.text) for one in shown]
        return round(fmean(max(1, -(-size // longest)) for size in sizes) * len(self.documents))

    def length(self, kind: str, limit: int) -> float:
        """Tokens of an answer."""
        known = self.speeds.get(kind)
        return min(float(limit), known.tokens if known else ANSWER_TOKENS)

    @property
    def questions(self) -> float:
        """Distinct questions that come of all ways of asking."""
        total = 0.0
        for ask in self.recipe.probe.ask:
            most = self.chunks(ask.chunk_tokens) * ask.per_chunk if ask.method == "documents" else ask.count
            total += min(ask.count, most)
        return total


def _works(plan: _Plan) -> Iterator[Work]:
    yield from _asking(plan)
    yield from _answering(plan)
    yield from _judging(plan)
    if plan.recipe.library is not None:
        yield from _gathering(plan)
        yield from _teaching(plan)
        yield from _verifying(plan)


def _asking(plan: _Plan) -> Iterator[Work]:
    for ask in plan.recipe.probe.ask:
        if ask.questions:
            continue
        length = plan.length("question", ask.max_new_tokens)
        if ask.method == "documents":
            chats = min(ask.count, plan.chunks(ask.chunk_tokens) * ask.per_chunk) * TRIES
            prompt = plan.with_document("question_document", ask.chunk_tokens)
            yield Work("probe", "question", chats, ask.proposals, prompt, length)
            yield from _checking(plan, ask, chats)
            continue
        if ask.method in ("open", "induced"):
            sets = ask.count / (len(WORDS) if ask.method == "induced" else 1)
            blocks = max(1, round(sets / plan.recipe.answering.block_size))
            yield Work("probe", "topics", blocks, sets / blocks, plan.tokens("topics"), length)
        topics = "; ".join(["Saint Petersburg"] * PER_SET)
        prompt = plan.tokens("question_open", topics=topics)
        yield Work("probe", "question", ask.count, ask.proposals, prompt, length)
        if plan.recipe.library is not None:
            yield from _checking(plan, ask, ask.count)


def _checking(plan: _Plan, ask: Ask, tries: float) -> Iterator[Work]:
    """Pages that are read twice, and the other wordings: as if one proposal a try were looked at."""
    if ask.check == "none":
        return
    read = plan.with_document("read", plan.recipe.gather.chunk_tokens, question=QUESTION)
    length = plan.length("read", plan.recipe.answering.reading_tokens)
    yield Work("probe", "read", 2 * tries, 1, read, length)
    reword = plan.tokens("reword", question=QUESTION)
    yield Work("probe", "question", tries, 1, reword, plan.length("question", ask.max_new_tokens))


def _answering(plan: _Plan) -> Iterator[Work]:
    block = plan.recipe.probe
    prompt = plan.tokens("answer", question=QUESTION)
    length = plan.length("answer", plan.recipe.answering.max_new_tokens)
    yield Work("probe", "answer", plan.questions, 1 + block.samples, prompt, length, greedy=True)


def _judging(plan: _Plan) -> Iterator[Work]:
    """What scorers ask a language model."""
    block = plan.recipe.probe
    asked: dict[ScorerName, tuple[float, float]] = {
        "selfcheck-llm": (plan.questions * block.samples * SENTENCES, 1.0),
        "bsdetector": (plan.questions, float(GRADINGS)),
        "p-true": (plan.questions * len(GRADES), 1.0),
    }
    sizes = {
        "grade": plan.tokens("grade", question=QUESTION, answer=QUESTION),
        "support": plan.tokens("support", context=QUESTION, sentence=QUESTION),
    }
    for name in sorted(block.scorers):
        if not SCORER_FACTS[name].prompts:
            continue
        chats, each = asked[name]
        prompt = sum(sizes[one] for one in SCORER_FACTS[name].prompts)
        yield Work("probe", "judge", chats, each, prompt, 3, "" if name == "p-true" else "judge")


def _gathering(plan: _Plan) -> Iterator[Work]:
    block = plan.recipe.gather
    prompt = plan.with_document("read", block.chunk_tokens, question=QUESTION)
    length = plan.length("read", plan.recipe.answering.reading_tokens)
    chats = plan.questions * min(LOOKS, block.hits)
    yield Work("gather", "read", chats, 1 + block.samples, prompt, length, greedy=True)


def _teaching(plan: _Plan) -> Iterator[Work]:
    recipe = plan.recipe
    block = recipe.teach
    gaps = plan.questions * GAPS
    wordings = block.wordings + block.heldout_wordings
    read = plan.with_document("read", recipe.gather.chunk_tokens, question=QUESTION)
    if wordings:
        prompt = plan.tokens("reword", question=QUESTION)
        length = plan.length("question", rewording.MAX_NEW_TOKENS)
        yield Work("teach", "question", gaps, rewording.proposals(block), prompt, length)
        checks = gaps * wordings * CHECKS
        yield Work("teach", "read", checks, 1, read, plan.length("read", recipe.answering.reading_tokens))
    prompt = plan.tokens("answer", question=QUESTION)
    length = plan.length("answer", recipe.answering.max_new_tokens)
    for _, _, phase in labelled(block.plan)[1:]:  # the first one goes by what the probe asked
        if phase.asks:
            yield Work("teach", "answer", gaps * (1 + block.wordings), phase.asks, prompt, length)


def _verifying(plan: _Plan) -> Iterator[Work]:
    recipe = plan.recipe
    verify, most = recipe.verify, recipe.verify.max_questions
    arms = 3 if verify.control else 2
    gaps = min(plan.questions * GAPS, most)
    known = min(plan.questions * KNOWN * recipe.teach.known_heldout, most)
    wordings = bool(recipe.teach.wordings) + bool(recipe.teach.heldout_wordings) + bool(recipe.answer_key)
    answer, length = (
        plan.tokens("answer", question=QUESTION),
        plan.length("answer", recipe.answering.max_new_tokens),
    )
    yield Work("verify", "answer", arms * gaps, 1 + verify.samples, answer, length, greedy=True)
    yield Work("verify", "answer", arms * (gaps * wordings + known), 1, answer, length)
    read = plan.with_document("read", recipe.gather.chunk_tokens, question=QUESTION)
    length = plan.length("read", recipe.answering.reading_tokens)
    yield Work("verify", "read", arms * min(gaps + known, most), 1, read, length)


def _row(stage: str, block: ModelBlock, works: Sequence[Work], speeds: dict[str, Speed] | None) -> StageCost:
    prompt = sum(work.prompt_tokens(block) for work in works)
    completion = sum(work.completion_tokens for work in works)
    prices = getattr(block, "prices", None)
    return StageCost(
        stage=stage,
        model=name_of(block),
        calls=round(sum(work.calls for work in works)),
        prompt_tokens=round(prompt),
        completion_tokens=round(completion),
        seconds=_seconds(works, speeds),
        cost=(prompt * prices.prompt + completion * prices.completion) / 1e6 if prices else None,
        currency=prices.currency if prices else "",
    )


def _seconds(works: Sequence[Work], speeds: dict[str, Speed] | None) -> float | None:
    if not speeds:
        return None
    slowest = min(speed.per_second for speed in speeds.values())
    return sum(
        work.calls / (speeds[work.kind].per_second if work.kind in speeds else slowest) for work in works
    )


def _spread(documents: Sequence[Document]) -> Sequence[Document]:
    """At most SHOWN_DOCUMENTS of them, evenly spread."""
    step = max(1, len(documents) // SHOWN_DOCUMENTS)
    return documents[::step][:SHOWN_DOCUMENTS]


def _assumptions(recipe: Recipe, speeds: dict[str, Speed] | None) -> Iterator[str]:
    yield (
        f"{GAPS:.0%} of the questions are assumed to be gaps with a reference, and {KNOWN:.0%} known: with "
        "fewer, teach and verify ask less"
    )
    if recipe.probe.adaptive is not None:
        yield "adaptive sampling asks for fewer samples than shown"
    if recipe.rounds > 1:
        yield f"the figures are of one round; there may be {recipe.rounds}"
    if not speeds:
        yield f"answers are assumed to have {ANSWER_TOKENS:.0f} tokens; a measurement would tell"
    else:
        yield "time is the language model's: scoring with the entailment model and training add to it"
        probed = block_of(recipe, "probe")
        if any(block_of(recipe, role) != probed for role in ("gather", "judge", "teach", "verify")):
            yield f"every model is assumed to be as fast as the one that was measured, {name_of(probed)}"
