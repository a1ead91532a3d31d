"""How long every page of `selfstudy ui` takes over a run of 100,000 questions, in a real Chromium.

    python benchmarks/ui.py --folder DIR [--count 100000] [--port 7931]

Makes the run (million.py) if it is not there, starts a server, and opens every view in one browser: first
without an index (cold; the one that needs most of it comes first), then with it (warm).  Prints the seconds
until the view's own content stands in the page, the memory (resident) of the browser's largest renderer, and
of the server.  Exits with 1 if a view takes more than 2 seconds or 500 MB.  Needs chromium and chromedriver
of the system, selenium and psutil.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from selenium import webdriver
from selenium.webdriver.common.by import By

import million
from selfstudy.records import Question
from selfstudy.run import Run
from selfstudy.ui.markup import address
from selfstudy.ui.server import UiServer

MOST_SECONDS, MOST_MB = 2.0, 500.0
PATIENCE = 60.0
"""Seconds after which a view is given up."""
TABLE = "#questions table.questions"
VIEWS: dict[str, tuple[Callable[[str, str], str], str]] = {
    "runs": (lambda run, one: address(""), "#runs table"),
    "gaps by score": (lambda run, one: address("questions", run=run, verdict="gap", order="score"), TABLE),
    "new": (lambda run, one: address("new"), "#check"),
    "run": (lambda run, one: address("run", run=run), "#run #state"),
    "results": (lambda run, one: address("results", run=run), "#results dl.figures"),
    "questions": (lambda run, one: address("questions", run=run), TABLE),
    "search": (lambda run, one: address("questions", run=run, search="anthem"), TABLE),
    "a later page": (lambda run, one: address("questions", run=run, after="90000_90000"), TABLE),
    "question": (lambda run, one: address("question", run=run, id=one), "#question section.trail"),
    "compare": (lambda run, one: address("compare", a=run, b=run), "#compared table"),
    "chat": (lambda run, one: address("chat", run=run), "#chat-of h1"),
    "cited": (lambda run, one: address("cited", run=run), "#cited p"),
    "publish": (lambda run, one: address("publish", run=run), "#publication h1"),
    "rate": (lambda run, one: address("rate", run=run), "#rating h1"),
}
"""Address, given the run's name and a question's id; and what stands in the page once its content does."""


def serve(folder: str, port: int, opened: Any) -> None:
    """A server, until it is ended."""
    server = UiServer(Path(folder), port=port)
    server.run(lambda: opened.send(server.url))


def browser() -> webdriver.Chrome:
    """Chromium without a window."""
    options = webdriver.ChromeOptions()
    for one in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(one)
    options.binary_location = shutil.which("chromium") or "chromium"
    driver = shutil.which("chromedriver")
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def renderer_mb(chrome: webdriver.Chrome) -> float:
    """Of the largest renderer of this browser."""
    children = psutil.Process(chrome.service.process.pid).children(recursive=True)
    sizes = [0.0]
    for child in children:
        try:
            if "--type=renderer" in child.cmdline():
                sizes.append(child.memory_info().rss / 1e6)
        except psutil.Error:  # it has ended meanwhile
            continue
    return max(sizes)


def opened(chrome: webdriver.Chrome, url: str, content: str) -> float:
    """Seconds from asking for a page to its content; infinite if it does not come."""
    start = time.perf_counter()
    chrome.get(url)
    while time.perf_counter() - start < PATIENCE:
        if chrome.find_elements(By.CSS_SELECTOR, content):
            return time.perf_counter() - start
        time.sleep(0.02)
    return float("inf")


def look(name: str, url: str, folder: Path, server: psutil.Process, times: str) -> bool:
    """Opens every view once and prints what it took; whether all bounds are kept."""
    with Run.open(folder / name, write=False) as run:
        one = next(run.round(1).iter(Question)).id
    home = url.partition("/?")[0]
    good = True
    chrome = browser()
    try:
        chrome.get(url)
        opened(chrome, home + address(""), VIEWS["runs"][1])  # gradio's own files are kept from here on
        for view, (at, content) in VIEWS.items():
            seconds = opened(chrome, home + at(name, one), content)
            taken, held = renderer_mb(chrome), server.memory_info().rss / 1e6
            good = good and seconds <= MOST_SECONDS and taken <= MOST_MB
            print(f"| {view} | {times} | {seconds:.2f} | {taken:,.0f} | {held:,.0f} |", flush=True)
    finally:
        chrome.quit()
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="where the run goes: 0.4 GB")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--port", type=int, default=7931)
    arguments = parser.parse_args()
    folder, name = arguments.folder, f"run-{arguments.count}"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / name / "summary.json").exists():
        for step in ("write", "summary"):
            million.measured_apart(step, arguments.count, folder)
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(str(folder), arguments.port, there), daemon=True
    )
    process.start()
    try:
        url = here.recv()
        server = psutil.Process(process.pid)
        load = psutil.getloadavg()[0]
        print(f"{psutil.cpu_count()} cores, load {load:.1f}; {arguments.count:,} questions")
        print("| view | index | s | renderer, MB | server, MB |\n|---|---|---|---|---|")
        good = look(name, url, folder, server, "cold")
        time.sleep(20)
        return 0 if look(name, url, folder, server, "warm") and good else 1
    finally:
        process.terminate()
        process.join(10)


if __name__ == "__main__":
    sys.exit(main())
