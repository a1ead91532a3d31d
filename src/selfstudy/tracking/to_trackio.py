"""To trackio: its database on this machine (TRACKIO_DIR, else the cache of Hugging Face's libraries).

By the door of its database: `trackio.init` asks Hugging Face who the user is, measures the machine, and
drops what it cannot write without a word.
"""

from __future__ import annotations

from datetime import UTC, datetime

from selfstudy.tracking.order import TrackOrder


def send(order: TrackOrder) -> str:
    """Writes the rows; one with an id that is there already is left out by the database."""
    from trackio.sqlite_storage import SQLiteStorage

    SQLiteStorage.validate_project_name(order.project)
    SQLiteStorage.bulk_log(
        project=order.project,
        run=order.name,
        run_id=order.run_id,
        metrics_list=[row.numbers for row in order.rows],
        steps=[row.step for row in order.rows],
        config={**order.config, "_Username": None, "_Created": datetime.now(UTC).isoformat(), "_Group": None},
        log_ids=[f"{order.run_id}-{row.step}" for row in order.rows],
    )
    return f"trackio show --project {order.project}"
