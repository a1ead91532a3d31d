"""What workers are worth: two against one on the embedded model, and many against simulated engines.

    python benchmarks/workers.py atlas [--questions 240] [--repetitions 3] [--block-size 256]
    python benchmarks/workers.py engines [--engines 64 32 16] [--latency 0.05] [--workers 2]

atlas: a probe (asking, answering, scoring) of the embedded model through the recipe's `scale`: with one
worker of one thread, with two, and in one process without any, in turn; each in a process of its own, whose
workers have started and loaded their models before it is timed.  Beside it the machine's own ceiling: two
plain processes that answer the same questions at once, against one.
engines: chats through workers to a server of simulated engines, each of which answers one request at a time.

Exit code 1 if a bound is missed: 1.7 times; .9 of what the engines allow, with under 1 ms of CPU of the
driver per question.  on_workers/ has the parts.
"""

from __future__ import annotations

import argparse
import os
import sys


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("atlas", "engines"))
    parser.add_argument("--questions", type=int)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--block-size", type=int, default=256)
    parser.add_argument("--token-budget", type=int, default=16_384)
    parser.add_argument("--engines", type=int, nargs="+", default=[64, 32, 16])
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--one", choices=("0", "1", "2", "plain"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}  # else other programs come first
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    if options.one is None:
        print(f"{os.cpu_count()} CPUs, load {load:.1f} per CPU at the start (above 0.5 seconds mislead)")
    if options.part == "engines":
        from on_workers import engines

        questions = options.questions or 8192
        good = engines.main(options.engines, options.latency, options.workers, questions, options.repetitions)
    else:
        from on_workers import atlas_probe

        size = atlas_probe.Size(options.questions or 240, options.block_size, options.token_budget)
        if options.one is not None:
            atlas_probe.child(options.one, size)
            return
        good = atlas_probe.main(size, options.repetitions)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
