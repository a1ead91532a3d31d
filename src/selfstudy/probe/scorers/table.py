"""All scorers by name, and what they are built from.

To add a scorer: a file here that keeps the contract of base.py; a row in `SCORERS`; in recipe/probe.py its
name in `ScorerName` and a row in `SCORER_FACTS`: what `adaptive`, the check of recipes and calibration must
know.  If it asks a language model: how often, in `_judging` of verbs/work.py.  A test fails where it
is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selfstudy.errors import RecipeError
from selfstudy.probe.scorers.base import Remembering, Scorer
from selfstudy.probe.scorers.bsdetector import BSDetector
from selfstudy.probe.scorers.claim_likelihood import ClaimLikelihood
from selfstudy.probe.scorers.ensemble import Ensemble, Weights
from selfstudy.probe.scorers.p_true import PTrue
from selfstudy.probe.scorers.passage_likelihood import PassageLikelihood
from selfstudy.probe.scorers.predictive_entropy import PredictiveEntropy
from selfstudy.probe.scorers.sample_agreement import SampleAgreement
from selfstudy.probe.scorers.selfcheck_embedding import SelfCheckEmbedding
from selfstudy.probe.scorers.selfcheck_llm import SelfCheckLLM
from selfstudy.probe.scorers.selfcheck_ngram import SelfCheckNgram
from selfstudy.probe.scorers.selfcheck_nli import SelfCheckNLI
from selfstudy.probe.scorers.semantic_entropy import SemanticEntropy
from selfstudy.prompts import Prompts
from selfstudy.recipe import ProbeBlock

if TYPE_CHECKING:
    from selfstudy.models import Models


@dataclass(frozen=True)
class Tools:
    """What scorers are built from.

    Attributes:
        models: the language model that answered, its judge, the entailment model, the embedder.
        prompts: the templates `support` and `grade`.
        block: the recipe's settings.
        seed: of what a scorer samples itself.
        weights: of the ensemble's members; None: equal ones.
        made: the scorers that were built from these tools, by name: one of each, shared.
    """

    models: Models
    prompts: Prompts = field(default_factory=Prompts)
    block: ProbeBlock = field(default_factory=ProbeBlock)
    seed: int = 0
    weights: Weights | None = None
    made: dict[str, Scorer] = field(default_factory=dict, init=False, repr=False, compare=False)


SCORERS: dict[str, Callable[[Tools], Scorer]] = {
    "selfcheck-nli": lambda tools: SelfCheckNLI(tools.models.nli),
    "selfcheck-llm": lambda tools: SelfCheckLLM(tools.models.judge, tools.prompts),
    "selfcheck-ngram": lambda tools: SelfCheckNgram(),
    "selfcheck-embedding": lambda tools: SelfCheckEmbedding(tools.models.embedder),
    "agreement": lambda tools: SampleAgreement(),
    "bsdetector": lambda tools: BSDetector(tools.models.nli, tools.models.judge, tools.prompts, tools.seed),
    "semantic-entropy": lambda tools: SemanticEntropy(tools.models.nli),
    "semantic-entropy-discrete": lambda tools: SemanticEntropy(tools.models.nli, discrete=True),
    "p-true": lambda tools: PTrue(tools.models.lm, tools.prompts),
    "predictive-entropy": lambda tools: PredictiveEntropy(),
    "passage-likelihood": lambda tools: PassageLikelihood(),
    "claim-likelihood": lambda tools: ClaimLikelihood(tools.models.lm, tools.prompts),
    "ensemble": lambda tools: Ensemble(
        [make_scorer(name, tools) for name in dict.fromkeys(tools.block.ensemble)], tools.weights
    ),
}
"""All scorers: a name and what builds it."""


def make_scorer(name: str, tools: Tools) -> Scorer:
    """The scorer called `name`; from the same tools always the same one.

    Raises:
        RecipeError: there is none, or the ensemble's weights belong to other members.
    """
    if name not in SCORERS:
        raise RecipeError(f"no scorer named {name!r}", f"choose one of: {', '.join(SCORERS)}")
    if name not in tools.made:
        tools.made[name] = Remembering(SCORERS[name](tools))
    return tools.made[name]
