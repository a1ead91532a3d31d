"""The whole recipe: a block per stage, one that they share, and what a run as a whole depends on."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from selfstudy.recipe.answering import AnsweringBlock
from selfstudy.recipe.base import Block, Fraction, Positive
from selfstudy.recipe.deploy import DeployBlock
from selfstudy.recipe.entailment import EntailmentBlock, NLIBlock, NoNLI, default_entailment, is_atlas
from selfstudy.recipe.gather import GatherBlock
from selfstudy.recipe.library import LibraryChoice
from selfstudy.recipe.models import EmbedderBlock, LocalModel, ModelBlock, RemoteModel
from selfstudy.recipe.probe import ProbeBlock, ScorerName
from selfstudy.recipe.relearn import RelearnBlock
from selfstudy.recipe.scale import ClusterBlock, ScaleBlock
from selfstudy.recipe.teach import TeachBlock
from selfstudy.recipe.track import TrackBlock
from selfstudy.recipe.verify import VerifyBlock


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


MODEL_KEYS = ("model", "judge", "teacher", "probe.model", "gather.reader")
"""Keys of a recipe that hold the block of a language model; who uses which: run/models.py."""


class Recipe(Block):
    """Everything a run depends on; the same recipe and seed give the same records.

    One thing comes from outside: without `probe.threshold`, one that was calibrated for these models.
    """

    model: ModelBlock = LocalModel()
    """What is taught: a folder, a Hub id or `atlas`, the embedded one; or a block of another type."""
    judge: ModelBlock | None = None
    """What grades and judges where a language model does; None: the teacher, else the model itself."""
    teacher: ModelBlock | None = None
    """A stronger model for references, judgements and dialogues."""
    nli: EntailmentBlock = NLIBlock()
    """What says whether texts agree. Left out: atlas for the model atlas, none for every other."""
    embedder: EmbedderBlock = EmbedderBlock()
    """What says how similar texts are."""
    library: LibraryChoice = None
    """A folder or file of texts, `atlas`, or sources of other types; or a list of them."""
    answer_key: str | None = None
    """`atlas`, or a .jsonl of {question, answer, known?, novel?}: ground truth that only verify sees."""
    prompts: Path | None = None
    """A folder whose files replace the built-in prompts of the same name."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """What is drawn follows from it: samples, questions, what is kept apart, the order of training."""
    cache: bool = True
    """Keep what remote models answer, and ask nothing twice (remote/response_cache.py); changes no result."""
    servers: Positive | None = None
    """Most engines (models of type `server`) that run at once; changes no result.

    None: all that the recipe names, and fewer where one does not start beside the others.
    """
    smoke: Literal["refuse", "warn", "skip"] | None = None
    """Some seconds of trivial questions before a model is first asked (docs/models.md): one that cannot be
    worked with is refused, or only warned of, or not looked at; None: refused, but a remote one is warned
    of, and a script not looked at.  Changes no result."""
    budget: BudgetBlock = BudgetBlock()
    """Where a run stops."""
    scale: ScaleBlock | None = None
    """Work shared out to other processes or machines; null: all in this one. Changes no result."""
    cluster: ClusterBlock | None = None
    """What `selfstudy submit` asks a queue for. Changes no result."""
    track: TrackBlock = TrackBlock()
    """Which tracker gets the curves and figures. Changes no result."""
    rounds: Positive = 1
    """How often it probes, gathers, teaches and verifies at most."""
    min_gain: Fraction = 0.01
    """Stop after a round whose gain in gap correctness is below it."""
    answering: AnsweringBlock = AnsweringBlock()
    """How a question is answered, in every stage."""
    probe: ProbeBlock = ProbeBlock()
    """What is asked, and how answers are scored."""
    gather: GatherBlock = GatherBlock()
    """How evidence is found and read."""
    teach: TeachBlock = TeachBlock()
    """What is trained, and how."""
    verify: VerifyBlock = VerifyBlock()
    """What is asked again, and what promotion asks for."""
    deploy: DeployBlock = DeployBlock()
    """How what was taught answers."""
    relearn: RelearnBlock | None = None
    """Ask again in later rounds what was known or taught; null: each round asks new questions alone."""

    @model_validator(mode="after")
    def _settle_what_the_model_decides(self) -> Self:
        """What was left out is chosen by the model, once: the kept recipe of a run says what it was."""
        if "nli" not in self.model_fields_set:
            object.__setattr__(self, "nli", default_entailment(self.model))
        probe = self.probe.scored_by(default_scorer(self.probe.model or self.model))
        if isinstance(self.nli, NoNLI):
            probe = probe.without_entailment()
        object.__setattr__(self, "probe", probe)
        if not probe.samples and "samples" not in self.verify.model_fields_set:
            object.__setattr__(self, "verify", self.verify.model_copy(update={"samples": 0}))
        return self

    @property
    def language_models(self) -> dict[str, ModelBlock]:
        """The blocks of language models that are given, by their keys (`MODEL_KEYS`)."""
        found = {key: attrgetter(key)(self) for key in MODEL_KEYS}
        return {key: block for key, block in found.items() if block is not None}


def default_scorer(answering: ModelBlock) -> ScorerName | None:
    """Which scorer suits a model (measured: docs/decisions/0010-probing-real-models.md); None: as for any.

    How likely it finds what it says, where it tells; the embedded model has an entailment model made for its
    language, which does better.
    """
    if isinstance(answering, LocalModel):
        return None if is_atlas(answering) else "claim-likelihood"
    return "passage-likelihood" if isinstance(answering, RemoteModel) and answering.logprobs else None
