"""The recipe: one typed block per stage.

Defaults are the papers' vetted values; a comment names the source where it is not obvious.  Nothing here
knows how a stage works, and only file.py knows files.
"""

from selfstudy.recipe.answering import AnsweringBlock
from selfstudy.recipe.citing import (
    CitationRewardBlock,
    CitingBlock,
    GRPOBlock,
    PolicyBlock,
    PPOBlock,
    RejectionBlock,
)
from selfstudy.recipe.deploy import DeployBlock, RouterBlock
from selfstudy.recipe.entailment import (
    EntailmentBlock,
    EntailmentWeights,
    NLIBlock,
    NoNLI,
    PromptedNLI,
    Seq2SeqNLI,
)
from selfstudy.recipe.gather import GatherBlock
from selfstudy.recipe.library import (
    FetchBlock,
    FolderSource,
    LibraryBlock,
    UrlsSource,
    WebSource,
    WikipediaSource,
    folder_library,
)
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
from selfstudy.recipe.relearn import RelearnBlock
from selfstudy.recipe.scale import ClusterBlock, LaunchBlock, ScaleBlock
from selfstudy.recipe.teach import (
    DistillBlock,
    DPOBlock,
    ExamplesBlock,
    OnlineDPOBlock,
    PairsBlock,
    PhaseBlock,
    RefusalsBlock,
    RewardBlock,
    SFTBlock,
    SocraticBlock,
    TeachBlock,
)
from selfstudy.recipe.track import TrackBlock
from selfstudy.recipe.training import AnswersBlock, EpochsBlock, LoraBlock, TrainingBlock
from selfstudy.recipe.verify import VerifyBlock
from selfstudy.recipe.whole import MODEL_KEYS, BudgetBlock, Recipe

__all__ = [
    "MEANS_OVER_SAMPLES",
    "MODEL_KEYS",
    "NEED_ENTAILMENT",
    "STDIN",
    "AdaptiveBlock",
    "AnsweringBlock",
    "AnswersBlock",
    "Ask",
    "BudgetBlock",
    "CitationRewardBlock",
    "CitingBlock",
    "ClusterBlock",
    "DPOBlock",
    "DeployBlock",
    "DistillBlock",
    "EmbedderBlock",
    "EngineName",
    "EntailmentBlock",
    "EntailmentWeights",
    "EpochsBlock",
    "ExamplesBlock",
    "FetchBlock",
    "FolderSource",
    "GRPOBlock",
    "GatherBlock",
    "LaunchBlock",
    "LibraryBlock",
    "LocalModel",
    "LoraBlock",
    "ModelBlock",
    "NLIBlock",
    "NoNLI",
    "OnlineDPOBlock",
    "PPOBlock",
    "PairsBlock",
    "PhaseBlock",
    "PolicyBlock",
    "Prices",
    "ProbeBlock",
    "PromptStyle",
    "PromptedNLI",
    "Recipe",
    "RefusalsBlock",
    "RejectionBlock",
    "RelearnBlock",
    "RemoteModel",
    "RewardBlock",
    "RouterBlock",
    "SFTBlock",
    "ScaleBlock",
    "ScorerName",
    "ScriptedModel",
    "Seq2SeqNLI",
    "ServerModel",
    "SocraticBlock",
    "TeachBlock",
    "TrackBlock",
    "TrainingBlock",
    "UrlsSource",
    "VerifyBlock",
    "WebSource",
    "WikipediaSource",
    "folder_library",
    "name_of",
    "weights_of",
]
