"""Does every statement of an answer stand in the documents that it cites?  (ALCE: Gao et al. 2023, arXiv
2305.14627, section 4.)

    statement            a sentence, or an item of a list, without its marks
    citation recall      share of the statements that the documents cited for them support, taken together
    citation precision   share of the citations that are right: all of a supported statement, but for those
                         that do not support it alone while the others do without them

Departures from the published evaluator: sentences are ours (`text.sentence_spans`), of the text without its
marks, and a mark belongs to what stands before it; [0] names no document (there it is the last one); an
answer that says nothing scores 0 (there it is left out of the mean); marks are looked for in the answer alone
(there in the question of a list too).  Knows nothing of what is true.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from selfstudy.models.base import EntailmentModel
from selfstudy.text import sentence_spans

MOST = 3
"""Citations of a statement that are judged: its first ones."""
ENTAILED = "entailment"
"""The label of a pair whose first text entails the second."""
_NUMBERED = re.compile(r"\(?\d{1,3}[.)]")
_LARGEST = 2**25
"""Characters of pairs that are put together at once; a document is in as many of them as cite it."""
_MARK = re.compile(r" ?\[(\d+)\]?")
_END = "<|im_end|>"
_DIGITS = 9
"""Of a number; a longer one names no document."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A mark such as [2].

    Attributes:
        number: as it is written; [1] is the first document.  At most 10^9.
        start, end: its characters in the answer.
    """

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What is judged at once.

    Attributes:
        text: without marks; of an item, behind the question.
        start, end: its characters in the answer, with the marks behind it.
        citations: in their order.
    """

    text: str
    start: int
    end: int
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class JudgedCitation:
    """A citation, whether it is right, and why."""

    citation: Citation
    right: bool
    why: str


@dataclass(frozen=True, slots=True)
class JudgedStatement:
    """A statement, whether what it cites supports it, and why; with the citations that are judged."""

    statement: Statement
    supported: bool
    why: str
    citations: tuple[JudgedCitation, ...] = ()


@dataclass(frozen=True, slots=True)
class CitedAnswer:
    """An answer judged; `error` says why it could not be, and then there is no statement."""

    statements: tuple[JudgedStatement, ...] = ()
    error: str | None = None

    @property
    def recall(self) -> float:
        """Share of the statements that are supported, in [0, 1]; 0 without any."""
        return share(one.supported for one in self.statements)

    @property
    def precision(self) -> float:
        """Share of the judged citations that are right, in [0, 1]; 0 without any."""
        return share(one.right for part in self.statements for one in part.citations)


def said(output: str) -> str:
    """The part of a model's output that is judged: its first line, up to a tag that ends a turn."""
    start, end = first_line(output)
    return output[start:end]


def first_line(output: str) -> tuple[int, int]:
    """Where it stands in the output, without white space around it: [start, end)."""
    start = len(output) - len(output.lstrip())
    line = output[start:].split("\n", 1)[0].split(_END, 1)[0]
    return start, start + len(line.rstrip())


def without_marks(text: str) -> str:
    """`text` without its citation marks, as the published evaluator takes them out."""
    return re.sub(r"\[\d+", "", re.sub(r" \[\d+", "", text)).replace(" |", "").replace("]", "")


def sentences(answer: str) -> list[Statement]:
    """The sentences of an answer, each with the marks that stand in it and behind it."""
    marks = list(_MARK.finditer(answer))
    pieces, starts, offsets = [], [0], [0]
    for mark in marks:
        pieces.append(answer[offsets[-1] : mark.start()])
        starts.append(starts[-1] + len(pieces[-1]))
        offsets.append(mark.end())
    plain = "".join([*pieces, answer[offsets[-1] :]])
    spans = [span for span in sentence_spans(plain) if _says(plain[slice(*span)])]
    if not spans:
        return []
    cited: list[list[Citation]] = [[] for _ in spans]
    begins = [start for start, _ in spans]
    for mark, place in zip(marks, starts[1:], strict=True):
        # behind the last sentence that begins before it
        cited[max(0, bisect_left(begins, place) - 1)].append(_citation(mark, 0))
    found = []
    for (start, end), own in zip(spans, cited, strict=True):
        # a mark where a sentence begins stands behind the one before: the last piece there is meant
        begin, stop = (
            place + offsets[at] - starts[at]
            for place, at in (
                (start, bisect_right(starts, start) - 1),
                (end, bisect_right(starts, end - 1) - 1),
            )
        )
        first, last = (own[0].start, own[-1].end) if own else (begin, stop)
        text = without_marks(" " + answer[begin:stop]).strip()  # it may begin with a mark, or with " |"
        found.append(Statement(text, min(begin, first), max(stop, last), tuple(own)))
    return found


def _says(sentence: str) -> bool:
    """Whether there is something to judge: not in ".", nor in the number of a paragraph."""
    return any(map(str.isalnum, sentence)) and not _NUMBERED.fullmatch(sentence)


def items(answer: str, question: str) -> list[Statement]:
    """The items of a list with commas between them, each read as an answer to the question (QAMPARI)."""
    listed = answer.rstrip().rstrip(".").rstrip(",")
    found, at = [], 0
    for part in listed.split(","):
        start, end = at + len(part) - len(part.lstrip()), at + len(part.rstrip())
        own = tuple(_citation(mark, at) for mark in _MARK.finditer(part))
        text = without_marks(f"{question} {part.strip()}").strip()
        found.append(Statement(text, min(start, end), end, own))
        at += len(part) + 1
    return found


def statements(kind: str, answer: str, question: str = "") -> list[Statement]:
    """The items of a list (kind "qampari"), or the sentences of another answer."""
    return items(answer, question) if kind == "qampari" else sentences(answer)


def _citation(mark: re.Match[str], at: int) -> Citation:
    digits = mark[1]
    start = at + mark.start() + mark[0].startswith(" ")
    return Citation(int(digits) if len(digits) <= _DIGITS else 10**_DIGITS, start, at + mark.end())


def judge(
    answers: Sequence[tuple[Sequence[Statement], Sequence[str]]], entailment: EntailmentModel
) -> list[CitedAnswer]:
    """Which statements are supported, and which citations are right, for all answers at once.

    Args:
        answers: the statements of each, and its documents ("Title: ...", a line, the text), numbered from 1.
        entailment: is asked in three turns, for what the answers before left open.

    Returns:
        As many; an error in the place of one of which the model gave no number for a pair.
    """
    works = [_Work(one, documents) for statements, documents in answers for one in statements]
    for work in works:
        if work.sound:
            work.ask(work.numbers)
    _answer(works, entailment)
    for work in works:
        if work.supported and len(work.numbers) > 1:
            for number in work.numbers:
                work.ask([number])
    _answer(works, entailment)
    for work in works:
        if work.supported and len(work.numbers) > 1:
            for place, number in enumerate(work.numbers):
                if work.found([number]) != ENTAILED:
                    work.ask(work.others(place))
    _answer(works, entailment)
    rest = iter(works)
    return [_judged([next(rest) for _ in statements]) for statements, _ in answers]


class _Work:
    """A statement, and what has been asked of its documents."""

    def __init__(self, statement: Statement, documents: Sequence[str]) -> None:
        self.statement = statement
        self.numbers = [one.number - 1 for one in statement.citations][:MOST]
        self._documents = documents
        self.absent = next(
            (one.number for one in statement.citations if not 1 <= one.number <= len(documents)), None
        )
        self.sound = bool(self.numbers) and self.absent is None
        self.pending: list[tuple[int, ...]] = []
        self._labels: dict[tuple[int, ...], str] = {}

    def ask(self, numbers: Sequence[int]) -> None:
        """Has it asked whether these documents, one behind the other, entail the statement."""
        if tuple(numbers) not in (*self._labels, *self.pending):
            self.pending.append(tuple(numbers))

    def pair(self, numbers: Sequence[int]) -> tuple[str, str]:
        return "\n".join(self._documents[number] for number in numbers), self.statement.text

    def answered(self, labels: Iterator[str]) -> None:
        self._labels |= {one: next(labels) for one in self.pending}
        self.pending = []

    def found(self, numbers: Sequence[int]) -> str:
        """The label; empty where the model gave no number."""
        return self._labels[tuple(numbers)]

    def others(self, place: int) -> list[int]:
        """All but the first that is the same as the one at `place`, as the published evaluator has it."""
        rest = list(self.numbers)
        rest.remove(self.numbers[place])
        return rest

    @property
    def supported(self) -> bool:
        return self.sound and self.found(self.numbers) == ENTAILED

    @property
    def unknown(self) -> bool:
        return "" in self._labels.values()


def _answer(works: Sequence[_Work], entailment: EntailmentModel) -> None:
    found = labels((work.pair(one) for work in works for one in work.pending), entailment)
    for work in works:
        work.answered(found)


def labels(pairs: Iterable[tuple[str, str]], entailment: EntailmentModel) -> Iterator[str]:
    """The label of each pair, all asked before the first is given; few are in memory at a time."""
    found: list[str] = []
    block: list[tuple[str, str]] = []
    size = 0
    for pair in pairs:
        block.append(pair)
        size += sum(map(len, pair))
        if size > _LARGEST:
            found += entailment.classes(block)
            block, size = [], 0
    return iter(found + (entailment.classes(block) if block else []))


def _judged(works: Sequence[_Work]) -> CitedAnswer:
    unknown = next((work for work in works if work.unknown), None)
    if unknown is not None:
        return CitedAnswer(error=f"the entailment model gave no number for {unknown.statement.text[:80]!r}")
    return CitedAnswer(tuple(_judged_statement(work) for work in works))


def _judged_statement(work: _Work) -> JudgedStatement:
    statement = work.statement
    if not statement.citations:
        return JudgedStatement(statement, False, "cites nothing")
    if work.absent is not None:  # none of its citations is judged
        return JudgedStatement(statement, False, f"there is no document [{work.absent}]")
    judged = statement.citations[:MOST]
    if not work.supported:
        why = "what it cites does not support it"
        return JudgedStatement(
            statement, False, why, tuple(JudgedCitation(one, False, why) for one in judged)
        )
    if len(judged) == 1:
        return JudgedStatement(
            statement, True, "supported", (JudgedCitation(judged[0], True, "supports it"),)
        )
    right = []
    for place, one in enumerate(judged):
        if work.found([one.number - 1]) == ENTAILED:
            right.append(JudgedCitation(one, True, "supports it alone"))
        elif work.found(work.others(place)) == ENTAILED:
            right.append(JudgedCitation(one, False, "the others support it without this one"))
        else:
            right.append(JudgedCitation(one, True, "the others do not support it without this one"))
    return JudgedStatement(statement, True, "supported", tuple(right))


def share(of: Iterable[float]) -> float:
    """The mean of shares, or the share of what is true; 0 of nothing, as the published evaluators have it."""
    found = list(of)
    return sum(found) / len(found) if found else 0.0
