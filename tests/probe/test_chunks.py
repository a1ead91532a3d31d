"""Documents are cut to the tokens that were asked for, in any script, with or without a tokenizer."""

from __future__ import annotations

import pytest

from selfstudy import ScriptedLM
from selfstudy.atlas import world
from selfstudy.models.base import token_counter
from selfstudy.models.load import load_lm
from selfstudy.probe import chunks
from selfstudy.recipe import LocalModel, RemoteModel
from selfstudy.records import Document

REMOTE = load_lm(RemoteModel(type="remote", model="m", base_url="http://127.0.0.1:9/v1"), cache=False)
PAGES = {
    "Chinese": "托尔维克大桥横跨北河，于一九零八年建成通车，后来又多次加固。" * 2200,
    "Chinese without a full stop": "渡船每天往返于两岸之间" * 6000,
    "Japanese": "青石湖は県の北部にある湖で、冬には全面が凍ります。" * 1000,
    "Thai": "เรือข้ามฟากท่าเหนือเริ่มให้บริการในปี" * 1000,
    "Korean": "달빛역은 천구백육십칠년에 문을 열었습니다. " * 1000,
    "numbers": "0.1733 " * 8000,
    "one long word": "ab1" * 20000,
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_a_model_without_a_tokenizer_gets_chunks_of_bounded_length(page: str) -> None:
    count = token_counter(REMOTE)
    found = chunks.chunks_of(Document(source="page", text=page), 512, count)
    wide = max(len(chunk.text) for chunk in found)
    assert wide <= (600 if ord(page[0]) > 0x900 else 4 * 512), "a character each, or four of plain letters"
    assert sum(len(chunk.text) for chunk in found) >= 0.95 * len(page.strip()), "nothing is lost"


def test_a_scripted_model_too() -> None:
    page = Document(source="page", text=PAGES["Chinese"])
    assert max(len(chunk.text) for chunk in chunks.chunks_of(page, 512, ScriptedLM({}).count_tokens)) <= 600


def test_the_estimate_is_not_below_a_real_tokenizer() -> None:
    pages = world.documents()[:50]
    real = token_counter(load_lm(LocalModel()))
    guess = token_counter(REMOTE)
    ratio = [guess(page.text) / real(page.text) for page in pages]
    assert min(ratio) > 0.8
    assert max(ratio) < 2.5
