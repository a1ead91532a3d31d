"""What a recipe will ask of language models: prompts, completions and their tokens, by stage.

The counts follow from the recipe; how many questions turn out to be gaps is not known before, so a share is
assumed.  Prompts are the real templates, filled with passages of the library and counted with the model's
own tokenizer.  With what was measured (measuring.py) answers have their real length.

Takes the stages' own constants and the table of training phases; what a stage does with them it repeats as
arithmetic, and a test holds it against what a run really asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from selfstudy.files.rows import read_rows
from selfstudy.judging.rewarders import PROMPTS
from selfstudy.judging.trust import REFUSAL
from selfstudy.probe.scorers.bsdetector import GRADINGS
from selfstudy.probe.scorers.grading import GRADES
from selfstudy.probe.slots import WORDS
from selfstudy.probe.topics import PER_SET
from selfstudy.probe.usable import ANY
from selfstudy.prompts import Prompts
from selfstudy.recipe import (
    Ask,
    ExamplesBlock,
    GRPOBlock,
    ModelBlock,
    OnlineDPOBlock,
    PPOBlock,
    Recipe,
    RejectionBlock,
    RemoteModel,
    ServerModel,
)
from selfstudy.recipe.entailment import is_atlas
from selfstudy.recipe.probe import SCORER_FACTS, ScorerName
from selfstudy.records import Chat, Document, Target, without_demonstrations
from selfstudy.run.source_groups import SourceGroups
from selfstudy.run.split import trains_to_cite
from selfstudy.teach import grouped
from selfstudy.teach import wordings as rewording
from selfstudy.teach.phases import labelled
from selfstudy.verbs.measuring import Measured
from selfstudy.verbs.speeds import QUESTION, spread
from selfstudy.verify import general
from selfstudy.verify.again import MOST
from selfstudy.verify.questions import orders

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
FURTHER = 0.5
"""Assumed share of the further passages that are about the same thing, so that they are heard too."""
CHECKS = 1.5
"""Assumed wordings checked per wording kept."""
RIGHT = 0.6
"""Assumed share of general facts that a model answers right; of the built-in ones atlas-lm knows none."""
OF_ITSELF = ("p-true", "claim-likelihood")
"""Scorers that ask the model that answered, not a judge."""
SENTENCES = 1.5
"""Assumed sentences of an answer."""
BEGUN = 7
"""Assumed beginnings that a question is weighed with, its own included."""
JUDGEMENT = 48.0
"""Assumed tokens of a rating, with an assessment before it and what is missing after it; or of a verdict on
one criterion, which is what a gap is held to."""
SENTENCE = 30
"""Assumed tokens of a sentence, under the title of its page."""


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
class Plan:
    """What all kinds of work are figured from."""

    recipe: Recipe
    documents: Sequence[Document]
    prompts: Prompts
    count: Callable[[Chat], int]
    measured: Measured

    def tokens(self, name: str, **values: str) -> float:
        return float(self.count(self.prompts.chat(name, **values)))

    def with_document(self, name: str, longest: int, **values: str) -> float:
        """Mean tokens of a prompt with a passage of at most `longest` tokens in it."""
        shown = spread(self.documents)
        empty = self.tokens(name, document="", **values)
        if not shown:  # what is fetched is not known before: passages are assumed to be full
            return empty + (longest if self.recipe.library and self.recipe.library.fetches else 0)
        sizes = [self.tokens(name, document=one.text, **values) - empty for one in shown]
        return empty + fmean(min(size, longest) for size in sizes)

    def with_documents(self, count: int) -> float:
        """Mean tokens of a question with so many numbered passages."""
        asked = {"question": QUESTION, "refusal": REFUSAL}
        empty = self.tokens("cite_answer", documents="", **asked)
        longest = self.recipe.gather.chunk_tokens
        one = self.with_document("read", longest, question=QUESTION)
        return empty + count * (one - self.tokens("read", document="", question=QUESTION))

    def chunks(self, longest: int) -> int:
        """Chunks of the whole library."""
        shown = spread(self.documents)
        if not shown:
            return 0
        sizes = [self.tokens("question_document", document=one.text) for one in shown]
        return round(fmean(max(1, -(-size // longest)) for size in sizes) * len(self.documents))

    def length(self, kind: str, limit: int) -> float:
        """Tokens of an answer."""
        known = self.measured.speeds.get(kind)
        return min(float(limit), known.tokens if known else ANSWER_TOKENS)

    @property
    def gaps(self) -> float:
        """Questions that are taught and verified."""
        return self.questions * (GAPS if self.measured.gaps is None else self.measured.gaps)

    @cached_property
    def adapters(self) -> int:
        """Trained in a round, each from the model as it is."""
        if self.recipe.deploy.type != "dynamic":
            return 1
        groups = SourceGroups(self.recipe.deploy)
        named = {groups.of(document.source) for document in self.documents}
        return max(1, min(len(named), grouped.MOST, round(self.gaps)))

    @property
    def known(self) -> float:
        return self.questions * (KNOWN if self.measured.known is None else self.measured.known)

    @property
    def tested(self) -> float:
        """Known questions of its own that are held out."""
        return self.known * self.recipe.teach.known_heldout

    @property
    def replayed_in_other_words(self) -> float:
        """Known questions that are replayed in other wordings too: their own, no general facts."""
        plan = self.recipe.teach.plan
        wanted = any(isinstance(block, ExamplesBlock) and block.replay_wordings for block in plan)
        return self.known - self.tested if wanted else 0.0

    @property
    def unanswerable(self) -> float:
        """Questions that are neither, and held out, where refusing is taught: if none is known after all."""
        teach = self.recipe.teach
        rest = max(0.0, self.questions - self.gaps - self.known)
        return rest * teach.refusals.heldout if teach.refuse_unverifiable else 0.0

    @cached_property
    def facts(self) -> int:
        """General facts that are asked before teaching."""
        verify = self.recipe.verify
        if verify.known_questions is None:
            if self.tested >= min(general.WANTED, verify.max_questions):
                return 0
            if is_atlas(self.recipe.model):  # after the first block there is no hope
                return min(general.BLOCK, verify.max_questions)
        return min(len(general.general_facts(verify.known_questions)), verify.max_questions)

    @property
    def tested_facts(self) -> float:
        """General facts that verify asks: what is held out of them, right or wrong."""
        verify = self.recipe.verify
        held = self.facts * self.recipe.teach.known_heldout
        if verify.known_questions:
            return held
        if is_atlas(self.recipe.model):
            return 0.0
        return min(held, max(0.0, general.WANTED - self.tested) / RIGHT)

    @property
    def orders(self) -> int:
        """In how many orders of the demonstrations general facts are asked."""
        chat = self.prompts.chat("answer", question=QUESTION)
        shown = self.count(chat) > self.count(without_demonstrations(chat))
        return orders(self.recipe, self.prompts, shown=shown)

    @cached_property
    def questions(self) -> float:
        """Distinct questions that come of all ways of asking."""
        total = 0.0
        for ask in self.recipe.probe.ask:
            most = self.chunks(ask.chunk_tokens) * ask.per_chunk if ask.method == "documents" else ask.count
            total += min(ask.count, most)
        return total


def works_of(plan: Plan) -> Iterator[Work]:
    """All of it, in the order of the stages."""
    yield from _asking(plan)
    yield from _answering(plan)
    yield from _judging(plan)
    if plan.recipe.library is not None:
        yield from _gathering(plan)
        yield from _teaching(plan)
        yield from _verifying(plan)


def _asking(plan: Plan) -> Iterator[Work]:
    for ask in plan.recipe.probe.ask:
        if ask.given:
            continue
        length = plan.length("question", ask.max_new_tokens)
        if ask.method == "documents":
            chats = min(ask.count, plan.chunks(ask.chunk_tokens) * ask.per_chunk) * TRIES
            longest = ask.chunk_tokens if ask.check == "none" else SENTENCE
            prompt = plan.with_document("question_document", longest)
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


def _checking(plan: Plan, ask: Ask, tries: float) -> Iterator[Work]:
    """Pages that are read twice, other wordings and beginnings: as if one proposal a try were looked at."""
    if ask.check == "none":
        return
    read = plan.with_document("read", plan.recipe.gather.chunk_tokens, question=QUESTION)
    length = plan.length("read", plan.recipe.answering.reading_tokens)
    yield Work("probe", "read", 2 * tries, 1, read, length)
    reword = plan.tokens("reword", question=QUESTION)
    yield Work("probe", "question", tries, 1, reword, plan.length("question", ask.max_new_tokens))
    begun = plan.tokens("question_document", document=ANY)
    yield Work("probe", "judge", BEGUN * tries, 1, begun, 3)


def _answering(plan: Plan) -> Iterator[Work]:
    block = plan.recipe.probe
    prompt = plan.tokens("answer", question=QUESTION)
    length = plan.length("answer", plan.recipe.answering.max_new_tokens)
    yield Work("probe", "answer", plan.questions, 1 + block.samples, prompt, length, greedy=True)


def _judging(plan: Plan) -> Iterator[Work]:
    """What scorers ask a language model."""
    block = plan.recipe.probe
    asked: dict[ScorerName, tuple[float, float]] = {
        "selfcheck-llm": (plan.questions * block.samples * SENTENCES, 1.0),
        "bsdetector": (plan.questions, float(GRADINGS)),
        "p-true": (plan.questions * len(GRADES), 1.0),
        "claim-likelihood": (plan.questions, 1.0),
    }
    sizes = {
        "answer": plan.tokens("answer", question=QUESTION),
        "grade": plan.tokens("grade", question=QUESTION, answer=QUESTION),
        "support": plan.tokens("support", context=QUESTION, sentence=QUESTION),
    }
    for name in sorted(block.scorers):
        if not SCORER_FACTS[name].prompts:
            continue
        chats, each = asked[name]
        prompt = sum(sizes[one] for one in SCORER_FACTS[name].prompts)
        yield Work("probe", "judge", chats, each, prompt, 3, "" if name in OF_ITSELF else "judge")


def _gathering(plan: Plan) -> Iterator[Work]:
    block = plan.recipe.gather
    prompt = plan.with_document("read", block.chunk_tokens, question=QUESTION)
    length = plan.length("read", plan.recipe.answering.reading_tokens)
    chats = plan.questions * min(LOOKS, block.hits)
    if block.conflicts != "ignore" and block.hits > 1:
        yield Work("gather", "read", plan.questions * (block.hits - 1) * FURTHER, 1, prompt, length)
    yield Work("gather", "read", chats, 1 + block.samples, prompt, length, greedy=True)


def _teaching(plan: Plan) -> Iterator[Work]:
    recipe = plan.recipe
    block = recipe.teach
    gaps = plan.gaps
    wordings = block.wordings + block.heldout_wordings
    read = plan.with_document("read", recipe.gather.chunk_tokens, question=QUESTION)
    yield Work("teach", "train", 0, 0, 0, 0)
    if wordings:
        prompt = plan.tokens("reword", question=QUESTION)
        length = plan.length("question", rewording.MAX_NEW_TOKENS)
        reworded = gaps + plan.replayed_in_other_words
        yield Work("teach", "question", reworded, rewording.proposals(block), prompt, length)
        checks = reworded * wordings * CHECKS
        yield Work("teach", "read", checks, 1, read, plan.length("read", recipe.answering.reading_tokens))
    prompt = plan.tokens("answer", question=QUESTION)
    length = plan.length("answer", recipe.answering.max_new_tokens)
    if plan.facts:
        yield Work("teach", "answer", plan.facts, 1, prompt, length)
    for _, _, phase in labelled(block.plan)[1:]:  # the first one goes by what the probe asked
        if phase.asks:
            yield Work("teach", "answer", gaps * (1 + block.wordings), phase.asks, prompt, length)
    for one in block.plan:
        if isinstance(one, OnlineDPOBlock):
            yield from _practising(plan, one)
        elif isinstance(one, RejectionBlock | PPOBlock | GRPOBlock):
            yield _citing(plan, one)


def _citing(plan: Plan, block: RejectionBlock | PPOBlock | GRPOBlock) -> Work:
    """Answers of a phase that trains to cite, without those that measure what is kept apart.

    A beam's sentences are counted as the answers that it holds at once.
    """
    length = plan.length("cite", block.max_new_tokens)
    prompt = plan.with_documents(block.documents)
    if not isinstance(block, RejectionBlock):
        return Work("teach", "cite", block.steps * block.batch_size, block.completions, prompt, length)
    each = block.samples if block.search == "best-of" else block.beams * block.continuations
    asked = plan.gaps * (1 + plan.recipe.teach.wordings + block.withheld)
    if block.data is not None:
        asked = sum(1 for _ in read_rows(block.data))
    return Work("teach", "cite", asked, each, prompt, length)


def _practising(plan: Plan, block: OnlineDPOBlock) -> Iterator[Work]:
    """Answers of an online phase and their judgements, as if no two answers were alike; not its updates."""
    asked = block.steps * block.batch_size
    prompt = plan.tokens("answer", question=QUESTION)
    yield Work(
        "teach", "answer", asked, block.completions, prompt, plan.length("answer", block.max_new_tokens)
    )
    if block.reward.type != "random":
        held = {"criteria": f"1. (Essential) States: {QUESTION}"} if block.reward.by_rubric else {}
        prompt = plan.tokens(PROMPTS[block.reward.type], prompt=QUESTION, response=QUESTION, **held)
        apart = "judge" if block.judge == "judge" else ""
        yield Work("teach", apart or "answer", asked * block.completions, 1, prompt, JUDGEMENT, apart)


def _verifying(plan: Plan) -> Iterator[Work]:
    recipe = plan.recipe
    verify, most = recipe.verify, recipe.verify.max_questions
    arms = 3 if verify.control else 2
    gaps = min(plan.gaps, most)
    own = min(plan.tested, most)
    facts = min(plan.tested_facts, most)
    wordings = bool(recipe.teach.wordings) + bool(recipe.teach.heldout_wordings) + bool(recipe.answer_key)
    answer, length = (
        plan.tokens("answer", question=QUESTION),
        plan.length("answer", recipe.answering.max_new_tokens),
    )
    yield Work("verify", "answer", arms * gaps, 1 + verify.samples, answer, length, greedy=True)
    asked: dict[Target, float] = {"gap": gaps, "known": own, "general": facts}
    again = verify.repeats * sum(min(count, MOST[target]) for target, count in asked.items())
    first = gaps * wordings + own + facts * plan.orders + min(plan.unanswerable, most)
    yield Work("verify", "answer", arms * first + again, 1, answer, length)
    read = plan.with_document("read", recipe.gather.chunk_tokens, question=QUESTION)
    length = plan.length("read", recipe.answering.reading_tokens)
    if trains_to_cite(recipe):  # with what answers them and without
        citing = verify.citing
        length_cited = plan.length("cite", citing.max_new_tokens)
        prompt = plan.with_documents(citing.documents)
        yield Work("verify", "cite", arms * 2 * own, 1, prompt, length_cited)
    pages = min(gaps + own, most)
    again = verify.repeats * min(pages, MOST["reading"])
    yield Work("verify", "read", arms * pages + again, 1, read, length)
