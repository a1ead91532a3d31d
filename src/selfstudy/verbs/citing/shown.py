"""A cited answer for a person: the text, what of it is not supported, and the sources under it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from selfstudy.judging.trust import refuses
from selfstudy.text import one_line
from selfstudy.verbs.citing.answering import AnsweredQuestion, cited_numbers

UNSUPPORTED = " (not supported by what it cites)"
_LONGEST = 200
"""Characters of a title, or of a source."""


def text(answer: AnsweredQuestion) -> str:
    """The answer, each statement that is not supported marked behind it."""
    if answer.error is not None:
        return f"[no answer: {answer.error}]"
    if not answer.output:
        return "[an empty answer]"
    shown = answer.output
    if answer.said:  # the statements are of what was said, and this is the refusal
        return shown
    for one in reversed(answer.statements):
        if not one.supported:
            why = UNSUPPORTED if one.cites else " (cites nothing)"
            shown = shown[: one.end] + why + shown[one.end :]
    return shown


def below(answer: AnsweredQuestion) -> Iterator[str]:
    """The sources that it cites, and what a person should know of the answer; a line each."""
    if answer.error is not None:
        return
    cited = cited_numbers(answer.output)
    for number in cited:
        if 1 <= number <= len(answer.docs):
            yield source(number, answer.docs[number - 1])
    if answer.absent:
        marks = "".join(f"[{one}]" for one in answer.absent)
        yield f"{marks}: no such document; {len(answer.docs)} were shown"
    if answer.refused:
        yield f"refused: {answer.refused}"
    elif not cited and answer.output and not refuses(answer.output):
        yield "it cites nothing"
    if answer.said:
        yield f"it said: {one_line(answer.said, 2 * _LONGEST)}"
    if answer.unchecked:
        yield f"not checked: {answer.unchecked}"
    if answer.cut:
        yield "it was cut at the limit of tokens: --max-new-tokens takes a longer one"


def source(number: int, document: dict[str, object]) -> str:
    """A document as a list of sources has it: [1] Title (where it is from)."""
    title, place = (_named(document, *names) for names in (("title",), ("source", "url", "id")))
    if not title or not place:
        return f"[{number}] {title or place or one_line(_named(document, 'text', 'sent'), 80)}"
    return f"[{number}] {title} ({place})"


def _named(document: dict[str, object], *names: str) -> str:
    values = (document.get(name) for name in names)
    return one_line(next((str(one) for one in values if one not in (None, "")), ""), _LONGEST)


def summary(answers: Sequence[AnsweredQuestion]) -> Iterator[str]:
    """What many answers have in common; a line each."""
    given = [one for one in answers if one.error is None]
    refused = Counter(one.refused or "by the model" for one in given if refuses(one.output))
    yield f"{len(given):,} of {len(answers):,} questions have an answer"
    if refused:
        reasons = "; ".join(f"{count:,} {why}" for why, count in refused.most_common())
        yield f"{sum(refused.values()):,} of them the refusal: {reasons}"
    statements = [statement for one in given for statement in one.statements]
    if statements:
        good = sum(one.supported for one in statements)
        yield f"{good:,} of {len(statements):,} statements are supported by what they cite"
    for name, count in _told(given).items():
        if count:
            yield f"{count:,} {name}"


def _told(given: Sequence[AnsweredQuestion]) -> dict[str, int]:
    answered = [one for one in given if one.output and not refuses(one.output)]
    return {
        "cite nothing": sum(not cited_numbers(one.output) for one in answered),
        "cite a document that was not shown": sum(bool(one.absent) for one in answered),
        "say nothing": sum(not one.output for one in given),
        "were cut at the limit of tokens (--max-new-tokens)": sum(one.cut for one in given),
        "could not be checked": sum(bool(one.unchecked) for one in given),
        "were shown fewer documents, for the model reads no more": sum(one.unshown > 0 for one in given),
    }
