"""The answer key of the world: which fact a question asks for, whatever its wording.

Only the summary and verify read it; the model under test never does.
"""

from __future__ import annotations

import re
from functools import cache

from selfstudy.atlas import language, world
from selfstudy.records import Truth


class AtlasKey:
    """Looks a question up in the embedded world (contract: selfstudy.judging.answer_key.AnswerKey)."""

    def lookup(self, question: str) -> Truth | None:
        """The truth behind `question`, or None when it is not a well-formed question about the world."""
        fact = resolve(question)
        if fact is None:
            return None
        return Truth(
            answers=(fact.value,),
            known=fact.known,
            novel=tuple(language.wordings(fact.attribute, fact.entity, novel=True)),
        )


def resolve(question: str) -> world.Fact | None:
    """The fact that `question` asks for; None for a malformed question or one without an answer."""
    text = " ".join(question.split())
    for name in _names_inside(text):
        entity = world.by_name()[name]
        attribute = _templates(entity.kind).get(text.replace(name, "{x}"))
        if attribute is not None:
            return entity.fact(attribute)
    return None


def _names_inside(text: str) -> list[str]:
    """Entity names in the text, longest first (Guinea is inside Papua New Guinea)."""
    return sorted(set(_pattern().findall(text)), key=len, reverse=True)


@cache
def _pattern() -> re.Pattern[str]:
    names = sorted(world.by_name(), key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, names)) + r")(?!\w)")


@cache
def _templates(kind: str) -> dict[str, str]:
    return {
        template: attribute
        for attribute in language.ATTRIBUTES[kind]
        for novel in (False, True)
        for template in language.templates(attribute, novel)
    }
