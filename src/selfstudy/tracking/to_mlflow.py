"""To mlflow: the server that the user named, or a folder.

By its client and not by `mlflow.start_run`, which tags a run with the user, the program and the git commit.
"""

from __future__ import annotations

import time
from typing import Any

from selfstudy.tracking.order import TrackedRow, TrackOrder

TAG = "selfstudy.run"
"""By which a run is found again."""
STEP = "step"
"""The metric that is written last of each row, and says up to which step all is there."""
MOST_METRICS, MOST_PARAMS = 1000, 100
"""That mlflow takes at once."""


def send(order: TrackOrder) -> str:
    """Sends the rows that are not there yet."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    place = order.url or (order.folder / "mlflow").as_uri()
    client = MlflowClient(place)
    run = _run(client, order)
    key = run.info.run_id
    done = int(run.data.metrics.get(STEP, 0))
    missing = [row for row in order.rows if row.step > done]
    torn = _torn(client, key, missing[0]) if missing and done and order.url is None else set[str]()
    now = int(time.time() * 1000)
    metrics = [
        Metric(name, value, now, row.step)
        for row in missing
        for name, value in (*row.numbers.items(), (STEP, float(row.step)))
        if not (row is missing[0] and name in torn)
    ]
    for at in range(0, len(metrics), MOST_METRICS):
        client.log_batch(key, metrics=metrics[at : at + MOST_METRICS])
    client.set_terminated(key)
    shown = "MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri"
    return f"{order.url}" if order.url else f"{shown} {order.folder / 'mlflow'}"


def _run(client: Any, order: TrackOrder) -> Any:
    """The run, found by its tag or begun."""
    from mlflow.entities import Param

    known = client.get_experiment_by_name(order.project)
    experiment = known.experiment_id if known is not None else client.create_experiment(order.project)
    found = client.search_runs([experiment], f"tags.`{TAG}` = '{order.run_id}'", max_results=1)
    if found:
        return found[0]
    run = client.create_run(experiment, run_name=order.name, tags={TAG: order.run_id})
    params = [Param(name, str(value)) for name, value in order.config.items()]
    for at in range(0, len(params), MOST_PARAMS):
        client.log_batch(run.info.run_id, params=params[at : at + MOST_PARAMS])
    return run


def _torn(client: Any, key: str, row: TrackedRow) -> set[str]:
    """Of a row of which a kill left a part in a folder: what is there. A server takes all or nothing."""
    return {
        name
        for name in row.numbers
        if any(old.step == row.step for old in client.get_metric_history(key, name))
    }
