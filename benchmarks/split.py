"""De-duplication and split of many questions: seconds, and how the time per question grows.

    python benchmarks/split.py [--sizes 1000,10000,100000]

Synthetic questions about invented things: one in ten is an exact copy of an earlier one, one in ten an
earlier one with a word changed, and a tenth of those are filed under another topic.  Timed are
`duplicates.near_duplicates` (ROUGE-L, methods 2 step 2) and `split.held_out_ids` with `split_by: topic`;
that no topic and no exact copy lands on both sides is checked.  Seconds are of this process's CPU, beside
the wall's.
"""

from __future__ import annotations

import argparse
import random
import time

from selfstudy.duplicates import near_duplicates
from selfstudy.recipe import Recipe, TeachBlock
from selfstudy.records import Question
from selfstudy.run.facts import group
from selfstudy.run.split import held_out_ids
from selfstudy.text import normalise

ASPECTS = ("height", "age", "origin", "colour", "founder", "author", "weight", "price", "depth", "owner")
FORMS = (
    "What is the {} of the {} {} near {} that {} wrote about in {}?",
    "Which {} does the {} {} of {} have, as {} noted in the year {}?",
    "How did people describe the {} of the {} {} in {} when {} came there in {}?",
)


def invented(rng: random.Random, capital: bool) -> str:
    word = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(2, 4)))
    return word.capitalize() if capital else word


def questions(count: int, seed: int = 0) -> list[Question]:
    """`count` questions in a random order; topics of about twenty each."""
    rng = random.Random(f"{seed}:split benchmark")
    things = [invented(rng, False) for _ in range(max(50, count // 50))]
    names = [invented(rng, True) for _ in range(max(50, count // 20))]
    made: list[tuple[str, str]] = []
    for _ in range(count):
        kind = rng.random() if made else 1.0
        if kind < 0.2:
            text, topic = rng.choice(made)
            if kind >= 0.1:
                parts = text.split()
                parts[rng.choice([0, 2, 3])] = rng.choice(ASPECTS)
                text = " ".join(parts)
            made.append((text, topic if rng.random() > 0.1 else rng.choice(names)))
            continue
        topic = rng.choice(names)
        words = (rng.choice(ASPECTS), rng.choice(things), rng.choice(things), topic, rng.choice(names))
        made.append((rng.choice(FORMS).format(*words, rng.randint(1500, 2020)), topic))
    rng.shuffle(made)
    return [Question(text=text, topic=topic) for text, topic in made]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    sizes = parser.parse_args().sizes
    recipe = Recipe(teach=TeachBlock(split_by="topic"))
    near_duplicates([q.text for q in questions(200)])  # warm
    print("questions     kept  held out  dedupe s  split s  wall s  us each  growth")
    before = None
    for size in sizes:
        found = questions(size)
        wall, start = time.perf_counter(), time.process_time()
        kept = near_duplicates([q.text for q in found])
        deduped = time.process_time()
        out = held_out_ids(found, recipe, group([(q.id, q.text) for q in found], []))
        end, wall = time.process_time(), time.perf_counter() - wall
        for key in (lambda q: q.topic, lambda q: normalise(q.text)):
            assert not {key(q) for q in found if q.id in out} & {key(q) for q in found if q.id not in out}
        each = (end - start) / size
        growth = "" if before is None else f"{each / before:.2f}"
        before = each
        print(
            f"{size:>9,}{len(kept):>9,}{len(out):>10,}{deduped - start:>10.2f}{end - deduped:>9.2f}"
            f"{wall:>8.1f}{each * 1e6:>9.1f}{growth:>8}"
        )


if __name__ == "__main__":
    main()
