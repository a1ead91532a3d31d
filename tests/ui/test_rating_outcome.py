"""The command that makes pairs of ratings is started as in a terminal, and what it made is counted."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from selfstudy.errors import SelfstudyError
from selfstudy.ui import rating, rating_outcome
from selfstudy.ui.desk import Desk
from selfstudy.ui.rating_outcome import RatingOutcome, by_arm, outcome

from .rated import make_run
from .test_rating import RUN, begun


def ended(place: rating.RatingPlace) -> RatingOutcome:
    for _ in range(600):
        found = outcome(place)
        assert found is not None
        if not found.runs:
            return found
        time.sleep(0.1)
    raise AssertionError("it has not ended after a minute")


def test_ratings_become_pairs(tmp_path: Path) -> None:
    place = begun(make_run(tmp_path, 2))
    with pytest.raises(SelfstudyError, match="nothing is rated yet"):
        rating_outcome.start(place, "missing")
    assert outcome(place) is None
    for one in rating.read(place):
        rating.keep(place, one.id, {"rating": 2 if "not" in one.completion else 9, "missing": "[all] of it"})
    place.pairs.write_text("of an earlier time")
    rating_outcome.start(place, "missing")
    found = ended(place)
    assert (found.pairs, found.judged) == (2, 4), found.log
    pairs = [json.loads(line) for line in place.pairs.open()]
    assert all(pair["chosen"][0]["content"].startswith("It is") for pair in pairs)
    assert all("not" in pair["rejected"][0]["content"] for pair in pairs)
    assert any("AUROC, right answers" in line for line in found.log)  # what verify found goes with them


def test_ratings_are_told_by_who_answered_only_where_several_did(tmp_path: Path) -> None:
    place = begun(make_run(tmp_path))
    for at, one in enumerate(rating.read(place)):
        rating.keep(place, one.id, {"rating": 2 if "not" in one.completion else 10 - at // 2})
    before, after = by_arm(place, rating.read(place))
    assert (before.arm, before.count, before.mean.value) == ("base", 3, 2.0)
    assert (after.arm, after.count, after.mean.value) == ("taught", 3, 9.0)
    assert after.mean.low <= 9.0 <= after.mean.high
    place.who.write_text("")
    assert by_arm(place, rating.read(place)) == []
    first = next(one.id for one in rating.read(place) if one.rating is not None)
    place.who.write_text(json.dumps({"id": [1]}) + "\n" + json.dumps({"id": first, "arms": [[1], {}]}) + "\n")
    assert by_arm(place, rating.read(place)) == []
    place.who.write_text("{]\n{}\n")
    with pytest.raises(SelfstudyError, match="line 1 is damaged"):
        by_arm(place, rating.read(place))


def test_a_sheet_has_nobody_who_answered(tmp_path: Path) -> None:
    from .test_rating import sheet

    sheet(tmp_path)
    place = begun(tmp_path, {"sheet": "s.csv"})
    for one in rating.read(place):
        rating.keep(place, one.id, {"rating": 5})
    assert by_arm(place, rating.read(place)) == []
    assert rating.place_of(Desk(tmp_path), RUN | {"sheet": "s.csv"}).run == ""
