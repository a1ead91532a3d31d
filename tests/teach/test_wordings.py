from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from selfstudy import text
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, Recipe, TeachBlock
from selfstudy.records import Chat, Due, Question, Rewording
from selfstudy.run import Round
from selfstudy.teach import wordings
from selfstudy.teach.gaps import JudgedQuestion, gaps_to_teach, judged_questions

from .lessons import make_round, question, reference

COUNTRIES = ("Peru", "Chile", "Ghana", "Nepal")
FORMS = (
    "Name the capital of {}.",
    "Which city is the capital of {}?",
    "{}: what is its capital?",
    "{}'s capital?",
)


def speaks(chat: Chat, number: int) -> str:
    """Rewords questions, some of them wrongly, and reads the capital out of a document."""
    said = chat[-1].content
    country = next(c for c in COUNTRIES if c in said)
    if "other words" in said:
        wrong = (
            "What is its capital?",
            question(country),
            f"What is the currency of {country}?",
            "Is Cuba big?",
        )
        choices = [*(form.format(country) for form in FORMS), *wrong]
        return choices[number % len(choices)]
    return "The currency is the sol." if "currency" in said else reference(country)


class KillError(Exception):
    pass


def prepared(folder: Path, block_size: int = 2) -> tuple[Round, list[JudgedQuestion]]:
    recipe = Recipe(
        answering=AnsweringBlock(block_size=block_size), teach=TeachBlock(wordings=2, heldout_wordings=1)
    )
    round_ = make_round(folder, dict.fromkeys(COUNTRIES, "unknown"), recipe)
    return round_, gaps_to_teach(judged_questions(round_))


def test_only_rewordings_with_the_same_answer_and_names_count(tmp_path: Path) -> None:
    round_, gaps = prepared(tmp_path / "run")
    found = wordings.write(round_, gaps, ScriptedLM({".": speaks}), Prompts(), Silent())
    for gap in gaps:
        country = gap.question.text.split()[-1][:-1]
        mine = found[gap.question.id]
        assert [r.use for r in mine] == ["train", "train", "heldout"]
        assert {r.text for r in mine} <= {form.format(country) for form in FORMS}
    everyone = [text.normalise(r.text) for r in round_.iter(Rewording)]
    assert len(everyone) == len(set(everyone)) == 12
    positions = {
        r.text.replace(c, "{}") for c in COUNTRIES for r in round_.iter(Rewording) if r.use == "heldout"
    }
    assert len(positions & set(FORMS)) > 1  # not always the same form is held out


def test_a_wording_that_is_a_question_of_the_round_is_not_used(tmp_path: Path) -> None:
    round_, gaps = prepared(tmp_path / "run")
    lm = ScriptedLM({"other words": [question("Chile"), question("Nepal")], ".": "x"})
    notes: list[str] = []

    class Listener(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    assert not any(wordings.write(round_, gaps, lm, Prompts(), Listener()).values())
    assert notes == ["12 of 12 other wordings were not found; fewer will do"]


def test_what_an_earlier_round_trained_is_never_held_out(tmp_path: Path) -> None:
    first, gaps = prepared(tmp_path / "run")
    lm = ScriptedLM({".": speaks})
    wordings.write(first, gaps, lm, Prompts(), Silent())
    trained = {r.text for r in first.iter(Rewording) if r.use == "train"}
    second = first.run.round(2)
    asked = Question(text="Name the capital of Nepal.")  # of no gap here, but it may have been trained
    first.append([asked])
    found = [r for rows in wordings.write(second, gaps, lm, Prompts(), Silent()).values() for r in rows]
    again = {r.text for r in found if r.use == "train"}
    heldout = [r.text for r in found if r.use == "heldout"]
    assert again & trained, "they may be trained again"
    assert len(heldout) == len(COUNTRIES)
    assert not set(heldout) & (trained | {asked.text})


def test_a_question_that_is_asked_again_keeps_its_rewordings(tmp_path: Path) -> None:
    first, gaps = prepared(tmp_path / "run")
    wordings.write(first, gaps, ScriptedLM({".": speaks}), Prompts(), Silent())
    old = first.read(Rewording)
    held = next(r for r in old if r.use == "heldout")
    first.append([Rewording(question_id="another", text=held.text, use="train")])
    second = first.run.round(2)
    second.append([Question(text=old[0].text)])  # asked by itself now
    second.append(Due(question_id=g.question.id, why="scheduled", asked=1, interval=1) for g in gaps)
    found = wordings.write(second, gaps, ScriptedLM({}), Prompts(), Silent())  # writes none
    gone = {old[0].id, held.id}
    assert [r for rows in found.values() for r in rows] == [r for r in old if r.id not in gone]
    assert {r.id for r in second.iter(Rewording)} == {r.id for r in old} - gone


def due_again(folder: Path, why: Literal["scheduled", "changed"]) -> tuple[Round, list[JudgedQuestion]]:
    """A second round that asks all gaps of the first again, which had one rewording each."""
    first, gaps = prepared(folder, block_size=1)
    first.append(
        Rewording(question_id=gap.question.id, text=f"{country}'s capital?", use="train")
        for gap, country in named(gaps)
    )
    second = first.run.round(2)
    second.append(Due(question_id=g.question.id, why=why, asked=1, interval=1) for g in gaps)
    return second, gaps


def named(gaps: list[JudgedQuestion]) -> list[tuple[JudgedQuestion, str]]:
    return [(gap, gap.question.text.split()[-1][:-1]) for gap in gaps]


def test_a_taught_fact_that_has_changed_gets_more_rewordings_to_train_on(tmp_path: Path) -> None:
    second, gaps = due_again(tmp_path / "run", "changed")
    found = wordings.write(second, gaps, ScriptedLM({".": speaks}), Prompts(), Silent())
    for gap, country in named(gaps):
        mine = found[gap.question.id]
        assert {r.text for r in mine} == {form.format(country) for form in FORMS}
        assert [r.use for r in mine] == ["train"] * 4
    same, gaps = due_again(tmp_path / "same", "scheduled")
    found = wordings.write(same, gaps, ScriptedLM({".": speaks}), Prompts(), Silent())
    assert {len(rows) for rows in found.values()} == {1}


@pytest.mark.parametrize("survives", range(8))
def test_a_kill_changes_none_of_these(tmp_path: Path, survives: int) -> None:
    whole, gaps = due_again(tmp_path / "whole", "changed")
    wordings.write(whole, gaps, ScriptedLM({".": speaks}), Prompts(), Silent())
    torn, _ = due_again(tmp_path / "torn", "changed")
    calls = 0

    class Dying(ScriptedLM):
        def generate(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            nonlocal calls
            calls += 1
            if calls > survives:
                raise KillError
            return super().generate(*args, **kwargs)  # type: ignore[arg-type]

    with pytest.raises(KillError):
        wordings.write(torn, gaps, Dying({".": speaks}), Prompts(), Silent())
    result = wordings.write(torn, gaps, ScriptedLM({".": speaks}), Prompts(), Silent())
    assert sorted(torn.ids(Rewording)) == sorted(whole.ids(Rewording))
    assert wordings.write(torn, gaps, ScriptedLM({}), Prompts(), Silent()) == result


@pytest.mark.parametrize("survives", range(5))
def test_a_kill_changes_nothing(tmp_path: Path, survives: int) -> None:
    round_, gaps = prepared(tmp_path / "whole", block_size=1)
    wordings.write(round_, gaps, ScriptedLM({".": speaks}), Prompts(), Silent())
    torn, again = prepared(tmp_path / "torn", block_size=1)
    calls = 0

    class Dying(ScriptedLM):
        def generate(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            nonlocal calls
            calls += 1
            if calls > survives:
                raise KillError
            return super().generate(*args, **kwargs)  # type: ignore[arg-type]

    with pytest.raises(KillError):
        wordings.write(torn, again, Dying({".": speaks}), Prompts(), Silent())
    result = wordings.write(torn, again, ScriptedLM({".": speaks}), Prompts(), Silent())
    assert torn.read(Rewording) == round_.read(Rewording)
    assert [r for rows in result.values() for r in rows] == round_.read(Rewording)
    assert wordings.write(torn, again, ScriptedLM({}), Prompts(), Silent()) == result  # asks nothing any more


@pytest.mark.parametrize(
    ("asked", "other", "kept"),
    [
        ("What is the capital of Peru?", "Peru's capital is which city?", True),
        ("What is the capital of Peru?", "What is the capital of Chile?", False),
        ("What is the capital of Peru?", "What is its capital?", False),
        ("Who won in 1998?", "Who was the winner of 1998?", True),
        ("Who won in 1998?", "Who was the winner of 1988?", False),
        ("What is Trinidad and Tobago’s flag?", "Describe the flag of Trinidad and Tobago.", True),
        ("Which sea is it?", "It is which sea?", True),
    ],
)
def test_names_and_numbers_must_stay(asked: str, other: str, kept: bool) -> None:
    assert wordings.keeps_names(asked, other) is kept


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        ("The capital of Peru is Lima.", True),
        ("Lima", True),
        ("Lima is the capital of Peru.", True),
        ("The capital of Peru is Cusco.", False),
        ("The capital of Chile is Lima.", False),
        ("Peru", False),
        ("", False),
    ],
)
def test_the_round_trip_compares_names_not_only_words(answer: str, same: bool) -> None:
    assert wordings.same_answer(answer, reference("Peru"), question("Peru")) is same


def test_the_round_trip_counts_what_an_answer_adds_to_either_wording() -> None:
    code = "The calling code of Russia is +7."
    asked, other = "What is the calling code of Russia?", "Which number does one dial to call Russia?"
    assert wordings.same_answer("To call Russia one dials +7.", code, asked, other)
    assert not wordings.same_answer("To call Russia one dials +70.", code, asked, other)
    assert not wordings.same_answer("To call Russia one does not dial +7.", code, asked, other)


@pytest.mark.parametrize(
    ("question", "reference", "answer"),
    [
        ("Which country hosted the games?", "South Korea hosted the games.", "North Korea was the host."),
        ("Who wrote the play?", "William Shakespeare wrote the play.", "Edward Shakespeare is its author."),
        ("How long is it?", "It is 5 km long.", "Its length is 5 miles."),
        ("How did it change?", "It rose by 5%.", "It fell by 5%."),
    ],
)
def test_the_same_name_or_number_is_not_enough(question: str, reference: str, answer: str) -> None:
    assert not wordings.same_answer(answer, reference, question)


def test_nearly_the_same_words_need_the_one_that_answers() -> None:
    euro, asked = "The euro is used in Latvia.", "Which currency is used in Latvia?"
    assert not wordings.same_answer("Latvia is used in Sweden.", euro, asked, "Latvia is used in Sweden")


@pytest.mark.parametrize(
    ("found", "trained", "uses"),
    [
        (1, 0, ["train"]),
        (2, 0, ["train", "heldout"]),
        (2, 2, ["train", "train"]),
        (3, 0, ["train", "train", "heldout"]),
        (3, 1, ["train", "train", "heldout"]),
    ],
)
def test_of_few_rewordings_some_are_held_out(
    tmp_path: Path, found: int, trained: int, uses: list[str]
) -> None:
    forms = FORMS[:found]

    def few(chat: Chat, number: int) -> str:
        said = chat[-1].content
        return forms[number % found].format("Peru") if "other words" in said else reference("Peru")

    recipe = Recipe(teach=TeachBlock(wordings=2, heldout_wordings=1))
    first = make_round(tmp_path / "run", {"Peru": "unknown"}, recipe)
    gaps = gaps_to_teach(judged_questions(first))
    first.append(
        Rewording(question_id=gaps[0].question.id, text=form.format("Peru"), use="train")
        for form in forms[:trained]
    )
    second = first.run.round(2)
    rows = wordings.write(second, gaps, ScriptedLM({".": few}), Prompts(), Silent())[gaps[0].question.id]
    assert [one.use for one in rows] == uses
    old = {form.format("Peru") for form in forms[:trained]}
    assert not {one.text for one in rows if one.use == "heldout"} & old


@pytest.mark.parametrize(
    ("question", "rewording", "kept"),
    [
        ("How cold was -41 degrees?", "What is -41 degrees?", True),
        ("How cold was -41 degrees?", "What is 41 degrees?", False),
        ("Who wrote C++?", "C++ was written by whom?", True),
        ("Who wrote C++?", "C was written by whom?", False),
        ("What is vitamin B?", "Vitamin B is what?", True),
        ("Where does The Hague lie?", "Where is it?", False),
        # scripts without spaces, or without capitals
        ("谁在1914年写了它？", "它在1914年是谁写的？", True),
        ("谁在1914年写了它？", "它在1915年是谁写的？", False),
        ("NATO的总部在哪里？", "NATO总部位于何处？", True),
        ("NATO的总部在哪里？", "总部位于何处？", True),  # the first word's capital proves nothing
        ("मुंबई की राजधानी क्या है?", "कौन सी राजधानी?", True),
        ("ما هي عاصمة فيجي؟", "عاصمة فيجي ما هي؟", True),
    ],
)
def test_keeps_names_in_any_script(question: str, rewording: str, kept: bool) -> None:
    assert wordings.keeps_names(question, rewording) is kept


def test_a_not_makes_another_answer() -> None:
    reference = "Norway in the north of Europe is a member of the old and rich union."
    asked = "What is known of it?"
    assert wordings.same_answer(reference.replace("old and", "old"), reference, asked)
    assert not wordings.same_answer(
        reference.replace("old and", "old").replace("is", "is not"), reference, asked
    )


def test_rewordings_are_unwrapped(tmp_path: Path) -> None:
    def wraps(chat: Chat, number: int) -> str:
        said = speaks(chat, number)
        return f'```json\n{{"question": "{said}"}}\n```' if "other words" in chat[-1].content else said

    round_, gaps = prepared(tmp_path / "run")
    found = wordings.write(round_, gaps, ScriptedLM({".": wraps}), Prompts(), Silent())
    plain = prepared(tmp_path / "plain")
    assert found == wordings.write(*plain, ScriptedLM({".": speaks}), Prompts(), Silent())
    assert len(found) == len(COUNTRIES)
