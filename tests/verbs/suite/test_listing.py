"""`selfstudy suite --list`."""

from __future__ import annotations

from selfstudy.verbs.suite.listing import listed
from selfstudy.verify.suites.table import SUITES


def test_every_suite_says_what_it_needs_and_its_options() -> None:
    found = {one.name: one for one in listed()}
    assert list(found) == list(SUITES)
    assert found["pairwise"].needs == "a judge"
    assert found["atomic-facts"].needs == "a library, an entailment model"
    assert "gamma=10" in found["atomic-facts"].options
    assert "allow_code=false" in found["lm-eval"].options
    assert "margin=null" in found["qa"].options
    assert found["qa"].needs == ""
