"""Whether a tracker can be used: its package, its server, its key; looked at before anything is loaded.

Who may have a key is the user's word, never a recipe's (models/remote/permissions.py).  Sends nothing.
"""

from __future__ import annotations

import netrc
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata, util
from pathlib import Path
from urllib.parse import urlsplit

from selfstudy.errors import RecipeError
from selfstudy.models.remote import permissions
from selfstudy.recipe import TrackBlock

PACKAGES = {"trackio": "trackio", "wandb": "wandb", "mlflow": "mlflow-skinny"}
"""What is installed for each, at least."""
SERVER = {"wandb": "WANDB_BASE_URL", "mlflow": "MLFLOW_TRACKING_URI"}
"""Variables in which the user names a server."""
KEYS = {
    "trackio": (),
    "wandb": ("WANDB_API_KEY",),
    "mlflow": ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
}
"""Variables that hold what a server wants to know."""
_CREDENTIALS = "~/.mlflow/credentials"
"""A user and a password of mlflow's, which it sends to whatever server it is told."""
WANDB = "https://api.wandb.ai"


def require(block: TrackBlock) -> None:
    """Whether the recipe's tracker can be used, as far as that shows here.

    Raises:
        RecipeError: its package is missing.
        ModelError: the user has not allowed that its server is sent a key, or is asked over plain http.
    """
    if block.type == "none":
        return
    if not _installed(block.type):
        raise RecipeError(
            f"track: {block.type} needs the package {PACKAGES[block.type]!r}, which is not installed",
            f"pip install {PACKAGES[block.type]}; or go on without: selfstudy learn RECIPE --set track=none",
        )
    if block.url is not None:
        permissions.check_http(block.url)
        for source in _keys(block.type):
            permissions.check_key(source, block.url)


def _keys(tracker: str) -> Iterator[permissions.KeySource]:
    """What there is of keys that the tracker's package would send to any server."""
    for name in KEYS[tracker]:
        if os.environ.get(name, "").strip():
            yield permissions.KeySource(name)
    if tracker == "mlflow":
        with suppress(RuntimeError):  # a user without a home
            file = Path(_CREDENTIALS).expanduser()
            if os.path.lexists(file):
                yield permissions.KeySource(os.path.realpath(file), is_file=True)


def server_of(block: TrackBlock) -> str | None:
    """The address of the tracker's server; None: it has none, but writes to a folder."""
    named = block.url or os.environ.get(SERVER.get(block.type, ""), "").strip() or None
    if block.type != "wandb":
        return named
    return None if _offline(named or WANDB) else named or WANDB


def described(block: TrackBlock) -> str:
    """In a line: which tracker in which version, and where it goes."""
    found = {"trackio": "a folder of trackio's on this machine", "mlflow": "a folder in the run"}
    version = _version(block.type)
    place = address(block) or found.get(block.type, "a folder in the run, for there is no key")
    return f"{block.type} {version}, project {block.project}: {place}"


def address(block: TrackBlock) -> str:
    """The tracker's server as it may be shown and kept; empty where it has none."""
    return _without_user(server_of(block) or "")


def _without_user(place: str) -> str:
    """The user's own variable may hold a password."""
    try:
        where = urlsplit(place)
    except ValueError:
        return "an address that cannot be read"
    host = where.netloc.rpartition("@")[2]
    return f"{where.scheme}://{host}" if where.hostname else place.rpartition("@")[2]


def _installed(name: str) -> bool:
    """A folder `wandb` or `mlruns` in the working directory is no package."""
    try:
        found = util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None


def _version(name: str) -> str:
    for package in dict.fromkeys((name, PACKAGES[name])):
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return "(unknown version)"


def _offline(url: str) -> bool:
    """Whether wandb has no key for a server, or the user wants nothing to be sent."""
    if os.environ.get("WANDB_MODE", "").strip().lower() in ("offline", "dryrun", "disabled"):
        return True
    if os.environ.get("WANDB_API_KEY", "").strip():
        return False
    try:
        kept = netrc.netrc(os.environ.get("NETRC") or Path.home() / ".netrc")
        return kept.authenticators(urlsplit(url).hostname or "") is None
    except (OSError, RuntimeError, netrc.NetrcParseError, ValueError):
        return True
