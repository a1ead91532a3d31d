"""What the views of a question, of two runs, of chat and of cited answers show, with hostile texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.recipe import Recipe
from selfstudy.records import Answer, Completion, Evidence, Failure, Pair, Question, Reference, Verdict
from selfstudy.run import Run
from selfstudy.ui.desk import Desk
from selfstudy.ui.views import chat, cited, compare, question
from selfstudy.verbs.chat import Spoken, TalkTurn

HOSTILE = "<img src=http://evil.example onerror=alert(1)></mark>${alert(1)}{{7*7}}[x](javascript:alert(1))"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    for name in ("<b>one", "two"):
        with Run.create_or_resume(tmp_path / name, Recipe()) as run:
            asked = Question(text=HOSTILE, topic=HOSTILE)
            found = Evidence(
                question_id=asked.id,
                document_id="d",
                source="javascript:alert(1)",
                title=HOSTILE,
                text=HOSTILE,
                start=0,
                end=len(HOSTILE),
                rank=0,
                relevance=1.0,
            )
            said = Completion(text=HOSTILE)
            reference = Reference(
                question_id=asked.id, evidence_id=found.id, text=HOSTILE, inconsistency=0.0, accepted=True
            )
            pair = Pair(prompt=(), chosen=HOSTILE, rejected=HOSTILE * 3000, question_id=asked.id)
            kind = "known" if name == "two" else "misbelief"
            verdict = Verdict.model_validate({"question_id": asked.id, "kind": kind, "score": 0.1})
            answer = Answer(question_id=asked.id, passage=said, samples=(said,))
            failure = Failure(stage="teach", item_id=asked.id, message=HOSTILE)
            run.round(1).append([asked, found, reference, answer, pair, verdict, failure])
    return Desk(tmp_path)


def harmless(html: str) -> bool:
    return not any(part in html for part in ("<img", "${", "{{", 'href="javascript', "<b>one"))


def test_a_trail_shows_hostile_text_as_text_and_cuts_what_is_long(desk: Desk) -> None:
    html = question.html(desk, {"run": "<b>one", "id": Question(text=HOSTILE).id, "round": "1"})
    assert harmless(html)
    assert html.count("&lt;img src=http://evil.example") > 5
    assert "<mark>" in html
    assert "more characters" in html
    assert len(html) < 200_000
    assert "Only the passage is shown" in html
    assert "it is sure of something wrong" in html


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"run": "two"},
        {"run": "../two", "id": "x"},
        {"run": "two", "id": HOSTILE + "?", "round": "9" * 300},
    ],
)
def test_addresses_of_nothing_are_told_in_a_sentence(desk: Desk, query: dict[str, str]) -> None:
    html = question.html(desk, query)
    assert 'role="alert"' in html or "<h2>" in html
    assert harmless(html)


def test_two_runs_link_both_trails_and_escape_their_names(desk: Desk) -> None:
    html = compare.html(desk, "<b>one", "two")
    assert harmless(html)
    name = Question(text=HOSTILE).id
    assert f"/question?run=%3Cb%3Eone&amp;id={name}&amp;round=1" in html
    assert f"/question?run=two&amp;id={name}&amp;round=1" in html
    assert "Choose two runs" in compare.html(desk, "two", "")
    assert "there is no run" in compare.html(desk, "two", "../two")


def test_what_models_say_is_text(desk: Desk) -> None:
    answers = (Spoken("base", HOSTILE), Spoken("taught", "", error=HOSTILE))
    html = chat.html("two", [TalkTurn(HOSTILE, answers)])
    assert harmless(html)
    assert "no question like this" in html
    assert "Nothing has been asked" in chat.html("two", [])
    assert "there is no run" in chat.head(desk, "<b>none")
    assert harmless(chat.note(HOSTILE))


def test_cited_answers_are_numbered_and_not_judged_is_no_green(desk: Desk) -> None:
    row = {
        "selfstudy": "cite answer",
        "question": HOSTILE,
        "docs": [{"title": HOSTILE, "text": HOSTILE}],
        "output": "It is so [1]. Or so [7].",
    }
    (desk.folder / "answers.jsonl").write_text(json.dumps(row) + "\n")
    html = cited.html(desk, "", "answers.jsonl")
    assert harmless(html)
    assert 'href="#document-1-1"' in html
    assert 'id="document-1-1"' in html
    assert "#document-1-7" not in html
    assert html.count('"mark "') == 2
    assert "mark good" not in html
    for file in ("../answers.jsonl", "none.jsonl", "two/recipe.yaml"):
        assert "there is no file" in cited.html(desk, "", file)
    assert "Verify asked nothing" in cited.html(desk, "two", "")
