"""How atlas-lm is trained: settings, and nine legs with their mixtures of tasks.  Data alone.

What each leg is for, and what was measured after it: docs/decisions/0004-atlas-lm.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Settings:
    """Everything the weights depend on."""

    seed: int = 0
    batch_tokens: int = 4096
    learning_rate: float = 5e-3
    embedding_rate: float = 1e-3
    """Of the embeddings alone.  At the rate of the matrices all names drift the same way, until what tells
    one from another is small beside what they share, and copying is learned late or never."""
    embedding_scale: float = 0.1
    """Standard deviation of fresh embeddings, for the same reason (the usual 0.02 drowns)."""
    weight_decay: float = 0.05
    warmup: int = 60
    """Steps."""
    decay: float = 0.45
    """Last share of the steps over which the rate falls to zero, linearly."""
    scale: float = 1.0
    """Multiplies the tokens of every stage."""
    ignorance: bool = True
    """False leaves out all practice in not knowing (the ablation of the model card)."""


@dataclass(frozen=True)
class Stage:
    """Part of the training: how many (padded) tokens, and how often each task is drawn."""

    tokens: float
    mix: dict[str, float]
    fresh: float = 0.0
    """Share of the ignorance samples whose names get a fresh vector each: see `FreshNames`."""


PLAN = (
    # Copying comes first: without it a model this small does not learn to read (a prototype showed).
    Stage(
        1.4e6,
        {"repeat": 0.5, "short_reading": 0.3, "closed_book": 0.1, "reword": 0.1},
    ),
    Stage(
        5.6e6,
        {
            "closed_book": 0.34,
            "ignorance": 0.05,
            "pages": 0.05,
            "repeat": 0.02,
            "kinds": 0.05,
            "short_reading": 0.08,
            "reading": 0.08,
            "cite": 0.08,
            "question_open": 0.03,
            "question_induced": 0.03,
            "question_document": 0.04,
            "topics": 0.02,
            "reword": 0.03,
            "missing": 0.04,
            "tutor": 0.02,
            "grade": 0.02,
            "support": 0.02,
        },
    ),
    # Then the skills that come late: asking, citing, judging.
    Stage(
        7.6e6,
        {
            "closed_book": 0.24,
            "ignorance": 0.04,
            "pages": 0.03,
            "kinds": 0.03,
            "short_reading": 0.04,
            "reading": 0.12,
            "cite": 0.16,
            "question_open": 0.05,
            "question_induced": 0.05,
            "question_document": 0.05,
            "topics": 0.04,
            "reword": 0.03,
            "missing": 0.06,
            "tutor": 0.01,
            "grade": 0.02,
            "support": 0.03,
        },
    ),
)


# What comes after, each leg from the weights that the one before it saved.
NUMBERS = (
    # Telling which document a name is in clicks suddenly, and only when there is much of it at a high rate.
    Stage(1.2e6, {"numbers": 0.5, "cite": 0.3, "closed_book": 0.1, "repeat": 0.1}),
)
LATE = (
    Stage(
        3.2e6,
        {
            "closed_book": 0.16,
            "ignorance": 0.07,
            "pages": 0.03,
            "kinds": 0.02,
            "repeat": 0.02,
            "short_reading": 0.03,
            "reading": 0.13,
            "numbers": 0.03,
            "cite": 0.22,
            "question_open": 0.03,
            "question_induced": 0.03,
            "question_document": 0.03,
            "topics": 0.03,
            "reword": 0.04,
            "missing": 0.05,
            "tutor": 0.01,
            "grade": 0.03,
            "support": 0.05,
        },
    ),
)

POLISH = (
    Stage(
        1.3e6,
        {
            "closed_book": 0.16,
            "ignorance": 0.14,
            "pages": 0.02,
            "kinds": 0.02,
            "short_reading": 0.02,
            "reading": 0.10,
            "numbers": 0.03,
            "cite": 0.30,
            "question_open": 0.03,
            "question_induced": 0.02,
            "question_document": 0.03,
            "topics": 0.05,
            "reword": 0.04,
            "missing": 0.03,
            "tutor": 0.01,
            "grade": 0.03,
            "support": 0.02,
        },
    ),
)
# The longer it has learned, the more surely it guesses about names of which it was never told anything.
UNSURE = (
    Stage(
        1.3e6,
        {
            "closed_book": 0.20,
            "ignorance": 0.24,
            "pages": 0.02,
            "short_reading": 0.02,
            "reading": 0.12,
            "numbers": 0.02,
            "cite": 0.18,
            "question_open": 0.03,
            "question_induced": 0.02,
            "question_document": 0.04,
            "topics": 0.03,
            "reword": 0.05,
            "missing": 0.04,
            "tutor": 0.01,
            "grade": 0.03,
            "support": 0.02,
        },
        fresh=0.7,
    ),
)
# What it was taught it may be sure of again.
SURE = (
    Stage(
        1.4e6,
        {
            "closed_book": 0.48,
            "ignorance": 0.10,
            "pages": 0.02,
            "short_reading": 0.01,
            "reading": 0.11,
            "numbers": 0.01,
            "cite": 0.10,
            "question_open": 0.03,
            "question_induced": 0.02,
            "question_document": 0.03,
            "topics": 0.03,
            "reword": 0.05,
            "missing": 0.03,
            "tutor": 0.01,
            "grade": 0.03,
            "support": 0.01,
        },
        fresh=0.6,
    ),
)

# Whether two texts say the same clicks suddenly too, and judging stands on it.
COMPARING = (
    Stage(
        2.0e6,
        {"same": 0.4, "support": 0.2, "grade": 0.2, "closed_book": 0.1, "repeat": 0.05, "reading": 0.05},
    ),
)
# Then all that a judge and a tutor do, beside everything else.
JUDGING = (
    Stage(
        4.5e6,
        {
            "closed_book": 0.15,
            "ignorance": 0.07,
            "pages": 0.02,
            "short_reading": 0.02,
            "reading": 0.07,
            "numbers": 0.02,
            "cite": 0.08,
            "cite_several": 0.08,
            "survey": 0.04,
            "question_open": 0.03,
            "question_induced": 0.02,
            "question_document": 0.03,
            "topics": 0.03,
            "reword": 0.04,
            "missing": 0.07,
            "same": 0.03,
            "grade": 0.05,
            "support": 0.05,
            "rubric_rating": 0.02,
            "rubric_verdicts": 0.01,
            "compare": 0.02,
            "tutor": 0.02,
            "telling": 0.01,
            "talk": 0.02,
            "student": 0.01,
        },
        fresh=0.6,
    ),
)
# What it was taught it may be sure of again, once more.
LAST = (
    Stage(
        2.0e6,
        {
            "closed_book": 0.36,
            "ignorance": 0.10,
            "pages": 0.02,
            "short_reading": 0.01,
            "reading": 0.08,
            "numbers": 0.01,
            "cite": 0.07,
            "cite_several": 0.06,
            "survey": 0.02,
            "question_open": 0.03,
            "question_induced": 0.02,
            "question_document": 0.03,
            "topics": 0.03,
            "reword": 0.04,
            "missing": 0.04,
            "grade": 0.02,
            "support": 0.02,
            "rubric_rating": 0.01,
            "compare": 0.01,
            "tutor": 0.01,
            "talk": 0.01,
        },
        fresh=0.6,
    ),
)


def legs(settings: Settings) -> list[tuple[tuple[Stage, ...], Settings]]:
    """The plans of the build in order, each with its settings; UNSURE and SURE are for ignorance alone."""
    seed = settings.seed
    every = [
        (PLAN, settings),
        (NUMBERS, replace(settings, seed=seed + 1, learning_rate=4e-3, warmup=20, decay=0.1)),
        (LATE, replace(settings, seed=seed + 2, learning_rate=3e-3, embedding_rate=6e-4, decay=0.7)),
        (POLISH, replace(settings, seed=seed + 3, learning_rate=2e-3, embedding_rate=4e-4, decay=0.9)),
        (UNSURE, replace(settings, seed=seed + 4, learning_rate=2e-3, embedding_rate=4e-4, decay=0.8)),
        (SURE, replace(settings, seed=seed + 5, learning_rate=2e-3, embedding_rate=4e-4, decay=0.8)),
        (COMPARING, replace(settings, seed=seed + 6, learning_rate=4e-3, warmup=20, decay=0.1)),
        (JUDGING, replace(settings, seed=seed + 7, learning_rate=3e-3, embedding_rate=6e-4, decay=0.7)),
        (LAST, replace(settings, seed=seed + 8, learning_rate=2e-3, embedding_rate=4e-4, decay=0.8)),
    ]
    return [leg for leg in every if settings.ignorance or leg[0] not in (UNSURE, SURE)]
