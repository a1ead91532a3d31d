"""The answer that most give, of those that rest on the page."""

from __future__ import annotations

from selfstudy.gather.votes import NO_ANSWER, vote
from selfstudy.records import Completion

PAGE = "Tolm\nTolm is a town in Ferro. Its port is Marsk. Its calling code is +41, its domain .tm."
ASKED = "What is the port of Tolm?"


def said(*texts: str) -> list[Completion]:
    return [Completion(text=text, tokens=4, logprob=-float(i)) for i, text in enumerate(texts)]


def test_samples_outvote_a_greedy_refusal_and_what_stands_in_no_page() -> None:
    answers = said(
        "The document does not say.", "It is London.", "Marsk.", "The port of Tolm is Marsk.", "Tolm."
    )
    found = vote(ASKED, answers, PAGE)
    assert (found.chosen, found.votes, found.others) == (2, 2, 0)  # the more probable of the two
    assert found.accepted(2)
    assert not found.accepted(3)


def test_the_greedy_answer_stands_for_those_that_agree_with_it() -> None:
    assert vote(ASKED, said("It is Marsk.", "Marsk, in Ferro.", "Marsk."), PAGE).chosen == 0
    rambling = vote(ASKED, said("Marsk. Tolm is in Ferro, dial +41.", "Marsk.", "It is Marsk."), PAGE)
    assert (rambling.chosen, rambling.votes) == (1, 3)  # most add Marsk and no more


def test_answers_that_rest_on_the_page_and_differ_are_not_accepted() -> None:
    found = vote("What is the calling code of Tolm?", said("+41.", ".tm", "It is +41.", "It is .tm"), PAGE)
    assert (found.votes, found.others) == (2, 2)
    assert not found.accepted(1)


def test_yes_and_no_and_denials_are_other_answers() -> None:
    asked = "Is Tolm the capital of Ferro?"
    found = vote(asked, said("No.", "Yes.", "Yes, it is.", "No."), PAGE)
    assert (found.votes, found.others) == (2, 2)
    assert not found.accepted(1)
    page = f"{PAGE} The treaty was ratified; the pact was not."
    found = vote("What of the treaty?", said("It was ratified.", "It was not ratified."), page)
    assert (found.votes, found.others) == (1, 1)


def test_why_no_answer_counts() -> None:
    refused = vote(ASKED, said("The document does not say.", "Not stated.", "It is London."), PAGE)
    assert (refused.chosen, refused.votes, refused.problem) == (0, 0, NO_ANSWER)
    assert not refused.accepted(0)
    broken = [Completion(text="", finish="error", error="no room"), *said("")]
    assert vote(ASKED, broken, PAGE).problem == "no room"
