from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

import pytest

from selfstudy import learn

from .small import recipe


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file that needs the shared run comes first, others of that kind last: they would wait for it."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if item.path.parent == Path(__file__).parent:
            files.setdefault(item.path, []).append(item)
    needing = [path for path, found in files.items() if any("finished" in fixtures(one) for one in found)]
    order = [*needing[:1], *(path for path in files if path not in needing), *needing[1:]]
    places = [number for number, item in enumerate(items) if item.path in files]
    for place, item in zip(places, (item for path in order for item in files[path]), strict=True):
        items[place] = item


def fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A small demo, run to its end once: each worker of pytest-xdist has a copy, which nobody changes."""
    own = tmp_path_factory.mktemp("stories")
    shared = own if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    made = shared / "made-once"
    with (shared / "made-once.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "report.html").exists():
            learn(recipe(), made)
    shutil.copytree(made, own / "finished")
    return own / "finished"
