"""What is looked at on any machine: Python, packages, memory, disk, the accelerator, the embedded models."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path

from selfstudy.verbs.doctor.finding import Finding
from selfstudy.verbs.doctor.numbers import GB, free_disk, free_memory, machine_numbers

MEMORY_GB = 3.0
"""What `selfstudy demo` needs at its peak."""
DISK_GB = 1.0
"""What a run of the demo's size writes, with room to spare."""


def of_machine(folder: Path) -> Iterator[Finding]:
    """Whether this machine can work, and `folder` take what runs write."""
    yield _python()
    yield from _packages()
    yield _memory()
    yield _disk(folder)
    yield from _accelerator()
    yield from _atlas()


def _python() -> Finding:
    version = platform.python_version()
    if sys.platform == "win32":
        return Finding(
            "fail", "python", f"{version} on Windows", "use WSL: run directories need POSIX file locks"
        )
    return Finding("ok", "python", f"{version} ({sys.executable})")


def _packages() -> Iterator[Finding]:
    """What selfstudy's own metadata requires, then how far the versions are from the tested ones."""
    from packaging.requirements import Requirement

    problems = []
    count = 0
    for text in metadata.requires("selfstudy") or []:
        need = Requirement(text)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            problems.append(Finding("fail", need.name, "not installed", f"pip install '{need}'"))
            continue
        if not need.specifier.contains(version, prereleases=True):
            problems.append(
                Finding("fail", need.name, f"{version}, needed: {need.specifier}", f"pip install '{need}'")
            )
    yield from problems
    if not problems:
        yield Finding("ok", "packages", f"all {count} required packages are there, in a fitting version")
    yield from _constraints()


def _constraints() -> Iterator[Finding]:
    """Compares with the versions that CI ran: another one may work but was never tested."""
    file = _constraints_file()
    if file is None:
        return
    different = []
    for line in file.read_text(encoding="utf-8").splitlines():
        name, pinned, version = line.removesuffix(" \\").partition("==")
        if pinned and not line.startswith("#"):
            try:
                found = metadata.version(name).partition("+")[0]  # torch's build is named after the plus
            except metadata.PackageNotFoundError:
                continue  # of an extra, or of another platform
            if found != version:
                different.append(f"{name} {found} (tested: {version})")
    if different:
        fix = f"pip install --require-hashes --no-deps -r {file}"
        yield Finding("warn", "versions", "other than tested: " + ", ".join(different), fix)
    else:
        yield Finding("ok", "versions", "as pinned in constraints.txt")


def _constraints_file() -> Path | None:
    """In the installed package, or at the root of a checkout."""
    here = Path(__file__).resolve()
    for file in (here.parents[2] / "constraints.txt", here.parents[4] / "constraints.txt"):
        if file.is_file():
            return file
    return None


def _memory() -> Finding:
    free = free_memory() / GB
    if free < MEMORY_GB:
        return Finding(
            "fail", "memory", f"{free:.1f} GB free, the demo needs {MEMORY_GB:.0f}", "close other programs"
        )
    return Finding("ok", "memory", f"{free:.1f} GB free")


def _disk(folder: Path) -> Finding:
    if not os.access(folder, os.W_OK):
        return Finding(
            "fail", "disk", f"{folder} is not writable", "cd to a folder of yours, or give --run DIR"
        )
    free = free_disk(folder) / GB
    if free < DISK_GB:
        return Finding(
            "fail", "disk", f"{free:.1f} GB free at {folder}", "make room, or give --run DIR elsewhere"
        )
    return Finding("ok", "disk", f"{free:.0f} GB free at {folder}")


def _accelerator() -> Iterator[Finding]:
    try:
        import torch

        found = machine_numbers()
    except (ImportError, OSError) as error:  # OSError: a library of the build is missing
        yield Finding("fail", "torch", f"cannot be imported: {error}", "pip install --force-reinstall torch")
        return
    yield Finding("ok", "torch", f"{torch.__version__}, {found.threads} threads")
    if found.kind:
        size = f", {found.accelerator_memory / GB:.0f} GB" if found.accelerator_memory else ""
        yield Finding("ok", "accelerator", f"{found.accelerator}{size}")
    elif shutil.which("nvidia-smi"):
        fix = "pip install --force-reinstall torch, in the build for your driver: https://pytorch.org"
        yield Finding("warn", "accelerator", "there is an NVIDIA driver, but torch sees no GPU", fix)
    else:
        yield Finding("ok", "accelerator", "none: the CPU is used, which is enough for the embedded models")


def _atlas() -> Iterator[Finding]:
    folder = Path(str(resources.files("selfstudy.atlas")))
    weights = sorted(folder.rglob("*.safetensors"))
    fix = "pip install --force-reinstall --no-deps selfstudy"
    if not (folder / "demo.yaml").is_file():
        yield Finding("fail", "atlas", f"the demo's recipe is missing from {folder}", fix)
    if len(weights) < 2:
        yield Finding("fail", "atlas", f"{len(weights)} of 2 embedded models found in {folder}", fix)
        return
    from safetensors import SafetensorError, safe_open

    for path in weights:
        try:
            with safe_open(path, framework="numpy") as tensors:
                count = len(list(tensors.keys()))
        except (OSError, SafetensorError) as error:
            yield Finding("fail", "atlas", f"{path} is damaged: {error}", fix)
        else:
            size = path.stat().st_size / 2**20
            yield Finding("ok", "atlas", f"{path.relative_to(folder)}: {count} tensors, {size:.1f} MB")
