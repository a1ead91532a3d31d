"""A file of a run that is damaged in any way: one sentence that names it and what to do, and nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfstudy import Run
from selfstudy.errors import DataError, RunError
from selfstudy.probe.external import external_lines
from selfstudy.recipe import Ask
from selfstudy.recipe.file import parse_recipe
from selfstudy.run.split import kept_apart
from selfstudy.run.standing import promote, standing, why_stop

from ..stories.small import cli, refusal

BAD: dict[str, bytes] = {
    "empty": b"",
    "truncated": b'{"promoted": tr',
    "no JSON": b"promoted: true",
    "a list": b"[]",
    "a text": b'"promoted"',
    "null": b"null",
    "a number of 5,000 digits": b"9" * 5000,
    "no UTF-8": b'{"promoted": "\xff\xfe"}',
    "binary": bytes(range(256)),
    "deep": b'{"a":' * 100_000,
    "deep lists": b"[" * 100_000,
    "of another kind": b'{"promoted": {"a": 1}, "gains": 5, "reasons": 3, "files": [1], "round": "x", '
    b'"questions": 7, "stages": [1], "seconds": "x", "kind": [], "value": "high", "published": 3}',
    "with parts of another kind": b'{"promoted": "perhaps", "gains": {"gap": 5}, "files": {"a": 1}, '
    b'"questions": [[]], "stages": {"probe": 1}, "published": {"slc": "x"}, "value": []}',
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every file that is damaged here; no model was asked."""
    folder = tmp_path_factory.mktemp("whole")
    rows = folder / "rows.jsonl"
    rows.write_text('{"question": "What is the capital of Peru?", "answer": "Lima"}\n')
    assert cli("import", rows, "--run", folder / "run")[0] == 0
    with Run.open(folder / "run") as run:
        first = run.round(1)
        first.adapter().mkdir()
        (first.adapter() / "adapter_config.json").write_text("{}")
        (first.adapter() / "adapter_model.safetensors").write_text("")
        run.write_json(first.gate_file, {"promoted": True, "reasons": ["It learned."]})
        run.write_json(run.usage_file, {"seconds": 1.0, "stages": {"probe": {"calls": 3}}})
        run.write_json(run.kept_apart_file, {"questions": []})
        run.write_json(run.external_file(0), {"lines": ["a"]})
        run.write_json(run.threshold_file, {"value": 0.5, "source": "default"})
        promote(first, first.adapter, move=False)
    assert cli("report", folder / "run")[0] == 0
    return folder


@pytest.fixture
def damage(whole: Path) -> Iterator[Any]:
    changed: list[tuple[Path, bytes]] = []

    def change(name: str, content: bytes) -> Path:
        path = whole / "run" / name
        changed.append((path, path.read_bytes()))
        path.write_bytes(content)
        return path

    yield change
    for path, before in changed:
        path.write_bytes(before)


@pytest.mark.parametrize("how", BAD)
@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("run.json", "report"),
        ("run.json", "import"),
        ("rounds/1/gate.json", "report"),
        ("usage.json", "report"),
        ("threshold.json", "report"),
        ("imported.json", "report"),
        ("imported.json", "import"),
        ("rounds/1/gate.json", "chat"),
    ],
)
def test_a_damaged_file_is_named(name: str, verb: str, how: str, whole: Path, damage: Any) -> None:
    path = damage(name, BAD[how])
    run = whole / "run"
    result = cli("import", whole / "rows.jsonl", "--run", run) if verb == "import" else cli(verb, run)
    message = refusal(result)
    assert str(path) in message
    assert path.read_bytes() == BAD[how], "it may be all that is left"


@pytest.mark.parametrize("how", BAD)
def test_a_damaged_summary_is_made_again(how: str, whole: Path, damage: Any) -> None:
    damage("summary.json", BAD[how])
    assert cli("report", whole / "run")[0] == 0


@pytest.mark.parametrize("how", BAD)
def test_a_damaged_record_of_what_was_promoted(how: str, whole: Path, damage: Any) -> None:
    path = damage("promoted.json", BAD[how])
    with Run.open(whole / "run") as run:
        for number in (1, 2):
            with pytest.raises(RunError, match="promoted"):
                promote(run.round(number), run.round(1).adapter, move=False)
        assert (run.promoted_folder / "adapter_config.json").read_text() == "{}"
    assert path.read_bytes() == BAD[how]


@pytest.mark.parametrize("name", ["run.json", "rounds/1/gate.json", "usage.json"])
def test_a_file_without_end_is_not_read(name: str, whole: Path, damage: Any) -> None:
    path = damage(name, b"{}")
    with path.open("r+b") as file:
        file.truncate(10**12)  # it takes no room
    message = refusal(cli("report", whole / "run"))
    assert str(path) in message
    assert "1,000,000,000,000 bytes" in message


@pytest.mark.parametrize("how", BAD)
def test_damaged_files_that_single_stages_read(how: str, whole: Path, damage: Any) -> None:
    with Run.open(whole / "run", write=False) as run:
        damage("kept_apart.json", BAD[how])
        with pytest.raises(RunError, match=r"kept_apart\.json"):
            kept_apart(run)
        damage("rounds/1/gate.json", BAD[how])
        for read in (why_stop, lambda first: standing(run.round(2))):
            with pytest.raises(RunError, match=r"gate\.json"):
                read(run.round(1))
        damage("external-0.json", BAD[how])
        with pytest.raises(RunError, match=r"external-0\.json"):
            external_lines(Ask(method="external", count=1), 0, run)


@pytest.mark.parametrize("seconds", [b'"x"', b"NaN", b"1e308", b"-1", b"9" * 400])
def test_a_damaged_line_of_times(seconds: bytes, whole: Path, damage: Any) -> None:
    path = damage(
        "timings.jsonl", b'{"stage": "probe", "seconds": %s}\n{"stage": [], "round": 1}\n' % seconds
    )
    assert f"{path}, line 1 is damaged" in refusal(cli("report", whole / "run"))


@pytest.mark.parametrize("how", [how for how in BAD if "kind" not in how])
def test_a_damaged_marker_makes_a_stage_run_again_where_records_were_lost(
    how: str, whole: Path, damage: Any
) -> None:
    damage("rounds/1/probe.done", BAD[how])
    damage("rounds/1/questions.jsonl", b'{"id": "torn')
    with Run.open(whole / "run") as run:
        assert not run.round(1).finished("probe")


@pytest.mark.parametrize("name", ["01", "²", "٣", "1x", "-1", "9" * 200])
def test_a_folder_that_is_no_number_is_no_round(name: str, whole: Path) -> None:
    folder = whole / "run/rounds" / name
    folder.mkdir()
    try:
        with Run.open(whole / "run", write=False) as run:
            assert {part.number for part in run.rounds} <= {1, 2}
    finally:
        folder.rmdir()


def test_records_whose_question_was_lost(tmp_path: Path) -> None:
    """A file cut off at a whole line is no damaged one, but what others name in it is missing."""
    (tmp_path / "topics.txt").write_text("What is a comet?\nWhat is a planet?\n")
    (tmp_path / "script.yaml").write_text('{".": ["A body of ice.", "A world."]}')
    (tmp_path / "my.yaml").write_text(
        "model: {type: scripted, path: script.yaml}\n"
        "smoke: skip\n"
        "probe: {scorer: agreement, samples: 1, ask: "
        "[{method: external, source: topics.txt, questions: true, count: 2}]}\n"
    )
    run = tmp_path / "run"
    assert cli("probe", tmp_path / "my.yaml", "--run", run)[0] == 0
    questions = run / "rounds/1/questions.jsonl"
    questions.write_text(questions.read_text().splitlines(keepends=True)[0])
    for name in ("probe.done", "scores.jsonl"):
        (run / "rounds/1" / name).unlink()
    message = refusal(cli("probe", tmp_path / "my.yaml", "--run", run))
    assert str(questions) in message
    assert "lines were lost" in message


@pytest.mark.parametrize("source", ["/dev/fd/../environ", "/proc/self/fd/../environ", "/proc/self/environ"])
def test_a_recipe_of_a_run_reads_no_environment(source: str, tmp_path: Path) -> None:
    """Its paths are as a stranger wrote them: nothing makes them plain as it does those of a recipe file."""
    ask = {"method": "external", "count": 9, "source": source, "questions": True}
    Run.create_or_resume(tmp_path / "run", parse_recipe({"probe": {"ask": [ask]}}, "it")).close()
    with Run.open(tmp_path / "run") as run, pytest.raises(DataError, match="a file of the kernel"):
        external_lines(run.recipe.probe.ask[0], 0, run)
