"""Asks for known advisories: of every version that CI installs, and of the oldest that pyproject.toml allows.

    make audit

Needs a network: pip-audit, and the advisories that the package index publishes.  No part of `make test`.
"""

from __future__ import annotations

import json
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
        now = audit("what CI installs", ROOT / "constraints.txt", ROOT / "constraints-dev.txt")
        return now if now == 2 else max(now, audit("the oldest that pyproject.toml allows", oldest))


def audit(what: str, *files: Path) -> int:
    """0: no advisory; 1: some, which are printed; 2: not all were asked for."""
    options = ["--format", "json", "--progress-spinner", "off", "--disable-pip", "--no-deps"]
    options += [part for file in files for part in ("-r", str(file))]
    got = subprocess.run([sys.executable, "-m", "pip_audit", *options], capture_output=True, text=True)
    try:
        packages = json.loads(got.stdout)["dependencies"]
    except ValueError:
        print(got.stderr[-2000:], file=sys.stderr)
        return _not_asked("pip-audit got no answer")
    count = 0
    for package in packages:
        for found in package.get("vulns", ()):
            count += 1
            names, fixed = ", ".join([found["id"], *found["aliases"]]), ", ".join(found["fix_versions"])
            print(f"{package['name']} {package['version']}: {names}; fixed in {fixed or 'nothing yet'}")
    skipped = [package["skip_reason"] for package in packages if "skip_reason" in package]
    print(f"{what}: {count} advisories for {len(packages) - len(skipped)} packages", flush=True)
    if skipped:
        return _not_asked(f"{len(skipped)} packages could not be asked about ({skipped[0]}, ...)")
    return int(count > 0)


def _not_asked(why: str) -> int:
    print(f"error: {why}; where the index and its advisories can be reached: make audit", file=sys.stderr)
    return 2


def lower_bounds() -> list[str]:
    """name==version, the oldest that pyproject.toml allows, of all that it names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = sum(project["optional-dependencies"].values(), project["dependencies"])
    needs = [need for need in map(Requirement, lines) if need.name != project["name"]]
    bounds = {
        need.name: max(Version(one.version) for one in need.specifier if one.operator in (">=", "=="))
        for need in needs
    }
    return sorted(f"{name}=={version}" for name, version in bounds.items())


if __name__ == "__main__":
    sys.exit(main())
