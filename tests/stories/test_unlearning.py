"""A source is forgotten in real runs: by an adapter less, and where an adapter held other things too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from selfstudy import Run, learn
from selfstudy.atlas import world
from selfstudy.files import own
from selfstudy.models.router import Router
from selfstudy.models.taught import adapters_of, is_routed
from selfstudy.records import Check, Evidence, Question
from selfstudy.run import curriculum, forgotten
from selfstudy.run.forgotten import Tombstone
from selfstudy.run.standing import decided, decision, hashes, promote
from selfstudy.verbs.unlearning.quoted import Quotable

from .small import QUICK, Listener, branch, cli, recipe, refusal

CITIES = "atlas:city/*"
FEW = (*QUICK, "teach.sft.epochs=2", "verify.samples=0")
DYNAMIC = (*FEW, "deploy.type=dynamic", "deploy.groups=round")


def forget(run: Path, *more: str) -> str:
    code, out, err = cli("unlearn", run, "--source", CITIES, "--yes", *more)
    assert code == 0, err
    return out


def stone_of(run: Path) -> Tombstone:
    with Run.open(run, write=False) as opened:
        (stone,) = forgotten.tombstones(opened)
    return stone


def quoting(run: Path) -> list[str]:
    """Files of the run that still quote a page of a city, but for what pages of countries say as well."""
    pages = {True: [], False: []}  # type: dict[bool, list[str]]
    for page in world.documents():
        pages[page.source.startswith("atlas:city/")].append(page.text)
    said = Quotable(pages[True]).without(pages[False])
    assert len(said) > 1_000
    files = [p for p in run.rglob("*") if p.is_file() and p.suffix != ".safetensors"]
    return [str(p) for p in files if said.in_file(p.read_bytes())]


@pytest.fixture(scope="module")
def dynamic(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One adapter holds cities and countries; promoted by hand, for so short a lesson teaches little."""
    wanted = recipe(*DYNAMIC)
    path = branch(finished, tmp_path_factory.mktemp("unlearning") / "dynamic", wanted)
    learn(wanted, path, Listener())
    promoted_by_hand(path)
    return path


def promoted_by_hand(path: Path) -> None:
    with Run.open(path) as run:
        first = run.round(1)
        gate = run.read_json(first.gate_file) or {}
        run.write_json(first.gate_file, {**gate, "promoted": True})
        first.rejected_mark().unlink(missing_ok=True)
        if not run.promoted_folder.is_dir():
            promote(first, lambda: decided(first), move=False)


def test_an_adapter_that_holds_other_things_too_is_taught_again_without(
    dynamic: Path, tmp_path: Path
) -> None:
    path = shutil.copytree(dynamic, tmp_path / "run")
    (name,) = adapters_of(path / "rounds/1/adapter")
    assert quoting(path)
    out = forget(path)
    assert f"taught again without: {name}" in out
    stone = stone_of(path)
    assert (stone.retrained, stone.rounds, stone.finished) == ((name,), (1,), True)
    assert stone.verified["asked"]
    (new,) = adapters_of(path / "rounds/1/adapter")
    assert new != name
    read = curriculum.read(path / "rounds/1/adapter" / new)
    assert read is not None
    assert read.questions
    assert all(source.startswith("atlas:country/") for source in read.sources)
    assert not set(read.questions) & set(stone.questions)
    with Run.open(path, write=False) as run:
        first = run.round(1)
        assert all(first.finished(stage) for stage in ("probe", "gather", "teach", "verify"))
        assert not any(one.source.startswith("atlas:city/") for one in first.iter(Evidence))
        assert first.read(Check)
        gate = decision(first)
        assert gate is not None
        assert run.promoted_folder.is_dir() == gate.promoted
        router = Router.load(decided(first))
        assert router.adapters == (new,)
        assert not {one.id for one in router.data.questions} & set(stone.questions)
    assert quoting(path) == []
    assert not list(path.rglob(f"*{name}*"))
    assert (path / "report.html").is_file()
    message = refusal(cli("unlearn", path, "--source", CITIES, "--yes"))
    assert "already" in message


def test_a_dry_run_changes_nothing_and_an_answer_is_needed(dynamic: Path) -> None:
    before = hashes(dynamic)
    code, out, _ = cli("unlearn", dynamic, "--source", CITIES, "--dry-run")
    assert (code, "questions that rest on them: " in out) == (0, True)
    assert "--yes" in refusal(cli("unlearn", dynamic, "--source", CITIES))
    code, out, _ = cli("unlearn", dynamic, "--source", CITIES, "--dry-run", "--json")
    assert Tombstone.model_validate(json.loads(out)).retrained
    assert hashes(dynamic) == before


def test_what_is_half_forgotten_is_finished_first(dynamic: Path, tmp_path: Path) -> None:
    path = shutil.copytree(dynamic, tmp_path / "run")
    with Run.open(path) as run:
        forgotten.keep(run, [Tombstone(pattern=CITIES)])
    for verb in ("probe", "verify"):
        assert "half way through forgetting" in refusal(cli(verb, path))


def test_an_adapter_that_is_not_routed_is_taught_again_and_decided_on_again(
    finished: Path, tmp_path: Path
) -> None:
    """Nothing promoted may stay that was trained with it."""
    wanted = recipe(*FEW, "teach.sft.epochs=1")
    path = branch(finished, tmp_path / "run", wanted)
    learn(wanted, path, Listener())
    promoted_by_hand(path)
    before = hashes(path / "rounds/1/adapter")["adapter_model.safetensors"]
    with Run.open(path, write=False) as run:
        asked = len(run.round(1).read(Question))
    out = forget(path, "--no-verify")
    assert "taught again without: round-1" in out
    assert "not verified" in out
    after = hashes(path / "rounds/1/adapter")["adapter_model.safetensors"]
    assert after != before
    with Run.open(path, write=False) as run:
        gate = decision(run.round(1))
        assert gate is not None
        assert run.promoted_folder.is_dir() == gate.promoted
        assert 0 < len(run.round(1).read(Question)) < asked
    assert not [p for p in path.rglob("*.safetensors") if hashes(p.parent)[p.name] == before]
    assert not is_routed(path / "rounds/1/adapter")
    assert not list(path.glob(f"*{own.UNFINISHED}"))
    assert quoting(path) == []
