"""Keys of probing: seen in the questions that are proposed, how, and in the answers and their scores."""

from __future__ import annotations

import json
import random

from selfstudy.models import Models
from selfstudy.probe.stage import run_probe
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import AdaptiveBlock, AnsweringBlock, Ask, NoNLI, ProbeBlock, Recipe
from selfstudy.records import Answer, Failure, Proposal, Question, Score
from selfstudy.run import Run
from selfstudy.text import sentences

from ...probe.world import Judge, Spots, Student, pages
from . import Effect, rows
from .scenes import Noted, working_in

QUESTION = "What is the capital of Chile?"
LOGGED = [(QUESTION, "Santiago."), (QUESTION, "Lima."), ("Who rules Fiji?", "Rabuka.")]
ANSWERED = {"time": 0, "model": "base", "finish": "stop", "prompt_tokens": 9, "completion_tokens": 2}
FILES = {
    "topics.txt": "Chile\nFiji\n",
    "others.txt": "Ghana\nJapan\n",
    "questions.txt": f"{QUESTION}\nWho rules Fiji?\n",
    "log.jsonl": "".join(
        json.dumps({"question": question, "answer": answer, **ANSWERED}) + "\n" for question, answer in LOGGED
    ),
}


class Reader(Student):
    """Finds in a page what a question asks for, and words a question in its own words."""

    def _say(self, prompt: str, rng: random.Random) -> str:
        page, _, question = prompt.partition("\nQuestion: ")
        if question:
            wanted = question.partition("?")[0].removeprefix("What is the ")
            return next((one for one in sentences(page) if wanted in one), "The document does not say.")
        if prompt.startswith("Ask this question in other words: "):
            return prompt.partition(": ")[2]
        return super()._say(prompt, rng)


ENTRY = Ask(method="documents", count=6)


def probed(block: ProbeBlock, *, only_ask: bool = False) -> object:
    """What a student says who knows about half of ten countries, and how it was asked."""
    recipe = Recipe(answering=AnsweringBlock(block_size=12), probe=block, nli=NoNLI())
    student = Noted(Reader())
    with working_in(FILES) as folder, Run.create_or_resume(folder / "run", recipe) as run:
        round_ = run.round(1)
        models = Models(student, Judge(), Spots())
        run_probe(round_, models, Prompts(), pages(30), Silent(), only_ask=only_ask)
        kinds = (Proposal, Question, Answer, Score, Failure)
        return [one for kind in kinds for one in round_.iter(kind)], student.asked


def proposed(ask: Ask) -> object:
    return probed(ProbeBlock(ask=(ask,)), only_ask=True)


def answered_in_waves(block: AdaptiveBlock) -> object:
    return probed(ProbeBlock(ask=(ENTRY,), scorer="agreement", samples=20, adaptive=block))


BLOCK = {"ask": [ENTRY], "scorer": "agreement", "samples": 3}
PAGES = {"method": "documents", "count": 4}
TOPICS = {"method": "external", "count": 2, "source": "topics.txt"}
EFFECTS: dict[str, Effect] = {
    **rows("ProbeBlock", probed, BLOCK, compare=["selfcheck-ngram"], scorer="selfcheck-ngram", samples=4),
    **rows("ProbeBlock", probed, BLOCK, ask=[PAGES], adaptive={"first": 1}),
    **rows("ProbeBlock", probed, BLOCK | {"scorer": "ensemble"}, ensemble=["agreement", "selfcheck-ngram"]),
    **rows("AdaptiveBlock", answered_in_waves, {}, error=0.3, first=8, wave=5),
    **rows("Ask", proposed, PAGES, method="open", count=5, question_temperature=0.5, max_new_tokens=9),
    **rows("Ask", proposed, PAGES | {"chunk_tokens": 100}, chunk_tokens=50),
    **rows("Ask", proposed, PAGES | {"count": 20}, per_chunk=2, tries=1, proposals=2, check="page"),
    **rows("Ask", proposed, PAGES | {"method": "open"}, topic_temperature=0.5),
    **rows("Ask", proposed, TOPICS, source="others.txt"),
    **rows("Ask", proposed, TOPICS | {"source": "questions.txt"}, questions=True),
    **rows("Ask", proposed, TOPICS | {"method": "logs", "source": "log.jsonl"}, inconsistent=True),
}
"""By `Block.key`."""
