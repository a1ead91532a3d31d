"""One command, from a tombstone to a clean folder; killed anywhere, the same command goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from selfstudy.errors import ModelError, RunError
from selfstudy.files import jsonl, own, private
from selfstudy.progress import Silent
from selfstudy.recipe import Ask, DeployBlock, ProbeBlock, Recipe, RemoteModel
from selfstudy.records import Answer, Completion, Question, Verdict
from selfstudy.run import Run, forgotten
from selfstudy.run.curriculum import Curriculum
from selfstudy.verbs.unlearning import forgetting
from selfstudy.verbs.unlearning.cleaning import Cleaned

from .small_run import CHILE, IDS, OF_PERU, PAGES, PERU, SECRET, SHARED, made, routed

PERU_1, CHILE_1 = "What is the capital of Peru?", "What is the capital of Chile?"


def laid(path: Path, *, both: bool = False) -> Path:
    """A run of two rounds with adapters; `both`: one holds what stays, too."""
    made(path, recipe=Recipe(deploy=DeployBlock(type="dynamic")))
    with Run.open(path) as run:
        peru = (IDS[PERU_1], *([IDS["How dry are the deserts of Chile?"]] if both else []))
        parts = {
            "peru": Curriculum(round=1, group="peru", questions=peru),
            "chile": Curriculum(round=1, group="chile", questions=(IDS[CHILE_1],)),
        }
        for round_ in run.rounds:
            routed(round_.adapter(), parts)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return laid(tmp_path / "run")


class Taught:
    """In the place of the loop: says which rounds it was asked for, and marks them."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rounds: list[int] = []

    def again(self, rounds: Sequence[int]) -> None:
        self.rounds += rounds
        for number in rounds:
            round_ = self.run.round(number)
            own.unfinished(round_.adapter()).joinpath("final").rename(round_.adapter())
            own.remove(own.unfinished(round_.adapter()))
            for stage in ("teach", "verify"):
                round_.finish(stage)

    def summarise(self) -> None:
        self.run.write_json(self.run.summary_file, {"questions": 2})


def forget(path: Path, pattern: str = PERU) -> tuple[Cleaned, list[int]]:
    with Run.open(path) as run:
        plan = forgetting.plan(run, pattern)
        taught = Taught(run)
        return forgetting.carry_out(run, plan, taught.again, taught.summarise, Silent()), taught.rounds


def said(path: Path) -> bytes:
    return b"\n".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())


def state(path: Path) -> dict[str, bytes]:
    return {str(f.relative_to(path)): f.read_bytes() for f in sorted(path.rglob("*")) if f.is_file()}


def test_a_tombstone_stays_and_no_word_of_it(path: Path) -> None:
    cleaned, rounds = forget(path)
    assert rounds == []
    assert cleaned.records
    with Run.open(path, write=False) as run:
        (stone,) = forgotten.tombstones(run)
        assert PERU in forgotten.forgotten_sources(run)
    assert stone.finished
    assert stone.sources == (PERU,)
    assert set(stone.questions) == OF_PERU
    assert [name.rpartition("-")[0] for name in stone.adapters] == ["peru"]
    left = said(path)
    for gone in (SECRET, "Lima", "treasure"):
        assert gone.encode() not in left
    assert b"Santiago" in left


def test_nothing_changes_before_it_is_carried_out(path: Path) -> None:
    before = state(path)
    with Run.open(path, write=False) as run:
        plan = forgetting.plan(run, PERU)
    assert (plan.counts["examples"], plan.counts["pairs"], plan.resumed, plan.all_of_it) == (
        4,
        4,
        False,
        False,
    )
    assert state(path) == before


def test_what_fits_nothing_is_refused_and_says_what_there_is(path: Path) -> None:
    before = state(path)
    with pytest.raises(RunError, match="nothing was changed") as caught:
        forget(path, "north/*")
    assert CHILE in str(caught.value)
    assert state(path) == before
    forget(path)
    with pytest.raises(RunError, match="already"):
        forget(path)


def test_everything_is_said_to_be_everything(path: Path) -> None:
    with Run.open(path, write=False) as run:
        assert forgetting.plan(run, "*").all_of_it
    cleaned, _ = forget(path, "*")
    assert cleaned.left == []
    with Run.open(path, write=False) as run:
        assert not run.round(1).read(Question)


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power fails here, and a disk takes long to say so."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


class Killed(BaseException):
    pass


STEPS = ((jsonl, "replace_lines"), (shutil, "rmtree"), (Path, "unlink"), (Path, "rename"), (os, "fsync"))
"""What changes a disk."""


@pytest.mark.parametrize("both", [False, True])
def test_a_kill_at_any_step_is_gone_on_from(
    tmp_path: Path, both: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each step in turn: what comes of it is what an undisturbed run comes to."""
    origin = laid(tmp_path / "origin", both=both)
    whole = shutil.copytree(origin, tmp_path / "whole")
    _, again = forget(whole)
    assert again == ([1, 2] if both else [])
    wanted = {name: data for name, data in state(whole).items() if not name.endswith((".selfstudy", "lock"))}
    done, at = False, 0
    while not done:
        path = shutil.copytree(origin, tmp_path / f"run-{at}")
        with monkeypatch.context() as patch:
            done = not killed(patch, path, at)
        forget_again(path)
        found = {
            name: data for name, data in state(path).items() if not name.endswith((".selfstudy", "lock"))
        }
        assert found.keys() == wanted.keys(), at
        assert {name for name in found if found[name] != wanted[name]} == set(), at
        shutil.rmtree(path)
        at += 1 if at < 12 else 40  # most of what follows is file after file of the same
    assert at > 12


def killed(patch: pytest.MonkeyPatch, path: Path, at: int) -> bool:
    left = [at]

    def mortal(owner: object, name: str) -> None:
        real = getattr(owner, name)

        def step(*args: object, **others: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*args, **others)

        patch.setattr(owner, name, step)

    for owner, name in STEPS:
        mortal(owner, name)
    try:
        forget(path)
    except Killed:
        return True
    return False


def forget_again(path: Path) -> None:
    """The same command; once all is done there is nothing to forget."""
    with Run.open(path) as run:
        stones = forgotten.tombstones(run)
        if stones and not stones[-1].finished:
            with pytest.raises(RunError, match="half way"):
                forgotten.require_finished(run)
            with pytest.raises(RunError, match="half way"):
                forgetting.plan(run, "another")
    if not (stones and stones[-1].finished):
        forget(path)


def test_a_run_that_is_open_elsewhere(path: Path) -> None:
    with Run.open(path), pytest.raises(RunError, match="being written"):
        forget(path)


def test_links_in_the_run_lead_nowhere(path: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jsonl"
    outside.write_text(SECRET)
    (path / "rounds/1/more.jsonl").symlink_to(outside)
    with pytest.raises(RunError, match="link"):
        forget(path)
    assert outside.read_text() == SECRET


def test_files_that_may_only_be_read_are_replaced_all_the_same(path: Path) -> None:
    for file in path.rglob("*.jsonl"):
        file.chmod(0o400)
    forget(path)
    assert SECRET.encode() not in said(path)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "docs/south"
    folder.mkdir(parents=True)
    for source, text in PAGES.items():
        (tmp_path / "docs" / source).write_text(text)
    return tmp_path / "docs"


def test_the_library_is_read_for_what_no_record_has_and_stays_as_it_is(
    tmp_path: Path, documents: Path
) -> None:
    (documents / "south/bolivia.md").write_text("Nobody asked about the salt of Bolivia yet.")
    path = made(tmp_path / "run", recipe=Recipe.model_validate({"library": str(documents)}))
    gate = {"promoted": False, "reasons": [f"it is said: {SECRET}"]}
    (path / "rounds/1/gate.json").write_text(json.dumps(gate))
    with Run.open(path) as run:
        assert {one.source for one in forgetting.documents_here(run)} == {*PAGES, "south/bolivia.md"}
        assert any(str(documents) in line for line in forgetting.not_covered(run))
    forget(path, "south/bolivia.md")
    forget(path)
    assert SECRET.encode() not in said(path)
    assert len(list(documents.rglob("*.md"))) == 3
    shutil.rmtree(documents)
    with Run.open(path) as run:
        assert forgetting.documents_here(run) == []


def test_what_is_forgotten_already_is_no_source_that_says_it_too(tmp_path: Path, documents: Path) -> None:
    """Its documents lie in the library still."""
    path = made(tmp_path / "run", recipe=Recipe.model_validate({"library": str(documents)}))
    (path / "rounds/1/gate.json").write_text(json.dumps({"promoted": False, "reasons": [SHARED]}))
    forget(path)
    assert SHARED.encode() in said(path)
    with Run.open(path, write=False) as run:
        assert forgetting.plan(run, CHILE).all_of_it
    forget(path, CHILE)
    assert SHARED.encode() not in said(path)


def test_a_damaged_router_is_told_before_anything_is_half_done(path: Path) -> None:
    router = path / "rounds/1/adapter/router.json"
    router.write_text("{torn")
    before = state(path)
    with pytest.raises(ModelError, match="damaged"):
        forget(path)
    assert state(path) == before


def quoting(path: Path) -> str:
    """Adds a question that rests on nothing, whose answer quotes the source; its id."""
    question = Question(text="Which zebra sleeps?")
    answer = Completion(text=f"So it is: {SECRET}")
    with Run.open(path) as run:
        run.round(1).append([question, Answer(question_id=question.id, passage=answer, samples=())])
        run.round(1).append([Verdict(question_id=question.id, kind="unverifiable", score=0.1)])
    return question.id


def test_a_question_that_quotes_it_goes_whole_after_a_kill_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer tells that it quotes, and is in the first file that is cleaned."""
    name, real = quoting(path), jsonl.replace_lines

    def replace(file: Path, lines: Iterable[bytes], root: Path | None, mode: int = private.FILE) -> None:
        real(file, lines, root, mode)
        if file.name == Answer.file:
            raise Killed

    monkeypatch.setattr(jsonl, "replace_lines", replace)
    with pytest.raises(Killed):
        forget(path)
    monkeypatch.setattr(jsonl, "replace_lines", real)
    forget(path)
    with Run.open(path, write=False) as run:
        assert name in forgotten.tombstones(run)[0].questions
        for kind in (Question, Answer, Verdict):
            assert name not in {getattr(one, "question_id", one.id) for one in run.round(1).iter(kind)}


def test_no_router_keeps_words_of_a_question_that_quotes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "run", recipe=Recipe(deploy=DeployBlock(type="dynamic")))
    name = quoting(path)
    monkeypatch.setitem(IDS, "Which zebra sleeps?", name)
    with Run.open(path) as run:
        chile = Curriculum(round=1, group="chile", questions=(IDS[CHILE_1],))
        folder = run.round(1).adapter()
        routed(folder, {"chile": chile}, {name})
        unfinished = own.unfinished(run.round(2).adapter())
        own.make(unfinished)
        shutil.copytree(folder, unfinished / "final")
    assert said(path).count(b"zebra") > 2
    forget(path)
    assert b"zebra" not in said(path)
    assert (unfinished / "final" / "router.json").is_file()


def test_replies_of_remote_models_are_the_users_own(tmp_path: Path) -> None:
    model = RemoteModel(model="m", base_url="http://127.0.0.1:1/v1")
    with Run.create_or_resume(tmp_path / "run", Recipe(model=model)) as run:
        assert any("your own cache" in line for line in forgetting.not_covered(run))
    with Run.create_or_resume(tmp_path / "other", Recipe(model=model, cache=False)) as run:
        assert not any("your own cache" in line for line in forgetting.not_covered(run))


def test_logs_of_requests_are_the_users_own(tmp_path: Path) -> None:
    ask = Ask(method="logs", source=tmp_path / "requests.jsonl", count=1)
    with Run.create_or_resume(tmp_path / "run", Recipe(probe=ProbeBlock(ask=(ask,)))) as run:
        assert any("requests.jsonl" in line for line in forgetting.not_covered(run))
    with Run.create_or_resume(tmp_path / "other", Recipe()) as run:
        assert not any("logs of requests stay" in line for line in forgetting.not_covered(run))


def test_figures_are_written_into_its_own_tombstone(path: Path) -> None:
    forget(path)
    with Run.open(path) as run:
        forgetting.verified(run, PERU, {"asked": 2, "ks_p": 1.0, "unseen": "base", "ks": None})
        assert forgotten.tombstones(run)[0].verified["ks_p"] == 1.0
