"""Models in the page: of one run at a time, loaded when asked, let go after, and errors are sentences."""

from __future__ import annotations

import time
from pathlib import Path

from selfstudy.errors import SelfstudyError
from selfstudy.run import Run
from selfstudy.ui.talks import Job, Talks
from selfstudy.verbs.chat import TalkTurn
from tests.verbs.test_chat import FIJI, make_run


def asked(talks: Talks, run: Path, said: str = FIJI) -> Job:
    *_, (doing, job) = talks.ask(run, said)
    assert doing == ""
    return job


def test_one_run_is_loaded_and_another_takes_its_place(tmp_path: Path) -> None:
    talks = Talks()
    one, other = make_run(tmp_path / "one"), make_run(tmp_path / "other")
    job = asked(talks, one)
    assert isinstance(job.found, TalkTurn)
    assert [(each.label, each.text) for each in job.found.answers] == [
        ("base", "Suva is the capital of Fiji.")
    ]
    assert job.found.known is not None
    assert (job.found.known.source, job.found.known.round) == ("atlas:country/Fiji", 1)
    assert "base model" in job.notes[0]
    assert talks.loaded == one
    asked(talks, other)
    assert talks.loaded == other
    talks.release()
    assert talks.loaded is None


def test_a_run_that_has_gone_on_is_loaded_anew(tmp_path: Path) -> None:
    talks = Talks()
    path = make_run(tmp_path / "run")
    asked(talks, path)
    before = talks._talk
    asked(talks, path)
    assert talks._talk is before
    with Run.open(path) as run:
        run.write_json(run.round(1).gate_file, {"promoted": False, "reasons": []})
    asked(talks, path)
    assert talks._talk is not before


def test_what_cannot_be_loaded_is_a_sentence_and_the_next_question_is_answered(tmp_path: Path) -> None:
    talks = Talks()
    broken = make_run(tmp_path / "broken")
    broken.with_suffix(".yaml").unlink()
    assert isinstance(asked(talks, broken).found, SelfstudyError)
    assert talks.loaded is None
    assert isinstance(asked(talks, make_run(tmp_path / "whole")).found, TalkTurn)


def test_models_that_nobody_asks_are_let_go(tmp_path: Path) -> None:
    talks = Talks(idle=0.05)
    asked(talks, make_run(tmp_path / "run"))
    end = time.monotonic() + 20
    while talks.loaded is not None and time.monotonic() < end:
        time.sleep(0.02)
    assert talks.loaded is None
