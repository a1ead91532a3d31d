"""What a round asks again, read from the records of earlier rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from selfstudy.recipe import Recipe, RelearnBlock
from selfstudy.records import (
    Document,
    Due,
    Evidence,
    Example,
    Message,
    Question,
    Reference,
    Verdict,
    VerdictKind,
)
from selfstudy.run import Round, Run, corrections
from selfstudy.run.forgotten import Tombstone, keep
from selfstudy.run.relearning import asked_before, due_again
from selfstudy.run.split import keep_apart, kept_apart, split_of, trained_share

PLACES = {"Peru": "Lima", "Chile": "Santiago", "Ghana": "Accra", "Nepal": "Kathmandu", "Fiji": "Suva"}


def document(country: str, capital: str = "") -> Document:
    capital = capital or PLACES[country]
    return Document(
        source=f"{country}.txt", text=f"{country} is a country. Its capital is {capital}. It has hills."
    )


def question(country: str) -> Question:
    return Question(text=f"What is the capital of {country}?")


def found(
    round_: Round,
    kinds: Mapping[str, VerdictKind | None],
    score: float = 0.0,
    capitals: Mapping[str, str] = {},
) -> None:
    """What a round asked and found, by country; None: it failed."""
    for country, kind in kinds.items():
        page, asked = document(country, capitals.get(country, "")), question(country)
        passage = Evidence(
            question_id=asked.id,
            document_id=page.id,
            source=page.source,
            text=page.text,
            start=0,
            end=len(page.text),
            rank=0,
            relevance=1.0,
        )
        said = f"The capital of {country} is {capitals.get(country, PLACES[country])}."
        reference = Reference(
            question_id=asked.id, evidence_id=passage.id, text=said, inconsistency=0.0, accepted=True
        )
        round_.append([asked, passage])
        if kind is not None:
            rests = reference.id if kind != "unverifiable" else None
            round_.append([reference] if rests else [])
            round_.append([Verdict(question_id=asked.id, kind=kind, score=score, reference_id=rests)])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    recipe = Recipe.model_validate({"relearn": {}, "library": "atlas", "teach": {"known_heldout": 0.0}})
    with Run.create_or_resume(tmp_path / "run", recipe) as opened:
        yield opened


def again(
    run: Run, number: int, *, changes: bool = False, early: bool = False, **capitals: str
) -> dict[str, str]:
    """Country -> why, in order, with the library as it was but for these capitals ("gone": no page)."""
    library = [document(name, capitals.get(name, "")) for name in PLACES if capitals.get(name) != "gone"]
    due = due_again(run, number, library, changes=changes, early=early)
    names = {question(name).id: name for name in PLACES}
    return {names[one.question_id]: one.why for one in due}


def test_the_first_round_asks_nothing_again(run: Run) -> None:
    assert again(run, 1) == {}


def test_gaps_and_shaky_ones_come_next_and_firm_ones_later(run: Run) -> None:
    found(run.round(1), {"Peru": "known", "Chile": "misbelief", "Nepal": "unverifiable", "Fiji": None})
    found(run.round(1), {"Ghana": "known"}, score=0.4)
    assert again(run, 2) == {"Chile": "scheduled", "Ghana": "scheduled"}
    assert list(again(run, 3)) == ["Chile", "Ghana", "Peru"]  # what is overdue longest comes first
    assert again(run, 2, early=True) == again(run, 2)


def test_a_question_right_again_waits_longer_and_one_that_slipped_does_not(run: Run) -> None:
    found(run.round(1), {"Peru": "unknown", "Chile": "unknown"})
    found(run.round(2), {"Peru": "known", "Chile": "unknown"})
    assert again(run, 3) == {"Chile": "scheduled"}
    assert set(again(run, 4)) == {"Chile", "Peru"}
    due = {one.question_id: one for one in due_again(run, 4, [document(n) for n in PLACES], changes=False)}
    assert due[question("Peru").id] == Due(
        question_id=question("Peru").id, why="scheduled", asked=2, interval=2
    )


def test_where_nothing_is_due_what_would_be_first_is_asked_early(run: Run) -> None:
    found(run.round(1), {"Peru": "known"})
    assert again(run, 2) == {}
    assert again(run, 2, early=True) == {"Peru": "scheduled"}


def test_what_rests_on_a_changed_or_removed_passage_is_due_at_once(run: Run) -> None:
    found(run.round(1), {"Peru": "known", "Chile": "known", "Ghana": "known", "Nepal": "unverifiable"})
    assert again(run, 2, Peru="Cusco", Chile="gone", Nepal="gone") == {"Peru": "changed", "Chile": "changed"}
    found(run.round(2), {"Peru": "known", "Chile": "unverifiable"}, capitals={"Peru": "Cusco"})
    assert again(run, 3, Peru="Cusco", Chile="gone") == {"Ghana": "scheduled"}


def test_a_page_with_more_text_around_the_passage_has_not_changed(run: Run) -> None:
    found(run.round(1), {"Peru": "known"})
    longer = Document(source="Peru.txt", text=f"New.\n{document('Peru').text.replace(' ', '  ')} And more.")
    assert due_again(run, 2, [longer], changes=True) == []


def test_what_a_search_found_may_be_found_again(tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {"relearn": {}, "library": ["atlas", {"type": "wikipedia", "url": "https://wiki.example/api.php"}]}
    )
    with Run.create_or_resume(tmp_path / "other", recipe) as run:
        found(run.round(1), {"Peru": "known", "Chile": "known"})
        passages = [
            one.model_copy(update={"fetched": "2026-11-28T00:00:00Z"}) if "Peru" in one.source else one
            for one in run.round(1).iter(Evidence)
        ]
        run.round(1).rewrite(Evidence, passages)
        assert again(run, 2, Peru="gone", Chile="gone") == {"Chile": "changed"}


def test_without_relearn_only_what_changed_is_asked_and_only_by_a_watch(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "other", Recipe(library=None)) as run:
        found(run.round(1), {"Peru": "misbelief", "Chile": "known"})
        assert again(run, 2, Chile="Valdivia") == {}
        assert again(run, 2, changes=True, Chile="Valdivia") == {"Chile": "changed"}


def test_no_more_than_may_be_and_what_changed_first(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "other", Recipe(relearn=RelearnBlock(most=2))) as run:
        found(run.round(1), {"Peru": "unknown", "Chile": "unknown", "Ghana": "unknown"})
        assert again(run, 2, Ghana="Kumasi") == {"Ghana": "changed", "Peru": "scheduled"}


def test_what_was_forgotten_never_comes_back(run: Run) -> None:
    found(run.round(1), {"Peru": "unknown", "Chile": "unknown"})
    keep(run, [Tombstone(pattern="Peru.txt", sources=("Peru.txt",), questions=(question("Peru").id,))])
    assert again(run, 2, Peru="gone") == {"Chile": "scheduled"}


def test_the_questions_are_those_of_before(run: Run) -> None:
    found(run.round(1), {"Peru": "known", "Chile": "known"})
    wanted = [question("Chile").id, "of no question", question("Peru").id]
    assert asked_before(run.round(2), wanted) == [question("Chile"), question("Peru")]


def test_what_is_kept_apart_is_not_asked_again_until_its_page_changes(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"relearn": {}, "teach": {"known_heldout": 1.0}})
    with Run.create_or_resume(tmp_path / "other", recipe) as run:
        found(run.round(1), {"Peru": "known", "Chile": "known", "Ghana": "unknown"})
        keep_apart(run)
        kept = {question("Peru").id, question("Chile").id}
        assert kept_apart(run) == kept
        assert again(run, 9) == {"Ghana": "scheduled"}
        assert again(run, 9, Peru="Cusco") == {"Peru": "changed", "Ghana": "scheduled"}
        second = run.round(2)
        second.append(due_again(run, 2, [document(name, "Cusco") for name in ("Peru",)], changes=True))
        assert kept_apart(run) == kept  # until it is known what it is now
        found(second, {"Peru": "misbelief", "Chile": "known"}, capitals={"Peru": "Cusco"})
        assert kept_apart(run) == kept - {question("Peru").id}
        assert question("Peru").id not in split_of(second).reserved
        assert (
            question("Chile").id in split_of(second).reserved
        )  # its page is gone, and it is known all the same


def test_what_is_kept_apart_and_slips_while_its_page_says_the_same_stays(tmp_path: Path) -> None:
    """Else whatever is forgotten would leave the test that is to show it, and be taught."""
    recipe = Recipe.model_validate({"relearn": {}, "teach": {"known_heldout": 1.0}})
    with Run.create_or_resume(tmp_path / "other", recipe) as run:
        found(run.round(1), {"Peru": "known", "Chile": "known"})
        keep_apart(run)
        edited = [
            one.model_copy(update={"text": one.text.replace("hills", "many hills")})
            for one in map(document, PLACES)
        ]
        second = run.round(2)
        second.append(due_again(run, 2, edited, changes=True))
        assert {one.why for one in second.iter(Due)} == {"changed"}
        found(second, {"Peru": "misbelief", "Chile": "unknown"})
        assert kept_apart(run) == {question("Peru").id, question("Chile").id}
        assert split_of(second).reserved == kept_apart(run)


def test_what_was_taught_and_is_right_again_tests_whether_it_is_forgotten(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"relearn": {}, "teach": {"known_heldout": 1.0}})
    with Run.create_or_resume(tmp_path / "other", recipe) as run:
        found(run.round(1), {"Peru": "unknown", "Chile": "unknown"})
        keep_apart(run)
        for name in ("Peru", "Chile"):
            prompt = (Message(role="user", content=question(name).text),)
            lesson = Example(
                prompt=prompt, completion=PLACES[name], question_id=question(name).id, kind="reference"
            )
            run.round(1).append([lesson])
        second = run.round(2)
        second.append(due_again(run, 2, [document(name) for name in PLACES], changes=False))
        found(second, {"Peru": "known", "Chile": "unknown"})
        split = split_of(second)
        assert split.again == {question("Peru").id}
        assert not split.tested
        assert trained_share(second, split.again) == 0.0
        second.append(one for one in run.round(1).iter(Example) if one.question_id in split.again)
        assert trained_share(second, split.again) == 1.0


def test_what_a_person_corrected_is_asked_again_until_the_verdict_rests_on_it(run: Run) -> None:
    found(run.round(1), {"Peru": "known", "Chile": "unverifiable"})
    for name in ("Peru", "Chile"):
        corrections.add(run, question(name).id, reference=f"{name}: Suva.")
    changed = {name for name, why in again(run, 2).items() if why == "changed"}
    assert changed == {"Peru", "Chile"}
    asked = question("Peru")
    reference = Reference(
        question_id=asked.id,
        evidence_id="theirs",
        text="Peru: Suva.",
        inconsistency=None,
        accepted=True,
        given_by="person",
    )
    verdict = Verdict(question_id=asked.id, kind="misbelief", score=0.0, reference_id=reference.id)
    run.round(2).append([asked, reference, verdict])
    assert [name for name, why in again(run, 3).items() if why == "changed"] == ["Chile"]
    for name in ("Peru", "Chile"):  # a verdict that does not rest on what was taken back stands
        corrections.add(run, question(name).id, withdraws="reference")
    assert [name for name, why in again(run, 3).items() if why == "changed"] == ["Peru"]
