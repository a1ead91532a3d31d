"""How much a model asks for what it does not know: curiosity, awareness, brevity, SLC (methods 1).

Pure functions over the list of proposed questions, repeats included, and the scores of the answers.
Knows nothing of models that answer, runs or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from selfstudy.models.base import Embedder
from selfstudy.recipe import Ask
from selfstudy.records import Proposal, QuestionMethod
from selfstudy.run.threshold import is_inconsistent

ClusterLabels = npt.NDArray[np.int64]

FEW = 10
"""Up to this many literally distinct questions are counted; more are clustered (methods 1)."""

CLUSTERED_AT_MOST = 5_000
"""Above this a seeded sample is clustered: HDBSCAN is quadratic in time and memory (10,000: 9 s, 1.8 GB).

Curiosity of a sample tends to be higher than that of the whole, as its points lie farther apart.
"""

OUTLIER = -1


@dataclass(frozen=True)
class Capability:
    """Self-learning capability (Ferdinan et al. 2024, section 3.4); each metric in [0, 1], None if undefined.

    Attributes:
        questions: N, proposed questions with repeats; proposals that failed are not among them.
        clustered: how many questions curiosity was computed from: N, or a seeded sample of it.
    """

    questions: int
    clustered: int
    curiosity: float | None
    awareness: float | None
    brevity: float | None
    slc: float | None


SELF_ASKED: tuple[QuestionMethod, ...] = ("open", "induced", "oracle", "external")
"""Ways of asking in which the model thinks of its questions itself; of `documents` the text does."""


def proposed_by_model(proposals: Iterable[Proposal], asks: Sequence[Ask]) -> Iterator[Proposal]:
    """Those of `proposals` that the metrics are of: open, induced, oracle and external ones.

    Questions from outside (`questions: true`) were proposed by somebody else, and say nothing of the model.

    Args:
        asks: the recipe's, by their position.
    """
    given = {number for number, ask in enumerate(asks) if ask.method == "external" and ask.questions}
    return (p for p in proposals if p.method in SELF_ASKED and p.ask not in given)


def brevity(questions: Sequence[str]) -> float:
    """1 where questions have about 100 characters, 0 where they are off by 100 on average.

    d = mean |characters - 100|; d <= 50 -> 1, d >= 100 -> 0, else 1.5 - d / 100.

    Raises:
        ValueError: there are no questions.
    """
    if not questions:
        raise ValueError("brevity of no questions is undefined")
    distance = sum(abs(len(question) - 100) for question in questions) / len(questions)
    if distance <= 50:
        return 1.0
    return 0.0 if distance >= 100 else 1.5 - distance / 100


def curiosity(labels: ClusterLabels) -> float:
    """(clusters + outliers) / N of cluster labels, shape (N,), N > 0; OUTLIER marks an outlier."""
    outliers = int((labels == OUTLIER).sum())
    clusters = len(np.unique(labels[labels != OUTLIER]))
    return (clusters + outliers) / len(labels)


def awareness(values: Sequence[float], threshold: float) -> float:
    """Knowledge-limit awareness: the share of hallucination scores above `threshold`; `values` not empty."""
    return sum(is_inconsistent(value, threshold) for value in values) / len(values)


def slc(curiosity: float, awareness: float, brevity: float) -> float:
    """Self-learning capability: brevity * (curiosity + awareness) / 2, in [0, 1]."""
    return brevity * (curiosity + awareness) / 2


def cluster_labels(questions: Sequence[str], embedder: Embedder) -> ClusterLabels:
    """Cluster labels, shape (N,), whose `curiosity` is that of methods 1.

    More than 10 literally distinct questions: HDBSCAN over the embeddings of all of them, repeats included.
    Otherwise every distinct text is a cluster of its own, which makes curiosity distinct / N.

    Repeats have distance 0 to each other, so HDBSCAN breaks ties between them by their order: copies of one
    text may land inside and outside a cluster (they do in the published baseline result).  Equal texts get
    equal vectors here, so at least the batch in which they were embedded changes nothing.
    """
    row = {text: number for number, text in enumerate(dict.fromkeys(questions))}
    where = np.array([row[text] for text in questions], dtype=np.int64)
    if len(row) <= FEW:
        return where
    from sklearn.cluster import HDBSCAN

    # the hdbscan package's min_samples=5 leaves the point itself out, scikit-learn counts it
    hdbscan = HDBSCAN(
        min_cluster_size=5,
        min_samples=6,
        cluster_selection_method="leaf",
        allow_single_cluster=True,
        algorithm="brute",  # same clusters; in hundreds of dimensions trees are over ten times slower
        copy=True,
    )
    vectors = np.asarray(embedder.encode(list(row)), dtype=np.float64)
    return np.asarray(hdbscan.fit_predict(vectors[where]), dtype=np.int64)


def self_learning_capability(
    proposals: Iterable[Proposal],
    scores: Mapping[str, float | None],
    embedder: Embedder,
    threshold: float,
    *,
    seed: int = 0,
    limit: int = CLUSTERED_AT_MOST,
    of_all: bool = False,
) -> Capability:
    """The metrics of methods 1 over all `proposals`, a repeated one as often as it was proposed.

    Args:
        proposals: what the model proposed (`proposed_by_model`), or some of that; failures
            are not questions and do not count.  They are gone through once, and only texts are kept.
        scores: by question id, of one scorer; awareness leaves out questions without a value.
        threshold: a score above it is inconsistent (Q_H).
        seed: draws the sample where more than `limit` questions would be clustered.
        of_all: awareness as it was published, |Q_H| / N: questions without a value are in N as well.
    """
    texts: list[str] = []
    known: list[float] = []
    for proposal in proposals:
        if proposal.question_id is not None:
            texts.append(proposal.text)
            if (value := scores.get(proposal.question_id)) is not None:
                known.append(value)

    some = texts
    if len(texts) > limit:
        drawn = np.random.default_rng(seed).choice(len(texts), limit, replace=False)
        some = [texts[i] for i in np.sort(drawn)]

    curious = curiosity(cluster_labels(some, embedder)) if texts else None
    aware = awareness(known, threshold) if known else None
    if of_all and aware is not None:
        aware *= len(known) / len(texts)
    brief = brevity(texts) if texts else None
    both = None if curious is None or aware is None or brief is None else slc(curious, aware, brief)
    return Capability(
        questions=len(texts),
        clustered=len(some),
        curiosity=curious,
        awareness=aware,
        brevity=brief,
        slc=both,
    )
