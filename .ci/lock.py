"""Renews constraints.txt and constraints-dev.txt: all that CI installs, with the SHA-256 of every file.

    python .ci/lock.py                    # keep the versions: after pyproject.toml changed
    python .ci/lock.py --upgrade          # the newest versions of everything but torch
    python .ci/lock.py --upgrade NAME     # ... of these only

Needs a package index and `uv` (pip install uv), which resolves for all platforms and Python versions at once.
Wheels only: an sdist runs code of its own while it is installed.  Why: docs/decisions/0008-dependencies.md.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PLATFORM = re.compile(r"-(any|\S*(?:manylinux|musllinux|macosx)\S*(?:x86_64|aarch64|arm64|universal2))\.whl$")
PYTHON = re.compile(r"-(?:\S*py3\S*|cp3\d+-abi3|cp311-cp311|cp312-cp312|cp313-cp313|cp314-cp314)-[^-]+\.whl$")
MARKED = re.compile(r"python_full_version >= '[\d.]+'( and python_full_version < '[\d.]+')?")
CUDA = re.compile(r"nvidia-|cuda-|triton$")
"""What torch needs on Linux with CUDA, and not elsewhere: torch itself names the version of each."""
BUILDS = {"torch==2.13.0": ("6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",)}
"""Not on the package index: torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, which CI installs."""
PYTHONS = "python_full_version < '3.15'"
"""Of later ones torch has no wheels yet."""
_SYSTEMS = [f"sys_platform == '{one}' and {PYTHONS}" for one in ("linux", "darwin")]
SYSTEMS = f"environments = {_SYSTEMS}"
HEADER = "# What CI ran (.ci/lock.py). Install with: pip install --require-hashes --no-deps -r {}\n"

Package = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description="Renews constraints.txt and constraints-dev.txt.")
    parser.add_argument("--upgrade", nargs="*", metavar="NAME", help="take the newest version (of NAME only)")
    renewed = parser.parse_args().upgrade
    kept = {name: line for name, line in pins().items() if not _is_renewed(name, renewed)}
    packages = locked(sorted(kept.values()))
    markers = markers_of(packages)
    used = needed(packages, extra=None)
    everything = needed(packages, extra="dev")
    write("constraints.txt", [packages[name] for name in sorted(used)], markers)
    rest = [packages[name] for name in sorted(everything - used)]
    write("constraints-dev.txt", rest, markers, "-r constraints.txt\n")


def _is_renewed(name: str, renewed: list[str] | None) -> bool:
    return renewed is not None and (name in renewed if renewed else name != "torch")


def pins() -> dict[str, str]:
    """The present pins, by name."""
    files = [ROOT / "constraints.txt", ROOT / "constraints-dev.txt"]
    text = "".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
    return {m[1]: m[0] for m in re.finditer(r"^([a-z0-9-]+)==[^\s;]+", text, re.M)}


def locked(kept: list[str]) -> dict[str, Package]:
    """What uv finds for pyproject.toml and what builds the package, with `kept` pinned, by name."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    build = tomllib.loads(project)["build-system"]["requires"]
    project = project.replace("dependencies = [", f"dependencies = {build} + [", 1).replace("] + [", ", ")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pyproject.toml")
        file.write_text(
            f"{project}\n[tool.uv]\nconstraint-dependencies = {kept}\n{SYSTEMS}\n", encoding="utf-8"
        )
        try:
            subprocess.run(["uv", "lock", "--project", folder], check=True)
        except FileNotFoundError:
            sys.exit("error: uv is not installed; run: pip install uv")
        except subprocess.CalledProcessError:
            sys.exit("error: uv found no set of versions, or no package index (see above)")
        found = tomllib.loads(Path(folder, "uv.lock").read_text(encoding="utf-8"))["package"]
    names = [package["name"] for package in found]
    if twice := {name for name in names if names.count(name) > 1}:
        sys.exit(f"error: different versions for different platforms, pin one: {', '.join(sorted(twice))}")
    return {package["name"]: package for package in found}


def needed(packages: dict[str, Package], extra: str | None) -> set[str]:
    """Names of all that selfstudy needs on any platform, with `extra`; without it and without CUDA."""
    seen: set[tuple[str, str | None]] = set()
    open_ = [("selfstudy", extra), ("selfstudy", None)]
    while open_:
        name, part = open_.pop()
        if (name, part) in seen or CUDA.match(name):
            continue
        seen.add((name, part))
        package = packages[name]
        extras, own = package.get("optional-dependencies", {}), package.get("dependencies", [])
        wanted = extras.get(part, []) if part else own
        for one in wanted:
            open_ += [(one["name"], None), *((one["name"], more) for more in one.get("extra", []))]
    return {name for name, _ in seen} - {"selfstudy"}


def markers_of(packages: dict[str, Package]) -> dict[str, str]:
    """The Python versions that some packages alone are for, where all that need one say the same."""
    said: dict[str, set[str]] = {}
    for package in packages.values():
        parts = [package.get("dependencies", []), *package.get("optional-dependencies", {}).values()]
        for one in (one for part in parts for one in part):
            said.setdefault(one["name"], set()).add(one.get("marker", ""))
    only = {name: min(found) for name, found in said.items() if len(found) == 1}
    return {name: marker for name, marker in only.items() if MARKED.fullmatch(marker)}


def write(name: str, packages: list[Package], markers: dict[str, str], first: str = "") -> None:
    lines = [HEADER.format(name), first]
    for package in packages:
        pin = f"{package['name']}=={package['version']}"
        only = f" ; {markers[package['name']]}" if package["name"] in markers else ""
        files = [(one.get("url") or one["path"], one["hash"]) for one in package.get("wheels", [])]
        hashes = {h for file, h in files if PLATFORM.search(file) and PYTHON.search(file)}
        if not hashes:
            sys.exit(f"error: {pin} has no wheel for Linux or macOS")
        hashes |= {f"sha256:{h}" for h in BUILDS.get(pin, ())}
        lines.append(" \\\n".join([f"{pin}{only}", *(f"    --hash={h}" for h in sorted(hashes))]) + "\n")
    (ROOT / name).write_text("".join(lines), encoding="utf-8")
    print(f"{name}: {len(packages)} packages")


if __name__ == "__main__":
    main()
