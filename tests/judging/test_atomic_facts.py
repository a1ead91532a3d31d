"""Facts against a small library: verdicts, sources, unsure cases, failures; and planted false ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy import ScriptedLM, load_nli
from selfstudy.atlas import language, world
from selfstudy.atlas.entailment import WorldEntailment
from selfstudy.judging.atomic_facts import PASSAGES, CheckedAnswer, check
from selfstudy.judging.by_sentence import BySentence
from selfstudy.judging.fact_splitting import FactList, LongAnswer, split
from selfstudy.judging.judge import PromptedJudge
from selfstudy.library.index import Hit, Library
from selfstudy.models.base import Progress
from selfstudy.prompts import Prompts
from selfstudy.recipe import NLIBlock
from selfstudy.records import Document

from .judges import CountingLM

PERU = "Peru is a country. The capital of Peru is Lima. The people of Peru speak Aymara and Spanish."
CHILE = "Chile is a country. The capital of Chile is Santiago. The people of Chile speak Spanish."


class Indexed:
    """A library as a retriever that counts its calls."""

    def __init__(self, documents: Sequence[Document], folder: Path) -> None:
        self._library = Library.build(documents, folder, chunk_tokens=200)
        self.calls: list[int] = []

    def find(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        self.calls.append(len(questions))
        return self._library.find(questions, hits)


class Counted(WorldEntailment):
    """The world's exact judge, which counts its calls; `unsure`: how sure it is of a class."""

    def __init__(self, sure: float = 1.0) -> None:
        self.calls: list[int] = []
        self.sure = sure

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        self.calls.append(len(pairs))
        return super().classes(pairs)

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        return np.where(WorldEntailment().probabilities(pairs) == 1, self.sure, 1 - self.sure)


@pytest.fixture
def pages(tmp_path: Path) -> Indexed:
    documents = [
        Document(source="peru.txt", title="Peru", text=PERU),
        Document(source="chile.txt", title="Chile", text=CHILE),
    ]
    return Indexed(documents, tmp_path / "index")


def checked(
    said: str, pages: Indexed, nli: WorldEntailment, judge: PromptedJudge | None = None, source: str = ""
) -> CheckedAnswer:
    answer = LongAnswer("?", said, source=source)
    return check([answer], split([answer], None), pages, nli, judge)[0]


def test_verdicts_with_their_passages(pages: Indexed) -> None:
    said = "The capital of Peru is Lima. The capital of Chile is Lima. Peru belongs to Europe. Zzz qqq."
    found = checked(said, pages, Counted())
    assert [one.verdict for one in found.facts] == ["supported", "contradicted", "not found", "not found"]
    assert (found.counts.supported, found.counts.contradicted, found.counts.not_found) == (1, 1, 2)
    first = found.facts[0]
    assert first.passage is not None
    assert (first.passage.source, first.probability, first.decided_by) == ("peru.txt", 1.0, "entailment")
    assert PERU[first.passage.start : first.passage.end] == first.passage.text
    assert found.facts[3].passage is None
    assert found.facts[3].decided_by == "nobody"


def test_everything_is_one_search_and_two_batches(pages: Indexed) -> None:
    nli = Counted()
    answers = [LongAnswer("?", one) for one in (PERU, CHILE, PERU, "The capital of Peru is Rome.")]
    check(answers, split(answers, None), pages, nli)
    assert pages.calls == [7]  # what two answers say is looked up once
    assert nli.calls == [10, 1]  # the best hits; then the others of the one that its best does not entail


def test_a_named_source_is_the_only_one_that_counts(pages: Indexed) -> None:
    said = "The capital of Peru is Lima."
    assert checked(said, pages, Counted(), source="peru.txt").facts[0].verdict == "supported"
    other = checked(said, pages, Counted(), source="chile.txt").facts[0]
    assert other.verdict == "not found"
    assert other.passage is None or other.passage.source == "chile.txt"
    assert checked(said, pages, Counted(), source="elsewhere.txt").facts[0].decided_by == "nobody"


@pytest.mark.parametrize(
    ("reply", "verdict", "decided_by"),
    [
        ("Yes.", "supported", "judge"),
        ("no", "not found", "judge"),
        ("Well, who knows", "supported", "entailment"),
    ],
)
def test_a_judge_decides_what_the_model_is_not_sure_of(
    pages: Indexed, reply: str, verdict: str, decided_by: str
) -> None:
    lm = CountingLM({".": reply})
    found = checked("The capital of Peru is Lima.", pages, Counted(0.6), PromptedJudge(lm, Prompts()))
    assert (found.facts[0].verdict, found.facts[0].decided_by) == (verdict, decided_by)
    assert lm.batches == [1]


def test_a_judge_may_overrule_an_unsure_contradiction(pages: Indexed) -> None:
    said = "The capital of Peru is Santiago."
    yes, no = (PromptedJudge(CountingLM({".": reply}), Prompts()) for reply in ("yes", "no"))
    assert checked(said, pages, Counted(0.6)).facts[0].verdict == "contradicted"
    assert checked(said, pages, Counted(0.6), yes).facts[0].verdict == "supported"
    assert checked(said, pages, Counted(0.6), no).facts[0].verdict == "contradicted"


def test_a_judge_is_not_asked_what_is_sure(pages: Indexed) -> None:
    lm = CountingLM({".": "no"})
    found = checked(PERU, pages, Counted(), PromptedJudge(lm, Prompts()))
    assert [one.verdict for one in found.facts] == ["supported"] * 3
    assert not any(lm.batches)


def test_a_judge_that_fails_is_an_error_of_its_answer_alone(pages: Indexed) -> None:
    broken = PromptedJudge(
        ScriptedLM({"Sentence: .*Peru": lambda chat, number: 1 / 0, ".": "yes"}), Prompts()
    )
    answers = [
        LongAnswer("?", "The capital of Peru is Lima."),
        LongAnswer("?", "The capital of Chile is Santiago."),
    ]
    found = check(answers, split(answers, None), pages, Counted(0.6), broken)
    assert found[0].error is not None
    assert "judge failed" in found[0].error
    assert (found[0].facts, found[1].error, len(found[1].facts)) == ((), None, 1)


class NotANumber(Counted):
    """Says nothing of texts about Peru."""

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return [
            "" if "Peru" in said else label
            for (_, said), label in zip(pairs, super().classes(pairs), strict=True)
        ]


def test_nan_is_an_error_and_no_verdict(pages: Indexed) -> None:
    answers = [LongAnswer("?", "The capital of Peru is Lima."), LongAnswer("?", CHILE)]
    found = check(answers, split(answers, None), pages, NotANumber())
    assert found[0].error is not None
    assert "NaN" in found[0].error
    assert found[1].counts.supported == 3


def test_an_answer_that_could_not_be_split_keeps_its_error(pages: Indexed) -> None:
    answers = [LongAnswer("?", "x"), LongAnswer("?", PERU)]
    lists = [FactList(error="the judge failed: gone"), split(answers[1:], None)[0]]
    found = check(answers, lists, pages, Counted())
    assert [one.error for one in found] == ["the judge failed: gone", None]
    assert found[1].counts.supported == 3


def test_nothing_to_check_asks_nobody(pages: Indexed) -> None:
    nli = Counted()
    assert check([], [], pages, nli) == []
    assert checked("", pages, nli).counts.facts == 0
    assert (pages.calls, nli.calls) == ([], [])


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[LongAnswer]], float]:
    """The share of facts of some answers that the world's pages support, by atlas-nli."""
    entities = random.Random(0).sample([one for one in world.entities() if one.facts], 5)
    names = {one.name for one in entities}
    documents = [one for one in world.documents() if one.title in names]
    pages = Indexed(documents, tmp_path_factory.mktemp("world") / "index")
    nli = BySentence(load_nli(NLIBlock()))

    def share(answers: Sequence[LongAnswer]) -> float:
        counts = [one.counts for one in check(answers, split(answers, None, nli), pages, nli)]
        assert sum(one.facts for one in counts) > 20
        return sum(one.supported for one in counts) / sum(one.facts for one in counts)

    return share


def told(rng: random.Random, exchange: Callable[[world.Fact], str]) -> list[LongAnswer]:
    """The facts of five entities, in wordings that their pages need not have."""
    entities = random.Random(0).sample([one for one in world.entities() if one.facts], 5)
    return [
        LongAnswer(
            "?",
            " ".join(language.statement(f.attribute, f.entity, exchange(f), rng) for f in one.facts),
            one.name,
            f"atlas:{one.kind}/{one.name}",
        )
        for one in entities
    ]


def test_planted_false_facts_are_not_supported(atlas: Callable[[Sequence[LongAnswer]], float]) -> None:
    """Every value replaced by one that shares no name with it: what was supported falls to about nothing."""
    rng = random.Random(1)

    def another(fact: world.Fact) -> str:
        true = {fact.value, *world.names_in(fact.attribute, fact.value)}
        others = {
            one.value
            for one in world.facts()
            if (one.attribute, one.kind) == (fact.attribute, fact.kind)
            and not true & {one.value, *world.names_in(one.attribute, one.value)}
        }
        return rng.choice(sorted(others))

    assert atlas(told(rng, lambda fact: fact.value)) >= 0.95
    assert atlas(told(rng, another)) <= 0.05


def test_facts_checked_against_another_page_are_not_supported(
    atlas: Callable[[Sequence[LongAnswer]], float],
) -> None:
    true = told(random.Random(1), lambda fact: fact.value)
    elsewhere = [one.source for one in true[1:] + true[:1]]
    shuffled = [
        LongAnswer("?", one.text, one.topic, source) for one, source in zip(true, elsewhere, strict=True)
    ]
    assert atlas(true) >= 0.95
    assert atlas(shuffled) <= 0.05


def test_no_more_passages_than_said_are_judged(tmp_path: Path) -> None:
    documents = [
        Document(source=f"{i}", title="", text=f"The harbour number {i} is a harbour.") for i in range(30)
    ]
    nli = Counted()
    pages = Indexed(documents, tmp_path / "index")
    checked("The harbour is closed.", pages, nli)
    assert sum(nli.calls) == PASSAGES


def test_a_fact_that_could_not_be_looked_up_is_an_error_and_not_found_by_nobody(tmp_path: Path) -> None:
    class Closed(Indexed):
        def unanswered(self, questions: Sequence[str]) -> list[str | None]:
            return ["the quota is used up" if "Chile" in one else None for one in questions]

    answers = [LongAnswer("?", PERU), LongAnswer("?", CHILE)]
    lists = split(answers, None)
    retriever = Closed([Document(source="p", title="Peru", text=PERU)], tmp_path / "index")
    peru, chile = check(answers, lists, retriever, WorldEntailment())
    assert peru.error is None
    assert chile.error == "not looked up: the quota is used up"
    assert chile.facts == ()
