from hypothesis import given
from hypothesis import strategies as st

from selfstudy.split import held_out

IDS = [f"{n:016x}" for n in range(4000)]


@given(st.text(max_size=20), st.integers(0, 2**31 - 1))
def test_the_ends_of_the_range(question_id: str, seed: int) -> None:
    assert not held_out(question_id, seed, 0.0)
    assert held_out(question_id, seed, 1.0)


@given(st.text(max_size=20), st.integers(0, 99), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_what_a_smaller_one_held_out(
    question_id: str, seed: int, a: float, b: float
) -> None:
    small, large = sorted((a, b))
    assert not held_out(question_id, seed, small) or held_out(question_id, seed, large)


def test_the_share_is_met_and_the_seed_matters() -> None:
    first = [held_out(i, 0, 0.3) for i in IDS]
    second = [held_out(i, 1, 0.3) for i in IDS]
    assert 0.27 < sum(first) / len(IDS) < 0.33
    assert first == [held_out(i, 0, 0.3) for i in IDS]
    assert 0.4 < sum(a == b for a, b in zip(first, second, strict=True)) / len(IDS) < 0.7
