"""`selfstudy score`: a line in, a line out; what cannot be scored says why; a kill loses nothing."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from selfstudy.cli import app
from selfstudy.errors import RunError
from selfstudy.models.nli import EntailmentClassifier
from selfstudy.recipe import Recipe
from selfstudy.verbs import score as scoring

PERU = {"question": "Capital of Peru?", "passage": "Lima.", "samples": ["lima", "Cusco", "Lima!", "The Lima"]}


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["score", *map(str, arguments)], input=stdin)


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def parsed(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_scores_go_to_stdout_and_the_rest_to_stderr(tmp_path: Path) -> None:
    done = run(write(tmp_path / "a.jsonl", {**PERU, "id": "peru"}, PERU), "--scorer", "agreement")
    assert done.exit_code == 0, done.output
    first, second = parsed(done.stdout)
    assert (first["id"], first["line"], first["scores"]) == ("peru", 1, {"agreement": 0.25})
    assert first["details"]["agreement"]["sentences"][0]["per_sample"] == [0.0, 1.0, 0.0, 0.0]
    assert "error" not in first
    assert (second["id"], second["line"]) == ("line 2", 2)
    assert "2 lines: 2 scored" in done.stderr


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_lines_is_no_success(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    done = run(tmp_path / "a.jsonl", "--scorer", "agreement")
    assert done.exit_code == 2
    assert "holds no lines" in done.stderr


def test_several_scorers_and_the_entailment_model(tiny_nli: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", PERU)
    done = run(path, "--scorer", "agreement", "--scorer", "selfcheck-nli", "--nli", tiny_nli)
    (row,) = parsed(done.stdout)
    assert list(row["scores"]) == ["agreement", "selfcheck-nli"]
    assert 0 < row["scores"]["selfcheck-nli"] < 1
    assert "atlas" not in done.stderr
    (sentence,) = row["details"]["selfcheck-nli"]["sentences"]
    assert sentence["value"] == pytest.approx(sum(sentence["per_sample"]) / 4)


def test_the_same_question_twice_with_other_answers(tmp_path: Path) -> None:
    other = {**PERU, "passage": "Cusco."}
    done = run(write(tmp_path / "a.jsonl", PERU, other, PERU), "--scorer", "agreement")
    assert [row["scores"]["agreement"] for row in parsed(done.stdout)] == [0.25, 0.75, 0.25]


@pytest.mark.parametrize(
    ("line", "named", "error"),
    [
        ("{", "line 2", "not JSON"),
        ("5", "line 2", "expected an object, found 5"),
        ({**PERU, "id": "x", "question": None}, "x", "'question' must be text, found None"),
        ({**PERU, "passage": ["a"]}, "line 2", r"'passage' must be text, found ['a']"),
        ({**PERU, "id": 7, "samples": "a"}, "7", "'samples' must be a list of texts, found 'a'"),
        ({**PERU, "samples": ["a", 5]}, "line 2", "'samples[1]' must be text, found 5"),
        ({**PERU, "id": [1]}, "line 2", "'id' must be text or a whole number"),
        ({**PERU, "id": "x", "samples": []}, "x", "agreement: "),
        ({**PERU, "id": "x", "passage": " "}, "x", "agreement: the passage is empty"),
    ],
)
def test_what_cannot_be_scored_is_a_line_with_an_error(
    line: Any, named: str, error: str, tmp_path: Path
) -> None:
    done = run(write(tmp_path / "a.jsonl", PERU, line, PERU), "--scorer", "agreement")
    assert done.exit_code == 0, done.output
    good, bad, last = parsed(done.stdout)
    assert bad["id"] == named
    assert error in bad["error"]
    assert bad.get("scores") in (None, {"agreement": None})
    assert good["scores"] == last["scores"] == {"agreement": 0.25}
    assert "3 lines: 2 scored, 1 failed" in done.stderr


@pytest.mark.parametrize("scorer", ["predictive-entropy", "semantic-entropy"])
def test_scorers_that_need_log_probabilities_say_so(scorer: str, tiny_nli: Path, tmp_path: Path) -> None:
    done = run(write(tmp_path / "a.jsonl", PERU), "--scorer", scorer, "--nli", tiny_nli)
    assert done.exit_code == 0, done.output
    (row,) = parsed(done.stdout)
    assert row["scores"] == {scorer: None}
    assert "log-probability" in row["error"]


def test_a_scorer_that_asks_a_model_needs_one(tiny_llama: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", PERU)
    refused = run(path, "--scorer", "p-true")
    assert refused.exit_code == 2
    assert "give --model" in refused.stderr
    graded = run(path, "--scorer", "p-true", "--set", f"judge.path={tiny_llama}")
    assert graded.exit_code == 2, "the default model did not write these answers"
    assert "give --model" in graded.stderr
    judged = run(path, "--scorer", "selfcheck-llm", "--set", f"judge.path={tiny_llama}")
    assert judged.exit_code == 0, judged.output
    done = run(path, "--scorer", "p-true", "--model", tiny_llama)
    assert done.exit_code == 0, done.output
    assert 0 <= parsed(done.stdout)[0]["scores"]["p-true"] <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--scorer", "vibes"), "no scorer named 'vibes'"),
        (("--set", "probe.scorrer=agreement"), "did you mean probe.scorer"),
        (("--nli", "/nowhere/model"), "/nowhere/model"),
    ],
)
def test_bad_options(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    refused = run(write(tmp_path / "a.jsonl", PERU), *arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_no_such_file(tmp_path: Path) -> None:
    refused = run(tmp_path / "none.jsonl", "--scorer", "agreement")
    assert refused.exit_code == 2
    assert "none.jsonl cannot be read" in refused.stderr


def test_stdin() -> None:
    done = run("-", "--scorer", "agreement", stdin=(json.dumps(PERU) + "\n\n" + json.dumps(PERU)).encode())
    assert [row["line"] for row in parsed(done.stdout)] == [1, 3]


def many(folder: Path, count: int = 25) -> Path:
    """Lines of which some have no id, some share one, and some are bad."""
    rows = []
    for n in range(count):
        row: Any = {**PERU, "passage": ["Lima", "Cusco", ""][n % 3]}
        rows.append("{" if n % 7 == 3 else {**row, "id": f"id {n // 2}"} if n % 4 else row)
    return write(folder / "in.jsonl", *rows)


def beside(out: Path) -> Path:
    return out.with_name(out.name + scoring.RECIPE)


@pytest.mark.parametrize("cut", [0, 1, 30, 200, 777, 2000, 10_000])
def test_a_stopped_run_goes_on_and_ends_the_same(cut: int, tmp_path: Path) -> None:
    source, out, whole = many(tmp_path), tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    options = ("--scorer", "agreement", "--set", "answering.block_size=4")
    assert run(source, *options, "--out", whole).exit_code == 0
    expected = whole.read_bytes()
    assert len(parsed(expected.decode())) == 25
    out.write_bytes(expected[:cut])
    beside(out).write_bytes(beside(whole).read_bytes())
    done = run(source, *options, "--out", out)
    assert done.exit_code == 0, done.output
    assert out.read_bytes() == expected
    assert done.stdout == ""
    assert "25 lines: " in done.stderr


def test_what_is_done_is_not_scored_again(tmp_path: Path) -> None:
    source, out = many(tmp_path), tmp_path / "out.jsonl"
    run(source, "--scorer", "agreement", "--out", out)
    done = run(source, "--scorer", "agreement", "--out", out)
    assert "25 lines: 0 scored, 25 were there already" in done.stderr


@pytest.mark.parametrize("content", ["my thesis", "my thesis\nin two lines\n", '{"id": 1}\n', '{"a": 1}\n'])
def test_a_file_of_somebody_is_left_alone(content: str, tmp_path: Path) -> None:
    out = tmp_path / "mine.txt"
    out.write_text(content)
    refused = run(write(tmp_path / "a.jsonl", PERU), "--scorer", "agreement", "--out", out)
    assert refused.exit_code == 2
    assert "is no output of selfstudy score" in refused.stderr
    assert out.read_text() == content


def test_the_input_is_not_the_output_and_scorers_do_not_mix(tmp_path: Path) -> None:
    source, out = write(tmp_path / "a.jsonl", {"id": "a", **PERU}), tmp_path / "out.jsonl"
    assert "is the input itself" in run(source, "--scorer", "agreement", "--out", source).stderr
    run(source, "--scorer", "agreement", "--out", out)
    refused = run(source, "--scorer", "agreement", "--scorer", "selfcheck-ngram", "--out", out)
    assert refused.exit_code == 2
    assert "holds scores of agreement, not of agreement, selfcheck-ngram" in refused.stderr


def test_scores_of_another_model_do_not_get_into_the_file(tiny_nli: Path, tmp_path: Path) -> None:
    source, out = write(tmp_path / "a.jsonl", PERU, PERU), tmp_path / "out.jsonl"
    other = shutil.copytree(tiny_nli, tmp_path / "other")
    assert run(source, "--nli", tiny_nli, "--out", out).exit_code == 0
    whole = out.read_bytes()
    out.write_bytes(whole.splitlines(keepends=True)[0])
    refused = run(source, "--nli", other, "--set", "seed=3", "--out", out)
    assert refused.exit_code == 2
    assert f'nli.path: "{tiny_nli}" -> "{other}"' in refused.stderr
    assert "seed: 0 -> 3" in refused.stderr
    assert out.read_bytes() == whole.splitlines(keepends=True)[0]
    done = run(source, "--nli", tiny_nli, "--set", "cache=false", "--out", out)  # changes no score
    assert done.exit_code == 0, done.output
    assert len(parsed(out.read_text())) == 2
    beside(out).unlink()
    assert "is missing" in run(source, "--nli", tiny_nli, "--out", out).stderr
    out.write_bytes(b"")  # nothing in it: it may be of anything
    assert run(source, "--nli", other, "--out", out).exit_code == 0
    assert str(other) in beside(out).read_text()


def test_pairs_are_judged_once_whatever_asks_unless_told_otherwise(
    tiny_nli: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[int] = []
    judge = EntailmentClassifier._judge

    def counted(self: EntailmentClassifier, batch: Any) -> Any:
        judged.append(len(batch))
        return judge(self, batch)

    monkeypatch.setattr(EntailmentClassifier, "_judge", counted)
    source = write(tmp_path / "a.jsonl", PERU)
    plain = run(source, "--nli", tiny_nli, "--set", "cache=false")
    assert sum(judged) == 4
    assert not (home / "cache").exists()
    assert run(source, "--nli", tiny_nli).stdout == plain.stdout
    assert run(source, "--nli", tiny_nli).stdout == plain.stdout
    assert sum(judged) == 8


def test_remote_models_are_asked_again_only_with_the_cache_off(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    monkeypatch.setattr("selfstudy.models.load_lm", lambda block, *, cache, servers: told.append(cache))
    for cache in (True, False):
        recipe = Recipe.model_validate({"cache": cache, "judge": {"path": "x"}})
        scoring.make_scorers(["p-true", "selfcheck-llm"], recipe, chosen=True)
    assert told == [True, True, False, False]


def test_the_packaged_entailment_model_is_named_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfstudy.models.load_nli", lambda block, cache: None)
    notes: list[str] = []
    for names in (["agreement"], ["semantic-entropy", "ensemble", "selfcheck-nli"]):
        assert not notes
        scoring.make_scorers(names, Recipe(), False, notes.append)
    assert len(notes) == 1
    assert "atlas" in notes[0]


def test_blocks_bound_what_is_in_memory() -> None:
    read = 0
    most = 0

    def lines() -> Iterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield json.dumps(PERU).encode() + b"\n"

    def write(data: bytes) -> None:
        nonlocal most, read
        most = max(most, read)
        read = 0

    scorers = scoring.make_scorers(["agreement"], Recipe(), chosen=False)
    tally = scoring.score_lines(lines(), scorers, write, block_size=16)
    assert (tally.given, tally.scored, most) == (1000, 1000, 16)


def test_long_lines_make_short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BLOCK_BYTES", 1000)
    sizes: list[int] = []
    line = json.dumps({**PERU, "passage": "Lima " * 100}).encode()
    scorers = scoring.make_scorers(["agreement"], Recipe(), chosen=False)
    scoring.score_lines([line] * 5, scorers, lambda data: sizes.append(data.count(b"\n")))
    assert sizes == [2, 2, 1]


def test_a_full_disk_is_said_and_leaves_whole_lines(tmp_path: Path) -> None:
    with pytest.raises(RunError) as full:
        scoring.append_rows(
            Path("/dev/full") if Path("/dev/full").exists() else tmp_path / "no" / "x", b"{}\n"
        )
    assert "give the same command again" in full.value.hint
    assert "--run" not in str(full.value)


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *[PERU] * 5000)
    code = "from selfstudy.cli import main; main()"
    options = ["score", str(source), "--scorer", "agreement", "--set", "answering.block_size=8"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"id"')
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait(300) == 1
    assert "Traceback" not in said
    assert "Error" not in said


def test_thinking_is_not_scored_and_one_without_an_end_is_an_error(tmp_path: Path) -> None:
    thought = "<think>Lima or Cusco? Cusco was the Inca capital.</think>\n"
    rows = [
        {**PERU, "passage": f"{thought}Lima.", "samples": [f"{thought}Lima.", "<think>Hm", "Cusco."]},
        {**PERU, "passage": "<think>Lima or Cusco"},
        {**PERU, "samples": ["<think>Hm", "<think>Well"]},
    ]
    done = run(write(tmp_path / "a.jsonl", *rows), "--scorer", "agreement")
    first, second, third = parsed(done.stdout)
    (sentence,) = first["details"]["agreement"]["sentences"]
    assert (sentence["text"], sentence["per_sample"]) == (
        "Lima.",
        [0.0, 1.0],
    )  # without the sample that failed
    assert second["error"].startswith("field 'passage' holds no answer: the thinking")
    assert "scores" not in second
    assert third["scores"] == {"agreement": None}
    assert third["error"]


@pytest.mark.parametrize("given", ["/dev/stdin < <(cat a.jsonl)", "<(cat a.jsonl)"])
def test_what_a_shell_hands_over_is_scored(given: str, tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", PERU, PERU)
    command = f"{sys.executable} -m selfstudy.cli score {given} --scorer agreement"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(parsed(done.stdout)) == 2


def test_what_a_shell_hands_over_is_imported(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as file:
        file.writelines(f'{{"question": "What is {n} and 1?", "answer": "{n + 1}"}}\n' for n in range(5))
    command = f"{sys.executable} -m selfstudy.cli import <(zcat a.jsonl.gz) --run run"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "5 given, 5 imported" in done.stdout
