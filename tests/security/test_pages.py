"""Pages: the browser runs their own program and nothing else, whatever strangers wrote into what they show."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as made:
        yield made


def report(run: Run, text: str) -> str:
    """The page of a run in which `text` stands wherever text can stand."""
    fill(run, text)
    summary = summarise(run, None, Flat()).model_copy(
        update={"reasons": (text,), "promoted": True, "models": {"lm": text, text: text}}
    )
    path = run.path / "report.html"
    write_report(run, summary, path, Flat())
    return path.read_text(encoding="utf-8")


def comparison(folder: Path, text: str) -> str:
    data = json.loads(json.dumps(full()).replace('"run"', json.dumps(text or "run")))
    data["scorers"] = [{**row, "run": text, "scorer": text + row["scorer"]} for row in full()["scorers"]]
    data["methods"] = [{**row, "run": text, "method": text} for row in full()["methods"]]
    data["agreements"] = full()["agreements"]
    data["labels"], data["caveats"], data["confidence"] = {text: text}, {text: [text]}, 0.95
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


PAGES: dict[str, Callable[[Run, str], str]] = {
    "report": report,
    "comparison": lambda run, text: comparison(run.path, text),
}


@pytest.mark.parametrize("made", PAGES.values(), ids=PAGES)
def test_the_policy_knows_the_page_by_hash_and_allows_nothing_else(
    run: Run, made: Callable[[Run, str], str]
) -> None:
    html = made(run, "plain")
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
def test_no_style_no_handler_and_no_address_stands_in_the_markup(
    run: Run, made: Callable[[Run, str], str]
) -> None:
    html = made(run, ATTACKS[0])
    for tag, name, value in Structure(html).attributes:
        assert name != "style", tag
        assert not name.startswith("on"), tag
        if name in ("href", "src", "action", "formaction", "data", "xlink:href"):
            assert value.startswith("#"), (tag, name, value)
    assert "style=" not in html.replace("http-equiv", "").split("<script")[0]


TEXTS = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(min_size=1, max_size=60),
    st.lists(st.sampled_from([*"<>&\"'`=/!-\u2028\u2029\x00\ud800 a", "script", "style", "<!--", "-->", "]]>", "&#"]))
    .map("".join)
    .filter(bool),
).map(lambda text: f"x{text}y")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, ...]]]:
    """The structure of each page with harmless texts."""
    found = {}
    for name, made in PAGES.items():
        with Run.create_or_resume(tmp_path_factory.mktemp("plain") / name, Recipe()) as run:
            found[name] = Structure(made(run, "xplainy")).seen
    return found


@pytest.mark.parametrize("name", PAGES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXTS)
def test_no_text_changes_the_structure_of_a_page(
    tmp_path_factory: pytest.TempPathFactory, expected: dict[str, Any], name: str, text: str
) -> None:
    with Run.create_or_resume(tmp_path_factory.mktemp("run") / "run", Recipe()) as run:
        html = PAGES[name](run, text)
    assert Structure(html).seen == expected[name]
    assert not re.search("[\u2028\u2029\x00]", html)
    if name == "report":
        data = Page(html).data
        assert data["points"]["question"][0].startswith("x")


def test_numbers_that_json_cannot_say_leave_the_page_readable(run: Run) -> None:
    """A run of a stranger with NaN in it: a page whose data cannot be parsed would show no question at all."""
    asked = Question(text="Where?")
    lone = Score(question_id=asked.id, scorer="selfcheck-nli", value=0.5, parts={"x": float("nan"), "y": 1e999})
    run.round(1).append([asked, lone])
    write_report(run, summarise(run, None, Flat()), run.path / "report.html", Flat())
    data = Page((run.path / "report.html").read_text(encoding="utf-8")).scripts[0]

    def refuse(token: str) -> None:
        raise AssertionError(token)

    assert json.loads(data, parse_constant=refuse)["trails"]["0"]["scores"][0]["parts"] == {"x": None, "y": None}


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium (Debian: apt-get install chromium)")
def test_a_browser_shows_the_page_and_runs_nothing_of_strangers(run: Run) -> None:
    for text in ATTACKS[1:]:
        fill(run, text)
    report(run, ATTACKS[0])
    shown, said = browsed(run.path / "report.html", run.path)
    assert not re.findall("CONSOLE.*", said)
    assert "<title>selfstudy: " in shown
    assert shown.count('class="row"') == len({*ATTACKS})
    assert "Page 1 of 1" in shown
    assert shown.count('class="key v-unknown"') > len(ATTACKS)  # the map's legend and the table's cells


def browsed(page: Path, folder: Path) -> tuple[str, str]:
    """What a page has become after its program ran, and what the browser said of it."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    where = [f"--user-data-dir={folder / 'chromium'}", "--enable-logging=stderr", "--dump-dom", page.as_uri()]
    got = subprocess.run(["chromium", *options, *where], capture_output=True, text=True, timeout=120)
    return got.stdout, got.stderr
