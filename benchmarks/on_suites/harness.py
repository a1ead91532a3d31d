"""MC1 and MC2 of 20 questions: selfstudy's own, lm-eval with its hf model, and lm-eval through our model.

Needs lm-eval (requirements.txt beside this file).  Without a network:

    python benchmarks/on_suites/harness.py [FOLDER OF A MODEL ...]

Without a folder: the embedded model, and a tiny random one.  Exits with 1 where two differ by more than 1e-4.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

from selfstudy.models import load_lm
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.recipe.suites import LMEvalBlock, TruthfulQABlock
from selfstudy.records import SuiteItem
from selfstudy.verify.suites.base import SuiteTools
from selfstudy.verify.suites.lm_eval_tasks import lm_eval_suite
from selfstudy.verify.suites.truthfulqa import multiple_choice_context, truthfulqa

HERE = Path(__file__).parent
QUESTIONS, TOLERANCE = 20, 1e-4
TASKS = {"mc1": "selfstudy_mc1", "mc2": "selfstudy_mc2"}
OURS = TruthfulQABlock(questions=QUESTIONS, tasks=("mc1", "mc2"))


def task_folder(folder: Path) -> Path:
    """The task files with the questions that selfstudy's own suite asks, in its order."""
    suite = truthfulqa(OURS, 0)
    rows = []
    for one in suite._questions:
        assert one.mc1 is not None
        assert one.mc2 is not None
        row: dict[str, Any] = {"context": multiple_choice_context(one.question)}
        row |= {"mc1_choices": one.mc1.texts, "mc1_label": one.mc1.labels.index(1)}
        row |= {"mc2_choices": one.mc2.texts, "mc2_labels": one.mc2.labels}
        rows.append(json.dumps(row))
    data = folder / "questions.jsonl"
    data.write_text("\n".join(rows) + "\n", encoding="utf-8")
    for path in (HERE / "tasks").iterdir():
        if path.suffix in (".yaml", ".py"):
            text = path.read_text(encoding="utf-8").replace("DATA", json.dumps(str(data)))
            (folder / path.name).write_text(text, encoding="utf-8")
    return folder


def by_selfstudy(model: str) -> dict[str, list[float]]:
    """Of every question, by selfstudy's own suite."""
    suite = truthfulqa(OURS, 0)
    items = asked(suite, model)
    return {name: [one.parts[name] for one in items] for name in TASKS}


def through_our_model(model: str, tasks: Path) -> dict[str, list[float]]:
    """By lm-eval, asked of our model class."""
    block = LMEvalBlock(tasks=tuple(TASKS.values()), include_path=str(tasks), allow_code=True)
    items = asked(lm_eval_suite(block, 0), model)
    return {
        name: [one.parts[f"{task}:acc"] for one in items if one.item.startswith(f"{task}/")]
        for name, task in TASKS.items()
    }


def asked(suite: Any, model: str) -> list[SuiteItem]:
    """The items of a suite, none of which failed."""
    lm = load_lm(LocalModel(path=model, dtype="float32"), cache=False)
    items = [one for block in suite.run(lm, SuiteTools(Prompts()), "base") for one in block]
    assert not [one.error for one in items if one.error]
    return items


def by_its_own_model(folder: Path, tasks: Path) -> dict[str, list[float]]:
    """By lm-eval, asked of its own hf model of the same folder."""
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    found = simple_evaluate(
        model="hf",
        model_args={"pretrained": str(folder), "dtype": "float32", "device": "cpu"},
        tasks=list(TASKS.values()),
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        batch_size=8,
        bootstrap_iters=0,
        log_samples=True,
    )
    samples = found["samples"]
    return {
        name: [float(row["acc"]) for row in sorted(samples[task], key=lambda row: int(row["doc_id"]))]
        for name, task in TASKS.items()
    }


def compare(model: str, folder: Path) -> float:
    """Prints the three, and the largest difference of any question."""
    with tempfile.TemporaryDirectory() as temporary:
        tasks = task_folder(Path(temporary))
        own, ours = by_selfstudy(model), through_our_model(model, tasks)
        theirs = by_its_own_model(folder, tasks)
    worst = 0.0
    for name in TASKS:
        means = [sum(one[name]) / len(one[name]) for one in (own, theirs, ours)]
        apart = max(
            max(abs(a - b) for a, b in zip(own[name], other[name], strict=True)) for other in (theirs, ours)
        )
        worst = max(worst, apart)
        print(
            f"{model}: {name} of {len(own[name])} questions: selfstudy {means[0]:.6f}, lm-eval with hf "
            f"{means[1]:.6f}, lm-eval with our model {means[2]:.6f}; largest difference {apart:.2g}"
        )
    return worst


def tiny(folder: Path) -> Path:
    """A random model of a few kilobytes, as the tests have it; it reads whole prompts."""
    sys.path.insert(0, str(HERE.parents[1]))
    from tests.conftest import make_lm

    made = make_lm("llama", folder)
    config = json.loads((made / "config.json").read_text(encoding="utf-8"))
    (made / "config.json").write_text(
        json.dumps(config | {"max_position_embeddings": 1024}), encoding="utf-8"
    )
    return made


def main(models: list[str]) -> int:
    """The exit code."""
    from importlib import resources

    if models:
        worst = [compare(one, Path(one)) for one in models]
    else:
        embedded = Path(str(resources.files("selfstudy.atlas") / "lm"))
        with tempfile.TemporaryDirectory() as temporary:
            random_model = tiny(Path(temporary) / "tiny")
            worst = [compare("atlas", embedded), compare(str(random_model), random_model)]
    print(f"tolerance {TOLERANCE:g}: {'all equal' if max(worst) <= TOLERANCE else 'THEY DIFFER'}")
    return int(max(worst) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
