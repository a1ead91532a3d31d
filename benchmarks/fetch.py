"""What comes of 1,000 pages, half of them traps: how many are fetched, why others are not, and what it costs.

The pages are those of tests/library/site.py: hosts at public addresses that are all served from loopback,
where a canary listens.  The process of the fetcher is the one whose time and memory are measured; the
servers run in it too, so both are upper bounds.  Ends with 1 if a page came to another end than it should,
the canary saw something, or memory was a gigabyte.

    PYTHONPATH=. python benchmarks/fetch.py
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.library.site import OK, Internet, Page

from selfstudy.library.web.addresses import why_closed
from selfstudy.library.web.fetch import open_fetcher
from selfstudy.library.web.fetched import Fetched
from selfstudy.recipe.library import FetchBlock

EACH = 8
"""Pages of each kind of trap."""
MOST_MEMORY = 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for one page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SELFSTUDY_HOME"] = folder
        net = Internet(Path(folder))
        traps = net.pages(EACH, 0)
        pages = net.pages(EACH, max(0, options.pages - len(traps)))
        block = FetchBlock(delay=0.0, timeout=options.timeout, patience=5.0)
        before = memory()
        start = time.perf_counter()
        with open_fetcher(
            block, Path(folder) / "kept", resolve=net.resolve, trust=net.trust, network=net
        ) as fetcher:
            found = fetcher.pages([page.url for page in pages])
        seconds = time.perf_counter() - start
        net.close()
    ends = [OK if isinstance(one, Fetched) else one.why for one in found]
    show(pages, ends)
    closed = sorted({address for address, _ in net.connected if why_closed(address)})
    print(
        f"\n{len(found)} of {len(pages)} pages accounted for in {seconds:.1f} s ({os.cpu_count()} processors)"
    )
    print(f"memory: {memory()} MB at most, {before} MB before the first page (servers included)")
    print(f"requests: {len(net.seen)}; connections to addresses that are not public: {closed or 'none'}")
    print(f"requests that the canary on loopback saw: {net.canary_saw}")
    wrong = [(page, end) for page, end in zip(pages, ends, strict=True) if page.expected != end]
    for page, end in wrong:
        print(f"WRONG: {page.kind} {page.url[:80]}: {end}, not {page.expected}")
    return 1 if wrong or closed or net.canary_saw or memory() > MOST_MEMORY else 0


def show(pages: list[Page], ends: list[str]) -> None:
    """Two tables: by kind of page, and by how they ended."""
    kinds: dict[str, Counter[str]] = {}
    for page, end in zip(pages, ends, strict=True):
        kinds.setdefault(page.kind, Counter())[end] += 1
    print("| pages | how many | what came of them |\n|---|---|---|")
    for kind, counts in kinds.items():
        said = ", ".join(f"{end}" if len(counts) == 1 else f"{end} {n}" for end, n in counts.most_common())
        print(f"| {kind} | {sum(counts.values())} | {said} |")
    print("\n| end | pages |\n|---|---|")
    for end, number in Counter(ends).most_common():
        print(f"| {end} | {number} |")


def memory() -> int:
    """Most megabytes that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 2**20)


if __name__ == "__main__":
    sys.exit(main())
