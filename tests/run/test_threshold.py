"""Where the threshold of a run comes from, and that it stays; as a person calibrates it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import selfstudy
from selfstudy.cli import app
from selfstudy.errors import DataError, RunError
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, LocalModel, ProbeBlock, Recipe
from selfstudy.records import Check, Question, Score
from selfstudy.run import Run, threshold
from selfstudy.summary import summarise


def recipe(**probe: object) -> Recipe:
    return Recipe(probe=ProbeBlock.model_validate(probe))


def cli(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


def truth(number: int) -> bool:
    """Whether the model knows question `number`."""
    return number % 5 > 1


def value(number: int) -> float:
    """Its score: known ones below 0.3, unknown ones above 0.25, so that 0.5 loses some of these."""
    spread = float(np.random.default_rng(number).random())
    return 0.3 * spread if truth(number) else 0.25 + 0.6 * spread


def test_the_rule_is_above_and_not_at_the_threshold_for_numbers_and_arrays() -> None:
    assert threshold.is_inconsistent(0.51, 0.5) is True
    assert threshold.is_inconsistent(0.5, 0.5) is False
    assert threshold.is_inconsistent(np.array([0.4, 0.5, 0.6]), 0.5).tolist() == [False, False, True]


def test_nobody_writes_the_rule_out_again() -> None:
    """Scores are compared with thresholds by `is_inconsistent`; others have thresholds of their own."""
    root = Path(selfstudy.__file__).parent
    others = {
        root / "run" / "threshold.py",
        root / "duplicates.py",
        root / "models" / "remote" / "concurrency.py",
        root / "models" / "router.py",
    }
    for path in set(root.rglob("*.py")) - others:
        assert not re.search(r"[<>]=? *(\w+\.)*_?(threshold|thresholds)\b", path.read_text()), path


@pytest.fixture
def probed(tmp_path: Path) -> Path:
    """A run with 200 scored questions and no labels."""
    with Run.create_or_resume(tmp_path / "probed", recipe()) as run:
        threshold.settle(run)
        asked = [Question(text=f"What is {i}?") for i in range(200)]
        run.round(1).append(asked)
        run.round(1).append(
            Score(question_id=q.id, scorer="selfcheck-nli", value=value(i)) for i, q in enumerate(asked)
        )
    return tmp_path / "probed"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.jsonl"
    lines = [{"question": f"what is  {i}?", "known": truth(i)} for i in range(200)]
    path.write_text("\n".join(map(json.dumps, [*lines, {"question": "Who?", "known": True}])), "utf-8")
    return path


@pytest.fixture
def calibrated(probed: Path, labels: Path) -> dict[str, object]:
    code, shown, said = cli("calibrate", probed, "--labels", labels)
    assert code == 0, said
    assert "1 labels are of questions that this run does not have" in said + shown
    assert "no random sample" not in said + shown
    found: dict[str, object] = json.loads((probed / "calibration-selfcheck-nli.json").read_text())
    return found


def of_new_run(path: Path, made: Recipe) -> threshold.Threshold:
    with Run.create_or_resume(path, made) as run:
        return threshold.settle(run)


def test_without_anything_it_is_an_uncalibrated_default(tmp_path: Path) -> None:
    found = of_new_run(tmp_path / "run", recipe())
    assert (found.value, found.source, found.calibrated) == (0.5, "default", False)
    assert str(found) == "0.5, uncalibrated default"


def test_a_number_in_the_recipe_wins(tmp_path: Path, calibrated: dict[str, object]) -> None:
    found = of_new_run(tmp_path / "run", recipe(threshold=0.5))
    assert (found.value, found.source) == (0.5, "recipe")
    assert str(found) == "0.5, set in the recipe"


def test_a_calibration_is_picked_up_by_runs_of_the_same_models_and_scorer(
    tmp_path: Path, home: Path, calibrated: dict[str, object]
) -> None:
    cut = calibrated["cut"]
    assert isinstance(cut, dict)
    assert cut["threshold"] < 0.3
    assert list(home.rglob("selfcheck-nli-*.json"))
    found = of_new_run(tmp_path / "same", recipe())
    assert (found.value, found.source, found.precision, found.labels) == (
        cut["threshold"],
        "calibration",
        0.9,
        200,
    )
    assert "calibrated for precision 0.9 on 200 labels" in str(found)
    assert of_new_run(tmp_path / "adaptive", recipe(adaptive={})).calibrated
    for other in (
        recipe(scorer="agreement"),
        recipe(samples=5),
        recipe().model_copy(update={"answering": AnsweringBlock(temperature=0.7)}),
        recipe().model_copy(update={"answering": AnsweringBlock(max_new_tokens=32)}),
        recipe().model_copy(update={"answering": AnsweringBlock(repetition_penalty=1.0)}),
        recipe().model_copy(update={"prompts": answer_prompt(tmp_path, "Q: $question A:")}),
        recipe().model_copy(update={"prompts": tmp_path / "not here"}),
        recipe().model_copy(update={"model": LocalModel(revision="v2", path="other")}),
        recipe().model_copy(update={"model": LocalModel(adapter=tmp_path)}),
        recipe().model_copy(update={"judge": LocalModel(path="other")}),
        recipe().model_copy(update={"teacher": LocalModel(path="other")}),
    ):
        found = threshold.resolve(other)
        assert (found.value, found.source) == (0.5, "default")


def answer_prompt(folder: Path, text: str) -> Path:
    (folder / "prompts").mkdir(exist_ok=True)
    (folder / "prompts" / "answer.txt").write_text(text)
    return folder / "prompts"


def test_only_the_prompts_that_a_score_is_made_with_matter(tmp_path: Path) -> None:
    prompts = answer_prompt(tmp_path, Prompts().text("answer"))
    (prompts / "grade.txt").write_text("$question $answer: right?")
    own = Recipe(prompts=prompts)
    for scorer, same in (("selfcheck-nli", True), ("p-true", False), ("bsdetector", False)):
        assert (threshold.file_of(own, scorer) == threshold.file_of(Recipe(), scorer)) is same, scorer
    members = ProbeBlock(ensemble=("agreement", "p-true"))
    files = [threshold.file_of(Recipe(probe=members, prompts=at), "ensemble") for at in (None, prompts)]
    assert files[0] != files[1]


def test_one_for_other_settings_is_named_by_learn_and_doctor(
    tmp_path: Path, calibrated: dict[str, object]
) -> None:
    other = recipe().model_copy(
        update={
            "answering": AnsweringBlock(max_new_tokens=32),
            "prompts": answer_prompt(tmp_path, "$question"),
        }
    )
    (said,) = threshold.unused(other, "selfcheck-nli")
    assert said.startswith("a calibration of selfcheck-nli exists for other settings")
    assert "(max_new_tokens 64, here 32, other prompts): it is not used" in said
    assert threshold.unused(recipe(), "selfcheck-nli") == [], "it is used"
    assert threshold.unused(other, "agreement") == []
    elsewhere = other.model_copy(update={"model": LocalModel(path="other")})
    assert threshold.unused(elsewhere, "selfcheck-nli") == [], "of another model there is nothing to say"
    (tmp_path / "other.yaml").write_text("library: atlas\nanswering: {max_new_tokens: 32}\n")
    _, shown, _ = cli("doctor", tmp_path / "other.yaml")
    assert "exists for other settings (max_new_tokens 64, here 32)" in shown
    assert "0.5, uncalibrated default" in shown


def test_what_a_server_is_told_beside_the_question_belongs_to_the_setting() -> None:
    def file(block: str, extra: dict[str, object]) -> Path:
        model = {"type": "remote", "model": "m", "extra": extra}
        return threshold.file_of(Recipe.model_validate({block: model}), "selfcheck-llm")

    thinking: dict[str, object] = {"top_p": 0.9, "chat_template_kwargs": {"enable_thinking": True}}
    for block in ("model", "judge"):
        assert file(block, {}) != file(block, thinking)
        assert file(block, thinking) == file(block, dict(reversed(thinking.items())))
    served = [
        Recipe.model_validate({"model": {"type": "server", "engine": "vllm", "args": args}})
        for args in ({}, {"quantization": "fp8"})
    ]
    assert len({threshold.file_of(one, "agreement") for one in served}) == 2


def test_how_a_model_is_asked_belongs_to_the_setting() -> None:
    def file(**style: object) -> Path:
        return threshold.file_of(Recipe(library="atlas", model=LocalModel.model_validate(style)), "agreement")

    assert file(prompt="auto") == file()
    assert (
        len({file(), file(prompt="completion"), file(demonstrations=True), file(demonstrations=False)}) == 4
    )


def test_what_judges_entailment_and_how_it_is_asked_belongs_to_the_setting(tmp_path: Path) -> None:
    def file(nli: object, scorer: str = "semantic-entropy", prompts: Path | None = None) -> Path:
        judged = {"nli": nli, "prompts": prompts, "probe": {"scorer": scorer}}
        return threshold.file_of(Recipe.model_validate(judged), scorer)

    asked: dict[str, object] = {"type": "lm"}
    ways = ({"type": "classifier"}, "none", asked, {"type": "lm", "ask": "model"})
    assert len({file(way, "selfcheck-ngram") for way in ways}) == 4
    (tmp_path / "entail.txt").write_text("Does $premise say that $hypothesis?")
    assert file(asked) != file(asked, prompts=tmp_path), "what it is asked with"
    assert file("none", "agreement") == file("none", "agreement", tmp_path)
    assert file(asked, "agreement") == file(asked, "agreement", tmp_path), "it compares no meanings"


def test_demonstrations_count_only_where_a_model_is_shown_them(tmp_path: Path) -> None:
    def digest_of(**model: object) -> object:
        made = Recipe.model_validate({"library": "atlas", "model": model})
        return threshold.fingerprint(made, "p-true")["prompts"]

    before = "1e0f199743dd767b"  # as version 0.1 saved it, whose prompts had no demonstrations
    instructed, base = tmp_path / "instructed", tmp_path / "base"
    for folder, settings in ((instructed, {"chat_template": "{{ messages }}"}), (base, {})):
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    assert digest_of(type="remote", model="m") == before
    assert digest_of(type="server", engine="vllm", model="owner/name") == before
    assert digest_of(path="atlas") == digest_of(path=str(base), prompt="chat") == before
    assert digest_of(path=str(instructed)) == digest_of(path=str(base), demonstrations=False) == before
    shown = digest_of(path=str(base))
    assert shown != before
    assert digest_of(path=str(instructed), prompt="completion") == shown
    assert digest_of(type="server", engine="vllm", model=str(base)) == shown
    assert digest_of(path=str(tmp_path / "no folder")) == shown, "it may be"


def test_the_judge_is_the_teacher_where_no_other_is_named_and_a_server_is_known_by_its_url() -> None:
    def file(**models: object) -> Path:
        return threshold.file_of(Recipe.model_validate(models), "selfcheck-llm")

    one, other = ({"type": "remote", "model": "m", "base_url": f"http://{host}/v1"} for host in "ab")
    assert file(teacher=one) == file(judge=one) == file(judge=one, teacher=other)
    assert file(judge=one) != file(judge=other)
    assert file(model=one) != file(model=other)


def with_ensemble(path: Path) -> Path:
    """A probed run whose ensemble is the mean of agreement, which is `value`, and of another that says 1."""
    probe = recipe(scorer="agreement", compare=("ensemble",), ensemble=("agreement", "selfcheck-ngram"))
    with Run.create_or_resume(path, probe) as run:
        threshold.settle(run)
        asked = [Question(text=f"What is {i}?") for i in range(200)]
        run.round(1).append(asked)
        for i, q in enumerate(asked):
            parts = {"agreement": value(i), "selfcheck-ngram": 1.0}
            mean = sum(parts.values()) / 2
            run.round(1).append(
                [
                    Score(question_id=q.id, scorer="agreement", value=parts["agreement"]),
                    Score(question_id=q.id, scorer="ensemble", value=mean, parts=parts),
                ]
            )
    return path


def test_a_cut_of_learned_weights_is_not_put_on_scores_of_equal_ones(tmp_path: Path, labels: Path) -> None:
    probed = with_ensemble(tmp_path / "run")
    assert cli("calibrate", probed, "--labels", labels)[0] == 0
    found = json.loads((probed / "calibration-ensemble.json").read_text())
    assert found["weights"]
    assert found["cut"]["threshold"] != 0.5
    with Run.open(probed, write=False) as run:
        assert threshold.in_use(run, "ensemble") == 0.5, "its scores are means"
        assert threshold.in_use(run, "agreement") == 0.5, "it began with the default"
        own = {s.question_id: s.value for s in run.round(1).iter(Score) if s.scorer == "ensemble"}
    selected = sum(v is not None and v > 0.5 for v in own.values())
    assert (found["in_use"]["threshold"], found["in_use"]["selected"]) == (0.5, selected)
    shown = json.loads(cli("compare", probed, "--labels", labels, "--json")[1])
    assert [s["threshold"] for s in shown["scorers"] if s["scorer"] == "ensemble"] == [0.5]
    with Run.create_or_resume(tmp_path / "next", run.recipe) as later:
        assert threshold.settle(later).weights == found["weights"]
        assert threshold.in_use(later, "ensemble") == found["cut"]["threshold"]


def test_a_run_keeps_the_threshold_it_began_with(probed: Path, calibrated: dict[str, object]) -> None:
    with Run.open(probed) as run:
        assert threshold.settle(run).source == "default"  # it was probed before it was calibrated
        assert threshold.of(run).value == 0.5


def test_the_summary_says_where_it_comes_from(
    tmp_path: Path, probed: Path, calibrated: dict[str, object]
) -> None:
    with Run.open(probed) as run:
        before = summarise(run, None, LexicalEmbedder())
        assert (before["calibrated"], before["threshold"]) == (False, 0.5)
        assert before["threshold_source"] == "default"
        assert set(before["calibrations"]) == {"selfcheck-nli"}
        again = Run.create_or_resume(tmp_path / "again", recipe())
        with again:
            threshold.settle(again)
            again.round(1).append(run.round(1).iter(Question))
            again.round(1).append(run.round(1).iter(Score))
            after = summarise(again, None, LexicalEmbedder())
    assert (after["calibrated"], after["threshold_source"]) == (True, "calibration")
    above = sum(value(i) > after["threshold"] for i in range(200))
    assert after["inconsistent"] == above > before["inconsistent"]
    assert after["awareness"] is None  # no proposals were written


def test_report_and_terminal_say_it(probed: Path, calibrated: dict[str, object]) -> None:
    code, shown, said = cli("report", probed)
    assert code == 0, said
    assert "threshold 0.5, uncalibrated default" in shown
    page = (probed / "report.html").read_text(encoding="utf-8")
    assert "above the threshold 0.5, uncalibrated default" in page
    assert "Calibration</h3>" in page


def test_calibrate_prints_what_it_found(probed: Path, labels: Path) -> None:
    code, shown, _ = cli("calibrate", probed, "--labels", labels, "--precision", "0.8")
    assert code == 0
    assert "AUROC" in shown
    assert "means unknown with precision 0.8" in shown
    assert "P(unknown): 0.00 at a score of 0.1, " in shown
    assert "1.00 at a score of 0.7" in shown
    assert f"next: selfstudy report {probed}" in shown


def test_labels_come_from_verify_where_there_are_no_others(probed: Path) -> None:
    code, _, said = cli("calibrate", probed)
    assert code == 2
    assert "has no labels" in said
    assert "--labels" in said
    with Run.open(probed) as run:
        part = run.round(1)
        part.append(
            Check(
                question_id=question.id,
                arm=arm,
                target="gap",
                wording=wording,
                asked=question.text,
                answer="a",
                expected="b",
                correct=truth(i) if (arm, wording) == ("base", "original") else None if i % 2 else True,
            )
            for i, question in enumerate(part.read(Question)[:150])
            for arm in ("base", "taught")
            for wording in ("original", "reworded")
        )
    code, _, said = cli("calibrate", probed)
    assert code == 0
    assert "no random sample" in said
    found = json.loads((probed / "calibration-selfcheck-nli.json").read_text())
    assert (found["labels"], found["source"]) == (150, "the answers that verify checked")
    assert found["auroc"] > 0.95


def test_csv_and_ids(probed: Path, tmp_path: Path) -> None:
    with Run.open(probed, write=False) as run:
        ids = [q.id for q in run.round(1).iter(Question)]
    file = tmp_path / "labels.csv"
    words = {True: "yes", False: "0"}
    rows = [f"{i},{words[truth(n)]}" for n, i in enumerate(ids)]
    file.write_text("\n".join(["question_id,known", *rows]), "utf-8-sig")
    assert cli("calibrate", probed, "--labels", file)[0] == 0
    found = json.loads((probed / "calibration-selfcheck-nli.json").read_text())
    assert (found["labels"], found["unknown"], found["source"]) == (200, 80, "labels.csv")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "", "neither .jsonl nor .csv"),
        ("a.jsonl", '{"question": "What is 1?", "known": true}\n{"question"', "line 2: not JSON"),
        ("a.jsonl", "[1]", "line 1: expected an object, found [1]"),
        ("a.jsonl", '{"question": ' + "9" * 5000 + "}", "line 1: not JSON that can be read"),
        ("a.jsonl", "[" * 100_000, "line 1: not JSON that can be read"),
        ("a.jsonl", "", "none is of a question of this run (0 are of others)"),
        ("a.jsonl", '{"question": "Who?", "known": true}', "none is of a question of this run (1 are"),
        (
            "a.jsonl",
            '\n{"question": "What is 1?", "known": "perhaps"}',
            "line 2: known must be true or false",
        ),
        ("a.jsonl", '{"question": "What is 1?"}', "found None"),
        ("a.jsonl", '{"known": true}', "no question and no question_id"),
        (
            "a.jsonl",
            '{"question": "What is 1?", "known": true}\n{"question": "WHAT IS 1?", "known": false}',
            "labelled otherwise above",
        ),
        ("a.csv", "question,known\nWhat is 1?,maybe\n", "line 2: known must be true or false"),
        (
            "a.csv",
            "question,known\nWhat is 1?,yes\n",
            "1 labelled questions have a score (0 unknown, 1 known)",
        ),
    ],
)
def test_labels_that_cannot_be_used(probed: Path, tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    code, _, error = cli("calibrate", probed, "--labels", tmp_path / name)
    assert code == 2
    assert said in error
    assert "Traceback" not in error


def test_a_file_that_is_not_there(probed: Path, tmp_path: Path) -> None:
    assert "cannot be read" in cli("calibrate", probed, "--labels", tmp_path / "no.jsonl")[2]


def test_a_damaged_calibration_is_named(tmp_path: Path, calibrated: dict[str, object]) -> None:
    path = threshold.file_of(recipe(), "selfcheck-nli")
    for damage in ("{", "[]", '{"cut": {"threshold": 7}}', '{"cut": {"threshold": 0.5}}'):
        path.write_text(damage)
        with pytest.raises(DataError, match="selfcheck-nli-") as caught:
            threshold.resolve(recipe())
        assert "selfstudy calibrate" in caught.value.hint


def test_no_threshold_reaches_it_and_later_runs_keep_the_default(tmp_path: Path, probed: Path) -> None:
    file = tmp_path / "labels.jsonl"
    shuffled = np.random.default_rng(0).permutation(200) % 5 > 1
    rows = [{"question": f"What is {i}?", "known": bool(shuffled[i])} for i in range(200)]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    code, shown, _ = cli("calibrate", probed, "--labels", file, "--precision", "0.99")
    assert code == 0
    assert "no threshold reaches precision 0.99; the best is" in shown
    assert threshold.resolve(recipe()).source == "default"


def test_a_folder_that_cannot_be_written(probed: Path, labels: Path, home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    home.write_text("a file where the folder should be")
    code, _, said = cli("calibrate", probed, "--labels", labels)
    assert code == 2
    assert "SELFSTUDY_HOME" in said
    assert (probed / "calibration-selfcheck-nli.json").exists()


def test_learned_weights_travel_with_the_threshold(tmp_path: Path) -> None:
    made = recipe(scorer="ensemble", ensemble=("selfcheck-nli", "agreement"))
    weights = {"bias": -2.0, "weights": {"selfcheck-nli": 3.0, "agreement": 1.0}}
    threshold.keep(
        made, "ensemble", {"cut": {"threshold": 0.4}, "wanted": 0.9, "labels": 50, "weights": weights}
    )
    with Run.create_or_resume(tmp_path / "run", made) as run:
        assert threshold.settle(run).weights == weights
        assert threshold.of(run).value == 0.4
    others = recipe(scorer="ensemble", ensemble=("selfcheck-nli", "p-true"))
    assert threshold.resolve(others).weights is None


def test_a_damaged_threshold_of_a_run_is_named(probed: Path) -> None:
    (probed / "threshold.json").write_text('{"value": 2, "source": "default"}')
    with Run.open(probed, write=False) as run, pytest.raises(RunError, match=r"threshold\.json is damaged"):
        threshold.of(run)
