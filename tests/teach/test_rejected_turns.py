"""Worse turns of a tutor: who says them, what is no turn, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.models.scripted import Script, ScriptedLM
from selfstudy.prompts import Prompts
from selfstudy.recipe import SocraticBlock
from selfstudy.records import Chat, Example, Message, Pair
from selfstudy.teach.rejected_turns import NOTHING, pairs

ASKED = Message(role="user", content="What is 3 times 4?")


def example(*before: Message) -> Example:
    return Example(prompt=(*before, ASKED), completion="What is 3 times 2?", question_id="q", kind="imported")


def made(
    examples: Sequence[Example], script: dict[str, Script | str], rejected: str = "own", most: int = 12
) -> tuple[list[Pair], list[tuple[str, str]]]:
    block = SocraticBlock.model_validate({"rejected": rejected, "turn_tokens": most})
    lost: list[tuple[str, str]] = []
    found = pairs(
        examples, ScriptedLM(script), block, Prompts(), 0, fail=lambda item, why: lost.append((item, why))
    )
    return found, lost


def test_a_pair_has_the_given_turn_and_what_the_model_says() -> None:
    (pair,), lost = made([example()], {"3 times 4": "Teacher: It is 12.\nStudent: Thanks!"})
    assert not lost
    assert (pair.prompt, pair.chosen, pair.rejected) == ((ASKED,), "What is 3 times 2?", "It is 12.")
    assert (pair.question_id, pair.origin) == ("q", "own")


def test_telling_is_asked_with_all_that_was_said_and_what_stands_before_it() -> None:
    asked: list[Chat] = []

    def tells(chat: Chat, number: int) -> str:
        asked.append(chat)
        return "It is 12."

    problem = Message(role="system", content="A lesson in arithmetic.")
    (pair,), _ = made([example(problem)], {"whole solution": tells}, "telling")
    assert (pair.prompt, pair.rejected, pair.origin) == ((problem, ASKED), "It is 12.", "telling")
    assert "A lesson in arithmetic.\nStudent: What is 3 times 4?" in asked[0][-1].content


def test_of_a_turn_that_was_cut_whole_sentences_count() -> None:
    said = "Take 3 four times. That is what one does, and so on"
    (pair,), lost = made([example()], {"3 times": said}, most=8)
    assert (pair.rejected, lost) == ("Take 3 four times.", [])
    found, lost = made([example()], {"3 times": "Take 3 four times and so on and on"}, most=6)
    assert (found, [why for _, why in lost]) == ([], [NOTHING])


def test_what_says_the_same_or_nothing_or_failed_is_no_pair_and_costs_no_other() -> None:
    examples = [example(Message(role="system", content=name)) for name in ("same", "empty", "lost", "fine")]
    script: dict[str, Script | str] = {
        "same": "what is 3  times 2",
        "empty": "Student: 12?",
        "fine": "It is 12.",
    }
    found, lost = made(examples, script)
    assert [pair.prompt for pair in found] == [examples[3].prompt]
    assert [item for item, _ in lost] == [one.id for one in examples[:3]]
    assert [why == NOTHING for _, why in lost] == [True, True, False]
