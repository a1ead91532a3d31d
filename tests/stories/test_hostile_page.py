"""Other people's texts, in every place where the page shows one: in a real browser nothing of them runs.

They stand in all records of a run, in the names of the run and of files, in a log, a card and an upload; one
line has almost as many bytes as a line may have.  The window is as narrow as a phone's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfstudy.recipe import Recipe
from selfstudy.records import (
    Answer,
    Check,
    CitedCheck,
    Completion,
    Conflict,
    Evidence,
    Example,
    Failure,
    Message,
    Pair,
    Question,
    Record,
    Reference,
    RefusalCheck,
    Rewording,
    Saying,
    Score,
    SentenceScore,
    ShownDocument,
    TrainingStep,
    Verdict,
)
from selfstudy.run import Run
from selfstudy.ui import processes
from selfstudy.ui.markup import address
from selfstudy.verbs.publishing.publish import DONE

from ..ui.browser import Browser, chromium, served

pytestmark = pytest.mark.story

RUNS = "window.__ran = 1"
SHOWN = f"<script>{RUNS}</script>"
"""What has to be seen as text."""
HOSTILE = (
    f'{SHOWN}"><img src=x onerror="{RUNS}"><svg onload={RUNS}>`${{{RUNS}}}` {{{{{RUNS}}}}} {{% raw %}}'
    f"[link](javascript:{RUNS}) \u202e\u2066 nul \0 esc \x1b]0;x\x07 =HYPERLINK(1) {'wide' * 200}"
)
LINK = f"javascript:{RUNS}"
NAME = f"<img src=x onerror={RUNS}>"
LONG = 9_500_000
"""Characters of the longest question."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        made.sized(360)
        yield made


def records() -> list[Record]:
    """One question with all that there is about one."""
    asked = Question(text=HOSTILE, topic=HOSTILE, document_id=HOSTILE)
    at: dict[str, Any] = {"question_id": asked.id}
    said = Completion(text=HOSTILE)
    prompt = (Message(role="user", content=HOSTILE),)
    place: dict[str, Any] = {"start": 0, "end": 9, "date": HOSTILE}
    found = Evidence(
        **at, document_id="d", source=LINK, title=HOSTILE, text=HOSTILE, rank=0, relevance=1.0, **place
    )
    read = Reference(
        **at, evidence_id=found.id, text=HOSTILE, explanation=HOSTILE, inconsistency=0.1, accepted=True
    )
    saying = Saying(side=0, evidence_id=found.id, source=LINK, answer=HOSTILE, quote=HOSTILE, **place)
    asking: dict[str, Any] = {**at, "arm": "taught", "asked": HOSTILE, "answer": HOSTILE}
    parts = (SentenceScore(text=HOSTILE, value=0.9, per_sample=(0.9,)),) * 2
    return [
        asked,
        Answer(**at, passage=said, samples=(said,)),
        Score(**at, scorer=Recipe().probe.scorer, value=0.9, sentences=parts, parts={HOSTILE: 0.5}),
        Score(**at, scorer=HOSTILE, value=None, error=HOSTILE),
        found,
        read,
        Conflict(**at, sayings=(saying,), support=(1,), decided="supported", chosen=0, reason=HOSTILE),
        Verdict(**at, kind="unknown", score=0.9, reference_id=read.id, reason=HOSTILE),
        Rewording(**at, text=HOSTILE, use="train"),
        Example(**at, prompt=prompt, completion=HOSTILE, kind="reference"),
        Pair(**at, prompt=prompt, chosen=HOSTILE, rejected=HOSTILE),
        TrainingStep(arm="taught", phase=HOSTILE, step=1, loss=1.0),
        TrainingStep(arm="taught", phase=HOSTILE, step=2, loss=0.5),
        Check.model_validate({**asking, "target": "gap", "wording": "original"} | _JUDGED),
        RefusalCheck(**asking, refused=False),
        CitedCheck(
            **at,
            arm="taught",
            withheld=False,
            question=HOSTILE,
            docs=(ShownDocument(text=HOSTILE, answers_found=()),),
            claims=(HOSTILE,),
            output=f"{HOSTILE} [1].",
        ),
        Failure(stage="verify", item_id=asked.id, message=HOSTILE),
    ]


_JUDGED = {"expected": HOSTILE, "correct": False, "error": None}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    for name in (NAME, "other"):
        with Run.create_or_resume(folder / name, Recipe()) as run:
            run.round(1).append(records())
            run.round(1).append([Question(text="x" * LONG, topic="y" * LONG)] if name == NAME else [])
    place = processes.place_of(folder, NAME)
    place.mkdir(parents=True)
    (place / "output.log").write_text(f"{HOSTILE}\n" * 3)
    card = processes.place_of(folder, "published/odd")
    card.mkdir()
    (card / "process.json").write_text(json.dumps({"words": [HOSTILE], "pid": 2, "began": "x"}))
    (card / "output.log").write_text(f"{HOSTILE}\n{DONE}{HOSTILE}\n")
    (folder / "published/odd").mkdir(parents=True)
    (folder / "published/odd/README.md").write_text(HOSTILE)
    row = {
        "selfstudy": {"verb": "cite answer", "model": HOSTILE},
        "question": HOSTILE,
        "docs": [{"title": HOSTILE, "source": LINK, "text": HOSTILE}],
        "output": f"{HOSTILE} [1].",
    }
    (folder / f"{NAME}.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def pages() -> dict[str, str]:
    """The address of every view, and what stands in it once it is all there."""
    long = Question(text="x" * LONG, topic="y" * LONG)
    return {
        address(""): "#runs table",
        address("run", run=NAME): "#run .log",
        address("results", run=NAME): "#results dl.figures",
        address("questions", run=NAME): "#questions table",
        address("questions", run=NAME, verdict="gap", search="<script>"): "#questions table",
        address("question", run=NAME, id=Question(text=HOSTILE).id): "#question table",
        address("question", run=NAME, id=long.id): "#question h2",
        address("question", run=NAME, id=HOSTILE): "#question [role=alert]",
        address("compare", a=NAME, b="other"): "#compared table",
        address("chat", run=NAME): "#chat-of h1",
        address("cited", run=NAME): "#cited ol",
        address("cited", file=f"{NAME}.jsonl"): "#cited ol",
        address("publish", run=NAME): "#publication [role=alert]",
        address("rate", run=NAME): "#rating h1",
    }


@pytest.fixture(scope="module")
def home(desk: Path, browser: Browser) -> Iterator[str]:
    """The address of the page, which the browser has been let into."""
    with served(desk) as server:
        browser.driver.get(server.url)
        browser.find("#runs table")
        yield server.url.partition("/?")[0]
        browser.driver.get("about:blank")


def test_nothing_of_other_peoples_texts_runs_and_all_of_it_is_shown(home: str, browser: Browser) -> None:
    for page, content in pages().items():
        browser.driver.get(home + page)
        browser.find(content)
        harmless(browser, page)
    browser.driver.get(f"{home}{address('publish', run='odd')}")
    browser.says("there is no run 'odd'")  # the page has filled its form, and has the card of that name
    browser.find("#published pre.card")
    harmless(browser, "a card")


def harmless(browser: Browser, page: str) -> None:
    """Of the page that is open: nothing has run, and what would have is there as text."""
    assert browser.driver.execute_script("return window.__ran") is None, page
    made = "script:not([src]), img[src=x], svg[onload], [onerror], [href^='javascript:']"
    script = "return [...document.querySelectorAll(arguments[0])].map(one => one.outerHTML)"
    assert not [one for one in browser.driver.execute_script(script, made) if "__ran" in one], page
    assert RUNS in browser.driver.execute_script("return document.body.textContent"), page
    assert browser.width <= 360, f"{page} is {browser.width} wide"
    assert browser.complaints() == [], page
    assert browser.foreign() == [], page


def test_the_name_of_an_upload_is_text(home: str, browser: Browser, tmp_path: Path) -> None:
    given = tmp_path / f"{NAME}.md"
    given.write_text(HOSTILE)
    browser.driver.get(f"{home}/new")
    browser.find("#check")
    browser.all("#documents input[type=file]")[0].send_keys(str(given))
    browser.wait(lambda: "__ran" in browser.find("#documents").text)
    browser.click("#check")
    browser.says("cannot be the name of a run")
    harmless(browser, "new")
