"""A page served and looked at in a real Chromium, which keeps what it fetched and what went wrong.

`served(folder)` serves; `chromium()` is a browser; both are context managers.  Without Chromium a test is
skipped, but in CI it fails: there it must be.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from selfstudy.ui.server import UiServer

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
SECONDS = 60.0
"""Longest wait for what a page should show."""
T = TypeVar("T")
_FOCUS = """
const one = document.activeElement;
if (!one || one === document.body) return null;
one.scrollIntoView({block: "nearest"});
const style = getComputedStyle(one), box = one.getBoundingClientRect();
const first = (text) => (text || "").trim().split("\\n")[0].trim();
const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
let opacity = 1;
for (let e = one; e; e = e.parentElement) opacity *= parseFloat(getComputedStyle(e).opacity);
return {
  names: [first(one.closest("label")?.innerText), first(one.innerText), one.getAttribute("aria-label"),
          one.href && one.pathname + one.search, one.name].filter((name) => name),
  seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && opacity > 0.5 &&
        box.width >= 8 && box.height >= 8 && inside,
};
"""
"""What has the keyboard: how it is called, and whether one sees that it has it."""
MOST_STOPS = 400
LEFT = ("AbortError", '"Unexpected error" "Connection errored out. "')
"""What gradio's client says when a page is left while it waits for news; a server that is gone says more."""


class Browser:
    """A window; `driver` is selenium's."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self._fetched: list[str] = []

    def wait(self, found: Callable[[], T], seconds: float = SECONDS) -> T:
        """What `found` returns, once that is true; a page that is being drawn is asked again."""
        from selenium.common.exceptions import WebDriverException

        end, last, pause = time.monotonic() + seconds, None, 0.05
        while time.monotonic() < end:
            try:
                if last := found():
                    return last
            except (WebDriverException, StopIteration) as error:
                last = error  # type: ignore[assignment]
            time.sleep(pause)
            pause = min(0.5, 1.3 * pause)  # to look takes the time of what is waited for
        raise AssertionError(f"not there after {seconds:g} s ({last!r}); the page says:\n{self.text[:4000]}")

    def find(self, selector: str, seconds: float = SECONDS) -> Any:
        """The first visible element."""

        def found() -> Any:
            return next((one for one in self.all(selector) if one.is_displayed()), None)

        return self.wait(found, seconds)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def says(self, text: str, seconds: float = SECONDS) -> str:
        """The text of the page, once that stands in it."""
        return self.wait(lambda: self.text if text in self.text else "", seconds)

    @property
    def text(self) -> str:
        return str(self.driver.execute_script("return document.body.innerText"))  # selenium's own is slow

    def type(self, selector: str, text: str) -> None:
        """In place of what is in a field."""
        from selenium.webdriver.common.keys import Keys

        field = self.find(selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(Keys.DELETE)
        field.send_keys(text)

    def click(self, selector: str) -> None:
        def clicked() -> bool:
            self.find(selector).click()
            return True

        self.wait(clicked)

    def press(self, *keys: str) -> None:
        """Keys, one after the other; who has the keyboard gets them."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def tab_to(self, name: str, *, back: bool = False) -> None:
        """Presses Tab until what is called so (its label, text or address begins so) has the keyboard.

        Args:
            back: with Shift.

        Raises:
            AssertionError: it cannot be reached, or on the way nobody sees what has the keyboard.
        """
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.keys import Keys

        passed: list[str] = []
        for _ in range(MOST_STOPS):
            keys = ActionChains(self.driver, duration=0)  # performs only once
            if back:
                keys.key_down(Keys.SHIFT)
            keys.send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
            focus = self.driver.execute_script(_FOCUS) or {"names": [], "seen": True}
            assert focus["seen"], f"nobody sees that the keyboard is at {focus['names']}"
            passed.append(next(iter(focus["names"]), "-"))
            if any(one.startswith(name) for one in focus["names"]):
                return
            if passed.count("-") > 2:
                break
        raise AssertionError(f"Tab does not lead to {name!r}; it led to {passed[-60:]}")

    @property
    def width(self) -> int:
        """Of what is in the page: more than the window's means that one has to scroll sideways."""
        return int(self.driver.execute_script("return document.documentElement.scrollWidth"))

    def sized(self, width: int, height: int = 800) -> None:
        settings = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", settings)

    def foreign(self) -> list[str]:
        """Addresses beyond this machine that were asked for so far."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self._fetched.append(message["params"]["request"]["url"])
        ours = ("127.0.0.1", "localhost")
        local = ("data", "blob", "about")
        return [
            url
            for url in self._fetched
            if urlsplit(url).scheme not in local and urlsplit(url).hostname not in ours
        ]

    def complaints(self) -> list[str]:
        """Errors in the console since the last look, but for what gradio writes of a page that was left."""
        found = [one["message"] for one in self.driver.get_log("browser") if one["level"] == "SEVERE"]
        return [one for one in found if not any(said in one for said in LEFT)]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own, closed at the end."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        why = f"needs {CHROMIUM} and {DRIVER}: apt-get install chromium chromium-driver"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    plain = ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-background-networking")
    cheap = ("disable-gpu", "force-prefers-reduced-motion", "disable-extensions", "disable-component-update")
    for argument in (*plain, *cheap):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        browser = Browser(driver)
        browser.sized(1200)
        yield browser
    finally:
        driver.quit()


@contextmanager
def served(folder: Path) -> Iterator[UiServer]:
    """The page over a folder of runs, as `selfstudy ui` serves it."""
    server = UiServer(folder)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    try:
        assert ready.wait(60)
        yield server
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()
