"""Figures for Prometheus."""

from __future__ import annotations

from selfstudy.serve.metrics import Metrics


def test_two_servers_in_one_process_do_not_add_up() -> None:
    one, two = (Metrics(lambda: 3, lambda: 5) for _ in range(2))
    one.request(200)
    one.batch(8, 0.2)
    one.reload("loaded")
    one.unlogged()
    text = one.text().decode()
    for line in (
        'selfstudy_requests_total{status="200"} 1.0',
        "selfstudy_queue_requests 3.0",
        "selfstudy_busy_requests 5.0",
        'selfstudy_batch_answers_bucket{le="8.0"} 1.0',
        'selfstudy_reloads_total{result="loaded"} 1.0',
        "selfstudy_unlogged_total 1.0",
    ):
        assert f"\n{line}\n" in text
    assert 'status="200"' not in two.text().decode()
