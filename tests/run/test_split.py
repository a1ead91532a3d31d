from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.duplicates import near_duplicates
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe, SFTBlock, TeachBlock
from selfstudy.records import (
    Answer,
    Completion,
    Evidence,
    Example,
    Practised,
    Question,
    Reference,
    Rewording,
    Verdict,
    VerdictKind,
)
from selfstudy.run import Round, Run
from selfstudy.run.facts import group
from selfstudy.run.split import (
    held_out,
    held_out_ids,
    split_of,
    topic_groups,
    trained_share,
    trains_to_cite,
    trains_to_know,
)
from selfstudy.teach.examples import examples
from selfstudy.teach.gaps import gaps_to_teach, judged_questions
from selfstudy.teach.lesson import Lesson
from selfstudy.verify.questions import plan

IDS = [f"{n:016x}" for n in range(4000)]


@given(st.text(max_size=20), st.integers(0, 2**31 - 1))
def test_the_ends_of_the_range(question_id: str, seed: int) -> None:
    assert not held_out(question_id, seed, 0.0)
    assert held_out(question_id, seed, 1.0)


@given(st.text(max_size=20), st.integers(0, 99), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_what_a_smaller_one_held_out(
    question_id: str, seed: int, a: float, b: float
) -> None:
    small, large = sorted((a, b))
    assert not held_out(question_id, seed, small) or held_out(question_id, seed, large)


def test_the_share_is_met_and_the_seed_matters() -> None:
    first = [held_out(i, 0, 0.3) for i in IDS]
    second = [held_out(i, 1, 0.3) for i in IDS]
    assert 0.27 < sum(first) / len(IDS) < 0.33
    assert first == [held_out(i, 0, 0.3) for i in IDS]
    assert 0.4 < sum(a == b for a, b in zip(first, second, strict=True)) / len(IDS) < 0.7


def by_topic(share: float = 0.5, seed: int = 0) -> Recipe:
    return Recipe(seed=seed, teach=TeachBlock(known_heldout=share, split_by="topic"))


def asked(words: str, topic: str = "") -> Question:
    return Question(text=words, topic=topic)


def by_wording(questions: Sequence[Question]) -> dict[str, str]:
    """The fact of each question, told by wordings alone."""
    return group([(q.id, q.text) for q in questions], [])


def test_each_question_for_itself_by_default() -> None:
    questions = [asked(f"What is the mass of item {i}?", f"topic {i % 7}") for i in range(300)]
    recipe = Recipe(seed=3)
    out = held_out_ids(questions, recipe, by_wording(questions))
    assert out == {q.id for q in questions if held_out(q.id, 3, 0.5)}


def test_near_duplicates_are_on_one_side() -> None:
    long = "which of the many old laws of the land about the use of water is still in force in village"
    pairs = [(asked(f"Say {long} {i}?"), asked(f"Tell {long} {i}?")) for i in range(100)]
    recipe = Recipe(seed=3)
    questions = [q for pair in pairs for q in pair]
    out = held_out_ids(questions, recipe, by_wording(questions))
    assert all((one.id in out) == (other.id in out) == held_out(one.id, 3, 0.5) for one, other in pairs)
    assert 20 < len(out) / 2 < 80


def test_whole_topics_whatever_their_spelling() -> None:
    questions = [
        asked("Where is Fiji?", "Fiji"),
        asked("Who rules the islands?", " fiji "),
        asked("Where is Peru?", "Peru"),
        asked("Why?"),
        asked("How so, then?"),
    ]
    groups = topic_groups(questions, by_wording(questions))
    assert groups[questions[0].id] == groups[questions[1].id] == "fiji"
    assert len(set(groups.values())) == 4, "without a topic each is its own"


def test_near_duplicates_join_their_topics() -> None:
    long = "which of the many old laws of the land about the use of water is still in force on the islands"
    questions = [
        asked(f"Say {long}?", "law"),
        asked(f"Tell {long}?", "water"),
        asked("Where does it rain?", "water"),
        asked("Where does it snow?", "weather"),
    ]
    groups = topic_groups(questions, by_wording(questions))
    assert [groups[q.id] for q in questions] == ["law", "law", "law", "weather"]


words = st.sampled_from(
    ["what", "is", "the", "name", "colour", "of", "big", "small", "Fiji", "Peru", "old", "7"]
)
questions = st.lists(
    st.builds(
        lambda parts, topic: Question(text=" ".join(parts) + "?", topic=topic),
        st.lists(words, min_size=3, max_size=14),
        st.sampled_from(["", "a", "b", "c", "d", "e"]),
    ),
    max_size=40,
    unique_by=lambda q: q.id,
)


@given(questions, st.integers(0, 5), st.floats(0.1, 0.9))
def test_neither_a_topic_nor_a_wording_is_on_both_sides(
    found: list[Question], seed: int, share: float
) -> None:
    recipe = by_topic(share, seed)
    out = held_out_ids(found, recipe, by_wording(found))
    sides = {q.topic: set[bool]() for q in found if q.topic}
    for q in found:
        if q.topic:
            sides[q.topic].add(q.id in out)
    assert all(len(side) == 1 for side in sides.values())
    for i, q in enumerate(found):
        for other in found[:i]:
            if (q.id in out) != (other.id in out):
                assert len(near_duplicates([q.text, other.text, *NAMES])) == 2 + len(NAMES)
    assert held_out_ids(found[::-1], recipe, by_wording(found[::-1])) == out


NAMES = ("In Fiji.", "In Peru.")
"""Texts that say which words are names."""


def test_the_share_of_topics_is_met() -> None:
    found = [asked(f"What is thing {i} of topic {i // 3}?", f"topic {i // 3}") for i in range(3000)]
    assert 0.25 < len(held_out_ids(found, by_topic(0.3), by_wording(found))) / len(found) < 0.35


@pytest.mark.parametrize("split_by", ["question", "topic"])
def test_what_verify_asks_teach_never_replays(tmp_path: Path, split_by: str) -> None:
    teach = TeachBlock(known_heldout=0.4, split_by=split_by, sft=SFTBlock(replay=20))  # type: ignore[arg-type]
    topic = {}
    with Run.create_or_resume(tmp_path / "run", Recipe(library="atlas", teach=teach)) as run:
        turn = run.round(1)
        for i in range(120):
            said = f"The height of item {i} is {i} metres."
            question = asked(f"How high is item {i}?", f"topic {i // 4}")
            topic[question.id] = question.topic
            found = Evidence(
                question_id=question.id,
                document_id="d",
                source="s",
                text=said,
                start=0,
                end=9,
                rank=0,
                relevance=1,
            )
            read = Reference(
                question_id=question.id, evidence_id=found.id, text=said, inconsistency=0, accepted=True
            )
            kind = "unknown" if i % 4 == 0 else "known"
            verdict = Verdict(question_id=question.id, kind=kind, score=0.9, reference_id=read.id)  # type: ignore[arg-type]
            answer = Answer(question_id=question.id, passage=Completion(text=said), samples=())
            turn.append([question, found, read, verdict, answer])
        everything = judged_questions(turn)
        lesson = Lesson(run.recipe, Prompts(), gaps_to_teach(everything), everything, {})
        replayed = {e.question_id for e in examples(lesson, teach.sft) if e.kind == "replay"}
        verified = {i.question_id for i in plan(turn, Prompts(), None) if i.target == "known"}
    known = {i.question.id for i in everything if i.verdict.kind == "known"}
    assert not replayed & verified
    assert replayed | verified == known
    shared = {topic[i] for i in replayed} & {topic[i] for i in verified}
    assert bool(shared) == (split_by == "question")


def fact(turn: Round, text: str, kind: VerdictKind, said: str, document: str) -> str:
    """A question with its verdict, reference and answer; returns its id."""
    question = Question(text=text)
    found = Evidence(
        question_id=question.id,
        document_id=document,
        source="s",
        text=said,
        start=0,
        end=9,
        rank=0,
        relevance=1,
    )
    read = Reference(question_id=question.id, evidence_id=found.id, text=said, inconsistency=0, accepted=True)
    verdict = Verdict(question_id=question.id, kind=kind, score=0.9, reference_id=read.id)
    answer = Answer(question_id=question.id, passage=Completion(text=said), samples=())
    turn.append([question, found, read, verdict, answer])
    return question.id


def teach_from_records(turn: Round) -> None:
    """Writes what the first phase would train on."""
    everything = judged_questions(turn)
    lesson = Lesson(turn.run.recipe, Prompts(), gaps_to_teach(everything), everything, {})
    turn.append(examples(lesson, turn.run.recipe.teach.sft))


WORDED = {
    "one reference": ("The river Orla is {} km long.", "The river Orla is {} km long."),
    "in another order": ("Hill {} is Mount Ada.", "Mount Ada is hill {}."),
    "nearly the same": (
        "The old tower of the town of Brusk, number {}, was built of red stone.",
        "The old tower of the town of Brusk, number {}, was built of the red stone.",
    ),
    "another script": ("Длина реки Орла {} километров.", "длина реки орла: {} километров"),
}


@pytest.mark.parametrize("way", WORDED)
@pytest.mark.parametrize("split_by", ["question", "topic"])
def test_a_fact_is_wholly_held_out_or_wholly_replayed(tmp_path: Path, way: str, split_by: str) -> None:
    teach = TeachBlock(known_heldout=0.4, split_by=split_by, sft=SFTBlock(replay=20))  # type: ignore[arg-type]
    with Run.create_or_resume(tmp_path / "run", Recipe(teach=teach)) as run:
        turn = run.round(1)
        for i in range(150):
            one, other = (said.format(i) for said in WORDED[way])
            fact(turn, f"Tell me about thing {i}.", "known", one, f"d{i}")
            fact(turn, f"How would you describe number {i}, in short?", "known", other, f"d{i}")
        for i in range(20):
            fact(turn, f"What is missing at {i}?", "unknown", f"Gap {i} is missing.", f"e{i}")
        teach_from_records(turn)
        asked = [check for check in plan(turn, Prompts(), None) if check.target == "known"]
        assert 60 < len(asked) < 180
        assert len({check.fact for check in asked}) == len(asked) / 2, "both questions of a fact"
        assert trained_share(turn, [check.question_id for check in asked]) == 0
        replayed = {e.question_id for e in turn.iter(Example) if e.kind == "replay"}
        assert len(replayed) + len(asked) == 300


def test_the_same_words_in_another_document_are_another_fact(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        turn = run.round(1)
        one = fact(turn, "Is it open?", "known", "Yes.", "d1")
        two = fact(turn, "May we go in?", "known", "Yes.", "d1")
        three = fact(turn, "Was it sold?", "known", "Yes.", "d2")
        facts = split_of(turn).facts
    assert facts[one] == facts[two] == one
    assert facts[three] == three


def test_a_known_fact_that_is_a_gap_in_other_words_is_no_test(tmp_path: Path) -> None:
    recipe = Recipe(teach=TeachBlock(known_heldout=1.0))
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        turn = run.round(1)
        for i in range(10):
            fact(turn, f"Tell me about thing {i}.", "known", f"Thing {i} is blue.", f"d{i}")
        fact(turn, "Which colour has thing 3?", "misbelief", "Thing 3 is blue.", "d3")
        asked = {check.asked for check in plan(turn, Prompts(), None) if check.target == "known"}
        teach_from_records(turn)
        trained = trained_share(turn, [q.id for q in turn.iter(Question) if q.text.startswith("Tell")])
    assert len(asked) == 9
    assert "Tell me about thing 3." not in asked
    assert trained == 0.1, "it measures what was trained, whatever was planned"


def test_a_trained_rewording_that_says_what_a_known_question_says_is_seen(tmp_path: Path) -> None:
    recipe = Recipe(teach=TeachBlock(known_heldout=1.0))
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        turn = run.round(1)
        for i in range(10):
            fact(
                turn,
                f"Tell me what the colour of thing {i} is, please?",
                "known",
                f"It is blue {i}.",
                f"d{i}",
            )
        gap = fact(turn, "Which height has thing 3?", "unknown", "Thing 3 is tall.", "d3")
        text = "tell me what the colour of thing 3 is please"
        example = Example(
            prompt=Prompts().chat("answer", question=text), completion="x", question_id=gap, kind="reference"
        )
        turn.append([Rewording(question_id=gap, text=text, use="train"), example])
        asked = {check.asked for check in plan(turn, Prompts(), None) if check.target == "known"}
    assert len(asked) == 9
    assert not [one for one in asked if "thing 3" in one]


def test_what_a_policy_practised_was_trained(tmp_path: Path) -> None:
    recipe = Recipe(teach=TeachBlock(known_heldout=1.0))
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        turn = run.round(1)
        names = [
            fact(turn, f"Tell me about thing {i}.", "known", f"Thing {i} is blue.", f"d{i}") for i in range(4)
        ]
        assert trained_share(turn, names) == 0
        turn.append([Practised(question_id=names[0], question="Tell me about thing 0.")])
        assert trained_share(turn, names) == 0.25
        asked = {check.question_id for check in plan(turn, Prompts(), None) if check.target == "known"}
    assert asked == set(names[1:])


@pytest.mark.parametrize("practised", [True, False])
def test_what_a_file_has_trained_is_not_asked_under_another_id(practised: bool, tmp_path: Path) -> None:
    recipe = Recipe(teach=TeachBlock(known_heldout=1.0))
    text = "tell me about thing 0"
    brought = Example(prompt=(), completion="x", question_id="row", kind="cited", question=text)
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        turn = run.round(1)
        names = [
            fact(turn, f"Tell me about thing {i}.", "known", f"Thing {i} is blue.", f"d{i}") for i in range(4)
        ]
        before = split_of(turn)
        turn.append([Practised(question_id="row", question=text) if practised else brought])
        assert split_of(turn) == before
        assert trained_share(turn, names) == 0.25
        asked = {check.question_id for check in plan(turn, Prompts(), None) if check.target == "known"}
        assert asked == set(names[1:])
        later = run.round(2)
        again = fact(later, "Tell me about thing 0!", "known", "Thing 0 is blue.", "d0")
        assert again not in split_of(later).tested


def test_what_a_plan_trains() -> None:
    def both(*phases: str) -> tuple[bool, bool]:
        teach = TeachBlock.model_validate({"phases": [{"type": one} for one in phases]})
        return trains_to_cite(Recipe(teach=teach)), trains_to_know(Recipe(teach=teach))

    assert both("sft", "dpo") == (False, True)
    assert both("rejection", "ppo") == (True, False)
    assert both("sft", "grpo") == (True, True)
