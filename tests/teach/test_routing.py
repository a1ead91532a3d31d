"""The wordings that a router is made from: nothing that verify tests is among them."""

from __future__ import annotations

from pathlib import Path

from selfstudy.models.embedder import load as load_embedder
from selfstudy.recipe import EmbedderBlock, Recipe, TeachBlock
from selfstudy.records import Chat, Example, Message, Question, Rewording, VerdictKind
from selfstudy.run import Round, split
from selfstudy.run.curriculum import Curriculum
from selfstudy.teach.gaps import judged_questions
from selfstudy.teach.routing import known_wordings, of_adapters, taught_wordings

from .lessons import PROMPTS, fill, make_round, question

KNOWN: dict[str, VerdictKind] = dict.fromkeys(["Peru", "Chile", "Ghana", "Nepal", "Cuba", "Fiji"], "known")


def ids(round_: Round) -> dict[str, str]:
    return {asked.text.split()[-1][:-1]: asked.id for asked in round_.iter(Question)}


def test_what_verify_keeps_for_itself_is_not_the_base_models(tmp_path: Path) -> None:
    recipe = Recipe(teach=TeachBlock(known_heldout=0.5))
    round_ = make_round(tmp_path / "run", KNOWN, recipe)
    held_out = split.split_of(round_).held_out
    assert 0 < len(held_out) < len(KNOWN)
    embedder = load_embedder(EmbedderBlock())
    found = known_wordings(round_, judged_questions(round_), embedder, PROMPTS)
    assert {name for name, _ in found} == set(ids(round_).values()) - held_out


def test_all_rounds_count_and_each_wording_once(tmp_path: Path) -> None:
    recipe = Recipe(teach=TeachBlock(known_heldout=0.0))
    first = make_round(tmp_path / "run", {"Peru": "known", "Chile": "unknown"}, recipe)
    second = fill(first.run.round(2), {"Peru": "known", "Cuba": "known"})
    embedder = load_embedder(EmbedderBlock())
    found = known_wordings(second, judged_questions(second), embedder, PROMPTS)
    assert sorted(text for _, text in found) == [question("Cuba"), question("Peru")]


def test_wordings_that_were_trained_and_no_others(tmp_path: Path) -> None:
    round_ = make_round(tmp_path / "run", {"Peru": "unknown", "Chile": "unknown"})
    name = ids(round_)
    round_.append(
        [
            Rewording(question_id=name["Peru"], text="Peru's capital?", use="train"),
            Rewording(question_id=name["Peru"], text="Which city governs Peru?", use="heldout"),
            Rewording(question_id=name["Chile"], text="Chile's capital?", use="train"),
        ]
    )
    chat: Chat = (Message(role="user", content="Why?"),)
    round_.append([Example(prompt=chat, completion="So.", question_id="given", kind="imported")])
    found = taught_wordings(round_.run, Curriculum(round=1, questions=(name["Peru"], "given")))
    peru = name["Peru"]
    assert found == [(peru, question("Peru")), (peru, "Peru's capital?"), ("given", "Why?")]


def test_what_was_taught_again_is_the_newest_adapters(tmp_path: Path) -> None:
    first = make_round(tmp_path / "run", {"Peru": "unknown", "Chile": "unknown", "Ghana": "unknown"})
    second = fill(first.run.round(2), {"Chile": "unknown", "Ghana": "unknown"})
    name = ids(first)
    curricula = {
        "z-old": Curriculum(round=1, questions=(name["Peru"], name["Chile"])),
        "y-old": Curriculum(round=1, questions=(name["Ghana"],)),
        "a-new": Curriculum(round=2, questions=(name["Chile"], name["Ghana"])),
    }
    found = of_adapters(second, curricula)
    assert list(found) == ["z-old", "a-new"]  # the oldest first; of y-old nothing is left
    assert [asked for asked, _ in found["z-old"]] == [name["Peru"]]
    assert [asked for asked, _ in found["a-new"]] == [name["Chile"], name["Ghana"]]


def test_the_newest_adapter_gets_all_wordings_in_which_a_fact_was_taught(tmp_path: Path) -> None:
    first = make_round(tmp_path / "run", {"Peru": "unknown", "Chile": "unknown"})
    second = fill(first.run.round(2), {"Chile": "unknown"})
    third = fill(first.run.round(3), {"Chile": "unknown"})
    name = ids(first)
    for round_, words in (
        (first, ("Peru's capital?", "Chile's capital?")),
        (second, ("Chile's capital?", "Chile: its capital?")),
        (third, ("Which city governs Chile?",)),
    ):
        round_.append(
            Rewording(question_id=name["Peru" if "Peru" in one else "Chile"], text=one, use="train")
            for one in words
        )
    curricula = {
        "first": Curriculum(round=1, questions=(name["Peru"], name["Chile"])),
        "second": Curriculum(round=2, questions=(name["Chile"],)),
        "third": Curriculum(round=3, questions=(name["Chile"],)),
    }
    found = of_adapters(third, curricula)
    assert found == {
        "first": [(name["Peru"], question("Peru")), (name["Peru"], "Peru's capital?")],
        "third": [
            (name["Chile"], one)
            for one in (
                *(question("Chile"), "Which city governs Chile?"),
                *("Chile's capital?", "Chile: its capital?"),
            )
        ],
    }
