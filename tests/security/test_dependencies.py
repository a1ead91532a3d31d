"""What is installed: lower bounds that hold the fixes, and every file of what CI runs known by its hash."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]

FIXED = {
    "h11": ("0.16", "CVE-2025-43859: lenient line ends in chunked replies"),
    "idna": ("3.15", "quadratic time on long names (CVE-2024-3651 and its successor)"),
    "jinja2": ("3.1.6", "CVE-2025-27516: a way out of the sandbox; chat templates are foreign code"),
    "lxml": (
        "6.1.1",
        "CVE-2026-41066: local files through entities; what lxml-html-clean 0.4.5 needs",
    ),
    "lxml-html-clean": ("0.4.5", "CVE-2024-52595, CVE-2026-28348, CVE-2026-28350, xlink:href"),
    "pyarrow": ("23.0.1", "CVE-2023-47248, CVE-2026-25087: foreign Arrow and Parquet files"),
    "pytest": ("9.0.3", "CVE-2025-71176: a folder in /tmp that can be guessed"),
    "scikit-learn": ("1.5", "CVE-2024-5206"),
    "starlette": ("1.3.1", "CVE-2025-62727, CVE-2026-48710 and CVE-2026-54283"),
    "torch": ("2.10", "CVE-2025-32434, CVE-2026-24747: code or memory errors with weights_only"),
    "transformers": (
        "5.10.4",
        "CVE-2026-4372, -5241, -80047, -9856: model files ran code, wrote elsewhere",
    ),
    "urllib3": ("2.7", "CVE-2025-66471, CVE-2026-21441, CVE-2026-44431, CVE-2026-44432"),
}
"""The first version without the advisory, of what has had one that matters here."""


def project() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return found


def needs() -> list[Requirement]:
    """Everything that pyproject.toml names, extras and the build's too."""
    table = project()
    lines = [
        *table["project"]["dependencies"],  # type: ignore[index]
        *(one for extra in table["project"]["optional-dependencies"].values() for one in extra),  # type: ignore[index]
        *table["build-system"]["requires"],  # type: ignore[index]
    ]
    return [need for need in map(Requirement, lines) if need.name != "selfstudy"]


def lowest(need: Requirement) -> Version | None:
    return max((Version(s.version) for s in need.specifier if s.operator in (">=", "==", "~=")), default=None)


def pins(*names: str) -> dict[str, tuple[Version, list[str]]]:
    """(version, hashes) of every package of these files."""
    found = {}
    for name in names:
        text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            if line and not line.startswith(("#", "-r ")):
                pin, *options = line.split()
                if options[:1] == [";"]:  # only for some versions of Python: a marker
                    options = [one for one in options if one.startswith("--hash")]
                package, _, version = pin.partition("==")
                found[package] = (Version(version), options)
    return found


ALL = ("constraints.txt", "constraints-dev.txt")
UNLOCKED = "lm-eval"
"""Needs packages of which there are no wheels; benchmarks/on_suites/requirements.txt has its hashes."""


def test_every_dependency_has_a_lower_bound() -> None:
    assert [str(need) for need in needs() if lowest(need) is None] == []


@pytest.mark.parametrize("name", FIXED)
def test_the_lower_bounds_hold_the_fixes(name: str) -> None:
    bounds = {canonicalize_name(need.name): lowest(need) for need in needs()}
    bound = bounds[canonicalize_name(name)]
    assert bound is not None
    assert bound >= Version(FIXED[name][0]), FIXED[name][1]


def test_what_ci_installs_satisfies_the_bounds() -> None:
    pinned = pins(*ALL)
    for need in needs():
        if need.name == UNLOCKED:
            continue
        assert need.specifier.contains(pinned[canonicalize_name(need.name)][0]), need
    for name, (version, why) in FIXED.items():
        assert pinned[name][0] >= Version(version), why


def test_every_pin_is_exact_and_has_the_hashes_of_its_files() -> None:
    pinned = pins(*ALL)
    assert len(pinned) > 90
    for name, (_, options) in pinned.items():
        assert options, name
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option) for option in options), name


def test_nothing_that_is_needed_is_left_unlocked() -> None:
    """What is installed here and needed, directly or not, is pinned: in constraints.txt what a user needs."""
    for file, extras in ((ALL[:1], {""}), (ALL, {"", "dev", "offline", "build", "serve"})):
        assert closure("selfstudy", extras) - set(pins(*file)) == set(), file


def closure(name: str, extras: set[str]) -> set[str]:
    seen: set[str] = set()
    open_ = [(name, extras)]
    while open_:
        here, wanted = open_.pop()
        for line in metadata.requires(here) or []:
            need = Requirement(line)
            if need.marker and not any(need.marker.evaluate({"extra": extra}) for extra in wanted or {""}):
                continue
            child = canonicalize_name(need.name)
            if child not in seen and child != "selfstudy":
                seen.add(child)
                open_.append((child, {"", *need.extras}))
    return seen


def test_the_set_up_goes_by_the_hashes() -> None:
    """The README and the Makefile take the same two steps; nothing is built with unlocked code."""
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "--require-hashes --no-deps" in made
    assert "pip install --require-hashes --no-deps -r constraints.txt" in told
    assert made.count("--no-build-isolation") == told.count("--no-build-isolation") + 1
    assert "hatchling" in pins("constraints.txt")
