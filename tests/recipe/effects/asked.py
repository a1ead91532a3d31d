"""Keys that change how often, and how long, a model is asked: seen in the rows of `selfstudy estimate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.recipe.base import Block
from selfstudy.records import Chat, Document
from selfstudy.verbs.estimate import estimate

from . import Effect, rows

DOCUMENTS = [Document(source=f"{name}.txt", title=name, text="A town is here. " * 400) for name in "ab"]
JUDGE = {"type": "local", "path": "/judge"}
ASK = [{"method": "open", "count": 10}, {"method": "documents", "count": 10}]
ASKED = {"probe": {"ask": ASK, "scorer": "selfcheck-llm"}}
"""A judge is asked."""


def words(chat: Chat) -> int:
    return sum(len(turn.content.split()) for turn in chat)


def estimated(path: str = "", **around: Any) -> Callable[[Block], object]:
    """What a recipe that has the block at `path` is estimated to ask, and what is said of it."""

    def seen(block: Block) -> object:
        given = block.model_dump(exclude_unset=True)
        recipe: dict[str, Any] = {"library": "x", "judge": JUDGE, "probe": {"ask": ASK}}
        place = recipe
        for part in path.split(".") if path else ():
            place = place.setdefault(part, {})
        place.update(around)
        place.update(given)
        if path.startswith("teach."):
            recipe["teach"]["method"] = path.partition(".")[2].replace("_", "-")
        if path == "verify.citing":
            recipe["teach"] = {"method": "ppo"}
        found = estimate(Recipe.model_validate(recipe), DOCUMENTS, Prompts(), words)
        return found.rows, found.assumed

    return seen


EFFECTS: dict[str, Effect] = {
    **rows("Recipe", estimated(), {}, nli="lm", rounds=3, deploy="dynamic", model=JUDGE | {"path": "/model"}),
    **rows("Recipe", estimated(), {"judge": None, "library": "x"}, teacher=JUDGE | {"path": "/teacher"}),
    **rows("Recipe", estimated(), {"library": None, "probe": {"ask": ASK[:1]}}, library="x"),
    **rows("Recipe", estimated(), ASKED | {"judge": None}, judge=JUDGE),
    **rows("Recipe", estimated(), {}, probe={"samples": 3}, gather={"samples": 3}, teach={"wordings": 4}),
    **rows("Recipe", estimated(), {}, verify={"samples": 3}, answering={"reading_tokens": 2}),
    **rows("AnsweringBlock", estimated("answering"), {}, block_size=1),
    **rows("ProbeBlock", estimated("probe"), {}, model=JUDGE | {"path": "/probed"}),
    **rows("GatherBlock", estimated("gather"), {}, reader=JUDGE | {"path": "/reader"}),
    **rows("TeachBlock", estimated("teach"), {}, wordings=5, heldout_wordings=3),
    **rows("TeachBlock", estimated("teach"), {}, reword_temperature=0, finetuning="full"),
    **rows("OnlineDPOBlock", estimated("teach.online_dpo"), {}, judge="judge"),
    **rows(
        "RejectionBlock", estimated("teach.rejection"), {}, documents=11, withheld=0.125, max_new_tokens=1
    ),
    **rows("RejectionBlock", estimated("teach.rejection"), {"samples": 40}, search="best-of"),
    **rows("RejectionBlock", estimated("teach.rejection"), {"search": "best-of"}, samples=9),
    **rows("CitedQuestionsBlock", estimated("verify.citing"), {}, max_new_tokens=1),
    **rows("VerifyBlock", estimated("verify"), {}, strengths=[]),
    **rows("DeployBlock", estimated("deploy"), {}, type="dynamic"),
}
"""By `Block.key`."""
