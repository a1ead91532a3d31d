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
from selfstudy.models.nearest_questions import Ints, Pairs, Sought, StoredQuestions
from selfstudy.models.question_words import Float32s, QuestionWords, Worded, names, words
from selfstudy.models.router import Router, class_scores, embedded, fingerprint, frame, numbered
from selfstudy.models.router_file import RouterData
from selfstudy.prompts import Prompts
from selfstudy.recipe import EmbedderBlock, RouterBlock
from selfstudy.teach import router_settings as settings
from selfstudy.teach.router_settings import RouterSetting, Scores, Trials

T = TypeVar("T")
WordedQuestions = Sequence[tuple[str, str]]
"""(question id, wording)s."""

OPTIONS = tuple(product((0.7, 0.6, 0.8, 0.5, 0.9, 1.0), (True, False)))
MARGINS = (0.05, 0.02, 0.1, 0.0, 0.2)
"""What is tried of cover and names, and of the margin; of equals the first."""
MOST_HELD_OUT, MOST_NEAR, MOST_CALIBRATING = 3000, 1500, 5000
SHORTEST = 300
"""Characters that a text may have at least to be routed; else three times the longest stored question."""


def build(
    taught: Mapping[str, WordedQuestions],
    known: WordedQuestions,
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
    if block.method == "nearest":
        vectors, trials = lesson.vectors, lesson.nearest(asked, block.neighbours, seed)
    else:
        vectors, trials = lesson.by_class(block.method, asked, seed)
    found = settings.chosen(_settings(block), trials, block.false_activation, len(adapters))
    around, page = frame(prompts or Prompts())
    data = RouterData(
        method=block.method,
        neighbours=block.neighbours,
        embedder=embedder_block,
        fingerprint=fingerprint(embedder),
        dimension=lesson.vectors.shape[1],
        around=around,
        page=page,
        adapters=adapters,
        thresholds={name: float(one) for name, one in zip(adapters, found.thresholds, strict=True)},
        margin=found.setting.margin,
        cover=found.setting.cover,
        names=found.setting.names,
        longest=max(SHORTEST, 3 * max(map(len, lesson.texts), default=0)),
        figures=settings.figures(found, len(negatives), trials(found.setting), block.false_activation),
    )
    return Router(lesson.stored_in(data) if block.method == "nearest" else data, vectors, embedder)


def _settings(block: RouterBlock) -> list[RouterSetting]:
    """What is tried for a method; only `nearest` knows words, and probabilities add up to 1."""
    options = OPTIONS if block.method == "nearest" else ((0.0, False),)
    margins = (0.0,) if block.method == "classifier" else MARGINS
    return [RouterSetting(cover, named, margin) for (cover, named), margin in product(options, margins)]


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
    vectors: Float32s
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

    def stored_in(self, data: RouterData) -> RouterData:
        """With these questions, by which `nearest` routes."""
        words, questions = numbered(self.asked)
        rows = tuple(self.question.tolist())
        return data.model_copy(update={"words": words, "questions": questions, "rows": rows})

    @property
    def owner(self) -> Ints:
        """The class of each question."""
        return np.array([0 if one is None else one + 1 for _, one, _ in self.asked], dtype=np.int64)

    def nearest(self, negatives: Sought, neighbours: int, seed: int) -> Callable[[RouterSetting], Trials]:
        """What `nearest` makes of the evidence, by setting."""
        stored = StoredQuestions(
            self.vectors, self.question, self.owner, QuestionWords([w for _, _, w in self.asked])
        )
        mine = np.flatnonzero(self.owner[self.question] > 0)
        several = [at for at in mine.tolist() if len(self.wordings[self.question[at]]) > 1]
        held = np.array(_sample(several, MOST_HELD_OUT, seed, "held out"), dtype=np.int64)
        near = np.array(_sample(mine.tolist(), MOST_NEAR, seed, "near"), dtype=np.int64)
        least = min(cover for cover, _ in OPTIONS)
        negative_pairs = stored.pairs(negatives, least)
        held_pairs = self._held_out(stored, held, least)
        near_pairs, texts = self._near(stored, near, least)

        def scored(pairs: Pairs, count: int, setting: RouterSetting) -> Scores:
            passing = pairs.passing(setting.cover, names=setting.names)
            return Scores.of(stored.scores(passing, count, self.classes, neighbours)[0])

        def evidence(setting: RouterSetting) -> Trials:
            return Trials(
                scored(negative_pairs, len(negatives.words), setting),
                scored(held_pairs, len(held), setting),
                self.owner[self.question[held]] - 1,
                scored(near_pairs, texts, setting),
            )

        return evidence

    def _held_out(self, stored: StoredQuestions, rows: Ints, least: float) -> Pairs:
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

    def _near(self, stored: StoredQuestions, rows: Ints, least: float) -> tuple[Pairs, int]:
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
    ) -> tuple[Float32s, Callable[[RouterSetting], Trials]]:
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

        def evidence(setting: RouterSetting) -> Trials:
            return Trials(
                Scores.of(class_scores(method, partial, negatives.vectors)),
                Scores.of(class_scores(method, partial, self.vectors[mine])),
                owner[mine] - 1,
                Scores.of(np.zeros((0, self.classes), dtype=np.float32)),
            )

        return whole, evidence


def _rows_of(
    method: str, vectors: Float32s, owner: Ints, spare: Float32s, classes: int, seed: int
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


def _grouped(wordings: WordedQuestions) -> dict[str, list[str]]:
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
