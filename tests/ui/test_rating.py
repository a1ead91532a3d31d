"""A sheet that is filled in: written at once, nothing lost, and nothing outside the folder touched."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from selfstudy.errors import SelfstudyError
from selfstudy.files.cells import csv_lines
from selfstudy.judging.rubric import from_evidence
from selfstudy.prompts import Prompts
from selfstudy.records import Check
from selfstudy.ui import rating
from selfstudy.ui.desk import Desk
from selfstudy.ui.rating import RatingPlace
from selfstudy.verbs.rating.given import GivenAnswer, PromptAnswers
from selfstudy.verbs.rating.sheets import JudgedSheet, encoded, sheet_rows

from ..verbs.rating.given import prompt
from .rated import make_probed_run, make_run

RUN = {"run": "one"}


def begun(folder: Path, query: dict[str, str] = RUN) -> RatingPlace:
    desk = Desk(folder)
    place = rating.place_of(desk, query)
    rating.begin(desk, place, 20)
    return place


def sheet(
    folder: Path, name: str = "s.csv", given: PromptAnswers | None = None, reward: str = "missing"
) -> Path:
    rows = sheet_rows([given or prompt("It is Tolm.", "<b>It is Barl.", "=1+1")], reward, Prompts())
    (folder / name).write_bytes(encoded(rows, Path(name).suffix))
    return folder / name


def test_a_run_is_begun_once_and_tells_nobody_who_answered(tmp_path: Path) -> None:
    place = begun(make_run(tmp_path))
    found = rating.read(place)
    assert len(found) == 6
    assert [one.prompt for one in found] == [one.prompt for one in found[::2] for _ in range(2)]
    assert "taught" not in place.sheet.read_text()
    assert "correct" not in place.sheet.read_text()
    assert place.who.read_text().count("taught") == 3
    rating.keep(place, found[0].id, {"rating": 3})
    begun(tmp_path)
    assert rating.read(place)[0].rating == 3
    kept = [place.sheet, place.answers, place.who]
    assert {stat.S_IMODE(one.stat().st_mode) for one in kept} == {0o600}
    assert stat.S_IMODE(place.folder.stat().st_mode) == 0o700


def test_what_is_said_is_on_the_disk_at_once_and_read_as_a_judge(tmp_path: Path) -> None:
    place = begun(make_run(tmp_path))
    one, other, *_ = rating.read(place)
    rating.keep(place, one.id, {"rating": 10, "missing": " the [year]\x00\n"})
    rating.keep(place, other.id, {"missing": "all"})
    rating.keep(place, other.id, {"rating": 1})
    found = {said.id: (said.rating, said.missing) for said in rating.read(place)}
    assert (found[one.id], found[other.id]) == ((10, "the [year]"), (1, "all"))
    assert JudgedSheet(place.sheet).unread == []
    rating.keep(place, other.id, {"rating": None, "missing": ""})
    assert rating.read(place)[1].rating is None


def test_two_tabs_lose_nothing_and_the_last_saying_wins(tmp_path: Path) -> None:
    place = begun(make_run(tmp_path, 12))
    names = [one.id for one in rating.read(place)]
    with ThreadPoolExecutor(8) as tabs:
        list(tabs.map(lambda at: rating.keep(place, names[at], {"rating": at % 10 + 1}), range(len(names))))
        list(tabs.map(lambda text: rating.keep(place, names[0], {"missing": text}), "abcdefgh"))
    found = rating.read(place)
    assert [one.rating for one in found] == [at % 10 + 1 for at in range(len(names))]
    assert found[0].missing in list("abcdefgh")
    rating.keep(place, names[0], {"missing": "last"})
    assert rating.read(place)[0].missing == "last"


def test_what_cannot_be_said_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    place = begun(make_run(tmp_path))
    before = place.sheet.read_bytes()
    name = rating.read(place)[0].id
    for which, said, told in (
        (name, {"rating": 11}, "rating must be a whole number, 1 to 10; found 11"),
        (name, {"rating": True}, "found True"),
        (name, {"missing": "x" * 4_001}, "4,001 characters"),
        ("none", {"rating": 5}, "not in the sheet any more"),
    ):
        with pytest.raises(SelfstudyError, match=told):
            rating.keep(place, which, said)
    assert place.sheet.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "x"', "line 2 is damaged: not JSON"),
        ('{"prompt": "a"}', "line 2 is damaged: it has no completion and no rating"),
        ('{"prompt": 1, "completion": "b", "rating": "", "missing": ""}', "must be texts"),
        ('{"prompt": "a", "completion": "b", "rating": 99, "missing": ""}', "found 99"),
        ('{"prompt": "a", "completion": "b", "rating": 1, "missing": []}', "missing must be a text"),
        ('{"id": "x", "prompt": "a", "completion": "b", "rating": 1, "missing": ""}', "was one column moved"),
    ],
    ids=["torn", "lacking", "numbers", "beyond", "list", "moved"],
)
def test_a_line_that_was_damaged_by_hand_is_named(tmp_path: Path, line: str, told: str) -> None:
    place = begun(make_run(tmp_path))
    name = rating.read(place)[0].id
    lines = place.sheet.read_text().splitlines()
    place.sheet.write_text("\n".join([lines[0], line, *lines[1:]]))
    for asked in (rating.read, lambda at: rating.keep(at, name, {"rating": 1})):
        with pytest.raises(SelfstudyError, match=told):
            asked(place)
    assert line in place.sheet.read_text()


def test_lines_that_are_too_long_are_refused(tmp_path: Path) -> None:
    place = begun(make_run(tmp_path))
    with place.sheet.open("a") as file:
        file.write(json.dumps({"prompt": "x" * 10_000_001}))
    with pytest.raises(SelfstudyError, match="more than 10,000,000 bytes"):
        rating.read(place)
    place.sheet.write_bytes(b" " * (rating.LARGEST + 1))
    with pytest.raises(SelfstudyError, match="at most 33,554,432 are read"):
        rating.read(place)


@pytest.mark.parametrize("name", ["s.csv", "below/s.jsonl"])
def test_a_sheet_of_the_command_line_is_rated_in_a_copy(tmp_path: Path, name: str) -> None:
    (tmp_path / "below").mkdir()
    file = sheet(tmp_path, name)
    before = file.read_bytes()
    place = begun(tmp_path, {"sheet": name})
    found = rating.read(place)
    assert [one.completion for one in found] == ["It is Tolm.", "<b>It is Barl.", "=1+1"]
    rating.keep(place, found[1].id, {"rating": 4})
    assert file.read_bytes() == before
    assert place.folder.is_relative_to(tmp_path / "desk")
    assert JudgedSheet(place.sheet).unread == []
    assert "asked" in json.loads(place.sheet.read_text().splitlines()[0])


def test_what_is_no_sheet_for_ratings_is_told(tmp_path: Path) -> None:
    sheet(tmp_path, "r.jsonl", prompt("It is Tolm.", criteria=from_evidence(["It is Tolm."], [])), "rubric")
    (tmp_path / "empty.csv").write_text("id,prompt\n")
    (tmp_path / "n.jsonl").write_text('{"id": "x"}\n')
    (tmp_path / "n.txt").write_text("x")
    for name, told in (
        ("r.jsonl", "r.jsonl, line 1 is damaged: it has no rating and no missing"),
        ("empty.csv", "has no row"),
        ("n.jsonl", "line 1 is damaged"),
        ("n.txt", "is no sheet"),
        ("none.csv", "there is no file 'none.csv'"),
    ):
        with pytest.raises(SelfstudyError, match=told):
            begun(tmp_path, {"sheet": name})
    assert not list((tmp_path / "desk").glob("*/*/sheet.jsonl"))


def test_nothing_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    folder = make_run(tmp_path / "work")
    secret = sheet(tmp_path, "out/s.csv")
    (folder / "link.csv").symlink_to(secret)
    (folder / "ways").symlink_to(tmp_path / "out")
    bad = ["../out/s.csv", str(secret), "link.csv", "ways/s.csv", "a\0.csv", "x" * 5000 + ".csv"]
    for query in [*({"sheet": name} for name in bad), {"run": "../work/one"}, {"run": ""}]:
        with pytest.raises(SelfstudyError, match="there is no"):
            rating.place_of(Desk(folder), query)
    place = begun(folder)
    kept = place.sheet.read_bytes()
    place.sheet.unlink()
    place.sheet.symlink_to(secret)
    before = secret.read_bytes()
    for asked in (rating.read, lambda at: rating.keep(at, "x", {"rating": 1})):
        with pytest.raises(SelfstudyError, match="links are not followed"):
            asked(place)
    place.sheet.unlink()
    place.sheet.write_bytes(kept)
    for part in (place.folder, place.folder.parent, folder / "desk"):
        moved = tmp_path / "out" / "moved"
        part.rename(moved)
        part.symlink_to(moved)
        with pytest.raises(SelfstudyError, match="is a link, which is not followed"):
            rating.place_of(Desk(folder), RUN)
        part.unlink()
        moved.rename(part)
    assert secret.read_bytes() == before


def test_where_it_lies_is_found_without_reading_all_checks(tmp_path: Path) -> None:
    checks = make_run(tmp_path) / "one/rounds/1" / Check.file
    checks.write_text(checks.read_text() + "no json\n{}\n")
    assert rating.place_of(Desk(tmp_path), {"run": "one"}).source == "verify"


def test_a_run_that_was_only_probed_gives_its_samples_and_one_without_says_so(tmp_path: Path) -> None:
    place = begun(make_probed_run(tmp_path / "a", {"A?": ["Yes.", "No."]}))
    assert (place.source, len(rating.read(place))) == ("probe", 2)
    desk = Desk(make_probed_run(tmp_path / "b", {"A?": ["Yes.", "Yes."]}))
    with pytest.raises(SelfstudyError, match="no question of one has two different answers"):
        rating.begin(desk, rating.place_of(desk, RUN), 5)
    with pytest.raises(SelfstudyError, match="nothing has been begun"):
        rating.read(rating.place_of(desk, RUN))


def test_a_table_made_safe_for_spreadsheets_comes_back(tmp_path: Path) -> None:
    answers = PromptAnswers(prompt("x").chat, (GivenAnswer("=1+1"), GivenAnswer("'quoted'")), 0, ())
    rows = sheet_rows([answers], "missing", Prompts())
    for row in rows:
        row["rating"] = 4
    (tmp_path / "s.csv").write_bytes(b"".join(csv_lines(rows, list(rows[0]))))
    judged = JudgedSheet(tmp_path / "s.csv")
    assert judged.unread == []
    place = begun(tmp_path, {"sheet": "s.csv"})
    assert [one.completion for one in rating.read(place)] == ["=1+1", "'quoted'"]
    assert [json.loads(line)["completion"] for line in place.answers.open()] == ["=1+1", "'quoted'"]
