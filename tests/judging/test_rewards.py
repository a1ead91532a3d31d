"""The random control of rewards."""

from __future__ import annotations

from selfstudy.judging.rewards import RandomRewards, Response


def test_random_rewards_depend_on_text_and_seed_alone() -> None:
    texts = [Response("Who?", f"It was {n}.") for n in range(200)]
    values = [one.value for one in RandomRewards(0).rewards(texts)]
    assert values == [RandomRewards(0).rewards([one])[0].value for one in texts]
    assert values != [one.value for one in RandomRewards(1).rewards(texts)]
    numbers = [value for value in values if value is not None]
    assert len(set(numbers)) == len(texts)
    assert 0.4 < sum(numbers) / len(texts) < 0.6
