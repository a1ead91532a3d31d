"""Questions with documents through the whole stage: asked, judged, resumed, counted where they fail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.files.rows import Row
from selfstudy.judging.trust import REFUSAL
from selfstudy.models.base import Progress, Sampling
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import Chat, CitedCheck, Completion, Example, Failure, Practised
from selfstudy.run import Round, Run
from selfstudy.verbs.citing.evaluating import evaluate
from selfstudy.verify.citing import ARMS, ask_cited, plan_cited
from selfstudy.verify.citing_figures import figures
from selfstudy.verify.gains import Resampling
from selfstudy.verify.gate import Gate
from selfstudy.verify.stage import run_verify

from .towns import EVERYTHING, MODELS_KNOWN, Oracle, fill
from .towns import recipe as towns


class Reads:
    """Entails what stands in the premise."""

    name = "reads"

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        right = np.array([float(label == "entailment") for label in self.classes(pairs)])
        return np.stack([right, 1 - right], axis=1)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return ["entailment" if b.strip().rstrip(".") in a else "contradiction" for a, b in pairs]


class Scholar(Oracle):
    """Answers from documents: cites the right one if it `cites`, refuses the rest if it `refuses`."""

    def __init__(
        self, *, cites: bool = True, refuses: bool = True, fails: frozenset[int] = frozenset(), dies: int = -1
    ) -> None:
        super().__init__(EVERYTHING if cites else MODELS_KNOWN, fails=fails)
        self.cites, self.refuses, self.dies = cites, refuses, dies
        self.with_documents: list[int] = []

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        if chats[0][-1].content.startswith("Documents:"):
            if len(self.with_documents) == self.dies:
                raise KilledError
            self.with_documents.append(len(chats))
            assert sampling.total == 1
            assert sampling.max_new_tokens == 50
        return super().generate(chats, sampling, progress)

    def _answer(self, prompt: str, k: int) -> Completion:
        if not prompt.startswith("Documents:"):
            return super()._answer(prompt, k)
        documents, question = prompt.split("\nQuestion: ")
        town = int(re.findall(r"Town(\d+)", question)[0])
        if town in self.fails:
            return Completion(text="", finish="error", error="out of memory")
        found = re.search(rf"\[(\d)\] The mayor of Town{town} is", documents)
        number = found[1] if found else "1"
        if found is None and self.refuses:
            return Completion(text=REFUSAL)
        mark = f" [{number}]" if self.cites else ""
        return Completion(text=f"The mayor of Town{town} is Mayor{town}{mark}.\nAnd so on.")


class KilledError(BaseException):
    pass


def recipe(**changes: object) -> Recipe:
    made = towns(
        repeats=0, strengths=[], max_questions=20, citing={"documents": 3, "max_new_tokens": 50}, **changes
    )
    teach = made.teach.model_copy(update={"phases": None, "method": "rejection"})
    return made.model_copy(update={"teach": teach})


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Round]:
    with Run.create_or_resume(tmp_path / "run", recipe()) as run:
        fill(run.round(1))
        yield run.round(1)


def verify(turn: Round, after: Oracle, before: Oracle | None = None) -> Gate:
    arms = {"base": before or Scholar(cites=False, refuses=False), "taught": after}
    loaders = {arm: partial(_same, lm) for arm, lm in arms.items()}
    return run_verify(turn, loaders, Reads(), Prompts(), None, Silent())  # type: ignore[arg-type]


def _same(lm: Oracle) -> Oracle:
    return lm


def test_every_arm_is_asked_the_same_with_the_page_and_without_it(turn: Round) -> None:
    gate = verify(turn, Scholar())
    checks = turn.read(CitedCheck)
    arms = {arm: [c for c in checks if c.arm == arm] for arm in ("base", "taught")}
    assert [len(some) for some in arms.values()] == [40, 40]
    assert [(c.question, c.docs) for c in arms["base"]] == [(c.question, c.docs) for c in arms["taught"]]
    for check in checks:
        town = int(re.findall(r"\d+", check.question)[0])
        assert town in MODELS_KNOWN  # never a gap
        assert len(check.docs) == 3  # withheld or not
        answers = [f"The mayor of Town{town} is" in one.text for one in check.docs]
        assert answers == [bool(one.answers_found[0]) for one in check.docs]
        assert any(answers) is not check.withheld
    assert {c.output for c in arms["taught"] if c.withheld} == {REFUSAL}
    assert all(c.output and "\n" not in c.output for c in checks)
    gains = gate.cited
    assert (gains["citation_recall"].before, gains["citation_recall"].after) == (0, 1)
    assert (gains["claim_recall"].before, gains["claim_recall"].after) == (1, 1)
    assert (gains["f1_ref"].before, gains["f1_ref"].after) == (0, 1)
    assert gains["trust_score"].after == 1
    assert gains["trust_score"].low > 0
    assert any("upper bound" in note for note in gate.notes)
    assert gate.reasons[0].startswith("Known questions")  # so few of them exclude no fall
    assert not any("Trust-Score" in reason for reason in gate.reasons)


@pytest.mark.parametrize("premise", ["sentences", "whole"])
def test_citations_are_judged_as_where_they_are_rewarded(tmp_path: Path, premise: str) -> None:
    """A page at a time, or a sentence, as the recipe of the evaluator says; answers from memory as ever."""

    class Listens(Reads):
        def __init__(self) -> None:
            self.premises: set[str] = set()

        def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
            self.premises |= {a for a, _ in pairs}
            return super().classes(pairs)

    nli = Listens()
    with Run.create_or_resume(tmp_path / "run", recipe(nli={"premise": premise})) as run:
        turn = run.round(1)
        fill(turn)
        lm = Scholar()
        run_verify(turn, {"base": lambda: lm, "taught": lambda: lm}, nli, Prompts(), None, Silent())
    pages = {one for one in nli.premises if "It is a town." in one}
    assert pages
    assert all((one == "It is a town.") == (premise == "sentences") for one in pages)


def test_nothing_is_asked_with_documents_where_no_phase_trains_to_cite(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", towns()) as run:
        fill(run.round(1))
        assert plan_cited(run.round(1), Reads(), None) == []
        gate = verify(run.round(1), Oracle(EVERYTHING), Oracle(MODELS_KNOWN))
        assert not run.round(1).read(CitedCheck)
        assert "cited" not in gate.model_dump(mode="json")
        assert not any("Cited" in note for note in gate.notes)


@pytest.mark.parametrize("practised", [False, True])
def test_what_was_trained_is_not_asked(turn: Round, practised: bool) -> None:
    asked = {one.question_id for one in plan_cited(turn, Reads(), None)}
    chosen = sorted(asked)[0]
    learned = Example(prompt=(), completion="x", question_id=chosen, kind="cited")
    turn.append([Practised(question_id=chosen, question="-") if practised else learned])
    assert chosen not in {one.question_id for one in plan_cited(turn, Reads(), None)}


def test_a_failed_item_has_its_error_and_no_score(turn: Round) -> None:
    towns_asked = {int(re.findall(r"\d+", i.item.question)[0]) for i in plan_cited(turn, Reads(), None)}
    failing = min(towns_asked)
    verify(turn, Scholar(fails=frozenset({failing})))
    failed = [c for c in turn.read(CitedCheck) if c.error]
    assert len(failed) == 2
    assert {c.error for c in failed} == {"out of memory"}
    assert all(c.output is None and c.refused is None and not c.parts for c in failed)
    assert {c.id for c in failed} <= {f.item_id for f in turn.read(Failure)}


def test_what_cannot_be_judged_has_failed(turn: Round) -> None:
    class Broken(Reads):
        def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
            found = super().classes(pairs)
            return ["" if "[" not in b and "Mayor" in a and "Town" in b and len(a) < 60 else label
                    for label, (a, b) in zip(found, pairs, strict=True)]  # fmt: skip

    items = plan_cited(turn, Reads(), None)[:4]
    ask_cited(turn, "taught", partial(_same, Scholar()), Broken(), Prompts(), items, Silent())
    checks = turn.read(CitedCheck)
    assert len(checks) == 4
    assert all(c.error and "no number" in c.error and not c.parts for c in checks)


@pytest.mark.parametrize("dies", [0, 3])
def test_a_killed_run_goes_on_and_ends_equal(tmp_path: Path, dies: int) -> None:
    for name in ("whole", "broken"):
        with Run.create_or_resume(tmp_path / name, recipe()) as run:
            fill(run.round(1))
            if name == "broken":
                with pytest.raises(KilledError):
                    verify(run.round(1), Scholar(dies=dies))
                before = Scholar(cites=False, refuses=False)
                after = Scholar()
                verify(run.round(1), after, before)
                assert before.with_documents == []
                assert len(after.with_documents) == 4 - dies
            else:
                verify(run.round(1), Scholar())
    for file in ("cited.jsonl", "gate.json", "checks.jsonl"):
        one, other = (tmp_path / name / "rounds/1" / file for name in ("whole", "broken"))
        assert one.read_bytes() == other.read_bytes()


def test_the_model_before_round_1_is_not_asked(turn: Round) -> None:
    assert "original" not in ARMS
    items = plan_cited(turn, Reads(), None)
    ask_cited(turn, "original", lambda: pytest.fail("loaded"), Reads(), Prompts(), items, Silent())
    assert not turn.read(CitedCheck)


def test_its_rows_can_be_judged_by_another(turn: Round) -> None:
    """As `selfstudy cite eval` does: the same judge finds the same."""
    verify(turn, Scholar(cites=True, refuses=False))
    checks = [c for c in turn.read(CitedCheck) if c.arm == "taught"]
    rows = [Row(str(n), c.model_dump(mode="json")) for n, c in enumerate(checks)]
    found = evaluate(rows, Reads())
    own = figures(checks, Resampling(resamples=2))
    assert not found.failed
    assert found.trust is not None
    assert found.trust.trust_score == pytest.approx(own["trust_score"][0])
    assert found.trust.answering.f1 == pytest.approx(own["f1_ans"][0])
