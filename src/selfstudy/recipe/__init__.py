"""The recipe: one typed block per stage.

Defaults are the papers' vetted values; a comment names the source where it is not obvious.  Nothing here
knows how a stage works, and only file.py knows files.
"""

from selfstudy.recipe.answering import AnsweringBlock
from selfstudy.recipe.entailment import (
    EntailmentBlock,
    EntailmentWeights,
    NLIBlock,
    NoNLI,
    PromptedNLI,
    Seq2SeqNLI,
)
from selfstudy.recipe.gather import GatherBlock
from selfstudy.recipe.models import (
    EmbedderBlock,
    EngineName,
    LocalModel,
    ModelBlock,
    Prices,
    PromptStyle,
    RemoteModel,
    ScriptedModel,
    ServerModel,
    name_of,
    weights_of,
)
from selfstudy.recipe.probe import (
    MEANS_OVER_SAMPLES,
    NEED_ENTAILMENT,
    STDIN,
    AdaptiveBlock,
    Ask,
    ProbeBlock,
    ScorerName,
)
from selfstudy.recipe.teach import (
    DistillBlock,
    DPOBlock,
    EpochsBlock,
    ExamplesBlock,
    LoraBlock,
    OnlineDPOBlock,
    PairsBlock,
    PhaseBlock,
    RewardBlock,
    SFTBlock,
    SocraticBlock,
    TeachBlock,
    TrainingBlock,
)
from selfstudy.recipe.verify import VerifyBlock
from selfstudy.recipe.whole import MODEL_KEYS, BudgetBlock, Recipe

__all__ = [
    "MEANS_OVER_SAMPLES",
    "MODEL_KEYS",
    "NEED_ENTAILMENT",
    "STDIN",
    "AdaptiveBlock",
    "AnsweringBlock",
    "Ask",
    "BudgetBlock",
    "DPOBlock",
    "DistillBlock",
    "EmbedderBlock",
    "EngineName",
    "EntailmentBlock",
    "EntailmentWeights",
    "EpochsBlock",
    "ExamplesBlock",
    "GatherBlock",
    "LocalModel",
    "LoraBlock",
    "ModelBlock",
    "NLIBlock",
    "NoNLI",
    "OnlineDPOBlock",
    "PairsBlock",
    "PhaseBlock",
    "Prices",
    "ProbeBlock",
    "PromptStyle",
    "PromptedNLI",
    "Recipe",
    "RemoteModel",
    "RewardBlock",
    "SFTBlock",
    "ScorerName",
    "ScriptedModel",
    "Seq2SeqNLI",
    "ServerModel",
    "SocraticBlock",
    "TeachBlock",
    "TrainingBlock",
    "VerifyBlock",
    "name_of",
    "weights_of",
]
