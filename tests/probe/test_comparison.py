"""Scorers side by side: figures by hand, whatever a run lacks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from selfstudy.cli import app
from selfstudy.errors import DataError, RunError
from selfstudy.judging.labels import SELECTED, find_labels
from selfstudy.probe.comparison import UNEQUAL_SAMPLES, compare, spearman
from selfstudy.recipe import AdaptiveBlock, ProbeBlock, Recipe
from selfstudy.records import Answer, Check, Completion, Question, Score
from selfstudy.run import SCORING, Run, corrections

VALUES = {
    "agreement": (0.0, 0.2, 0.8, 1.0),
    "selfcheck-nli": (0.1, 0.9, 0.2, 0.7),
    "p-true": (0.5, None, 0.5, 0.5),
}


def probed(
    folder: Path, key: str | None = None, values: dict[str, tuple[float | None, ...]] | None = None
) -> Path:
    """A run of four questions, the first two known if `key`, by two ways of asking."""
    recipe = Recipe(library="atlas", answer_key=key, probe=ProbeBlock(scorer="agreement", threshold=0.4))
    with Run.create_or_resume(folder, recipe) as run:
        turn = run.round(1)
        for i in range(4):
            question = Question(
                text=f"Question {i}?",
                topic="" if i == 0 else f"topic {i // 2}",
                method="open" if i < 3 else "external",
            )
            said = Completion(text="Yes.")
            turn.append([question, Answer(question_id=question.id, passage=said, samples=(said,))])
            for scorer, each in (values or VALUES).items():
                error = "no number" if each[i] is None else None
                turn.append([Score(question_id=question.id, scorer=scorer, value=each[i], error=error)])
        run.note_cost(SCORING + "agreement", 1, questions=2, seconds=0.5, calls=0, pairs=0)
        run.note_cost(SCORING + "agreement", 1, questions=2, seconds=1.5, calls=0, pairs=12)
    return folder


def keyed(folder: Path) -> str:
    path = folder / "key.jsonl"
    rows = [{"question": f"question  {i}?", "answer": "Yes", "known": i < 2} for i in range(4)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(path)


def test_figures_by_hand(tmp_path: Path) -> None:
    folder = probed(tmp_path / "run", keyed(tmp_path))
    with Run.open(folder, write=False) as run:
        found = compare([run])
    agreement, nli, p_true = found.scorers
    assert (agreement.scorer, agreement.run, agreement.decides, nli.decides) == (
        "agreement",
        "run",
        True,
        False,
    )
    assert (agreement.answers, agreement.scored, p_true.scored) == (4, 4, 3)
    assert (agreement.auroc, agreement.labelled) == (1.0, 4)
    assert agreement.interval is None  # four questions
    assert nli.auroc == 0.5  # of four pairs (unknown, known) two are in order
    assert p_true.auroc == 0.5
    assert (agreement.threshold, nli.threshold) == (0.4, 0.5), "the recipe's is the deciding scorer's"
    assert (agreement.inconsistent, nli.inconsistent, p_true.inconsistent) == (0.5, 0.5, 0.0)
    assert agreement.mean == pytest.approx(0.5)
    assert (agreement.seconds, agreement.calls, agreement.pairs) == (0.5, 0.0, 3.0)
    assert (nli.seconds, nli.calls) == (None, None)
    by = {(a.left, a.right): a for a in found.agreements}
    assert by[0, 1].same == 0.5
    assert by[0, 1].spearman == pytest.approx(
        0.4
    )  # ranks 1 2 3 4 and 1 4 2 3: 1 - 6 * (4 + 1 + 1) / (4 * 15)
    assert (by[0, 2].questions, by[0, 2].spearman) == (3, None)
    assert by[0, 2].same == pytest.approx(1 / 3)
    opened, external = found.methods
    assert (opened.method, opened.questions, opened.topics, opened.inconsistent) == (
        "open",
        3,
        2,
        pytest.approx(1 / 3),
    )
    assert (opened.auroc, external.auroc, external.labelled) == (1.0, None, 1)
    assert found.labels == {"run": "the answer key"}


def test_runs_beside_each_other_keep_their_names_apart(tmp_path: Path) -> None:
    one = {"agreement": (0.0, 0.0, 1.0, 1.0)}
    first = probed(tmp_path / "a" / "run", None, one)
    second = probed(tmp_path / "b" / "run", None, {"agreement": (0.0, 1.0, 1.0, 1.0), "p-true": (0.0,) * 4})
    with Run.open(first, write=False) as left, Run.open(second, write=False) as right:
        found = compare([left, right])
    assert [(s.run, s.scorer) for s in found.scorers] == [
        ("a/run", "agreement"),
        ("b/run", "agreement"),
        ("b/run", "p-true"),
    ]
    assert [(a.left, a.right, a.across, a.same) for a in found.agreements] == [
        (0, 1, True, 0.75),
        (1, 2, False, 0.25),
    ]
    assert found.labels == {}
    assert found.caveats == {}
    assert all(s.auroc is None and s.labelled == 0 for s in found.scorers)


def test_without_a_key_the_labels_are_what_verify_checked(tmp_path: Path) -> None:
    folder = probed(tmp_path / "run", str(tmp_path / "gone.jsonl"))  # the key did not travel with the run
    with Run.open(folder) as run:
        turn = run.round(1)
        for i, question in enumerate(turn.read(Question)):
            for wording in ("original", "novel"):
                right = i == 0 if wording == "original" else i > 0
                check = Check(
                    question_id=question.id,
                    arm="base",
                    target="gap",
                    wording=wording,  # type: ignore[arg-type]
                    asked=question.text,
                    answer="",
                    expected="",
                    correct=right,
                )
                turn.append([check])
        general = {
            "question_id": "general",
            "asked": "What is ice?",
            "target": "known",
            "wording": "original",
        }
        turn.append([Check(**{**check.model_dump(exclude={"id"}), **general})])
        assert set(find_labels(turn, None).known) == turn.ids(Question), "a general fact has no score"
        first, second, *others = list(turn.ids(Question))
        for name, label in ((first, "wrong"), (second, "cannot tell"), (first, "right"), ("other", "right")):
            corrections.add(run, name, label=label)  # type: ignore[arg-type]
        labels = find_labels(turn, None)
        assert (labels.people, labels.cannot_tell, labels.known[first]) == (1, 1, True)
        assert labels.known.keys() == {first, *others}
        run.corrections_file.unlink()
        found = compare([run])
    assert found.labels == {"run": "the answers that verify checked"}
    assert found.caveats == {"run": (SELECTED,)}
    assert found.scorers[0].auroc == 1.0
    assert found.scorers[0].labelled == 4


def test_scores_of_unequal_sample_counts_are_marked(tmp_path: Path) -> None:
    recipe = Recipe(probe=ProbeBlock(scorer="agreement", adaptive=AdaptiveBlock()))
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        for i in range(4):
            question = Question(text=f"Question {i}?")
            run.round(1).append([question, Score(question_id=question.id, scorer="agreement", value=i / 3)])
        assert compare([run]).caveats == {}, "without labels there is no AUROC to mark"
        path = Path(keyed(tmp_path))
        path.rename(path.with_suffix(".labels.jsonl"))
        assert compare([run], path.with_suffix(".labels.jsonl")).caveats == {"run": (UNEQUAL_SAMPLES,)}


def test_labels_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text("question,known\nQuestion 0?,no\nQuestion 3?,yes\n", encoding="utf-8")
    with Run.open(probed(tmp_path / "run", keyed(tmp_path)), write=False) as run:
        found = compare([run], path)
        assert (found.scorers[0].auroc, found.scorers[0].labelled) == (0.0, 2)
        with pytest.raises(DataError, match=r"nowhere\.csv"):
            compare([run], tmp_path / "nowhere.csv")
        path.write_text("question,known\nQuestion 10?,no\nQuestion 13?,yes\n", encoding="utf-8")
        with pytest.raises(DataError, match=r"known\.csv: none .* \(2 are of others\)") as caught:
            compare([run], path)
        assert str(run.path) in caught.value.hint


def test_a_run_that_was_not_probed_is_refused(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe(library="atlas")) as run:
        with pytest.raises(RunError, match="has not been probed"):
            compare([run])
        run.round(1).append([Question(text="Why?")])
        with pytest.raises(RunError, match="has no scores"):
            compare([run])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30))
def test_spearman_is_pearson_of_mean_ranks(pairs: list[tuple[int, int]]) -> None:
    def ranks(values: list[int]) -> list[float]:
        return [sum(w < v for w in values) + (values.count(v) + 1) / 2 for v in values]

    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    found = spearman(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(np.corrcoef(ranks(a), ranks(b))[0, 1])


def test_spearman_needs_pairs() -> None:
    assert spearman([], []) is None
    with pytest.raises(ValueError, match="1 and 2"):
        spearman([1.0], [1.0, 2.0])


def test_the_verb(tmp_path: Path) -> None:
    folder, page = probed(tmp_path / "run", keyed(tmp_path)), tmp_path / "compare.html"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    said = CliRunner().invoke(app, ["compare", str(folder), "--html", str(page)], env={"COLUMNS": "160"})
    assert said.exit_code == 0, said.output
    assert "agreement      1.000         –" in said.output, "four questions are too few for an interval"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    told = CliRunner().invoke(app, ["compare", str(folder), "--json"])
    assert [row["scorer"] for row in json.loads(told.output)["scorers"]] == list(VALUES)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    bad = CliRunner().invoke(app, ["compare", str(folder), "--html", str(tmp_path / "no" / "compare.html")])
    assert bad.exit_code == 2
    assert "give another file with --html" in bad.output
    failed = CliRunner().invoke(app, ["compare", str(tmp_path / "nothing")])
    assert failed.exit_code == 2
    assert "no run at" in failed.output
