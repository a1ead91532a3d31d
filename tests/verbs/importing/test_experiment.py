"""The original experiment's result files become runs: nothing is lost, published values come out exactly."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.errors import DataError, RunError
from selfstudy.loop import Study
from selfstudy.records import Answer, Failure, Proposal, Question, Score
from selfstudy.run import Run
from selfstudy.verbs.importing.experiment import _interleave
from selfstudy.verbs.importing.file import import_file

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "into-the-unknown"
MODELS = ("TinyLlama", "Phi-3", "Mistral", "baseline")
METRICS = ("curiosity", "awareness", "brevity", "slc")


def published(model: str) -> Path:
    found = sorted(PUBLISHED.glob(f"res_*{model}*.pickle"))
    if not found:
        pytest.skip(f"no published result file of {model} in {PUBLISHED}")
    return found[0]


def entry(prompt: str, score: float, passage: str = "It is so.", **changes: Any) -> dict[str, Any]:
    return {
        "topics": "Rivers, Towns",
        "prompt": prompt,
        "passage": passage,
        "passage_sentences": [passage],
        "samples": [f"{passage} Or not.", "No."],
        "sentence_scores": np.array([score]),
        "average_score": np.float64(score),
        **changes,
    }


def experiment(answered: list[tuple[str, float]], **changes: Any) -> dict[str, Any]:
    """A result file in which each question is answered in a way of its own."""
    entries = [entry(q, s, f"Answer {n}.") for n, (q, s) in enumerate(answered)]
    return {
        "pretrained_model_name": "owner/model",
        "curiosity_score": np.float64(0.5),
        "knowledge_limit_awareness_score": 0.25,
        "brevity_coefficient": 1,
        "self_learning_capability_score": 0.375,
        "proposed_questions": [q for q, _ in answered],
        "proposed_questions_labels": list(range(len(answered))),
        "prompts_with_hallucination": [e for e in entries if e["average_score"] > 0.5],
        "prompts_with_no_hallucination": [e for e in entries if e["average_score"] <= 0.5],
        **changes,
    }


def saved(data: object, folder: Path, name: str = "res.pickle") -> Path:
    path = folder / name
    path.write_bytes(pickle.dumps(data))
    return path


def written(run: Path) -> dict[str, list[Any]]:
    with Run.open(run, write=False) as opened:
        part = opened.round(1)
        kinds = (Proposal, Question, Answer, Score, Failure)
        return {kind.__name__: part.read(kind) for kind in kinds}


@pytest.mark.parametrize("model", MODELS)
def test_the_real_files(model: str, tmp_path: Path) -> None:
    found = import_file(published(model), tmp_path / "run")
    assert (found["given"], found["failed"]) == (576, 0)
    assert found["imported"] + found["duplicates"] == 576
    records = written(tmp_path / "run")
    assert [p.index for p in records["Proposal"]] == list(range(576))
    assert len(records["Question"]) == len(records["Answer"]) == len(records["Score"]) == found["imported"]
    for score, answer in zip(records["Score"], records["Answer"], strict=True):
        assert score.value == pytest.approx(np.mean([s.value for s in score.sentences]), abs=1e-12)
        assert len(answer.samples) == 10
    with Run.open(tmp_path / "run", write=False) as run:
        assert run.recipe.probe.threshold == 0.5
        assert model in run.recipe.model.path
        assert run.round(1).finished("probe")
        assert not run.round(1).finished("gather")


@pytest.mark.parametrize("model", MODELS)
def test_published_metrics_come_exactly_from_the_stored_values(model: str, tmp_path: Path) -> None:
    found = import_file(published(model), tmp_path / "run")
    computed = found["from_stored_values"]
    for name in METRICS:
        if (model, name) != ("baseline", "curiosity"):
            assert computed[name] == found["published"][name], name
    if model == "baseline":  # docs/imported-results.md explains why
        assert round(576 * computed["curiosity"]) == round(576 * found["published"]["curiosity"]) + 1


def test_every_answer_to_the_same_question_is_a_question_of_its_own(tmp_path: Path) -> None:
    found = import_file(published("Mistral"), tmp_path / "run")
    assert (found["imported"], found["duplicates"]) == (576, 0)
    records = written(tmp_path / "run")
    assert len({q.text for q in records["Question"]}) == 558
    value = {s.question_id: s.value for s in records["Score"]}
    assert [value[p.question_id] for p in records["Proposal"]] == found["scores"]


@pytest.mark.parametrize("model", MODELS)
def test_the_report_opens_and_shows_what_was_published(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*ignored: Any) -> Any:
        raise AssertionError("a report needs no model")

    monkeypatch.setattr("selfstudy.models.load_lm", refuse)
    monkeypatch.setattr("selfstudy.models.load_nli", refuse)
    found = import_file(published(model), tmp_path / "run")
    with Run.open(tmp_path / "run") as run:
        summary = Study(run).report()
    assert summary["published"] == found["published"]
    assert summary["questions"] == found["imported"]
    assert summary["brevity"] == found["published"]["brevity"]
    assert summary["awareness"] == pytest.approx(found["published"]["awareness"], abs=1e-12)
    html = (tmp_path / "run" / "report.html").read_text()
    assert "Published" in html
    assert f"SLC {found['published']['slc']:.3f}" in html


def test_every_proposal_keeps_its_own_answer_and_score(tmp_path: Path) -> None:
    asked = [("a?", 0.1), ("b?", 0.9), ("a?", 0.8), ("c?", 0.2), ("b?", 0.3), ("a?", 0.7)]
    found = import_file(saved(experiment(asked), tmp_path), tmp_path / "run")
    records = written(tmp_path / "run")
    value = {s.question_id: s.value for s in records["Score"]}
    passage = {a.question_id: a.passage.text for a in records["Answer"]}
    ids = [p.question_id for p in records["Proposal"]]
    assert [value[i] for i in ids] == [score for _, score in asked] == found["scores"]
    assert [passage[i] for i in ids] == [f"Answer {n}." for n in range(6)]
    assert ids[0] == Question(text="a?").id
    assert (found["given"], found["imported"], found["duplicates"], found["failed"]) == (6, 6, 0, 0)
    assert found["from_stored_values"]["awareness"] == 3 / 6


def test_awareness_is_the_published_one_with_repeats_and_without_scores(tmp_path: Path) -> None:
    data = experiment([("a?", 0.9), ("b?", 0.2), ("a?", 0.8), ("c?", 0.2), ("a?", 0.1), ("d?", 0.7)])
    for question in ("e?", "e?"):  # an empty passage has no sentence, and the mean of nothing is NaN
        none: dict[str, Any] = {"passage_sentences": [], "sentence_scores": np.array([])}
        data["prompts_with_no_hallucination"].append(entry(question, float("nan"), "", **none))
        data["proposed_questions"].append(question)
    data["proposed_questions_labels"] = list(range(8))
    data["knowledge_limit_awareness_score"] = 3 / 8
    found = import_file(saved(data, tmp_path), tmp_path / "run")
    assert (found["imported"], found["duplicates"]) == (7, 1)
    assert found["from_stored_values"]["awareness"] == found["published"]["awareness"]
    with Run.open(tmp_path / "run") as run:
        summary = Study(run).report()
    assert summary["awareness"] == pytest.approx(3 / 8)
    assert (summary["questions"], summary["unscored"]) == (7, 1)
    records = written(tmp_path / "run")
    assert sorted(s.value for s in records["Score"] if s.value is not None) == [0.1, 0.2, 0.2, 0.7, 0.8, 0.9]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=14))
def test_interleaving_finds_a_way_that_gives_both_lists(drawn: list[tuple[str, bool]]) -> None:
    merged = [text for text, _ in drawn]
    first = [text for text, in_first in drawn if in_first]
    second = [text for text, in_first in drawn if not in_first]
    ways = _interleave(merged, first, second)
    assert ways is not None
    assert [t for t, way in zip(merged, ways, strict=True) if way == 0] == first
    assert [t for t, way in zip(merged, ways, strict=True) if way == 1] == second


def test_lists_that_do_not_interleave_are_matched_by_text(tmp_path: Path) -> None:
    data = experiment([("a?", 0.1), ("b?", 0.2), ("c?", 0.3)])
    data["prompts_with_no_hallucination"].reverse()
    assert import_file(saved(data, tmp_path), tmp_path / "run")["scores"] == [0.1, 0.2, 0.3]
    assert _interleave(["a", "b"], ["b", "a"], []) is None


def broken(**changes: Any) -> dict[str, Any]:
    data = experiment([("a?", 0.1), ("b?", 0.2), ("c?", 0.9)])
    data["prompts_with_no_hallucination"][1] |= changes
    return data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"passage": 5}, "'passage' must be text, found 5"),
        ({"samples": "one"}, "'samples' must be a list, found 'one'"),
        ({"sentence_scores": np.array([0.5, 0.5])}, "1 sentences have 2 scores"),
        ({"average_score": 1.5}, r"'average_score' must be in \[0, 1\], found 1.5"),
        ({"average_score": "high"}, "average_score: must be a number, found 'high'"),
        ({"average_score": 10**500}, "too large"),
        ({"topics": ["Rivers", 5]}, "'topics' must be text, found 5"),
    ],
)
def test_a_bad_answer_is_named_or_counted(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = saved(broken(**changes), tmp_path)
    with pytest.raises(DataError, match=rf"res.pickle: prompts_with_no_hallucination\[1\]: .*{message}"):
        import_file(path, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    found = import_file(path, tmp_path / "run", skip_bad=True)
    assert (found["given"], found["imported"], found["failed"]) == (3, 2, 1)
    failures = written(tmp_path / "run")["Failure"]
    assert {f.stage for f in failures} == {"import"}
    assert {f.item_id for f in failures} == {Question(text="b?").id, "prompts_with_no_hallucination[1]"}


def test_an_answer_without_a_score_is_unscored_not_zero(tmp_path: Path) -> None:
    changes = {"average_score": np.float64("nan"), "sentence_scores": np.array([np.nan])}
    import_file(saved(broken(**changes), tmp_path), tmp_path / "run")
    records = written(tmp_path / "run")
    assert [s.value for s in records["Score"]] == [0.1, None, 0.9]
    assert [f.item_id for f in records["Failure"]] == [Question(text="b?").id]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proposed_questions": []}, "proposed_questions: must be a list"),
        ({"proposed_questions": ["a?", 7, "c?"]}, r"proposed_questions\[1\]' must be text, found 7"),
        ({"proposed_questions_labels": [1]}, "must be 3 whole numbers"),
        ({"proposed_questions_labels": [0, 10**30, 1]}, "must be 3 whole numbers from -1 to 2, found"),
        ({"proposed_questions_labels": [0, True, 1]}, "found .0, True, 1."),
        ({"proposed_questions_labels": [0, -7, 1]}, "found .0, -7, 1."),
        ({"proposed_questions_labels": [0, 3, 1]}, "found .0, 3, 1."),
        ({"curiosity_score": "much"}, "curiosity_score: must be a number"),
        ({"pretrained_model_name": 4}, "pretrained_model_name: must be text"),
        ({"prompts_with_hallucination": None}, "prompts_with_hallucination: must be a list"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = saved(broken() | changes, tmp_path)
    with pytest.raises(DataError, match=message):
        import_file(path, tmp_path / "run", skip_bad=True)


def test_a_pickle_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must hold a dict with proposed_questions"):
        import_file(saved({"some": "thing"}, tmp_path), tmp_path / "run")


def test_an_interrupted_import_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    path = saved(experiment([(f"q{n % 7}?", n / 10) for n in range(9)]), tmp_path)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = import_file(path, whole)
    import_file(path, cut)
    part = cut / "rounds" / "1"
    for file in part.glob("*.jsonl"):
        file.write_bytes(file.read_bytes()[:-40])
    (part / "probe.done").unlink()
    (cut / Run.imported_file).write_text(json.dumps({**expected, "finished": False}))
    assert import_file(path, cut) == expected
    assert written(cut) == written(whole)
    again = import_file(path, cut)
    assert again == expected


def test_another_file_or_run_in_the_folder_is_refused(tmp_path: Path) -> None:
    import_file(saved(experiment([("a?", 0.1)]), tmp_path), tmp_path / "run")
    with pytest.raises(RunError, match=r"another file \(res.pickle\)"):
        import_file(saved(experiment([("b?", 0.1)]), tmp_path, "other.pickle"), tmp_path / "run")


def test_the_recipe_can_be_changed(tmp_path: Path) -> None:
    path = saved(experiment([("a?", 0.1)]), tmp_path)
    import_file(path, tmp_path / "run", overrides=["probe.ask.0.method=oracle", "model.path=a/b", "seed=4"])
    with Run.open(tmp_path / "run", write=False) as run:
        assert run.recipe.model.path == "a/b"
        assert run.recipe.seed == 4
        assert [q.method for q in run.round(1).iter(Question)] == ["oracle"]


def test_topics_may_be_a_list(tmp_path: Path) -> None:
    import_file(saved(broken(topics=["Rivers", "Towns"]), tmp_path), tmp_path / "run")
    assert [q.topic for q in written(tmp_path / "run")["Question"]][1] == "Rivers; Towns"


def test_it_can_be_calibrated_on_labels(tmp_path: Path) -> None:
    data = experiment([(f"What is {n}?", n / 40) for n in range(40)])
    import_file(saved(data, tmp_path), tmp_path / "run")
    labels = tmp_path / "known.csv"
    rows = [f"WHAT IS {n}?,{'yes' if n < 10 else 'no'}" for n in range(40)]
    labels.write_text("\n".join(["question,known", *rows]), encoding="utf-8")
    with Run.open(tmp_path / "run") as run:
        (made,) = Study(run).calibrate(labels)
    assert (made.scorer, made.labels, made.unknown, made.auroc) == ("selfcheck-nli", 40, 30, 1.0)
    assert made.in_use.threshold == 0.5
    assert made.cut is not None
    assert made.cut.threshold < 0.5


def test_repeats_with_equal_answers_are_one_question(tmp_path: Path) -> None:
    data = experiment([("a?", 0.1)])
    for _ in range(3):
        data["prompts_with_no_hallucination"].append(copy.deepcopy(data["prompts_with_no_hallucination"][0]))
    data["proposed_questions"] *= 4
    data["proposed_questions_labels"] *= 4
    found = import_file(saved(data, tmp_path), tmp_path / "run")
    assert (found["imported"], found["duplicates"]) == (1, 3)
    assert Counter(p.question_id for p in written(tmp_path / "run")["Proposal"]).most_common(1)[0][1] == 4
