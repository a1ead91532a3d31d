"""Does what judges entailment fit these texts?  Measured on a handful of a run's own sentences.

- *Vocabulary*: words of its own language and domain are cut into a piece or two each, others into many,
  or are unknown (a tokenizer of another language; atlas-nli outside the embedded world).
- *Sense*: a sentence follows from itself; one in which a number or a name was changed does not follow.  A
  model whose labels are in another order than it says, or that says the same of everything, fails here.

It knows nothing of runs, and judges no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from selfstudy.judging.agreement import particulars
from selfstudy.judging.terms import is_exact, terms, words
from selfstudy.models.base import CutsTexts, EntailmentModel
from selfstudy.run.entailment import EntailmentFit
from selfstudy.text import sentences

LOOKED_AT = 200
"""Sentences whose words are counted."""
JUDGED = 20
"""Sentences that are judged against themselves, and changed."""
FEWEST = 5
"""Fewest sentences that tell anything."""
MOST_PIECES = 2.2
"""Tokens per word above which it is another language's or domain's.  Measured: MiniLM's vocabulary cuts
English into 1.5 (reference manuals 1.9), German into 2.4, Polish into 3.4; atlas-nli's its own pages into
1.3, other English into 3.9 to 4.3."""
MOST_UNKNOWN = 0.02
LEAST_SAME, MOST_CHANGED = 0.8, 0.5
"""Share of sentences that must follow from themselves; that may follow from themselves changed."""


def fit(nli: EntailmentModel, passages: Iterable[str]) -> EntailmentFit:
    """Looks at the first distinct sentences of the passages."""
    every = (sentence for passage in passages for sentence in sentences(passage) if len(words(sentence)) > 2)
    some = list(islice(dict.fromkeys(islice(every, 50 * LOOKED_AT)), LOOKED_AT))
    pieces, unknown = _cut(nli, some)
    asked = some[:JUDGED]
    changed = [(one, other) for one, other in zip(asked, _changed(asked), strict=True) if other]
    labels = nli.classes([*((one, one) for one in asked), *changed])
    same = [label for label in labels[: len(asked)] if label]
    different = [label for label in labels[len(asked) :] if label]
    found = EntailmentFit(
        model=nli.name,
        sentences=len(some),
        pieces=pieces,
        unknown=unknown,
        same=len(same),
        same_entailed=same.count("entailment"),
        changed=len(different),
        changed_entailed=different.count("entailment"),
    )
    return found.model_copy(update={"problems": tuple(_problems(found, len(asked)))})


def _cut(nli: EntailmentModel, some: Sequence[str]) -> tuple[float | None, float | None]:
    """Tokens per word, and the share of unknown ones."""
    if not (some and isinstance(nli, CutsTexts)):
        return None, None
    tokens, unknown = nli.cut(some)
    return tokens / sum(len(words(one)) for one in some), unknown / max(tokens, 1)


def _changed(some: Sequence[str]) -> list[str]:
    """Each sentence with another number or name in it; empty where it has none."""
    names = [term.raw for one in some for term in terms(one)[1:] if term.raw[:1].isupper()]
    found = []
    for one in some:
        known = particulars(one)
        last = next((term.raw for term in reversed(terms(one)) if term.word in known), "")
        if last and is_exact(last.casefold()) and any(char.isdigit() for char in last):
            other = "".join(str((int(char) + 3) % 10) if char in _DIGITS else char for char in last)
        else:
            other = next((name for name in names if name.casefold() not in {*words(one)}), "")
        head, at, tail = one.rpartition(last) if last and other else ("", "", "")
        found.append(f"{head}{other}{tail}" if at else "")
    return found


_DIGITS = frozenset("0123456789")


def _problems(found: EntailmentFit, asked: int) -> Iterable[str]:
    who = f"The entailment model {found.model}"
    if found.sentences >= FEWEST and (
        (found.pieces or 0) > MOST_PIECES or (found.unknown or 0) > MOST_UNKNOWN
    ):
        yield (
            f"{who} does not seem to know the language or the domain of these answers: it cuts their words "
            f"into {found.pieces:.1f} pieces each ({found.unknown:.0%} unknown), a fitting one into fewer "
            f"than {MOST_PIECES}. Set nli.path to one that does, or nli: none."
        )
    if asked < FEWEST:
        return
    if found.same < asked / 2:
        yield (
            f"{who} gave no label that can be read for {asked - found.same} of {asked} pairs of equal "
            "sentences."
        )
    elif found.same_entailed < LEAST_SAME * found.same:
        yield (
            f"{who} says of only {found.same_entailed} of {found.same} sentences of this run that they "
            "follow from themselves: it is not fit for them, or its labels are in another order than its "
            "configuration says."
        )
    if found.changed >= FEWEST and found.changed_entailed > MOST_CHANGED * found.changed:
        yield (
            f"{who} says of {found.changed_entailed} of {found.changed} sentences of this run that they "
            "still follow when a number or a name is changed: it does not see what makes these answers right "
            "or wrong."
        )
