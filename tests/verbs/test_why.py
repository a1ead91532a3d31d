"""The trail of a question, from its proposal to what answers it now."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.records import Answer, Completion, Practised, Question, Verdict
from selfstudy.run import Run, forgotten
from selfstudy.run.forgotten import Tombstone
from selfstudy.verbs.why import why
from selfstudy.verbs.why_source import why_source

from .lineages import CHAD, FIJI, IDS, PERU, make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    with make_run(tmp_path / "run"):
        pass
    return Run.open(tmp_path / "run", write=False)


def test_a_question_that_was_taught_is_followed_through_both_rounds(run: Run) -> None:
    found = why(run, FIJI)
    assert (found.found, found.question_id, found.nearness) == (True, IDS[FIJI], 1.0)
    first, second = found.rounds
    assert [first.round, second.round] == [1, 2]
    assert [one.tried for one in first.proposals] == [3]
    assert first.answer
    assert (first.answer.passage.text, len(first.answer.samples)) == ("Nadi.", 2)
    assert [one.source for one in first.evidence] == ["oceania/fiji.md", "oceania/other.md"]
    assert first.references[0].evidence_id == first.evidence[0].id
    assert first.verdict
    assert first.verdict.kind == "unknown"
    assert [(one.phase, one.steps[:3]) for one in first.trained if one.arm == "taught"] == [
        ("sft", (2, 5, 9)),
        ("dpo", (1, 2, 3)),
    ]
    assert [one.item_id for one in first.trained[:2]] == [first.examples[0].id, first.pairs[0].id]
    assert [(one.wording, one.arm, one.correct) for one in first.checks] == [
        ("original", "base", False),
        ("original", "taught", True),
        ("novel", "base", False),
        ("novel", "taught", True),
    ]
    assert second.due
    assert (second.due.why, second.due.asked) == ("scheduled", 1)
    assert [(one.round, one.state, one.why) for trail in found.rounds for one in trail.adapters] == [
        (1, "stands", ()),
        (2, "rejected", ("it forgot too much",)),
    ]
    names = [one.name for trail in found.rounds for one in trail.adapters]
    assert all(name.startswith(f"round-{n}-") for n, name in enumerate(names, 1))
    assert names[0][-8:] != names[1][-8:]  # by their weights


def test_what_was_known_or_failed_has_its_trail_too(run: Run) -> None:
    (known,) = why(run, PERU).rounds
    assert known.verdict
    assert (known.verdict.kind, known.was_taught, known.adapters) == ("known", False, ())
    (lost,) = why(run, CHAD).rounds
    assert lost.verdict
    assert (lost.verdict.kind, lost.verdict.reason) == ("unverifiable", "no passage answers it")
    assert [one.message for one in lost.failures] == ["the reader gave no answer"]


def test_words_ids_and_what_is_only_near(run: Run) -> None:
    assert why(run, "  the capital of FIJI is what ").question_id == IDS[FIJI]
    assert why(run, IDS[FIJI]).text == FIJI
    assert why(run, "Capital of Fiji").question_id == IDS[FIJI]
    another = why(run, "What is the capital of Mars?")  # and no other place will do
    assert (another.found, another.ambiguous, another.likely[0].text) == (False, False, FIJI)
    several = why(run, "what is the capital of mars")
    assert (several.found, several.ambiguous) == (False, True)
    assert [one.text for one in several.likely] == [FIJI, PERU, CHAD]
    nothing = why(run, "capital punishment is not a city in any way at all")
    assert (nothing.found, nothing.ambiguous, len(nothing.likely)) == (False, False, 3)
    assert why(run, "magnets").likely == ()


def test_what_was_only_practised_is_found(tmp_path: Path) -> None:
    with make_run(tmp_path / "run") as run:
        run.round(1).append([Practised(question_id="row 1", question="Which river flows through Vienna?")])
        found = why(run, "which river flows through vienna")
    assert found.question_id == "row 1"
    assert found.rounds[0].practised[0].question.startswith("Which river")


def test_what_was_forgotten_says_so_though_no_word_of_it_is_left(tmp_path: Path) -> None:
    with make_run(tmp_path / "run") as run:
        begun = Tombstone(pattern="oceania", questions=(IDS[FIJI],), adapters=("round-1",))
        forgotten.keep(run, [begun])
        assert why(run, FIJI).rounds[0].adapters[0].state == "forgotten"  # its folder is still there
        shutil.rmtree(run.round(1).adapter())
        stone = begun.model_copy(update={"finished": True})
        forgotten.keep(run, [stone])
        adapters = [one for trail in why(run, FIJI).rounds for one in trail.adapters]
        assert [(one.round, one.state, one.why) for one in adapters] == [
            (1, "forgotten", ("oceania",)),
            (2, "rejected", ("it forgot too much",)),
        ]
        for turn in run.rounds:  # as unlearning leaves it
            for kind in (Question, Answer, Verdict):
                turn.rewrite(
                    kind,
                    [
                        one
                        for one in turn.iter(kind)
                        if IDS[FIJI] not in (one.id, getattr(one, "question_id", ""))
                    ],
                )
        found = why(run, FIJI)
    assert (found.found, found.text, found.forgotten) == (True, "", (stone,))


def test_damage_is_told_as_by_the_readers_of_the_run_and_a_torn_end_is_left_out(tmp_path: Path) -> None:
    with make_run(tmp_path / "run") as run:
        file = run.round(1).path / Answer.file
        whole = file.read_bytes()
        file.write_bytes(whole + b'{"question_id":"' + IDS[FIJI].encode())
        assert why(run, FIJI).rounds[0].answer
        lines = whole.splitlines(keepends=True)
        for damage in (b'{"question_id":"other"\n', b"\0\0\0\n", lines[0].replace(b'"passage"', b'"passa"')):
            file.write_bytes(damage + b"".join(lines[1:]))
            with pytest.raises(RunError, match=r"answers\.jsonl, line 1 is damaged"):
                why(run, FIJI)


def test_a_long_run_is_gone_through_and_not_read_into_memory(tmp_path: Path) -> None:
    """Answers are the most of a run; those of others are never parsed."""
    with make_run(tmp_path / "run") as run:
        sample = Completion(text="It is a city of which nobody has heard. " * 5)
        run.round(1).append(
            Answer(question_id=f"{n:016x}", passage=sample, samples=(sample,) * 8) for n in range(5_000)
        )
        start = time.perf_counter()
        parsed = list(run.round(1).iter(Answer))
        everything = time.perf_counter() - start
        start = time.perf_counter()
        assert why(run, FIJI).rounds[0].answer
        assert time.perf_counter() - start < everything
        assert len(parsed) == 5_003


def selfstudy(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "selfstudy", "why", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "COLUMNS": "120"},
    )


def test_the_verb_shows_all_of_it_and_no_escape_sequence(tmp_path: Path) -> None:
    with make_run(tmp_path / "run") as run:
        bad = "\x1b]52;c;aGFjaw==\x07[bold]Nadi[/bold]\x1b[31m \u202ered"
        asked = Question(text=f"Which {bad} city?")
        run.round(1).append([asked, Answer(question_id=asked.id, passage=Completion(text=bad), samples=())])
    shown = selfstudy(str(tmp_path / "run"), FIJI)
    assert shown.returncode == 0, shown.stderr
    for part in (
        *("round 1", "round 2", "documents, topic capitals, from document", "after 3 tries", '"Nadi."'),
        *("oceania/fiji.md, characters 10:32", "2026-01", "sha256 abababababab", "read in 1, accepted"),
        *("unknown (score 0.80, contradiction 0.97)", "sft, steps 2, 5, 9", "dpo, steps 1, 2, 3"),
        *("29 (29 in all)", "weight 2", "promoted, and stands", "rejected: it forgot too much"),
        *("asked again", "asked before in round 1", "novel", "before wrong", "after right"),
    ):
        assert part in " ".join(shown.stdout.split()), part
    hostile = selfstudy(str(tmp_path / "run"), asked.id)
    assert hostile.returncode == 0, hostile.stderr
    assert "[bold]Nadi[/bold]" in hostile.stdout  # as it stands, not obeyed
    assert not set("\x1b\x07\u202e") & set(hostile.stdout)


def test_the_verb_gives_json_and_what_is_not_found_is_an_error_that_helps(tmp_path: Path) -> None:
    make_run(tmp_path / "run").close()
    folder = str(tmp_path / "run")
    data = json.loads(selfstudy(folder, FIJI, "--json").stdout)
    assert [one["round"] for one in data["rounds"]] == [1, 2]
    assert data["rounds"][0]["trained"][0]["steps"] == [2, 5, 9]
    several = selfstudy(folder, "what is the capital of mars")
    assert several.returncode == 2
    assert "3 questions" in several.stderr
    assert FIJI in several.stderr
    none = selfstudy(folder, "magnets")
    assert none.returncode == 2
    assert "no question like" in none.stderr
    for wrong in ((folder,), (folder, FIJI, "--source", "x"), (str(tmp_path / "none"), FIJI)):
        result = selfstudy(*wrong)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys, selfstudy.cli.why_verb, selfstudy.cli.why_screen, selfstudy.verbs.why, "
        "selfstudy.verbs.why_source; "
        "heavy = ('torch', 'transformers', 'pandas', 'scipy', 'sklearn'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lineage_survives_unlearning_and_of_others_stays_whole(tmp_path: Path) -> None:
    """With the real one, on a run of its own tests."""
    from .unlearning.small_run import CHILE, IDS, PERU, SECRET
    from .unlearning.test_forgetting import CHILE_1, PERU_1, forget, laid

    place = laid(tmp_path / "run")
    with Run.open(place, write=False) as run:
        before, kept = why(run, PERU_1), why(run, CHILE_1)
        assert before.rounds[0].adapters[0].name.startswith("peru-")
        asked = {one.question_id for one in why_source(run, PERU).questions}
    forget(place)
    with Run.open(place, write=False) as run:
        (stone,) = forgotten.tombstones(run)
        assert asked == set(stone.questions)
        found = why(run, PERU_1)
        assert (found.question_id, found.text, found.forgotten) == (IDS[PERU_1], "", (stone,))
        assert set(stone.adapters) <= {one.name for trail in before.rounds for one in trail.adapters}
        assert SECRET not in found.model_dump_json()
        assert why_source(run, PERU).forgotten == (stone,)
        again = why(run, CHILE_1)
        assert [one.verdict for one in again.rounds] == [one.verdict for one in kept.rounds]
        assert [one.adapters for one in again.rounds] == [one.adapters for one in kept.rounds]
        assert {one.question_id for one in why_source(run, CHILE).questions} >= {IDS[CHILE_1]}
    shown = selfstudy(str(place), PERU_1)
    assert shown.returncode == 0, shown.stderr
    assert f"on request: {PERU}" in shown.stdout
