"""Cited questions about the world: what the rows promise, judged by the exact judge."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from selfstudy.atlas import world
from selfstudy.atlas.build.cited import KINDS, cited_rows, in_split
from selfstudy.atlas.build.cli import app
from selfstudy.atlas.build.invented import invented_names
from selfstudy.atlas.entailment import WorldEntailment, sentences
from selfstudy.files.rows import Row
from selfstudy.judging import trust
from selfstudy.judging.cited_items import CitedItem, read_item
from selfstudy.text import contains
from selfstudy.verbs.citing.evaluating import Evaluation, evaluate

JUDGE = WorldEntailment()
FIELDS = {"factoid": "qa_pairs", "list": "answers", "claim": "claims"}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"entities": "known", "truth": 1.0},
    {"entities": "unseen", "names": "test"},
    {"names": "dev", "truth": 0.5},
]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [row for variant in VARIANTS for row in cited_rows(240, 1, **variant)]


def judged(rows: list[dict[str, Any]]) -> Evaluation:
    return evaluate([Row(f"row {at}", row) for at, row in enumerate(rows, 1)], JUDGE)


def refused(row: dict[str, Any]) -> bool:
    return bool(row["output"] == trust.REFUSAL)


def hypotheses(row: dict[str, Any], item: CitedItem) -> list[str]:
    """What a document has to entail to hold each gold answer, from what the answer by rule says."""
    if item.kind == "qampari":
        return [f"{item.question} {forms[0]}" for forms in item.gold]
    return list(item.claims)


def test_the_answers_by_rule_have_full_marks(rows: list[dict[str, Any]]) -> None:
    found = judged(rows)
    assert not found.failed
    assert set(found.kinds) == {"asqa", "qampari", "eli5"}
    for row, one in zip(rows, found.rows, strict=True):
        if not refused(row):
            full = {name: value for name, value in one.figures.items() if name != "length"}
            assert set(full.values()) == {1.0}, row
    assert found.trust is not None
    assert found.trust.trust_score == 1
    assert found.trust.answered_ratio == 0.75


def test_documents_hold_what_the_exact_judge_finds_in_them(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        item = read_item(row)
        assert item.found is not None
        for document, found in zip(item.documents, item.found, strict=True):
            labels = JUDGE.classes([(document, one) for one in hypotheses(row, item)])
            if labels:
                assert [int(label == "entailment") for label in labels] == list(found), row


def test_lists_and_claims_follow_the_documents(rows: list[dict[str, Any]]) -> None:
    several = 0
    for row in rows:
        if "qa_pairs" in row or trust.refuses(row["output"]):
            continue
        parts = re.split(r"(?<=\]), |(?<=\]\.) ", row["output"])
        places = [int(found[1]) for part in parts if (found := re.search(r"\[(\d)\]", part))]
        assert places == sorted(places)
        several += len(set(places)) > 1
    assert several > 50


def test_no_document_is_about_an_answer_that_is_not_gold(rows: list[dict[str, Any]]) -> None:
    lists = [row for row in rows if "answers" in row]
    for row in lists:
        item = read_item(row)
        for doc, document in zip(row["docs"], item.documents, strict=True):
            if [doc["title"]] not in row["answers"]:
                assert JUDGE.classes([(document, f"{item.question} {doc['title']}")]) != ["entailment"], row


def test_a_factoid_is_held_by_what_its_answer_cites(rows: list[dict[str, Any]]) -> None:
    """And by no other document: the judge finds none of its sentences there."""
    factoids = [row for row in rows if "qa_pairs" in row and not refused(row)]
    for row, one in zip(factoids, judged(factoids).rows, strict=True):
        item = read_item(row)
        assert one.cited is not None
        assert item.found is not None
        for at, statement in enumerate(one.cited.statements):
            cited = {mark.number for mark in statement.statement.citations}
            assert cited == {n for n, found in enumerate(item.found, 1) if found[at]}
            pairs = [(document, statement.statement.text) for document in item.documents]
            assert cited == {n for n, x in enumerate(JUDGE.classes(pairs), 1) if x == "entailment"}


def test_where_evidence_is_withheld_no_document_mentions_an_answer(rows: list[dict[str, Any]]) -> None:
    withheld = [row for row in rows if refused(row)]
    assert len(withheld) == len(rows) // 4
    for row in withheld:
        item = read_item(row)
        assert item.answerable is False
        texts = [f"{doc['title']}. {doc['text']}" for doc in row["docs"]]
        gold = [form for forms in item.gold for form in forms] or list(item.claims)
        assert not [(text, form) for text in texts for form in gold if contains(text, form)]
    assert all(read_item(row).answerable for row in rows if not refused(row))


def test_documents_are_few_short_and_unlike(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        texts = [doc["text"] for doc in row["docs"]]
        assert 3 <= len(texts) == len(set(texts)) <= 5
        assert all(1 <= sum(1 for _ in sentences(text)) <= 4 for text in texts)
        if not refused(row):
            assert any(not any(doc["answers_found"]) for doc in row["docs"])
    twice = [row for row in rows if "][" in row["output"]]
    assert len(twice) > len(rows) / 10


def test_a_mark_of_a_distractor_loses_its_statement_alone(rows: list[dict[str, Any]]) -> None:
    answered = [row for row in rows if not refused(row)]
    changed, shares = [], []
    for row in answered:
        wrong = next(n for n, doc in enumerate(row["docs"], 1) if not any(doc["answers_found"]))
        changed.append(
            row | {"output": re.sub(r"( \[)[][0-9]+\]", rf"\g<1>{wrong}]", row["output"], count=1)}
        )
        shares.append(len(next(row[f] for f in FIELDS.values() if f in row)))
    for count, one in zip(shares, judged(changed).rows, strict=True):
        assert one.figures["citation recall"] == pytest.approx((count - 1) / count)
        assert one.figures["citation precision"] < 1
        assert one.figures["correctness"] == 1


def test_another_value_loses_correctness_and_its_citation() -> None:
    rows = [row for row in cited_rows(400, 3, kinds=("claim",), unanswerable=0) if "capital" in row["output"]]
    changed = []
    for row in rows:
        first = next(one for one in row["claims"] if "The capital of" in one)
        value = first.removesuffix(".").rpartition(" is ")[2]
        changed.append(row | {"output": row["output"].replace(f"is {value} [", "is Nowhere [")})
    assert len(rows) > 50
    for one in judged(changed).rows:
        assert one.figures["correctness"] == pytest.approx(2 / 3)
        assert one.figures["citation recall"] == pytest.approx(2 / 3)
        assert one.figures["citation precision"] < 1


def test_who_always_answers_or_always_refuses_is_found_out(rows: list[dict[str, Any]]) -> None:
    refusing = judged([row | {"output": trust.REFUSAL} for row in rows]).trust
    assert refusing is not None
    assert refusing.answering.f1 == 0
    assert refusing.refusal.recall == 1
    answering = judged([row | {"output": "The capital of Peru is Lima [1]."} for row in rows]).trust
    assert answering is not None
    assert answering.refusal.f1 == 0


def test_a_seed_gives_the_same_rows_and_more_rows_begin_with_fewer() -> None:
    assert cited_rows(30, 7) == cited_rows(60, 7)[:30]
    assert not {row["question"] for row in cited_rows(60, 7)} & {row["question"] for row in cited_rows(60, 8)}


def test_kinds_take_turns_and_shares_are_exact() -> None:
    rows = cited_rows(240, 2, unanswerable=0.1)
    for at, kind in enumerate(KINDS):
        own = rows[at::3]
        assert all(FIELDS[kind] in row for row in own)
        assert sum(map(refused, own)) == 8
    assert all("answers" in row for row in cited_rows(9, 0, kinds=("list",)))
    assert not any(map(refused, cited_rows(30, 0, unanswerable=0)))
    assert all(map(refused, cited_rows(30, 0, unanswerable=1)))


def titles(rows: list[dict[str, Any]]) -> set[str]:
    return {doc["title"] for row in rows for doc in row["docs"]}


def test_splits_have_no_entity_in_common() -> None:
    train, dev, test = (titles(cited_rows(300, 0, names=names)) for names in ("train", "dev", "test"))
    assert not train & dev
    assert not train & test
    assert not dev & test
    known = {e.name for e in world.entities()} | set(invented_names())
    assert {n for n in known if in_split(n, "train")} >= train
    assert sum(in_split(n, "train") for n in known) == pytest.approx(0.7 * len(known), rel=0.1)


def test_entities_are_those_asked_for() -> None:
    known = {e.name for e in world.entities() if e.known}
    everything = {e.name for e in world.entities()} | set(invented_names())
    assert titles(cited_rows(200, 0, entities="known")) <= known
    assert not titles(cited_rows(200, 0, entities="unseen")) & everything
    assert titles(cited_rows(300, 0)) & set(invented_names())


def test_true_rows_state_facts_of_the_world() -> None:
    facts = {(f.entity, f.value) for f in world.facts(known=True)}
    for row in cited_rows(60, 4, kinds=("claim",), truth=1):
        for claim in row["claims"]:
            assert [f for f in facts if f[0] in claim and f[1] in claim]


@pytest.mark.parametrize(
    "wrong", [{"count": -1}, {"kinds": ()}, {"kinds": ("essay",)}, {"unanswerable": 1.1}, {"truth": -0.1}]
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give"):
        cited_rows(**({"count": 1, "seed": 0} | wrong))


def test_the_command_writes_them_and_replaces_nothing(tmp_path: Path) -> None:
    out = tmp_path / "cited.jsonl"
    command = ["cited", "--count", "6", "--seed", "5", "--out", str(out), "--kind", "list", "--kind", "claim"]
    assert CliRunner().invoke(app, command).exit_code == 0
    written = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert written == cited_rows(6, 5, kinds=("list", "claim"))
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 2
    assert "exists, and nothing is replaced" in " ".join(again.output.split())
    nowhere = CliRunner().invoke(app, ["cited", "--out", str(tmp_path / "no" / "x.jsonl")])
    assert nowhere.exit_code == 2
    assert "No such file" in nowhere.output
