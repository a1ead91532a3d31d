"""The data that flows between stages: frozen, hashable by content, one JSON line each.

Every record has a stable `id`: a hash of the fields that make it what it is.  The same question asked in
two runs has the same id; a record names the ids it came from, so that every answer of a taught model can
be followed back: question -> answer -> score -> evidence -> reference -> verdict -> example or pair -> check.

This file knows nothing of models, files or stages.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Unit = Annotated[float, Field(ge=0.0, le=1.0)]
"""A number in [0, 1]."""

VerdictKind = Literal["known", "unsure", "unknown", "misbelief", "unverifiable"]
GAPS: tuple[VerdictKind, ...] = ("unsure", "unknown", "misbelief")
"""Verdicts of gaps, which are taught (README, the table of verdicts)."""
PersonLabel = Literal["right", "wrong", "cannot tell"]
"""What a person says of the model's passage."""
Withdrawn = Literal["label", "reference"]
"""What a person takes back."""
STAGES = ("probe", "gather", "teach", "verify")
"""The stages of the loop, in order."""
Arm = Literal["base", "taught", "control", "original", "weaker"]
"""Who is asked by verify: the model before this round's teaching, after it, taught on random pairs, in later
rounds the model as it was before the first, and, where the taught one forgot, it at a smaller strength."""
TrainedArm = Literal["taught", "control"]
"""The arms that teach makes."""
AdapterArm = Literal["taught", "control", "weaker"]
"""The arms that have an adapter of the round's own."""
QuestionMethod = Literal["open", "induced", "oracle", "external", "documents", "logs"]
Target = Literal["gap", "known", "general", "reading"]
"""What verify asks about: a gap; what is never trained, known or general; a page in the prompt."""
PairOrigin = Literal[
    "sample", "passage", "taught-model", "own", "telling", "dash", "online", "random", "imported"
]
Wording = Literal["original", "trained", "reworded", "novel"]
"""How a question is put: as first asked; a trained rewording; one held out; one seen nowhere before."""
VerdictLabel = Literal["yes", "partly", "no"]
"""Whether the model's own passage says what the reference says (methods 1); yes is 1, partly 0.5, no 0."""
Settled = Literal["newer", "supported", "unresolved"]
"""What decided between sources that disagree: the later date, more independent sources, or nothing."""
JudgedBy = Literal["key", "reference", "page"]
"""What a check's answer is compared with."""


def digest(*parts: str) -> str:
    """16 hex digits that identify `parts`, in order."""
    h = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)
    return h.hexdigest()


class Record(BaseModel):
    """Base of all records: frozen, strict about unknown fields, `id` derived from `key_fields` if absent."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key_fields: ClassVar[tuple[str, ...]] = ()
    later_key_fields: ClassVar[tuple[str, ...]] = ()
    """Of newer versions: what has their default keeps the id that it had without them."""
    file: ClassVar[str] = ""
    """Name of the JSONL file of the run directory that holds these records."""

    id: str = ""

    @model_validator(mode="after")
    def _derive_id(self) -> Record:
        if not self.id:
            parts = [str(getattr(self, name)) for name in self.key_fields]
            for name in self.later_key_fields:
                if (value := getattr(self, name)) != type(self).model_fields[name].default:
                    parts.append(f"{name} {value}")
            object.__setattr__(self, "id", digest(type(self).__name__, *parts))
        return self


class Message(BaseModel):
    """One turn of a chat."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: str
    demonstration: bool = Field(default=False, exclude_if=lambda value: value is False)
    """A turn of an example before the real ones, for models that learn from it what is wanted."""


Chat = tuple[Message, ...]


def without_demonstrations(chat: Chat) -> Chat:
    """The turns that are really meant."""
    return tuple(turn for turn in chat if not turn.demonstration)


class Document(Record):
    """A text of the library. `source` is a path or URL, `title` may be empty.

    `date`: when it was published or last changed, as 2026, 2026-11 or 2026-11-28, "" where it does not say.
    Of a page: `fetched`, when (UTC), and `sha256` of the bytes that it was read out of.
    """

    key_fields = ("source", "text")
    file = "documents.jsonl"
    source: str
    title: str = ""
    text: str
    date: str = Field(default="", exclude_if=lambda value: value == "")
    fetched: str = Field(default="", exclude_if=lambda value: value == "")
    sha256: str = Field(default="", exclude_if=lambda value: value == "")


class Question(Record):
    """Something the model is asked (methods 1: a proposed question).

    `topic` groups questions for splits and maps; `document_id` is set by the `documents` method.
    """

    key_fields = ("text",)
    file = "questions.jsonl"
    text: str
    topic: str = ""
    method: QuestionMethod = "external"
    document_id: str | None = None


class Proposal(Record):
    """One question as the model proposed it: `text` is literal, a repeat has the `question_id` of the first.

    `ask` is the position in the recipe's list of ways to ask, `index` counts from 0 within it.  A failed
    proposal has no `question_id` and an `error`; its `text` is what was refused, if anything.  `tried` counts
    what the model said before this was taken or given up; `dropped` what of it was refused, by reason.
    """

    key_fields = ("ask", "index")
    file = "proposals.jsonl"
    ask: int
    index: int
    method: QuestionMethod
    text: str = ""
    question_id: str | None = None
    error: str | None = None
    tried: int = Field(default=1, exclude_if=lambda value: value == 1)
    dropped: dict[str, int] = Field(default_factory=dict, exclude_if=lambda value: not value)


class Completion(BaseModel):
    """One generated text: token count, summed log-probability (natural log, at temperature 1), why it ended.

    `finish` is "error" when the item failed; then `text` is empty and `error` says why.  `logprob` is NaN
    where a server gives none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str
    tokens: int = 0
    logprob: float = 0.0
    finish: Literal["stop", "length", "error"] = "stop"
    error: str | None = None


class Answer(Record):
    """The model's passage (greedy) and its K samples (temperature 1) to one question (methods 1)."""

    key_fields = ("question_id",)
    file = "answers.jsonl"
    question_id: str
    passage: Completion
    samples: tuple[Completion, ...]


class SentenceScore(BaseModel):
    """Inconsistency of one sentence of the passage: its mean and one value per sample, each in [0, 1].

    A sample that could not be judged has None and does not count in the mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str
    value: Unit
    per_sample: tuple[float | None, ...]


class Score(Record):
    """Hallucination score of one answer: in [0, 1], higher = less consistent; None if it has an `error`.

    What it rests on, as far as the scorer has it: `sentences` with their samples, `clusters` (the meaning of
    each usable sample, numbered from 0 in order of appearance), `parts` (named intermediate values).
    """

    key_fields = ("question_id", "scorer")
    file = "scores.jsonl"
    question_id: str
    scorer: str
    value: Unit | None
    sentences: tuple[SentenceScore, ...] = ()
    clusters: tuple[int, ...] = ()
    parts: dict[str, float] = Field(default_factory=dict)
    error: str | None = None


class Evidence(Record):
    """A passage of a document that may answer a question: text == document.text[start:end].

    `rank` 0 is the best hit; `relevance` is the retriever's own score (not comparable between retrievers).
    `date`, `fetched`, `sha256`: of its document.
    """

    key_fields = ("question_id", "document_id", "start", "end")
    file = "evidence.jsonl"
    question_id: str
    document_id: str
    source: str
    title: str = ""
    text: str
    start: int
    end: int
    rank: int
    relevance: float
    date: str = Field(default="", exclude_if=lambda value: value == "")
    fetched: str = Field(default="", exclude_if=lambda value: value == "")
    sha256: str = Field(default="", exclude_if=lambda value: value == "")


class NotEvidence(Record):
    """A document that a search found and that may not be evidence: too old, or of an excluded source."""

    key_fields = ("document_id", "why")
    file = "not_evidence.jsonl"
    document_id: str
    source: str
    why: Literal["stale", "excluded"]
    date: str = ""


class Reference(Record):
    """An answer read out of evidence (methods 2: y*).

    `inconsistency` is S_L: mean contradiction of the reference with K answers that also saw the evidence;
    `accepted`: an answer was found, and enough answers agree with it, as `gather.accept` has it.
    `explanation` says what was found, or why it is not accepted.

    `sources`: how many independent sources say it (`gather/conflicts.py`): 1 is one source only, 0 where
    nobody counted.  `given_by`: the evidence, or, without any, a stronger model, whose answer rests on
    nothing (`evidence_id` is "") and counts as no evidence; or a person, whose words are the evidence.
    `samples`: of an accepted one, what other answers with the same evidence say, those that agree with it,
    each once.
    """

    key_fields = ("question_id", "evidence_id")
    later_key_fields = ("given_by",)
    file = "references.jsonl"
    question_id: str
    evidence_id: str
    text: str
    inconsistency: Unit | None
    accepted: bool
    explanation: str = ""
    sources: int = Field(default=0, ge=0, exclude_if=lambda value: value == 0)
    given_by: Literal["evidence", "teacher", "person"] = Field(
        default="evidence", exclude_if=lambda value: value == "evidence"
    )
    samples: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    error: str | None = None


class Saying(BaseModel):
    """What one passage says to a question: text[start:end] of its document, under `side` of a `Conflict`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    side: int
    evidence_id: str
    source: str
    date: str = ""
    answer: str
    quote: str
    start: int
    end: int


class Conflict(Record):
    """Sources that disagree about the answer to a question, and what was decided.

    `sayings`: of each side one or more, the side of the best passage first.  `chosen`: the side that is
    believed, None if `decided` is unresolved.  `support`: of each side, how many independent sources it has.
    """

    key_fields = ("question_id",)
    file = "conflicts.jsonl"
    question_id: str
    sayings: tuple[Saying, ...]
    support: tuple[int, ...]
    decided: Settled
    chosen: int | None = None
    reason: str


class Verdict(Record):
    """Consistency joined with truth (README, the table of verdicts).

    `score` is the hallucination score, `contradiction` is P(contradiction) between passage and reference,
    `agrees` whether the passage agrees with the reference (None when there is no accepted reference): its
    `label` is then yes.  `reason`: why it cannot be verified, where there is one to tell.
    """

    key_fields = ("question_id",)
    file = "verdicts.jsonl"
    question_id: str
    kind: VerdictKind
    score: Unit | None
    contradiction: Unit | None = None
    agrees: bool | None = None
    reference_id: str | None = None
    label: VerdictLabel | None = Field(default=None, exclude_if=lambda value: value is None)
    reason: str = Field(default="", exclude_if=lambda value: value == "")


class Rewording(Record):
    """Another wording of a question. `use` says whether it is trained on or held out for verify."""

    key_fields = ("question_id", "text")
    file = "rewordings.jsonl"
    question_id: str
    text: str
    use: Literal["train", "heldout"]


class Example(Record):
    """One supervised example.

    `kind`: a gap's reference; the same with evidence in the prompt (reading); a known question (replay);
    reading from a page whose answer was exchanged (swapped); what has to do with none of it (neutral);
    imported: made by somebody else, and to be taught as it is; cited: an answer with citations, the best
    of what a model has said; or refusal: that it does not know, to a question without evidence.
    `teacher`: what the frozen model reads where its distributions are learned; empty: the text itself is.
    `question`: of a cited one, how it was put: its prompt has documents too.
    """

    key_fields = ("prompt", "completion")
    file = "examples.jsonl"
    prompt: Chat
    completion: str
    question_id: str
    kind: Literal["reference", "reading", "replay", "swapped", "neutral", "imported", "cited", "refusal"]
    teacher: Chat = ()
    question: str = Field(default="", exclude_if=lambda value: value == "")


class Pair(Record):
    """A preference pair. `weight` multiplies its share of training; `origin`: where `rejected` came from.

    `part`: what it counts for in the loss; of a gap with several pairs each is one of so many.

    A pair that somebody else made has origin "imported", and no verdict; of one that was made while the model
    was trained ("online") both answers are the model's own.
    """

    key_fields = ("prompt", "chosen", "rejected")
    file = "pairs.jsonl"
    prompt: Chat
    chosen: str
    rejected: str
    question_id: str
    verdict: VerdictKind | None = None
    weight: float = 1.0
    part: float = Field(default=1.0, gt=0, le=1, exclude_if=lambda value: value == 1.0)
    origin: PairOrigin = "sample"


class Practised(Record):
    """A question that a phase practised with answers of the model's own, which are kept nowhere.

    So it is told that its fact was trained.  `question`: how it was put; that of a file is no `Question`.
    """

    key_fields = ("question_id",)
    file = "practised.jsonl"
    question_id: str
    question: str


class TrainingStep(Record):
    """One logged step of a training run: loss and whatever metrics the trainer reports."""

    key_fields = ("arm", "phase", "step")
    file = "training.jsonl"
    arm: TrainedArm
    phase: str
    step: int
    loss: float
    metrics: dict[str, float] = Field(default_factory=dict)


class TrainedItem(Record):
    """In which steps of a phase an example or a pair (`item_id`) was trained; a step counts from 1.

    `adapter`: the group whose adapter it was, where a round trains several (`deploy: dynamic`).
    """

    key_fields = ("arm", "phase", "item_id")
    later_key_fields = ("adapter",)
    file = "trained.jsonl"
    arm: TrainedArm
    phase: str
    item_id: str
    question_id: str
    steps: tuple[int, ...]
    adapter: str = Field(default="", exclude_if=lambda value: value == "")

    @property
    def told(self) -> str:
        """In words; of many steps the first and the last."""
        few = len(self.steps) <= 8
        first = ", ".join(map(str, self.steps if few else self.steps[:7]))
        rest = "" if few else f" ... {self.steps[-1]} ({len(self.steps):,} in all)"
        return f"{self.phase}, step{'s' * (len(self.steps) != 1)} {first}{rest}"


class Due(Record):
    """A question of an earlier round that this one asks again (`relearn`), and why.

    `asked`: the round that asked it last; `interval`: after how many rounds it was due.
    """

    key_fields = ("question_id",)
    file = "due.jsonl"
    question_id: str
    why: Literal["scheduled", "changed"]
    asked: int = Field(ge=1)
    interval: int = Field(ge=0)


class RefusalCheck(Record):
    """One question of verify without evidence, so that to refuse is right (methods-more B).

    `refused` is None with an `error`.  `fact`: see `Check`.
    """

    key_fields = ("question_id", "arm")
    file = "refusals.jsonl"
    question_id: str
    arm: Arm
    asked: str
    answer: str = ""
    refused: bool | None
    fact: str = ""
    error: str | None = None

    @property
    def unit(self) -> str:
        """What is resampled as a whole: the fact."""
        return self.fact or self.question_id


class Check(Record):
    """One question asked by verify, before or after teaching.

    `arm`: base = before, taught = after, control = after training on random pairs, original = before round 1,
    weaker = after, with the adapter at a smaller strength.
    `target`: gap; known, or general (`KnownFact`), of a fact never trained; or reading (a page is in the
    prompt).
    `order`: 0 with the demonstrations of its prompt as they stand, n with the first n of them at the end.
    `fact`: what the question is about; questions of one fact are one unit of every interval.  Empty: it is
    alone (`run.split`).
    `correct` is the decision, None with `error` when it failed; `judged_by` says what decided: an accepted
    answer of the key, the reference, or the answer of the page in the prompt.  `parts` are the measures
    beside it: match (by text alone, 0 or 1), token_f1, entailment.
    """

    key_fields = ("question_id", "arm", "target", "wording", "asked")
    later_key_fields = ("order",)
    file = "checks.jsonl"
    question_id: str
    arm: Arm
    target: Target
    wording: Wording
    asked: str
    order: int = Field(default=0, ge=0, exclude_if=lambda value: value == 0)
    answer: str
    expected: str
    fact: str = ""
    correct: bool | None
    judged_by: JudgedBy = "reference"
    parts: dict[str, float] = Field(default_factory=dict)
    score: Unit | None = None
    """Hallucination score; only where verify drew samples."""
    error: str | None = None

    @property
    def unit(self) -> str:
        """What is resampled as a whole: the fact."""
        return self.fact or self.question_id


class KnownFact(Record):
    """A general question that the model was asked before teaching: what it knows may be replayed.

    Those that are held out test what it forgets, right or wrong.  It has no evidence: `answers` are accepted,
    any one counts.  `correct` is None with an `error`.
    """

    key_fields = ("question",)
    file = "known.jsonl"
    question: str
    answers: tuple[str, ...]
    said: str = ""
    correct: bool | None
    error: str | None = None


class Recheck(Record):
    """One question that verify asked the unchanged model again, to see how far it differs from itself.

    `repeat` counts from 1; the first answer is the Check of arm base.  `correct` is None with an `error`.
    """

    key_fields = ("question_id", "target", "asked", "repeat")
    file = "rechecks.jsonl"
    question_id: str
    target: Target
    asked: str
    repeat: int
    answer: str
    correct: bool | None
    error: str | None = None


class ShownDocument(BaseModel):
    """A document of a question; of each gold answer 1 if it holds it, else 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str
    answers_found: tuple[int, ...]


class CitedCheck(Record):
    """One question that verify asked with numbered documents, about a fact never trained.

    `question`, `docs`, `claims` and `output` have ALCE's names: `selfstudy cite eval` reads such rows.
    `withheld`: no document answers it, so that to refuse is right.  `fact`: see `Check`.
    `refused` is None, and `output` too, with an `error`.  `parts`, each in [0, 1]: citation_recall,
    citation_precision, claim_recall (judging/citations.py), grounded_precision (`trust.citation_precision`).
    """

    key_fields = ("question_id", "arm", "withheld")
    file = "cited.jsonl"
    question_id: str
    arm: Arm
    withheld: bool
    question: str
    docs: tuple[ShownDocument, ...]
    claims: tuple[str, ...]
    output: str | None = None
    fact: str = ""
    refused: bool | None = None
    parts: dict[str, float] = Field(default_factory=dict)
    error: str | None = None

    @property
    def unit(self) -> str:
        """What is resampled as a whole: the fact."""
        return self.fact or self.question_id


class SuiteItem(Record):
    """One item of a suite of others' questions, asked of a model before or after teaching (verify/suites).

    `item` tells it from the others of its suite.  `parts` are what was measured, by name; `reasons` what they
    rest on, for people.  `about`: several items about one thing are resampled as a whole.
    """

    key_fields = ("suite", "arm", "item")
    file = "suites.jsonl"
    suite: str
    arm: Literal["base", "taught", "weaker"]
    item: str
    asked: str
    answer: str = ""
    parts: dict[str, float] = Field(default_factory=dict)
    reasons: dict[str, str] = Field(default_factory=dict, exclude_if=lambda value: not value)
    about: str = Field(default="", exclude_if=lambda value: value == "")
    error: str | None = None

    @property
    def unit(self) -> str:
        """What is resampled as a whole."""
        return self.about or self.item


@dataclass(frozen=True, slots=True)
class Truth:
    """What a question's answer is.

    Attributes:
        answers: accepted short answers; any one counts.
        known: whether the base model should know it, where that is known (it grades the probe).
        novel: wordings of the question seen nowhere in training or pre-training.
    """

    answers: tuple[str, ...]
    known: bool | None = None
    novel: tuple[str, ...] = ()


class Correction(Record):
    """What a person said of a question of a run: of the model's passage, of its reference, or a note.

    `number` counts what was said in the run, from 1: a later saying wins, all are kept.  An empty `label`,
    `reference` or `note` says nothing.  `withdraws`: what was said of it before counts no more.  `by`: who it
    was, as they call themselves.
    """

    key_fields = ("number", "question_id", "label", "reference", "note", "by")
    later_key_fields = ("withdraws",)
    number: int = Field(ge=1)
    question_id: str
    label: PersonLabel | None = None
    reference: str = ""
    note: str = ""
    by: str = ""
    withdraws: Withdrawn | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def source(self) -> str:
        """As whose its reference is cited."""
        return f"person:{self.by}" if self.by else "person"


class Failure(Record):
    """An item that failed: counted in every report, never a score."""

    key_fields = ("stage", "item_id", "message")
    file = "failures.jsonl"
    stage: str
    item_id: str
    message: str


class Skipped(Record):
    """A file or part of the library that was not used, and why."""

    key_fields = ("source", "reason")
    file = "skipped.jsonl"
    source: str
    reason: str
