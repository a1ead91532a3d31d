"""What is sent while an answer is written adds up to it, and nothing of it is ever taken back."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from selfstudy.models.base import Token
from selfstudy.serve.streaming import new, pieces, settled
from selfstudy.text import until


def test_half_a_character_waits() -> None:
    assert settled("Zü\ufffd", ()) == "Zü"
    assert settled("Zür\ufffd\ufffd", ()) == "Zür"


def test_what_may_become_a_stop_waits() -> None:
    assert settled("one #", ("##",)) == "one"
    assert settled("one # two", ("##",)) == "one # two"
    assert settled("one EN", ("END", "NO")) == "one"
    assert settled("one", ("x",)) == "one"


def test_what_was_sent_is_not_taken_back() -> None:
    assert new("one two", "one") == " two"
    assert new("on", "one") == ""
    assert new("two one", "one") == ""


@given(
    st.text(alphabet="ab#\ufffd ", max_size=12),
    st.lists(st.text(alphabet="ab# ", min_size=1, max_size=3), max_size=2),
)
@example("a aa", ["aa"])
@example(" ba", [" ba"])
def test_what_is_sent_of_any_text_is_the_beginning_of_the_answer(text: str, stop: list[str]) -> None:
    """The text grows a character at a time, as a model writes it; what follows a stop is cut off."""
    whole = until(text, tuple(stop)).strip()
    sent = ""
    for length in range(len(text) + 1):
        so_far = until(text[:length], tuple(stop)).strip()
        sent += new(settled(so_far, stop), sent)
        assert whole.startswith(sent)
    assert sent + new(whole, sent) == whole


def test_a_text_is_cut_as_its_tokens_are() -> None:
    tokens = [Token(" Suva", -0.1), Token(" is", -0.2), Token("\ufffd", -0.3), Token("\ufffd", -0.4)]
    found = list(pieces("Suva is é", tokens))
    assert [text for text, _ in found] == ["Suva", " is", "", "", " é"]
    assert [token for _, token in found] == [*tokens, None]
