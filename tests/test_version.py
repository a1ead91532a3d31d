"""The version of the package is that of its distribution."""

from __future__ import annotations

from importlib import metadata

import selfstudy
from selfstudy.version import __version__


def test_one_version() -> None:
    assert selfstudy.__version__ == __version__ == metadata.version("selfstudy")
