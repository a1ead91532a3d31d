"""What is wrong with a model, from what it said: each symptom names its cause; the first explain the rest.

A model that knows little is none of them: what it does not know is for the probe to find out.  Refused is
what no run can be built on: no text, no end, no answer to what was asked, no reading, no variation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from selfstudy.judging.correctness import states
from selfstudy.judging.terms import words
from selfstudy.records import Completion
from selfstudy.smoke import signs
from selfstudy.smoke.asking import Told, is_thinking, was_cut

Cause = Literal[
    "failed",
    "thinking",
    "empty",
    "garbled",
    "marks",
    "repeats",
    "dialogue",
    "echo",
    "noise",
    "deaf",
    "endless",
    "pageless",
    "reading",
    "wild",
    "system",
    "constant",
]
_FEW = 2
"""So many answers with a sign are worth a warning; one may happen to any model."""
_UNSURE = -4.0
"""Mean log-probability of a sampled token (natural log) below which a model draws from all its words."""
_WARM = 0.7
"""Temperature from which on samples of any model differ."""
_RELATED = 0.34
"""Share of the answers that must have a word in common with what was asked, or be right."""


@dataclass(frozen=True)
class Symptom:
    """One thing that is wrong.

    Attributes:
        severe: no run can be built on such a model.
        found: a sentence that begins with "it" or "its".
        asked, said: an answer that shows it; empty if there is none to show.
    """

    cause: Cause
    severe: bool
    found: str
    asked: str = ""
    said: str = ""


def diagnose(told: Sequence[Told], temperature: float) -> list[Symptom]:
    """What is wrong, the causes before their consequences; empty if nothing is.

    Args:
        temperature: of the samples.
    """
    asked = [one for one in told if one.trial.kind != "system"]
    usable = [one for one in asked if one.greedy.finish != "error"]
    if not usable:
        return [_nothing(asked)] if asked else []
    found = [*_flat(usable), *_signs(usable), *_thinking(asked)]
    if not any(one.severe for one in found):
        found += _sense(usable)
    if not any(one.severe for one in found):
        found += [*_endless(usable), *_reading(usable), *_samples(usable, temperature), *_system(told)]
    return sorted(found, key=lambda one: not one.severe)


def is_right(told: Told) -> bool:
    """Whether the greedy answer states what it should."""
    return _right(told, told.greedy)


def never_vary(told: Sequence[Told]) -> bool:
    """Whether every sample of every question is the same text as the others of that question."""
    drawn = [{s.text for s in one.samples if s.finish != "error"} for one in told if len(one.samples) > 1]
    return bool(drawn) and all(len(texts) == 1 for texts in drawn)


def constant(samples: Sequence[Completion], temperature: float, needed: bool) -> Symptom | None:
    """The finding of a model whose samples do not differ in a task without one answer either.

    Args:
        needed: whether scores are made of samples.  At a low temperature a sound model may be so sure of
            itself.
    """
    texts = {one.text for one in samples if one.finish != "error"}
    if len(texts) != 1:
        return None
    return Symptom(
        "constant",
        needed and temperature >= _WARM,
        f"its samples do not differ: {len(samples)} at temperature {temperature:g} are the same text",
        "Name three topics ...",
        texts.pop(),
    )


def _right(told: Told, completion: Completion) -> bool:
    return states(completion.text, told.trial.expected, told.trial.question)


def _nothing(asked: Sequence[Told]) -> Symptom:
    first = asked[0]
    if all(is_thinking(one.greedy) for one in asked):
        found = f"it only thinks: in none of {len(asked)} replies an answer follows the thinking"
        return Symptom("thinking", True, f"{found} ({first.greedy.error})", first.trial.question)
    return Symptom(
        "failed", True, f"it gives no answer: {first.greedy.error or 'no reason given'}", first.trial.question
    )


_SIGNS: tuple[tuple[Cause, str, Callable[[Told], bool]], ...] = (
    ("empty", "its answers are empty", lambda one: not one.greedy.text.strip()),
    ("garbled", "its answers are no text", lambda one: signs.is_garbled(one.greedy.text)),
    ("marks", "it writes marks of a chat template", lambda one: signs.has_marks(one.greedy.text)),
    ("repeats", "it repeats one word or phrase", lambda one: signs.repeats(one.greedy.text)),
    ("dialogue", "it goes on with the dialogue", lambda one: signs.goes_on(one.greedy.text)),
    (
        "echo",
        "it says the question again in place of an answer",
        lambda one: signs.is_echo(one.greedy.text, one.trial.question) and not is_right(one),
    ),
)


def _signs(usable: Sequence[Told]) -> list[Symptom]:
    """What the texts alone show."""
    found = []
    for cause, words_, has in _SIGNS:
        with_it = [one for one in usable if has(one)]
        severe = 2 * len(with_it) > len(usable)
        if severe or len(with_it) >= _FEW:
            found.append(_shown(cause, severe, f"{words_} ({_of(with_it, usable)})", with_it[0]))
    return found


def _thinking(asked: Sequence[Told]) -> list[Symptom]:
    thinks = [one for one in asked if is_thinking(one.greedy)]
    if len(thinks) < _FEW:
        return []
    severe = 2 * len(thinks) > len(asked)
    said = f"it does not come to an answer when it thinks ({_of(thinks, asked)}: {thinks[0].greedy.error})"
    return [Symptom("thinking", severe, said, thinks[0].trial.question)]


_NOISE = "its answers have nothing to do with what it is asked"


def _flat(usable: Sequence[Told]) -> list[Symptom]:
    """Whether it prefers hardly any token to any other, as untrained weights do."""
    if any(map(is_right, usable)) or _mean_logprob(usable) >= _UNSURE:
        return []
    return [_shown("noise", True, f"{_NOISE}: any token seems as good as any other to it", usable[0])]


def _sense(usable: Sequence[Told]) -> list[Symptom]:
    """Whether answers are about what was asked."""
    if any(map(is_right, usable)):
        return []
    if len(usable) > _FEW and len({one.greedy.text.strip() for one in usable}) == 1:
        said = "it says the same whatever it is asked: what it is asked does not reach it"
        return [_shown("deaf", True, said, usable[0])]
    related = [one for one in usable if _is_related(one, one.greedy)]
    long = sum(len(words(one.greedy.text)) for one in usable) >= 4 * len(usable)
    if not long or len(related) >= _RELATED * len(usable) or _alike(usable):
        return []
    return [_shown("noise", True, f"{_NOISE} ({_of(usable, usable)})", usable[0])]


def _alike(usable: Sequence[Told]) -> bool:
    """Whether it answers alike to the two pages that differ in the answer alone."""
    pages = [one for one in usable if one.trial.kind == "page"]
    same = [one for one in pages[1:] if one.trial.question == pages[0].trial.question]
    return any(one.greedy.text == pages[0].greedy.text for one in same)


def _endless(usable: Sequence[Told]) -> list[Symptom]:
    cut = [one for one in usable if was_cut(one.greedy)]
    if 2 * len(cut) <= len(usable):
        return []
    said = f"its answers do not end ({_of(cut, usable)} ran into the limit of {cut[0].greedy.tokens} tokens)"
    return [_shown("endless", len(cut) == len(usable), said, cut[0])]


def _reading(usable: Sequence[Told]) -> list[Symptom]:
    pages = [one for one in usable if one.trial.kind == "page"]
    wrong = [one for one in pages if not is_right(one)]
    if not pages or 2 * len(wrong) < len(pages):
        return []
    if len(wrong) < len(pages):
        said = f"it reads pages of one line badly ({_of(wrong, pages)} wrong)"
        return [_shown("reading", False, said, wrong[0])]
    if _alike(pages):
        said = (
            "it answers alike to two pages that differ in the answer: they do not reach it, or it cannot read"
        )
        return [_shown("pageless", True, said, pages[0])]
    said = f"it does not say what a page of one line says ({_of(wrong, pages)} wrong)"
    return [_shown("reading", True, said, wrong[0])]


def _samples(usable: Sequence[Told], temperature: float) -> list[Symptom]:
    """Whether samples have nothing to do with the question where the greedy answer has."""
    drawn = [(one, s) for one in usable for s in one.samples if s.finish != "error"]
    sane = any(_is_related(one, one.greedy) for one in usable if one.samples)
    if len(drawn) < 2 * _FEW or not sane or any(_is_related(one, s) or _right(one, s) for one, s in drawn):
        return []
    one, sample = drawn[0]
    said = f"its samples at temperature {temperature:g} are noise: none has to do with the question"
    return [Symptom("wild", True, said, one.trial.question, sample.text)]


def _system(told: Sequence[Told]) -> list[Symptom]:
    """Whether a page that it reads as the user's words is lost as the system's."""
    there = [one for one in told if one.trial.kind == "system"]
    as_user = [one for one in told if one.trial.kind == "page"][:2]
    if not there or not as_user or not all(map(is_right, as_user)) or is_right(there[0]):
        return []
    said = "what the system message says does not reach it (it reads the same page in the user's words)"
    return [_shown("system", False, said, there[0])]


def _is_related(told: Told, completion: Completion) -> bool:
    return signs.is_related(completion.text, told.trial.asked, " ".join(told.trial.expected))


def _mean_logprob(usable: Sequence[Told]) -> float:
    """Of a sampled token; 0 where it is not known."""
    drawn = [s for one in usable for s in one.samples if s.tokens and isfinite(s.logprob)]
    tokens = sum(one.tokens for one in drawn)
    return sum(one.logprob for one in drawn) / tokens if tokens else 0.0


def _of(some: Sequence[Told], every: Sequence[Told]) -> str:
    return f"{len(some)} of {len(every)} answers"


def _shown(cause: Cause, severe: bool, found: str, one: Told) -> Symptom:
    return Symptom(cause, severe, found, one.trial.question, one.greedy.text)
