"""When nothing comes of the first items."""

from selfstudy.models.first_items import ENOUGH, FirstItems


def test_enough_failures_of_one_kind_are_hopeless() -> None:
    first = FirstItems()
    first.saw(f"HTTP 400: no such model 'm{i}' ({i} tries)" for i in range(ENOUGH - 1))
    assert not first.hopeless
    first.saw(["HTTP 400: no such model 'x' (9 tries)"])
    assert first.hopeless
    assert first.failed == ENOUGH
    assert first.commonest == "HTTP 400: no such model 'm0' (0 tries)"


def test_failures_of_several_kinds_are_not() -> None:
    first = FirstItems()
    first.saw(["too long", *["content filter"] * 2 * ENOUGH])
    assert not first.hopeless
    assert first.commonest == "content filter"


def test_one_success_is_enough() -> None:
    first = FirstItems()
    first.saw(["bad"] * (ENOUGH - 1))
    first.saw([None])
    first.saw(["bad"] * 99)
    assert first.works
    assert not first.hopeless
    assert first.failed == 0
    assert first.commonest == ""
