"""What a program that we start sees of our environment."""

from __future__ import annotations

import pytest

from selfstudy.environment import MORE, child_environment


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in SEEN | KEPT | {"HF_TOKEN", "https_proxy"}:
        monkeypatch.setenv(name, "x")
    return monkeypatch


SEEN = {
    "PATH",
    "LC_ALL",
    "CUDA_VISIBLE_DEVICES",
    "HF_HOME",
    "VLLM_LOGGING_LEVEL",
    "OMP_NUM_THREADS",
    "TMPDIR",
}
KEPT = {
    "OPENAI_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_PROFILE",
    "GITHUB_TOKEN",
    "PGPASSWORD",
    "DATABASE_URL",
    "VLLM_API_KEY",  # of an allowed family
    "OLLAMA_AUTH_TOKEN",
    "HF_HUB_TOKEN",
    "HUGGINGFACE_HUB_TOKEN",
    "TRANSFORMERS_SECRET",
    "LD_PRELOAD",
    "PYTHONSTARTUP",
    "SOMETHING_ELSE",
}


@pytest.mark.usefixtures("crowded")
def test_libraries_and_accelerators_are_seen_and_keys_are_not() -> None:
    seen = child_environment(downloads=False, mine={"HOST": "here", "PATH": "mine"})
    assert seen.keys() >= SEEN
    assert not seen.keys() & (KEPT | {"HF_TOKEN", "https_proxy"})
    assert (seen["HOST"], seen["PATH"]) == ("here", "mine")


@pytest.mark.usefixtures("crowded")
def test_the_token_and_the_proxy_are_seen_where_something_is_downloaded() -> None:
    seen = child_environment(downloads=True)
    assert seen.keys() >= {"HF_TOKEN", "https_proxy"}
    assert not seen.keys() & KEPT


def test_the_user_may_name_more(crowded: pytest.MonkeyPatch) -> None:
    crowded.setenv(MORE, "DATABASE_URL, AWS_*")
    seen = child_environment(downloads=False)
    assert seen.keys() >= {"DATABASE_URL", "AWS_PROFILE", "AWS_SECRET_ACCESS_KEY"}
    assert "GITHUB_TOKEN" not in seen
