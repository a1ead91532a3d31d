"""Result files of the original experiment (methods 1): questions, answers and scores of one model.

One dict per file.  `proposed_questions` are in the order in which they were proposed; the answers stand in
two lists, each in that order, by whether their score is above the threshold.  A question that was proposed
again was also answered again, so its answers may differ: each proposal keeps its own answer and score, and is
a question of its own where they differ from those of every earlier one.

Knows nothing of pickles, runs or models.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selfstudy.files.rows import MalformedError, shown, text_of
from selfstudy.probe import capability
from selfstudy.records import (
    Answer,
    Completion,
    Failure,
    Proposal,
    Question,
    QuestionMethod,
    Record,
    Score,
    SentenceScore,
    digest,
)

SCORER = "selfcheck-nli"
NLI = "potsawee/deberta-v3-large-mnli"
"""What the experiment scored with (methods 1)."""
THRESHOLD = 0.5
QUESTIONS = "proposed_questions"
ANSWERS = ("prompts_with_hallucination", "prompts_with_no_hallucination")
STORED_METRICS = {
    "curiosity": "curiosity_score",
    "awareness": "knowledge_limit_awareness_score",
    "brevity": "brevity_coefficient",
    "slc": "self_learning_capability_score",
}
"""Our names of the metrics and the file's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One answered question. `scores`: in [0, 1] or None, one per sentence; `score`: their mean, or None."""

    prompt: str
    topics: str
    passage: str
    sentences: tuple[str, ...]
    samples: tuple[str, ...]
    scores: tuple[float | None, ...]
    score: float | None


@dataclass(frozen=True)
class Experiment:
    """A result file.

    Attributes:
        model: what was asked; None for the baseline that echoes its prompt.
        published: the stored metrics by our names; one that is not in the file is left out.
        questions: as proposed, in order, repeats included.
        labels: the cluster of every proposed question, -1 for an outlier; None if the file has none.
        entries: the answer to every proposed question, None where the file has no usable one.
        hallucinated: how many answers the file has in its list of those above the threshold.
        problems: (place in the file, what is wrong there) of what could not be used.
    """

    model: str | None
    published: dict[str, float]
    questions: tuple[str, ...]
    labels: tuple[int, ...] | None
    entries: tuple[Entry | None, ...]
    hallucinated: int
    problems: tuple[tuple[str, str], ...]

    def recipe(self) -> dict[str, Any]:
        """The settings that the file was made with, as far as it tells."""
        return {
            "model": {"path": self.model or "baseline"},
            "nli": {"path": NLI},
            "probe": {
                "ask": [{"method": "external", "count": len(self.questions)}],
                "samples": min(100, max((len(e.samples) for e in self.entries if e), default=10) or 1),
                "scorer": SCORER,
                "threshold": THRESHOLD,
            },
        }


def is_experiment(data: object) -> bool:
    """Whether plain data has the keys of a result file."""
    return isinstance(data, dict) and all(key in data for key in (QUESTIONS, *ANSWERS))


def read_experiment(data: Mapping[str, Any]) -> Experiment:
    """Checks plain data (see `is_experiment`); answers that cannot be used become `problems`.

    Raises:
        MalformedError: the questions themselves cannot be used, or numbers that belong to the whole file.
    """
    proposed = data[QUESTIONS]
    if not isinstance(proposed, list) or not proposed:
        raise MalformedError(f"{QUESTIONS}: must be a list of texts, found {shown(proposed)}")
    questions = tuple(text_of(text, f"{QUESTIONS}[{i}]") for i, text in enumerate(proposed))
    model = data.get("pretrained_model_name")
    if model is not None and not (isinstance(model, str) and model.strip()):
        raise MalformedError(f"pretrained_model_name: must be text or nothing, found {shown(model)}")
    problems: list[tuple[str, str]] = []
    lists = [list(_entries(data[name], name, problems)) for name in ANSWERS]
    answered, left = _in_order(questions, *lists)
    problems += [("", f"an answer to a question that was not proposed: {shown(e.prompt)}") for e in left]
    return Experiment(
        model=model and text_of(model, "pretrained_model_name"),
        published={
            name: _number(data[key], key) for name, key in STORED_METRICS.items() if data.get(key) is not None
        },
        questions=questions,
        labels=_labels(data.get("proposed_questions_labels"), len(questions)),
        entries=tuple(answered),
        hallucinated=len(data[ANSWERS[0]]),
        problems=tuple(problems),
    )


def records(experiment: Experiment, method: QuestionMethod) -> Iterator[Record]:
    """Proposal, Question, Answer, Score and Failure records; equal proposals share a question."""
    known: set[str] = set()
    ids = _question_ids(experiment)
    for index, (words, entry) in enumerate(zip(experiment.questions, experiment.entries, strict=True)):
        question = Question(id=ids[index], text=words, topic=entry.topics if entry else "", method=method)
        yield Proposal(ask=0, index=index, method=method, text=words, question_id=question.id)
        if question.id in known:
            continue
        known.add(question.id)
        yield question
        if entry is None:
            message = "the file has no usable answer to this question"
            yield Failure(stage="import", item_id=question.id, message=message)
            continue
        samples = tuple(Completion(text=sample) for sample in entry.samples)
        yield Answer(question_id=question.id, passage=Completion(text=entry.passage), samples=samples)
        yield from _scored(question, entry)
    for place, problem in experiment.problems:
        yield Failure(stage="import", item_id=place or "answers", message=problem)


def _question_ids(experiment: Experiment) -> list[str]:
    """Of every proposal: the text's own id for its first answer, another one for each answer that differs."""
    found: dict[tuple[str, Entry | None], str] = {}
    texts: set[str] = set()
    for index, (words, entry) in enumerate(zip(experiment.questions, experiment.entries, strict=True)):
        if (words, entry) not in found:
            again = digest("proposal", str(index), words)
            found[words, entry] = again if words in texts else Question(text=words).id
            texts.add(words)
    return [found[pair] for pair in zip(experiment.questions, experiment.entries, strict=True)]


def stored(experiment: Experiment) -> dict[str, Any]:
    """What goes into `imported.json`: counts, stored values, and metrics computed from the stored values.

    given = imported + duplicates + failed, counted in proposed questions: `duplicates` repeat an earlier one,
    answer and score included; `failed` have no usable answer.
    """
    distinct = set(zip(experiment.questions, experiment.entries, strict=True))
    failed = sum(entry is None for _, entry in distinct)
    return {
        "given": len(experiment.questions),
        "imported": len(distinct) - failed,
        "duplicates": len(experiment.questions) - len(distinct),
        "failed": failed,
        "published": experiment.published,
        "from_stored_values": from_stored_values(experiment),
        "scores": [entry and entry.score for entry in experiment.entries],
        "labels": experiment.labels and list(experiment.labels),
    }


def from_stored_values(experiment: Experiment) -> dict[str, float]:
    """The metrics of methods 1 from the lists and labels in the file, over all proposals.

    Awareness is |Q_H| / N: an answer without a score is in N, as it is in the published figures.  Curiosity,
    and with it SLC, only where the file has labels.
    """
    count = len(experiment.questions)
    found = {
        "brevity": capability.brevity(experiment.questions),
        "awareness": min(1.0, experiment.hallucinated / count),
    }
    if experiment.labels is not None:
        found["curiosity"] = capability.curiosity(np.array(experiment.labels, dtype=np.int64))
        found["slc"] = capability.slc(found["curiosity"], found["awareness"], found["brevity"])
    return found


def _scored(question: Question, entry: Entry) -> Iterator[Record]:
    sentences = tuple(
        SentenceScore(text=text, value=value, per_sample=())
        for text, value in zip(entry.sentences, entry.scores, strict=True)
        if value is not None
    )
    error = None if entry.score is not None else "the file has no score"
    yield Score(question_id=question.id, scorer=SCORER, value=entry.score, sentences=sentences, error=error)
    if error:
        yield Failure(stage="import", item_id=question.id, message=f"no {SCORER} score: {error}")


def _entries(raw: object, name: str, problems: list[tuple[str, str]]) -> Iterator[Entry]:
    if not isinstance(raw, list):
        raise MalformedError(f"{name}: must be a list, found {shown(raw)}")
    for i, item in enumerate(raw):
        try:
            yield _entry(item)
        except MalformedError as error:
            problems.append((f"{name}[{i}]", str(error)))


def _entry(item: object) -> Entry:
    if not isinstance(item, dict):
        raise MalformedError(f"must be an object, found {shown(item)}")
    topics = item.get("topics") or ""
    sentences = _texts(item, "passage_sentences")
    scores = _list(item, "sentence_scores")
    if len(sentences) != len(scores):
        raise MalformedError(f"{len(sentences)} sentences have {len(scores)} scores")
    return Entry(
        prompt=text_of(item.get("prompt"), "prompt"),
        topics="; ".join(_texts(item, "topics")) if isinstance(topics, list) else text_of(topics, "topics"),
        passage=text_of(item.get("passage"), "passage"),
        sentences=sentences,
        samples=_texts(item, "samples"),
        scores=tuple(_share(score, "sentence_scores") for score in scores),
        score=_share(item.get("average_score"), "average_score"),
    )


def _list(item: Mapping[str, Any], field: str) -> list[Any]:
    value = item.get(field)
    if not isinstance(value, list):
        raise MalformedError(f"field {field!r} must be a list, found {shown(value)}")
    return value


def _texts(item: Mapping[str, Any], field: str) -> tuple[str, ...]:
    return tuple(text_of(text, field) for text in _list(item, field))


MOST_WAYS = 200
_ROUNDING = 1e-5
"""How far a mean in single precision may lie beyond 0 or 1."""


def _share(value: object, field: str) -> float | None:
    """A number in [0, 1]; None for a missing one (NaN)."""
    if value is None:
        return None
    number = _number(value, field)
    if math.isnan(number):
        return None
    if not -_ROUNDING <= number <= 1 + _ROUNDING:
        raise MalformedError(f"field {field!r} must be in [0, 1], found {number}")
    return min(max(number, 0.0), 1.0)


def _number(value: object, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedError(f"{field}: must be a number, found {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise MalformedError(f"{field}: the number is too large") from None


def _labels(raw: object, count: int) -> tuple[int, ...] | None:
    if raw is None:
        return None
    labels = raw if isinstance(raw, list) else []
    if len(labels) != count or not all(type(label) is int and -1 <= label < count for label in labels):
        raise MalformedError(
            f"proposed_questions_labels: must be {count} whole numbers from -1 to {count - 1}, "
            f"found {shown(raw)}"
        )
    return tuple(labels)


def _in_order(
    questions: Sequence[str], first: Sequence[Entry], second: Sequence[Entry]
) -> tuple[list[Entry | None], list[Entry]]:
    """The answer to each proposed question, and answers to none of them.

    Both lists are in the order of the questions, so they interleave to it; that tells which answer to a
    repeated question came first.  Where they do not (some are missing), answers of one text go in list order.
    """
    ways = _interleave(questions, [e.prompt for e in first], [e.prompt for e in second])
    if ways is not None:
        queues = iter(first), iter(second)
        return [next(queues[way]) for way in ways], []
    waiting: dict[str, deque[Entry]] = {}
    for entry in [*first, *second]:
        waiting.setdefault(entry.prompt, deque()).append(entry)
    found = [waiting[text].popleft() if waiting.get(text) else None for text in questions]
    return found, [entry for queue in waiting.values() for entry in queue]


def _interleave(merged: Sequence[str], first: Sequence[str], second: Sequence[str]) -> list[int] | None:
    """For each text of `merged` the list (0 or 1) it comes from; None if they do not interleave to it.

    None too if there are very many ways to do so, as with texts that are all equal.
    """
    if len(merged) != len(first) + len(second):
        return None
    taken: list[dict[int, int]] = [{0: -1}]  # per step: texts taken from `first` -> list of the last one
    for step, text in enumerate(merged):
        reached: dict[int, int] = {}
        for i in taken[-1]:
            if step - i < len(second) and second[step - i] == text:
                reached[i] = 1
            if i < len(first) and first[i] == text:
                reached[i + 1] = 0
        if len(reached) > MOST_WAYS:
            return None
        taken.append(reached)
    ways: list[int] = []
    i = len(first)
    for reached in reversed(taken[1:]):
        if i not in reached:
            return None
        ways.append(reached[i])
        i -= reached[i] == 0
    return ways[::-1]
