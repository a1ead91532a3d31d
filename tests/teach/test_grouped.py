"""A lesson for each group of sources: who is in which, and what a kill leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from selfstudy.progress import Silent
from selfstudy.recipe import DeployBlock, Recipe
from selfstudy.records import Chat, Example, Message
from selfstudy.teach import grouped
from selfstudy.teach.grouped import split
from selfstudy.teach.imported import ImportedLessons
from selfstudy.teach.lesson import Lesson

from .lessons import prepared, recipe


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def lesson(folder: Path, sources: dict[str, str], **deploy: object) -> Lesson:
    """Peru, Chile and Ghana are gaps, Nepal and Cuba known, Fiji has no evidence."""
    block = DeployBlock.model_validate({"type": "dynamic", **deploy})
    changed: Recipe = recipe(refuse_unverifiable=True).model_copy(update={"deploy": block})
    found = prepared(folder, changed)
    placed = [
        replace(gap, source=source)
        for gap in found.gaps
        for country, source in sources.items()
        if country in gap.question.text
    ]
    return replace(found, gaps=placed)


def asked(lessons: dict[str, Lesson]) -> dict[str, list[str]]:
    return {name: [gap.question.text.split()[-1][:-1] for gap in one.gaps] for name, one in lessons.items()}


PLACES = {"Peru": "am/pe.txt", "Chile": "am/cl.txt", "Ghana": "af/gh.txt"}


def test_each_group_has_its_gaps_and_what_is_known(tmp_path: Path) -> None:
    found = split(lesson(tmp_path / "run", PLACES), Silent())
    assert asked(found) == {"am": ["Peru", "Chile"], "af": ["Ghana"], "refused": []}
    for name, one in found.items():
        kinds = [q.verdict.kind for q in one.everything]
        assert kinds.count("known") == 2
        assert (kinds.count("unverifiable") == 1) == (name == "refused")
        assert len(one.refused()) == (name == "refused")
    assert {q.question.id for q in found["af"].everything} & {
        g.question.id for g in found["am"].gaps
    } == set()


def test_too_many_groups_share_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped, "MOST", 2)
    notes = Notes()
    found = split(lesson(tmp_path / "run", {**PLACES, "Chile": "other/cl.txt"}), notes)
    assert list(asked(found)) == ["af", "other", "refused"]
    assert sorted(asked(found)["other"]) == ["Chile", "Peru"]
    assert "the gaps are of 3 groups; the 2 smallest share one adapter, other" in notes.notes[0]


def test_a_round_may_be_one_group_and_a_folder_may_be_called_as_ours(tmp_path: Path) -> None:
    found = split(lesson(tmp_path / "run", PLACES, groups="round"), Silent())
    assert list(found) == ["all", "refused"]
    odd = split(lesson(tmp_path / "odd", {**PLACES, "Ghana": "refused/gh.txt"}), Silent())
    assert asked(odd) == {"am": ["Peru", "Chile"], "refused": ["Ghana"]}
    assert len(odd["refused"].refused()) == 1


def test_lessons_of_others_are_one_group(tmp_path: Path) -> None:
    chat: Chat = (Message(role="user", content="Why?"),)
    one = Example(prompt=chat, completion="So.", question_id="q", kind="imported")
    given = replace(lesson(tmp_path / "run", PLACES), imported=ImportedLessons((one,), ()))
    assert list(split(given, Silent())) == ["imported"]
