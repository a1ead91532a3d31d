"""Worse turns by each of the three ways, and what makes no row."""

from __future__ import annotations

import json
from pathlib import Path

from selfstudy.files.rows import read_rows
from selfstudy.records import Chat
from selfstudy.verbs.importing.preferences import is_preference
from selfstudy.verbs.socratic.attempts import Examinee
from selfstudy.verbs.socratic.rows import Preferred, TurnRows, trl_rows
from selfstudy.verbs.socratic.talk import Dialogue
from tests.verbs.socratic.tutors import ATTEMPT, PROMPTS, TEACHER, TELLER, Counted, asked, exercise, said

SUM = exercise(6, 7)
TURNS = said("What is 6 times 7?", "What is 6 times 6?", "36.", "And six more?", "42.")
DIALOGUE = Dialogue(id=SUM.id, tutor="socratic", turns=TURNS, ended="arrived")
NOBODY = Examinee(Counted({}), PROMPTS, attempts=2)


def pair(turns: int, chosen: str, rejected: str) -> Preferred:
    return Preferred(prompt=TURNS[:turns], chosen=chosen, rejected=rejected)


def test_a_row_at_each_split_with_a_turn_that_tells() -> None:
    teller = Counted({TELLER: "Teacher: It is 42."})
    (found,) = TurnRows(teller, PROMPTS, "telling", NOBODY).of([SUM], [DIALOGUE])
    assert found.pairs == (pair(1, "What is 6 times 6?", "It is 42."), pair(3, "And six more?", "It is 42."))
    assert found.without == {}
    assert teller.batches == [2]
    (first,) = TurnRows(teller, PROMPTS, "telling", NOBODY, splits=1).of([SUM], [DIALOGUE])
    assert first.pairs == found.pairs[:1]


def test_worse_turns_of_a_weak_model_and_what_makes_none() -> None:
    def weak(chat: Chat, number: int) -> str:
        if "36." not in asked(chat):
            return "what is 6 times 6"
        return "" if "What is 6" in asked(chat) else "?"

    (found,) = TurnRows(Counted({TEACHER: weak}), PROMPTS, "weak", NOBODY).of([SUM], [DIALOGUE])
    assert found.pairs == ()
    assert found.without == {
        "the worse turn says the same": 1,
        "the worse turn is empty, or has no whole sentence": 1,
    }


def test_a_worse_turn_that_fails_costs_no_other() -> None:
    lm = Counted({rf"36\.\n.*{TEACHER}": "Six more."})
    (found,) = TurnRows(lm, PROMPTS, "weak", NOBODY).of([SUM], [DIALOGUE])
    assert found.pairs == (pair(3, "And six more?", "Six more."),)
    (reason,) = found.without
    assert reason.startswith("the worse turn failed: no scripted answer")
    assert found.model_failed


def test_a_failed_dialogue_has_no_rows() -> None:
    failed = DIALOGUE.model_copy(update={"ended": "failed"})
    lm = Counted({TELLER: "It is 42."})
    found = TurnRows(lm, PROMPTS, "telling", NOBODY).of([SUM, SUM], [failed, DIALOGUE])
    assert [len(one.pairs) for one in found] == [0, 2]


CANDIDATES = ["What is 6 times 6?", "Think.", "It is 42.", "Think."]


def outcome(attempts: dict[str, list[str]]) -> TurnRows:
    scripts = {f"{turn}.*{ATTEMPT}": answers for turn, answers in attempts.items()}
    return TurnRows(
        Counted({TEACHER: CANDIDATES}),
        PROMPTS,
        "outcome",
        Examinee(Counted(scripts), PROMPTS, attempts=2),
        splits=1,
    )


def test_pairs_by_outcome() -> None:
    right, wrong = "Answer: 42", "Answer: 41"
    rows = outcome({"6 times 6": [right, wrong], "Think": [wrong, wrong], "It is 42": [right, right]})
    (found,) = rows.of([SUM], [DIALOGUE])
    # .5 and 0; the one that gives the answer away counts as 0, so it loses, and ties with the other
    asks, thinks, tells = CANDIDATES[:3]
    assert found.pairs == (pair(1, asks, thinks), pair(1, asks, tells))
    assert rows.student.lm.batches == [3]  # type: ignore[attr-defined]


def test_candidates_of_a_plain_tutor_are_asked_for_with_the_dialogue_alone() -> None:
    scripts = {f"{turn}.*{ATTEMPT}": f"Answer: {said}" for turn, said in (("6 times 6", 42), ("Think", 41))}
    student = Examinee(Counted(scripts), PROMPTS, attempts=1)
    plain = Counted({"^(?!.*Solution).*": CANDIDATES[:2]})
    rows = TurnRows(plain, PROMPTS, "outcome", student, splits=1, candidates=2, plain=True)
    (found,) = rows.of([SUM], [DIALOGUE])
    assert found.pairs == (pair(1, *CANDIDATES[:2]),)


def test_ties_and_what_was_not_measured_make_no_pair() -> None:
    wrong = ["Answer: 41"]
    (tied,) = outcome({"6 times 6": wrong, "Think": wrong, "It is 42": wrong}).of([SUM], [DIALOGUE])
    assert (tied.pairs, tied.without) == ((), {"the candidates tie": 1})
    (unmeasured,) = outcome({"6 times 6": ["Answer: 42"]}).of([SUM], [DIALOGUE])
    assert unmeasured.pairs == ()
    assert unmeasured.without == {"fewer than two candidates were measured: the students' attempts failed": 1}
    assert unmeasured.model_failed
    assert not tied.model_failed


def test_candidates_that_failed_are_told() -> None:
    student = Examinee(Counted({"": "Answer: 42"}), PROMPTS, attempts=2)
    (found,) = TurnRows(Counted({}), PROMPTS, "outcome", student, splits=1).of([SUM], [DIALOGUE])
    (reason,) = found.without
    assert reason.startswith("fewer than two candidates: 4 failed: no scripted answer")
    assert found.model_failed


def test_the_file_is_as_trl_has_it_and_can_be_imported(tmp_path: Path) -> None:
    (found,) = TurnRows(Counted({TELLER: "It is 42."}), PROMPTS, "telling", NOBODY).of([SUM], [DIALOGUE])
    path = tmp_path / "rows.jsonl"
    path.write_bytes(trl_rows([found]))
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    assert first == {
        "prompt": [{"role": "user", "content": "What is 6 times 7?"}],
        "chosen": [{"role": "assistant", "content": "What is 6 times 6?"}],
        "rejected": [{"role": "assistant", "content": "It is 42."}],
        "selfstudy": "socratic",
    }
    assert [turn["role"] for turn in second["prompt"]] == ["user", "assistant", "user"]
    assert all(row.value is not None and is_preference(row.value) for row in read_rows(path))
