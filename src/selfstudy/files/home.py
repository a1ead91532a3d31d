"""The folder for what outlives a run: calibrations, and what this user has allowed."""

from __future__ import annotations

import os
from pathlib import Path

from selfstudy.files import reading

HOME = "SELFSTUDY_HOME"
"""Environment variable: that folder."""


def home() -> Path:
    """$SELFSTUDY_HOME, or selfstudy in the user's data folder (XDG); it need not exist yet."""
    chosen = os.environ.get(HOME)
    if chosen:
        return reading.expanded(chosen).absolute()
    data = Path(os.environ.get("XDG_DATA_HOME") or "")
    # the XDG specification has relative paths ignored
    return (data if data.is_absolute() else Path.home() / ".local" / "share") / "selfstudy"
