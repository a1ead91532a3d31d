"""The comparison as tables, as a page and as part of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from selfstudy.errors import RunError
from selfstudy.recipe import Recipe
from selfstudy.run import Run
from selfstudy.show.compare import matrices, plane, print_comparison, write_comparison
from selfstudy.show.report import write_report
from selfstudy.summary import summarise

from .test_report import HOSTILE, Flat, Page, fill


def scorer(name: str, auroc: float | None, seconds: float | None, run: str = "run") -> dict[str, Any]:
    return {
        "run": run,
        "scorer": name,
        "decides": name == "agreement",
        "answers": 1200,
        "scored": 1199,
        "threshold": 0.5,
        "inconsistent": 0.25,
        "mean": 0.3,
        "labelled": 0 if auroc is None else 1100,
        "auroc": auroc,
        "interval": None if auroc is None else (auroc - 0.01, min(1.0, auroc + 0.01)),
        "seconds": seconds,
        "calls": None if seconds is None else 10.0,
        "pairs": None if seconds is None else 0.0,
    }


def method(run: str, auroc: float | None) -> dict[str, Any]:
    interval = None if auroc is None else (auroc, auroc)
    figures = {"questions": 1200, "topics": 40, "scored": 1199, "inconsistent": 0.25, "labelled": 9}
    return {"run": run, "method": "open", **figures, "auroc": auroc, "interval": interval}


def agreement(left: int, right: int, spearman: float | None = 0.71, across: bool = False) -> dict[str, Any]:
    return {
        "left": left,
        "right": right,
        "across": across,
        "questions": 1198,
        "same": 0.913,
        "spearman": spearman,
    }


def full(run: str = "run") -> dict[str, Any]:
    return {
        "scorers": [
            scorer("agreement", 0.987, 0.00021, run),
            scorer("selfcheck-nli", 0.951, 0.042, run),
            scorer("p-true", 0.62, 1.2, run),
        ],
        "agreements": [agreement(0, 1), agreement(0, 2, None), agreement(1, 2, -0.1)],
        "methods": [method(run, 0.98)],
        "caveats": {},
        "labels": {run: "the answer key"},
        "confidence": 0.95,
    }


def bare() -> dict[str, Any]:
    """Nothing measured: one scorer, no labels, no costs."""
    return {
        "scorers": [scorer("agreement", None, None)],
        "agreements": [],
        "methods": [method("run", None)],
        "caveats": {},
        "labels": {},
        "confidence": 0.95,
    }


def two(name: str) -> dict[str, Any]:
    data = full()
    data["scorers"].append(scorer("agreement", 0.9, None, name))
    data["agreements"].append(agreement(0, 3, across=True))
    data["methods"].append(method(name, None))
    return data


def printed(data: dict[str, Any]) -> str:
    console = Console(width=80, record=True, force_terminal=False)
    print_comparison(data, console)
    return console.export_text()


def test_the_terminal_says_everything_in_eighty_columns() -> None:
    data = full()
    data["scorers"][2]["scorer"] = "semantic-entropy-discrete"
    seen = printed(data)
    for part in (
        "3 semantic-entropy-discrete",
        "0.987",
        "0.977–0.997",
        "25.0%",
        "0.21",
        "1,200",
        "10.0",
        "labels: the answer key",
        "above 0.5",
        "semantic-entropy-discrete 1",
        " 91",
        " .71",
        "-.10",
        "0.980 (0.980 to 0.980)",
    ):
        assert part in seen
    assert "…" not in seen
    assert "no labels" in printed(bare())
    assert "agreement: run, [b]x[/b]" in " ".join(printed(two("[b]x[/b]")).split())


@pytest.mark.parametrize("data", [full(), bare(), two("other"), *(full(text) for text in HOSTILE)])
def test_the_page_is_whole_and_needs_no_network(tmp_path: Path, data: dict[str, Any]) -> None:
    write_comparison(data, tmp_path / "compare.html")
    page = Page((tmp_path / "compare.html").read_text(encoding="utf-8"))
    assert not page.open
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not {"src", "href", "onerror", "onload"} & {name for name, _ in page.attributes}
    seen = " ".join(page.visible)
    for row in data["scorers"]:
        assert row["scorer"] in seen
    if data["labels"]:
        assert "0.987" in seen


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot write"):
        write_comparison(bare(), tmp_path / "no" / "compare.html")


def test_places_in_the_chart() -> None:
    found = plane(full()["scorers"])
    assert found is not None
    assert [dot.number for dot in found.dots] == [1, 2, 3]
    assert [dot.x for dot in found.dots] == sorted(dot.x for dot in found.dots)
    assert [dot.y for dot in found.dots] == sorted(dot.y for dot in found.dots), "better is higher up"
    assert all(0 <= dot.x <= found.width and 0 <= dot.y <= found.height for dot in found.dots)
    assert found.y_ticks[0] == (0.0, "1")
    assert [label for _, label in found.x_ticks] == ["1", "10", "100", "1000"]
    assert plane(bare()["scorers"]) is None


def test_one_matrix_per_run_with_several_scorers() -> None:
    (found,) = matrices(two("other"))
    assert found.names == ("agreement", "selfcheck-nli", "p-true")
    assert found.cells[0][0] is None
    assert found.cells[0][1] is found.cells[1][0]
    assert found.cells[1][2] is not None


def test_a_report_has_the_section_if_there_are_scorers_to_compare(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe(library="atlas")) as run:
        fill(run, HOSTILE[0])
        summary = summarise(run, None, Flat())
        for comparison in (None, full(HOSTILE[0])):
            write_report(run, summary.model_copy(update={"comparison": comparison}), tmp_path / "report.html")
            page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
            assert not page.open
            assert ("scorers" in page.ids) == (comparison is not None)
            assert ("#scorers" in [value for _, value in page.attributes]) == (comparison is not None)
            assert page.tags.count("script") == 2
