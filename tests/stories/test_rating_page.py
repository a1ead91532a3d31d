"""A person rates answers in a real browser with the keyboard alone, leaves, comes back, and makes pairs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from selfstudy.records import Question
from selfstudy.run import Run, corrections
from selfstudy.ui.server import UiServer

from ..ui.browser import Browser, chromium, served
from ..ui.rated import make_run

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def at(server: UiServer) -> str:
    return server.url.partition("/?")[0]


def press(browser: Browser, *keys: str) -> None:
    browser.driver.switch_to.active_element.send_keys(*keys)


def reads(browser: Browser, answer: str) -> None:
    """Waits for an answer that has the keyboard."""
    browser.wait(lambda: f"Answer {answer}" in browser.find("#rate-answer").text)
    browser.wait(lambda: browser.driver.switch_to.active_element.get_attribute("id") == "rate-read")


def ratings(folder: Path) -> list[tuple[Any, str]]:
    file = folder / "desk/one/rating-verify/sheet.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [(row["rating"], row["missing"]) for row in rows]


def test_a_person_rates_with_the_keyboard_comes_back_and_makes_pairs(
    tmp_path: Path, browser: Browser
) -> None:
    make_run(tmp_path, 2)
    with served(tmp_path) as server:
        browser.driver.get(server.url.replace("/?", "/run?run=one&"))
        browser.click("a[href='/rate?run=one']")
        browser.find("#begin").send_keys(Keys.ENTER)
        reads(browser, "1 of 4")
        press(browser, "7")
        browser.wait(lambda: ratings(tmp_path)[0] == (7, ""))
        press(browser, "m")
        press(browser, "the <b>year")
        browser.wait(lambda: ratings(tmp_path)[0] == (7, "the <b>year"))
        press(browser, Keys.ENTER)
        reads(browser, "2 of 4")
        press(browser, Keys.TAB)
        press(browser, Keys.ARROW_RIGHT)
        browser.wait(lambda: "2 of 4 rated" in browser.find("#rate-progress").text)
        first = ratings(tmp_path)[1]
        press(browser, "p")
        reads(browser, "1 of 4")
        assert browser.find("#rate-missing textarea").get_attribute("value") == "the <b>year"
        browser.driver.get(f"{at(server)}/rate?run=one")  # left, and come back
        reads(browser, "3 of 4")
        press(browser, "0")
        press(browser, "n")
        reads(browser, "4 of 4")
        press(browser, "1")
        browser.wait(lambda: "All are rated" in browser.find("#rate-progress").text)
        assert ratings(tmp_path) == [(7, "the <b>year"), first, (10, ""), (1, "")]
        assert "before" not in browser.find("#rate-answer").text
        browser.find("#rate-make").send_keys(Keys.ENTER)
        browser.wait(lambda: "has ended: 2 pairs" in browser.find("#rate-outcome").text, 120)
        assert "Who answered" in browser.find("#rate-outcome").text
        link = browser.find("#rate-outcome a[href*='pairs.trl.jsonl']").get_attribute("href")
        script = "const done = arguments[1]; fetch(arguments[0]).then(one => one.text()).then(done)"
        pairs = str(browser.driver.execute_async_script(script, link)).splitlines()
        assert [sorted(json.loads(pair)) for pair in pairs] == [["chosen", "prompt", "rejected"]] * 2
        browser.sized(360)
        browser.driver.get(f"{at(server)}/rate?run=one")
        reads(browser, "1 of 4")
        assert browser.width <= 360
        browser.sized(1200)
        assert browser.foreign() == []
        assert browser.complaints() == []
        browser.driver.get("about:blank")


def test_a_reference_is_given_and_withdrawn_and_the_fields_are_emptied(
    tmp_path: Path, browser: Browser
) -> None:
    question = Question(text="What is 0?")
    with Run.open(make_run(tmp_path) / "one") as run:
        run.round(1).append([question])
    with served(tmp_path) as server:
        browser.driver.get(server.url.replace("/?", f"/question?run=one&id={question.id}&"))
        browser.says("Nobody has said anything")
        browser.type("#reference textarea", "Zero.")
        browser.type("#note textarea", "I counted")
        browser.click("#keep")
        browser.says('the reference is "Zero."')
        for field in ("#reference textarea", "#note textarea"):
            browser.wait(lambda field=field: browser.find(field).get_attribute("value") == "")
        browser.click("#keep")
        browser.says("nothing is said")
        assert 'the reference is "Zero."' in browser.text  # an error hides nothing
        browser.type("#note textarea", "of another scale")
        browser.click("#withdraw-reference")
        browser.says("the reference given before is withdrawn. Note: of another scale")
        browser.wait(lambda: not [one for one in browser.all("#withdraw-reference") if one.is_displayed()])
        assert browser.complaints() == []
        browser.driver.get("about:blank")
    with Run.open(tmp_path / "one", write=False) as run:
        assert corrections.standing(run)[question.id].reference is None
