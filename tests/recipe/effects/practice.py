"""Keys of phases in which a tiny model answers, is rewarded, and learns: seen in what it says and becomes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from selfstudy.judging.cited_items import CitedItem
from selfstudy.judging.rewards import Response, Reward
from selfstudy.models.base import LanguageModel, Progress, chat
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.recipe import OnlineDPOBlock, RewardBlock
from selfstudy.teach.cited_practice import CitedExercise, CitedPractice, RewardedAnswer
from selfstudy.teach.phases import PHASES
from selfstudy.teach.practice import OnlinePrompt, Practice
from selfstudy.teach.rewarding import Rewards
from selfstudy.teach.rewards import SpanReward
from selfstudy.teach.trainers import grpo, ppo, shared
from selfstudy.teach.trainers.processes import Processes
from selfstudy.teach.trainers.rollouts import Rollout
from tests.teach.lessons import PROMPTS
from tests.teach.trainers.policies import Killed

from . import Effect, rows
from .citing import FILE
from .lessons import material
from .losses import change, setting, tiny

ASKED = ("Why?", "Who?")
PROMPTED = [OnlinePrompt(chat(asked), asked, asked) for asked in ASKED]
CITED = [CitedExercise(chat(asked), CitedItem(asked, (), "plain"), asked) for asked in ASKED]


class ByLength:
    """Who is longer earns more; keeps all that it was shown.  For phases of both kinds."""

    name, told, level = "length", "", "fine"

    def __init__(self) -> None:
        self.shown: list[str] = []

    def rewarder(self, policy: LanguageModel, reference: LanguageModel) -> Any:
        return _LongerIsBetter(self.shown)

    def rewards(
        self,
        exercises: Sequence[CitedExercise],
        outputs: Sequence[Sequence[str]],
        seed: int = 0,
        *,
        never_own: bool = False,
    ) -> list[list[RewardedAnswer]]:
        self.shown += [text for row in outputs for text in row]
        return [
            [RewardedAnswer(text, (SpanReward(0, len(text), len(text) / 10, "holistic"),)) for text in row]
            for row in outputs
        ]


class _LongerIsBetter:
    name = "length"

    def __init__(self, shown: list[str]) -> None:
        self._shown = shown

    def rewards(self, responses: Sequence[Response], progress: Progress | None = None) -> list[Reward]:
        self._shown += [one.text for one in responses]
        return [Reward(float(len(one.text))) for one in responses]


def run(block: Any, report: Silent, folder: Path | None = None) -> tuple[ByLength, shared.Trained]:
    valued: Any = ByLength()
    given: Any = CitedPractice(CITED, valued)
    if isinstance(block, OnlineDPOBlock):
        given = Practice(PROMPTED, valued)
    how, lm = setting(block.type, checkpoints=folder), tiny()
    found = PHASES[block.type].load().train(shared.training_copy(lm), lm, given, block, how, report)
    return valued, found


def said(block: Any) -> object:
    """The answers that are rewarded."""
    return run(block, Silent())[0].shown


@lru_cache
def learned(block: OnlineDPOBlock) -> object:
    """What becomes of the model in one step."""
    found = run(block, Silent())[1]
    return found.idle, [step.loss for step in found.steps], change(found.model)


def left(block: Any) -> object:
    """What is in the folder of checkpoints where a training dies after its first step."""
    with TemporaryDirectory() as folder:
        with suppress(KeyboardInterrupt):
            run(block, Killed(1), Path(folder))
        return sorted(one.name for one in Path(folder).iterdir())


def practised(block: OnlineDPOBlock) -> object:
    """What is practised, as a judge sees it, and what answers are worth."""
    found = material(block)
    return [(one.shown, one.criteria) for one in found.exercises], worth(block.reward)


def worth(block: RewardBlock) -> object:
    judge = ScriptedLM({".": ["It is so. [[7]] [[[a reason]]]", "Hm. [[2]] [[[all]]]"]})
    rewards = Rewards(OnlineDPOBlock(reward=block), PROMPTS, LexicalEmbedder(), judge, 0)
    said = [Response("Why?", text) for text in ("So.", "Because.", "A reason, it seems.")]
    return [one.value for one in rewards.rewarder(judge, judge).rewards(said)]


ANSWERED = (
    (0, [11, 12, 13], [0.0, 1.0, 0.2], [0, 0, 1]),
    (0, [14, 15], [-0.4, 0.1], [0, 1]),
    (1, [16, 17, 18, 19], [0.0, 0.0, 0.5, -1.0], [0, 1, 1, 2]),
    (1, [20], [0.6], [0]),
)
"""Of answers: which question, tokens, and of each of them its reward and the statement that it belongs to."""


@lru_cache
def updated(block: Any) -> object:
    """What becomes of the model in two steps that learn from the same answers."""
    answers = [
        Rollout(group, {"prompt_ids": [7, 8, 9 + group], "answer_ids": ids}, rewards, segments, "")
        for group, ids, rewards, segments in ANSWERED
    ]
    lm, made = tiny(), {"ppo": ppo._PPO, "grpo": grpo._GRPO}[block.type]
    with shared.isolated(0):
        given: Any = CitedPractice(CITED, ByLength())
        training: Any = made(shared.training_copy(lm), lm, given, block, setting(block.type), Processes())
        why = [training._learn(at, answers) for at in range(2)]
    return why, [step.loss for step in training.standing.curve], change(training._parts)


ONE: dict[str, Any] = {"steps": 1, "batch_size": 2, "max_new_tokens": 4, "learning_rate": 0.02}
MORE: dict[str, Any] = {"steps": 2, "batch_size": 1, "completions": 3, "max_new_tokens": 2}
TWO = ONE | {"steps": 2, "updates": 2, "warmup": 0.0}
DIES = ONE | {"steps": 3}
EFFECTS: dict[str, Effect] = {
    **rows("RewardBlock", worth, {}, type="rating", zeta=1.0),
    **rows("OnlineDPOBlock", practised, {}, prompts=FILE, reward={"type": "rubric"}, judge_reads=False),
    **rows("OnlineDPOBlock", learned, ONE | {"updates": 2}, beta=2.0, updates=1, margin=99.0),
    **rows("OnlineDPOBlock", left, DIES, checkpoint_every=1),
    **rows("OnlineDPOBlock", said, ONE, **MORE),
    **rows("PPOBlock", said, ONE, temperature=0.1, top_k=1, **MORE),
    **rows("GRPOBlock", said, ONE, temperature=0.1, top_k=1, **MORE),
    **rows("PPOBlock", left, DIES, checkpoint_every=1),
    **rows("GRPOBlock", left, DIES, checkpoint_every=1),
    **rows("PPOBlock", updated, TWO, updates=1, clip=0.01, most_kl=1e-4, kl=3.0, gamma=0.5, lam=0.5),
    **rows("PPOBlock", updated, TWO, value_clip=1e-4, value_rate=0.5, published=True),
    **rows("GRPOBlock", updated, TWO, updates=1, clip=0.01, most_kl=1e-4, kl=3.0, clip_high=0.01),
    **rows("GRPOBlock", updated, TWO, advantages="answer", scale="batch", aggregation="grpo"),
}
"""By `Block.key`."""
