"""A real llama.cpp: the packaged model as GGUF, served by llama-cpp-python.

Runs where it is installed: pip install 'llama-cpp-python[server]' gguf   (it is compiled, some minutes)
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.atlas import world
from selfstudy.models import load_lm
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.models.local.loading import locate
from selfstudy.models.server.servers import Servers
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, ServerModel

from .atlas_gguf import convert

pytest.importorskip("llama_cpp.server", reason="needs llama-cpp-python[server]")
pytest.importorskip("gguf", reason="needs gguf")
pytestmark = pytest.mark.skipif(shutil.which("llama-server") is not None, reason="tests llama-cpp-python")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[LanguageModel]:
    file = convert(Path(locate("atlas", "lm")[0]), tmp_path / "atlas.gguf")
    with Servers() as servers:
        yield load_lm(ServerModel(engine="llama-cpp", model=str(file), startup_seconds=120), servers=servers)


def test_served_answers_are_the_local_ones(served: LanguageModel) -> None:
    prompts = Prompts()
    documents = world.documents()[::16][:40]
    asked = [f"What is the capital of {document.title}?" for document in documents]
    chats = [prompts.chat("answer", question=question) for question in asked]
    chats += [
        prompts.chat("read", question=question, document=document.text)
        for question, document in zip(asked, documents, strict=True)
    ]
    # without the repetition penalty: llama-cpp-python's does not see the prompt
    greedy = Sampling(n=1, temperature=0.0, max_new_tokens=48)
    found = [row[0] for row in served.generate(chats, greedy)]
    local = [row[0] for row in load_lm(LocalModel()).generate(chats, greedy)]
    assert not [one.error for one in found if one.error]
    same = sum(a.text == b.text for a, b in zip(found, local, strict=True))
    assert same >= 0.95 * len(chats)  # rounding differs between the two, and so do a few cut words


def test_samples_differ(served: LanguageModel) -> None:
    sampling = Sampling(n=8, max_new_tokens=32, seed=1)
    (row,) = served.generate([Prompts().chat("question_open", topics="Fiji; Peru; Chad")], sampling)
    assert len({one.text for one in row}) > 1
