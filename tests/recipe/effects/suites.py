"""Keys of suites of others' questions: seen in the items that are asked, their figures, and what a gate says.

lm-eval is not installed where tests run; it is stood in for by what our suite asks it for.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jinja2

from selfstudy.errors import DataError
from selfstudy.loop.resources import Resources
from selfstudy.loop.suites import suite_plan
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.recipe import NLIBlock, Recipe, ScriptedModel
from selfstudy.recipe.suites import LMEvalBlock, PairwiseBlock, SuiteBase
from selfstudy.records import Arm, Chat, SuiteItem
from selfstudy.run import Round, Run
from selfstudy.verify.gains import Resampling
from selfstudy.verify.rules import Rules
from selfstudy.verify.suites.asking import PlannedSuite, ask_suites
from selfstudy.verify.suites.kept import KeptSuite, keep_suite, results
from selfstudy.verify.suites.rules import not_worse

from ...verify.test_citing import Reads
from . import Effect, rows
from .scenes import working_in

TOWNS = 40


def sentence(town: int, mayor: str = "Mayor") -> str:
    return f"The mayor of Town{town} is {mayor}{town}."


def row(town: int) -> dict[str, Any]:
    """What any suite needs."""
    return {
        "question": f"Who is the mayor of Town{town}?",
        "answers": [f"Mayor{town}"],
        "references": [sentence(town)],
        "best_answer": sentence(town),
        "best_incorrect_answer": sentence(town, "Guess"),
        "correct_answers": [sentence(town)],
        "incorrect_answers": [sentence(town, "Guess")],
        "topic": f"Town{town}",
        "text": f"It is known: {sentence(town)}",
    }


FILES = {
    "rows.jsonl": "".join(json.dumps(row(town)) + "\n" for town in range(TOWNS)),
    "docs/towns.jsonl": "".join(
        json.dumps({"title": f"Town{town}", "text": sentence(town)}) + "\n" for town in range(6)
    ),
    "lm.yaml": "never asked: here",
    "judge.yaml": json.dumps(
        {"First response: [^\n]*Guess": "second", "Second [^\n]*Guess": "first", ".": "tie"}
    ),
    "tasks/mine.yaml": "task: mine\nclass: evil.Task\n",
}
RULES = Rules(0.02, Resampling(resamples=200))


class Mayors(ScriptedLM):
    """Names mayors, of some towns wrongly; finds every word of a given text as probable."""

    def __init__(self, wrong: int, logprob: float) -> None:
        def say(chat: Chat, number: int) -> str:
            town = int((re.findall(r"Town(\d+)", chat[-1].content) or ["0"])[-1])
            return sentence(town, "Guess" if town < wrong else "Mayor")

        super().__init__({".": say})
        self.logprob = logprob

    def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
        return [[self.logprob] * len(text.split()) for text in texts]


@contextmanager
def round_of(block: SuiteBase) -> Iterator[tuple[Round, Resources]]:
    """A round of a recipe with this suite, and what it is asked with."""
    judge = ScriptedModel(path=Path("judge.yaml")) if isinstance(block, PairwiseBlock) else None
    asked = ScriptedModel(path=Path("lm.yaml"))
    around = {"model": asked, "judge": judge, "nli": NLIBlock(), "library": "docs"}
    recipe = Recipe.model_validate(around | {"verify": {"suites": [block]}})
    with working_in(FILES) as folder, Run.create_or_resume(folder / "run", recipe) as run:
        resources = Resources(run)
        vars(resources)["evaluator"] = Reads()  # else its weights are loaded
        yield run.round(1), resources


def decided(round_: Round) -> object:
    """Figures of both models, and whether the suite lets the second be promoted."""
    found = results(round_, RULES.resampling)
    figures = {name: one.model_dump(exclude={"margin", "notes"}) for name, one in found.items()}
    return figures, [reason.found for reason in not_worse(found, RULES)]


def measured(block: SuiteBase) -> object:
    """What comes of the suite before and after teaching, which made half of the answers wrong."""
    arms: dict[Arm, Mayors] = {"base": Mayors(0, -1.0), "taught": Mayors(TOWNS // 2, -1.2)}
    with round_of(block) as (round_, resources):
        plan = suite_plan(resources)
        for arm, lm in arms.items():
            ask_suites(round_, arm, lambda lm=lm: lm, plan, Silent())  # type: ignore[misc]
        items = [(one.arm, one.item, one.parts, one.error) for one in round_.iter(SuiteItem)]
        return items, decided(round_)


@contextmanager
def stand_in() -> Iterator[None]:
    """What our suite asks lm-eval for, while it lasts: tasks by name, its own and those of a folder."""

    class Manager:
        def __init__(self, include_path: str | None) -> None:
            own = [] if include_path is None else [path.stem for path in Path(include_path).iterdir()]
            self.all_tasks = ["arc", "boolq", *own]

        def load(self, names: Sequence[str]) -> dict[str, Any]:
            return {"tasks": dict.fromkeys(names, task)}

    task = SimpleNamespace(
        eval_docs=range(TOWNS),
        OUTPUT_TYPE="multiple_choice",
        aggregation=lambda: {"acc": mean},
        higher_is_better=lambda: {"acc": True},
    )

    def mean() -> None:
        """Its name is what counts."""

    parts: dict[str, dict[str, Any]] = {
        "": {"__version__": "0", "utils": SimpleNamespace(env=jinja2.Environment())},
        ".api": {},
        ".api.registry": {"METRIC_REGISTRY": {"acc": mean}},
        ".tasks": {"TaskManager": Manager},
    }
    names = [f"lm_eval{part}" for part in parts]
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    for name, attributes in zip(names, parts.values(), strict=True):
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(attributes)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(before)


def of_tasks(block: LMEvalBlock) -> object:
    """Which documents of which tasks are asked, or why none; and what a gate says where half were lost."""
    with stand_in(), round_of(block) as (round_, resources):
        try:
            (planned,) = suite_plan(resources).suites
        except DataError as error:
            return str(error)
        suite = planned.suite
        keep(round_, planned)
        return suite.notes, len(suite), suite.measures, decided(round_)


def keep(round_: Round, planned: PlannedSuite) -> None:
    """Writes down a suite and made-up items of it: all right before, and half of them after."""
    measures = planned.suite.measures
    keep_suite(round_, planned.suite.name, KeptSuite(margin=planned.margin, measures=measures))
    round_.append(
        SuiteItem(
            suite=planned.suite.name,
            arm=arm,
            item=str(at),
            asked="",
            answer="",
            parts={measures[0].part: float(arm == "base" or at % 2)},
        )
        for arm in ("base", "taught")
        for at in range(TOWNS)
    )


OURS = {"data": "rows.jsonl", "margin": 0.01}
FEWER = OURS | {"questions": 24}
KINDS = {
    "TruthfulQABlock": OURS,
    "QABlock": OURS,
    "LikenessBlock": OURS,
    "PerplexityBlock": OURS,
    "AtomicFactsBlock": FEWER,
    "PairwiseBlock": OURS,
}
TASK = {"tasks": ["arc"], "margin": 0.01}
MINE = {"tasks": ["mine"], "include_path": "tasks", "allow_code": True}
EFFECTS: dict[str, Effect] = {
    **{
        key: effect
        for kind, base in KINDS.items()
        for key, effect in rows(kind, measured, base, margin=0.99, questions=20, data=None).items()
    },
    **rows("TruthfulQABlock", measured, OURS, tasks=["mc2", "generation"]),
    **rows("AtomicFactsBlock", measured, FEWER, gamma=1, k=3),
    **rows("LMEvalBlock", of_tasks, TASK, margin=0.99, questions=5, tasks=["boolq"]),
    **rows("LMEvalBlock", of_tasks, MINE, include_path=None, allow_code=False),
}
"""By `Block.key`."""
