"""Which questions are about one fact, over all rounds of a run.

Two questions are about one fact if their references say the same of one document, or if they are
near-duplicates, or if a third question joins them.  It goes by records alone; it knows nothing of what is
trained or asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from selfstudy.duplicates import Groups, near_duplicate_groups
from selfstudy.records import Evidence, Question, Reference, Verdict
from selfstudy.run.directory import Round
from selfstudy.text import tokens


def facts_of(
    rounds: Sequence[Round], wordings: Iterable[tuple[str, str]] = (), unsure: set[str] | None = None
) -> dict[str, str]:
    """Question id -> name of its fact, for all questions of these rounds: the first question's id.

    Args:
        wordings: (question id, text) of further wordings; ids need not be of a question of the rounds.
        unsure: see `group`.
    """
    asked = [(question.id, question.text) for round_ in rounds for question in round_.iter(Question)]
    said = [one for round_ in rounds for one in _said(round_)]
    return group([*asked, *wordings], said, unsure)


def group(
    asked: Sequence[tuple[str, str]],
    said: Sequence[tuple[str, str, str]],
    unsure: set[str] | None = None,
) -> dict[str, str]:
    """Id -> the first id that is about the same fact.

    Args:
        asked: (id, wording); an id may have several wordings.
        said: (id, document, reference) of questions that have a reference.
        unsure: gets the ids of those that share too many words with too many others to be compared with all
            (`duplicates`): near-duplicates among them may be of two facts.
    """
    unsure = set() if unsure is None else unsure
    ids = list(dict.fromkeys(name for name, _ in asked))
    place = {name: i for i, name in enumerate(ids)}
    groups = Groups(len(ids))
    left: list[int] = []
    firsts = near_duplicate_groups([text for _, text in asked], unsure=left)
    unsure.update(asked[i][0] for i in left)
    for (name, _), first in zip(asked, firsts, strict=True):
        groups.join(place[name], place[asked[first][0]])
    known = [(place[name], document, text) for name, document, text in said if name in place]
    left = []
    alike = near_duplicate_groups([text for _, _, text in known], unsure=left)
    unsure.update(ids[known[i][0]] for i in left)
    where: dict[tuple[str, object], int] = {}
    for (i, document, text), first in zip(known, alike, strict=True):
        words = tuple(
            sorted(tokens(text))
        )  # "The capital of Peru is Lima." and "Lima is the capital of Peru."
        if words:
            groups.join(i, where.setdefault((document, words), i))
            groups.join(i, where.setdefault((document, first), i))
    return {name: ids[groups.first(i)] for i, name in enumerate(ids)}


def _said(round_: Round) -> Iterator[tuple[str, str, str]]:
    """(question id, document id, reference) of the accepted reference of each verdict."""
    chosen = {verdict.reference_id for verdict in round_.iter(Verdict) if verdict.reference_id}
    found = [one for one in round_.iter(Reference) if one.id in chosen and one.accepted]
    wanted = {one.evidence_id for one in found}
    documents: Mapping[str, str] = {
        one.id: one.document_id for one in round_.iter(Evidence) if one.id in wanted
    }
    for one in found:
        if one.evidence_id in documents:
            yield one.question_id, documents[one.evidence_id], one.text
