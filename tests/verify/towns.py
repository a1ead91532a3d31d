"""Made-up towns and their mayors: records of a round, a model that looks answers up, a word-for-word NLI."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from selfstudy.judging.answer_key import AnswerKey
from selfstudy.models.base import Progress, Sampling
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, Recipe, TeachBlock, VerifyBlock
from selfstudy.records import (
    Arm,
    Chat,
    Completion,
    Evidence,
    Question,
    Record,
    Reference,
    Rewording,
    Truth,
    Verdict,
    VerdictKind,
)
from selfstudy.run import Round
from selfstudy.text import normalise
from selfstudy.verify.gate import Gate
from selfstudy.verify.stage import run_verify

GAPS, KNOWN = 24, 130


class WordNLI:
    """Entails if the words are the same, else contradicts."""

    name = "words"

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        same = np.array([float(normalise(a) == normalise(b)) for a, b in pairs])
        return np.stack([same, 1 - same], axis=1)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return ["entailment" if normalise(a) == normalise(b) else "contradiction" for a, b in pairs]


class Oracle:
    """Names Mayor<i> when asked about Town<i> if it knows town i, else a different guess each time.

    Reads the answer out of a page in the prompt if `reads`; fails on the towns in `fails`.
    """

    def __init__(self, knows: set[int], *, reads: bool = True, fails: frozenset[int] = frozenset()) -> None:
        self.name = "oracle"
        self.knows, self.reads, self.fails = knows, reads, fails
        self.calls: list[int] = []

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        assert sampling.greedy_first
        self.calls.append(len(chats))
        return [[self._answer(chat[-1].content, k) for k in range(sampling.total)] for chat in chats]

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        raise AssertionError("verify has no use for log-probabilities")

    def _answer(self, prompt: str, k: int) -> Completion:
        town = int(re.findall(r"Town(\d+)", prompt)[-1])
        if town in self.fails:
            return Completion(text="", finish="error", error="out of memory")
        page = re.search(r"The mayor of Town\d+ is (Mayor\d+)", prompt)
        if page and self.reads:
            return Completion(text=f"The mayor of Town{town} is {page[1]}.")
        if town in self.knows:
            return Completion(text=f"The mayor of Town{town} is Mayor{town}.")
        return Completion(text=f"The mayor of Town{town} is Guess{town + k}.")


class TownKey:
    def lookup(self, question: str) -> Truth | None:
        town = re.findall(r"Town(\d+)", question)[0]
        return Truth((f"Mayor{town}",), novel=(f"Whom does Town{town} call its mayor?",))


def recipe(**verify: object) -> Recipe:
    return Recipe(
        answering=AnsweringBlock(block_size=10),
        teach=TeachBlock(known_heldout=0.5),
        verify=VerifyBlock.model_validate({"samples": 3, "resamples": 500, **verify}),
    )


def town(i: int, kind: VerdictKind, wording: str = "What is the mayor of Town{}?") -> list[Record]:
    """A question about the mayor of town `i` with its evidence, reference and verdict."""
    question = Question(text=wording.format(i))
    page = f"The mayor of Town{i} is Mayor{i}. It is a town."
    evidence = Evidence(
        question_id=question.id,
        document_id=f"d{i}",
        source="s",
        text=page,
        start=0,
        end=len(page),
        rank=0,
        relevance=1,
    )
    reference = Reference(
        question_id=question.id,
        evidence_id=evidence.id,
        text=f"The mayor of Town{i} is Mayor{i}.",
        inconsistency=0.0,
        accepted=True,
    )
    verdict = Verdict(
        question_id=question.id,
        kind=kind,
        score=0.9 if kind in ("unknown", "unverifiable") else 0.1,
        reference_id=None if kind == "unverifiable" else reference.id,
    )
    return [question, evidence, reference, verdict]


def fill(round_: Round) -> None:
    """The first GAPS towns are gaps (town 1 a misbelief), then KNOWN known ones and one unverifiable."""
    for i in range(GAPS + KNOWN + 1):
        kind: VerdictKind = "unknown" if i < GAPS else "known"
        if i == 1:
            kind = "misbelief"
        if i == GAPS + KNOWN:
            kind = "unverifiable"
        records = town(i, kind)
        rewordings = [
            Rewording(question_id=records[0].id, text=f"Name the mayor of Town{i}.", use="train"),
            Rewording(question_id=records[0].id, text=f"Who is mayor of Town{i}?", use="heldout"),
        ]
        round_.append([*records, *(rewordings if i < GAPS else [])])


MODELS_KNOWN = set(range(GAPS, GAPS + KNOWN))
EVERYTHING = set(range(GAPS + KNOWN))


def verify(
    round_: Round,
    after: Oracle | None,
    *,
    before: Oracle | None = None,
    control: Oracle | None = None,
    original: Oracle | None = None,
    weaker: Oracle | None = None,
    key: AnswerKey | None = None,
) -> Gate:
    base = before or Oracle(MODELS_KNOWN)
    arms: dict[Arm, Oracle | None] = {
        "base": base,
        "original": original,
        "control": control,
        "taught": after,
        "weaker": weaker,
    }
    loaders = {arm: partial(_same, lm) for arm, lm in arms.items() if lm is not None}
    return run_verify(round_, loaders, WordNLI(), Prompts(), key, Silent())


def _same(lm: Oracle) -> Oracle:
    return lm
