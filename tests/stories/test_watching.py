"""`selfstudy learn --watch`: a library that changes while it is watched, as a folder of few pages."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from selfstudy import Run, Study, loop
from selfstudy.atlas import world
from selfstudy.errors import RecipeError
from selfstudy.loop import WatchOptions
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import load_recipe
from selfstudy.records import Due, Evidence, Example, Proposal, Question, Reference, Verdict
from selfstudy.run.changes import Changes, begin, changes_of, keep_seen, seen

from .small import DEMO, KILL, Listener, cli, refusal

COUNTRIES = ("Egypt", "Fiji", "Mali", "Peru", "Chile", "Kenya")
QUICK = WatchOptions(every=0.05, settle=0.1)
CHANGES = (
    *("probe.samples=2", "answer_key=null", "relearn={}"),
    *("teach.wordings=0", "teach.heldout_wordings=0", "teach.sft.epochs=1", "teach.known_heldout=0.2"),
    *("verify.max_questions=6", "verify.samples=0", "verify.repeats=0", "verify.control=false"),
)


def pages() -> dict[str, str]:
    found = {one.title: one.text for one in world.documents() if one.source.startswith("atlas:country/")}
    return {name: found[name] for name in (*COUNTRIES, "Cuba")}


def recipe(docs: Path) -> Recipe:
    asks = (
        "[{method: documents, count: 20, per_chunk: 2, question_temperature: 0.7, check: none}, "
        f"{{method: external, source: {docs.parent / 'asked.txt'}, count: 6, questions: true}}]"
    )
    return load_recipe(DEMO, [*CHANGES, f"library={docs}", f"probe.ask={asks}"])


def moved(page: str) -> str:
    """The page of Fiji with another capital."""
    assert "Suva" in page
    return page.replace("Suva", "Apia")


def write(docs: Path, name: str, text: str) -> None:
    (docs / f"{name}.txt").write_text(text)


class Script(Listener):
    """Does something each time that the watch waits; ends it when there is nothing left to do."""

    idle = 12
    """Looks between two steps."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        super().__init__()
        self.left = list(steps)
        self.looks = 0

    def stop(self) -> bool:
        """Asked before each look."""
        self.looks += 1
        if self.looks % self.idle:
            return False
        if not self.left:
            return True
        self.left.pop(0)()
        return False


def watch(path: Path, docs: Path, *steps: Callable[[], object], options: WatchOptions = QUICK) -> list[str]:
    """What was said meanwhile."""
    heard = Script(*steps)
    with Run.create_or_resume(path, recipe(docs)) as run, Study(run, heard) as study:
        loop.watch(study, options, heard.stop)
    return heard.notes


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with docs/ and run/, after the round of the recipe."""
    place = tmp_path_factory.mktemp("watched")
    (place / "docs").mkdir()
    (place / "asked.txt").write_text("".join(f"What is the capital of {name}?\n" for name in COUNTRIES))
    for name in COUNTRIES:
        write(place / "docs", name, pages()[name])
    watch(place / "run", place / "docs")
    return place


@pytest.fixture
def place(learned: Path, tmp_path: Path) -> Iterator[Path]:
    """The same, with the run's own library, which a test may change; put back afterwards."""
    docs = learned / "docs"
    shutil.copytree(learned / "run", tmp_path / "run", symlinks=True)
    yield tmp_path
    for file in docs.iterdir():
        file.unlink()
    for name in COUNTRIES:
        write(docs, name, pages()[name])


@pytest.fixture
def docs(learned: Path) -> Path:
    return learned / "docs"


def change(docs: Path) -> None:
    write(docs, "Fiji", moved(pages()["Fiji"]))
    write(docs, "Cuba", pages()["Cuba"])
    (docs / "Mali.txt").unlink()


def test_what_the_round_learned_from_is_written_down(learned: Path) -> None:
    with Run.open(learned / "run", write=False) as run:
        assert sorted(seen(run) or {}) == sorted(f"{name}.txt" for name in COUNTRIES)
        assert changes_of(run.round(1)) is None
        assert len(run.rounds) == 1


def test_a_round_asks_about_what_is_new_and_what_rests_on_what_has_changed(place: Path, docs: Path) -> None:
    notes = watch(place / "run", docs, lambda: change(docs))
    said = next(note for note in notes if "changed" in note and note.startswith("watch: 1 added"))
    assert said == "watch: 1 added (Cuba.txt), 1 changed (Fiji.txt), 1 removed (Mali.txt)"
    with Run.open(place / "run", write=False) as run:
        assert len(run.rounds) == 2
        first, second = run.rounds
        assert second.finished("verify")
        assert sorted(seen(run) or {}) == [
            *("Chile.txt", "Cuba.txt", "Egypt.txt", "Fiji.txt", "Kenya.txt", "Peru.txt"),
        ]
        # new questions: about the new and the changed page alone
        proposed = {one.question_id for one in second.iter(Proposal) if one.question_id}
        topics = {q.topic for q in second.iter(Question) if q.id in proposed}
        assert topics == {"Fiji", "Cuba"}
        # asked again: those whose answer stood in what has changed or is gone, and by schedule
        rests = {e.id: e.source for e in first.iter(Evidence)}
        used = {r.id: rests[r.evidence_id] for r in first.iter(Reference)}
        sources = {v.question_id: used.get(v.reference_id or "", "") for v in first.iter(Verdict)}
        due = {one.question_id: one.why for one in second.iter(Due)}
        gone = {name for name, source in sources.items() if source in ("Fiji.txt", "Mali.txt")}
        assert gone
        assert {name for name, why in due.items() if why == "changed"} == gone
        again = second.ids(Question) - proposed
        assert again <= due.keys()
        text = {q.id: q.text for q in first.iter(Question)}
        assert {q.id: q.text for q in second.iter(Question) if q.id in due} == {n: text[n] for n in due}
        # found anew, in the library as it is now
        new = {one.question_id: one.text for one in second.iter(Reference) if one.accepted}
        capital = [name for name in gone if "capital" in text[name] and "Fiji" in text[name] and name in new]
        assert capital
        assert all("Apia" in new[name] for name in capital)
        kinds = {v.question_id: v.kind for v in second.iter(Verdict)}
        assert {kinds[name] for name in capital} == {"misbelief"}
        # and taught, though one may have been kept apart as a test of what is forgotten
        taught = {e.question_id: e.completion for e in second.iter(Example) if e.kind == "reference"}
        assert all("Apia" in taught[name] for name in capital if name in taught)
        assert taught.keys() & set(capital)


def test_an_interrupted_round_goes_on_to_the_same_records(place: Path, docs: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "run", tmp_path / "other", symlinks=True)
    watch(place / "run", docs, lambda: change(docs))

    class Pressed(Script):
        """Ctrl-C, once the first note of this kind is said."""

        def note(self, text: str) -> None:
            super().note(text)
            if self.at in text:
                raise KeyboardInterrupt

    for at in ("round 2 begins", "asking again", "examples:"):
        heard = Pressed()
        heard.at = at  # type: ignore[attr-defined]
        with (
            suppress(KeyboardInterrupt),
            Run.create_or_resume(tmp_path / "other", recipe(docs)) as run,
            Study(run, heard) as study,
        ):
            loop.watch(study, QUICK, heard.stop)
        assert at in heard.notes[-1]
    watch(tmp_path / "other", docs)
    assert not KILL["differences"](KILL["files"](place / "run"), KILL["files"](tmp_path / "other"))


def test_most_of_a_library_gone_is_taken_for_an_accident(place: Path, docs: Path) -> None:
    def empty() -> None:
        for name in COUNTRIES[:4]:
            (docs / f"{name}.txt").unlink()

    notes = watch(place / "run", docs, empty)
    refused = [note for note in notes if "more than half" in note]
    assert len(refused) == 1
    assert "4 of 6 sources are gone" in refused[0]
    with Run.open(place / "run", write=False) as run:
        assert len(run.rounds) == 1
        assert len(seen(run) or {}) == 6


def test_a_library_that_vanishes_is_waited_for(place: Path, docs: Path) -> None:
    aside = docs.with_name("elsewhere")
    notes = watch(place / "run", docs, lambda: docs.rename(aside), lambda: aside.rename(docs))
    assert sum("not there" in note for note in notes) == 1
    with Run.open(place / "run", write=False) as run:
        assert len(run.rounds) == 1


def test_what_is_touched_or_cannot_be_read_is_no_change(place: Path, docs: Path) -> None:
    def touch() -> None:
        (docs / "Peru.txt").touch()
        write(docs, "Chile", pages()["Chile"].replace(" ", "\n"))
        (docs / "Kenya.txt").unlink()
        (docs / "Kenya.txt").symlink_to("Kenya.txt")  # in a circle: there, and unreadable

    notes = watch(place / "run", docs, touch)
    assert not [note for note in notes if "begins" in note], notes


def test_what_is_due_first_is_asked_after_a_while_though_nothing_has_changed(place: Path, docs: Path) -> None:
    notes = watch(place / "run", docs, options=WatchOptions(every=0.05, settle=0.1, again=0.3))
    assert any("what is due first" in note for note in notes)
    with Run.open(place / "run", write=False) as run:
        second = run.round(2)
        assert not second.ids(Proposal)
        assert second.ids(Question) == {one.question_id for one in second.iter(Due)} != set()


def test_ctrl_c_ends_it_and_says_how_to_go_on(place: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "selfstudy",
        "learn",
        "--run",
        str(place / "run"),
        "--watch",
        "--no-measure",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    while "waiting for the library" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"To go on:\n  selfstudy learn --run {place / 'run'} --watch" in rest
    assert "Traceback" not in rest


def test_a_watch_needs_what_it_watches_and_times_that_are_some(
    place: Path, docs: Path, tmp_path: Path
) -> None:
    alone = load_recipe(DEMO, [*CHANGES, "library=null", "probe.ask=[{method: open, count: 5}]"])
    with (
        Run.create_or_resume(tmp_path / "alone", alone) as run,
        Study(run) as study,
        pytest.raises(RecipeError, match="no library that can be watched"),
    ):
        loop.watch(study)
    assert "add --watch" in refusal(cli("learn", DEMO, "--every", "5", "--run", tmp_path / "x"))
    assert "--every 0" in refusal(cli("learn", DEMO, "--watch", "--every", "0", "--run", tmp_path / "x"))
    assert "no recipe was given" in refusal(cli("learn", "--watch"))
    changed = cli("learn", "--run", place / "run", "--seed", "3", "--watch")
    assert "cannot be changed (seed=3)" in refusal(changed)


def test_a_round_of_which_nothing_was_promoted_says_why() -> None:
    from selfstudy.loop.watching import _outcome
    from selfstudy.run.standing import Decision

    assert _outcome(Decision(promoted=True, reasons=("Gaps rose.",))) == "promoted"
    refused = Decision(promoted=False, reasons=("Gaps rose, but they are few.", "And more."))
    assert _outcome(refused) == "nothing was promoted: Gaps rose, but they are few."
    assert _outcome(None) == "nothing was promoted"


def test_a_kill_right_after_a_round_does_not_begin_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the round is done but for the line that says what it has learned from."""
    (docs := tmp_path / "docs").mkdir()
    write(docs, "Fiji", moved(pages()["Fiji"]))
    monkeypatch.setattr(Study, "learn", lambda self: None)
    with Run.create_or_resume(tmp_path / "run", Recipe.model_validate({"library": str(docs)})) as run:
        keep_seen(run, {"Fiji.txt": "as it was"})
        begin(run.round(1), Changes(changed={"Fiji.txt": "as it is"}))
        for stage in ("probe", "gather", "teach", "verify"):
            run.round(1).finish(stage)
        with Study(run) as study:
            loop.watch(study, stop=lambda: True)
        assert seen(run) == {"Fiji.txt": "as it is"}
