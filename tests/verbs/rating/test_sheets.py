"""What a person judges: out as rows, filled in, and back through the readers of judges."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.judging.missing_reward import MissingReward
from selfstudy.judging.pairwise import JudgedPair
from selfstudy.judging.pairwise_judge import judged_pairs
from selfstudy.judging.rewards import Reward, Rewarder
from selfstudy.judging.rubric import from_evidence
from selfstudy.judging.rubric_reward import ExplicitRubricReward, ImplicitRubricReward
from selfstudy.prompts import Prompts
from selfstudy.verbs.rating.sheets import NOT_JUDGED, JudgedSheet, encoded, sheet_rows

from .given import prompt

RUBRIC = from_evidence(["It is Tolm."], ["It is old."])
ASKED = prompt("It is Tolm.", "It is Barl, or\nso.", "I do not know.", criteria=RUBRIC)


def filled(tmp_path: Path, rows: list[dict[str, Any]], suffix: str = ".jsonl") -> JudgedSheet:
    path = tmp_path / f"sheet{suffix}"
    path.write_bytes(encoded(rows, suffix))
    return JudgedSheet(path)


def values(rewarder: Rewarder) -> list[float | None]:
    return [one.value for one in rewarder.rewards(ASKED.responses)]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_ratings_come_back(suffix: str, tmp_path: Path) -> None:
    rows = sheet_rows([ASKED], "missing", Prompts())
    assert list(rows[0]) == ["id", "prompt", "completion", "asked", "rating", "missing", "reply"]
    assert rows[0]["asked"].startswith("Prompt: Who?\nResponse: It is Tolm.\n")
    rows[0] |= {"rating": "10"}
    rows[1] |= {"rating": 3, "missing": "The town [or [[village]]]."}
    rewarder = MissingReward(filled(tmp_path, rows, suffix), 0.0)
    good, bad, open_ = rewarder.rewards(ASKED.responses)
    assert good == Reward(1.0, "nothing is missing")
    assert bad == Reward(-0.4, "The town (or ((village))).")
    assert open_ == Reward(None, problem=NOT_JUDGED)


def test_a_row_whose_id_is_that_of_another_answer_is_not_believed(tmp_path: Path) -> None:
    """As where a person sorts one column of a table alone."""
    rows = [row | {"rating": 7} for row in sheet_rows([ASKED], "rating", Prompts())]
    rows[0]["id"], rows[1]["id"] = rows[1]["id"], rows[0]["id"]
    sheet = filled(tmp_path, rows)
    assert [why.partition(":")[0] for _, why in sheet.unread] == [
        "its id is not that of its prompt and completion"
    ] * 2
    assert [value is None for value in values(MissingReward(sheet, 0.0))] == [True, True, False]
    for row in rows:
        del row["prompt"], row["completion"]  # an id alone is enough
    assert None not in values(MissingReward(filled(tmp_path, rows), 0.0))


def test_a_table_is_one_for_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(encoded(sheet_rows([ASKED], "rubric", Prompts()), ".csv"))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["completion"] for row in rows] == [answer.text for answer in ASKED.answers]
    assert "1. (Essential) States: It is Tolm." in rows[0]["rubric"]


def test_verdicts_come_back(tmp_path: Path) -> None:
    rows = sheet_rows([ASKED], "rubric", Prompts())
    rows[0]["verdicts"] = "yes, no"
    rows[1]["verdicts"] = ["no", "no"]
    rows[2]["verdicts"] = "yes"
    found = ExplicitRubricReward(filled(tmp_path, rows)).rewards(ASKED.responses)
    assert [one.value for one in found] == [pytest.approx(1 / 1.7), 0.0, None]
    assert found[2].problem == "1 verdicts on 2 criteria"


def test_one_number_with_the_rubric_comes_back(tmp_path: Path) -> None:
    rows = sheet_rows([ASKED], "rubric-implicit", Prompts())
    for row, rating in zip(rows, ("10", 1, "eleven"), strict=True):
        row["rating"] = rating
    assert values(ImplicitRubricReward(filled(tmp_path, rows))) == [1.0, 0.0, None]


def test_another_program_fills_in_replies(tmp_path: Path) -> None:
    rows = sheet_rows([ASKED], "missing", Prompts())
    for row, reply in zip(
        rows, ("Good. [[9]] [[[]]]", "**[[2/10]]** [[[The town.]]]", "No idea."), strict=True
    ):
        row["reply"] = reply
    assert values(MissingReward(filled(tmp_path, rows), 0.0)) == pytest.approx([0.8, -0.6, None])


@pytest.mark.parametrize("rating", ["0", "11", "good", "-3"])
def test_a_rating_out_of_range_is_unscored(rating: str, tmp_path: Path) -> None:
    rows = sheet_rows([ASKED], "missing", Prompts())
    rows[0]["rating"] = rating
    assert values(MissingReward(filled(tmp_path, rows), 0.0))[0] is None


def test_rows_are_known_by_their_texts_too_and_two_judges_must_agree(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Who?", "completion": "It is Tolm.", "rating": 9, "missing": ""},
        {"prompt": "Who?", "completion": "It is Tolm.", "rating": 9, "missing": ""},
        {"prompt": "Who?", "completion": "I do not know.", "rating": 1, "missing": ""},
        {"prompt": "Who?", "completion": "I do not know.", "rating": 2, "missing": ""},
        {"completion": "Of what?", "rating": 2, "missing": ""},
    ]
    sheet = filled(tmp_path, rows)
    good, _, twice = MissingReward(sheet, 0.0).rewards(ASKED.responses)
    assert good.value == pytest.approx(0.8)
    assert twice.problem.startswith("judged several times")
    assert sheet.unread == [("line 5", "there is no 'id', nor 'prompt' and 'completion' as texts")]


def test_a_sheet_in_which_nothing_is_judged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing in it is judged"):
        filled(tmp_path, sheet_rows([ASKED], "missing", Prompts()))


def test_a_sheet_compares_nothing(tmp_path: Path) -> None:
    rows = sheet_rows([ASKED], "missing", Prompts())
    rows[0]["rating"] = "10"
    (found,) = judged_pairs([("Who?", "It is Tolm.", "It is Barl.")], filled(tmp_path, rows))
    assert found == JudgedPair(None, None)


def test_answers_without_a_rubric_are_left_out_where_one_is_needed() -> None:
    bare = prompt("It is Tolm.")
    assert len(sheet_rows([bare, ASKED], "rubric", Prompts())) == 3
    with pytest.raises(DataError, match="no answer has a rubric, and rubric is judged by one") as error:
        sheet_rows([bare], "rubric", Prompts())
    assert "gold, reference, claims" in str(error.value.hint)
    assert len(sheet_rows([bare], "rating", Prompts())) == 1
    assert json.loads(encoded(sheet_rows([bare], "rating", Prompts()), ".jsonl"))["reply"] == ""
