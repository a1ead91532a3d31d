"""What of a run rests on some sources: their documents, and questions that were asked or answered by them.

Reads records alone; knows nothing of what is done about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from selfstudy.files import jsonl
from selfstudy.library.excluded import Excluded
from selfstudy.library.web import kept_pages
from selfstudy.records import (
    Conflict,
    Document,
    Evidence,
    NotEvidence,
    Question,
    Reference,
    Rewording,
    Skipped,
    Verdict,
)
from selfstudy.run import Round, Run
from selfstudy.run.facts import facts_of
from selfstudy.verbs.unlearning.quoted import Quotable


class Sources:
    """Which sources are meant.

    Args:
        pattern: as `gather.exclude` has it, or a source to the letter.
        named: sources that it named before.
    """

    def __init__(self, pattern: str, named: Iterable[str] = ()) -> None:
        self.pattern = pattern
        self._named = {pattern, *named}
        self._excluded = Excluded([pattern])

    def __contains__(self, source: str) -> bool:
        return source in self._named or source in self._excluded


@dataclass(frozen=True)
class ForgottenQuestion:
    """A question with its answer as the run had it, in memory alone.

    Attributes:
        right: the reference that was taught.
        paraphrases: others that agree with it.
        taught: whether it was a gap.
        entity: id of the document that it was answered in.
    """

    id: str
    text: str
    right: str
    paraphrases: tuple[str, ...] = ()
    taught: bool = False
    entity: str = ""


@dataclass
class Resting:
    """What rests on some sources.

    Attributes:
        sources: those that the run knows.
        kept_sources: how many others it knows.
        documents, questions, evidence: ids.
        said: texts of the sources, and answers that were read out of them.
        also_said: sentences of them that a kept source says too.
        asked: the questions, with their answers, for whoever asks them again; gone once they are cleaned.
        others: the same of questions that stay.
    """

    sources: tuple[str, ...] = ()
    kept_sources: int = 0
    documents: set[str] = field(default_factory=set)
    questions: set[str] = field(default_factory=set)
    evidence: set[str] = field(default_factory=set)
    said: Quotable = field(default_factory=Quotable)
    also_said: int = 0
    asked: list[ForgottenQuestion] = field(default_factory=list)
    others: list[ForgottenQuestion] = field(default_factory=list)


def resting(run: Run, sources: Sources, before: Iterable[str] = (), here: Sequence[Document] = ()) -> Resting:
    """Finds it in all rounds.

    A question rests on a source if it was made of its document, if its reference was read in it, if sources
    disagree about it of which this is one, or if it asks the same as one that does and no other source
    answers it.

    Args:
        before: questions of which that is known, from an interrupted attempt.
        here: documents of the library that are read from this machine.
    """
    found = Resting(questions=set(before))
    known: dict[str, bool] = {}

    def is_meant(source: str) -> bool:
        if source not in known:
            known[source] = source in sources
        return known[source]

    for document in _documents(run, here):
        if is_meant(document.source):
            found.documents.add(document.id)
    for round_ in run.rounds:
        _add_evidence(round_, is_meant, found)
    for source in _other_sources(run):
        is_meant(source)
    for round_ in run.rounds:
        _add_questions(round_, is_meant, found)
    answered = _answered_by_others(run, found)
    _add_same_facts(run, found, answered)
    found.asked, found.others = _asked(run, found.questions)
    found.sources = tuple(sorted(source for source, meant in known.items() if meant))
    found.kept_sources = len(known) - len(found.sources)
    texts = [*_texts(run, here, is_meant, meant=True), *(one.right for one in found.asked)]
    everything = Quotable(texts)
    found.said = everything.without(_texts(run, here, is_meant, meant=False))
    found.also_said = len(everything) - len(found.said)
    return found


def _documents(run: Run, here: Sequence[Document]) -> Iterator[Document]:
    yield from here
    for round_ in run.rounds:
        yield from round_.iter(Document)


def _add_evidence(round_: Round, is_meant: Callable[[str], bool], found: Resting) -> None:
    for one in round_.iter(Evidence):
        if is_meant(one.source):
            found.evidence.add(one.id)
            found.documents.add(one.document_id)
    for other in round_.iter(NotEvidence):
        if is_meant(other.source):
            found.documents.add(other.document_id)


def _other_sources(run: Run) -> Iterator[str]:
    """Of pages that were fetched, of what was skipped, and of what passages say."""
    for _, _, line in jsonl.read_lines(run.fetched_folder / kept_pages.LINES):
        if line.get("of") == "page":
            yield from (str(line[name]) for name in ("url", "final_url") if line.get(name))
    for round_ in run.rounds:
        yield from (one.source for one in round_.iter(Skipped))
        for conflict in round_.iter(Conflict):
            yield from (saying.source for saying in conflict.sayings)


def _add_questions(round_: Round, is_meant: Callable[[str], bool], found: Resting) -> None:
    read_in = {one.id for one in round_.iter(Reference) if one.accepted and one.evidence_id in found.evidence}
    found.questions |= {one.id for one in round_.iter(Question) if one.document_id in found.documents}
    found.questions |= {one.question_id for one in round_.iter(Verdict) if one.reference_id in read_in}
    found.questions |= {
        one.question_id
        for one in round_.iter(Conflict)
        if any(is_meant(saying.source) for saying in one.sayings)
    }


def _answered_by_others(run: Run, found: Resting) -> set[str]:
    """Questions whose reference a kept source gives."""
    answered = set()
    for round_ in run.rounds:
        chosen = {one.reference_id for one in round_.iter(Verdict)}
        answered |= {
            one.question_id
            for one in round_.iter(Reference)
            if one.accepted and one.id in chosen and one.evidence_id not in found.evidence
        }
    return answered - found.questions


def _add_same_facts(run: Run, found: Resting, answered: set[str]) -> None:
    if not found.questions:
        return
    wordings = [(one.question_id, one.text) for round_ in run.rounds for one in round_.iter(Rewording)]
    facts = facts_of(run.rounds, wordings)
    gone = {facts[name] for name in found.questions if name in facts}
    found.questions |= {name for name, fact in facts.items() if fact in gone and name not in answered}


def _asked(run: Run, questions: set[str]) -> tuple[list[ForgottenQuestion], list[ForgottenQuestion]]:
    """Those that are forgotten, and the others, each once, with a reference."""
    forgotten: dict[str, ForgottenQuestion] = {}
    others: dict[str, ForgottenQuestion] = {}
    for round_ in run.rounds:
        verdicts = {one.reference_id: one for one in round_.iter(Verdict) if one.reference_id}
        references = {one.question_id: one for one in round_.iter(Reference) if one.id in verdicts}
        documents = {one.id: one.document_id for one in round_.iter(Evidence)}
        for question in round_.iter(Question):
            if (reference := references.get(question.id)) is None or not reference.accepted:
                continue
            among = forgotten if question.id in questions else others
            among.setdefault(
                question.id,
                ForgottenQuestion(
                    question.id,
                    question.text,
                    reference.text.strip(),
                    tuple(one for one in reference.samples if one.strip() != reference.text.strip()),
                    verdicts[reference.id].kind != "known",
                    documents.get(reference.evidence_id, ""),
                ),
            )
    return list(forgotten.values()), list(others.values())


def _texts(
    run: Run, here: Sequence[Document], is_meant: Callable[[str], bool], *, meant: bool
) -> Iterator[str]:
    """What the sources say that are meant, or the others."""
    yield from (one.text for one in _documents(run, here) if is_meant(one.source) == meant)
    for round_ in run.rounds:
        yield from (one.text for one in round_.iter(Evidence) if is_meant(one.source) == meant)
        for conflict in round_.iter(Conflict):
            yield from (one.quote for one in conflict.sayings if is_meant(one.source) == meant)
