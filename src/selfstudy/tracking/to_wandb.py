"""To wandb: its service or a server of the user's; without a key, into files that `wandb sync` sends later.

What wandb gathers by itself is switched off: host, arguments, code, git, packages, console, measurements of
the machine, reports of its own errors.  What is left beside our numbers: the versions of Python and wandb,
the platform, the time of each row.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfstudy.tracking.order import TrackedRow, TrackOrder

INIT_SECONDS = 20
"""Longest wait until its server answers."""


def send(order: TrackOrder) -> str:
    """Sends the rows that the server does not have, or writes a file of all of them.

    Without a server each order makes a folder that is called by its steps; one that is there is whole.
    """
    if not order.offline:
        return _logged(order, order.rows)[1]
    folder = order.folder / "wandb"
    done = max((int(one.name.rpartition("-")[2]) for one in folder.glob("steps-*[0-9]")), default=0)
    missing = [row for row in order.rows if row.step > done]
    if missing:
        record, _ = _logged(order, missing)
        place = folder / f"steps-{missing[0].step}-{missing[-1].step}"
        half = place.with_suffix(".tmp")
        if half.is_symlink():  # nobody of ours made it, and what it leads to is not ours
            half.unlink()
        shutil.rmtree(half, ignore_errors=True)
        # the rest is logs, with links that lead out of the run
        inside = half / record.parent.name
        inside.mkdir(parents=True)
        shutil.copyfile(record, inside / record.name)
        half.rename(place)
    return f"wandb sync {folder}/*/*"


def _logged(order: TrackOrder, rows: Sequence[TrackedRow]) -> tuple[Path, str]:
    """The file that wandb wrote here, and the run's page."""
    # its caches and logs go when this process does, and settings that it keeps elsewhere do not count
    os.environ.update(
        dict.fromkeys(("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"), str(Path.cwd()))
    )
    import wandb

    run: Any = wandb.init(
        project=order.project,
        id=order.run_id,
        name=order.name,
        config=order.config,
        resume="allow",
        dir=Path.cwd(),
        settings=wandb.Settings(
            mode="offline" if order.offline else "online",
            **({} if order.url is None else {"base_url": order.url}),
            init_timeout=INIT_SECONDS,
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            save_code=False,
            host="",
            program="",
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_disable_stats=True,
            x_save_requirements=False,
        ),
    )
    there = 0 if order.offline else run.step  # the next step of a run that it knows
    for row in rows:
        if row.step >= there:
            run.log(row.numbers, step=row.step)
    page = run.url or ""
    run.finish()
    wandb.teardown()  # only the end of its service writes the last of a file
    (record,) = Path.cwd().glob(f"wandb/*-{order.run_id}/run-{order.run_id}.wandb")
    _require_taken(record.parent)
    return record, page


def _require_taken(folder: Path) -> None:
    """Whether the server took the rows: `finish` ends well without, and only the log of a run says it."""
    log = (folder / "logs" / "debug-internal.log").read_text("utf-8", "replace")
    for line in log.splitlines():
        if _REFUSED in line:
            raise RuntimeError(line[line.index(_REFUSED) :].rstrip('"}'))


_REFUSED = "filestream: fatal error"
