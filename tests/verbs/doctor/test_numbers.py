"""Numbers of this machine, which the doctor's sentences and new recipes are made of."""

from __future__ import annotations

from pathlib import Path

import psutil

from selfstudy.verbs.doctor import examine
from selfstudy.verbs.doctor.numbers import GB, MachineNumbers, free_disk, machine_numbers


def test_numbers_of_this_machine_are_those_of_the_doctor(tmp_path: Path) -> None:
    found = machine_numbers()
    assert 0 < found.memory < psutil.virtual_memory().total
    said = {one.name: one.found for one in examine(tmp_path)}
    assert said["torch"].endswith(f", {found.threads} threads")
    assert abs(float(said["disk"].partition(" ")[0]) - free_disk(tmp_path) / GB) < 5
    assert (found.accelerator in said["accelerator"]) is bool(found.kind or not found.accelerator)


def test_numbers_in_words() -> None:
    assert MachineNumbers(3 * GB, 1).words == "1 thread, 3.0 GB of memory free, no GPU"
    assert MachineNumbers(GB, 2, "cuda", "H200", 140 * GB).words.endswith("2 threads, 1.0 GB"[:9]) is False
    assert MachineNumbers(GB, 2, "cuda", "H200", 140 * GB).words.endswith("H200 with 140 GB")
