"""A question is asked if its page answers it, in two wordings alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from selfstudy import ScriptedLM
from selfstudy.models.base import NoLogprobsError
from selfstudy.probe.questions import Asker, Material
from selfstudy.probe.usable import (
    ELSEWHERE,
    NAMELESS,
    NO_ANSWER,
    NO_VERB,
    NOT_READ,
    OF_A_SORT,
    OFF_TOPIC,
    OTHER_WORD,
    STRANGE,
    TOO_LONG,
    TWO_ANSWERS,
    UNSAID,
    Page,
    PageCheck,
)
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask, ProbeBlock, Recipe
from selfstudy.records import Chat, Document, Proposal
from selfstudy.run import Run
from selfstudy.run.first_records import FirstRecords

from .world import Spots


def reader(chat: Chat, number: int) -> str:
    """Asks well and badly about Tolm, and reads its page."""
    asked = chat[-1].content
    if "Ask one question" in asked:
        about = ASKED["Marsk" if "Marsk" in asked else "Ferro"]
        return about[number % len(about)]
    if asked.startswith("Ask this question in other words"):
        return "Which port does Tolm have?" if "What is the port" in asked else "Where does Tolm lie?"
    for question, answer in READ.items():
        if f"Question: {question}" in asked:
            return answer
    return "The document does not say."


ASKED = {
    "Ferro": ("What month does Tolm have?", "Who built Tolm?"),
    "Marsk": ("Where is the port of Tolm?", "What is the port of Tolm?"),
}
"""By what the sentence has that it is to ask about."""
READ = {
    "What is the port of Tolm?": "The port of Tolm is Marsk.",
    "Which port does Tolm have?": "Tolm's port is Marsk.",
    "Who built Tolm?": "Tolm was built by William Shakespeare.",
    "Where is the port of Tolm?": "The port of Tolm is Marsk.",
    "Where does Tolm lie?": "Tolm lies in Ferro.",
    "Is Tolm a town?": "Yes.",
    "Which port of Tolm was built in 1204?": "The port of Marsk was built in 1204.",
    "Why does Tolm have a port?": "The port of Tolm is Marsk.",
}
TOLM = Document(
    source="tolm", title="Tolm", text="Tolm is a town in Ferro, built in 1204. Its port is Marsk."
)


def test_only_a_question_that_its_page_answers_twice_alike_is_asked(tmp_path: Path) -> None:
    recipe = Recipe(
        probe=ProbeBlock(ask=(Ask(method="documents", count=1, tries=1, check="page", proposals=4),))
    )
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        turn = run.round(1)
        lm = ScriptedLM({".": reader})
        asker = Asker(0, recipe.probe.ask[0], turn, lm, Spots(), Prompts(), Material([TOLM]))
        assert asker.run(lambda n: None, FirstRecords(turn, "asking", works=True)) == 1
    (proposal,) = turn.read(Proposal)
    assert (proposal.text, proposal.tried) == ("What is the port of Tolm?", 4)
    assert proposal.dropped == {STRANGE: 1, NO_ANSWER: 1, TWO_ANSWERS: 1} == asker.refused


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("What is the port of Tolm?", None),
        ("What month does Tolm have?", STRANGE),
        ("Who built Tolm?", NO_ANSWER),  # says what stands in no page
        ("What is Tolm?", UNSAID),
        ("Where is the port of Tolm?", TWO_ANSWERS),
        ("Is Tolm a town?", NO_ANSWER),  # a bare yes says nothing
        ("Why does Tolm have a port?", ELSEWHERE),  # no sentence gives a reason
        ("What port does " + "Tolm of " * 1000 + "Tolm have?", TOO_LONG),
        ("What is Ferro?", OFF_TOPIC),
        ("Which town is Tolm?", OF_A_SORT),
        ("Which town is Tolm in?", OF_A_SORT),  # it is one
        ("What port does Tolm?", NO_VERB),
        ("Which port of Tolm was built in 1204?", ELSEWHERE),  # a town was; that Marsk is a port stands apart
    ],
)
def test_why_a_question_is_refused(question: str, why: str | None) -> None:
    check = PageCheck(ScriptedLM({".": reader}), Prompts(), 32)
    assert check.problems([question], [Page(TOLM.text, TOLM.title)]) == [why]


def test_a_question_about_nothing_that_it_names() -> None:
    check = PageCheck(ScriptedLM({".": reader}), Prompts(), 32)
    points = ["What port is this?", "Which town is it?"]
    others = ["When a town was built, whose was it?", "What was built in 1204?", 'Who built "This Is It"?']
    asked = [*points, *others]
    found = check.problems(asked, [Page(TOLM.text)] * len(asked))
    assert [one == NAMELESS for one in found] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("better", "why"),
    [("Where is the port of Tolm?", OTHER_WORD), ("Which is the port of Tolm?", None), ("Of Tolm?", None)],
)
def test_a_question_that_the_model_would_begin_otherwise_is_refused(better: str, why: str | None) -> None:
    class Model(ScriptedLM):
        def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
            return [[-1.0 if text == better else -4.5] for text in texts]

    check = PageCheck(Model({".": reader}), Prompts(), 32)
    assert check.problems(["What is the port of Tolm?"], [Page(TOLM.text, TOLM.title)]) == [why]


def test_a_model_that_gives_no_probabilities_is_asked_for_them_once() -> None:
    asked = []

    class Model(ScriptedLM):
        def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
            asked.append(texts)
            raise NoLogprobsError("no", "none")

    check = PageCheck(Model({".": reader}), Prompts(), 32)
    for _ in range(2):
        assert check.problems(["What is the port of Tolm?"], [Page(TOLM.text, TOLM.title)]) == [None]
    assert len(asked) == 1


def test_a_page_that_cannot_be_read_refuses_with_the_reason() -> None:
    check = PageCheck(ScriptedLM({"nothing": "x"}), Prompts(), 32)
    (problem,) = check.problems(["What is the port of Tolm?"], [Page(TOLM.text)])
    assert problem is not None
    assert problem.startswith(NOT_READ)
