"""What of our environment a program that we start gets to see: an allow-list, and never a key.

A program that serves a model needs its libraries, its accelerator and its caches; it does not need
`OPENAI_API_KEY`, `AWS_SECRET_ACCESS_KEY` or `GITHUB_TOKEN`, and what it is not given it cannot lose.  Knows
nothing of engines.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase

MORE = "SELFSTUDY_ENGINE_ENV"
"""The user's own variable: names, or patterns such as `MY_*`, of more that may be seen; by commas."""


def words(text: str) -> frozenset[str]:
    """The entries of an allow-list that is written with blanks between them."""
    return frozenset(text.split())


_NAMES = words(
    "PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TERM COLUMNS LINES TMPDIR TEMP TMP "
    "LD_LIBRARY_PATH DYLD_LIBRARY_PATH PYTHONPATH PYTHONHOME PYTHONUNBUFFERED "
    "PYTHONDONTWRITEBYTECODE PYTHONNOUSERSITE PYTHONUTF8 PYTHONIOENCODING VIRTUAL_ENV CC CXX "
    "CPATH LIBRARY_PATH TRITON_CACHE_DIR TORCHINDUCTOR_CACHE_DIR TOKENIZERS_PARALLELISM HF_HOME "
    "HF_ENDPOINT GGML_CUDA_ENABLE_UNIFIED_MEMORY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE "
    "CURL_CA_BUNDLE"
)
_FAMILIES = tuple(
    words(
        "LC_ XDG_ CUDA_ NVIDIA_ CUDNN_ NCCL_ HIP_ HSA_ ROCR_ ROCM_ MIOPEN_ ONEAPI_ SYCL_ ZE_ GPU_ "
        "OMP_ MKL_ KMP_ GOMP_ OPENBLAS_ BLIS_ NUMEXPR_ VECLIB_ TORCH_ PYTORCH_ TORCHINDUCTOR_ TRITON_ "
        "HF_HUB_ HF_DATASETS_ HUGGINGFACE_HUB_ TRANSFORMERS_ VLLM_ SGLANG_ SGL_ OLLAMA_ LLAMA_ GGML_ "
        "CONDA_"
    )
)
"""Beginnings of names."""
_DOWNLOADS = frozenset({"HF_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})
"""What a download from the Hub needs: a gated model its token; the address of a proxy may hold a password."""
_SECRETS = words(
    "KEY KEYS APIKEY TOKEN TOKENS SECRET SECRETS PASSWORD PASSWD PASSPHRASE PASS PWD CREDENTIAL "
    "CREDENTIALS AUTH AUTHORIZATION COOKIE SIGNATURE"
)
"""Words of a name by which even an allowed family (`VLLM_API_KEY`, `TRANSFORMERS_TOKEN`) keeps a secret."""


def listed(variable: str) -> list[str]:
    """The entries of a variable in which the user allows more, by commas."""
    return [entry.strip() for entry in os.environ.get(variable, "").split(",") if entry.strip()]


def child_environment(*, downloads: bool, mine: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program that is started.

    Args:
        downloads: whether it may have to fetch from the Hub, so that it needs the token and the proxy.
        mine: what it is told beside; comes before what the user has set.
    """
    more = listed(MORE)
    seen = {
        name: value
        for name, value in os.environ.items()
        if _harmless(name)
        or (downloads and name.upper() in _DOWNLOADS)
        or any(fnmatchcase(name, pattern) for pattern in more)
    }
    return {**seen, **(mine or {})}


def _harmless(name: str) -> bool:
    if name not in _NAMES and not name.startswith(_FAMILIES):
        return False
    return not is_secret(name)


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret, such as a key or a password."""
    return bool(_SECRETS & set(name.upper().split("_")))
