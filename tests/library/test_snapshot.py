from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfstudy.library.snapshot import Difference, difference, snapshot, unreadable, with_unseen
from selfstudy.records import Document, Skipped


def page(source: str, text: str, title: str = "") -> Document:
    return Document(source=source, text=text, title=title)


def test_a_change_of_text_or_title_is_seen_and_white_space_is_none() -> None:
    before = snapshot([page("a", "Lima is a city."), page("b", "One."), page("c", "Gone.")])
    now = snapshot([page("a", "Lima  is\na city."), page("b", "Two."), page("d", "New.")])
    assert difference(before, now) == Difference(added=("d",), changed=("b",), removed=("c",))
    assert difference(before, snapshot([page("a", "Lima is a city.", "Lima")])).changed == ("a",)


def test_documents_of_one_source_count_together_in_their_order() -> None:
    one, two = page("a", "First."), page("a", "Second.")
    assert snapshot([one, two]) != snapshot([two, one])
    assert snapshot([one, two]) != snapshot([page("a", "First.Second.")])
    assert len(snapshot([one, two])) == 1


hashes = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"))


@given(hashes, hashes)
def test_a_difference_turns_one_into_the_other(before: dict[str, str], now: dict[str, str]) -> None:
    found = difference(before, now)
    made = {one: text for one, text in before.items() if one not in found.removed}
    made |= {one: now[one] for one in (*found.added, *found.changed)}
    assert made == now
    assert not difference(now, now)


def test_what_cannot_be_read_is_as_it_was_and_not_gone() -> None:
    before = {"a.txt": "1", "deep/b.txt": "2", "c.jsonl#line 3": "3", "d.txt": "4"}
    skipped = [
        Skipped(source="a.txt", reason="cannot be read: Permission denied"),
        Skipped(source="deep", reason="cannot be read: Permission denied"),
        Skipped(source="c.jsonl", reason="cannot be read: Input/output error"),
        Skipped(source="d.txt", reason="no text"),
        Skipped(source="https://example.org/page", reason="status 500"),
    ]
    closed = unreadable(skipped, pages=True)
    assert closed == {"a.txt", "deep", "c.jsonl", "https://example.org/page"}
    now = with_unseen(before, {"a.txt": "9", "new.txt": "5"}, closed)
    assert difference(before, now) == Difference(added=("new.txt",), removed=("d.txt",))
    assert unreadable(skipped[-1:], pages=False) == set()
