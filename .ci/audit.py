"""Asks for known advisories: of every version that CI installs, and of the oldest that pyproject.toml allows.

    make audit

Needs a network: pip-audit, and the advisories that the package index publishes.  So it is not part of `make test`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        oldest = Path(folder, "oldest.txt")
        oldest.write_text("\n".join(lower_bounds()) + "\n", encoding="utf-8")
        now = audit(ROOT / "constraints-dev.txt", "the versions that CI installs")
        return now if now == 2 else max(now, audit(oldest, "the oldest versions that pyproject.toml allows"))


def audit(file: Path, what: str) -> int:
    """0: no advisory; 1: some, which were printed; 2: nobody could be asked."""
    print(f"{what}:", flush=True)
    options = ["--progress-spinner", "off", "--disable-pip", "--no-deps", "-r", file]
    got = subprocess.run([sys.executable, "-m", "pip_audit", *options], capture_output=True, text=True)
    print(got.stdout + got.stderr[-2000:], flush=True)
    if got.returncode and not got.stdout.strip():
        print("error: nobody could be asked (see above); where there is a network, run: make audit", file=sys.stderr)
        return 2
    return got.returncode


def lower_bounds() -> list[str]:
    """name==version, the oldest that pyproject.toml allows, of all that it names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    needs = [need for need in map(Requirement, lines) if need.name != project["name"]]
    bounds = {n.name: max(Version(s.version) for s in n.specifier if s.operator in (">=", "==")) for n in needs}
    return sorted(f"{name}=={version}" for name, version in bounds.items())


if __name__ == "__main__":
    sys.exit(main())
