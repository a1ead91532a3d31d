"""General facts, asked before teaching: when, how many, and that none of them is both trained and tested."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from selfstudy.errors import DataError, ModelError
from selfstudy.models.base import Progress, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Completion, Example, KnownFact, Recheck
from selfstudy.run import Round, Run
from selfstudy.run.split import general_tests, keep_apart, kept_apart, split_of, trained_facts
from selfstudy.teach.gaps import judged_questions
from selfstudy.verify.general import WANTED, ask_general, general_facts
from selfstudy.verify.questions import plan

from ..stories.small import Listener
from .test_rounds import asked, taught
from .towns import EVERYTHING, Oracle, WordNLI, recipe, verify

BUILT_IN = general_facts(None)
ANSWERS = {fact.question: fact.answers[0] for fact in BUILT_IN}


class Everyday(Oracle):
    """Knows towns as an oracle does, and the share `general` of everyday facts."""

    def __init__(self, knows: set[int], general: float = 1.0) -> None:
        super().__init__(knows)
        self.right = set(list(ANSWERS)[: int(general * len(ANSWERS))])

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        return [self._said(chat, sampling, progress) for chat in chats]

    def _said(self, chat: Chat, sampling: Sampling, progress: Progress | None) -> list[Completion]:
        asked = next((q for q in ANSWERS if q in chat[-1].content), None)
        if asked is None:
            return super().generate([chat], sampling, progress)[0]
        self.calls.append(1)
        return [Completion(text=ANSWERS[asked] if asked in self.right else "Unclear.")] * sampling.total


def ask(round_: Round, lm: Oracle, facts: Sequence[KnownFact] = BUILT_IN) -> str:
    """Everything that a person is told."""
    keep_apart(round_.run)
    heard = Listener()
    ask_general(round_, lambda: lm, WordNLI(), Prompts(), facts, heard)
    return " ".join(heard.notes)


def run_of(folder: Path, known: int, **verify: object) -> Run:
    run = Run.create_or_resume(folder, recipe(**verify))
    if not run.round(1).read(KnownFact):
        asked(run.round(1), range(60), range(60, 60 + known))
    return run


def test_the_built_in_set_is_large_and_asks_nothing_twice() -> None:
    assert len(BUILT_IN) >= 400
    assert len({fact.question for fact in BUILT_IN}) == len(BUILT_IN)


def test_too_few_known_questions_are_made_up_for_before_training(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", 20)
    round_ = run.round(1)
    told = ask(round_, Everyday(set(range(60, 80))))
    tests, own = general_tests(run), kept_apart(run)
    assert len(own) < 20
    assert WANTED <= len(tests) + len(own) < WANTED + 64
    assert f"{len(tests)} more test what it forgets, {len(tests)} of which it knows" in told
    assert "cannot be promoted" not in told
    planned = plan(round_, Prompts(), None)
    assert not any(c.order for c in planned), "no lesson has shown demonstrations yet"
    assert {c.question_id for c in planned if c.target == "known"} == own
    general = {c.question_id: c for c in planned if c.target == "general"}
    assert set(general) == tests
    assert all(c.kept for c in general.values())
    replayed = {q.question.id for q in judged_questions(round_)} & {f.id for f in round_.iter(KnownFact)}
    assert len(replayed) > 50
    assert not replayed & tests
    taught(round_)
    assert not {split_of(round_).facts[name] for name in tests} & trained_facts(round_)[1]
    used = {example.question_id for example in round_.iter(Example)} & replayed
    assert used
    assert used <= trained_facts(round_)[1], "what was replayed is no test of a later round either"
    gate = verify(round_, Everyday(set(range(80))), before=Everyday(set(range(60, 80))))
    assert gate.promoted, gate.reasons
    found = gate.gains["general"]
    assert (gate.gains["known"].n, found.facts, found.n) == (len(own), len(tests), 3 * len(tests))
    assert any(note.startswith("General questions were held out") for note in gate.notes)
    assert any(reason.startswith("Known and general questions held out") for reason in gate.reasons)
    run.close()
    with run_of(tmp_path / "other", 20) as other:
        before = Everyday(set(range(60, 80)))
        ask(other.round(1), before)
        forgot = verify(other.round(1), Everyday(set(range(80)), general=0.5), before=before)
        assert (forgot.verdict, forgot.gains["general"].lost > 30) == ("refused", True)
        assert forgot.remain is not None, "a smaller strength may undo it"


class Fickle(Everyday):
    """Right only where a demonstration of its prompt comes first that hangs on the question."""

    def _said(self, chat: Chat, sampling: Sampling, progress: Progress | None) -> list[Completion]:
        shown = [turn.content for turn in chat if turn.demonstration]
        first = Prompts().demonstrations("answer")[2 * (len(chat[-1].content) % 3)].content
        if any(q in chat[-1].content for q in ANSWERS) and shown[:1] != [first]:
            return [Completion(text="Unclear.")] * sampling.total
        return super()._said(chat, sampling, progress)


def test_each_is_asked_in_the_orders_of_the_demonstrations_that_its_model_is_shown(tmp_path: Path) -> None:
    for shown, orders, n in ((True, 3, 3), (True, 2, 2), (True, 9, 3), (False, 3, 1)):
        with run_of(tmp_path / f"{shown}{orders}", 20, orders=orders) as run:
            round_ = run.round(1)
            ask(round_, Everyday(set(range(60, 80))))
            taught(round_, Prompts(demonstrations=shown))
            items = [c for c in plan(round_, Prompts(), None) if c.target == "general"]
            asked = {(c.question_id, tuple(turn.content for turn in c.chat(Prompts()))) for c in items}
            assert len(asked) == len(items) == n * len(general_tests(run))
            assert len({c.unasked("base").id for c in items}) == len(items)
            if (shown, orders) == (True, 3):
                knows = set(range(60, 80))
                gain = verify(round_, Fickle(knows | set(range(60))), before=Fickle(knows)).gains["general"]
                assert gain.before == gain.after == pytest.approx(1 / 3), "each once, right in one of three"
                again = [one.question_id for one in round_.iter(Recheck) if one.target == "general"]
                assert len(again) == 2 * len(set(again)) == 200, "in one order, twice"


def test_what_was_wrong_tests_too_so_that_near_ties_that_turn_over_are_no_forgetting(tmp_path: Path) -> None:
    """A tenth of what it says turns over, either way: among the right alone that is a loss of a tenth."""
    with run_of(tmp_path / "run", 20) as run:
        before = Everyday(set(range(60, 80)), general=0.6)
        told = ask(run.round(1), before)
        tests = general_tests(run)
        right = sum(fact.correct for fact in run.round(1).iter(KnownFact) if fact.id in tests)
        assert f"{len(tests)} more test what it forgets, {right} of which it knows" in told
        assert right >= WANTED - 20 < len(tests)
        after = Everyday(set(range(80)), general=0.6)
        after.right ^= set(random.Random(0).sample(sorted(ANSWERS), len(ANSWERS) // 10))
        gain = verify(run.round(1), after, before=before).gains["general"]
    assert gain.n == gain.facts == len(tests)
    assert gain.before == right / len(tests)
    assert gain.lost > 0 < gain.won


def test_who_knew_too_few_of_them_has_shown_nothing(tmp_path: Path) -> None:
    rows = [{"question": f"What is the mayor of Town{i}?", "answer": f"Mayor{i}"} for i in range(900, 1100)]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    facts = general_facts(str(file))
    for known, verdict in ((20, "cannot tell"), (400, "promoted")):
        with run_of(tmp_path / f"run{known}", known, known_questions=str(file)) as run:
            knows = set(range(60, 60 + known)) | set(range(900, 930))
            told = ask(run.round(1), Oracle(knows), facts)
            assert ("cannot be promoted" in told) == (known == 20)
            gate = verify(run.round(1), Oracle(knows | set(range(60))), before=Oracle(knows))
            assert gate.verdict == verdict
            few = [one for one in gate.reasons if "right before, too small a share" in one]
            assert len(few) == 1


def test_a_run_that_knows_enough_asks_nothing(tmp_path: Path) -> None:
    with run_of(tmp_path / "run", 400) as run:
        silent = Everyday(set())
        assert ask(run.round(1), silent) == ""
        assert silent.calls == []
        assert not run.round(1).read(KnownFact)


def test_a_model_of_another_world_is_asked_one_block_and_told_what_will_come(tmp_path: Path) -> None:
    with run_of(tmp_path / "run", 20) as run:
        told = ask(run.round(1), Everyday(set(), general=0.0))
        assert len(run.round(1).read(KnownFact)) == 64
        assert "cannot be promoted" in told
        assert f"{len(kept_apart(run))} held-out questions that it knows of 52 needed" in told
        assert "0 more test what it forgets, 0 of which it knows" in told
        assert not [one for one in plan(run.round(1), Prompts(), None) if one.target == "general"]
        assert "verify.known_questions=FILE" in told


class Failing(Everyday):
    """Fails on everyday facts until so many were asked."""

    def __init__(self, first: int) -> None:
        super().__init__(set(range(60, 80)))
        self.left = first

    def _said(self, chat: Chat, sampling: Sampling, progress: Progress | None) -> list[Completion]:
        self.left -= 1
        if self.left >= 0:
            return [Completion(text="", finish="error", error="the server is gone")] * sampling.total
        return super()._said(chat, sampling, progress)


def test_a_server_that_is_gone_for_a_while_spoils_nothing(tmp_path: Path) -> None:
    with run_of(tmp_path / "run", 20) as run:
        with pytest.raises(
            ModelError, match=r"general facts: all of the first 64 failed.*the server is gone"
        ):
            ask(run.round(1), Failing(10_000))
        assert not run.round(1).read(KnownFact)
        ask(run.round(1), Everyday(set(range(60, 80))))
        assert len(general_tests(run)) >= WANTED - 20


def test_what_failed_does_not_count_as_not_known(tmp_path: Path) -> None:
    with run_of(tmp_path / "run", 20) as run:
        ask(run.round(1), Failing(60))
        assert sum(fact.error is not None for fact in run.round(1).iter(KnownFact)) == 60
        assert len(general_tests(run)) >= WANTED - 20


def test_a_kill_loses_and_changes_nothing(tmp_path: Path) -> None:
    for name in ("whole", "torn"):
        with run_of(tmp_path / name, 20) as run:
            ask(run.round(1), Everyday(set(range(60, 80))))
    with run_of(tmp_path / "torn", 20) as run:
        written = run.round(1).read(KnownFact)
        run.round(1).rewrite(KnownFact, written[: len(written) - 40])
        ask(run.round(1), Everyday(set(range(60, 80))))
        again = Everyday(set())
        ask(run.round(1), again)
        assert again.calls == []
    left, right = ((tmp_path / name / "rounds/1/known.jsonl").read_bytes() for name in ("whole", "torn"))
    assert left == right


def test_a_file_is_asked_whole_but_for_what_the_run_asks_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    rows = [{"question": f"What is the mayor of Town{i}?", "answer": f"Mayor{i}"} for i in (70, 900, 901)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with run_of(tmp_path / "run", 400, known_questions=str(file)) as run:
        ask(run.round(1), Oracle(EVERYTHING | {900}), general_facts(str(file)))
        found = {fact.question: fact.correct for fact in run.round(1).iter(KnownFact)}
    assert found == {rows[1]["question"]: True, rows[2]["question"]: False}


def test_a_bad_file_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"question": "What is ice?", "answer": "frozen water"}\n{"question": "What is fog?"}\n')
    with pytest.raises(DataError, match=r"verify.known_questions .*mine.jsonl, line 2: field 'answer'"):
        general_facts(str(file))
    with pytest.raises(DataError, match="cannot be read"):
        general_facts(str(tmp_path / "nothing.jsonl"))
