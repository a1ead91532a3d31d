"""Records in a folder: what is written comes back, whatever a kill or a full disk left."""

from __future__ import annotations

import os
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.errors import RunError
from selfstudy.files import jsonl
from selfstudy.recipe import Recipe
from selfstudy.records import Answer, Completion, Practised, Proposal, Question, Score, TrainingStep
from selfstudy.run import Run

from .test_directory import questions


def test_records_come_back_equal_and_in_order(place: Path, recipe: Recipe) -> None:
    answer = Answer(
        question_id="q",
        passage=Completion(text="Paris.\n\u2028 NUL \x00 end"),
        samples=(Completion(text="é"),),
    )
    with Run.create_or_resume(place, recipe) as run:
        run.round(1).append([*questions(3), answer])
        run.round(1).append(questions(5))
    with Run.open(place, write=False) as run:
        turn = run.rounds[0]
        assert turn.read(Question) == questions(5)
        assert turn.read(Answer) == [answer]
        assert turn.ids(Question) == {q.id for q in questions(5)}
        assert (turn.count(Question), turn.count(Score)) == (5, 0)
        assert turn.read(Score) == []
        assert run.recipe == recipe


def test_records_with_a_value_are_found_whatever_stands_around_it(place: Path, recipe: Recipe) -> None:
    """As by reading all and choosing: also of a file that somebody else wrote."""
    odd = ['a"b', "\\", "\u2028", "", "q1", "q10", "ü", '","question_id":"q1']
    with Run.create_or_resume(place, recipe) as run:
        turn = run.round(1)
        turn.append([Score(question_id=name, scorer=f's "question_id":"{name}"', value=0.5) for name in odd])
        turn.append([Proposal(ask=0, index=n, method="open", question_id=odd[n] or None) for n in range(8)])
        for name in odd:
            for kind in (Score, Proposal):
                expected = [one for one in turn.iter(kind) if one.question_id == name]
                assert list(turn.where(kind, "question_id", {name})) == expected
        assert list(turn.where(Score, "question_id", odd)) == turn.read(Score)
        assert list(turn.where(Score, "question_id", ())) == []
        (turn.path / Score.file).write_text('{ "scorer" : "s", "value": 0.5, "question_id"  :  "spaced" }\n')
        assert [one.scorer for one in turn.where(Score, "question_id", {"spaced"})] == ["s"]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=30)), max_size=12),
    st.integers(0, 400),
    st.integers(1, 300),
)
def test_blocks_are_passed_over_as_if_each_line_was_looked_at(
    rows: list[tuple[str, str]], torn: int, block: int
) -> None:
    """Wherever the file ends, and wherever blocks do."""
    with tempfile.TemporaryDirectory() as place, Run.create_or_resume(Path(place) / "run", Recipe()) as run:
        turn = run.round(1)
        turn.append(
            Practised(id=str(n), question_id=name, question=text) for n, (name, text) in enumerate(rows)
        )
        file = turn.path / Practised.file
        if file.exists():
            file.write_bytes(file.read_bytes()[: -torn or None])
        expected = [one for one in turn.iter(Practised) if one.question_id == "a"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jsonl, "_BLOCK", block)
            assert list(turn.where(Practised, "question_id", ("a",))) == expected
        assert list(turn.where(Practised, "question_id", ("a", *"0123456789"))) == expected  # line by line


def test_of_lines_about_others_only_halves_are_damage(place: Path, recipe: Recipe) -> None:
    with Run.create_or_resume(place, recipe) as run:
        turn = run.round(1)
        turn.append([Score(question_id=name, scorer="s", value=0.5) for name in ("a", "b")])
        file = turn.path / Score.file
        one, two = file.read_bytes().splitlines(keepends=True)
        for damage in (one[:40] + b"\n", b"\n", b"[1]\n", b"{}\n", one.replace(b"0.5", b"5.0")):
            file.write_bytes(damage + two)
            with pytest.raises(RunError, match=r"scores\.jsonl, line 1 is damaged"):
                list(turn.where(Score, "question_id", {"a"}))
        file.write_bytes(one.replace(b"0.5", b"5.0") + two)
        assert len(list(turn.where(Score, "question_id", {"b"}))) == 1
        file.write_bytes(one + two[:-20])
        assert len(list(turn.where(Score, "question_id", {"b"}))) == 0  # torn, as by `iter`


def test_a_loss_that_is_not_a_number_survives(place: Path, recipe: Recipe) -> None:
    step = TrainingStep(arm="taught", phase="sft", step=1, loss=float("nan"), metrics={"grad": float("inf")})
    with Run.create_or_resume(place, recipe) as run:
        run.round(1).append([step])
        back = run.round(1).read(TrainingStep)[0]
    assert str(back.loss) == "nan"
    assert back.metrics == {"grad": float("inf")}


def test_lone_surrogate_that_slipped_through_does_not_break_the_file(place: Path, recipe: Recipe) -> None:
    hostile = Question.model_construct(id="x", text="a\ud800b", topic="", method="external", document_id=None)
    with Run.create_or_resume(place, recipe) as run:
        run.round(1).append([hostile, *questions(1)])
        assert [q.text for q in run.round(1).read(Question)] == ["a?b", "What is 0?"]


def test_a_damaged_line_in_the_middle_names_file_and_line(place: Path, recipe: Recipe) -> None:
    with Run.create_or_resume(place, recipe) as run:
        run.round(1).append(questions(3))
    file = place / "rounds/1/questions.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    for damage in (b"garbage\n", b"[1]\n", b'{"id": "x", "text": 3}\n', b"\n"):
        file.write_bytes(lines[0] + damage + lines[2])
        with Run.open(place) as run, pytest.raises(RunError, match=r"questions\.jsonl, line 2"):
            run.round(1).read(Question)
    file.write_bytes(lines[0] + b"garbage\n" + lines[2])
    with Run.open(place) as run, pytest.raises(RunError, match="line 2"):
        run.round(1).append(questions(4))


def test_rewrite_starts_a_kind_again(place: Path, recipe: Recipe) -> None:
    with Run.create_or_resume(place, recipe) as run:
        turn = run.round(1)
        turn.append(questions(3))
        turn.rewrite(Question, questions(3)[1:])
        assert turn.read(Question) == questions(3)[1:]
        turn.append(questions(3))  # the first one is not there any more
        assert turn.read(Question) == [*questions(3)[1:], questions(1)[0]]
        turn.rewrite(Question, [])
        assert turn.read(Question) == []
        turn.append(questions(1))
        assert turn.read(Question) == questions(1)


def test_a_rewrite_streams_out_of_the_file_that_it_replaces(place: Path, recipe: Recipe) -> None:
    """One record at a time: a file may be larger than the memory."""
    alive: list[weakref.ref[Question]] = []
    most = 0
    with Run.create_or_resume(place, recipe) as run:
        turn = run.round(1)
        turn.append(questions(100))

        def odd() -> Iterator[Question]:
            nonlocal most
            for number, question in enumerate(turn.iter(Question)):
                alive.append(weakref.ref(question))
                most = max(most, sum(ref() is not None for ref in alive))
                if number % 2:
                    yield question

        turn.rewrite(Question, odd())
        assert turn.read(Question) == questions(100)[1::2]
        turn.append(questions(2))
        assert turn.count(Question) == 51
    assert most <= 3


def test_a_rewrite_that_fails_loses_nothing(
    place: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with Run.create_or_resume(place, recipe) as run:
        turn = run.round(1)
        turn.append(questions(3))
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match="No space left"):
            turn.rewrite(Question, questions(1))
        assert turn.read(Question) == questions(3)
        assert turn.ids(Question) == {q.id for q in questions(3)}


def test_appending_is_near_linear(place: Path, recipe: Recipe) -> None:
    with Run.create_or_resume(place, recipe) as run:
        run.round(1).append(Question(text=f"bulk {n}") for n in range(20_000))
        start = time.perf_counter()
        for n in range(20):  # small appends to a large file read nothing back
            run.round(1).append([Question(text=f"single {n}")])
        assert time.perf_counter() - start < 2
        assert len(run.round(1).ids(Question)) == 20_020
