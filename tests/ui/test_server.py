"""The server: it listens on this machine, opens with its token, and stops."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.ui.server import UiServer


def test_it_opens_with_its_token_and_without_it_stays_shut(tmp_path: Path) -> None:
    server = UiServer(tmp_path)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    assert ready.wait(60)
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(server.url, timeout=30) as page:
        assert b"gradio" in page.read()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(server.url.partition("?")[0], timeout=30)
    server.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_a_wrong_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no folder"):
        UiServer(tmp_path / "none")
