"""Which questions the report shows, and what of them."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from selfstudy.recipe import ProbeBlock, Recipe
from selfstudy.records import Answer, Completion, Question, Score, SentenceScore, Verdict
from selfstudy.run import Run
from selfstudy.show.questions import Point, cut, excerpt, points, trails

from ..verbs.lineages import FIJI, PERU, make_run


def test_priority_puts_gaps_and_then_the_forgotten_first() -> None:
    sure = Question(text="sure and wrong")
    rest = Point(1, Question(text="never asked again"))
    kept = Point(1, Question(text="kept"), correct_before=True, correct_after=True)
    forgot = Point(1, Question(text="forgot"), correct_before=True, correct_after=False)
    misbelief = Point(1, sure, judged=Verdict(question_id=sure.id, kind="misbelief", score=0.1))
    gap = Point(1, Question(text="gap"), inconsistent=True)
    assert [one.priority for one in (misbelief, gap, forgot, kept, rest)] == [0, 0, 1, 2, 3]


def test_trails_are_limited_by_rows_and_by_bytes(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        for i in range(10):
            asked = Question(text=f"Question {i}?")
            said = Completion(text="word " * 100)
            score = Score(question_id=asked.id, scorer="selfcheck-nli", value=i / 10)
            run.round(1).append(
                [asked, score, Answer(question_id=asked.id, passage=said, samples=(said,) * 3)]
            )
        shown = points(run)
        assert [p.inconsistent for p in shown] == [False] * 6 + [True] * 4  # above .5, not at it
        assert list(trails(run, shown, max_rows=5)) == [6, 7, 8, 9, 0]
        some = trails(run, shown, max_bytes=7000)
        assert list(some) == [6, 7, 8]
        assert sum(len(row) for row in some.values()) <= 7000


def test_a_trail_has_what_every_score_rests_on_and_says_which_decides(tmp_path: Path) -> None:
    recipe = Recipe(probe=ProbeBlock(scorer="semantic-entropy", compare=("agreement",)))
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        asked = Question(text="What is the capital of Peru?")
        said = Completion(text="Lima.")
        failed = Completion(text="", finish="error", error="timed out")
        scores = [
            Score(
                question_id=asked.id,
                scorer="agreement",
                value=0.5,
                sentences=(SentenceScore(text="Lima.", value=0.5, per_sample=(0.0, 1.0)),),
            ),
            Score(
                question_id=asked.id,
                scorer="semantic-entropy",
                value=2 / 3,
                clusters=(0, 1),
                parts={"entropy": 1 / 3},
            ),
        ]
        answer = Answer(question_id=asked.id, passage=said, samples=(said, failed, said))
        run.round(1).append([asked, answer, *scores])
        agreement, entropy = json.loads(trails(run, points(run))[0])["scores"]
    assert (agreement["decides"], entropy["decides"]) == (False, True)
    assert agreement["sentences"][0]["each"] == [0.0, None, 1.0]  # the failed sample keeps its place
    assert (agreement["clusters"], agreement["parts"]) == ([], {})
    assert entropy["clusters"] == [0, None, 1]
    assert (entropy["value"], entropy["parts"]) == (0.667, {"entropy": 0.333})


def test_cut_says_that_it_cut() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcdef…"
    assert cut("a\x00b\ud800") == "a b\ufffd"


def test_excerpt_marks_the_sentence_that_holds_the_rare_words() -> None:
    page = "Peru is a country. Peru is in South America. The capital of Peru is Lima. Peru has coasts."
    assert excerpt(page, "Lima is the capital of Peru.") == [
        "Peru is a country. Peru is in South America. ",
        "The capital of Peru is Lima.",
        " Peru has coasts.",
    ]


def test_excerpt_of_a_long_page_is_around_the_sentence() -> None:
    page = "Nothing is here. " * 300 + "The capital is Lima. " + "Nothing is here. " * 300
    before, said, after = excerpt(page, "Lima", limit=200)
    assert said == "The capital is Lima."
    assert before.startswith("… ")
    assert after.endswith("…")
    assert len(before + said + after) <= 210


@given(st.text(max_size=300), st.text(max_size=40), st.integers(10, 100))
def test_excerpt_never_grows(page: str, reference: str, limit: int) -> None:
    assert len("".join(excerpt(page, reference, limit))) <= 2 * limit + 4


def test_a_trail_has_the_steps_the_adapter_and_what_later_rounds_answered(tmp_path: Path) -> None:
    with make_run(tmp_path / "run") as run:
        shown = points(run)
        place = next(i for i, one in enumerate(shown) if (one.round, one.asked.text) == (1, FIJI))
        later_place = next(i for i, one in enumerate(shown) if (one.round, one.asked.text) == (2, FIJI))
        rows = trails(run, shown)
    first, second = json.loads(rows[place]), json.loads(rows[later_place])
    assert [one["steps"] for one in first["examples"]] == ["sft, steps 2, 5, 9"]
    assert [one["steps"] for one in first["pairs"]] == ["dpo, steps 1, 2, 3, 4, 5, 6, 7 ... 29 (29 in all)"]
    (adapter,) = first["adapters"]
    assert adapter["name"].startswith("round-1-")
    assert adapter["told"] == "promoted, and stands"
    assert second["adapters"][0]["told"] == "rejected"
    assert first["later"] == [{"round": 2, "verdict": "misbelief", "answer": "Lautoka."}]
    assert "later" not in second
    assert "adapters" not in json.loads(rows[next(i for i, p in enumerate(shown) if p.asked.text == PERU)])
