"""The server: it listens on this machine, opens with its token, and stops."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.ui.server import UiServer


def checked_by_form(opener: urllib.request.OpenerDirector, at: str, given: object) -> str:
    """What the form for a new run says of a document, as the browser would hear it."""
    with opener.open(f"{at}/config", timeout=30) as answer:
        one = next(one for one in json.load(answer)["dependencies"] if one["api_name"] == "checked")
    data = ["a", "atlas", [given], "", "facts", "look", False]
    data += [""] * (len(one["inputs"]) - len(data))
    body = {"data": data, "fn_index": one["id"], "session_hash": "s"}
    join = urllib.request.Request(f"{at}/gradio_api/queue/join", json.dumps(body).encode())
    join.add_header("content-type", "application/json")
    opener.open(join, timeout=30).close()
    with opener.open(f"{at}/gradio_api/queue/data?session_hash=s", timeout=30) as events:
        return str(next(line for line in events if b"process_completed" in line))


def test_it_opens_with_its_token_and_without_it_stays_shut(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("not given by a browser", encoding="utf-8")
    server = UiServer(tmp_path)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,), daemon=True)
    thread.start()
    assert ready.wait(60)
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(server.url, timeout=30) as page:
        assert b"gradio" in page.read()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(server.url.partition("?")[0], timeout=30)
    given = {"path": str(tmp_path / "mine.txt"), "meta": {"_type": "gradio.FileData"}}
    assert "was not uploaded" in checked_by_form(opener, server.url.partition("/?")[0], given)
    assert not (tmp_path / "desk").exists()
    server.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_a_wrong_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no folder"):
        UiServer(tmp_path / "none")
