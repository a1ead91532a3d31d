"""What `selfstudy status` prints."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from selfstudy.screen import say

if TYPE_CHECKING:
    from selfstudy.verbs.status.counting import StepCount
    from selfstudy.verbs.status.jobs import JobStatus
    from selfstudy.verbs.status.status import RoundStatus, RunStatus, ShardStatus

NAMED = 20
"""Shards, and jobs, that are told one by one."""


def print_status(found: RunStatus) -> None:
    """The whole of it, what needs a person last."""
    say(f"{found.run}: {'finished' if found.finished else _at(found)}")
    for one in found.rounds:
        _print_round(one, found.rounds_wanted)
    if found.shards:
        _print_shards(found.shards)
    money = f", {found.cost:,.2f} {found.currency}".rstrip() if found.cost else ""
    say(f"so far: {found.calls:,} calls, {found.tokens:,} tokens{money}, {_time(found.seconds)} of work")
    if found.eta is not None:
        say(f"this step needs about {_time(found.eta)} more, at the pace so far")
    _print_jobs(found.jobs, found.queue)
    for problem in found.problems:
        say(f"cannot be read: {problem}")


def _at(found: RunStatus) -> str:
    if not found.rounds:
        return "nothing was asked yet"
    last = found.rounds[-1]
    return f"round {last.number}, {last.stage or 'done'}"


def _print_round(one: RoundStatus, wanted: int | None) -> None:
    of = f" of {wanted}" if wanted and wanted > 1 else ""
    done = f" {', '.join(one.finished)} done" if one.finished else ""
    say(f"round {one.number}{of}:{done}{f' ({one.outcome})' if one.outcome else ''}")
    if one.stage:
        for step in one.steps:
            say(f"  {_step(step)}")


def _step(step: StepCount) -> str:
    of = "" if step.of is None else f" of {step.of:,}"
    return f"{step.step:<10} {'about ' if step.about else ''}{step.done:,}{of}"


def _print_shards(shards: tuple[ShardStatus, ...]) -> None:
    states = Counter(one.state for one in shards)
    say(f"shards: {', '.join(f'{count:,} {state}' for state, count in states.most_common())}")
    left = [one for one in shards if one.state != "done"]
    for one in left[:NAMED]:
        steps = "; ".join(" ".join(_step(step).split()) for step in one.steps)
        say(f"  {one.shard:<9} {one.state:<9} {steps}".rstrip())
    if len(left) > NAMED:
        say(f"  and {len(left) - NAMED:,} more")


def _print_jobs(jobs: tuple[JobStatus, ...], why: str) -> None:
    if why:
        say(f"jobs: unknown ({why})")
    if not jobs:
        return
    states = Counter(one.state for one in jobs)
    say(f"jobs: {', '.join(f'{count:,} {state}' for state, count in states.most_common())}")
    for one in [one for one in jobs if one.state in ("waiting", "running")][:NAMED]:
        say(f"  {_name(one):<12} {one.state}{f' ({one.reason})' if one.reason not in ('', 'None') else ''}")
    for one in [one for one in jobs if one.state == "failed"][:NAMED]:
        _print_failed(one)


def _print_failed(one: JobStatus) -> None:
    say(f"  {_name(one):<12} FAILED{f' ({one.reason})' if one.reason else ''}")
    for line in one.said.splitlines():
        say(f"    {line}")
    if one.log:
        say(f"    log: {one.log}")
    for line in one.lines:
        say(f"      | {line}")
    say(f"    -> {one.advice}")


def _name(one: JobStatus) -> str:
    number = "" if one.id is None else f" [{one.id}]"
    return f"{one.name}{'' if one.task is None else f'.{one.task}'}{number}"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
