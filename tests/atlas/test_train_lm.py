"""The training of atlas-lm: its pieces, worked by hand, and all legs in little."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from selfstudy.atlas.build.lm_plan import Settings, citing_legs, legs
from selfstudy.atlas.build.lm_tasks import TASKS
from selfstudy.atlas.build.train_lm import TaskAccuracy, _muon_in_float32, _orthogonal, build
from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, chat
from selfstudy.recipe import LocalModel


def test_accuracy_is_told_by_task_and_begins_anew() -> None:
    first, second = list(TASKS)[:2]
    accuracy = TaskAccuracy("cpu")
    accuracy.add(torch.tensor([0, 0, 1]), torch.tensor([True, False, True]))
    assert accuracy.report_and_reset() == f"right 0.750: {first} 0.50 {second} 1.00"
    assert accuracy.report_and_reset() == "right 0.000: "


def test_muon_is_ours_only_within() -> None:
    own = torch.optim._muon._zeropower_via_newtonschulz
    with _muon_in_float32(needed=True):
        assert torch.optim._muon._zeropower_via_newtonschulz is _orthogonal
    assert torch.optim._muon._zeropower_via_newtonschulz is own
    with _muon_in_float32(needed=False):
        assert torch.optim._muon._zeropower_via_newtonschulz is own
    assert torch.optim._muon._zeropower_via_newtonschulz is own


@pytest.mark.parametrize("shape", [(8, 5), (5, 8)])
def test_the_iteration_is_that_of_torch_but_in_float32(shape: tuple[int, int]) -> None:
    grad = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    ours = _orthogonal(grad, (3.4445, -4.775, 2.0315), 5, 1e-7)
    theirs = torch.optim._muon._zeropower_via_newtonschulz(grad, (3.4445, -4.775, 2.0315), 5, 1e-7)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs.float(), atol=0.03, rtol=0.03)


@pytest.mark.slow
def test_all_legs_run_from_nothing_to_a_model_that_loads(tmp_path: Path) -> None:
    build(tmp_path / "lm", legs(Settings(scale=2e-4)))
    lm = load_lm(LocalModel(path=str(tmp_path / "lm")))
    ((said,),) = lm.generate([chat("Repeat this: Peru")], GREEDY)
    assert said.finish in ("stop", "length")
    build(tmp_path / "citing", citing_legs(Settings(scale=2e-4)), tmp_path / "lm")
    load_lm(LocalModel(path=str(tmp_path / "citing")))


def test_legs_have_tasks_that_there_are_and_all_that_there_are() -> None:
    plans = [plan for plan, _ in (*legs(Settings()), *citing_legs(Settings()))]
    assert {task for plan in plans for stage in plan for task in stage.mix} == set(TASKS)
    assert len({leg.seed for _, leg in citing_legs(Settings())}) == 5
