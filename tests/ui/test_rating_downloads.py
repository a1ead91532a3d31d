"""What was rated as files: what each holds, that no cell is a formula, what is said where there is none."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from selfstudy.ui import downloads, rating, rating_downloads
from selfstudy.ui.desk import Desk
from selfstudy.ui.rating_downloads import FORMS, NOTES, offered

from .rated import make_run
from .test_rating import begun, sheet


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    app, desk = FastAPI(), Desk(tmp_path)
    rating_downloads.add_routes(app, desk)
    downloads.add_routes(app, desk)
    return TestClient(app)


def test_what_is_offered_can_be_had(tmp_path: Path, client: TestClient) -> None:
    place = begun(make_run(tmp_path))
    name = rating.read(place)[0].id
    rating.keep(place, name, {"rating": 4, "missing": "=1+1"})
    pair = {"prompt": [], "chosen": [{"role": "assistant", "content": "=1"}], "rejected": [], "selfstudy": {}}
    place.pairs.write_text(json.dumps(pair) + "\n")
    place.judged.write_text('{"selfstudy": {}, "prompt": "=1+1"}\n{"error": "x"}\n')
    assert {about for about, _ in offered(place)} == set(NOTES.values())
    for what, (_, links) in zip(NOTES, offered(place), strict=True):
        for form, (_, at) in zip(FORMS[what], links, strict=True):
            got = client.get(at)
            assert got.status_code == 200, got.text
            assert got.headers["content-disposition"] == f'attachment; filename="selfstudy-one-{what}.{form}"'
            assert "html" not in got.headers["content-type"]
            if form != "csv":
                assert len(got.text.splitlines()) == {"sheet": 6, "judgements": 2, "pairs": 1}[what]
    rows = list(csv.DictReader(io.StringIO(client.get("/download/rating/sheet.csv?run=one").text)))
    assert (rows[0]["id"], rows[0]["rating"], rows[0]["missing"]) == (name, "4", "'=1+1")
    rows = list(csv.DictReader(io.StringIO(client.get("/download/rating/judgements.csv?run=one").text)))
    assert (rows[0]["prompt"], rows[1]["error"]) == ("'=1+1", "x")
    trl = json.loads(client.get("/download/rating/pairs.trl.jsonl?run=one").text)
    assert set(trl) == {"prompt", "chosen", "rejected"}


def test_a_filled_sheet_comes_as_import_reads_it(tmp_path: Path, client: TestClient) -> None:
    sheet(tmp_path)
    place = begun(tmp_path, {"sheet": "s.csv"})
    rating.keep(place, rating.read(place)[2].id, {"rating": 4})  # "=1+1"
    for form in ("jsonl", "csv"):
        file = tmp_path / f"filled.{form}"
        file.write_bytes(client.get(f"/download/rating/sheet.{form}?sheet=s.csv").content)
        again = begun(tmp_path, {"sheet": file.name})
        assert rating.read(again) == rating.read(place)


def test_what_is_not_there_is_a_sentence_and_a_status(tmp_path: Path, client: TestClient) -> None:
    make_run(tmp_path)
    for at, status, told in (
        ("sheet.jsonl?run=one", 422, "there is no sheet.jsonl yet"),
        ("sheet.exe?run=one", 404, "no such file"),
        ("process.json?run=one", 404, "no such file"),
        ("..%2f..%2fone%2flock?run=one", 404, "no such file"),
        ("sheet.jsonl?run=../one", 404, "there is no run"),
        ("sheet.jsonl?sheet=../s.csv", 404, "there is no file"),
    ):
        got = client.get(f"/download/rating/{at}")
        assert (got.status_code, told in got.text, got.text.count("\n")) == (status, True, 1), (at, got.text)
    place = begun(tmp_path)
    place.sheet.write_text("{]\n{}\n")
    got = client.get("/download/rating/sheet.csv?run=one")
    assert (got.status_code, "line 1 is damaged" in got.text) == (422, True)
    place.pairs.symlink_to("/etc/passwd")
    assert "root:" not in client.get("/download/rating/pairs.jsonl?run=one").text
