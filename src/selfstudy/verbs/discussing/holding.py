"""Discussions are held and kept: which models, with which settings, a block at a time.

topics.py       what is discussed      discussion.py  turn by turn, and the ratings
pairs.py        preference pairs       measures.py    the figures (shown.py: for a person)
verbs/kept.py has what survives a kill, verbs/voices.py the models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfstudy.errors import RecipeError
from selfstudy.judging.missing_reward import PROMPT
from selfstudy.progress import Reporter
from selfstudy.recipe import ModelBlock, Recipe
from selfstudy.records import digest
from selfstudy.text import one_line
from selfstudy.verbs.discussing.discussion import Discussants, Discussion, discuss
from selfstudy.verbs.discussing.topics import SIDES, DiscussionTopic, Side
from selfstudy.verbs.kept import KeptFolder

_PROMPTS = ("discuss", "discuss_answer", PROMPT)
_WAYS = ("turns", "turn_tokens", "temperature", "zeta", "seed")


def blocks_of(recipe: Recipe) -> dict[Side, ModelBlock]:
    """The models of a recipe by side: `model`, and `teacher`, or `model` again.

    Raises:
        RecipeError: the recipe names no model.
    """
    if "model" not in recipe.model_fields_set:
        raise RecipeError(
            "no model was chosen to discuss", "give --first MODEL (a folder, a Hub id, or atlas)"
        )
    return {"first": recipe.model, "second": recipe.teacher or recipe.model}


@dataclass(frozen=True, slots=True)
class Holding:
    """The topics, who discusses them and how, and where it is kept.

    Attributes:
        blocks: what tells each model from others.
        embedder: the same of the embedder; "" where none is asked.
    """

    topics: Sequence[DiscussionTopic]
    way: Discussants
    blocks: Mapping[Side, str]
    embedder: str
    folder: KeptFolder
    report: Reporter

    def discussions(self) -> list[Discussion]:
        """One of each topic, in order, made or read.

        Raises:
            RunError: what is kept was made with other settings, is damaged, or cannot be written.
        """
        with self.report.task("discussions", len(self.topics)) as advance:
            found = self.folder.keep(
                "discussions",
                Discussion,
                self.topics,
                lambda block: discuss(self.way, block, advance),
                self._settings(),
                advance,
            )
        failed = sum(one.model_failed for one in found)
        if failed:
            self.report.note(
                f"a model failed at {failed:,} of {len(found):,} discussions; their blocks are not kept: "
                "the same command makes them again (where it fails again, leave the topic out: "
                + next(one_line(one.error or "", 120) for one in found if one.model_failed)
                + ")"
            )
        return found

    def _settings(self) -> dict[str, object]:
        prompts = self.way.prompts
        return {
            "topics": digest(*(part for one in self.topics for part in (one.id, one.opens))),
            **{side: self.blocks[side] for side in SIDES},
            "prompts": digest(*(prompts.text(name) for name in _PROMPTS)),
            "embedder": self.embedder,
            **{name: getattr(self.way, name) for name in _WAYS},
        }
