"""Pages: a browser runs their own program and nothing else, whatever strangers wrote into what they show."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from selfstudy.probe.comparison import compare
from selfstudy.recipe import Recipe
from selfstudy.records import Question, Score
from selfstudy.run import Run
from selfstudy.show.compare import write_comparison
from selfstudy.show.report import write_report
from selfstudy.summary import summarise

from ..show.test_compare import full
from ..show.test_report import HOSTILE, Flat, Page, fill

ATTACKS = (
    *HOSTILE,
    "</style><script>document.title='pwned'</script>",
    "<!--<script>",
    "--></script><script>document.title='pwned'</script>",
    "]]><svg><script>document.title='pwned'</script></svg>",
    "\" autofocus onfocus=\"document.title='pwned'",
    "' style='background:url(//127.0.0.1:9/x)' x='",
    "}</style><style>*{background:url(//127.0.0.1:9/x)}",
    "<base href=//127.0.0.1:9/><a href=javascript:document.title='pwned'>x</a>",
    "javascript:document.title='pwned'",
    "data:text/html,<script>document.title='pwned'</script>",
    "<meta http-equiv=refresh content='0;url=//127.0.0.1:9/'>",
    "<form action=//127.0.0.1:9/><input name=x><iframe srcdoc='<script>1</script>'>",
    "__proto__",
    "\\u003c/script\\u003e \\",
)


def report(folder: Path, *texts: str) -> str:
    """The page of a run in which these texts stand wherever a text can stand."""
    with Run.create_or_resume(folder / "run", Recipe()) as run:
        for text in texts:
            fill(run, text)
        summary = summarise(run, None, Flat()).model_copy(
            update={"reasons": texts, "promoted": True, "models": {"lm": texts[0], texts[0]: texts[0]}}
        )
        write_report(run, summary, run.report_file, Flat())
        return run.report_file.read_text(encoding="utf-8")


def comparison(folder: Path, text: str) -> str:
    data = full(text)
    data["scorers"] = [{**row, "scorer": text + row["scorer"]} for row in data["scorers"]]
    data["methods"] = [{**row, "method": text} for row in data["methods"]]
    data |= {"labels": {text: text}, "caveats": {text: [text]}}
    write_comparison(data, folder / "compare.html")
    return (folder / "compare.html").read_text(encoding="utf-8")


class Structure(HTMLParser):
    """Everything of a page but its texts: elements with the names of their attributes, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, *(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_comment(self, data: str) -> None:
        self.seen.append(("comment",))

    def handle_pi(self, data: str) -> None:
        self.seen.append(("instruction",))

    def unknown_decl(self, data: str) -> None:
        self.seen.append(("declaration",))


Make = Callable[[Path, str], str]
PAGES: dict[str, Make] = {"report": report, "comparison": comparison}


@pytest.mark.parametrize("made", PAGES.values(), ids=PAGES)
def test_the_policy_knows_the_page_by_hash_and_allows_nothing_else(tmp_path: Path, made: Make) -> None:
    html = made(tmp_path, "plain")
    policies = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    assert len(policies) == 1
    policy = dict(part.split(" ", 1) for part in unescape(policies[0]).split("; "))
    styles = re.findall(r"<style>(.*?)</style>", html, re.S)
    programs = re.findall(r"<script>(.*?)</script>", html, re.S)
    assert len(styles) == 1
    assert policy.pop("style-src") == source(styles[0])
    assert policy.pop("script-src") == (source(programs[0]) if programs else "'none'")
    assert {policy.pop(name) for name in ("default-src", "base-uri", "form-action")} == {"'none'"}
    assert policy == {"require-trusted-types-for": "'script'", "trusted-types": "'none'"}
    assert html.index("Content-Security-Policy") < html.index("<style>")  # it binds only what comes behind it
    assert "unsafe" not in policies[0]


def source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("made", PAGES.values(), ids=PAGES)
def test_no_style_no_handler_and_no_address_stands_in_the_markup(tmp_path: Path, made: Make) -> None:
    html = made(tmp_path, ATTACKS[0])
    for tag, name, value in Structure(html).attributes:
        assert name != "style", tag
        assert not name.startswith("on"), tag
        if name in ("href", "src", "action", "formaction", "data", "xlink:href"):
            assert value.startswith("#"), (tag, name, value)
    assert "style=" not in html.replace("http-equiv", "").split("<script")[0]


TEXTS = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(min_size=1, max_size=60),
    st.lists(
        st.sampled_from(
            [*"<>&\"'`=/!-\u2028\u2029\x00\ud800 a", "script", "style", "<!--", "-->", "]]>", "&#"]
        )
    )
    .map("".join)
    .filter(bool),
).map(lambda text: f"x{text}y")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, ...]]]:
    """The structure of each page with harmless texts."""
    return {
        name: Structure(made(tmp_path_factory.mktemp(name), "xplainy")).seen for name, made in PAGES.items()
    }


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXTS)
@example(text="".join(ATTACKS))
def test_no_text_changes_the_structure_of_a_comparison(
    tmp_path: Path, expected: dict[str, Any], text: str
) -> None:
    assert Structure(comparison(tmp_path, text)).seen == expected["comparison"]


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXTS)
@example(text="".join(ATTACKS))
def test_no_text_changes_the_structure_of_a_report(
    tmp_path_factory: pytest.TempPathFactory, expected: dict[str, Any], text: str
) -> None:
    html = report(tmp_path_factory.mktemp("report"), text)
    assert Structure(html).seen == expected["report"]
    assert not re.search("[\u2028\u2029\x00]", html)
    assert Page(html).data["points"]["question"][0].startswith(text[:1])


def test_numbers_that_json_cannot_say_leave_the_page_readable(tmp_path: Path) -> None:
    """A stranger's run with NaN in it: a page whose data cannot be parsed would show no question at all."""
    asked = Question(text="Where?")
    parts = {"x": float("nan"), "y": float("inf")}
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        run.round(1).append(
            [asked, Score(question_id=asked.id, scorer="selfcheck-nli", value=0.5, parts=parts)]
        )
        write_report(run, summarise(run, None, Flat()), run.report_file, Flat())
        data = Page(run.report_file.read_text(encoding="utf-8")).scripts[0]

    def refuse(token: str) -> None:
        raise AssertionError(token)

    shown = json.loads(data, parse_constant=refuse)["trails"]["0"]["scores"][0]["parts"]
    assert shown == {"x": None, "y": None}


def test_many_scorers_in_a_strangers_run_are_not_all_compared(tmp_path: Path) -> None:
    """Each is compared with each: 400 names would make 80,000 pairs, and a table of as many cells."""
    asked = Question(text="Where?")
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        scores = [Score(question_id=asked.id, scorer=f"s{i}", value=0.5) for i in range(400)]
        run.round(1).append([asked, *scores])
        found = compare([run])
    assert len(found.scorers) == 50
    assert list(found.caveats.values()) == [("50 scorers are compared, 350 more are left out",)]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium (apt-get install chromium)")
def test_a_browser_shows_the_page_and_runs_nothing_of_strangers(tmp_path: Path) -> None:
    report(tmp_path, *ATTACKS)
    shown, said = browsed(tmp_path / "run" / "report.html")
    assert not re.findall("CONSOLE.*", said)
    assert "<title>selfstudy: " in shown, said[-2000:]
    assert shown.count('class="row"') == len(ATTACKS)
    assert "Page 1 of 1" in shown
    assert shown.count('class="key v-unknown"') > len(ATTACKS)  # the map's legend and the table's cells


def browsed(page: Path) -> tuple[str, str]:
    """What a page has become after its program ran, and what the browser said of it."""
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    # below /tmp, because the path of the browser's socket may have 108 bytes
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as short:
        where = [f"--user-data-dir={short}", "--enable-logging=stderr", "--dump-dom", page.as_uri()]
        environment = {**os.environ, "TMPDIR": short}
        got = subprocess.run(
            ["chromium", *quiet, *where], capture_output=True, text=True, timeout=120, env=environment
        )
    return got.stdout, got.stderr
