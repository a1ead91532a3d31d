"""Online DPO: what is learned, what never is, and that a kill changes nothing."""

from __future__ import annotations

import math
import multiprocessing
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model

from selfstudy.errors import ModelError
from selfstudy.judging.rewards import JUDGE_FAILED, RandomRewards, Response, Reward, Rewarder
from selfstudy.models import load_lm, lora_targets
from selfstudy.models import lora as adapters
from selfstudy.models.base import LanguageModel, Progress, Sampling, chat
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, LoraBlock, OnlineDPOBlock, RewardBlock
from selfstudy.teach.practice import OnlinePrompt, Practice
from selfstudy.teach.rewarding import Rewards
from selfstudy.teach.trainers import fast_lora, online_dpo, shared

from ..test_stage import Listener
from .small import FACTS, setting

torch.set_num_threads(1)

EXERCISES = [
    OnlinePrompt(chat(f"What is the capital of {country}?"), f"the capital of {country}", country)
    for country in FACTS
]
LORA = LoraBlock(r=4, alpha=8, dropout=0.0)


@dataclass
class Valued:
    """Rewards by a rule, whoever is in training."""

    value: Callable[[Response], float | None]
    name = "rule"
    told = "a rule"

    def rewards(self, responses: Sequence[Response], progress: Progress | None = None) -> list[Reward]:
        return [
            Reward(found, problem="no idea") if (found := self.value(r)) is None else Reward(found)
            for r in responses
        ]

    def rewarder(self, policy: LanguageModel, reference: LanguageModel) -> Rewarder:
        return self


def shorter(response: Response) -> float:
    return -float(len(response.text))


def block(**changes: Any) -> OnlineDPOBlock:
    values = {"steps": 4, "batch_size": 6, "max_new_tokens": 8, "learning_rate": 1e-2, "checkpoint_every": 2}
    return OnlineDPOBlock(**{**values, **changes})


def practice(value: Callable[[Response], float | None] | Rewarder) -> Practice:
    rewards: Any = Valued(value) if callable(value) else _Given(value)
    return Practice(EXERCISES, rewards)


@dataclass
class _Given:
    one: Rewarder
    told = "a rule"

    def rewarder(self, policy: LanguageModel, reference: LanguageModel) -> Rewarder:
        return self.one


def train(lm: Any, given: Practice, report: Any = None, how: Any = None, **changes: Any) -> shared.Trained:
    how = how or setting(phase="online-dpo", lora=LORA)
    model = shared.training_copy(lm, whole=how.lora is None)
    return online_dpo.train(model, lm, given, block(**changes), how, report or Silent())


def adapter(trained: shared.Trained) -> torch.Tensor:
    named = sorted((n, p) for n, p in trained.model.named_parameters() if p.requires_grad)
    return torch.cat([p.detach().flatten() for _, p in named])


@pytest.fixture
def lm(tiny_llama: Path) -> Any:
    return load_lm(LocalModel(path=str(tiny_llama)))


def test_the_rate_rises_from_the_first_update_and_falls_as_a_cosine() -> None:
    assert [shared.rate(at, 8, 1.0, 0.5) for at in range(8)] == pytest.approx(
        [0.25, 0.5, 0.75, 1.0, 1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    )
    assert shared.rate(0, 8, 1.0, 0.0) == 1.0


@pytest.mark.parametrize("tokens", [16_384, 1])
def test_an_update_is_one_of_plain_torch_on_the_mean_of_all_pairs(
    lm: Any, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one pass and pair by pair: AdamW's first step is the sign of the gradient, so it is looked at."""
    monkeypatch.setattr(fast_lora, "compute_dtype", lambda: torch.float32)
    gradients: list[list[torch.Tensor]] = []
    clip = torch.nn.utils.clip_grad_norm_
    how = setting(phase="online-dpo", lora=LORA, tokens=tokens)

    def seen(parameters: Any, most: float) -> torch.Tensor:
        gradients.append([p.grad.clone() for p in parameters])
        return clip(parameters, most)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", seen)
    trained = train(lm, practice(shorter), how=how, steps=1)
    assert trained.steps[0].loss == pytest.approx(math.log(2), abs=1e-5)
    assert len(trained.pairs) > 1

    with shared.isolated(0):
        plain = shared.training_copy(lm)
        plain = get_peft_model(plain, lora_targets.lora_config(plain, LORA))
    total = torch.tensor(0.0)
    form = shared.Tokens(lm)
    for pair in trained.pairs:
        (prompt,) = form.prompts([pair.prompt])
        sums = []
        for text in (pair.chosen, pair.rejected):
            (answer,) = form.begun([pair.prompt], [text])
            if len(answer) < 8:  # it ended by itself
                (answer,) = form.answers([pair.prompt], [text])
            logits = plain(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
            sums.append(logits[torch.arange(len(prompt) - 1, len(prompt) + len(answer) - 1), answer].sum())
        margin = 0.1 * ((sums[0] - sums[0].detach()) - (sums[1] - sums[1].detach()))
        total = total - torch.nn.functional.logsigmoid(margin) / len(trained.pairs)
    total.backward()
    expected = [p.grad for p in plain.parameters() if p.requires_grad]
    assert any(float(one.abs().max()) > 1e-3 for one in expected)
    for one, other in zip(gradients[0], expected, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_what_is_rewarded_becomes_more(lm: Any) -> None:
    trained = train(lm, practice(shorter), steps=20, batch_size=12, learning_rate=1e-2, updates=2)
    rewards = [one.metrics["reward"] for one in trained.steps]
    assert sum(rewards[-4:]) / 4 > sum(rewards[:4]) / 4 + 3
    assert trained.failure is None
    assert trained.idle is None
    assert all(len(p.chosen) < len(p.rejected) for p in trained.pairs)
    assert {p.origin for p in trained.pairs} == {"online"}


@pytest.mark.parametrize(("value", "outcome"), [(lambda one: 1.0, "ties"), (lambda one: None, "unscored")])
def test_what_is_no_pair_is_counted_and_never_trained_on(
    lm: Any, value: Callable[[Response], float | None], outcome: str
) -> None:
    listener = Listener()
    trained = train(lm, practice(value), listener)
    assert trained.idle is not None
    assert f"24 {outcome}" in trained.idle
    assert ("no idea" in trained.idle) == (outcome == "unscored")
    assert any(trained.idle.removeprefix("no pair to learn from: ") in note for note in listener.notes)
    assert not trained.steps
    assert not trained.pairs
    assert not any(p.any() for n, p in trained.model.named_parameters() if "lora_B" in n)


def test_a_step_without_a_pair_is_no_update(lm: Any) -> None:
    """The second half of the prompts is never scored: steps of these alone have no point on the curve."""
    few = {one.shown for one in EXERCISES[:3]}
    chance = RandomRewards(0)
    given = practice(lambda one: chance.rewards([one])[0].value if one.prompt in few else None)
    trained = train(lm, given, batch_size=1, steps=6)
    asked = [given.batch(0, step, 1)[0].shown for step in range(6)]
    assert [one.step for one in trained.steps] == [i + 1 for i, one in enumerate(asked) if one in few]
    assert len(trained.pairs) == 3
    seen = {one.item_id: one.steps for one in trained.seen.records("taught", "online-dpo")}
    both = zip(trained.pairs, trained.steps, strict=True)
    assert seen == {pair.id: (point.step,) for pair, point in both}


def test_one_answer_is_searched_and_the_others_are_drawn(lm: Any) -> None:
    """What is trained on is what the model gives by search (as greedy) and by the same draw as without it."""
    told = {"completions": 3, "top_k": 4, "steps": 1}
    how = online_dpo.how_to_answer(block(penalty_alpha=0.6, **told), 7)
    plain = online_dpo.how_to_answer(block(**told), 7)
    assert (how.total, how.with_passage, how.penalty_alpha, how.top_k) == (3, True, 0.6, 4)
    assert (plain.total, plain.with_passage, plain.penalty_alpha, plain.top_k) == (3, False, 0.0, 4)
    asked: list[Response] = []
    trained = train(lm, practice(lambda one: asked.append(one) or shorter(one)), penalty_alpha=0.6, **told)
    assert trained.failure is None
    assert trained.pairs
    greedy = Sampling(temperature=0.0, max_new_tokens=8, penalty_alpha=0.6, top_k=4)
    searched = {row[0].text for row in lm.generate([one.prompt for one in EXERCISES], greedy)}
    assert searched <= {one.text for one in asked}
    assert len(asked) > len(searched)


class Killed(Silent):
    """Dies after so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        yield self._advance

    def _advance(self, count: int) -> None:
        self.left -= count
        if self.left <= 0 and count:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def unkilled() -> dict[bool, list[shared.Trained]]:
    """The same training from its start to its end, two times; made by the first who asks."""
    return {}


@pytest.mark.parametrize("after", [1, 2, 3, 5])
@pytest.mark.parametrize("full", [False, True], ids=["lora", "full"])
def test_a_kill_and_another_start_end_as_if_nothing_had_happened(
    lm: Any, unkilled: dict[bool, list[shared.Trained]], full: bool, after: int, tmp_path: Path
) -> None:
    lora = None if full else LORA.model_copy(update={"dropout": 0.3})
    plain = setting(phase="online-dpo", lora=lora)
    if full not in unkilled:
        unkilled[full] = [train(lm, practice(shorter), how=plain, steps=5) for _ in range(2)]
    whole, again = unkilled[full]
    how = replace(plain, checkpoints=tmp_path / "checkpoints")
    with pytest.raises(KeyboardInterrupt):
        train(lm, practice(shorter), Killed(after), how, steps=5)
    torch.manual_seed(after)
    listener = Listener()
    resumed = train(lm, practice(shorter), listener, how, steps=5)
    last = 5 if after == 5 else after // 2 * 2
    assert any(f"goes on after step {last}" in note for note in listener.notes) == bool(last)
    for one in (again, resumed):
        assert torch.equal(adapter(one), adapter(whole))
        assert one.steps == whole.steps
        assert one.pairs == whole.pairs
        assert list(one.seen.records("taught", "p")) == list(whole.seen.records("taught", "p"))


class Dies(Valued):
    """Judges three batches, and never again."""

    left = 3

    def rewards(self, responses: Sequence[Response], progress: Progress | None = None) -> list[Reward]:
        self.left -= 1
        if self.left < 0:
            return [Reward(None, problem=f"{JUDGE_FAILED}: no connection") for _ in responses]
        return super().rewards(responses, progress)


def test_a_judge_that_fails_stops_the_training_which_goes_on_when_it_is_back(lm: Any, tmp_path: Path) -> None:
    plain = setting(phase="online-dpo", lora=LORA)
    how = replace(plain, checkpoints=tmp_path / "checkpoints")
    with pytest.raises(ModelError, match="nothing was judged at step 4: the judge failed: no connection"):
        train(lm, practice(Dies(shorter)), how=how, judge="judge")
    resumed = train(lm, practice(shorter), how=how, judge="judge")
    whole = train(lm, practice(shorter), how=plain, judge="judge")
    assert torch.equal(adapter(resumed), adapter(whole))


def test_a_model_that_cannot_judge_its_own_answers_leaves_them_unscored(lm: Any) -> None:
    found = train(lm, practice(Dies(shorter)), how=setting(phase="online-dpo", lora=LORA), steps=5)
    assert [step.step for step in found.steps] == [1, 2, 3]
    assert found.failure is None


def test_a_checkpoint_of_other_work_is_left_alone(lm: Any, tmp_path: Path) -> None:
    how = replace(setting(phase="online-dpo", lora=LORA), checkpoints=tmp_path / "checkpoints")
    train(lm, practice(shorter), how=how)
    listener = Listener()
    train(lm, practice(shorter), listener, how, beta=0.2)
    assert not any("goes on" in note for note in listener.notes)


def test_chance_teaches_something_else(lm: Any) -> None:
    taught, control = (
        train(lm, practice(shorter), how=setting(phase="online-dpo", lora=LORA, arm=arm))
        for arm in ("taught", "control")
    )
    assert not torch.equal(adapter(taught), adapter(control))
    assert {p.origin for p in control.pairs} == {"random"}
    first = {(p.prompt, frozenset({p.chosen, p.rejected})) for p in control.pairs[: len(EXERCISES)]}
    assert first & {(p.prompt, frozenset({p.chosen, p.rejected})) for p in taught.pairs[: len(EXERCISES)]}


@pytest.mark.parametrize("lora", [LORA, None], ids=["lora", "full"])
def test_the_reference_judges_as_before_and_the_policy_as_it_is_by_then(
    lm: Any, lora: LoraBlock | None
) -> None:
    said: dict[str, list[str]] = {"policy": [], "reference": []}

    class Asking:
        name = "asking"

        def rewarder(self, policy: LanguageModel, reference: LanguageModel) -> Rewarder:
            self._models = {"policy": policy, "reference": reference}
            return self

        def rewards(self, responses: Sequence[Response], progress: Progress | None = None) -> list[Reward]:
            for name, one in self._models.items():
                ((completion,),) = one.generate(
                    [EXERCISES[0].prompt], Sampling(temperature=0, max_new_tokens=12)
                )
                said[name].append(completion.text)
            return [Reward(shorter(one)) for one in responses]

    before = lm.generate([EXERCISES[0].prompt], Sampling(temperature=0, max_new_tokens=12))[0][0].text
    rewards: Any = Asking()
    how = setting(phase="online-dpo", lora=lora)
    found = train(
        lm, Practice(EXERCISES, rewards), how=how, steps=6, updates=2, learning_rate=3e-2 if lora else 1e-3
    )
    assert found.steps[0].loss < math.log(2)  # the first update's exactly, the second's less
    assert said["policy"][0] == before
    assert said["policy"][-1] != before
    assert said["reference"] == [before] * 6


def test_a_loss_that_is_no_number_ends_the_training(lm: Any) -> None:
    trained = train(lm, practice(shorter), steps=6, learning_rate=1e30, warmup=0.0)
    assert trained.failure is not None
    assert "online-dpo: no answers at step 2: the model's logits are not numbers" in trained.failure
    assert len(trained.steps) == 1


def test_the_judge_of_the_block_is_asked(lm: Any) -> None:
    how = block(judge="judge", reward=RewardBlock(type="rating"))
    judge = ScriptedLM(
        {r"Response: [^\n]*t[^\n]*\nAssess": "Good. [[9]] [[[]]]", ".": "Bad. [[2]] [[[much]]]"}
    )
    rewards = Rewards(how, Prompts(), None, judge, 0)  # type: ignore[arg-type]
    trained = online_dpo.train(
        shared.training_copy(lm),
        lm,
        Practice(EXERCISES, rewards),
        how,
        setting(phase="o", lora=LORA),
        Silent(),
    )
    assert trained.pairs
    assert all("t" in p.chosen for p in trained.pairs)
    assert not any("t" in p.rejected for p in trained.pairs if "\n" not in p.rejected)
    assert all(one.metrics["difference"] == pytest.approx(1.4) for one in trained.steps)


def in_a_process(model: str, folder: Path, said: Connection) -> None:
    """Trains to the end, and says when it has done a step; what a kill interrupts."""

    class Saying(Killed):
        def _advance(self, count: int) -> None:
            said.send(count)

    lm = load_lm(LocalModel(path=model))
    how = replace(setting(phase="online-dpo", lora=LORA), checkpoints=folder / "checkpoints")
    trained = train(lm, practice(shorter), Saying(0), how, steps=30, checkpoint_every=1)
    adapters.save(trained.model, folder / "adapter")
    records = [*trained.steps, *trained.pairs]
    (folder / "records").write_text("\n".join(one.model_dump_json() for one in records), "utf-8")


@pytest.mark.slow
def test_kill_9_at_ten_random_moments_changes_nothing(tiny_llama: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # children need not import torch again
    rng = random.Random(0)

    def attempt(folder: Path, seconds: float | None) -> None:
        """Trains in a process of its own, which is killed some seconds after its first step."""
        folder.mkdir(exist_ok=True)
        mine, its = context.Pipe(duplex=False)
        child = context.Process(target=in_a_process, args=(str(tiny_llama), folder, its))
        child.start()
        its.close()
        if seconds is not None:
            assert mine.poll(500)
            mine.recv()  # where it begins
            assert mine.poll(500)
            time.sleep(seconds)
            child.kill()
        child.join(500)
        assert child.exitcode == (0 if seconds is None else -signal.SIGKILL)

    whole, torn = tmp_path / "whole", tmp_path / "torn"
    attempt(whole, None)
    for _ in range(10):
        attempt(torn, rng.uniform(0, 0.05))
    attempt(torn, None)
    for name in ("records", f"adapter/{adapters.WEIGHTS}"):
        assert (torn / name).read_bytes() == (whole / name).read_bytes()
