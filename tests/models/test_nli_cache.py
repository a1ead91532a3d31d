"""The cache of judged pairs: nothing is judged twice, nobody gets another model's numbers."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from selfstudy.files.cache import Cache
from selfstudy.loop import Study
from selfstudy.models import load_nli
from selfstudy.models.local import loading
from selfstudy.models.nli import EntailmentClassifier
from selfstudy.recipe import NLIBlock, Recipe
from selfstudy.run import Run

PAIRS = [
    ("Paris is the capital of France.", "The capital of France is Paris."),
    ("Who?", "Vienna"),
    ("Paris is the capital of France.", "The capital of France is Paris."),
    ("", "lone \ud800 surrogate"),
]
MORE = [("The Danube flows through Vienna.", "Belgrade lies on the Danube."), *PAIRS[:2], ("Who?", "Who?")]


def classifier(folder: Path, cache: Cache | None = None, **block: object) -> EntailmentClassifier:
    nli = load_nli(NLIBlock(path=str(folder), device="cpu", **block), cache)  # type: ignore[arg-type]
    assert isinstance(nli, EntailmentClassifier)
    return nli


def counted(nli: EntailmentClassifier) -> list[int]:
    """Filled with the number of pairs of every forward pass from now on."""
    sizes: list[int] = []
    nli.model.register_forward_pre_hook(
        lambda model, args, kwargs: sizes.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    return sizes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "nli.sqlite"


def test_a_pair_is_judged_once_in_this_process_and_the_next(tiny_nli: Path, path: Path) -> None:
    expected = classifier(tiny_nli).probabilities(PAIRS)
    labels = classifier(tiny_nli).classes(PAIRS)
    first = classifier(tiny_nli, Cache(path))
    sizes = counted(first)
    assert first.probabilities(PAIRS).tolist() == expected.tolist()
    assert sum(sizes) == 3
    done: list[int] = []
    assert first.probabilities(PAIRS, done.append).tolist() == expected.tolist()
    assert first.classes(PAIRS) == labels
    assert (sum(sizes), sum(done)) == (3, len(PAIRS))
    first.probabilities(MORE)
    assert sum(sizes) == 5

    second = classifier(tiny_nli, Cache(path))
    sizes = counted(second)
    assert second.probabilities(PAIRS).tolist() == expected.tolist()
    second.classes(MORE)
    assert sizes == []


def test_the_order_of_a_pair_matters(tiny_nli: Path, path: Path) -> None:
    nli = classifier(tiny_nli, Cache(path))
    forward, backward = nli.probabilities(MORE[:1]), nli.probabilities([MORE[0][::-1]])
    assert backward.tolist() == classifier(tiny_nli).probabilities([MORE[0][::-1]]).tolist()
    assert forward.tolist() != backward.tolist()


def test_other_weights_and_other_precision_have_their_own_numbers(
    tiny_nli: Path, tmp_path: Path, path: Path
) -> None:
    other = Path(shutil.copytree(tiny_nli, tmp_path / "other"))
    nli = classifier(other)
    with torch.no_grad():
        for weight in nli.model.parameters():
            weight.mul_(1.1)
    nli.model.save_pretrained(other)
    classifier(tiny_nli, Cache(path)).probabilities(PAIRS)
    for folder, dtype in ((other, "float32"), (tiny_nli, "bfloat16")):
        cached, plain = classifier(folder, Cache(path), dtype=dtype), classifier(folder, dtype=dtype)
        sizes = counted(cached)
        assert cached.probabilities(PAIRS).tolist() == plain.probabilities(PAIRS).tolist()
        assert sum(sizes) == 3


def test_the_same_model_elsewhere_is_the_same_model(tiny_nli: Path, tmp_path: Path, path: Path) -> None:
    classifier(tiny_nli, Cache(path)).probabilities(PAIRS)
    moved = classifier(Path(shutil.copytree(tiny_nli, tmp_path / "moved")), Cache(path))
    sizes = counted(moved)
    moved.probabilities(PAIRS)
    assert sizes == []


def test_a_model_of_the_hub_is_known_by_its_commit(
    tiny_nli: Path, tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    hub = tmp_path / "hub" / "models--someone--nli"
    (hub / "refs").mkdir(parents=True)

    def publish(commit: str) -> None:
        (hub / "refs" / "main").write_text(commit)
        if not (hub / "snapshots" / commit).exists():
            shutil.copytree(tiny_nli, hub / "snapshots" / commit)

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(loading, "hub_answers", lambda: False)
    judged = []
    for commit in ("a" * 40, "b" * 40, "a" * 40):
        publish(commit)
        nli = classifier(Path("someone/nli"), Cache(path))
        sizes = counted(nli)
        nli.probabilities(PAIRS)
        judged.append(sum(sizes))
    assert judged == [3, 3, 0]


def test_a_call_that_is_cut_short_leaves_none_of_its_pairs(tiny_nli: Path, path: Path) -> None:
    nli = classifier(tiny_nli, Cache(path, shared=False), token_budget=1)  # one pair per forward pass
    nli.probabilities(PAIRS)
    sizes = counted(nli)

    def stop(*args: object) -> None:
        if len(sizes) == 2:
            raise KeyboardInterrupt

    nli.model.register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        nli.probabilities(MORE)
    assert len(Cache(path, shared=False)) == 3
    again = classifier(tiny_nli, Cache(path, shared=False), token_budget=1)
    sizes = counted(again)
    expected = classifier(tiny_nli, token_budget=1).probabilities(MORE)
    assert again.probabilities(MORE).tolist() == expected.tolist()
    assert sum(sizes) == 2


def test_a_damaged_cache_stops_nothing(tiny_nli: Path, path: Path) -> None:
    expected = classifier(tiny_nli).probabilities(PAIRS)
    classifier(tiny_nli, Cache(path)).probabilities(PAIRS)
    db = sqlite3.connect(path)
    db.execute("UPDATE entries SET value = x'00'")  # entries of another length
    db.commit()
    db.close()
    assert classifier(tiny_nli, Cache(path)).probabilities(PAIRS).tolist() == expected.tolist()
    for side in path.parent.iterdir():
        side.write_bytes(b"damage " * 1000)
    assert classifier(tiny_nli, Cache(path)).probabilities(PAIRS).tolist() == expected.tolist()


def test_what_is_no_number_is_not_kept_and_has_no_label(tiny_nli: Path, path: Path) -> None:
    cache = Cache(path)
    nli = classifier(tiny_nli, cache)
    handle = nli.model.classifier.register_forward_hook(lambda module, args, out: out * torch.nan)
    assert np.isnan(nli.probabilities(PAIRS)).all()
    assert nli.classes(PAIRS) == [""] * len(PAIRS)
    assert len(cache) == 0
    handle.remove()
    assert np.isfinite(nli.probabilities(PAIRS)).all()


def test_a_run_keeps_what_was_judged_across_stages_and_sessions(tiny_nli: Path, tmp_path: Path) -> None:
    recipe = Recipe(nli=NLIBlock(path=str(tiny_nli), device="cpu"))
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        expected = Study(run).nli.probabilities(PAIRS)
    with Run.open(tmp_path / "run") as run:
        nli = Study(run).nli
        sizes = counted(nli)
        assert nli.probabilities(PAIRS).tolist() == expected.tolist()
        assert sizes == []
    with Run.open(tmp_path / "run", write=False) as run:
        before = sorted(p.name for p in (tmp_path / "run").rglob("*"))
        assert Study(run).nli.probabilities(PAIRS).tolist() == expected.tolist()
        assert sorted(p.name for p in (tmp_path / "run").rglob("*")) == before


def test_the_packaged_model_too(path: Path, model_folder: Callable[..., Path]) -> None:
    for folder in (Path("atlas"), model_folder("deberta")):
        expected = classifier(folder).probabilities(PAIRS)
        assert classifier(folder, Cache(path)).probabilities(PAIRS).tolist() == expected.tolist()
        assert classifier(folder, Cache(path)).probabilities(PAIRS).tolist() == expected.tolist()
