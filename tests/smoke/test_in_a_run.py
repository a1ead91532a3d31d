"""The smoke check at the start of a run: refused before anything is asked, mended, let pass, not repeated."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from selfstudy import Run
from selfstudy.recipe.file import load_recipe
from tests.library.small_web import small_web
from tests.stories.small import cli, refusal

MUTE = "{'.': ''}"
RECIPE = (
    "model: {type: scripted, path: script.yaml}\n"
    "smoke: refuse\n"
    "probe: {scorer: agreement, samples: 1, ask: "
    "[{method: external, source: topics.txt, questions: true, count: 2}]}\n"
)
GOOD = r"""
'\+417': The calling code is +417.
'\+952': The calling code is +952.
Oslo: It is Oslo.
thousand: It is about 417 thousand.
Hamlet: [Shakespeare wrote Hamlet., Hamlet is by Shakespeare.]
'.': [A body of ice., A world.]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topics.txt").write_text("What is a comet?\nWhat is a planet?\n")
    (tmp_path / "script.yaml").write_text(MUTE)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "my.yaml").write_text(RECIPE)
    return tmp_path


def test_refused_before_anything_is_asked_and_mended_in_the_same_folder(folder: Path) -> None:
    message = refusal(cli("probe", "my.yaml", "--run", "run"))
    assert "answers are empty" in message
    assert "smoke=warn" in message
    assert not list((folder / "run/rounds/1").iterdir())
    assert refusal(cli("probe", "my.yaml", "--run", "run")) == message  # a refusal is no pass
    code, _, said = cli("probe", "my.yaml", "--run", "run", "--set", "model.path=good.yaml")
    assert code == 0, said
    assert "reads 4 of 4 pages" in said
    with Run.open(folder / "run", write=False) as run:
        assert run.round(1).finished("probe")
        assert set(json.loads(run.usage_file.read_text())["stages"]) == {"smoke", "probe"}


def test_mended_where_the_library_has_a_file_that_is_skipped(folder: Path) -> None:
    (folder / "pages").mkdir()
    (folder / "pages/comet.md").write_text("# Comet\n\nA comet is a body of ice.\n")
    (folder / "pages/odd.xyz").write_bytes(b"\x00\x01")
    (folder / "my.yaml").write_text(RECIPE + "library: pages\n")
    refusal(cli("probe", "my.yaml", "--run", "run"))
    assert [one.name for one in (folder / "run/rounds/1").iterdir()] == ["skipped.jsonl"]
    code, _, said = cli("probe", "my.yaml", "--run", "run", "--set", "model.path=good.yaml")
    assert code == 0, said


def test_mended_where_pages_were_fetched_which_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFSTUDY_HOME", str(folder / "home"))
    with small_web() as web:
        library = {"sources": [{"type": "urls", "urls": [f"{web.url}/Utopia"]}], "fetch": web.fetch}
        (folder / "my.yaml").write_text(f"{RECIPE}library: {json.dumps(library)}\n")
        refusal(cli("probe", "my.yaml", "--run", "run"))
        assert [one.name for one in (folder / "run/rounds/1").iterdir()] == ["documents.jsonl"]
        code, _, said = cli("probe", "my.yaml", "--run", "run", "--set", "model.path=good.yaml")
        assert code == 0, said
        assert web.asked == ["/Utopia"]


@pytest.mark.parametrize("deletions", range(4))
def test_mending_that_is_killed_is_gone_on_with(
    folder: Path, deletions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal(cli("probe", "my.yaml", "--run", "run"))
    left = [deletions]
    unlink = Path.unlink

    def unlink_until_killed(path: Path, missing_ok: bool = False) -> None:
        if path.name in ("usage.json", "timings.json", "smoke.json", "recipe.yaml"):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        unlink(path, missing_ok)

    mended = load_recipe(folder / "my.yaml", ["model.path=good.yaml"])
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(Path, "unlink", unlink_until_killed)
        Run.create_or_resume(folder / "run", mended).close()
    with Run.create_or_resume(folder / "run", mended) as run:
        assert run.recipe == mended


def test_not_again_in_the_same_run(folder: Path) -> None:
    good = ("--run", "run", "--set", "model.path=good.yaml")
    assert cli("probe", "my.yaml", *good)[0] == 0
    asked = (folder / "run" / "usage.json").read_bytes()
    (folder / "run/rounds/1/probe.done").unlink()
    code, _, said = cli("probe", "my.yaml", *good)
    assert code == 0, said
    assert "trivial" not in said
    before, after = (
        json.loads(one)["stages"]["smoke"] for one in (asked, (folder / "run/usage.json").read_bytes())
    )
    assert before == after
    assert "another recipe" in refusal(cli("probe", "my.yaml", "--run", "run"))  # there is work in it


def test_who_says_so_goes_on(folder: Path) -> None:
    refusal(cli("probe", "my.yaml", "--run", "run"))
    for value, shown in (("warn", True), ("skip", False)):
        code, _, said = cli("probe", "my.yaml", "--run", "run", "--set", f"smoke={value}")
        assert "cannot be worked with" not in said
        assert ("warning: its answers are empty" in said) == shown
        assert code == 2  # of nothing nothing comes, as the probe says itself


def test_samples_that_no_score_is_made_of_need_not_differ(folder: Path) -> None:
    (folder / "sure.yaml").write_text(GOOD.replace("[A body of ice., A world.]", "A world."))
    sure = ("--set", "model.path=sure.yaml", "--set", "probe.samples=1")
    sure_hamlet = (folder / "sure.yaml").read_text().replace(", Hamlet is by Shakespeare.", "")
    (folder / "sure.yaml").write_text(sure_hamlet)
    assert "do not differ" in refusal(cli("probe", "my.yaml", "--run", "run", *sure))
    code, _, said = cli("probe", "my.yaml", "--run", "alone", *sure, "--set", "probe.scorer=p-true")
    assert code == 0, said
    assert "warning: its samples do not differ" in said


def test_a_script_is_looked_at_only_where_the_recipe_says_so(folder: Path) -> None:
    (folder / "my.yaml").write_text(RECIPE.replace("smoke: refuse\n", ""))
    assert "cannot be worked with" not in refusal(cli("probe", "my.yaml", "--run", "run"))
    assert not (folder / "run/smoke.json").exists()


def test_who_reads_is_looked_at_before_the_probe(folder: Path) -> None:
    (folder / "pages").mkdir()
    (folder / "pages/a.txt").write_text("A comet is a body of ice.")
    (folder / "my.yaml").write_text(
        RECIPE.replace("script", "good", 1).replace("path: script", "path: good")
        + "library: pages\nnli: none\ngather: {reader: {type: scripted, path: script.yaml}}\n"
    )
    good = ("--run", "run", "--set", "model={type: scripted, path: good.yaml}")
    message = refusal(cli("probe", "my.yaml", *good))
    assert "script.yaml" in message
    assert "answers are empty" in message
    assert not [one for one in (folder / "run/rounds/1").iterdir() if one.name != "skipped.jsonl"]
    code, _, said = cli("probe", "my.yaml", *good, "--set", "gather.reader.path=good.yaml")
    assert code == 0, said


def test_the_doctor_asks_too(folder: Path) -> None:
    code, shown, _ = cli("doctor", "my.yaml", "--ask")
    assert code == 1
    assert "answers are empty" in shown
    assert "-> look at the end token" in shown
    _, shown, _ = cli("doctor", "my.yaml", "--set", "model.path=good.yaml", "--ask")
    assert "reads 4 of 4 pages" in shown
    assert "reads 4" not in cli("doctor", "my.yaml")[1]
