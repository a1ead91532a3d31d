"""Cited answers evaluated: ALCE's twelve demonstrations, worked by hand, and rows that cannot be used.

The demonstrations of ALCE's prompts lie beside the project where it is built, not in it.  They have no gold
answers: those here are ours.  Document [k] supports statement i (from 0, the last of equals) alone where
i + k is odd, and several documents what one of them does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.files.rows import Row
from selfstudy.judging import citations
from selfstudy.judging.trust import REFUSAL
from selfstudy.verbs.citing.evaluating import evaluate
from tests.judging.test_citations import Entails
from tests.models.test_seq2seq_entailment import make_t5
from tests.stories.small import cli

PROMPTS = Path(__file__).parents[4] / "shared" / "data" / "alce"
beside = pytest.mark.skipif(not PROMPTS.is_dir(), reason=f"no demonstrations of ALCE at {PROMPTS}")


def demonstration(kind: str, at: int) -> dict[str, Any]:
    """A demonstration as a row: what it answers is the output."""
    one = json.loads((PROMPTS / f"{kind}_default.json").read_text(encoding="utf-8"))["demos"][at]
    return {"question": one["question"], "docs": one["docs"], "output": one["answer"]}


def rows(*values: dict[str, Any]) -> list[Row]:
    return [Row(f"item {at}", value) for at, value in enumerate(values, start=1)]


def by_number(row: dict[str, Any], listed: bool) -> Entails:
    """The scripted entailment of a demonstration."""
    answer = row["output"]
    found = citations.items(answer, row["question"]) if listed else citations.sentences(answer)
    index = {one.text: at for at, one in enumerate(found)}
    texts = {f"Title: {one['title']}\n{one['text']}": k for k, one in enumerate(row["docs"], start=1)}

    def entails(premise: str, hypothesis: str) -> bool:
        numbers = [k for text, k in texts.items() if text in premise]
        assert numbers
        return any((index[hypothesis] + k) % 2 for k in numbers)

    return Entails(entails)


@beside
@pytest.mark.parametrize(
    ("kind", "at", "recall", "precision"),
    [
        ("asqa", 0, 1 / 2, 1 / 3),
        ("asqa", 1, 0, 0),
        ("asqa", 2, 1, 1 / 2),
        ("asqa", 3, 0, 0),
        ("eli5", 0, 1, 3 / 4),
        ("eli5", 1, 2 / 4, 2 / 5),
        ("eli5", 2, 1, 4 / 6),
        ("eli5", 3, 2 / 4, 2 / 6),
        ("qampari", 0, 6 / 11, 6 / 11),
        ("qampari", 1, 4 / 7, 4 / 7),
        ("qampari", 2, 3 / 6, 3 / 6),
        ("qampari", 3, 2 / 6, 2 / 6),
    ],
)
def test_citations_of_the_demonstrations(kind: str, at: int, recall: float, precision: float) -> None:
    row = demonstration(kind, at)
    listed = kind == "qampari"
    gold = {"answers": [["nothing"]]} if listed else {}
    found = evaluate(rows(row | gold), by_number(row, listed))
    (one,) = found.rows
    assert one.figures["citation recall"] == pytest.approx(recall, abs=1e-12)
    assert one.figures["citation precision"] == pytest.approx(precision, abs=1e-12)


def nothing_entails() -> Entails:
    return Entails(lambda premise, text: False)


def figures(value: dict[str, Any]) -> dict[str, float]:
    return evaluate(rows(value), nothing_entails()).rows[0].figures


@beside
def test_correctness_of_the_demonstrations() -> None:
    pairs = [{"short_answers": forms} for forms in (["11,872 mm"], ["Hawaii", "lloró"], ["Kauai"])]
    found = figures(demonstration("asqa", 0) | {"qa_pairs": pairs})
    assert (found["str-em"], found["str-hit"]) == (2 / 3, 0)
    assert found["length"] == 93
    played = [{"short_answers": ["Roddy McDowall"]}, {"short_answers": ["Wright King"]}]
    assert figures(demonstration("asqa", 3) | {"qa_pairs": played})["str-hit"] == 1
    years = demonstration("qampari", 2) | {"answers": [["2006"], ["1977"], ["1999", "'99"]]}
    found = figures(years)
    assert (found["precision"], found["recall"], found["recall-5"]) == (3 / 6, 2 / 3, 2 / 3)
    assert found["f1"] == pytest.approx(4 / 7)
    books = [
        [name]
        for name in ("Marazan", "No Highway", "On the Beach", "In the Wet", "Lonely Road", "Ruined City")
    ]
    found = figures(demonstration("qampari", 0) | {"answers": [*books, ["A Town Like Alice"]]})
    assert (found["precision"], found["recall"], found["recall-5"]) == (6 / 11, 6 / 7, 1)


@beside
def test_claims_are_entailed_by_the_answer_without_its_marks() -> None:
    claims = ["It is an emotional disorder.", "It is rare.", "Genes matter."]
    row = demonstration("eli5", 2) | {"claims": claims}

    def entails(premise: str, text: str) -> bool:
        if text in claims:
            assert "[" not in premise
            assert premise.startswith("Bipolar disorder is")
        return text in ("It is an emotional disorder.", "Genes matter.")

    found = evaluate(rows(row), Entails(entails))
    assert found.rows[0].figures["claim recall"] == 2 / 3


def item(output: str, found: Sequence[Sequence[int]] | None = None, **more: Any) -> dict[str, Any]:
    docs: list[dict[str, Any]] = [{"title": "a", "text": "x"}, {"title": "b", "text": "y"}]
    if found is not None:
        docs = [doc | {"answers_found": one} for doc, one in zip(docs, found, strict=True)]
    return {"question": "Who?", "docs": docs, "output": output, **more}


GOLD = {"qa_pairs": [{"short_answers": ["Ann"]}, {"short_answers": ["Bob"]}]}


def test_trust_of_what_documents_hold() -> None:
    always = Entails(lambda premise, text: True)
    values = [
        item("Ann [1].", [[1, 0], [0, 0]], **GOLD),  # all that the documents hold
        item(REFUSAL, [[0, 0], [0, 0]], **GOLD),  # rightly
        item("Ann and Bob [1].", [[0, 0], [0, 0]], **GOLD),  # from nowhere
        item("Ann.", **GOLD),  # nobody says what its documents hold
    ]
    found = evaluate(rows(*values), always)
    assert found.trusted == 3
    assert found.trust
    assert (found.trust.refusal.recall, found.trust.refusal.precision) == (1 / 2, 1)
    assert (found.trust.answering.recall, found.trust.answering.precision) == (1, 1 / 2)
    assert (found.trust.correctness.recall, found.trust.correctness.precision) == (1, 1 / 2)
    assert found.rows[0].trust
    assert (found.rows[0].trust.correctness, found.rows[0].trust.plain_correctness) == (1, 1 / 2)
    assert found.trust.parametric_knowledge == pytest.approx((1 / 2 + 0 + 1) / 3 - 1 / 3)


def test_trust_of_lists_and_claims_and_a_citation_that_is_forgiven() -> None:
    only_x = Entails(lambda premise, text: "x" in premise or text == "Ann did.")
    listed = item("Ann [1], Bob [1]", [[1, 0], [0, 0]], answers=[["Ann"], ["Bob"]])
    claimed = item("It is so [1][2].", [[1, 0], [1, 0]], claims=["Ann did.", "Bob did."])
    first, second = (row.trust for row in evaluate(rows(listed, claimed), only_x).rows)
    assert first
    assert second
    # of the one that documents hold: precision 1/2, recall-5 1
    assert (first.correctness, first.plain_correctness) == (pytest.approx(2 / 3), 1)
    assert (second.correctness, second.plain_correctness) == (1, 1 / 2)
    assert second.precision == 1  # [2] is not needed, but holds what [1] holds
    assert evaluate(rows(claimed), only_x).rows[0].figures["citation precision"] == 1 / 2


def test_no_document_holds_nothing() -> None:
    found = evaluate(rows(item(REFUSAL, **GOLD) | {"docs": []}), nothing_entails())
    assert found.trust
    assert found.trust.refusal.recall == 1


def test_macro_counts_kinds_alike_and_weighted_items() -> None:
    always = Entails(lambda premise, text: True)
    values = [item("It is [1]."), item("So it is."), item("Ann [1]", answers=[["Ann"], ["Bob"]])]
    found = evaluate(rows(*values), always)
    assert found.macro["citation recall"] == pytest.approx((0.5 + 1) / 2)
    assert found.weighted["citation recall"] == pytest.approx(2 / 3)
    assert found.macro["correctness"] == found.weighted["correctness"] == 1 / 2
    assert found.macro["length"] == pytest.approx((2.5 + 1) / 2)
    assert "f1" not in found.macro
    assert found.entailment == "scripted"


def test_rouge_is_of_the_rows_that_have_a_reference_and_says_so() -> None:
    values = [
        item("Ann sang [1]. Bob did [2].", answer="Ann sang. Bob did.", **GOLD),
        item("Ann sang.", annotations=[{"long_answer": "No."}, {"long_answer": "Ann sang well."}], **GOLD),
        item("Ann sang.", **GOLD),
        item("Ann [1]", answers=[["Ann"]], answer="Ann"),
    ]
    found = evaluate(rows(*values), nothing_entails())
    assert [row.figures.get("rouge-l") for row in found.rows] == [1, pytest.approx(4 / 5), None, None]
    assert found.kinds["asqa"]["rouge-l"].value == pytest.approx((1 + 4 / 5) / 2)
    assert found.partial == [("asqa", "rouge-l", 2)]
    assert found.to_dict()["counts"]["asqa"]["rouge-l"] == 2
    assert found.to_dict()["counts"]["asqa"]["length"] == 3
    assert "rouge-l" not in found.kinds["qampari"]
    assert "rouge-l" not in found.macro
    assert list(found.kinds["asqa"])[-1] == "rouge-l"
    none = evaluate(rows(values[2]), nothing_entails())
    assert "rouge-l" not in none.kinds["asqa"]
    assert none.partial == []


def test_what_follows_the_first_line_is_told_and_not_judged() -> None:
    found = evaluate(rows(item("**Answer:**\nAnn [1]."), item("Ann [1].\n")), nothing_entails())
    assert [(row.answer, row.cut) for row in found.rows] == [("**Answer:**", True), ("Ann [1].", False)]


def test_a_model_that_thought_and_never_answered_scores_nothing() -> None:
    found = evaluate(rows(item("<think>Perhaps [1]"), item("<think>No.</think>Ann [1].")), nothing_entails())
    assert [row.answer for row in found.rows] == ["", "Ann [1]."]
    assert found.kinds["plain"]["length"].value == 1 / 2


def test_a_model_that_judges_nothing_ends_it() -> None:
    class Broken(Entails):
        def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
            return [""] * len(pairs)

    with pytest.raises(DataError, match="none of 1 rows was judged"):
        evaluate(rows(item("Ann [1].")), Broken(lambda premise, text: True))


def test_a_row_that_cannot_be_used_is_an_error_and_no_score() -> None:
    always = Entails(lambda premise, text: True)
    for change, why in (
        ({"docs": [{"title": "a"}]}, "field 'docs[0].text' is missing"),
        ({"output": None}, "field 'output', the answer, is missing"),
        ({"output": 7}, "'output' must be text"),
    ):
        bad, good = (found := evaluate(rows(item("Ann [1].") | change, item("Ann [1].")), always)).rows
        assert why in bad.error
        assert not bad.figures
        assert good.figures["citation recall"] == 1
        assert found.kinds["plain"]["citation recall"].value == 1
        assert found.to_dict()["failed"] == 1


def test_a_file_without_any_usable_row() -> None:
    with pytest.raises(
        DataError, match="none of 1 rows can be evaluated; the first: item 1: field 'question'"
    ):
        evaluate(rows({}), nothing_entails())


def test_hostile_answers_are_judged_as_text() -> None:
    texts = [
        "<script>alert(1)</script> [1].",
        "\x00\x1b[31m[1]\u202e [2].",
        "[1]" * 60_000,
        "word " * 40_000 + "[1].",
    ]
    found = evaluate(rows(*(item(text) for text in texts)), Entails(lambda premise, text: True))
    assert [bool(row.error) for row in found.rows] == [False] * 4
    assert found.rows[2].figures["citation recall"] == 0  # it says nothing
    assert found.rows[1].answer == "[1]\u202e [2]."  # without its control characters
    json.dumps([row.to_dict() for row in found.rows])


def told(path: Path, *options: str) -> dict[str, Any]:
    code, shown, said = cli("cite", "eval", path, "--json", *options)
    assert code == 0, said
    found: dict[str, Any] = json.loads(shown)
    return found


def test_the_verb_on_atlas(tmp_path: Path) -> None:
    page = "Fiji is a country in Oceania. The capital of Fiji is Suva."
    value = {
        "question": "What is the capital of Fiji?",
        "docs": [{"title": "Fiji", "text": page}],
        "qa_pairs": [{"short_answers": ["Suva"]}],
    }
    path, out = tmp_path / "answers.jsonl", tmp_path / "judged.jsonl"
    right = value | {"output": "The capital of Fiji is Suva [1]."}
    wrong = value | {"output": "The capital of Fiji is Lima [1]."}
    path.write_text("".join(json.dumps(one) + "\n" for one in (right, wrong, {"question": "x"})))
    found = told(path, "--out", str(out))
    assert (found["rows"], found["failed"]) == (3, 1)
    assert found["errors"] == [{"place": "line 3", "error": "field 'docs' is missing"}]
    assert found["kinds"]["asqa"]["citation recall"]["value"] == 0.5
    assert found["kinds"]["asqa"]["str-em"]["value"] == 0.5
    judged = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one.get("error", "")[:14] for one in judged] == ["", "", "field 'docs' i"]
    assert [one["statements"][0]["supported"] for one in judged[:2]] == [True, False]
    code, shown, said = cli("cite", "eval", path, "--out", out)
    assert code == 0
    assert "citation recall" in shown
    assert "line 3: field 'docs' is missing" in said
    for options, why in (
        (("--nli", "atlas", "--judge", "atlas"), "give one of them"),
        (("--set", "nli=none"), "judged by an entailment model"),
        (("--set", "nli=lm"), "give --judge MODEL"),
    ):
        code, _, said = cli("cite", "eval", path, *options)
        assert code == 2
        assert why in said
    assert told(path, "--judge", "atlas")["entailment"]
    code, _, said = cli("cite", "eval", tmp_path / "none.json")
    assert code == 2
    assert "cannot be read" in said


def test_an_answer_says_why() -> None:
    only_first = Entails(lambda premise, text: "x" in premise)
    found = evaluate(rows(item("It is [1][2]. So it is.")), only_first)
    first, second = found.rows[0].to_dict()["statements"]
    assert [one["why"] for one in first["citations"]] == [
        "supports it alone",
        "the others support it without this one",
    ]
    assert second["why"] == "cites nothing"


def test_the_verb_with_mauve_and_references(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    value = {"question": "What is the capital?", "docs": [{"title": "Fiji", "text": "The capital is Suva."}]}
    path, gpt2 = tmp_path / "answers.jsonl", str(model_folder("gpt2"))
    answers = [value | {"output": f"Suva {n} [1].", "answer": f"It is Suva {n}."} for n in range(4)]
    path.write_text("".join(json.dumps(one) + "\n" for one in [*answers, value | {"output": "Suva."}]))
    found = told(path, "--mauve-model", gpt2, "--mauve-resamples", "3")
    assert found["mauve_by"] == gpt2
    assert found["counts"]["plain"] | {"mauve": 4, "rouge-l": 4} == found["counts"]["plain"]
    figure = found["kinds"]["plain"]["mauve"]
    assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert 0 < found["kinds"]["plain"]["rouge-l"]["value"] < 1
    code, shown, said = cli("cite", "eval", path, "--mauve-model", gpt2, "--mauve-resamples", "3")
    assert code == 0
    assert "rouge-l of plain: 4 of 5 items, which have a reference" in shown
    assert "mauve of plain is of 4 items" in said
    assert told(path)["mauve_by"] is None
    code, _, said = cli("cite", "eval", path, "--mauve-model", tmp_path / "none")
    assert code == 2
    assert "no model folder" in said
    path.write_text(json.dumps(value | {"output": "Suva."}))
    code, _, said = cli("cite", "eval", path, "--mauve-model", gpt2)
    assert code == 0
    assert "no row that was judged has one" in said


def test_the_verb_with_a_model_that_writes_its_verdict(tmp_path: Path) -> None:
    t5, path = make_t5(tmp_path / "t5"), tmp_path / "answers.jsonl"
    path.write_text(json.dumps({"question": "Who?", "docs": [{"text": "Ann."}], "output": "Ann [1]."}))
    code, _, said = cli("cite", "eval", path, "--nli", t5)
    assert code == 2
    assert "--set nli.type=seq2seq" in said
    assert told(path, "--nli", str(t5), "--set", "nli.type=seq2seq")["entailment"] == str(t5)
    form = ("--set", "nli.type=seq2seq", "--set", "nli.form=attrscore")
    assert told(path, "--nli", str(t5), *form)["failed"] == 0


def test_help_shows_what_can_be_asked_for() -> None:
    code, shown, _ = cli("cite", "eval", "--help")
    assert code == 0
    for word in (
        "--mauve",
        "--mauve-model",
        "--mauve-resamples",
        "gpt2-large",
        "ROUGE-L",
        "nli.type=seq2seq",
    ):
        assert word in shown


def test_answers_of_a_model_that_was_rewarded_say_by_whom() -> None:
    row = {"question": "What is Rome?", "docs": [{"text": "Rome is old."}], "output": "Rome is old [1]."}
    marked = row | {"selfstudy": {"verb": "cite answer", "rewarded_by": ["scripted", 7, "atlas"]}}
    rows = [Row("line 1", row), Row("line 2", marked), Row("line 3", row | {"selfstudy": "cite"})]
    found = evaluate(rows, Entails(lambda premise, hypothesis: True))
    assert found.rewarded_by == ("scripted", "atlas")
    assert found.to_dict()["rewarded_by"] == ["scripted", "atlas"]
