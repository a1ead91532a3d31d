"""Stages of training to cite, on the embedded model: each goes on from the one before, and from a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from selfstudy.atlas.build.cited import cited_rows
from selfstudy.atlas.entailment import WorldEntailment
from selfstudy.errors import DataError, RecipeError, RunError
from selfstudy.files import own
from selfstudy.models import load_lm
from selfstudy.models.base import EntailmentModel
from selfstudy.progress import Silent
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import make_recipe
from selfstudy.teach.rejection import RejectionSampling
from selfstudy.verbs.citing import training
from selfstudy.verbs.citing.training import ADAPTER, LINEAGE, CiteStage, CiteTraining, curve, following

SMALL = {
    "distill": ["teach.sft.epochs=1", "teach.sft.batch_size=4"],
    "rejection": [
        *("teach.rejection.search=best-of", "teach.rejection.samples=2", "teach.rejection.max_new_tokens=24"),
        *("teach.rejection.epochs=1", "teach.rejection.least=null"),
    ],
    "ppo": [
        *("teach.ppo.steps=2", "teach.ppo.batch_size=2", "teach.ppo.completions=2"),
        *("teach.ppo.max_new_tokens=16", "teach.ppo.checkpoint_every=1", "teach.ppo.dev=0.2"),
    ],
    "grpo": [
        *("teach.grpo.steps=2", "teach.grpo.batch_size=2", "teach.grpo.completions=2"),
        *("teach.grpo.max_new_tokens=16", "teach.grpo.checkpoint_every=1", "teach.grpo.dev=0"),
    ],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cited") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in cited_rows(6, 3)))
    return path


def recipe_of(stage: CiteStage, *changes: str) -> Recipe:
    phase = training.STAGES[stage]
    return make_recipe(
        {}, [f"teach.method={phase}", "model.path=atlas", "nli.path=atlas", *SMALL[stage], *changes]
    )


def trained(
    stage: CiteStage, data: Path, out: Path, before: Path | None = None, *changes: str, **more: Any
) -> CiteTraining:
    recipe, told = recipe_of(stage, *changes), None
    if before is not None:
        recipe, told = following(recipe, before, chosen=False)
    work = CiteTraining(stage, recipe, data, out, Silent(), before=told, **more)
    if not work.is_done():
        work.run(load_lm(recipe.model), WorldEntailment)
    return work


@pytest.fixture(scope="module")
def distilled(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stages") / "distilled"
    trained("distill", data, out)
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def test_a_stage_leaves_an_adapter_and_says_what_it_is(distilled: Path) -> None:
    told = training.lineage(distilled)
    assert [one.stage for one in told.stages] == ["distill"]
    assert told.rewarded_by == ()
    assert told.model.path == "atlas"
    assert (distilled / ADAPTER / "adapter_model.safetensors").is_file()
    assert not (distilled / "checkpoints").exists()
    assert len(curve(distilled)) == 2
    kinds = {json.loads(line)["kind"] for line in (distilled / "examples.jsonl").read_text().splitlines()}
    assert kinds == {"cited"}


def test_stages_follow_each_other(data: Path, distilled: Path, tmp_path: Path) -> None:
    trained("rejection", data, tmp_path / "sampled", distilled)
    trained("ppo", data, tmp_path / "ppo", tmp_path / "sampled")
    told = training.lineage(tmp_path / "ppo")
    assert [one.stage for one in told.stages] == ["distill", "rejection", "ppo"]
    assert told.rewarded_by == ("the world's own sentences",)
    # the adapter of the last holds those before it: it answers with the very first model
    config = json.loads((tmp_path / "ppo" / ADAPTER / "adapter_config.json").read_text())
    assert config["r"] == 3 * 16
    steps = curve(tmp_path / "ppo")
    assert [step["step"] for step in steps] == [1, 2]
    assert {"reward", "kl", "explained"} <= steps[0]["metrics"].keys()
    assert "dev_reward" in steps[-1]["metrics"]
    recipe, _ = following(recipe_of("grpo"), tmp_path / "ppo", chosen=False)
    assert recipe.model.adapter == tmp_path / "ppo" / ADAPTER  # type: ignore[union-attr]


def test_what_is_trained_is_not_trained_again(data: Path, tmp_path: Path) -> None:
    work = trained("grpo", data, tmp_path / "out")
    before = files(tmp_path / "out")
    assert work.is_done()
    trained("grpo", data, tmp_path / "out")
    assert files(tmp_path / "out") == before
    with pytest.raises(RunError, match="begun with other settings: teach"):
        trained("grpo", data, tmp_path / "out", None, "teach.grpo.clip=0.1")


class Stops(WorldEntailment):
    """Is killed in a call."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._left = at

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return super().classes(pairs)


@pytest.mark.parametrize("stage", ["rejection", "ppo", "grpo"])
def test_a_killed_stage_ends_as_one_that_was_not(
    stage: CiteStage, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "RejectionSampling", partial(RejectionSampling, batch=2))
    recipe, calls = recipe_of(stage), 0

    class Counts(WorldEntailment):
        def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
            nonlocal calls
            calls += 1
            return super().classes(pairs)

    CiteTraining(stage, recipe, data, tmp_path / "whole", Silent()).run(load_lm(recipe.model), Counts)
    killed = CiteTraining(stage, recipe, data, tmp_path / "killed", Silent())
    with pytest.raises(KeyboardInterrupt):
        killed.run(load_lm(recipe.model), lambda: Stops(calls - 1))
    assert not killed.is_done()
    assert list((tmp_path / "killed" / "checkpoints").rglob("*.json*"))
    assert trained(stage, data, tmp_path / "killed").is_done()
    whole, again = files(tmp_path / "whole"), files(tmp_path / "killed")
    assert again.keys() == whole.keys()
    assert {name for name in whole if whole[name] != again[name]} == set()


def test_one_kind_alone(data: Path, tmp_path: Path) -> None:
    trained("distill", data, tmp_path / "out", kinds=("asqa",))
    assert len((tmp_path / "out" / "examples.jsonl").read_text().splitlines()) == 2
    with pytest.raises(DataError, match="no question of kind plain"):
        trained("distill", data, tmp_path / "plain", kinds=("plain",))


def test_bad_rows_are_failures_and_lose_nothing(data: Path, tmp_path: Path) -> None:
    rows = data.read_text().splitlines()
    bad = tmp_path / "bad.jsonl"
    bad.write_text(
        "\n".join([*rows[:4], "not json", json.dumps({"question": "Where?", "docs": [{}]})]) + "\n"
    )
    trained("distill", bad, tmp_path / "out")
    failures = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    assert [one["item_id"] for one in failures] == ["bad.jsonl, line 5", "bad.jsonl, line 6"]
    assert "docs[0].text" in failures[1]["message"]
    assert len((tmp_path / "out" / "examples.jsonl").read_text().splitlines()) == 4


def test_nothing_to_train_on(data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DataError, match="no question to train on"):
        trained("distill", tmp_path / "empty.jsonl", tmp_path / "out")
    rows = [json.loads(line) | {"output": None} for line in data.read_text().splitlines()]
    (tmp_path / "bare.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match="has an 'output' to learn from"):
        trained("distill", tmp_path / "bare.jsonl", tmp_path / "out2")
    with pytest.raises(DataError, match=r"cannot read .*none\.jsonl: No such file"):
        trained("distill", tmp_path / "none.jsonl", tmp_path / "out4")
    with pytest.raises(DataError, match="cannot read"):
        trained("distill", tmp_path, tmp_path / "out4")
    with pytest.raises(DataError, match="good enough"):
        trained("rejection", data, tmp_path / "out3", None, "teach.rejection.least=1000")


def test_a_folder_of_somebody_else_is_left_alone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match=r"thesis\.txt"):
        trained("distill", data, tmp_path / "mine")
    assert files(tmp_path / "mine") == {"thesis.txt": b"mine"}


def test_what_is_no_stage_before(data: Path, distilled: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finished stage"):
        following(recipe_of("ppo"), tmp_path, chosen=False)
    shutil.copytree(distilled, tmp_path / "edited")
    (tmp_path / "edited" / LINEAGE).write_text('{"selfstudy": "cite train"}')
    with pytest.raises(RunError, match="is damaged: model: Field required"):
        following(recipe_of("ppo"), tmp_path / "edited", chosen=False)
    told = json.loads((distilled / LINEAGE).read_text())
    told["model"]["token_budget"] = "x"
    (tmp_path / "edited" / LINEAGE).write_text(json.dumps(told))
    with pytest.raises(RunError, match=r"is damaged: model\.token_budget"):
        following(recipe_of("ppo"), tmp_path / "edited", chosen=False)
    with pytest.raises(RecipeError, match="was trained on atlas, and --model is other"):
        following(recipe_of("ppo", "model.path=other"), distilled, chosen=True)


def test_a_training_that_diverges_says_where_the_best_weights_are(data: Path, tmp_path: Path) -> None:
    entailment: EntailmentModel = WorldEntailment()
    recipe = recipe_of(
        "grpo", "teach.grpo.most_kl=1e-9", "teach.grpo.learning_rate=0.05", "teach.grpo.steps=4"
    )
    work = CiteTraining("grpo", recipe, data, tmp_path / "out", Silent())
    with pytest.raises(Exception, match=r"nats from the start at step \d.*\n.*best weights") as found:
        work.run(load_lm(recipe.model), lambda: entailment)
    assert "most_kl is 1e-09" in str(found.value)
    assert "nats from the start" in training.lineage(tmp_path / "out").failure
    assert (tmp_path / "out" / ADAPTER).is_dir()
    with pytest.raises(RunError, match=r"has diverged before: .* nats"):
        work.is_done()


def test_answers_say_who_rewarded_their_model(distilled: Path, data: Path, tmp_path: Path) -> None:
    assert training.rewarded_by(distilled / ADAPTER) == ()
    assert training.rewarded_by(tmp_path / "elsewhere") == ()
    trained("rejection", data, tmp_path / "sampled", distilled)
    assert training.rewarded_by(tmp_path / "sampled" / ADAPTER) == ("the world's own sentences",)


def test_an_adapter_behind_a_whole_model_is_for_that(data: Path, tmp_path: Path) -> None:
    trained("distill", data, tmp_path / "whole", None, "teach.finetuning=full")
    assert (tmp_path / "whole" / "model" / "model.safetensors").is_file()
    trained("rejection", data, tmp_path / "adapted", tmp_path / "whole")
    recipe, told = following(recipe_of("ppo"), tmp_path / "adapted", chosen=False)
    assert told.model.path == str(tmp_path / "whole" / "model")
    assert recipe.model.path == told.model.path  # type: ignore[union-attr]
    assert recipe.model.adapter == tmp_path / "adapted" / ADAPTER  # type: ignore[union-attr]


def test_a_start_that_was_trained_again_is_another_start(data: Path, distilled: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(distilled, before)
    trained("grpo", data, tmp_path / "out", before)
    weights = before / ADAPTER / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8] + b"\1" * 8)
    recipe, told = following(recipe_of("grpo"), before, chosen=False)
    work = CiteTraining("grpo", recipe, data, tmp_path / "out", Silent(), before=told)
    with pytest.raises(RunError, match="begun with other settings: weights"):
        work.is_done()


def test_one_training_at_a_time(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    work = CiteTraining("distill", recipe_of("distill"), data, out, Silent())
    own.make(out)
    with work._alone(), pytest.raises(RunError, match=r"is being written by process .*\n.*another --out DIR"):
        trained("distill", data, out)
    assert trained("distill", data, out).is_done()
