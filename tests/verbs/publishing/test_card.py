"""The model card: what it tells, that the Hub's own library reads it, and that hostile words stay words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from selfstudy.errors import DataError
from selfstudy.recipe.file import parse_recipe
from selfstudy.run import Run
from selfstudy.verbs.publishing.card import (
    PERSON,
    CardOptions,
    card_of,
    require_readable,
    shareable_recipe,
    sources_of,
)
from selfstudy.verbs.publishing.chosen import Publication, choose
from selfstudy.verbs.publishing.loading_back import LoadedBack
from selfstudy.verbs.publishing.questions import Asking
from selfstudy.verbs.publishing.said import code, said
from tests.verbs.publishing.taught import PROMOTED, checks, evidence, recipe_of

HOSTILE = (
    "# <script>alert(1)</script> [x](javascript:alert(1)) "
    "![p](http://evil.example/p.png) | a\n---\nlicense: mit"
)


def chosen_of(
    tmp_path: Path, gate: dict[str, Any] | None = PROMOTED, *sources: str, base: str = ""
) -> Publication:
    """Of a run whose adapter is an empty one: a card looks at no weights."""
    model = tmp_path / "tiny"
    model.mkdir()
    (model / "config.json").write_text("{}")
    with Run.create_or_resume(tmp_path / "run", recipe_of(model)) as run:
        turn = run.round(1)
        turn.adapter().mkdir()
        (turn.adapter() / "adapter_model.safetensors").write_bytes(b"")
        (turn.adapter() / "adapter_config.json").write_text('{"r": 4, "rank_pattern": {"q": 12}}')
        checks(turn)
        for at, source in enumerate(sources or ("oceania/fiji.md",)):
            evidence(turn, source, at)
        if gate is not None:
            run.write_json(turn.gate_file, gate)
    return choose(Run.open(tmp_path / "run", write=False), unverified=True, base=base or None)


def card(chosen: Publication, *, merged: bool = False, **options: Any) -> str:
    form = (({"role": "user", "content": "{question} Answer in one concise sentence."},), "Q: {question}", ())
    asking = Asking((), (2,), form, "float32", "cpu", 64, 1.1, Path("/base"), False, None)
    found = LoadedBack(10, 10, "template", ())
    given = CardOptions(**{"title": "fiji", "place": "me/fiji"} | options)
    return card_of(chosen, asking, found, given, merged=merged, gguf=False)


def test_it_says_what_was_measured_and_what_was_not(tmp_path: Path) -> None:
    text = card(chosen_of(tmp_path, base="acme/tiny"), license="apache-2.0", data_license="CC BY 4.0")
    read = ModelCard(text).data.to_dict()
    assert read["base_model"] == "acme/tiny"
    assert read["base_model_relation"] == "adapter"
    assert read["library_name"] == "peft"
    assert read["license"] == "apache-2.0"
    (result, _) = read["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == 0.8
    assert "| gaps, as first asked | 10.0% | 80.0% | +70.0 | +55.0 to +82.0 | 40 | 38 |" in text
    assert "The gate said: Correctness on gaps rose by 70.0 points, and nothing fell." in text
    assert "not measured: reading the answer off a page" in text
    assert "not measured: gaps, as first asked" not in text
    assert "Documents that it was taught from: 1; licence: CC BY 4.0." in text
    assert "vllm serve acme/tiny --enable-lora --max-lora-rank 12 --lora-modules taught=me/fiji" in text
    assert "{question} Answer in one concise sentence." in text
    assert "Not verified" not in text


def test_what_was_not_promoted_says_so_first(tmp_path: Path) -> None:
    rejected = {"promoted": False, "verdict": "rejected", "reasons": ["Known questions fell."]}
    text = card(chosen_of(tmp_path, rejected))
    body = text.partition("\n---\n")[2]
    assert body.index("Not verified") < body.index("Known questions fell") < body.index("base model")
    assert "unverified" in ModelCard(text).data.tags
    assert ModelCard(text).data.base_model is None


def test_hostile_words_are_shown_and_do_nothing(tmp_path: Path) -> None:
    gate = PROMOTED | {"reasons": [HOSTILE], "notes": [HOSTILE]}
    text = card(
        chosen_of(tmp_path, gate, HOSTILE, "www.evil.example", "/home/me/secret plans.md"),
        title=HOSTILE,
        license=HOSTILE,
        data_license=HOSTILE,
    )
    read = ModelCard(text)
    assert read.data.license == "other"
    assert "\n" not in read.data.license_name
    assert set(read.data.to_dict()) <= {
        *("library_name", "pipeline_tag", "tags", "license", "license_name", "model-index"),
        *("base_model", "base_model_relation"),
    }
    assert "<script" not in text
    assert re.findall(r"(?<!\\)\]\(([^)]*)\)", text) == ["https://pypi.org/project/selfstudy/"]
    assert "javascript:" not in text
    assert "www." not in text
    assert "/home/me" not in text
    assert "secret plans.md" in text
    assert "\n---\nlicense" not in text.partition("\n---\n")[2]
    assert "alert(1)" in text  # shown
    title = next(line for line in text.splitlines() if line.startswith("# "))
    assert title.startswith(r"# \# &lt;script&gt;")


def test_words_in_markdown() -> None:
    assert said("- item") == r"\- item"
    assert said("1. first") == r"1\. first"
    assert said("---") == r"\---"
    assert said("+70.0") == "+70.0"
    assert said("a - b 1.5% (x)") == "a - b 1.5% (x)"
    assert said("`*_|~[]\\") == r"\`\*\_\|\~\[\]" + "\\\\"
    assert said("a: b, http://x.org") == "a: b, http&#58;//x.org"
    assert said("me@a.org") == "me&#64;a.org"
    assert said("\u202egnp.exe") == "gnp.exe"  # what is read is what stands there
    assert "\u202e" not in code("x = 1 # \u202egnp")
    assert code("x\n```\n# out\n````").splitlines()[0] == "`````"


def test_documents_need_not_be_named(tmp_path: Path) -> None:
    chosen = chosen_of(tmp_path, PROMOTED, "b.md", "a.md")
    assert sources_of(chosen) == ["a.md", "b.md"]
    text = card(chosen, source_names=False)
    assert "taught from: 2" in text
    assert "a.md" not in text


def test_a_page_is_named_without_what_signs_in_to_it(tmp_path: Path) -> None:
    pages = (
        "https://ana:pw@wiki.example/fiji?sig=0a1b2c3d",
        "https://wiki.example/fiji#part",
        "http://[x/?sig=1",
    )
    assert sources_of(chosen_of(tmp_path, PROMOTED, *pages)) == [
        "(an address that cannot be read)",
        "https://wiki.example/fiji",
    ]


def test_who_corrected_an_answer_is_not_named(tmp_path: Path) -> None:
    chosen = chosen_of(tmp_path, PROMOTED, "a.md", "person:Ada Example", "person")
    assert sources_of(chosen) == ["a.md", PERSON]
    assert "Ada" not in card(chosen)


def test_the_recipe_is_told_without_this_machine(tmp_path: Path) -> None:
    given = {
        "model": {"path": "/srv/models/mine"},
        "judge": {
            "type": "remote",
            "model": "big",
            "base_url": "http://10.0.0.7:8000/v1",
            "api_key_env": "MY_KEY",
        },
        "library": {
            "sources": [{"type": "folder", "path": "/srv/docs"}],
            "fetch": {"allow_hosts": ["wiki.acme.example"], "contact": "ana@acme.example"},
        },
        "prompts": "/srv/prompts",
        "track": {"type": "wandb", "project": "takeover-acme"},
        "gather": {"exclude": ["intranet.acme.example"]},
        "seed": 7,
    }
    told = shareable_recipe(parse_recipe(given, "test").model_dump(mode="json", exclude_defaults=True))
    assert "/srv" not in told
    assert "10.0.0.7" not in told
    assert "MY_KEY" not in told
    assert "acme" not in told
    assert "seed: 7" in told
    assert "model: big" in told


def test_metadata_that_cannot_be_read_are_refused() -> None:
    for text in ("# no metadata", "---\n- a\n- list\n---\nx", '---\nbase_model: "not / an id"\n---\nx'):
        with pytest.raises(DataError):
            require_readable(text)
