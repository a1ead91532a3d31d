"""The blocks of training to cite: sampled and chosen answers, PPO, GRPO (docs/citing.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from selfstudy.recipe.base import Block, Count, Fraction, Positive
from selfstudy.recipe.training import AnswersBlock, TrainingBlock

Weight = Annotated[float, Field(ge=0)]


class CitationRewardBlock(Block):
    """What a cited answer earns (Huang et al. 2024, arXiv 2402.04315); a weight of 0 switches a part off."""

    level: Literal["fine", "holistic", "random"] = "fine"
    """Each part where it is earned; the sum of all at the end; as a control, that of another answer."""
    recall: Weight = 0.2
    """For a statement that its documents support; as much is lost for another one.
    Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    precision: Weight = 0.2
    """For a citation that is right. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    correctness: Weight = 0.2
    """For a gold answer that is given. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    refusal: Weight = 0.2
    """For refusing where the documents do not answer, and answering where they do."""


class CitingBlock(Block):
    """What phases share that train to cite."""

    data: Path | None = None
    """Questions with documents in ALCE's layout; null: the gaps, whose evidence is the documents."""
    documents: Positive = 5
    """Of a gap: its evidence, and others that are near.
    Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    withheld: Fraction = 0.25
    """Share of gaps that are asked once more without their evidence, to be refused."""
    reward: CitationRewardBlock = CitationRewardBlock()
    """What a cited answer earns."""
    max_new_tokens: Positive = 200
    """Longest cited answer. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""


class RejectionBlock(AnswersBlock, CitingBlock):
    """Training on the best of the model's own answers (rejection sampling)."""

    STEPS: ClassVar[int] = 300

    type: Literal["rejection"] = "rejection"
    search: Literal["beam", "best-of"] = "beam"
    """Sentence by sentence (or item by item of a list), the better beginnings are kept; or whole answers,
    of which the best is kept."""
    samples: Positive = 16
    """Of best-of, answers to each question. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    beams: Positive = 8
    """Beginnings that are kept. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    continuations: Positive = 2
    """Sentences that are sampled after each. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    depth: Positive = 5
    """Sentences of an answer at most. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    list_depth: Positive = 10
    """Items of a list at most. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    """At which answers are sampled. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    top_k: Count = 50
    """Most probable tokens that are sampled from; 0: all.  Nothing else: a sampled answer has no teacher.
    Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    least: float | None = 0.0
    """Answers that earned no more are not learned from; null: the best of each question is, however bad."""
    statement_tokens: Positive = 64
    """Of beam: longest sentence, or item."""
    epochs: Annotated[float, Field(gt=0)] | None = 3
    """Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""


class PolicyBlock(TrainingBlock, CitingBlock):
    """What phases share in which the model answers, is rewarded, and learns, step by step."""

    LORA_RATE: ClassVar[float] = 3e-4

    steps: Positive = 100
    """Rounds of answering and learning."""
    batch_size: Positive = 16
    """Questions of a step."""
    updates: Positive = 1
    """Optimizer steps on the answers of a step. Source: methods-more H (PPO)."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """How far the probability of a token may move from when it was sampled before it earns no more.
    Source: methods 5 (PPO), methods-more H (GRPO)."""
    most_kl: Annotated[float, Field(gt=0)] = 100.0
    """The training stops where answers are so far from the start, in nats each (published: 100).
    Source: methods-more H (PPO)."""
    dev: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the questions that are kept apart: the weights that answer them best are the result."""
    checkpoint_every: Positive = 10
    """Steps; the questions kept apart are asked then, and a training that is killed goes on from there."""


class PPOBlock(PolicyBlock):
    """PPO with rewards for tokens (Huang et al. 2024, section 3.3; Wu et al. 2023, arXiv 2306.01693)."""

    type: Literal["ppo"] = "ppo"
    completions: Positive = 4
    """Answers to each question. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 0.7
    """At which answers are sampled. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    top_k: Count = 20
    """Most probable tokens that are sampled from; 0: all.
    Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    kl: Weight = 0.3
    """What a token loses for each nat that it is more probable than at the start.
    Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    gamma: Fraction = 1.0
    """Discount of later rewards. Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    lam: Fraction = 0.95
    """Of generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438).
    Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    value_clip: Annotated[float, Field(gt=0)] = 0.2
    """How far a value may move from when its answer was sampled.
    Source: Huang et al. 2024 (arXiv 2402.04315), methods 5."""
    value_rate: Annotated[float, Field(gt=0)] | None = None
    """Learning rate of the value network; null: that of the policy."""
    published: bool = False
    """Whitening and advantages with the two defects of the published code, for comparison."""


class GRPOBlock(PolicyBlock):
    """GRPO (Shao et al. 2024, arXiv 2402.03300) with an advantage for each segment, or one for an answer."""

    type: Literal["grpo"] = "grpo"
    completions: Annotated[int, Field(ge=2)] = 8
    """Answers to each question, which are compared with each other. Source: methods-more H."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    """At which answers are sampled."""
    top_k: Count = 0
    """Most probable tokens that are sampled from; 0: all."""
    advantages: Literal["segments", "answer"] = "segments"
    """By what is still earned from each sentence or item on; or by all of an answer for all its tokens."""
    scale: Literal["group", "batch", "none"] = "group"
    """By whose standard deviation they are divided."""
    aggregation: Literal["dapo", "grpo", "dr_grpo"] = "dapo"
    """Over tokens: each counts the same; each answer does; or a sum over the longest length.
    Source: methods-more H."""
    clip_high: Annotated[float, Field(gt=0)] | None = None
    """The upper bound; null: the same as the lower."""
    kl: Weight = 0.0
    """Weight of the divergence from the start (k3)."""
