"""Keys of gathering: seen in the evidence, references and verdicts of a few questions, and in how is read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from selfstudy.gather.stage import run_gather
from selfstudy.loop.resources import Resources
from selfstudy.models import Models
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import GatherBlock, NLIBlock, ProbeBlock, Recipe
from selfstudy.records import (
    Chat,
    Conflict,
    Evidence,
    Failure,
    NotEvidence,
    Reference,
    Verdict,
)
from selfstudy.run import Run

from ...gather.test_stage import REFUSAL, ByCapital, probed
from . import Effect, rows
from .scenes import Noted, working_in

PAGE = "{0} is a country. The capital of {0} is {1}."
DATED = [("Chad", "Ndjamena", "2019-05-01"), ("Peru", "Lima", "2025-05-01"), ("Mali", "Lima", "2025-05-01")]
FILES = {
    "docs/Mali.txt": PAGE.format("Mali", "Bamako"),
    "docs/Togo.txt": PAGE.format("Togo", "Lome"),
    "docs/Cuba.txt": PAGE.format("Cuba", "Havana"),
    "docs/dated.jsonl": "".join(
        json.dumps({"title": country, "text": PAGE.format(country, capital), "date": day}) + "\n"
        for country, capital, day in DATED
    ),
    "elsewhere/Fiji.txt": PAGE.format("Fiji", "Suva"),
}
SCORER = "selfcheck-nli"
PROBED = [
    *probed("Mali", "Bamako.", 0.1),
    *probed("Togo", "Lome.", 0.4),
    *probed("Cuba", "Lima.", 0.6),
    *probed("Chad", "Ndjamena.", 0.1),
    *probed("Peru", "Lima.", 0.1),
    *probed("Fiji", "Lima.", 0.1),
    *probed("Oman", "Lima.", 0.1),
]


def read(chat: Chat, number: int) -> str:
    """The capital off the page, if it is there; of Togo twice, of Cuba three times."""
    page, _, question = chat[-1].content.partition("Question:")
    asked = re.findall(r"capital of (\w+)", question)[0]
    found = re.search(rf"capital of {asked} is (\w+)", page)
    if found is None or (asked == "Togo" and number > 1):
        return REFUSAL
    capital = "Suva" if asked == "Cuba" and number > 2 else found[1]
    return f"The capital of {asked} is {capital}."


def answer(chat: Chat, number: int) -> str:
    """What a teacher says without a page."""
    return "The capital is Muscat." if "Oman" in chat[-1].content else "I do not know."


def gathered(recipe: Recipe) -> object:
    """What is gathered about seven countries in a folder with a link out of it, and how the reader is asked.

    Without why a reference is accepted: that names the recipe's numbers, whether or not they decide.
    """
    reader = Noted(ScriptedLM({"Document:": read}))
    teacher = ScriptedLM({".": answer})
    judge = ScriptedLM({"Cuba": "yes", ".": "partly"})
    with working_in(FILES) as folder:
        Path("docs/Fiji.txt").symlink_to("../elsewhere/Fiji.txt")
        with Run.create_or_resume(folder / "run", recipe) as run:
            round_, resources = run.round(1), Resources(run)
            round_.append(PROBED)
            models = Models(reader, ByCapital(), resources.embedder, judge)
            library = resources.library()
            run_gather(round_, models, Prompts(), library, Silent(), lambda: teacher)
            references = [one.model_copy(update={"explanation": ""}) for one in round_.iter(Reference)]
            kinds = (Evidence, NotEvidence, Conflict, Verdict, Failure)
            return [one for kind in kinds for one in round_.iter(kind)], references, reader.asked


def of_gather(block: GatherBlock) -> object:
    return gathered(Recipe.model_validate(AROUND | {"probe": {"scorer": SCORER}, "gather": block}))


def of_probe(block: ProbeBlock) -> object:
    return gathered(Recipe.model_validate(AROUND | {"probe": block}))


AROUND: dict[str, Any] = {"library": "docs", "nli": NLIBlock()}
FOUR: dict[str, Any] = {"samples": 4, "hits": 2}
AGED = FOUR | {"max_age": "2y", "as_of": "2026-11-01"}
CONSISTENT = FOUR | {"accept": "consistency"}
EFFECTS: dict[str, Effect] = {
    **rows("GatherBlock", of_gather, FOUR, follow_links=True, hybrid=True, temperature=0.1, votes=3),
    **rows("GatherBlock", of_gather, FOUR, accept="consistency", answers_from="teacher", judge="model"),
    **rows("GatherBlock", of_gather, FOUR, exclude=["Mali.txt"], conflicts="ignore"),
    **rows("GatherBlock", of_gather, FOUR, hits=3, chunk_tokens=5, samples=5),
    **rows("GatherBlock", of_gather, CONSISTENT, max_inconsistency=0.3),
    **rows("GatherBlock", of_gather, AGED, max_age="20y", as_of="2020-11-01"),
    **rows("ProbeBlock", of_probe, {"scorer": SCORER}, threshold=0.3),
}
"""By `Block.key`."""
