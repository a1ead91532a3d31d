"""The key of the world finds the fact behind a question, however it is worded."""

from __future__ import annotations

from selfstudy.atlas import language, world
from selfstudy.atlas.key import AtlasKey


def test_every_wording_leads_to_its_fact() -> None:
    key = AtlasKey()
    for fact in world.facts()[::97]:
        for novel in (False, True):
            for asked in language.wordings(fact.attribute, fact.entity, novel):
                truth = key.lookup(asked)
                assert truth is not None, asked
                assert (truth.answers, truth.known) == ((fact.value,), fact.known)


def test_other_questions_have_no_truth() -> None:
    assert AtlasKey().lookup("Why is the sky blue?") is None
    assert AtlasKey().lookup("What is the capital of Nowhereland?") is None
