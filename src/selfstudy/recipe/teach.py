"""The recipe's block `teach`: what is trained, in which phases, and how (docs/teaching.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from selfstudy.recipe.base import Block, Count, Fraction, Positive
from selfstudy.recipe.citing import GRPOBlock, PPOBlock, RejectionBlock
from selfstudy.recipe.scale import LaunchBlock
from selfstudy.recipe.training import AnswersBlock, EpochsBlock, LoraBlock, TrainingBlock


class ExamplesBlock(AnswersBlock):
    """What phases share that rehearse other answers beside those of the gaps, so as not to lose them.

    What is rehearsed may be learned as the frozen model's distributions.
    """

    keep: Annotated[float, Field(gt=0)] = 1.0
    """Weight of what is to stay as the frozen model has it (neutral examples; for distill replay and reading
    too) against what is taught, token by token."""
    top_k: Positive = 20
    """Tokens of the frozen model's distribution that are kept at each position, where one is learned.
    Source: methods-more A."""
    rest: bool = True
    """Keep what the other tokens had as one more; false: the kept are renormalised, and what is to stay as
    it was moves towards its most probable tokens."""
    replay: Annotated[float, Field(ge=0)] = 1.0
    """Replay examples per gap example, drawn from known questions."""
    replay_wordings: bool = False
    """Replay known questions in other wordings too; they are written and checked as those of gaps are."""
    reading: Fraction = 0.25
    """Share of gap examples repeated with the evidence in the prompt."""
    swapped: Annotated[float, Field(ge=0)] = 0.0
    """Examples of reading per gap example, from pages with another answer, which is to be given."""
    neutral: Annotated[float, Field(ge=0)] = 0.0
    """Neutral examples per gap example, on which the model is to stay as it was (KL to the frozen one)."""


class SFTBlock(ExamplesBlock):
    """Supervised training on references, with and without evidence in the prompt, plus rehearsal."""

    type: Literal["sft"] = "sft"


class DistillBlock(ExamplesBlock):
    """Gaps by their references, the rest kept by the frozen model's distributions; or methods-more A."""

    LORA_RATE: ClassVar[float] = 3e-4
    STEPS: ClassVar[int] = 60
    EPOCHS: ClassVar[tuple[int, int]] = (2, 6)

    type: Literal["distill"] = "distill"
    epochs: Annotated[float, Field(gt=0)] | None = None
    """Passes over the data; null: enough for 60 optimizer steps, but 2 at least and 6 at most.
    Source: measured: docs/decisions/0011-teaching-real-models.md."""
    batch_size: Positive = 16
    reading: Fraction = 0.0
    swapped: Annotated[float, Field(ge=0)] = 0.15
    """Source: measured: docs/decisions/0011-teaching-real-models.md."""
    neutral: Annotated[float, Field(ge=0)] = 0.3
    """Source: measured: docs/decisions/0011-teaching-real-models.md."""
    keep: Annotated[float, Field(gt=0)] = 8.0
    """Source: measured: docs/decisions/0011-teaching-real-models.md."""
    targets: Literal["reference", "text", "mixed"] = "text"
    """What of gaps is trained on: the distributions of the frozen model, which reads page and reference,
    along the reference; the reference's text itself, as sft does; or texts that the model writes itself, a
    token now without the page, now with it (MixSD).  What is replayed stays as the frozen model has it.
    Source: measured: docs/decisions/0011-teaching-real-models.md."""
    skip: Count = 0
    """For targets: reference; first tokens of an answer that are not learned: where phrases begin such as
    "According to the text"."""
    mix: Fraction = 0.3
    """Chance of a token without the page, for mixed targets. Source: methods-more A (MixSD)."""
    tries: Positive = 10
    """Of a mixed target, until its answer is that of the reference; else it is left out.
    Source: methods-more A (MixSD)."""


class PairsBlock(EpochsBlock):
    """What phases that train on pairs share."""

    beta: Annotated[float, Field(gt=0)] = 0.1
    """How strongly it is held to the model before the phase. Source: methods 1 and 3."""
    likelihood: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the better answer's own loss (mean over its tokens) beside that of preferring it: without it
    both answers of a pair may become unlikely (Pang et al. 2024, arXiv 2404.19733, equation 2)."""
    epochs: Annotated[float, Field(gt=0)] | None = 3
    """Source: methods 1 (DPO)."""


class DPOBlock(PairsBlock):
    """Preference training on pairs (methods 1)."""

    LORA_RATE: ClassVar[float] = 3e-5

    type: Literal["dpo"] = "dpo"
    pairs: Annotated[int, Field(ge=1, le=4)] = 1
    """Most pairs of a gap (methods 2.5): answers with the evidence, the reference and the most consistent
    first, each against another sample without it, those that contradict most first."""
    count: Literal["gap", "pair"] = "gap"
    """What has one part of the loss: a gap, whose pairs share it, or each of its pairs."""
    labels: Literal["verdict", "published"] = "verdict"
    """published (methods 1): a gap whose passage is right by its label has it as chosen and "-" as rejected,
    every other the reference against the passage.  verdict: as that, but against the sample that contradicts
    most, or, after another phase, what the model says by then."""

    @field_validator("labels")
    @classmethod
    def _published_has_one(cls, value: str, info: ValidationInfo) -> str:
        if value == "published" and info.data.get("pairs", 1) > 1:
            raise PydanticCustomError(
                "labels",
                "labels = published makes one pair of a gap, and pairs is {pairs}: leave one of the two out",
                {"pairs": info.data["pairs"]},
            )
        return value


class SocraticBlock(PairsBlock):
    """Preference training on a tutor's next turns: imported dialogues against worse turns (methods 3)."""

    LORA_RATE: ClassVar[float] = 2e-4

    type: Literal["socratic"] = "socratic"
    rejected: Literal["own", "telling"] = "telling"
    """Who says the worse turn of a dialogue that came without one: the model as it is, or the same, asked for
    the whole solution."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """At which a worse turn is drawn."""
    turn_tokens: Positive = 96
    """Of a worse turn: how it is drawn, and most tokens."""


class RewardBlock(Block):
    """What an answer is worth (methods 4): what a judge says it lacks, its rating alone, how much of a rubric
    it meets, criterion by criterion or as one number, or chance."""

    type: Literal["missing", "rating", "rubric", "rubric-implicit", "random"] = "missing"
    """Which of these."""
    zeta: Fraction = 0.5
    """For missing: its share against the rating's; 1: what is missing alone."""

    @property
    def by_rubric(self) -> bool:
        """Whether it says nothing of an answer that is held to no criteria."""
        return self.type in ("rubric", "rubric-implicit")


MOST_CANDIDATES = 64
"""Of contrastive search: each is read at every token."""


class OnlineDPOBlock(TrainingBlock):
    """Preference training on answers that the model gives meanwhile (methods 4, methods-more H)."""

    LORA_RATE: ClassVar[float] = 5e-6

    type: Literal["online-dpo"] = "online-dpo"
    prompts: Path | None = None
    """Lines of text, or rows of `prompt` and perhaps `document`; null: the questions of gaps."""
    steps: Positive = 100
    """Rounds of answering and learning."""
    batch_size: Positive = 64
    """Prompts per step. Source: methods 4."""
    completions: Annotated[int, Field(ge=2)] = 2
    """Answers to each prompt, of which the best and the worst are a pair. Source: methods 4."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 0.9
    """At which answers are sampled. Source: methods-more H (TRL)."""
    penalty_alpha: Fraction = 0.0
    """Above 0 one of the answers is found by contrastive search (published: 0.6, with top_k 4); the others
    are sampled as without it."""
    top_k: Annotated[Count, Field(validate_default=True)] = 0
    """Most probable tokens that a sampled answer is drawn from, and that contrastive search chooses among; 0:
    all, which it cannot."""
    max_new_tokens: Positive = 64
    """Longest answer. Source: methods-more H (TRL)."""
    beta: Annotated[float, Field(gt=0)] = 0.1
    """How strongly it is held to the model before the phase. Source: methods-more H (TRL)."""
    updates: Positive = 1
    """Optimizer steps on the pairs of a step."""
    reward: RewardBlock = RewardBlock()
    """What an answer is worth."""
    judge: Literal["policy", "reference", "judge"] = "reference"
    """Who judges: the model as it is by then, as it was before this phase, or the recipe's judge."""
    judge_reads: bool = True
    """Whether the judge has the document of a prompt in view, where there is one; who answers has not."""
    margin: Annotated[float, Field(ge=0)] = 0.0
    """Rewards that differ by no more are a tie."""
    checkpoint_every: Positive = 10
    """Steps; a training that is killed goes on from the last such one."""

    @field_validator("top_k")
    @classmethod
    def _has_candidates(cls, value: int, info: ValidationInfo) -> int:
        alpha = info.data.get("penalty_alpha", 0.0)
        if alpha and value < 2:
            raise PydanticCustomError(
                "top_k",
                "penalty_alpha = {alpha} chooses among the top_k most probable tokens: give 2 or more "
                "(published: 4)",
                {"alpha": alpha},
            )
        if alpha and value > MOST_CANDIDATES:
            raise PydanticCustomError(
                "top_k",
                "contrastive search reads top_k texts at each token: give {most} or fewer (published: 4)",
                {"most": MOST_CANDIDATES},
            )
        return value


PhaseBlock = (
    SFTBlock
    | DPOBlock
    | DistillBlock
    | SocraticBlock
    | OnlineDPOBlock
    | RejectionBlock
    | PPOBlock
    | GRPOBlock
)
"""The ways of training, told apart by `type`; teach/phases.py has a row for each."""

PHASE_BLOCKS = ("sft", "dpo", "distill", "socratic", "online-dpo", "rejection", "ppo", "grpo")
"""The `type` of each: what `method` may name; its settings for the short form are at `short_key`."""


def short_key(type_: str) -> str:
    """The key of `teach` that holds the settings of a phase for the short form."""
    return type_.replace("-", "_")


class RefusalsBlock(Block):
    """How "I don't know." is taught, where `refuse_unverifiable` is set."""

    share: Annotated[float, Field(gt=0, le=10)] = 0.25
    """Most questions that are taught to be refused, per gap: with more a model refuses what it knows too.
    The default is a guess; benchmarks/abstain.py shows what others do."""
    heldout: Fraction = 0.5
    """Share of the questions without evidence, by fact, that are never trained: refusing is measured on
    them."""


class TeachBlock(Block):
    """Put it into the weights."""

    method: (
        Literal[
            "sft",
            "sft+dpo",
            "dpo",
            "distill",
            "socratic",
            "online-dpo",
            "rejection",
            "ppo",
            "grpo",
            "rejection+ppo",
            "rejection+grpo",
        ]
        | None
    ) = "distill"
    """Short for `phases`: these ones, in this order, as their blocks below say. Left out: sft where only its
    block is given. Source: measured: docs/decisions/0011-teaching-real-models.md."""
    wordings: Count = 2
    """Rewordings of each gap question to train on, beside the original."""
    heldout_wordings: Count = 1
    """Rewordings of each gap question kept for verify."""
    reword_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """At which rewordings are sampled."""
    known_heldout: Fraction = 0.5
    """Share of known facts whose questions are kept for verify and never replayed."""
    split_by: Literal["question", "topic"] = "question"
    """What is kept as a whole: all known questions of a fact, or of a topic (methods 2).

    Known questions only: gaps are all taught, also those of a topic whose known questions are held out.
    """
    refuse_unverifiable: bool = False
    """Teach "I don't know." for questions without evidence that the model answers inconsistently."""
    refusals: RefusalsBlock = RefusalsBlock()
    """How refusing is taught, where it is."""
    misbelief_weight: Annotated[float, Field(ge=1)] = 2.0
    """Weight of gaps that the model answered firmly and wrongly; every other gap has 1."""
    finetuning: Literal["lora", "full"] = "lora"
    """What is trained: an adapter, or all weights of the model, which then is promoted as a whole.
    Source: measured: docs/decisions/0011-teaching-real-models.md."""
    lora: LoraBlock = LoraBlock()
    """The adapter, for finetuning: lora."""
    launch: LaunchBlock | None = None
    """In how many processes; null: in this one, or those that it was started as. Changes no result."""
    sft: SFTBlock = SFTBlock()
    """Settings of the phase sft, for the short form."""
    dpo: DPOBlock = DPOBlock()
    """Settings of the phase dpo, for the short form."""
    distill: DistillBlock = DistillBlock()
    """Settings of the phase distill, for the short form."""
    socratic: SocraticBlock = SocraticBlock()
    """Settings of the phase socratic, for the short form."""
    online_dpo: OnlineDPOBlock = OnlineDPOBlock()
    """Settings of the phase online-dpo, for the short form."""
    rejection: RejectionBlock = RejectionBlock()
    """Settings of the phase rejection, for the short form."""
    ppo: PPOBlock = PPOBlock()
    """Settings of the phase ppo, for the short form."""
    grpo: GRPOBlock = GRPOBlock()
    """Settings of the phase grpo, for the short form."""
    phases: tuple[Annotated[PhaseBlock, Field(discriminator="type")], ...] = ()
    """Instead of `method`: any phases in any order, each with its own settings."""

    @model_validator(mode="before")
    @classmethod
    def _method_follows_from_what_is_set(cls, data: Any) -> Any:
        """What is set for sft alone is meant for it, as in recipes from when sft was the default."""
        if not isinstance(data, Mapping) or "method" in data:
            return data
        if data.get("phases"):
            return {**data, "method": None}
        return {**data, "method": "sft"} if "sft" in data and "distill" not in data else data

    @field_validator("phases")
    @classmethod
    def _one_way_to_say_it(
        cls, value: tuple[PhaseBlock, ...], info: ValidationInfo
    ) -> tuple[PhaseBlock, ...]:
        method = info.data.get("method")
        if value and method is not None:
            raise PydanticCustomError(
                "phases", "give phases or method, not both; method is {method}", {"method": repr(method)}
            )
        if not value and "method" in info.data and method is None:
            raise PydanticCustomError("phases", "name at least one phase, or give a method")
        for name in PHASE_BLOCKS:
            block = info.data.get(short_key(name))
            if value and block is not None and block != type(block)():
                raise PydanticCustomError(
                    "phases",
                    "teach.{name} is for the short form: put its keys into the phases",
                    {"name": short_key(name)},
                )
        return value

    @property
    def plan(self) -> tuple[PhaseBlock, ...]:
        """The phases, in order, however they were given."""
        short: dict[str, PhaseBlock] = {name: getattr(self, short_key(name)) for name in PHASE_BLOCKS}
        return self.phases or tuple(short[name] for name in (self.method or "").split("+"))

    @property
    def adapter(self) -> LoraBlock | None:
        """What is trained; None: all weights."""
        return self.lora if self.finetuning == "lora" else None

    @property
    def reading(self) -> float:
        """The share of `reading`, as the first phase says it that trains on answers."""
        return next(
            (block.reading for block in self.plan if isinstance(block, ExamplesBlock)), self.sft.reading
        )
