"""Which adapters go, which are taught again, and that nothing of them is left anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files import own
from selfstudy.records import Check, Example, Pair, Practised
from selfstudy.run import Run
from selfstudy.run.curriculum import Curriculum
from selfstudy.run.standing import promote
from selfstudy.verbs.unlearning import adapters
from selfstudy.verbs.unlearning.adapters import Holding
from selfstudy.verbs.unlearning.resting import Resting, Sources, resting

from .small_run import CHILE, IDS, OF_PERU, PERU, adapter, made

OF_CHILE = set(IDS.values()) - OF_PERU


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.open(made(tmp_path / "run", rounds=3)) as run:
        yield run


def holding(run: Run, pattern: str = PERU, *, rehearsed: bool = False) -> Holding:
    sources = Sources(pattern)
    return adapters.holding(run, sources, resting(run, sources), rehearsed=rehearsed)


def only_records_of(run: Run, number: int, questions: set[str]) -> None:
    """A round that was taught these alone."""
    for kind in (Example, Pair):
        kept = [one for one in run.round(number).iter(kind) if one.question_id in questions]
        run.round(number).rewrite(kind, kept)


def gate(run: Run, number: int, promoted: bool) -> None:
    run.write_json(run.round(number).gate_file, {"promoted": promoted})


class TestStacked:
    """`deploy: adapter`: each round trains on what stands."""

    def test_the_first_that_holds_it_and_all_later_ones_are_taught_again(self, run: Run) -> None:
        for number, questions in ((1, OF_CHILE), (2, OF_PERU), (3, OF_CHILE)):
            only_records_of(run, number, questions)
            adapter(run.round(number).adapter(), Curriculum(round=number, questions=tuple(sorted(questions))))
            gate(run, number, True)
        assert holding(run) == Holding(retrained=("round-2", "round-3"), rounds=(2, 3))

    def test_a_rejected_one_is_deleted_and_nothing_was_built_on_it(self, run: Run) -> None:
        for number, questions in ((1, OF_CHILE), (2, OF_PERU), (3, OF_CHILE)):
            only_records_of(run, number, questions)
            adapter(run.round(number).adapter(), Curriculum(round=number, questions=tuple(sorted(questions))))
            gate(run, number, number != 2)
        assert holding(run) == Holding(dropped=("round-2",))

    def test_an_older_run_is_told_by_its_records(self, run: Run) -> None:
        only_records_of(run, 1, OF_CHILE)
        only_records_of(run, 3, OF_CHILE)
        for number in (1, 2, 3):
            adapter(run.round(number).adapter(), None)
            gate(run, number, True)
        assert holding(run).retrained == ("round-2", "round-3")
        run.round(1).append([Practised(question_id=min(OF_PERU), question="?")])
        assert holding(run).rounds == (1, 2, 3)

    def test_rehearsed_only(self, run: Run) -> None:
        for number in (1, 2, 3):
            only_records_of(run, number, OF_CHILE)
        replayed = Curriculum(round=1, questions=tuple(OF_CHILE), replayed=tuple(OF_PERU))
        adapter(run.round(1).adapter(), replayed)
        gate(run, 1, True)
        assert holding(run) == Holding(rehearsed=("round-1",))
        assert holding(run, rehearsed=True) == Holding(retrained=("round-1",), rounds=(1,))

    def test_nothing_of_it_was_taught(self, run: Run) -> None:
        assert holding(run) == Holding()

    def test_what_goes_is_gone_wherever_it_lies(self, run: Run) -> None:
        """Also what a kill left half done, and what was promoted."""
        for number in (1, 2, 3):
            only_records_of(run, number, OF_CHILE if number == 1 else OF_PERU)
            for arm in adapters.ARMS:
                adapter(run.round(number).adapter(arm), None, f"round {number}")
            own.make(own.unfinished(run.round(number).adapter()))
            gate(run, number, True)
        (own.unfinished(run.round(1).adapter()) / "checkpoints").mkdir()
        promote(run.round(3), lambda: run.round(3).adapter(), move=False)
        held = holding(run)
        assert held.rounds == (2, 3)
        adapters.drop(run, held.gone, held.rounds)
        left = sorted(str(path.relative_to(run.path)) for path in run.path.rglob("*.safetensors"))
        assert left == [
            f"rounds/1/{arm}/adapter_model.safetensors" for arm in ("adapter", "control", "weaker")
        ]
        assert not list(run.path.rglob(f"*{own.UNFINISHED}"))
        assert not run.promoted_file.exists()
        assert run.round(1).finished("verify")
        for number in (2, 3):
            round_ = run.round(number)
            assert (round_.finished("gather"), round_.finished("teach"), round_.finished("verify")) == (
                True,
                False,
                False,
            )
            assert not round_.read(Check)
            assert not round_.gate_file.exists()
        assert adapters.unfinished(run) == (2, 3)
        adapters.drop(run, held.gone, held.rounds)  # as after a kill

    def test_a_folder_that_somebody_put_there_is_left(self, run: Run) -> None:
        folder = run.round(1).adapter()
        folder.mkdir()
        (folder / "my thesis.txt").write_text("x")
        with pytest.raises(RunError, match="did not put there"):
            adapters.drop(run, ["round-1"], [])
        assert (folder / "my thesis.txt").exists()


def test_held_by_sources_alone() -> None:
    """An older or foreign curriculum may name sources and no question."""
    found = Resting()
    held = adapters._held(Curriculum(round=1, sources=(PERU, CHILE)), Sources(PERU), found)
    assert (held.taught, held.other) == (True, True)
    assert not adapters._held(Curriculum(round=1, sources=(PERU,)), Sources(PERU), found).other
