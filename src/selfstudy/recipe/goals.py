"""What a person may want of a run, and how large it may be: the recipes of the page's form and of `init`.

Plain data, only what is chosen, each with a reason.  Knows keys; nothing of machines, files and forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from selfstudy.errors import RecipeError
from selfstudy.recipe.file import read_yaml
from selfstudy.recipe.library import ATLAS


@dataclass(frozen=True, slots=True)
class Goal:
    """What a run is for.

    Attributes:
        said: in one line.
        documents: whether there must be some.
        teaches: whether the model is trained, so that its weights must be here.
    """

    said: str
    documents: bool = True
    teaches: bool = True


GOALS: dict[str, Goal] = {
    "facts": Goal("learn facts of the documents that the model does not know"),
    "questions": Goal("learn the answers to questions of your own, out of the documents"),
    "cite": Goal("learn to answer with citations of the documents"),
    "measure": Goal("only measure what the model does not know, and train nothing", False, False),
}
"""By name."""


@dataclass(frozen=True, slots=True)
class RunSize:
    """How much is asked.

    Attributes:
        said: in one line.
        questions: that are proposed.
    """

    said: str
    questions: int


SIZES: dict[str, RunSize] = {
    "look": RunSize("a first look: about 60 questions, often too few to promote anything", 60),
    "small": RunSize("about 200 questions, sometimes too few to promote anything", 200),
    "usual": RunSize("as usual: about 1,000 questions", 1000),
}
"""By name."""

Reasons = dict[str, str]
"""Why a value was chosen, by dotted key."""

_DEMO = "As in `selfstudy demo`: what suits the small embedded model"
_CHECKED = (
    "Each proposed question is checked against its page, for a real model asks many that no page answers "
    "(docs/decisions/0014). The check knows English: for documents in another language set check: none."
)


def goal_recipe(
    model: Mapping[str, Any], library: Any, goal: str, size: str, questions: tuple[str, int] | None = None
) -> tuple[dict[str, Any], Reasons]:
    """A recipe as plain data, only what is chosen, and why.

    Args:
        model: the block of the model; `{"path": "atlas"}` begins with what the demo has.
        library: the value of the key; None: there are no documents.
        goal: one of `GOALS`.
        size: one of `SIZES`.
        questions: for the goal questions: their file, and how many it holds.

    Raises:
        RecipeError: no such goal or size, or it lacks documents or questions.
    """
    for given, known, what in ((goal, GOALS, "goal"), (size, SIZES, "size")):
        if given not in known:
            raise RecipeError(f"{given[:80]!r} is no {what}", f"one of {', '.join(known)}")
    if GOALS[goal].documents and library is None:
        raise RecipeError(f"the goal {goal} needs documents to learn from", "name them, or only measure")
    if goal == "questions" and questions is None:
        raise RecipeError("the goal questions needs a file of them", "name it: one question a line")
    atlas = dict(model) == {"path": ATLAS}
    data, why = _demo(library) if atlas else ({"model": dict(model)}, {})
    if library is not None:
        data["library"] = library
    probe: dict[str, Any] = data.setdefault("probe", {})
    if goal == "questions" and questions is not None:
        file, count = questions
        probe["ask"] = [{"method": "external", "source": file, "questions": True, "count": count}]
        why["probe.ask"] = "Your questions, asked as they are; what the model answers well is left alone."
    elif not (atlas and size == "usual" and library is not None):
        probe["ask"] = _asked(SIZES[size].questions, atlas=atlas, documents=library is not None)
        why["probe.ask"] = f"Size {size}: {SIZES[size].said}."
    if not atlas and library is not None and goal != "questions":
        why["probe.ask"] += f" {_CHECKED}"
    if goal == "cite":
        _citing(data, why, atlas=atlas)
    return data, why


def _demo(library: Any) -> tuple[dict[str, Any], Reasons]:
    """What the demo has, without what is only true of its own pages."""
    data = deepcopy(read_yaml(Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))))
    if library != ATLAS:
        data.pop("answer_key", None)
        data.pop("library", None)
        data["gather"].pop("conflicts", None)  # its pages never disagree; others may
    keys = ("answering", "gather", "teach", "verify", "nli", "embedder", "probe.ask")
    return data, {key: f"{_DEMO}." for key in keys if key.partition(".")[0] in data}


def _asked(count: int, *, atlas: bool, documents: bool) -> list[dict[str, Any]]:
    """How questions are found: of documents, else of what comes to the model's mind."""
    if not documents:
        return [
            {"method": "open", "count": count - count // 2},
            {"method": "induced", "count": count // 2},
        ]
    if atlas:  # asks well by itself
        return [
            {"method": "documents", "count": count - count // 6},
            {"method": "open", "count": count // 6},
        ]
    checked = {"check": "page", "proposals": 4, "question_temperature": 0.7}
    return [{"method": "documents", "count": count, **checked}]


def _citing(data: dict[str, Any], why: Reasons, *, atlas: bool) -> None:
    """Trains on the best of the model's own cited answers."""
    teach: dict[str, Any] = data.setdefault("teach", {})
    for name in ("sft", "distill"):
        teach.pop(name, None)
    teach["method"] = "rejection"
    why["teach.method"] = "Training on the best of the model's own cited answers (docs/citing.md)."
    if not atlas:
        data["nli"] = "lm"
        why["nli"] = (
            "Citations earn rewards where something says that the document supports the sentence: here the "
            "model itself, asked by prompt. An entailment model does better: nli: {path: ITS FOLDER OR ID}."
        )
