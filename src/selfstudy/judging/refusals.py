"""Does a reply give no answer?  "I don't know.", "The document does not say.", "Unknown".

By form alone, in English: the first sentence decides, because what follows it explains, or is from elsewhere.
That something is unknown to the world ("It is not known who built it") is an answer.  It knows nothing of
questions or documents.
"""

from __future__ import annotations

import re

from selfstudy.judging.terms import terms

_PARTS = {
    "LEAD": "im|i|am|we|are|so|very|sorry|afraid|unfortunately|apologies|apologize|apologise|however|but|"
    "well|really|just|honestly|actually|that|based on|according to",
    "SOURCE": "(?:(?:this|provided|given|above|supplied) )*(?:document|documents|text|passage|page|article|"
    "context|excerpt|source|sources|information|library)(?: (?:provided|given|above))?",
    "NOT": "(?:does not|doesnt|do not|dont|did not|didnt|cannot|cant|can not|could not|couldnt)"
    "(?: (?:really|actually))?",
    "TELL": "(?:say|mention|state|contain|provide|specify|include|tell|give|answer|indicate|name|describe|"
    "explain|address|cover|discuss|reveal|have)",
    "TOLD": "(?:mentioned|stated|specified|provided|given|available|found|indicated|said|answered|"
    "determined)",
    "NONE": "(?:answer|information|mention|idea|clue|knowledge|data|way to (?:know|tell))",
}
_FORMS = (
    "NOT (?:know(?! (?:much|lot|everything|anything else))|say|tell|answer|find|determine|recall|remember)",
    "NOT have (?:any|enough|that|this|specific|information|access|answer|NONE)",
    "(?:have no|there is no) NONE",
    "(?:unable|not able) to (?:say|tell|answer|find|determine|provide)",
    "(?:not (?:really |entirely |quite )?sure|unsure|uncertain|not certain)",
    "SOURCE NOT TELL",
    "SOURCE (?:has|gives|contains|provides|offers) no (?:NONE|such)",
    "no NONE(?: (?:is|was))?(?: TOLD)?(?: in SOURCE)?$",
    "(?:(?:it|this|its|answer) )?(?:(?:is|was) )?not (?:TOLD|in SOURCE)",
    "(?:it|this|question|answer) (?:cannot|cant|can not|could not) be TOLD",
    "(?:(?:it|answer) )?(?:is )?(?:unknown|na|none|nothing|not (?:known|applicable|enough information))$",
)


def _pattern() -> re.Pattern[str]:
    """The forms with their parts put in."""
    forms = "|".join(_FORMS)
    for name in ("TOLD", "TELL", "NONE", "SOURCE", "NOT"):
        forms = re.sub(rf"\b{name}\b", _PARTS[name].replace("\\", r"\\"), forms)
    return re.compile(rf"(?:(?:{_PARTS['LEAD']}) )*?(?:{forms})(?: |$)")


_REFUSAL = _pattern()
_LONGEST = 40
"""Words of the first sentence that are looked at."""


def knows_nothing(passage: str, *, inconsistent: bool) -> bool:
    """Whether a model has no answer of its own: its samples disagree, or its passage says so.

    Where they agree it may know what a library does not hold.
    """
    return inconsistent or is_refusal(passage)


def is_refusal(reply: str) -> bool:
    """Whether `reply` says that it has no answer."""
    first: list[str] = []
    for i, term in enumerate(terms(reply[:2000])[:_LONGEST]):
        if i and any(mark in term.gap for mark in ".!?\n•"):
            break
        first.append(term.word)
    said = " ".join(first).replace("n a", "na") if len(first) == 2 else " ".join(first)
    return _REFUSAL.match(said) is not None
