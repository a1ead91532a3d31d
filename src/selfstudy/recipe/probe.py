"""The recipe's block `probe`: what is asked, how answers are scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from selfstudy.recipe.base import Block, Fraction, Positive
from selfstudy.recipe.library import a_page, is_url
from selfstudy.recipe.models import ModelBlock
from selfstudy.records import QuestionMethod

STDIN = Path("-")
"""As a source: stdin, or what `Study(topics=...)` gives."""
FeedAddress = Annotated[str, StringConstraints(pattern=r"(?i)^https?://[^\s@]+$", max_length=2000)]
"""As a source: an RSS or Atom feed; a name, password or key in it would stand in the run."""


def _no_key_in_it(value: Any) -> Any:
    """A source as it is; checked here, for what is no address of a feed would be taken for a file."""
    return a_page(value) if isinstance(value, str) and is_url(value) else value


class Ask(Block):
    """One way of finding questions, and how many to propose with it (methods 1)."""

    method: QuestionMethod
    """How questions are found (docs/probing.md)."""
    count: Positive
    """Questions to propose."""
    source: Annotated[FeedAddress | Path | None, BeforeValidator(_no_key_in_it)] = None
    """external: text with one topic a line; a table (.csv, .jsonl, ...) with a column of topics or questions;
    a feed, as a URL or a file (.rss, .atom, .xml); or `-`: stdin, or the function given to `Study`.
    logs: the request log of `selfstudy serve`, or a folder with such.
    oracle: a file of `lemma<TAB>definition` lines or WordNet's data.noun; None: this machine's WordNet."""
    questions: bool = False
    """external: the entries are questions, to be asked as they are, and not topics."""
    inconsistent: bool = False
    """logs: only questions whose answers disagree; else these come first, then what was asked more often."""
    topic_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """At which topics are sampled. Source: methods 1."""
    question_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """At which questions are sampled. Source: methods 1."""
    max_new_tokens: Positive = 64
    """Longest topic or question. Source: methods 1."""
    chunk_tokens: Positive = 512
    """documents: longest chunk, in model tokens. Source: methods 2."""
    per_chunk: Positive = 1
    """documents: questions of each chunk. Source: methods 2."""
    tries: Positive = 3
    """How often a refused question is proposed anew. Source: methods 2."""
    proposals: Positive = 1
    """Questions drawn per try; the most probable one that is not refused is taken."""
    check: Literal["page", "none"] = "none"
    """page: a question is refused if its page (documents: its chunk; else the best of the library) does not
    answer it (probe/usable.py; English); of documents each proposal is made of the next sentence in a drawn
    order.  none: as published; the metrics of methods 1 count every proposal.

    For a real model take `page` with several proposals (decisions/0014).
    """

    @property
    def given(self) -> bool:
        """Whether its questions come from outside, and the model is asked for none."""
        return self.questions or self.method == "logs"

    @property
    def feed(self) -> str | None:
        """The URL of the feed that topics come from; None: they come from elsewhere."""
        return self.source if isinstance(self.source, str) else None

    @property
    def source_file(self) -> Path | None:
        """The file, or `STDIN`, that entries come from; None: they come from elsewhere."""
        return self.source if isinstance(self.source, Path) else None


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
    "passage-likelihood",
    "claim-likelihood",
    "ensemble",
]


@dataclass(frozen=True, slots=True)
class ScorerFacts:
    """What has to be known of a scorer before it is built.

    Attributes:
        mean_over_samples: its value is a mean of one number in [0, 1] per sample, which `adaptive` needs.
        samples: how many of them it needs at least; 0: the passage alone will do.
        logprobs: it needs the log-probabilities of the answers, which a server gives only when asked.
        words: it needs those of the words of a given answer, which only a local model gives.
        entailment: it compares meanings, which words alone do not do (`nli: none`).
        prompts: with which it asks a language model; a calibration is for these texts only.
    """

    mean_over_samples: bool = False
    samples: int = 1
    logprobs: bool = False
    words: bool = False
    entailment: bool = False
    prompts: tuple[str, ...] = ()


SCORER_FACTS: dict[ScorerName, ScorerFacts] = {
    "selfcheck-nli": ScorerFacts(mean_over_samples=True, entailment=True),
    "selfcheck-llm": ScorerFacts(mean_over_samples=True, prompts=("support",)),
    "selfcheck-ngram": ScorerFacts(),
    "selfcheck-embedding": ScorerFacts(mean_over_samples=True),
    "agreement": ScorerFacts(mean_over_samples=True),
    "bsdetector": ScorerFacts(entailment=True, prompts=("grade",)),
    "semantic-entropy": ScorerFacts(samples=2, logprobs=True, entailment=True),
    "semantic-entropy-discrete": ScorerFacts(samples=2, entailment=True),
    "p-true": ScorerFacts(samples=0, prompts=("grade",)),
    "predictive-entropy": ScorerFacts(logprobs=True),
    "passage-likelihood": ScorerFacts(samples=0, logprobs=True),
    "claim-likelihood": ScorerFacts(samples=0, words=True, prompts=("answer",)),
    "ensemble": ScorerFacts(samples=0),
}
"""A row per scorer; what builds it is in probe/scorers/table.py."""

MEANS_OVER_SAMPLES = tuple(name for name, facts in SCORER_FACTS.items() if facts.mean_over_samples)
NEED_ENTAILMENT = tuple(name for name, facts in SCORER_FACTS.items() if facts.entailment)
INSTEAD: dict[ScorerName, str] = {
    "selfcheck-nli": "agreement",
    "bsdetector": "p-true",
    "semantic-entropy": "predictive-entropy",
    "semantic-entropy-discrete": "agreement",
}
"""Of these, which scorer comes nearest without an entailment model."""
WITHOUT_ENTAILMENT: ScorerName = "agreement"
"""The default scorer where there is no entailment model."""


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
    """Ways of finding questions, one after the other."""
    samples: Annotated[int, Field(ge=0, le=100)] = 10
    """How often a question is answered, beside the passage; how: see `answering`.

    0: only the passage, which is the default where no scorer needs more.

    Source: methods, terms.
    """
    scorer: ScorerName = "selfcheck-nli"
    """The one whose score decides what is inconsistent. Left out: claim-likelihood for a local model other
    than atlas, passage-likelihood for a server with `logprobs`; else agreement where `nli` is none.
    Source: measured: docs/decisions/0010-probing-real-models.md."""
    compare: tuple[ScorerName, ...] = ()
    """Further scorers of the same answers, for `selfstudy compare` and `selfstudy calibrate`."""
    ensemble: tuple[ScorerName, ...] = ("selfcheck-nli", "agreement")
    """Members of the scorer `ensemble`."""
    threshold: Fraction | None = None
    """A score above it = inconsistent. None: the one calibrated for these models and settings, else 0.5.
    Source: methods 1 (0.5)."""
    adaptive: AdaptiveBlock | None = None
    """Stop drawing samples of a question when its verdict is settled; None: draw all of them."""

    @property
    def scorers(self) -> tuple[ScorerName, ...]:
        """All that score: the one that decides, those compared, and the members of an ensemble among them."""
        named = (self.scorer, *self.compare)
        return tuple(dict.fromkeys((*named, *(self.ensemble if "ensemble" in named else ()))))

    @property
    def needs_samples(self) -> bool:
        """Whether any score is made of samples, and not of the passage alone."""
        return any(SCORER_FACTS[name].samples for name in self.scorers)

    @field_validator("ensemble")
    @classmethod
    def _has_members(cls, value: tuple[ScorerName, ...]) -> tuple[ScorerName, ...]:
        if not value or "ensemble" in value:
            raise PydanticCustomError("members", "an ensemble has one or more members, other than itself")
        return value

    def scored_by(self, default: ScorerName | None) -> ProbeBlock:
        """The same with this scorer, if none was chosen, and without samples if no scorer needs them.

        `adaptive` weighs samples, and keeps a scorer that does.
        """
        changed: dict[str, object] = {}
        if default and "scorer" not in self.model_fields_set and self.adaptive is None:
            changed["scorer"] = default
        found = self.model_copy(update=changed)
        if "samples" in self.model_fields_set or found.needs_samples or self.adaptive:
            return found
        return found.model_copy(update={"samples": 0})

    def without_entailment(self) -> ProbeBlock:
        """The same, with defaults that need no entailment model; what a person chose stays, to be refused."""
        chosen = self.model_fields_set
        changed: dict[str, object] = {}
        if "scorer" not in chosen and self.scorer in NEED_ENTAILMENT:
            changed["scorer"] = WITHOUT_ENTAILMENT
        if "ensemble" not in chosen:
            kept = tuple(name for name in self.ensemble if name not in NEED_ENTAILMENT)
            changed["ensemble"] = kept or (WITHOUT_ENTAILMENT,)
        return self.model_copy(update=changed)
