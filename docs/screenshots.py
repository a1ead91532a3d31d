"""The pictures of docs/images, from a real run: `python docs/screenshots.py FOLDER_OF_RUNS RUN QUESTION_ID`.

Starts `selfstudy ui` on the folder, opens views in Debian's Chromium, writes a PNG of each.  The folder is
the one that the first tutorial makes.  Needs the extras `ui` and `dev`; it is no part of the gate, since
pictures differ by fonts.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

IMAGES = Path(__file__).parent / "images"
SIZE = (1200, 800)
LARGEST = 150_000
"""Bytes of a picture."""
VIEWS = {
    "runs": "",
    "run": "run?run={run}",
    "results": "results?run={run}",
    "question": "question?run={run}&id={question}",
}
TOKEN = re.compile(r"https?://127\.0\.0\.1:\d+/\S*")


@contextmanager
def page(folder: Path) -> Iterator[str]:
    """The address of `selfstudy ui` over `folder`, with its token."""
    begin = "from selfstudy.cli import main; main()"
    command = [sys.executable, "-u", "-c", begin, "ui", str(folder), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert server.stdout
        for line in server.stdout:
            if found := TOKEN.search(line):
                yield found[0]
                break
        else:
            raise SystemExit("selfstudy ui gave no address")
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for switch in ("--headless=new", "--no-sandbox", "--disable-background-networking"):
        options.add_argument(switch)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        metrics = {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        yield driver
    finally:
        driver.quit()


def small(png: bytes) -> bytes:
    """The same picture in 128 colours."""
    from PIL import Image

    written = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128).save(written, "PNG", optimize=True)
    return written.getvalue()


def main(folder: Path, run: str, question: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    with page(folder) as address, browser() as driver:
        driver.get(address)  # the token becomes a cookie
        time.sleep(4)
        root = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        for name, view in VIEWS.items():
            driver.get(f"{root}/{view.format(run=quote(run), question=quote(question))}")
            time.sleep(5)
            picture = small(driver.get_screenshot_as_png())
            if len(picture) > LARGEST:
                raise SystemExit(f"{name}.png has {len(picture)} bytes: make SIZE smaller")
            (IMAGES / f"{name}.png").write_bytes(picture)
            print(f"{name}.png: {len(picture)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
