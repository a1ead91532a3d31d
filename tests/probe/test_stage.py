from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.models import Models, load_lm, load_nli
from selfstudy.probe.capability import self_learning_capability
from selfstudy.probe.stage import run_probe
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask, LocalModel, NLIBlock, Recipe, RelearnBlock
from selfstudy.records import Answer, Due, Failure, Proposal, Question, Score, Verdict
from selfstudy.run import Round, Run

from .world import Spots, Student, asking, models, pages

ASKS = (
    asking(method="documents", count=30, per_chunk=6),
    asking(method="open", count=20),
    asking(method="induced", count=20),
)


class Mute(Student):
    """Says nothing of Fiji."""

    def _say(self, prompt: str, rng: random.Random) -> str:
        return "" if "of Fiji? Answer" in prompt else super()._say(prompt, rng)


def recipe(**changes: object) -> Recipe:
    """Of the probe's block, with `block_size` and `max_new_tokens` of answering."""
    answering = {name: changes.pop(name) for name in ("block_size", "max_new_tokens") if name in changes}
    return Recipe.model_validate(
        {"probe": {"ask": ASKS, "samples": 4, **changes}, "answering": {"block_size": 13, **answering}}
    )


def probe(path: Path, student: Student | None = None, **changes: object) -> Round:
    with Run.create_or_resume(path, recipe(**changes)) as run:
        turn = run.round(1)
        run_probe(turn, models(student), Prompts(), pages(), Silent())
    return turn


def files(turn: Round) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(turn.path.glob("*.jsonl"))}


def test_every_question_is_answered_and_scored_as_the_recipe_says(tmp_path: Path) -> None:
    turn = probe(tmp_path / "run")
    questions, answers, scores = turn.read(Question), turn.read(Answer), turn.read(Score)
    ids = [q.id for q in questions]
    assert len(ids) == len(set(ids)) >= 30
    assert ids == [a.question_id for a in answers] == [s.question_id for s in scores]
    assert all(len(a.samples) == 4 for a in answers)
    assert {s.scorer for s in scores} == {"selfcheck-nli"}
    for question, score in zip(questions, scores, strict=True):
        known = any(f"of {letter}" in question.text for letter in "ABCDE")
        assert score.value is not None
        assert score.value == pytest.approx(0.05) if known else score.value > 0.05
    values = {score.question_id: score.value for score in scores}
    metrics = self_learning_capability(turn.iter(Proposal), values, Spots(), 0.5)
    assert metrics.questions == 70
    assert metrics.slc is not None
    assert 0 < metrics.slc < 1


def test_a_finished_probe_asks_nothing(tmp_path: Path) -> None:
    before = files(probe(tmp_path / "run"))
    student = Student()
    assert files(probe(tmp_path / "run", student)) == before
    assert student.calls == 0


def test_questions_of_before_are_asked_again_and_count_as_no_proposals(tmp_path: Path) -> None:
    turns = {}
    for name, block in (("again", RelearnBlock()), ("never", None)):
        plan = recipe().model_copy(update={"relearn": block})
        with Run.create_or_resume(tmp_path / name, plan) as run:
            run_probe(run.round(1), models(), Prompts(), pages(), Silent())
            first = run.round(1).read(Question)
            run.round(1).append(Verdict(question_id=q.id, kind="unknown", score=0.9) for q in first)
            run_probe(run.round(2), models(), Prompts(), pages(), Silent())
            turns[name] = run.round(2)
            wanted = [q.id for q in first]
    again, never = turns["again"], turns["never"]
    assert not never.ids(Due)
    assert [one.question_id for one in again.iter(Due)] == wanted
    asked = again.read(Question)
    assert [q.id for q in asked[: len(wanted)]] == wanted
    assert never.ids(Question) < again.ids(Question) == {a.question_id for a in again.iter(Answer)}
    assert again.read(Proposal) == never.read(Proposal)
    values = {one.question_id: one.value for one in again.iter(Score)}
    found = [self_learning_capability(turn.iter(Proposal), values, Spots(), 0.5) for turn in (again, never)]
    assert found[0] == found[1]


def test_the_seed_and_the_round_change_the_questions(tmp_path: Path) -> None:
    first = probe(tmp_path / "one")
    with Run.create_or_resume(tmp_path / "two", recipe().model_copy(update={"seed": 1})) as run:
        run_probe(run.round(1), models(), Prompts(), pages(), Silent())
        run_probe(run.round(2), models(), Prompts(), pages(), Silent())
        texts = [[p.text for p in turn.read(Proposal)] for turn in (first, run.round(1), run.round(2))]
    assert texts[0] != texts[1] != texts[2]


def test_killed_at_any_write_it_ends_the_same(tmp_path: Path) -> None:
    expected = files(probe(tmp_path / "whole"))
    kill_at = 1
    while _probe_and_die(tmp_path / f"killed-{kill_at}", kill_at):
        assert files(probe(tmp_path / f"killed-{kill_at}")) == expected, f"killed in write {kill_at}"
        kill_at += 1
    assert kill_at > 20


def test_killed_at_any_write_it_keeps_the_failures_of_scores(tmp_path: Path) -> None:
    expected = files(probe(tmp_path / "whole", Mute()))
    assert b"the passage is empty" in expected["failures.jsonl"]
    kill_at = 1
    while _probe_and_die(tmp_path / f"killed-{kill_at}", kill_at, Mute()):
        assert files(probe(tmp_path / f"killed-{kill_at}", Mute())) == expected, f"killed in write {kill_at}"
        kill_at += 1
    assert kill_at > 20


def _probe_and_die(path: Path, kill_at: int, student: Student | None = None) -> bool:
    """Probe in a process that dies in the middle of its `kill_at`-th write to a record file."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    status = 1
    try:
        write, count = os.write, 0

        def dying(descriptor: int, data: bytes) -> int:
            nonlocal count
            count += 1
            if count == kill_at:
                write(descriptor, bytes(data)[: len(data) // 2])
                os._exit(9)
            return write(descriptor, data)

        os.write = dying  # type: ignore[assignment]
        probe(path, student)
        status = 0
    finally:
        os._exit(status)


def test_failed_answers_are_failures_and_never_scores(tmp_path: Path) -> None:
    turn = probe(tmp_path / "run", Student(broken="of Fiji? Answer"))
    broken = {q.id for q in turn.read(Question) if "of Fiji?" in q.text}
    assert broken
    assert not broken & {a.question_id for a in turn.read(Answer)}
    assert not broken & {s.question_id for s in turn.read(Score)}
    failures = {f.item_id: f.message for f in turn.read(Failure)}
    assert all(failures[i] == "no passage: out of luck" for i in broken)


def test_a_failure_of_a_later_stage_is_no_answer(tmp_path: Path) -> None:
    turn = probe(tmp_path / "run")
    before = files(turn)
    last = turn.read(Answer)[-1].question_id
    with Run.open(tmp_path / "run") as run:
        run.round(1).append([Failure(stage="gather", item_id=last, message="no page")])
    lost = turn.path / Answer.file
    lost.write_bytes(before[Answer.file][:-10])  # a disk that lost the end: probe's marker is dropped
    again = probe(tmp_path / "run")
    assert again.finished("probe")
    assert files(again)[Answer.file] == before[Answer.file]


def test_an_empty_passage_is_an_answer_without_a_score(tmp_path: Path) -> None:
    turn = probe(tmp_path / "run", Mute())
    empty = {q.id for q in turn.read(Question) if "of Fiji?" in q.text}
    scores = {s.question_id: s for s in turn.read(Score)}
    assert empty
    for i in empty:
        assert scores[i].value is None
        assert scores[i].error == "the passage is empty"
    assert empty <= {f.item_id for f in turn.read(Failure)}


def test_the_recipe_chooses_the_scorer(tmp_path: Path) -> None:
    turn = probe(tmp_path / "run", scorer="agreement")
    assert {s.scorer for s in turn.read(Score)} == {"agreement"}


def test_a_scorer_of_the_passage_alone_needs_no_samples(tmp_path: Path) -> None:
    student = Student()
    turn = probe(tmp_path / "run", student, samples=0, scorer="passage-likelihood")
    answers, scores = turn.read(Answer), turn.read(Score)
    assert len(answers) >= 30
    assert all(answer.passage.text and not answer.samples for answer in answers)
    assert [score.question_id for score in scores] == [answer.question_id for answer in answers]
    assert all(score.value is not None for score in scores)
    broken = probe(tmp_path / "broken", Student("of Fiji? Answer"), samples=0, scorer="passage-likelihood")
    failed = [failure.message for failure in broken.read(Failure) if "passage" in failure.message]
    assert failed
    assert set(failed) == {"no passage: out of luck"}


def test_a_missing_source_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    student = Student()
    with pytest.raises(DataError, match="external"):
        probe(tmp_path / "run", student, ask=(*ASKS, Ask(method="external", count=3)))
    assert student.calls == 0


def test_no_documents_is_no_crash(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", recipe(ask=ASKS[:1])) as run:
        run_probe(run.round(1), models(), Prompts(), [], Silent())
        assert run.round(1).finished("probe")
        assert run.round(1).read(Question) == []


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen3", "gemma", "mamba"])
def test_any_real_model_goes_through_and_resumes_to_the_same_floats(
    tmp_path: Path, model_folder: Callable[..., Path], tiny_nli: Path, kind: str
) -> None:
    loaded = Models(
        # 256 positions are too few for demonstrations
        lm=load_lm(LocalModel(path=str(model_folder(kind)), device="cpu", demonstrations=False)),
        nli=load_nli(NLIBlock(path=str(tiny_nli), device="cpu")),
        embedder=Spots(),
    )
    titles = tmp_path / "titles.txt"
    titles.write_text("Solar eclipse\nWorld Cup\n", encoding="utf-8")
    asks = (
        asking(method="open", count=4, max_new_tokens=12),
        Ask(method="external", count=2, source=titles, max_new_tokens=12),
        asking(method="documents", count=2, max_new_tokens=12),
    )
    small = recipe(ask=asks, block_size=3, samples=2, max_new_tokens=8)

    with Run.create_or_resume(tmp_path / "run", small) as run:
        turn = run.round(1)
        run_probe(turn, loaded, Prompts(), pages()[:3], Silent())
    whole = files(turn)
    assert len(turn.read(Question)) + len({f.item_id for f in turn.read(Failure)}) >= 6
    assert turn.read(Answer)

    # lose the end of the answers and all that came after
    lines = whole["answers.jsonl"].splitlines(keepends=True)
    (turn.path / "answers.jsonl").write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    (turn.path / "scores.jsonl").unlink()
    (turn.path / "probe.done").unlink()
    with Run.create_or_resume(tmp_path / "run", small) as run:
        run_probe(run.round(1), loaded, Prompts(), pages()[:3], Silent())
    assert files(turn) == whole
