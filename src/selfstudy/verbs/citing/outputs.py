"""The files of cited answers: what `cite answer` writes, in ALCE's layout, and what `cite eval` writes.

An output of one is none of the other: judgements never take the place of the answers that they are of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from selfstudy.files import jsonl, private
from selfstudy.verbs import outputs
from selfstudy.verbs.citing.answering import AnsweredQuestion
from selfstudy.verbs.citing.evaluating import Evaluation
from selfstudy.verbs.citing.questions import CitedQuestion

CiteVerb = Literal["cite", "cite answer"]
"""What the first row of a file says: judgements, or answers."""


def require_free(path: Path, source: Path | None, verb: CiteVerb = "cite") -> None:
    """Refuses to replace anything but a file of ours; see `outputs.require_free`."""
    outputs.require_free(path, source, "give another file with --out", verb)


def write_rows(path: Path, found: Evaluation) -> None:
    """Writes the judgements whole.

    Raises:
        RunError: it cannot be written; what was there is as it was.
    """
    _write(path, ({outputs.MARK: "cite"} | row.to_dict() for row in found.rows))


def write_answers(
    path: Path,
    questions: Sequence[CitedQuestion],
    answers: Sequence[AnsweredQuestion],
    model: str,
    rewarded_by: Sequence[str] = (),
) -> None:
    """Writes a row for every question, in order, with all that came with it: `cite eval` reads it as it is.

    A question without an answer has its `error`, and no `output`.

    Args:
        rewarded_by: the entailment models that the model was trained on rewards of.

    Raises:
        RunError: it cannot be written; what was there is as it was.
    """
    told = {"rewarded_by": list(rewarded_by)} if rewarded_by else {}
    mark = {outputs.MARK: {"verb": "cite answer", "model": model, **told}}
    pairs = zip(questions, answers, strict=True)
    _write(path, (mark | answer_row(question, answer) for question, answer in pairs))


def answer_row(question: CitedQuestion, answer: AnsweredQuestion) -> dict[str, Any]:
    """A question and its answer as JSON has them."""
    came = {name: value for name, value in question.row.items() if name not in _OURS}
    if question.item is None:
        return {**came, "place": question.place, "error": question.error}
    row = {**came, "docs": list(answer.docs)}
    if answer.error is not None:
        return {**row, "place": question.place, "error": answer.error}
    told = answer.model_dump(include=set(_TOLD), exclude_defaults=True)
    return {**row, "output": answer.output, **told}


_TOLD = ("refused", "said", "cut", "unshown", "statements", "unchecked")
_OURS = {outputs.MARK, "output", "place", "error", *_TOLD}
"""Of an earlier answer to the question, which another takes the place of."""


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    jsonl.replace(path, b"".join(map(jsonl.encode_row, rows)), None, private.SHARED)
