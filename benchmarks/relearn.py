"""What becomes of facts over rounds and days, on the embedded world: changed ones, and those of ten rounds.

    python benchmarks/relearn.py changed [--deploy adapter dynamic] [--folder DIR]
    python benchmarks/relearn.py rounds [--rounds 10] [--deploy adapter dynamic] [--folder DIR]

With --folder it goes on where it stopped.  Every figure is of our own world.  A wording counts as answered
if the answer has the accepted one (text.contains); novel wordings are the answer key's, which nobody trained.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from selfstudy import Run, Study, load_recipe, loop
from selfstudy.atlas import language, world
from selfstudy.atlas.key import resolve
from selfstudy.models.answering import from_memory
from selfstudy.models.base import LanguageModel
from selfstudy.progress import Terminal
from selfstudy.prompts import Prompts
from selfstudy.records import Check, Due, Example, Question, Rewording
from selfstudy.run import standing
from selfstudy.text import contains

DEMO = Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))
WATCH = loop.WatchOptions(every=0.2, settle=0.3)
NOVEL = 3
"""Novel wordings of a fact that are asked."""
KINDS = ("trained", "novel")
"""Of wordings."""
KNOWN_PAGES = 60
"""Pages that the model knows, there from the first round: to see what is forgotten."""
TEACH = (
    *("teach.method=distill", "teach.distill.learning_rate=0.001", "teach.distill.reading=0.1"),
    *("teach.distill.replay=0.5", "teach.distill.batch_size=16", "teach.distill.epochs=16"),
)
"""What benchmarks/on_atlas/source_groups.py takes, with smaller steps: a round has few gaps."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["changed", "rounds"])
    parser.add_argument("--deploy", nargs="+", choices=["adapter", "dynamic"], default=["adapter", "dynamic"])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--changes", type=int, default=8, help="pages whose capital changes")
    parser.add_argument("--known", type=int, default=KNOWN_PAGES, help="pages that the model knows")
    parser.add_argument("--minutes", type=float, help="stop after so long; the same command goes on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], help="of the recipe, as KEY=VALUE")
    parser.add_argument("--folder", type=Path, help="keeps the runs, and goes on from there")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for deploy in chosen.deploy:
            place = (chosen.folder or Path(scratch)) / f"{chosen.what}-{deploy}"
            place.mkdir(parents=True, exist_ok=True)
            case = Case(place, deploy, chosen.seed, tuple(chosen.set), chosen.known, chosen.minutes)
            if chosen.what == "changed":
                changed(case, chosen.changes)
            else:
                rounds(case, chosen.rounds)


class OutOfTimeError(Exception):
    """Enough for now."""


@dataclass
class Case:
    """A run that watches a folder of pages.

    Attributes:
        place: the folder of both.
        minutes: how long it may go on.
    """

    place: Path
    deploy: str
    seed: int
    changes: tuple[str, ...]
    known: int
    minutes: float | None

    def __post_init__(self) -> None:
        self.docs.mkdir(exist_ok=True)
        self.began = time.monotonic()

    @property
    def docs(self) -> Path:
        return self.place / "docs"

    def learn(self, asked: Sequence[str], stop: Callable[[Study], bool]) -> None:
        """Learns and watches until `stop` says so; it is asked each time that the watch waits.

        Args:
            asked: questions of the first round, beside those about pages.
        """
        file = self.place / "asked.txt"
        if not file.exists():
            file.write_text("\n".join(asked))
        ask = (
            "[{method: documents, count: 2000, per_chunk: 4, question_temperature: 0.7},"
            f" {{method: external, source: {file}, questions: true, count: {max(1, len(asked))}}}]"
        )
        recipe = load_recipe(
            DEMO,
            [
                *(f"library={self.docs}", f"probe.ask={ask}", f"deploy={self.deploy}", f"seed={self.seed}"),
                *("answer_key=null", "relearn={}", "probe.samples=4", "verify.samples=0", "verify.repeats=1"),
                *("verify.control=false", "teach.known_heldout=0.4", *TEACH, *self.changes),
            ],
        )

        def enough() -> bool:
            if self.minutes is not None and time.monotonic() - self.began > 60 * self.minutes:
                raise OutOfTimeError
            return stop(study)

        with Run.create_or_resume(self.place / "run", recipe) as run, Study(run, Terminal()) as study:
            try:
                loop.watch(study, WATCH, enough)
            except OutOfTimeError:
                print("stopped; the same command goes on", file=sys.stderr)
                raise SystemExit(3) from None


def promoted(study: Study) -> LanguageModel:
    """The model with what stands after the last round."""
    last = standing.promoted_last(study.run)
    return study.lm(standing.decided(last) if last is not None else None)


def told(study: Study, lm: LanguageModel, asked: Sequence[str]) -> list[str]:
    """Greedy answers."""
    prompts, sampling = Prompts(), from_memory(study.recipe.answering, 0, 0)
    found = lm.generate([prompts.chat("answer", question=one) for one in asked], sampling)
    return [one[0].text for one in found]


def write_page(folder: Path, country: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{country}.txt").write_text(text)


def pages() -> dict[str, str]:
    return {one.title: one.text for one in world.documents() if one.source.startswith("atlas:country/")}


def of_capital(country: str) -> str:
    return f"What is the capital of {country}?"


def capital_of(country: str) -> str:
    fact = world.by_name()[country].fact("capital")
    assert fact is not None
    return fact.value


def countries(seed: int) -> tuple[list[str], list[str]]:
    """Those that the model knows, and that it does not, in a drawn order, whose pages name a capital once."""
    known, unknown = [], []
    for country, page in pages().items():
        entity = world.by_name()[country]
        fact = entity.fact("capital")
        if fact is not None and page.count(fact.value) == 1 and fact.value not in country:
            (known if entity.known else unknown).append(country)
    rng = random.Random(f"relearn:{seed}")
    rng.shuffle(known)
    rng.shuffle(unknown)
    return known, unknown


def share(some: Sequence[bool]) -> float | None:
    return round(sum(some) / len(some), 4) if some else None


def trained_wordings(study: Study, question_id: str) -> list[str]:
    """The rewordings that were trained, of any round."""
    found = (one for turn in study.run.rounds for one in turn.iter(Rewording))
    return sorted({one.text for one in found if one.question_id == question_id and one.use == "train"})


# changed facts


def changed(case: Case, count: int) -> None:
    """Capitals of some pages change places: half are what the model knew, half what round 1 taught it.

    Twelve (--changes 12 --known 50 --deploy dynamic, seed 0; one core of two that others used too, ten
    minutes): noticed, taught again and promoted.  The old answer is gone in 1.0 of the wordings, trained and
    novel, of what the model had known; of what round 1 had taught in 1.0 of the trained and .955 of the 156
    novel ones.  Capitals of other pages stay at 1.0.  But what else round 1 had taught of the changed pages
    falls from .884 to .638 in novel wordings (1.0 as asked): .24 of these go to the new adapter, which was
    taught the capital alone.
    """
    texts = pages()
    known, unknown = countries(case.seed)
    mine = [*known[: count // 2], *unknown[: count - count // 2]]
    others = [*known[count // 2 : case.known], *unknown[count - count // 2 : count]]
    capital = {name: capital_of(name) for name in (*mine, *others)}
    new = dict(zip(mine, [capital[name] for name in (*mine[1:], mine[0])], strict=True))
    if not any(case.docs.iterdir()):
        for name in (*mine, *others):
            write_page(case.docs, name, texts[name])

    def measure(study: Study, when: str) -> None:
        # what was taught, promoted or not: so few gaps are often too few for the gate to be sure
        lm = study.lm(study.run.rounds[-1].adapter())
        rows: dict[str, list[bool]] = {}
        for name in mine:
            half = "known" if name in known else "taught"
            first = Question(text=of_capital(name))
            asked = {
                "trained": [first.text, *trained_wordings(study, first.id)],
                "novel": language.wordings("capital", name, novel=True),
            }
            for kind, some in asked.items():
                for answer in told(study, lm, some):
                    rows.setdefault(f"{half} before, {kind}: old answer", []).append(
                        contains(answer, capital[name])
                    )
                    rows.setdefault(f"{half} before, {kind}: new answer", []).append(
                        contains(answer, new[name])
                    )
        rows |= beside(study, lm, mine)
        for half, group in (("known", known), ("taught", unknown)):
            some = [name for name in others if name in group]
            answers = told(study, lm, [of_capital(name) for name in some])
            rows[f"other capitals, {half} before"] = [
                contains(answer, capital[name]) for answer, name in zip(answers, some, strict=True)
            ]
        (case.place / f"{when}.json").write_text(json.dumps({n: share(r) for n, r in rows.items()}, indent=1))

    def stop(study: Study) -> bool:
        if study.run.rounds[-1].number == 1:
            if not (case.place / "before.json").exists():
                measure(study, "before")
            for name in mine:
                write_page(case.docs, name, texts[name].replace(capital[name], new[name]))
            return False
        measure(study, "after")
        decided = standing.decision(study.run.rounds[-1])
        print("promoted" if decided is not None and decided.promoted else "not promoted")
        return True

    case.learn([of_capital(name) for name in (*mine, *others)], stop)
    found = {when: json.loads((case.place / f"{when}.json").read_text()) for when in ("before", "after")}
    print(f"\n{count} changed capitals, deploy: {case.deploy}, seed {case.seed}\n")
    print("| | before | after |\n|---|---|---|")
    for name in found["after"]:
        print(f"| {name} | {found['before'].get(name)} | {found['after'][name]} |")


def beside(study: Study, lm: LanguageModel, mine: Sequence[str]) -> dict[str, list[bool]]:
    """Whether what was taught of these countries in round 1, but for their capitals, is right still."""
    rows: dict[str, list[bool]] = {}
    for text, fact in taught_facts(study, 1).items():
        if fact.entity in mine and fact.attribute != "capital":
            for kind, some in wordings_of(text, fact).items():
                here = rows.setdefault(f"other facts of these pages, taught before, {kind}", [])
                here += [contains(answer, fact.value) for answer in told(study, lm, some)]
    return rows


def taught_facts(study: Study, last: int) -> dict[str, world.Fact]:
    """By question, what the rounds up to `last` have taught."""
    found: dict[str, world.Fact] = {}
    for turn in study.run.rounds[:last]:
        ids = {one.question_id for one in turn.iter(Example) if one.kind == "reference"}
        for one in turn.iter(Question):
            fact = resolve(one.text) if one.id in ids else None
            if fact is not None:
                found[one.text] = fact
    return found


def wordings_of(text: str, fact: world.Fact) -> dict[str, list[str]]:
    """By kind, in what words a taught question is asked."""
    novel = language.wordings(fact.attribute, fact.entity, novel=True)
    return {"trained": [text], "novel": random.Random(text).sample(novel, min(NOVEL, len(novel)))}


# rounds


def rounds(case: Case, count: int) -> None:
    """A group of pages arrives in each round; what earlier ones taught is asked again, and measured.

    Ten rounds with `deploy: dynamic`, seed 0, as above (one core of two that others used too, 90 s a round):
    all were promoted.  Right of the 153 questions that were taught in the end: .993 as asked (1.0 of nine of
    the ten groups), .930 in novel wordings; lost since each group was at its best: .000 as asked, .017 in
    novel wordings (all falls between two rounds together: .024).  Known 1.0 in every round, as the original
    model; reading, which is asked of other pages in each round, as the original in each (.67 to .79).
    What falls are novel wordings of things of which two adapters were taught different facts: what was
    answered unsurely when it was asked again became an adapter of its own, and after ten rounds there were
    22 for 11 groups.
    """
    texts = pages()
    known, unknown = countries(case.seed)
    each = len(unknown) // count
    groups = {f"g{n + 1:02}": unknown[n * each : (n + 1) * each] for n in range(count)}
    if not any(case.docs.iterdir()):
        for name in known[: case.known]:
            write_page(case.docs / "base", name, texts[name])
    arrive(case, groups, 1)

    def stop(study: Study) -> bool:
        number = study.run.rounds[-1].number
        file = case.place / f"round-{number}.json"
        if not file.exists():
            file.write_text(json.dumps(measured(study, groups), indent=1))
        if number == count:
            return True
        arrive(case, groups, number + 1)
        return False

    case.learn([of_capital(name) for name in known[: case.known]], stop)
    show_rounds(case, count)


def arrive(case: Case, groups: dict[str, list[str]], number: int) -> None:
    """The pages of the group of a round."""
    name, some = list(groups.items())[number - 1]
    for country in some:
        if not (case.docs / name / f"{country}.txt").exists():
            write_page(case.docs / name, country, pages()[country])


def measured(study: Study, groups: dict[str, list[str]]) -> dict[str, object]:
    """Of each group the share of what it was taught that is right, by wording; and verify's own figures."""
    lm = promoted(study)
    of_group = {country: name for name, some in groups.items() for country in some}
    rows: dict[str, dict[str, list[bool]]] = {}
    for text, fact in taught_facts(study, len(study.run.rounds)).items():
        if fact.entity in of_group:
            here = rows.setdefault(of_group[fact.entity], {kind: [] for kind in KINDS})
            for kind, some in wordings_of(text, fact).items():
                here[kind] += [contains(answer, fact.value) for answer in told(study, lm, some)]
    checks = study.run.rounds[-1].read(Check)
    asked = {
        f"{target}, {arm}": share([bool(c.correct) for c in checks if (c.target, c.arm) == (target, arm)])
        for target in ("known", "general", "reading")
        for arm in ("original", "base", "taught")
    }
    promoted_ = study.run.read_json(study.run.rounds[-1].gate_file) or {}
    return {
        "promoted": promoted_.get("promoted"),
        "asked again": len(study.run.rounds[-1].ids(Due)),
        "groups": {name: {kind: share(some) for kind, some in kinds.items()} for name, kinds in rows.items()},
        "count": {name: len(kinds["trained"]) for name, kinds in rows.items()},
        "verify": asked,
    }


def show_rounds(case: Case, count: int) -> None:
    found = [json.loads((case.place / f"round-{n}.json").read_text()) for n in range(1, count + 1)]
    names = list(found[-1]["groups"])
    print(f"\n{count} rounds, deploy: {case.deploy}, seed {case.seed}: right in trained/novel wordings\n")
    heads = ["round", "promoted", "asked again", *names, "all", "known: original -> taught", "reading"]
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|")
    for number, one in enumerate(found, 1):
        asked = one["verify"]
        first = "original" if number > 1 else "base"
        cells = [_both({kind: one["groups"].get(name, {}).get(kind) for kind in KINDS}) for name in names]
        print(
            f"| {number} | {one['promoted']} | {one['asked again']} | {' | '.join(cells)} "
            f"| {_both({kind: _mean(one, kind) for kind in KINDS})} "
            f"| {asked[f'known, {first}']} -> {asked['known, taught']} "
            f"| {asked[f'reading, {first}']} -> {asked['reading, taught']} |"
        )
    print()
    last = found[-1]
    for kind in KINDS:
        lost = total = 0.0
        for name, size in last["count"].items():
            best = max(one["groups"][name][kind] for one in found if name in one["groups"])
            lost += size * (best - last["groups"][name][kind])
            total += size
        print(f"lost since each group was at its best, {kind}: {lost / max(1, total):.3f}")


def _both(shares: dict[str, float | None]) -> str:
    """Both shares of `KINDS`, or nothing."""
    return "/".join("" if (one := shares[kind]) is None else f"{one:.3f}" for kind in KINDS).strip("/")


def _mean(one: dict[str, Any], kind: str) -> float:
    total = sum(one["count"].values())
    weighted = sum(one["groups"][name][kind] * size for name, size in one["count"].items())
    return round(weighted / max(1, total), 3)


if __name__ == "__main__":
    main()
