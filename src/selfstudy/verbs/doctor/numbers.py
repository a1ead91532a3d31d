"""What a machine has, in numbers: for the doctor's sentences, and for recipes that fit the machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GB = 2**30


@dataclass(frozen=True, slots=True)
class MachineNumbers:
    """What models can use here.

    Attributes:
        memory: bytes that are free.
        threads: of the CPU, that torch computes with.
        kind: what torch sees beside the CPU; "" for nothing. Of these only cuda is used unless it is named.
        accelerator: its name.
        accelerator_memory: its bytes, all of them; 0 where there is none, or it shares the CPU's.
    """

    memory: int
    threads: int
    kind: Literal["", "cuda", "mps"] = ""
    accelerator: str = ""
    accelerator_memory: int = 0

    @property
    def words(self) -> str:
        """In a few words."""
        beside = "no GPU"
        if self.kind:
            beside = self.accelerator
        if self.accelerator_memory:
            beside += f" with {self.accelerator_memory / GB:.0f} GB"
        return f"{self.cpu_words}, {beside}"

    @property
    def cpu_words(self) -> str:
        """What the CPU has."""
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        return f"{threads}, {self.memory / GB:.1f} GB of memory free"


def free_memory() -> int:
    """Bytes."""
    import psutil

    return int(psutil.virtual_memory().available)


def free_disk(folder: Path) -> int:
    """Bytes on the disk of a folder that is there."""
    return shutil.disk_usage(folder).free


def machine_numbers() -> MachineNumbers:
    """Of this machine.

    Raises:
        ImportError, OSError: torch cannot be loaded; OSError: a library of its build is missing.
    """
    import torch

    memory, threads = free_memory(), torch.get_num_threads()
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        return MachineNumbers(memory, threads, "cuda", name, torch.cuda.get_device_properties(0).total_memory)
    if torch.backends.mps.is_available():
        return MachineNumbers(memory, threads, "mps", "Apple GPU (mps)")
    return MachineNumbers(memory, threads)
