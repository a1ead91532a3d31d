"""What an answer is worth to an online phase: its block's reward, judged by whom its block says.

Knows nothing of training: who trains gives the model as it is, and as it was before.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfstudy.judging.judge import PromptedJudge
from selfstudy.judging.rewarders import PROMPTS, rewarder
from selfstudy.judging.rewards import RandomRewards, Rewarder
from selfstudy.models.base import Embedder, LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import OnlineDPOBlock


@dataclass(frozen=True)
class Rewards:
    """Makes the rewarder of a phase.

    Attributes:
        judge: the recipe's.
    """

    block: OnlineDPOBlock
    prompts: Prompts
    embedder: Embedder
    judge: LanguageModel
    seed: int

    @property
    def told(self) -> str:
        """What of it the block does not say: who judges, and by which words."""
        prompt = PROMPTS.get(self.block.reward.type)
        return f"{self.judge.name}\0{self.prompts.text(prompt) if prompt else ''}"

    def rewarder(self, policy: LanguageModel, reference: LanguageModel) -> Rewarder:
        """What values answers.

        Args:
            policy: the model in training, as it is at each call.
            reference: the same as it was before this phase.
        """
        reward = self.block.reward
        if reward.type == "random":
            return RandomRewards(self.seed)
        lm = {"policy": policy, "reference": reference, "judge": self.judge}[self.block.judge]
        judge = PromptedJudge(lm, self.prompts)
        return rewarder(reward.type, judge, zeta=reward.zeta, embedder=self.embedder)
