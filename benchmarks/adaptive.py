"""What adaptive sampling saves, and which verdicts it changes, against all samples of the same questions.

    python benchmarks/adaptive.py [--questions 600] [--seeds 3] [--scorer selfcheck-nli] [--threshold 0.5]
    python benchmarks/adaptive.py --first 3 --wave 1 --error 0.02

Answers questions about the embedded world with all samples and adaptively, and compares the verdicts (score
above the threshold or not).  Adaptive samples are a prefix of all of them, so that nothing else differs.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from selfstudy.models import Models, load_embedder, load_lm, load_nli
from selfstudy.models.answering import from_memory
from selfstudy.probe.answers import Stop, answer
from selfstudy.probe.scorers import Scorer, Tools, make_scorer
from selfstudy.prompts import Prompts
from selfstudy.recipe import MEANS_OVER_SAMPLES, AdaptiveBlock, AnsweringBlock, ProbeBlock, Recipe
from selfstudy.records import Answer, Failure, Question
from selfstudy.run.threshold import is_inconsistent


def questions(count: int) -> list[Question]:
    """Distinct questions spread over the facts of the embedded world, known and withheld ones."""
    from selfstudy.atlas import language, world

    asked = [language.wordings(fact.attribute, fact.entity)[0] for fact in world.facts()]
    return [Question(text=text) for text in asked[:: max(1, len(asked) // count)][:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--scorer", choices=MEANS_OVER_SAMPLES, default="selfcheck-nli")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--error", type=float, default=AdaptiveBlock().error)
    parser.add_argument("--first", type=int, default=AdaptiveBlock().first)
    parser.add_argument("--wave", type=int, default=AdaptiveBlock().wave)
    options = parser.parse_args()
    recipe = Recipe(probe=ProbeBlock(samples=options.samples), answering=AnsweringBlock(max_new_tokens=48))
    models = Models(load_lm(recipe.model), load_nli(recipe.nli), load_embedder(recipe.embedder))
    rule = AdaptiveBlock(error=options.error, first=options.first, wave=options.wave)
    asked = questions(options.questions)
    print(
        f"{len(asked)} questions, {options.samples} samples, {options.scorer} > {options.threshold:g}, {rule}"
    )
    print(
        f"{'seed':>4}{'gaps':>7}{'saved':>8}{'changed':>9}{'seconds: all':>14}{'adaptive':>10}"
        f"{'times faster':>14}  samples drawn"
    )
    for seed in range(options.seeds):
        print(one(asked, models, recipe, rule, options.scorer, options.threshold, seed), flush=True)


def one(
    asked: list[Question],
    models: Models,
    recipe: Recipe,
    rule: AdaptiveBlock,
    name: str,
    threshold: float,
    seed: int,
) -> str:
    """The line of one seed. Times are of answering, judging the waves included; scoring comes on top."""
    scorer = make_scorer(name, Tools(models, block=recipe.probe))
    sampling = from_memory(recipe.answering, recipe.probe.samples, seed)
    start = time.perf_counter()
    whole = answer(asked, models.lm, Prompts(), sampling)
    middle = time.perf_counter()
    part = answer(asked, models.lm, Prompts(), sampling, stop=Stop(scorer, threshold, rule))
    end = time.perf_counter()
    verdicts = [verdicts_of(records, asked, scorer, threshold) for records in (whole, part)]
    both = set(verdicts[0]) & set(verdicts[1])
    changed = sum(verdicts[0][key] != verdicts[1][key] for key in both) / len(both)
    drawn = [len(record.samples) for record in part if isinstance(record, Answer)]
    saved = 1 - sum(drawn) / (recipe.probe.samples * len(drawn))
    spread = ", ".join(f"{n}: {count}" for n, count in sorted(Counter(drawn).items()))
    return (
        f"{seed:>4}{sum(verdicts[0].values()):>7}{saved:>8.1%}{changed:>9.2%}"
        f"{middle - start:>14.1f}{end - middle:>10.1f}"
        f"{(middle - start) / (end - middle):>14.2f}  {spread}"
    )


def verdicts_of(
    records: list[Answer | Failure], asked: list[Question], scorer: Scorer, threshold: float
) -> dict[str, bool]:
    """Question id -> whether its score is above the threshold."""
    by_id = {question.id: question for question in asked}
    answers = [record for record in records if isinstance(record, Answer)]
    scores = scorer.score([by_id[a.question_id] for a in answers], answers)
    return {
        score.question_id: is_inconsistent(score.value, threshold)
        for score in scores
        if score.value is not None
    }


if __name__ == "__main__":
    main()
