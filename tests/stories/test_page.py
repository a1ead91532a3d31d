"""A person works in the page, in a real browser: begins a run, reloads, sees it end, uses what came of it.

All of it is done with the keyboard alone, and what has the keyboard is seen (`Browser.tab_to` looks).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from selfstudy.run import Run
from selfstudy.ui import processes
from selfstudy.ui.server import UiServer

from ..ui.browser import Browser, chromium, served

pytestmark = pytest.mark.story

KEYS = {
    "probe.ask": "[{method: documents, count: 12, per_chunk: 2, question_temperature: 0.7, check: none}]",
    "probe.samples": "2",
    "teach.wordings": "1",
    "teach.heldout_wordings": "0",
    "teach.sft.learning_rate": "0.003",
    "teach.sft.epochs": "1",
    "teach.sft.replay": "0",
    "verify.max_questions": "12",
    "verify.samples": "0",
    "verify.repeats": "0",
    "verify.control": "false",
}
"""What a person types into the fields of the keys, in their order, so that the run takes seconds."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def test_a_person_does_it_all_with_the_keyboard(tmp_path: Path, browser: Browser) -> None:
    folder, saved = tmp_path / "desk", tmp_path / "saved"
    folder.mkdir()
    with served(folder) as server:
        browser.driver.get(server.url)
        browser.says("There is no run")
        assert server.token not in browser.driver.current_url
        begin(browser, "first")
        browser.find("#state[data-state=running], #state[data-state=starting]")
        assert browser.driver.current_url.endswith("/run?run=first")
        browser.driver.refresh()
        browser.find("#state[data-state=running], #state[data-state=starting]")
        push(browser, "Stop")
        browser.find("#state[data-state=stopped]")
        push(browser, "Go on")
        browser.find("#state[data-state=running]")
        assert browser.complaints() == []
        browser.driver.get("about:blank")
    command = processes.last(processes.place_of(folder, "first"))
    assert command is not None
    assert processes.runs(command)  # though the server is gone
    with served(folder) as server:
        browser.driver.get(server.url.replace("/?", "/run?run=first&"))
        browser.find("#state[data-state=finished]", 240)
        assert (folder / "first" / Run.summary_file).exists()
        shutil.copytree(folder / "first", folder / "second")
        look_and_download(browser, saved)
        correct(browser)
        assert (folder / "first" / Run.corrections_file).is_file()
        chat(browser)
        rate(browser)
        said = (processes.place_of(folder, "first") / "rating-probe/sheet.jsonl").read_text()
        row = json.loads(said.partition("\n")[0])
        assert (row["rating"], row["missing"]) == (7, "its source")
        compare(browser)
        browser.driver.back()
        browser.find("#run-pages a")
        push(browser, "/publish?run=first")
        browser.says("what was taught")
        push(browser, "Also if the gate did not promote it", Keys.SPACE)
        push(browser, "Publish")
        browser.says("It is being published; this page may be closed.")
        assert processes.stop(processes.place_of(folder, "published/first"))
        assert browser.foreign() == []
        assert browser.complaints() == []
        browser.driver.get("about:blank")


def begin(browser: Browser, name: str) -> None:
    """From the list of runs: fills the form, has it checked, and starts."""
    push(browser, "/new")
    browser.find("#check")
    push(browser, "Check and estimate")
    assert "cannot be the name of a run" in browser.says("name")  # nothing was typed there yet
    browser.tab_to("Name of the run", back=True)
    browser.press(name)
    push(browser, "All keys of the recipe")
    for block, keys in groupby(KEYS, lambda key: key.partition(".")[0]):
        push(browser, block)
        for key in keys:
            push(browser, key, KEYS[key])
    push(browser, "Measure how fast the model is", Keys.SPACE)
    push(browser, "Check and estimate")
    browser.find("#start", 240)
    assert "It will ask for about" in browser.text
    push(browser, "Start")


def look_and_download(browser: Browser, saved: Path) -> None:
    """From the run: its results, all of its questions as a file, and its gaps."""
    given = {"behavior": "allow", "downloadPath": str(saved)}
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", given)
    push(browser, "/results?run=first")
    browser.says("before")
    push(browser, "/download/questions.jsonl?run=first")
    file = browser.wait(lambda: next(iter(saved.glob("*.jsonl")), None))
    assert file is not None
    assert browser.wait(file.read_text).startswith("{")
    push(browser, "/questions?run=first&verdict=unknown")
    browser.find("table.questions a")


def correct(browser: Browser) -> None:
    """From the gaps: the trail of the first, and what a person says of it."""
    push(browser, "/question?run=first")
    browser.says("What was taught")
    assert "Round 1: unknown" in browser.text
    assert "/question?run=first" in browser.driver.current_url
    push(browser, "Wrong", Keys.SPACE)
    push(browser, "Note", "the page is about another town")
    push(browser, "Keep it")
    browser.says("Somebody: the first answer is wrong. Note: the page is about another town")


def chat(browser: Browser) -> None:
    """From a question: asks the models, and goes to the run."""
    push(browser, "/chat?run=first", back=True)
    browser.says("Nothing has been asked yet.")
    push(browser, "Your question", "What is the capital of Fiji?", Keys.ENTER)
    browser.wait(lambda: "What is the capital of Fiji?" in browser.find("#talk").text, 120)
    push(browser, "/run?run=first", back=True)
    browser.find("#run-pages a")


def rate(browser: Browser) -> None:
    """From the run and back: gives an answer seven of ten points, and says what it lacks."""
    push(browser, "/rate?run=first")
    browser.says("the answers before and after teaching")
    push(browser, "/rate?run=first&of=probe")
    browser.says("the model's own first answers")
    push(browser, "Begin")
    browser.says("Answer 1 of")
    push(browser, "1", "7")  # a key for each rating
    browser.wait(lambda: browser.find("#rate-progress").text.startswith("1 of"))
    push(browser, "What is missing?", "its source", Keys.ENTER)
    browser.says("Answer 2 of")
    push(browser, "/run?run=first", back=True)
    browser.find("#run-pages a")


def compare(browser: Browser) -> None:
    """From the run: lays it beside another."""
    push(browser, "/compare?a=first")
    browser.says("Choose two runs.")
    push(browser, "Second run", "second", Keys.ENTER)
    browser.find("#compared table")


def push(browser: Browser, name: str, *keys: str, back: bool = False) -> None:
    """Goes to what is called so, and presses Enter, or these keys."""
    browser.tab_to(name, back=back)
    browser.press(*(keys or (Keys.ENTER,)))


@pytest.mark.slow
def test_a_person_publishes_a_run(finished: Path, tmp_path: Path, browser: Browser) -> None:
    shutil.copytree(finished, tmp_path / "one")
    with served(tmp_path) as server:
        browser.driver.get(server.url)
        browser.says("Runs")
        browser.driver.get(f"{at(server)}/publish?run=one")
        labelled(browser, "Also if the gate did not promote it").click()
        browser.wait(lambda: [one for one in browser.all("button") if one.text == "Publish"])[0].click()
        assert "10 of 10 answers, loaded back, are those of the run" in browser.says("It is published", 240)
        assert (tmp_path / "published/one/adapter_config.json").is_file()
        assert browser.foreign() == []
        assert browser.complaints() == []
        browser.driver.get("about:blank")


def labelled(browser: Browser, text: str) -> Any:
    """The label that says so: a click on it is one on its field."""
    return browser.wait(lambda: next(one for one in browser.all("label") if text in one.text))


def at(server: UiServer) -> str:
    return server.url.partition("/?")[0]
