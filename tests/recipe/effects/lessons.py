"""Keys of what is taught: seen in the lesson, the examples and the pairs that a round's records become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from selfstudy.loop import launching
from selfstudy.models import load_lm
from selfstudy.models.base import LanguageModel, Progress, Sampling, chat
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.recipe import (
    DistillBlock,
    DPOBlock,
    LocalModel,
    Recipe,
    RefusalsBlock,
    SocraticBlock,
    TeachBlock,
)
from selfstudy.records import Chat, Completion, Example, Question, VerdictKind
from selfstudy.run.split import held_out_ids
from selfstudy.teach.imported import ImportedLessons
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.mixed import with_mixed_targets
from selfstudy.teach.phases import PHASES, Student, labelled
from selfstudy.teach.training import LessonTraining
from tests.teach.lessons import KINDS, NAMES, PROMPTS, Overlap, prepared

from . import Effect, rows
from .asked import estimated
from .training import adapter

PLAIN = TeachBlock(known_heldout=0.0)
"""All that is known may be replayed."""
WITHOUT: dict[str, VerdictKind] = {
    country: "unverifiable" if place > 1 else "unknown" for place, country in enumerate(NAMES)
}
"""Two gaps and four questions without evidence."""


class Heard(ScriptedLM):
    """A scripted model that keeps what it was asked, and how."""

    def __init__(self) -> None:
        super().__init__({".": ["It is 12. So it is.", "Lima.", "It is 7."]})
        self.asked: list[tuple[tuple[Chat, ...], Sampling]] = []

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        self.asked.append((tuple(chats), sampling))
        return super().generate(chats, sampling, progress)


@lru_cache
def lesson(teach: TeachBlock = PLAIN, without: bool = False) -> Lesson:
    with TemporaryDirectory() as folder:
        return prepared(Path(folder) / "run", Recipe(teach=teach), WITHOUT if without else KINDS)


def student(lm: LanguageModel, **changes: Any) -> Student:
    """A model between two phases, which nothing was taught."""
    given: dict[str, Any] = {
        "taught": False,
        "answers": lambda: lm,
        "nli": Overlap(),
        "report": Silent(),
        "fail": lambda item, why: None,
        "judge": lm,
        "embedder": LexicalEmbedder(),
    }
    return Student(**{**given, **changes})


def material(block: Any, of: Lesson | None = None, lm: LanguageModel | None = None, **changes: Any) -> Any:
    """What a phase trains on."""
    return PHASES[block.type].data(of or lesson(), block, student(lm or Heard(), **changes))


def preferred(block: DPOBlock) -> object:
    """The pairs of gaps whose samples all contradict their references."""
    of = lesson()
    wild = ("It is a blue parrot.", "Nobody said so yet.", "Bread and butter.")
    return material(block, replace(of, gaps=[replace(gap, samples=wild) for gap in of.gaps]))


def phases(teach: TeachBlock) -> object:
    return [(label, material(block, lesson(teach))) for label, block, _ in labelled(teach.plan)]


def held_out(teach: TeachBlock) -> object:
    """Of questions of four topics, each about a fact of its own."""
    questions = [Question(text=f"Question {n}?", topic=f"topic {n % 4}") for n in range(16)]
    return held_out_ids(questions, Recipe(teach=teach), {one.id: one.id for one in questions})


def given(teach: TeachBlock) -> object:
    """The adapter that a training of this recipe makes."""
    training: Any = LessonTraining
    made = training(None, None, Silent(), lesson(teach), Path("unused"))
    return adapter(made._setting("phase").lora)


def started(teach: TeachBlock) -> bool:
    return launching.is_due(Recipe(teach=teach))


def refused(block: RefusalsBlock) -> object:
    """What is taught to be refused."""
    teach = TeachBlock(refuse_unverifiable=True, refusals=block)
    return [one.question.text for one in lesson(teach, without=True).refused()]


def tutoring(block: SocraticBlock) -> object:
    """The pairs of a tutor's next turn, and how a worse one was asked for."""
    turn = Example(prompt=chat("3 times 4?"), completion="3 times 2?", question_id="q", kind="imported")
    lm = Heard()
    found = material(block, Lesson(Recipe(), PROMPTS, [], [], {}, ImportedLessons((), (), (turn,))), lm)
    return found, lm.asked


@lru_cache
def atlas() -> Any:
    return load_lm(LocalModel(path="atlas", device="cpu"))


def mixed(block: DistillBlock) -> object:
    """Texts that a model writes itself, now with a page in view and now without."""
    prompts, country = PROMPTS.without_demonstrations(), "France"
    asked = f"What is the capital of {country}?"
    page = f"The capital of {country} is Lima. {country} is a country."
    examples = [
        Example(
            prompt=prompts.chat("answer", question=f"{asked}{' ' * n}"),
            teacher=prompts.chat("read", document=page, question=asked),
            completion=f"The capital of {country} is Lima.",
            question_id=str(n),
            kind="reference",
        )
        for n in range(4)
    ]
    kept, _ = with_mixed_targets(examples, atlas(), block, 16, seed=0)
    return kept


REHEARSED: dict[str, Any] = {"replay": 0.0, "reading": 1.0, "swapped": 1.5, "neutral": 1.0}
EFFECTS: dict[str, Effect] = {
    **rows("TeachBlock", phases, {}, misbelief_weight=3.0, method="sft+dpo", refuse_unverifiable=True),
    **rows("TeachBlock", phases, {"method": None, "phases": [{"type": "sft"}]}, phases=[{"type": "dpo"}]),
    **rows("TeachBlock", held_out, {}, split_by="topic", known_heldout=0.25),
    **rows("TeachBlock", given, {}, lora={"r": 3}),
    **rows("TeachBlock", started, {}, launch={"processes": 2}),
    **rows(
        "TeachBlock",
        lambda teach: refused(teach.refusals),
        {"refuse_unverifiable": True, "refusals": {"share": 1.0}},
        refusals={"share": 0.5},
    ),
    **rows("RefusalsBlock", refused, {"share": 1.0}, share=0.5, heldout=1.0),
    **rows("SFTBlock", material, {}, **REHEARSED),
    **rows("SFTBlock", estimated("teach.sft"), {}, replay_wordings=True),
    **rows("DistillBlock", material, {}, targets="reference", **REHEARSED),
    **rows("DistillBlock", estimated("teach.distill"), {}, replay_wordings=True),
    **rows("DistillBlock", mixed, {"targets": "mixed", "mix": 0.5, "tries": 1}, mix=0.0, tries=5),
    **rows("DPOBlock", preferred, {}, pairs=3, labels="published"),
    **rows("DPOBlock", preferred, {"pairs": 3}, count="pair"),
    **rows("SocraticBlock", tutoring, {}, rejected="own", temperature=0.5, turn_tokens=5),
}
"""By `Block.key`."""
