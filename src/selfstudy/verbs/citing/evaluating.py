"""Cited answers against their documents and what is gold: `selfstudy cite eval`.

All answers are judged together, three times at most for citations and once for claims.  A row that cannot be
used, or judged, is an error beside the figures and in no mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from selfstudy.errors import DataError
from selfstudy.files.rows import MalformedError, Row, text_of
from selfstudy.judging import citations, gold_answers, refusals, rouge, trust
from selfstudy.judging.citations import CitedAnswer, share
from selfstudy.judging.cited_answers import judged_items
from selfstudy.judging.cited_items import CitedItem, read_item
from selfstudy.models.base import EntailmentModel
from selfstudy.models.thinking import NoAnswerError, without_thinking
from selfstudy.stats import Interval, bootstrap_mean, plain
from selfstudy.text import clean
from selfstudy.verbs.outputs import MARK


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A row as it was judged; `error` says why it was not, and then there are no figures.

    Attributes:
        place: where it stands in its file.
        figures: by name, each in [0, 1] but for `length` (words).
        trust: what the Trust-Score takes of it; None where the row does not say which documents hold what.
        cut: whether more lines follow the one that is judged.
    """

    place: str
    item: CitedItem | None = None
    answer: str = ""
    cited: CitedAnswer | None = None
    figures: dict[str, float] = field(default_factory=dict)
    trust: trust.TrustItem | None = None
    error: str = ""
    cut: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: every statement, its citations, and why."""
        if self.item is None:
            return {"place": self.place, "error": self.error}
        asked = {
            "place": self.place,
            "question": self.item.question,
            "kind": self.item.kind,
            "answer": self.answer,
        }
        if self.cited is None:
            return {**asked, "error": self.error}
        return {
            **asked,
            "refused": trust.refuses(self.answer),
            "refused in other words": refusals.is_refusal(self.answer),
            "figures": self.figures,
            "trust": None if self.trust is None else asdict(self.trust),
            "statements": statement_rows(self.cited),
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All rows, and means of what could be judged.

    Attributes:
        kinds: for each kind of item its figures, with 95% intervals over items.
        counts: for each of these the items that have it: rouge-l is of those with a reference.
        macro: the mean over kinds of citations, length, and correctness (str-em, recall-5 or claim recall)
            where there is gold.
        weighted: the mean over items of the same.
        trust: over all items that say which documents hold what; None without any.
        entailment: the model that judged.
        mauve_by: the model whose vectors MAUVE compares; empty where it was not measured.
        rewarded_by: the entailment models on whose rewards a model was trained that gave some of the answers.
    """

    rows: tuple[Evaluated, ...]
    entailment: str
    kinds: dict[str, dict[str, Interval]]
    counts: dict[str, dict[str, int]]
    macro: dict[str, float]
    weighted: dict[str, float]
    trust: trust.TrustScore | None
    mauve_by: str = ""
    rewarded_by: tuple[str, ...] = ()

    @property
    def judged(self) -> list[Evaluated]:
        return [row for row in self.rows if not row.error]

    @property
    def failed(self) -> list[Evaluated]:
        return [row for row in self.rows if row.error]

    @property
    def trusted(self) -> int:
        """Rows in the Trust-Score."""
        return sum(row.trust is not None for row in self.judged)

    def count(self, kind: str) -> int:
        """Rows of a kind that were judged."""
        return sum(row.item is not None and row.item.kind == kind for row in self.judged)

    @property
    def partial(self) -> list[tuple[str, str, int]]:
        """(kind, figure, items) of figures that not all items of their kind have."""
        return [
            (kind, name, count)
            for kind, of in self.counts.items()
            for name, count in of.items()
            if count != self.count(kind)
        ]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: shares in [0, 1], intervals {value, low, high}."""
        told = self.trust and {
            "trust_score": self.trust.trust_score,
            "grounded_refusal": self.trust.grounded_refusal,
            **{
                name: asdict(of) | {"f1": of.f1}
                for name, of in (
                    ("refusal", self.trust.refusal),
                    ("answering", self.trust.answering),
                    ("correctness", self.trust.correctness),
                    ("citations", self.trust.citations),
                )
            },
            "answered_ratio": self.trust.answered_ratio,
            "parametric_knowledge": self.trust.parametric_knowledge,
            "items": self.trusted,
        }
        return {
            "entailment": self.entailment,
            "rewarded_by": list(self.rewarded_by),
            "rows": len(self.rows),
            "failed": len(self.failed),
            "errors": [{"place": row.place, "error": row.error} for row in self.failed],
            "items": {kind: self.count(kind) for kind in self.kinds},
            "kinds": {
                kind: {name: plain(one) for name, one in of.items()} for kind, of in self.kinds.items()
            },
            "counts": self.counts,
            "macro": self.macro,
            "weighted": self.weighted,
            "trust": told,
            "mauve_by": self.mauve_by or None,
        }


def statement_rows(cited: CitedAnswer) -> list[dict[str, Any]]:
    """As JSON has them: every statement, whether what it cites supports it, and each citation, with why."""
    return [
        {
            "text": one.statement.text,
            "start": one.statement.start,
            "end": one.statement.end,
            "cites": [mark.number for mark in one.statement.citations],
            "supported": one.supported,
            "why": one.why,
            "citations": [
                {"document": mark.citation.number, "right": mark.right, "why": mark.why}
                for mark in one.citations
            ],
        }
        for one in cited.statements
    ]


def evaluate(rows: Iterable[Row], entailment: EntailmentModel, *, seed: int = 0) -> Evaluation:
    """Judges the `output` of every row.

    Raises:
        DataError: no row could be read, or judged.
    """
    rows = list(rows)
    read = [_read(row) for row in rows]
    usable = [(row, row.item) for row in read if row.item is not None]
    if not usable:
        problem = f"; the first: {read[0].place}: {read[0].error}" if read else ""
        hint = "docs/citing.md has the layout"
        raise DataError(f"none of {len(read):,} rows can be evaluated{problem}", hint)
    judged = iter(judged_items([item for _, item in usable], [row.answer for row, _ in usable], entailment))
    done = [row if row.item is None else _evaluated(row, row.item, *next(judged)) for row in read]
    found = replace(_summed(done, entailment.name, seed), rewarded_by=_rewarded_by(rows))
    if not found.judged:
        first = f"{done[0].place}: {done[0].error}"
        raise DataError(f"none of {len(done):,} rows was judged; the first: {first}", "try another model")
    return found


def _rewarded_by(rows: Iterable[Row]) -> tuple[str, ...]:
    """What answers of ours say of the model that gave them (outputs.write_answers)."""
    marks = (row.value.get(MARK) for row in rows if row.value is not None)
    said = (mark.get("rewarded_by") for mark in marks if isinstance(mark, dict))
    names = (name for one in said if isinstance(one, list) for name in one if isinstance(name, str))
    return tuple(dict.fromkeys(names))


def _read(row: Row) -> Evaluated:
    if row.value is None:
        return Evaluated(row.place, error=row.problem)
    try:
        item = read_item(row.value)
        output = row.value.get("output")
        if output is None:
            raise MalformedError("field 'output', the answer, is missing")
        text = _answer(text_of(output, "output"))
    except MalformedError as error:
        return Evaluated(row.place, error=str(error))
    return Evaluated(row.place, item, citations.said(text), cut="\n" in text.strip())


def _answer(output: str) -> str:
    """What is said; nothing where all of it is thinking, as a model that was cut off has not answered."""
    try:
        return without_thinking(clean(output))
    except NoAnswerError:
        return ""


def _evaluated(row: Evaluated, item: CitedItem, cited: CitedAnswer, labels: Sequence[str]) -> Evaluated:
    if cited.error is not None:
        return Evaluated(row.place, item, row.answer, error=cited.error)
    figures = {
        "citation recall": cited.recall,
        "citation precision": cited.precision,
        "length": float(len(citations.without_marks(row.answer).split())),
    }
    if item.references:
        figures["rouge-l"] = rouge.rouge_l(citations.without_marks(row.answer), item.references)
    if item.kind == "asqa":
        flags = gold_answers.contained(row.answer, item.gold)
        figures |= {"correctness": share(flags), "str-em": share(flags), "str-hit": float(all(flags))}
    elif item.kind == "qampari":
        of = gold_answers.listed(row.answer, item.gold)
        flags = list(of.given)
        figures |= {
            "correctness": of.recall_5,
            "precision": of.precision,
            "recall": of.recall,
            "recall-5": of.recall_5,
            "f1": of.f1,
            "f1-5": of.f1_5,
        }
    else:
        flags = [label == citations.ENTAILED for label in labels]
        if item.kind == "eli5":
            figures |= {"correctness": share(flags), "claim recall": share(flags)}
    plain_correctness = figures.get("f1-5", share(flags))
    trusted = _trust_item(row.answer, item, cited, flags, plain_correctness)
    return replace(row, cited=cited, figures=figures, trust=trusted)


def _trust_item(
    answer: str, item: CitedItem, cited: CitedAnswer, flags: Sequence[bool], plain_correctness: float
) -> trust.TrustItem | None:
    if item.found is None:
        return None
    held = sorted(trust.held(item.found))
    if item.kind == "qampari":
        correct = gold_answers.listed(answer, [item.gold[at] for at in held]).f1_5 if held else 0.0
    else:
        correct = share(flags[at] for at in held)
    holds = [trust.held([document]) for document in item.found]
    return trust.TrustItem(
        answerable=trust.answerable(item.found),
        refused=trust.refuses(answer),
        correctness=correct,
        plain_correctness=plain_correctness,
        recall=cited.recall,
        precision=trust.citation_precision(cited, holds),
    )


def _summed(rows: Sequence[Evaluated], entailment: str, seed: int) -> Evaluation:
    judged = [row for row in rows if not row.error and row.item is not None]
    kinds: dict[str, list[Evaluated]] = {}
    for row in judged:
        if row.item is not None:
            kinds.setdefault(row.item.kind, []).append(row)
    values = {kind: _values(of) for kind, of in kinds.items()}
    figures = {
        kind: {name: bootstrap_mean(each, seed=seed) for name, each in of.items()}
        for kind, of in values.items()
    }
    counts = {kind: {name: len(each) for name, each in of.items()} for kind, of in values.items()}
    names = [name for of in figures.values() for name in of]
    common = [name for name in dict.fromkeys(names) if name in _COMMON]
    macro = {name: share(of[name].value for of in figures.values() if name in of) for name in common}
    weighted = {name: share(row.figures[name] for row in judged if name in row.figures) for name in common}
    trusted = [row.trust for row in judged if row.trust is not None]
    return Evaluation(
        tuple(rows),
        entailment,
        figures,
        counts,
        macro,
        weighted,
        trust.trust_score(trusted) if trusted else None,
    )


def _values(rows: Sequence[Evaluated]) -> dict[str, list[float]]:
    """The figures of a kind, each of those rows that have it; what all have is first."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.figures.items():
            found.setdefault(name, []).append(value)
    return dict(sorted(found.items(), key=lambda one: len(one[1]) < len(rows)))


_COMMON = ("citation recall", "citation precision", "correctness", "length")
"""Figures that every kind has, but for correctness of a kind without gold."""
