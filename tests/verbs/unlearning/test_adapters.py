"""Which adapters go, which are taught again, and that nothing of them is left anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files import own
from selfstudy.models.router import Router
from selfstudy.models.taught import adapters_of, is_complete, is_routed
from selfstudy.recipe import DeployBlock, Recipe
from selfstudy.records import Check, Example, Pair, Practised
from selfstudy.run import Run
from selfstudy.run.curriculum import Curriculum
from selfstudy.run.standing import hashes, promote
from selfstudy.verbs.unlearning import adapters
from selfstudy.verbs.unlearning.adapters import HoldingAdapters
from selfstudy.verbs.unlearning.resting import Resting, Sources, resting

from .small_run import CHILE, IDS, OF_PERU, PERU, adapter, made, routed

OF_CHILE = set(IDS.values()) - OF_PERU


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.open(made(tmp_path / "run", rounds=3)) as run:
        yield run


def holding(run: Run, pattern: str = PERU, *, rehearsed: bool = False) -> HoldingAdapters:
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
        assert holding(run) == HoldingAdapters(retrained=("round-2", "round-3"), rounds=(2, 3))

    def test_a_rejected_one_is_deleted_and_nothing_was_built_on_it(self, run: Run) -> None:
        for number, questions in ((1, OF_CHILE), (2, OF_PERU), (3, OF_CHILE)):
            only_records_of(run, number, questions)
            adapter(run.round(number).adapter(), Curriculum(round=number, questions=tuple(sorted(questions))))
            gate(run, number, number != 2)
        assert holding(run) == HoldingAdapters(dropped=("round-2",))

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
        assert holding(run) == HoldingAdapters(rehearsed=("round-1",))
        assert holding(run, rehearsed=True) == HoldingAdapters(retrained=("round-1",), rounds=(1,))

    def test_nothing_of_it_was_taught(self, run: Run) -> None:
        assert holding(run) == HoldingAdapters()

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
        assert adapters.unfinished(run, [1, 2, 3]) == (2, 3)
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


PERU_1, CHILE_1 = "What is the capital of Peru?", "What is the capital of Chile?"
PERU_2, CHILE_2 = "Where does the treasure of Peru lie?", "How dry are the deserts of Chile?"


class TestRouted:
    """`deploy: dynamic`: adapters beside each other."""

    @pytest.fixture
    def dynamic(self, tmp_path: Path) -> Iterator[Run]:
        recipe = Recipe(deploy=DeployBlock(type="dynamic"))
        with Run.open(made(tmp_path / "dynamic", rounds=2, recipe=recipe)) as run:
            yield run

    def lay(self, run: Run, *, both: bool = False, replayed: tuple[str, ...] = ()) -> dict[str, str]:
        """Two adapters in round 1, a third in round 2, which holds the others too; the last is promoted."""
        peru = Curriculum(round=1, group="peru", questions=(IDS[PERU_1], *([IDS[CHILE_2]] if both else [])))
        chile = Curriculum(round=1, group="chile", questions=(IDS[CHILE_1],), replayed=replayed)
        later = Curriculum(round=2, group="later", questions=(IDS[CHILE_2],))
        for arm in ("taught", "control"):
            routed(run.round(1).adapter(arm), {"peru": peru, "chile": chile}, {IDS[PERU_2]})  # type: ignore[arg-type]
        names = routed(run.round(2).adapter(), {"peru": peru, "chile": chile, "later": later}, {IDS[PERU_2]})
        promote(run.round(2), lambda: run.round(2).adapter(), move=False)
        gate(run, 1, True)
        gate(run, 2, True)
        return names

    def test_a_control_was_given_the_answers_of_all_groups(self, dynamic: Run) -> None:
        """Exchanged between them: its adapter of another group holds those of this one."""
        peru = Curriculum(round=1, arm="control", group="peru", questions=(IDS[PERU_1],))
        chile = Curriculum(round=1, arm="control", group="chile", questions=(IDS[CHILE_1],))
        control = routed(dynamic.round(1).adapter("control"), {"peru": peru, "chile": chile}, set())
        assert holding(dynamic) == HoldingAdapters(dropped=tuple(sorted(control.values())))
        assert holding(dynamic, "nowhere.md") == HoldingAdapters()

    def test_one_that_holds_nothing_else_is_dropped_and_the_rest_stays_byte_for_byte(
        self, dynamic: Run
    ) -> None:
        names = self.lay(dynamic)
        held = holding(dynamic)
        assert held == HoldingAdapters(dropped=(names["peru"],))
        before = {
            p: p.read_bytes() for p in dynamic.path.rglob("*.safetensors") if names["peru"] not in str(p)
        }
        folders = [dynamic.round(1).adapter(), dynamic.round(1).adapter("control")]
        folders += [dynamic.round(2).adapter(), dynamic.promoted_folder]
        routes = [Router.load(folder).route([CHILE_1, PERU_1]) for folder in folders]
        assert all(one[1].adapter == names["peru"] for one in routes)
        adapters.drop(dynamic, held.gone, held.rounds, OF_PERU)
        assert not [p for p in dynamic.path.rglob("*") if names["peru"] in p.name]
        assert {p: p.read_bytes() for p in dynamic.path.rglob("*.safetensors")} == before
        for folder, (to_chile, _) in zip(folders, routes, strict=True):
            router = Router.load(folder)
            assert router.route([CHILE_1])[0].adapter == to_chile.adapter == names["chile"]
            assert router.route([PERU_1])[0].adapter is None
            assert not {one.id for one in router.data.questions} & OF_PERU
            assert "peru" not in router.data.words
        written = dynamic.read_json(dynamic.promoted_file)
        assert written == {"round": 2, "files": hashes(dynamic.promoted_folder)}
        assert dynamic.round(1).finished("verify")
        adapters.drop(dynamic, held.gone, held.rounds, OF_PERU)  # as after a kill

    def test_one_that_holds_other_things_too_is_left_for_teach_to_go_on_with(self, dynamic: Run) -> None:
        names = self.lay(dynamic, both=True)
        held = holding(dynamic)
        assert held == HoldingAdapters(retrained=(names["peru"],), rounds=(1, 2))
        for _ in range(2):  # once more, as after a kill
            adapters.drop(dynamic, held.gone, held.rounds, OF_PERU)
            assert adapters.unfinished(dynamic, [1, 2]) == (1, 2)
            first, second = (own.unfinished(dynamic.round(n).adapter()) / "final" for n in (1, 2))
            assert set(adapters_of(first)) == {names["chile"]}
            assert set(adapters_of(second)) == {names["later"]}  # the others come from what then stands
            assert not is_complete(dynamic.round(1).adapter())
            assert set(adapters_of(dynamic.promoted_folder)) == {names["chile"], names["later"]}

    def test_what_only_rehearsed_it_stays_unless_told(self, dynamic: Run) -> None:
        names = self.lay(dynamic, replayed=(IDS[PERU_2],))
        assert holding(dynamic) == HoldingAdapters(dropped=(names["peru"],), rehearsed=(names["chile"],))
        strict = holding(dynamic, rehearsed=True)
        assert (strict.dropped, strict.retrained, strict.rounds) == (
            (names["peru"],),
            (names["chile"],),
            (1, 2),
        )

    def test_all_of_them(self, dynamic: Run) -> None:
        names = self.lay(dynamic)
        held = holding(dynamic, "south")
        assert set(held.dropped) == set(names.values())
        adapters.drop(dynamic, held.gone, held.rounds, set(IDS.values()))
        assert is_routed(dynamic.promoted_folder)
        assert Router.load(dynamic.promoted_folder).route([PERU_1])[0].adapter is None
        assert not list(dynamic.path.rglob("*.safetensors"))

    def test_a_training_that_was_killed(self, dynamic: Run) -> None:
        temporary = own.unfinished(dynamic.round(1).adapter())
        own.make(temporary)
        for group, asked in (("peru", PERU_1), ("chile", CHILE_1)):
            written = Curriculum(round=1, group=group, questions=(IDS[asked],))
            adapter(temporary / "final" / f"{group}-12345678", written)
        (temporary / "groups/peru/checkpoints").mkdir(parents=True)
        held = holding(dynamic)
        assert held.dropped == ("peru-12345678",)
        adapters.drop(dynamic, held.gone, held.rounds, OF_PERU)
        assert sorted(path.name for path in temporary.iterdir() if path.is_dir()) == ["final"]
        assert set(adapters_of(temporary / "final")) == {"chile-12345678"}
