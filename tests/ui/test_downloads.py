"""Downloads: what each file holds, that none of it runs, and what is said where there is none."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from selfstudy.judging.labels import find_labels
from selfstudy.records import Pair, Question
from selfstudy.run import Run, corrections
from selfstudy.ui.desk import Desk
from selfstudy.ui.downloads import NOTES, TRL, add_routes, forms, link
from selfstudy.ui.index import index_of

from .conftest import HOSTILE

RUN = "<b>r"


@pytest.fixture
def client(hostile: Path) -> TestClient:
    app = FastAPI()
    add_routes(app, Desk(hostile))
    return TestClient(app)


def test_every_table_comes_in_every_format_as_a_file(client: TestClient, hostile: Path) -> None:
    with Run.open(hostile / RUN, write=False) as run:
        index_of(run).refresh()
        assert index_of(run).wait(60)
    for what in NOTES.keys() - {"figures"}:
        for form in forms(what):
            got = client.get(link(what, form, run=RUN))
            assert got.status_code == 200, got.text
            assert got.headers["content-disposition"] == f'attachment; filename="selfstudy-b-r-{what}.{form}"'
            assert "html" not in got.headers["content-type"]
            if form != "csv":
                rows = [json.loads(line) for line in got.text.splitlines()]
                assert len(rows) in (0, len(HOSTILE), 2 * len(HOSTILE))


def test_csv_has_every_text_and_no_formula(client: TestClient) -> None:
    got = client.get(link("questions", "csv", run=RUN))
    rows = list(csv.DictReader(io.StringIO(got.text, newline="")))
    assert rows[0]["text"] == HOSTILE[0]
    assert rows[4]["text"] == f"'{HOSTILE[4]}"
    assert {row["round"] for row in rows} == {"1"}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_peoples_labels_come_as_calibrate_reads_them(
    client: TestClient, hostile: Path, tmp_path: Path, form: str
) -> None:
    with Run.open(hostile / RUN, write=False) as run:
        asked = list(run.round(1).ids(Question))
        for name, label in zip(asked, ("right", "wrong", "wrong", "cannot tell"), strict=False):
            corrections.add(run, name, label=label, note="=1+1")  # type: ignore[arg-type]
        file = tmp_path / f"labels.{form}"
        file.write_bytes(client.get(link("labels", form, run=RUN)).content)
        own, read = find_labels(run.round(1), None), find_labels(run.round(1), None, file)
    assert read.known == {name: label == 0 for label, name in enumerate(asked[:3])}
    assert (read.known, read.cannot_tell) == ({k: own.known[k] for k in read.known}, own.cannot_tell)


def test_trl_rows_are_what_its_trainers_read(client: TestClient) -> None:
    pair = json.loads(client.get(link("pairs", "trl.jsonl", run=RUN)).text.splitlines()[0])
    assert pair == {
        "prompt": [{"role": "user", "content": HOSTILE[0]}],
        "chosen": [{"role": "assistant", "content": HOSTILE[0]}],
        "rejected": [{"role": "assistant", "content": "no"}],
    }
    example = json.loads(client.get(link("examples", "trl.jsonl", run=RUN)).text.splitlines()[0])
    assert [turn["role"] for turn in example["messages"]] == ["user", "assistant"]
    assert set(TRL) == {"pairs", "examples"}


def test_records_read_back(client: TestClient, hostile: Path) -> None:
    rows = [json.loads(line) for line in client.get(link("pairs", "jsonl", run=RUN)).text.splitlines()]
    found = [Pair.model_validate({k: v for k, v in row.items() if k != "round"}) for row in rows]
    with Run.open(hostile / RUN, write=False) as run:
        assert found == run.round(1).read(Pair)


def test_what_is_not_there_is_a_sentence_and_a_status(client: TestClient, hostile: Path) -> None:
    for at, status, told in (
        ("/download/questions.jsonl?run=none", 404, "there is no run"),
        ("/download/questions.jsonl?run=../..", 404, "there is no run"),
        ("/download/questions.exe?run=%3Cb%3Er", 404, "no such file"),
        ("/download/..%2f..%2fetc%2fpasswd?run=%3Cb%3Er", 404, "no such file"),
        ("/download/lock.json?run=%3Cb%3Er", 404, "no such file"),
        ("/download/figures.csv?run=%3Cb%3Er", 422, "no figures yet"),
        ("/download/report.html?run=%3Cb%3Er", 422, "no report.html yet"),
    ):
        got = client.get(at)
        assert (got.status_code, told in got.text, got.text.count("\n")) == (status, True, 1), at
        assert got.headers["content-type"].startswith("text/plain")
    (hostile / RUN / "report.html").symlink_to("/etc/passwd")
    got = client.get("/download/report.html?run=%3Cb%3Er")
    assert got.status_code in (404, 422)
    assert "root:" not in got.text


def test_the_files_of_the_run_come_as_they_are(client: TestClient, hostile: Path) -> None:
    (hostile / RUN / "report.html").write_text("<script>1</script>")
    got = client.get("/download/report.html?run=%3Cb%3Er")
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.text == "<script>1</script>"
    recipe = client.get("/download/recipe.yaml?run=%3Cb%3Er")
    assert recipe.content == (hostile / RUN / "recipe.yaml").read_bytes()


def test_a_damaged_file_is_told_before_anything_is_sent(client: TestClient, hostile: Path) -> None:
    file = hostile / RUN / "rounds/1/pairs.jsonl"
    file.write_bytes(b"{}\n" + file.read_bytes())
    got = client.get(link("pairs", "csv", run=RUN))
    assert got.status_code == 422
    assert "line 1 is damaged" in got.text
