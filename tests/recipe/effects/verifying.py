"""Keys of verifying: seen in what is asked before and after, in the figures, and in what the gate decides."""

from __future__ import annotations

import json
import re
from pathlib import Path

from selfstudy.loop.resources import Resources
from selfstudy.loop.suites import suite_plan
from selfstudy.models.base import chat
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import NoNLI, Recipe, ScriptedModel, TeachBlock, VerifyBlock
from selfstudy.recipe.verify import CitedQuestionsBlock
from selfstudy.records import Arm, Chat, Check, Example, KnownFact, Message, Recheck, SuiteItem
from selfstudy.run import Run
from selfstudy.run.split import keep_apart
from selfstudy.verify.citing import plan_cited
from selfstudy.verify.general import ask_general
from selfstudy.verify.stage import run_verify

from ...verify.test_citing import Reads
from ...verify.towns import town
from . import Effect, rows
from .scenes import working_in

GAPS, TOWNS = 12, 72
"""Towns of the first number are gaps, the others are known."""
LOST = range(TOWNS - 4, TOWNS)
"""Towns whose mayors are forgotten: some of them are asked."""
RECORDS = [record for at in range(TOWNS) for record in town(at, "unknown" if at < GAPS else "known")]
FILES = {
    "lm.yaml": json.dumps({"Statement": "true"}),
    "facts.jsonl": "".join(
        json.dumps({"question": f"Who governs Village{at}?", "answer": f"Mayor{at}"}) + "\n"
        for at in range(9)
    ),
}
EVERYDAY = Message(role="user", content="What is green?", demonstration=True)
SHOWN = Example(prompt=(EVERYDAY, *chat("Who?")), completion="He.", question_id="q", kind="reference")
"""A lesson with a demonstration in its prompt, as a model that is shown some is taught."""


class Mayors(ScriptedLM):
    """Names the mayors of these towns, and those that it reads; of villages all."""

    def __init__(self, known: set[int]) -> None:
        def say(asked: Chat, number: int) -> str:
            words = asked[-1].content
            page = re.search(r"The mayor of Town\d+ is (Mayor\d+)", words)
            place, number_of = (re.findall(r"(Town|Village)(\d+)", words) or [("Town", "0")])[-1]
            knows = place == "Village" or int(number_of) in known
            said = page[1] if page else f"{'Mayor' if knows else 'Guess'}{number_of}"
            return f"The mayor of {place}{number_of} is {said}."

        super().__init__({".": say})


BEFORE = set(range(GAPS, TOWNS))
AFTER = set(range(2, TOWNS)) - set(LOST)
"""What is known before teaching, and after: most of the gaps, and all but a few of what was known."""


def verified(block: VerifyBlock) -> object:
    """All that is asked of a model before and after, what is found, and the decision."""
    recipe = Recipe(
        model=ScriptedModel(path=Path("lm.yaml")),
        nli=NoNLI(),
        teach=TeachBlock(known_heldout=0.5),
        verify=block,
    )
    arms: dict[Arm, Mayors] = {"base": Mayors(BEFORE), "taught": Mayors(AFTER)}
    with working_in(FILES) as folder, Run.create_or_resume(folder / "run", recipe) as run:
        round_, resources = run.round(1), Resources(run)
        round_.append(RECORDS)
        keep_apart(run)
        nli, facts, plan = resources.evaluator, resources.general_facts, suite_plan(resources)
        ask_general(round_, lambda: arms["base"], nli, Prompts(), facts, Silent())
        round_.append([SHOWN])
        loaders = {arm: (lambda lm=lm: lm) for arm, lm in arms.items()}
        gate = run_verify(round_, loaders, nli, Prompts(), None, Silent(), plan)
        kinds = (KnownFact, Check, Recheck, SuiteItem)
        found = [one for kind in kinds for one in round_.iter(kind)]
        return found, gate.verdict, gate.gains, gate.more, list(gate.suites)


def with_documents(block: VerifyBlock) -> object:
    """What is asked with numbered documents, where teach trains to cite."""
    recipe = Recipe(nli=NoNLI(), teach=TeachBlock(method="rejection"), verify=block)
    with working_in({}) as folder, Run.create_or_resume(folder / "run", recipe) as run:
        run.round(1).append(RECORDS)
        return plan_cited(run.round(1), Reads(), None)


def cited(block: CitedQuestionsBlock) -> object:
    return with_documents(VerifyBlock(citing=block, max_questions=5))


BLOCK = {"samples": 2, "resamples": 300, "repeats": 0, "known_questions": "facts.jsonl"}
EFFECTS: dict[str, Effect] = {
    **rows("VerifyBlock", verified, BLOCK, nli="lm", confidence=0.6, resamples=50, margin=0.3),
    **rows("VerifyBlock", verified, BLOCK, known_questions=None, orders=2, suites=[{"name": "qa"}]),
    **rows("VerifyBlock", verified, BLOCK, max_questions=5, samples=3, repeats=1, control=True),
    **rows("VerifyBlock", with_documents, {"max_questions": 5}, citing={"documents": 2}),
    **rows("CitedQuestionsBlock", cited, {}, documents=2),
}
"""By `Block.key`."""
