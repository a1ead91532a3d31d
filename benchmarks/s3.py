"""The index of a library on disk and on object storage, side by side: the same hits, and what each takes.

    python -m venv /tmp/moto && /tmp/moto/bin/pip install -r benchmarks/on_s3/requirements.txt
    python benchmarks/s3.py --moto /tmp/moto/bin/moto_server [--folder PAGES] [--questions 400]

Builds an index over the embedded world (or the pages of a folder) in a temporary folder and at an S3 server
that this starts on loopback, opens both, and asks both the same questions, in turn: the wordings of facts, or
the first sentences of pages.  By words alone, and fused with the lexical embedder's vectors.  Without --moto
the server is the one of the tests.  Exit code 1 if any hit differs in any field.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.library.s3_server import BUCKET, s3_server

from selfstudy.atlas import language, world
from selfstudy.library.folder import read_documents
from selfstudy.library.index import Library
from selfstudy.library.index_bucket import IndexBucket
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.records import Document
from selfstudy.text import sentences

HITS, TURNS = 5, 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moto", type=Path, help="the program moto_server")
    parser.add_argument("--folder", type=Path, help="pages, instead of the embedded world")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--chunk-tokens", type=int, default=512)
    options = parser.parse_args()
    documents = read_documents(options.folder).documents if options.folder else world.documents()
    asked = spread(questions(documents if options.folder else None), options.questions)
    print(
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; {len(documents):,} documents, "
        f"{len(asked):,} questions"
    )
    print(
        f"{'search':>8} {'place':>6} {'build s':>8} {'open s':>7} {'ms per question':>16}  (of {TURNS} turns)"
    )
    with tempfile.TemporaryDirectory() as folder:
        Library.build(documents[:1], Path(folder) / "warm", chunk_tokens=512)  # imports are not timed
    with server(options.moto):
        equal = [compare(documents, asked, options.chunk_tokens, hybrid) for hybrid in (False, True)]
    sys.exit(0 if all(equal) else 1)


def questions(documents: Sequence[Document] | None) -> list[str]:
    if documents is None:
        return [language.wordings(fact.attribute, fact.entity)[0] for fact in world.facts()]
    return [found[0] for one in documents if (found := sentences(one.text))]


def spread(found: Sequence[str], count: int) -> list[str]:
    return list(found[:: max(1, len(found) // count)][:count])


def compare(documents: Sequence[Document], asked: Sequence[str], tokens: int, hybrid: bool) -> bool:
    embedder = LexicalEmbedder() if hybrid else None
    with tempfile.TemporaryDirectory() as folder:
        places = {"disk": Path(folder) / "index", "s3": IndexBucket(f"s3://{BUCKET}/benchmark")}
        libraries, built, opened = {}, {}, {}
        for name, place in places.items():
            for seconds in (built, opened):
                begun = time.perf_counter()
                libraries[name] = Library.build(documents, place, chunk_tokens=tokens, embedder=embedder)
                seconds[name] = time.perf_counter() - begun
        took: dict[str, list[float]] = {name: [] for name in places}
        found = {}
        for _ in range(TURNS):
            for name, library in libraries.items():
                begun = time.perf_counter()
                found[name] = library.find(asked, HITS)
                took[name].append(1000 * (time.perf_counter() - begun) / len(asked))
    for name in places:
        each = " ".join(f"{one:.1f}" for one in took[name])
        search = "hybrid" if hybrid else "words"
        print(f"{search:>8} {name:>6} {built[name]:>8.2f} {opened[name]:>7.3f} {each:>16}", flush=True)
    pairs = list(zip(found["disk"], found["s3"], strict=True))
    wrong = sum(a != b for a, b in pairs)
    print(
        f"{'':>8} {sum(map(len, found['disk'])):,} hits of {len(pairs):,} questions; {wrong} questions differ"
    )
    return not wrong


@contextmanager
def server(moto: Path | None) -> Iterator[None]:
    """An S3 server that the environment names, with an empty bucket."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    if moto is None:
        with s3_server() as ours:
            os.environ.update(ours.environment)
            yield
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(moto), "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            keys = {"AWS_ACCESS_KEY_ID": "moto-takes-any", "AWS_SECRET_ACCESS_KEY": "moto-takes-any-too"}
            os.environ.update({**keys, "AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1"})
            make_bucket(f"{url}/{BUCKET}")
            yield
        finally:
            process.terminate()


def make_bucket(url: str) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            urlopen(Request(url, method="PUT"), timeout=5).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main()
