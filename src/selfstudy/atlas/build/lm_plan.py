"""How atlas-lm is trained: settings, and thirteen legs with their mixtures of tasks.

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
    """False leaves out all practice in not knowing (docs/decisions/0004-atlas-lm.md has what it is worth)."""


@dataclass(frozen=True)
class Stage:
    """Part of the training: how many (padded) tokens, and by which relative weights tasks are drawn."""

    tokens: float
    mix: dict[str, float]
    fresh: float = 0.0
    """Share of the ignorance samples whose names get a fresh vector each: see `FreshNames`."""


def _mix(said: str) -> dict[str, float]:
    """Relative weights of tasks: "repeat .5, reading .3"."""
    return {task: float(weight) for task, weight in (one.split() for one in said.split(","))}


# Copying comes first: without it a model this small does not learn to read (a prototype showed); the skills
# that come late last: asking, citing, judging.
PLAN = (
    Stage(
        1.4e6,
        _mix("repeat .5, short_reading .3, closed_book .1, reword .1"),
    ),
    Stage(
        5.6e6,
        _mix(
            "closed_book .34, ignorance .05, pages .05, repeat .02, kinds .05, short_reading .08, "
            "reading .08, cite .08, question_open .03, question_induced .03, question_document .04, "
            "topics .02, reword .03, missing .04, tutor .02, grade .02, support .02"
        ),
    ),
    Stage(
        7.6e6,
        _mix(
            "closed_book .24, ignorance .04, pages .03, kinds .03, short_reading .04, reading .12, "
            "cite .16, question_open .05, question_induced .05, question_document .05, topics .04, "
            "reword .03, missing .06, tutor .01, grade .02, support .03"
        ),
    ),
)
# What comes after, each leg from the weights that the one before it saved.  Telling which document a name is
# in clicks suddenly, and only when there is much of it at a high rate.
NUMBERS = (
    Stage(
        1.2e6,
        _mix("numbers .5, cite .3, closed_book .1, repeat .1"),
    ),
)
LATE = (
    Stage(
        3.2e6,
        _mix(
            "closed_book .16, ignorance .07, pages .03, kinds .02, repeat .02, short_reading .03, "
            "reading .13, numbers .03, cite .22, question_open .03, question_induced .03, "
            "question_document .03, topics .03, reword .04, missing .05, tutor .01, grade .03, "
            "support .05"
        ),
    ),
)
POLISH = (
    Stage(
        1.3e6,
        _mix(
            "closed_book .16, ignorance .14, pages .02, kinds .02, short_reading .02, reading .1, "
            "numbers .03, cite .3, question_open .03, question_induced .02, question_document .03, "
            "topics .05, reword .04, missing .03, tutor .01, grade .03, support .02"
        ),
    ),
)
# The longer it has learned, the more surely it guesses about names of which it was never told anything.
UNSURE = (
    Stage(
        1.3e6,
        _mix(
            "closed_book .2, ignorance .24, pages .02, short_reading .02, reading .12, numbers .02, "
            "cite .18, question_open .03, question_induced .02, question_document .04, topics .03, "
            "reword .05, missing .04, tutor .01, grade .03, support .02"
        ),
        fresh=0.7,
    ),
)
# What it was taught it may be sure of again.
SURE = (
    Stage(
        1.4e6,
        _mix(
            "closed_book .48, ignorance .1, pages .02, short_reading .01, reading .11, numbers .01, "
            "cite .1, question_open .03, question_induced .02, question_document .03, topics .03, "
            "reword .05, missing .03, tutor .01, grade .03, support .01"
        ),
        fresh=0.6,
    ),
)
# Whether two texts say the same clicks suddenly too, and judging stands on it.
COMPARING = (
    Stage(
        2e6,
        _mix("same .4, support .2, grade .2, closed_book .1, repeat .05, reading .05"),
    ),
)
# Then all that a judge and a tutor do, beside everything else.
JUDGING = (
    Stage(
        4.5e6,
        _mix(
            "closed_book .15, ignorance .07, pages .02, short_reading .02, reading .07, numbers .02, "
            "cite .08, cite_several .08, survey .04, question_open .03, question_induced .02, "
            "question_document .03, topics .03, reword .04, missing .07, same .03, grade .05, "
            "support .05, rubric_rating .02, rubric_verdicts .01, compare .02, tutor .02, telling .01, "
            "talk .02, student .01"
        ),
        fresh=0.6,
    ),
)
# What it was taught it may be sure of again, once more.
SURER = (
    Stage(
        2e6,
        _mix(
            "closed_book .36, ignorance .1, pages .02, short_reading .01, reading .08, numbers .01, "
            "cite .07, cite_several .06, survey .02, question_open .03, question_induced .02, "
            "question_document .03, topics .03, reword .04, missing .04, grade .02, support .02, "
            "rubric_rating .01, compare .01, tutor .01, talk .01"
        ),
        fresh=0.6,
    ),
)
# Telling a fact that is right from one that is wrong takes longest.
EVERYTHING = (
    Stage(
        14e6,
        _mix(
            "closed_book .15, ignorance .08, pages .02, kinds .01, short_reading .02, reading .07, "
            "numbers .02, cite .08, cite_several .08, survey .03, question_open .04, "
            "question_induced .04, question_document .04, topics .03, reword .05, missing .09, "
            "same .02, grade .05, reflect .04, support .04, rubric_rating .02, rubric_verdicts .02, "
            "compare .02, tutor .01, telling .015, talk .01, student .015, attempt .015, "
            "judge_asks .01, judge_leaks .02"
        ),
        fresh=0.6,
    ),
)
LAST = (
    Stage(
        5e6,
        _mix(
            "closed_book .3, ignorance .12, pages .02, kinds .01, short_reading .01, reading .08, "
            "numbers .01, cite .07, cite_several .05, survey .02, question_open .05, "
            "question_induced .05, question_document .04, topics .04, reword .07, missing .08, "
            "grade .04, reflect .02, support .03, rubric_rating .01, rubric_verdicts .01, compare .01, "
            "tutor .01, telling .01, talk .01, student .01, attempt .01, judge_asks .005, "
            "judge_leaks .01"
        ),
        fresh=0.6,
    ),
)
# Trained so long on names of one token, it reads no others: a page about Torvania says nothing to it.
STRANGE = (
    Stage(
        0.5e6,
        _mix(
            "strange_reading .35, strange_repeat .05, closed_book .2, ignorance .08, reading .05, "
            "cite .05, cite_several .04, survey .02, question_open .03, question_induced .03, "
            "question_document .02, topics .02, reword .04, missing .06, grade .04, support .03, "
            "compare .01, rubric_verdicts .01, tutor .01, telling .01, talk .01, student .01, attempt .01"
        ),
        fresh=0.6,
    ),
)
# That cost a little of reading the others.
READING = (
    Stage(
        0.4e6,
        _mix(
            "reading .18, short_reading .04, strange_reading .12, closed_book .2, ignorance .08, "
            "cite .05, cite_several .05, survey .02, question_open .03, question_induced .03, "
            "question_document .02, topics .02, reword .05, missing .06, grade .05, support .03, "
            "compare .01, rubric_verdicts .01, tutor .01, telling .01, talk .01, student .01, attempt .01"
        ),
        fresh=0.6,
    ),
)


def legs(settings: Settings) -> list[tuple[tuple[Stage, ...], Settings]]:
    """The plans of the build in order, each with its settings; UNSURE and SURE are for ignorance alone."""

    def leg(number: int, rate: float, embedding_rate: float, decay: float) -> Settings:
        return replace(
            settings,
            seed=settings.seed + number,
            learning_rate=rate,
            embedding_rate=embedding_rate,
            decay=decay,
        )

    every = [
        (PLAN, settings),
        (NUMBERS, replace(leg(1, 4e-3, 1e-3, 0.1), warmup=20)),
        (LATE, leg(2, 3e-3, 6e-4, 0.7)),
        (POLISH, leg(3, 2e-3, 4e-4, 0.9)),
        (UNSURE, leg(4, 2e-3, 4e-4, 0.8)),
        (SURE, leg(5, 2e-3, 4e-4, 0.8)),
        (COMPARING, replace(leg(6, 4e-3, 1e-3, 0.1), warmup=20)),
        (JUDGING, leg(7, 3e-3, 6e-4, 0.7)),
        (SURER, leg(8, 2e-3, 4e-4, 0.8)),
        # these two were drawn with seeds that were used before: so were the weights that ship
        (EVERYTHING, leg(3, 3e-3, 6e-4, 0.7)),
        (LAST, leg(4, 2e-3, 4e-4, 0.9)),
        (STRANGE, leg(5, 1.5e-3, 3e-4, 0.9)),
        (READING, leg(6, 8e-4, 1.6e-4, 0.9)),
    ]
    return [one for one in every if settings.ignorance or one[0] not in (UNSURE, SURE)]


# What follows makes another model of atlas-lm, which cites and refuses in the prompts of `cite answer` and
# forgets much else: docs/decisions/0004-atlas-lm.md.

# Answers from several documents in the prompts of `cite answer`, which it follows after some hundred steps.
CITING = (
    Stage(
        1.5e6,
        _mix(
            "cited_factoid .25, cited_list .2, cited_claim .1, numbers .03, closed_book .1, ignorance .04, "
            "reading .05, strange_reading .03, cite .04, cite_several .05, missing .03, support .02, "
            "grade .02, question_document .02, reword .02"
        ),
        fresh=0.6,
    ),
)
CITING_MORE = (
    Stage(
        4e6,
        _mix(
            "cited_factoid .27, cited_list .2, cited_claim .13, numbers .01, closed_book .1, ignorance .04, "
            "reading .04, strange_reading .03, cite .02, cite_several .02, survey .01, missing .03, "
            "support .02, grade .02, question_open .01, question_induced .01, question_document .01, "
            "topics .01, reword .02"
        ),
        fresh=0.6,
    ),
)
# Lists take longest; all else comes back.
LISTS = (
    Stage(
        3e6,
        _mix(
            "cited_factoid .12, cited_list .22, cited_claim .14, numbers .01, closed_book .14, "
            "ignorance .06, pages .01, reading .05, strange_reading .03, cite .02, cite_several .02, "
            "survey .01, question_open .015, question_induced .015, question_document .015, topics .015, "
            "reword .025, missing .03, support .02, grade .03, compare .005, rubric_verdicts .005, "
            "tutor .005, telling .005, talk .005, student .005, attempt .005"
        ),
        fresh=0.6,
    ),
)
_BESIDE = (
    "reading .04, strange_reading .02, cite .01, cite_several .01, survey .01, question_open .01, "
    "question_induced .01, question_document .01, topics .01, reword .02, missing .02, support .01, "
    "grade .02, compare .005, rubric_verdicts .005, tutor .005, telling .005, talk .005, student .005, "
    "attempt .005"
)
# Which of several have a value is to lists what `numbers` is to citing: in its own leg it comes.
HOLDERS = (
    Stage(
        2.2e6,
        _mix(
            "holders .3, cited_factoid .1, cited_list .14, cited_claim .08, closed_book .1, ignorance .05, "
            f"pages .01, {_BESIDE}"
        ),
        fresh=0.6,
    ),
)
CITED = (
    Stage(
        2e6,
        _mix(
            "holders .18, cited_factoid .1, cited_list .18, cited_claim .16, closed_book .1, ignorance .05, "
            f"pages .005, {_BESIDE}"
        ),
        fresh=0.6,
    ),
)


def citing_legs(settings: Settings) -> list[tuple[tuple[Stage, ...], Settings]]:
    """The plans that follow those of `legs` for a model that cites, in order, each with its settings."""
    every = ((CITING, 0.5), (CITING_MORE, 0.6), (LISTS, 0.8), (HOLDERS, 0.6), (CITED, 0.9))
    shared = replace(settings, learning_rate=3e-3, embedding_rate=6e-4, warmup=20)
    return [
        (plan, replace(shared, seed=settings.seed + 20 + number, decay=decay))
        for number, (plan, decay) in enumerate(every)
    ]
