"""A judge of answers against gold answers: the figures of docs/suites.md.

    python benchmarks/on_suites/suite_pairwise.py [--questions 120] [--seed 0]

Questions about the embedded world, each answered rightly by one side and wrongly by the other, by coin, with
and without the page.  The judges are atlas-lm, one that knows the gold answers, and two that cannot read: one
always says first, one throws a coin.
"""

from __future__ import annotations

import argparse
import random

from selfstudy import ScriptedLM, load_lm, load_nli
from selfstudy.atlas import language, world
from selfstudy.judging.by_sentence import BySentence
from selfstudy.judging.correctness import states
from selfstudy.judging.judge import PromptedJudge
from selfstudy.models.base import LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, NLIBlock
from selfstudy.records import Chat
from selfstudy.verify.suites.base import SuiteTools
from selfstudy.verify.suites.pairwise import OpenQuestion, Pairwise
from selfstudy.verify.suites.pairwise_findings import findings

ATTRIBUTES = ("capital", "currency", "continent", "domain", "population")


def sides(count: int, seed: int) -> tuple[list[OpenQuestion], dict[str, str], dict[str, str]]:
    """Questions with page and gold answer, and what is said to each before and after."""
    rng = random.Random(seed)
    pages = {one.title: one.text for one in world.documents()}
    facts = rng.sample(
        [one for one in world.facts() if one.attribute in ATTRIBUTES and one.kind == "country"], count
    )
    questions, before, after = [], {}, {}
    for fact in facts:
        question = language.wordings(fact.attribute, fact.entity)[0]
        others = sorted(
            {one.value for one in world.facts() if one.attribute == fact.attribute} - {fact.value}
        )
        right, wrong = (
            language.statement(fact.attribute, fact.entity, value, rng)
            for value in (fact.value, rng.choice(others))
        )
        before[question], after[question] = (right, wrong) if rng.random() < 0.5 else (wrong, right)
        questions.append(OpenQuestion(question, pages[fact.entity], (fact.value,)))
    return questions, before, after


def saying(answers: dict[str, str]) -> LanguageModel:
    """A model that gives these answers."""
    return ScriptedLM({".": lambda chat, number: answers[chat[-1].content]})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--questions", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    questions, before, after = sides(args.questions, args.seed)
    rng = random.Random(args.seed)

    def coin(chat: Chat, number: int) -> str:
        return rng.choice(["first", "second"])

    right = {one.question: one.answers for one in questions}

    def knowing(chat: Chat, number: int) -> str:
        lines = dict(line.split(": ", 1) for line in chat[-1].content.splitlines() if ": " in line)
        return (
            "first" if states(lines["First response"], right[lines["Prompt"]], lines["Prompt"]) else "second"
        )

    judges: dict[str, LanguageModel] = {
        "atlas-lm": load_lm(LocalModel(path="atlas")),
        "knowing": ScriptedLM({".": knowing}),
        "always first": ScriptedLM({".": "first"}),
        "coin": ScriptedLM({".": coin}),
    }
    nli = BySentence(load_nli(NLIBlock()))
    for name, lm in judges.items():
        for shown in (True, False):
            some = questions if shown else [OpenQuestion(one.question, "", one.answers) for one in questions]
            suite = Pairwise(some)
            tools = SuiteTools(Prompts(), nli=nli, judge=PromptedJudge(lm, Prompts()))
            old = [item for block in suite.run(saying(before), tools, "base") for item in block]
            items = [item for block in suite.run(saying(after), tools, "taught", old) for item in block]
            found = findings(items, args.seed)
            print(f"{name}, {'with' if shown else 'without'} the page")
            print("\n".join(f"    {line}" for line in (found.in_words if found else ("nothing counts",))))


if __name__ == "__main__":
    main()
