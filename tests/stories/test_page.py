"""A person works in the page, in a real browser: begins a run, reloads, sees it end, uses what came of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
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
    "probe.samples": "2",
    "probe.ask": "[{method: documents, count: 12, per_chunk: 2, question_temperature: 0.7, check: none}]",
    "teach.wordings": "1",
    "teach.heldout_wordings": "0",
    "teach.sft.epochs": "1",
    "teach.sft.replay": "0",
    "teach.sft.learning_rate": "0.003",
    "verify.samples": "0",
    "verify.repeats": "0",
    "verify.max_questions": "12",
    "verify.control": "false",
}
"""What a person types into the fields of the keys, so that the run takes seconds."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def open_block(browser: Browser, name: str) -> None:
    """Opens an accordion by its label."""
    script = (
        "return [...document.querySelectorAll('#keys button')]"
        ".find(one => one.innerText.split('\\n')[0].trim() == arguments[0])"
    )
    browser.wait(lambda: browser.driver.execute_script(script, name)).click()


def field_of(browser: Browser, key: str) -> Any:
    script = (
        "return [...document.querySelectorAll('#keys label')].find(one => "
        "one.querySelector('span')?.innerText.trim() == arguments[0])?.querySelector('input,textarea')"
    )
    return browser.wait(lambda: browser.driver.execute_script(script, key))


def test_a_person_begins_a_run_reloads_and_sees_it_end(tmp_path: Path, browser: Browser) -> None:
    with served(tmp_path) as server:
        browser.driver.get(server.url)
        browser.says("There is no run")
        assert server.token not in browser.driver.current_url
        browser.click("a[href='/new']")
        fill(browser)
        browser.click("#check")
        assert "cannot be the name of a run" in browser.says("name")  # nothing was typed there yet
        browser.click("#measure input")
        browser.type("#name textarea, #name input", "first")
        browser.click("#check")
        browser.find("#start", 120)
        assert "It will ask for about" in browser.text
        browser.click("#start")
        browser.find("#state[data-state=running], #state[data-state=starting]", 60)
        assert browser.driver.current_url.endswith("/run?run=first")
        browser.driver.refresh()
        browser.find("#state[data-state=running], #state[data-state=starting]")
        browser.click("#stop")
        browser.find("#state[data-state=stopped]", 60)
        browser.click("#go-on")
        browser.find("#state[data-state=running]")
        assert browser.complaints() == []
        browser.driver.get("about:blank")
    command = processes.last(processes.place_of(tmp_path, "first"))
    assert command is not None
    assert processes.runs(command)  # though the server is gone
    with served(tmp_path) as server:
        browser.driver.get(server.url.replace("/?", "/run?run=first&"))
        browser.find("#state[data-state=finished]", 180)
        assert (tmp_path / "first" / Run.summary_file).exists()
        assert browser.foreign() == []
        assert browser.complaints() == []
        browser.driver.get("about:blank")


def test_a_person_uses_what_came_of_a_run(finished: Path, tmp_path: Path, browser: Browser) -> None:
    for name in ("one", "two"):
        shutil.copytree(finished, tmp_path / name)
    with served(tmp_path) as server:
        browser.driver.get(server.url.replace("/?", "/run?run=one&"))
        browser.click("a[href='/results?run=one']")
        browser.says("before")
        browser.click("a[href^='/questions?run=one']")
        browser.find("table.questions a")
        browser.driver.get(f"{at(server)}/questions?run=one&verdict=unknown")
        browser.click("table.questions a")
        browser.says("What was taught")
        assert "Round 1: unknown" in browser.text
        assert "/question?run=one" in browser.driver.current_url
        labelled(browser, "Wrong").click()
        browser.type("#note textarea", "the page is about another town")
        browser.click("#keep")
        browser.says("Somebody: the first answer is wrong. Note: the page is about another town")
        assert (tmp_path / "one" / Run.corrections_file).is_file()
        browser.driver.get(f"{at(server)}/compare?a=one&b=two")
        browser.find("#compared table")
        browser.driver.get(f"{at(server)}/chat?run=one")
        browser.type("#chat-question textarea, #chat-question input", "What is the capital of Fiji?")
        browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
        browser.wait(lambda: "What is the capital of Fiji?" in browser.find("#talk").text, 90)
        assert downloaded(browser, "/download/questions.jsonl?run=one").startswith("{")
        assert browser.foreign() == []
        assert browser.complaints() == []
        browser.driver.get("about:blank")


@pytest.mark.slow
def test_a_person_publishes_a_run(finished: Path, tmp_path: Path, browser: Browser) -> None:
    shutil.copytree(finished, tmp_path / "one")
    with served(tmp_path) as server:
        browser.driver.get(server.url)
        browser.says("Runs")
        browser.driver.get(f"{at(server)}/publish?run=one")
        labelled(browser, "Also if the gate did not promote it").click()
        browser.wait(lambda: [one for one in browser.all("button") if one.text == "Publish"])[0].click()
        browser.says("It is published", 120)
        assert (tmp_path / "published/one/adapter_config.json").is_file()
        assert browser.foreign() == []
        assert browser.complaints() == []
        browser.driver.get("about:blank")


def labelled(browser: Browser, text: str) -> Any:
    """The label that says so: a click on it is one on its field."""
    return browser.wait(lambda: next(one for one in browser.all("label") if text in one.text))


def downloaded(browser: Browser, address: str) -> str:
    """What a link gives, asked for by the page itself."""
    script = "const done = arguments[1]; fetch(arguments[0]).then(one => one.text()).then(done)"
    return str(browser.driver.execute_async_script(script, address))


def test_a_narrow_window_needs_no_scrolling_sideways(
    finished: Path, tmp_path: Path, browser: Browser
) -> None:
    shutil.copytree(finished, tmp_path / "one")
    pages = ("", "new", *(f"{page}?run=one" for page in ("run", "results", "questions", "chat", "publish")))
    with served(tmp_path) as server:
        browser.driver.get(server.url)
        browser.says("Runs")
        browser.sized(360)
        wide = []
        for page in pages:
            browser.driver.get(f"{at(server)}/{page}")
            browser.find("h1")
            wide += [page] * (browser.width > 360)
        browser.sized(1200)
        browser.driver.get("about:blank")
    assert not wide


def at(server: UiServer) -> str:
    return server.url.partition("/?")[0]


def fill(browser: Browser) -> None:
    browser.find("#check")
    open_block(browser, "All keys of the recipe")
    for block in dict.fromkeys(key.partition(".")[0] for key in KEYS):
        open_block(browser, block)
    for key, value in KEYS.items():
        field_of(browser, key).send_keys(value)
