"""Makes and calibrates the router of `deploy: dynamic` (models/router.py), as a pure function of questions.

A part of the known questions stands for the base model; the rest, and questions that have to do with
nothing, calibrate: at most `false_activation` of these may activate any adapter.  With few of them the bound
is that of Wilson's interval, so that a handful proves nothing (methods-more J).  Among the settings that keep
it, the one is taken that covers most taught questions in a wording that is not stored, less what it answers
wrongly: each wording in turn is held out, row, words and all; and each question is asked with all that shares
its rarest word left out, as one about another thing of the same kind would be.

Knows nothing of models that answer, nor of training.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from selfstudy.errors import RecipeError
from selfstudy.models.base import Embedder
from selfstudy.models.nearest_questions import DIGITS, Ints, Pairs, Sought, Stored
from selfstudy.models.question_words import Bools, Floats, QuestionWords, Worded, names, words
from selfstudy.models.router import Router, class_scores, embedded, fingerprint, frame, numbered
from selfstudy.models.router_file import RouterData
from selfstudy.prompts import Prompts
from selfstudy.recipe import EmbedderBlock, RouterBlock
from selfstudy.stats import wilson

T = TypeVar("T")
Wordings = Sequence[tuple[str, str]]
"""(question id, wording)s."""
Scored = Callable[["Setting"], "Scores"]

COVERS = (0.7, 0.6, 0.8, 0.5, 0.9, 1.0)
MARGINS = (0.05, 0.02, 0.1, 0.0, 0.2)
"""What is tried; of equals the first."""
MOST_HELD_OUT, MOST_NEAR, MOST_CALIBRATING = 3000, 1500, 5000
SLACK = 0.5
"""Of the lowest similarity of a held-out wording: at all of it, questions in wordings of another kind than
the trained ones were lost (6% were left of them where all could be had)."""
UNTESTED = 0.4
"""Threshold of an adapter of whose questions none has a second wording, at least."""
SHORTEST = 300
"""Characters that a text may have at least to be routed; else three times the longest stored question."""


@dataclass(frozen=True)
class Setting:
    """What is chosen: see `RouterData`."""

    cover: float
    names: bool
    margin: float


@dataclass(frozen=True)
class Scores:
    """Of some texts: the best adapter of each (a number), its score, the base model's score."""

    best: Ints
    score: Floats
    base: Floats

    @classmethod
    def of(cls, scores: Floats) -> Scores:
        """From (texts, classes), the base first; of equal adapters the last."""
        own = scores[:, 1:]
        if not own.shape[1]:  # then nothing may activate
            own = np.zeros_like(scores)
        best = own.shape[1] - 1 - np.argmax(own[:, ::-1], axis=1)
        return cls(best, own[np.arange(len(own)), best], scores[:, 0])

    def clear(self, margin: float) -> Bools:
        """Which exceed the base by the margin."""
        ahead = np.round(self.score - self.base, DIGITS) >= margin - 10.0**-DIGITS / 2
        return (self.score > 0) & (self.score > self.base) & ahead


@dataclass(frozen=True)
class Evidence:
    """What the settings are chosen by.

    Attributes:
        negatives: known and unrelated questions.
        held_out: taught wordings that are not stored, whose adapter is `owner`.
        near: questions about what was not taught.
    """

    negatives: Scores
    held_out: Scores
    owner: Ints
    near: Scores


@dataclass(frozen=True)
class Choice:
    """A setting with its thresholds, and what it does to the evidence, as shares."""

    setting: Setting
    thresholds: Floats
    false: int
    covered: float
    wrong: float
    near: float

    @property
    def value(self) -> float:
        return self.covered - self.wrong - self.near


def build(
    taught: Mapping[str, Wordings],
    known: Wordings,
    unrelated: Sequence[str],
    block: RouterBlock,
    embedder: Embedder,
    embedder_block: EmbedderBlock,
    seed: int,
    prompts: Prompts | None = None,
) -> Router:
    """The router over adapters.

    Args:
        taught: by name of an adapter, the oldest first: what it was taught, in all trained wordings.
        known: questions that the base model knows, in any number of wordings.
        unrelated: questions that have to do with nothing that is taught.
        embedder_block: of `embedder`, for who loads the router.
        prompts: what is put around questions; None: the built-in ones.

    Raises:
        RecipeError: the method `classifier` has no question to tell the adapters' from.
    """
    adapters = tuple(taught)
    own = [(at, name, some) for at, one in enumerate(taught.values()) for name, some in _grouped(one).items()]
    base, calibrating = _divided(_grouped(known), block.calibration, seed)
    negatives = _sample([*calibrating, *_unique(unrelated)], MOST_CALIBRATING, seed, "calibrate")
    lesson = _Lesson.of([*((None, name, some) for name, some in base), *own], len(adapters), embedder)
    asked = Sought.of(negatives, embedded(embedder, negatives))
    around, page = frame(prompts or Prompts())
    if block.method == "nearest":
        evidence, options = (
            lesson.nearest(asked, block.neighbours, seed),
            list(product(COVERS, (True, False))),
        )
        vectors = lesson.vectors
    else:
        vectors, evidence = lesson.by_class(block.method, asked, seed)
        options = [(0.0, False)]
    margins = MARGINS if block.method != "classifier" else (0.0,)
    settings = [Setting(cover, named, margin) for (cover, named), margin in product(options, margins)]
    choice = _chosen(settings, evidence, block.false_activation, len(adapters))
    stored_words, questions = numbered(lesson.asked)
    longest = max((len(text) for text in lesson.texts), default=0)
    data = RouterData(
        method=block.method,
        neighbours=block.neighbours,
        embedder=embedder_block,
        fingerprint=fingerprint(embedder),
        dimension=lesson.vectors.shape[1],
        around=around,
        page=page,
        adapters=adapters,
        thresholds={name: float(one) for name, one in zip(adapters, choice.thresholds, strict=True)},
        margin=choice.setting.margin,
        cover=choice.setting.cover,
        names=choice.setting.names,
        longest=max(SHORTEST, 3 * longest),
        words=stored_words if block.method == "nearest" else (),
        questions=questions if block.method == "nearest" else (),
        rows=tuple(lesson.question.tolist()) if block.method == "nearest" else (),
        figures=_figures(choice, len(negatives), evidence(choice.setting), block.false_activation),
    )
    return Router(data, vectors, embedder)


@dataclass(frozen=True)
class _Lesson:
    """All stored questions, embedded.

    Attributes:
        asked: (id, adapter or None, words) of each question; `wordings`: its texts.
        texts, vectors, question: of each row.
    """

    asked: list[tuple[str, int | None, Worded]]
    wordings: list[list[str]]
    texts: list[str]
    vectors: Floats
    question: Ints
    classes: int

    @classmethod
    def of(
        cls, questions: Sequence[tuple[int | None, str, list[str]]], adapters: int, embedder: Embedder
    ) -> _Lesson:
        texts = [text for _, _, some in questions for text in some]
        rows = [at for at, (_, _, some) in enumerate(questions) for _ in some]
        return cls(
            [(name, adapter, Worded.of(some)) for adapter, name, some in questions],
            [some for _, _, some in questions],
            texts,
            embedded(embedder, texts),
            np.array(rows, dtype=np.int64),
            adapters + 1,
        )

    @property
    def owner(self) -> Ints:
        """The class of each question."""
        return np.array([0 if one is None else one + 1 for _, one, _ in self.asked], dtype=np.int64)

    def nearest(self, negatives: Sought, neighbours: int, seed: int) -> Callable[[Setting], Evidence]:
        """What `nearest` makes of the evidence, by setting."""
        stored = Stored(self.vectors, self.question, self.owner, QuestionWords([w for _, _, w in self.asked]))
        mine = np.flatnonzero(self.owner[self.question] > 0)
        several = [at for at in mine.tolist() if len(self.wordings[self.question[at]]) > 1]
        held = np.array(_sample(several, MOST_HELD_OUT, seed, "held out"), dtype=np.int64)
        near = np.array(_sample(mine.tolist(), MOST_NEAR, seed, "near"), dtype=np.int64)
        least = min(COVERS)
        negative_pairs = stored.pairs(negatives, least)
        held_pairs = self._held_out(stored, held, least)
        near_pairs, texts = self._near(stored, near, least)

        def scored(pairs: Pairs, count: int, setting: Setting) -> Scores:
            passing = pairs.passing(setting.cover, names=setting.names)
            return Scores.of(stored.scores(passing, count, self.classes, neighbours)[0])

        def evidence(setting: Setting) -> Evidence:
            return Evidence(
                scored(negative_pairs, len(negatives.words), setting),
                scored(held_pairs, len(held), setting),
                self.owner[self.question[held]] - 1,
                scored(near_pairs, texts, setting),
            )

        return evidence

    def _held_out(self, stored: Stored, rows: Ints, least: float) -> Pairs:
        """Each of these rows as a text, and what is stored without it: neither its row nor its words."""
        texts = [self.texts[at] for at in rows]
        sought = Sought.of(texts, self.vectors[rows])
        pairs = stored.pairs(sought, least)
        pairs = pairs.where(rows[pairs.text] != pairs.row)
        cover, foreign = pairs.cover.copy(), pairs.foreign.copy()
        own = self.question[rows]
        for at in np.flatnonzero(self.question[pairs.row] == own[pairs.text]):
            place = pairs.text[at]
            others = Worded.of([one for one in self.wordings[own[place]] if one != texts[place]])
            cover[at] = stored.words.cover(sought.words[place], others)
            unknown = sought.names[place] - others.all
            foreign[at] = any(map(stored.words.is_rare, unknown))
        return Pairs(pairs.text, pairs.row, pairs.similarity, cover, foreign)

    def _near(self, stored: Stored, rows: Ints, least: float) -> tuple[Pairs, int]:
        """Each of these rows as a text, as it is and without capitals, and what is stored about other things:
        without all questions that have the rarest word of its own."""
        texts = [self.texts[at] for at in rows]
        both = Sought(
            np.concatenate([self.vectors[rows]] * 2),
            [words(one) for one in texts] * 2,
            [*map(names, texts), *(names(one.lower()) for one in texts)],
        )
        pairs = stored.pairs(both, least)
        own = np.concatenate([self.question[rows]] * 2)
        kept = np.ones(len(pairs.text), dtype=bool)
        about = {at: set(stored.words.having(stored.words.rarest(at)).tolist()) for at in set(own.tolist())}
        for at, (text, row) in enumerate(zip(pairs.text.tolist(), pairs.row.tolist(), strict=True)):
            question = int(self.question[row])
            kept[at] = question != own[text] and question not in about[int(own[text])]
        return pairs.where(kept), 2 * len(texts)

    def by_class(
        self, method: str, negatives: Sought, seed: int
    ) -> tuple[Floats, Callable[[Setting], Evidence]]:
        """The rows of a method that knows classes alone, and its evidence: one wording of each question of
        several is held out of the rows that it is scored with."""
        rng = random.Random(f"{seed}:one wording")
        held: list[int] = []
        for at, some in enumerate(self.wordings):
            if len(some) > 1:
                held.append(int(rng.choice(np.flatnonzero(self.question == at).tolist())))
        kept = np.setdiff1d(np.arange(len(self.texts)), held)
        owner = self.owner[self.question]
        mine = np.array([at for at in held if owner[at] > 0], dtype=np.int64)
        spare = negatives.vectors
        whole = _rows_of(method, self.vectors, owner, spare, self.classes, seed)
        partial = _rows_of(method, self.vectors[kept], owner[kept], spare, self.classes, seed)

        def evidence(setting: Setting) -> Evidence:
            return Evidence(
                Scores.of(class_scores(method, partial, negatives.vectors)),
                Scores.of(class_scores(method, partial, self.vectors[mine])),
                owner[mine] - 1,
                Scores.of(np.zeros((0, self.classes), dtype=np.float32)),
            )

        return whole, evidence


def _rows_of(
    method: str, vectors: Floats, owner: Ints, spare: Floats, classes: int, seed: int
) -> npt.NDArray[np.float32]:
    """A row for the base and each adapter: (classes, dimension), of a classifier with its bias behind.

    Args:
        spare: vectors that stand for the base where nothing else does.
    """
    if method == "centroid":
        found = np.stack([vectors[owner == at].sum(axis=0) for at in range(classes)])
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9))
    if not (owner == 0).any():
        vectors = np.concatenate([vectors, spare])
        owner = np.concatenate([owner, np.zeros(len(spare), dtype=np.int64)])
    present = sorted(set(owner.tolist()))
    if 0 not in present or len(present) < 2:
        raise RecipeError(
            "deploy.router.method = classifier: there is no known question to tell those of adapters from",
            "take the method nearest, or probe until something is known",
        )
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000, random_state=seed)
    model.fit(vectors.astype(np.float64), owner)
    weights = np.hstack([model.coef_, model.intercept_[:, None]])
    if len(weights) < len(present):  # two classes have one row
        weights = np.concatenate([np.zeros_like(weights), weights])
    found = np.zeros((classes, weights.shape[1]), dtype=np.float32)
    found[:, -1] = -1e4  # of an adapter without a question
    found[present] = weights
    return found


def _chosen(
    settings: Sequence[Setting], evidence: Callable[[Setting], Evidence], bound: float, adapters: int
) -> Choice:
    """The setting of most value; of equals the first."""
    found: Choice | None = None
    seen: dict[tuple[float, bool], Evidence] = {}
    for setting in settings:
        key = (setting.cover, setting.names)
        if key not in seen:
            seen[key] = evidence(setting)
        choice = _weighed(setting, seen[key], bound, adapters)
        if found is None or choice.value > found.value + 1e-9:
            found = choice
    assert found is not None
    return found


def _weighed(setting: Setting, evidence: Evidence, bound: float, adapters: int) -> Choice:
    """A setting with its thresholds: the lowest that keep the bound, or higher ones at no cost."""
    false = evidence.negatives.clear(setting.margin)
    floor = _floor(evidence.negatives.score[false], allowed(len(false), bound))
    held = evidence.held_out
    taken = held.clear(setting.margin) & (held.score >= floor)
    right = taken & (held.best == evidence.owner)
    thresholds = np.array(
        [
            max(floor, _least(held.score[right & (evidence.owner == at)], (evidence.owner == at).any()))
            for at in range(adapters)
        ]
    )
    return Choice(
        setting,
        thresholds,
        int(_activated(evidence.negatives, thresholds, setting.margin).sum()),
        _share(right),
        _share(_activated(held, thresholds, setting.margin) & (held.best != evidence.owner)),
        _share(_activated(evidence.near, thresholds, setting.margin)),
    )


def _activated(scores: Scores, thresholds: npt.NDArray[np.float64], margin: float) -> Bools:
    if not len(thresholds):
        return np.zeros(len(scores.best), dtype=bool)
    return scores.clear(margin) & (scores.score >= thresholds[scores.best])


def _least(scores: Floats, tested: bool) -> float:
    """So far below the smallest of them as people word questions more freely than models do."""
    if not len(scores):
        return 0.0 if tested else UNTESTED
    return max(round(SLACK * float(scores.min()), DIGITS), 0.0)


def _floor(scores: Floats, most: int) -> float:
    """The lowest threshold that at most so many scores reach."""
    if len(scores) <= most:
        return 0.0
    return round(float(np.sort(scores)[::-1][most]) + 10.0**-DIGITS, DIGITS)


def allowed(count: int, bound: float) -> int:
    """How many of `count` questions may go wrong so that Wilson's interval stays below the bound; else 0."""
    most = int(bound * count)
    while most and wilson(most, count).high > bound:
        most -= 1
    return most


def _figures(
    choice: Choice, negatives: int, evidence: Evidence, bound: float
) -> dict[str, float | int | str | bool | None]:
    """What the calibration saw; "proved": whether so few of so many keep the bound by Wilson's interval."""
    upper = wilson(choice.false, negatives).high if negatives else 1.0
    tested = len(evidence.owner)
    return {
        "calibrating": negatives,
        "activated": choice.false,
        "false_activation": choice.false / negatives if negatives else None,
        "false_activation_upper": round(upper, 4),
        "bound": bound,
        "proved": upper <= bound,
        "held_out": tested,
        "covered": choice.covered if tested else None,
        "wrong_adapter": choice.wrong if tested else None,
        "near_misses": len(evidence.near.best),
        "near_miss_activation": choice.near if len(evidence.near.best) else None,
    }


def _share(which: Bools) -> float:
    return float(which.mean()) if len(which) else 0.0


def _grouped(wordings: Wordings) -> dict[str, list[str]]:
    """The wordings of each question, none empty or twice."""
    found: dict[str, list[str]] = {}
    for name, text in wordings:
        some = found.setdefault(name, [])
        if text.strip() and text not in some:
            some.append(text)
    return {name: some for name, some in found.items() if some}


def _divided(
    known: dict[str, list[str]], share: float, seed: int
) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """The questions that stand for the base, and the texts of those that calibrate."""
    order = random.Random(f"{seed}:router").sample(sorted(known), len(known))
    cut = round(share * len(order))
    return [(name, known[name]) for name in order[cut:]], [t for name in order[:cut] for t in known[name]]


def _sample(items: Sequence[T], most: int, seed: int, use: str) -> list[T]:
    return list(items) if len(items) <= most else random.Random(f"{seed}:{use}").sample(list(items), most)


def _unique(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text.strip()]
