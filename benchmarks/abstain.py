"""Teaching to say "I don't know": how much of it, and what it costs.  On the embedded world.

    python benchmarks/abstain.py [--seeds 0 1 2] [--shares 0 0.25 1] [--set KEY=VALUE] [--folder FOLDER]

Half of the entities that atlas-lm knows by name alone have no page in the library, and some names are
invented: nothing is known of either.  Their questions are taught to be refused, but for those held out, by
fact; the other half are the gaps.  One probe and gather a seed, then every share from there (0: refusing is
not taught).  Prints, for the model as it was and after each training: the refusal F1 with its halves, what
is made up where nothing is known, right answers and refusals of gaps (as taught, and in wordings seen
nowhere) and of known questions never trained (as first asked, and in such wordings).  The last two columns
of each are the trap: "an unfamiliar name" is refused also where its answer was just taught.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from selfstudy import Run, Study, load_lm, load_recipe
from selfstudy.atlas import language, world
from selfstudy.atlas.build.invented import invented_names
from selfstudy.atlas.key import AtlasKey
from selfstudy.judging.correctness import states
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.answering import from_memory
from selfstudy.models.base import LanguageModel, wants_demonstrations
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, Recipe
from selfstudy.records import Arm, Check, RefusalCheck
from selfstudy.run import Round
from selfstudy.verify import refusing_figures
from selfstudy.verify.gains import Resampling

KNOWN, GAPS, WITHOUT, INVENTED = 160, 90, 90, 40
"""Questions of each kind."""
ATTRIBUTES = ("capital", "continent", "currency", "domain", "calling code", "country", "time zone")
COMMON = (
    *("library={library}", "answer_key=atlas", "verify.samples=0", "verify.repeats=0", "verify.strengths=[]"),
    *("teach.method=distill", "teach.distill.learning_rate=0.001", "teach.distill.reading=0.1"),
    *("teach.distill.replay=3", "teach.distill.epochs=4", "teach.known_heldout=0.5"),
    'probe.ask=[{{method: external, source: "{questions}", questions: true, count: 1000}}]',
)
COLUMNS = ("F1", "refuse", "answer", "made up", "made up*")
"""Behind these, of gaps and of known questions: right and refused as first asked, and in new words (*)."""


@dataclass(frozen=True)
class Place:
    """The library and the questions of a seed."""

    library: Path
    questions: Path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.1, 0.25, 0.5, 1])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every training")
    parser.add_argument("--folder", type=Path, help="where the runs go [default: a temporary folder]")
    chosen = parser.parse_args()
    print(f"{'':24}" + "".join(f"{name:>10}" for name in [*COLUMNS, *_cells("gap"), *_cells("known")]))
    with tempfile.TemporaryDirectory() as scratch:
        for seed in chosen.seeds:
            compare(chosen.folder or Path(scratch), seed, chosen.shares, chosen.set)


def compare(folder: Path, seed: int, shares: Sequence[float], changes: Sequence[str]) -> None:
    """Prints a row for each share."""
    place = make_place(folder / f"world-{seed}", seed)
    start = folder / f"start-{seed}"
    with Run.create_or_resume(start, recipe(place, seed, changes)) as run:
        study = Study(run)
        study.probe()
        study.gather()
    for number, share in enumerate(shares):
        more = [f"teach.refusals.share={share}", "teach.refuse_unverifiable=true"]
        if not share:  # what is held out then is the same, and nothing is refused
            more = ["teach.refusals.share=1e-9", "teach.refuse_unverifiable=true"]
        path = folder / f"{seed}-{share:g}"
        with Run.create_or_resume(path, recipe(place, seed, [*changes, *more])) as run:
            for file in (start / "rounds" / "1").iterdir():
                if file.is_file() and not (run.round(1).path / file.name).exists():
                    shutil.copy(file, run.round(1).path)
        with Run.open(path) as run:
            study = Study(run)
            study.teach()
            study.verify()
            turn = run.round(1)
            adapter = turn.adapter("taught")
            for name in ("rewordings.jsonl", "wordings.done", "known.jsonl"):  # which are the same for all
                shutil.copy(turn.path / name, start / "rounds" / "1" / name)
            if not number:
                row(f"{seed}: as it was", turn, "base", load_lm(LocalModel(path="atlas")))
            row(
                f"{seed}: share {share:g}", turn, "taught", load_lm(LocalModel(path="atlas", adapter=adapter))
            )


def make_place(folder: Path, seed: int) -> Place:
    """Pages of all but half of the withheld entities; questions about all kinds, in an order by chance."""
    rng = random.Random(f"abstain:{seed}")
    withheld = sorted({fact.entity for fact in world.facts(known=False)})
    rng.shuffle(withheld)
    pageless = set(withheld[: len(withheld) // 2])
    library = folder / "library"
    library.mkdir(parents=True, exist_ok=True)
    for page in world.documents():
        if page.title not in pageless:
            (library / f"{page.title}.txt").write_text(page.text, encoding="utf-8")
    withheld_facts = world.facts(known=False)
    kinds = (
        (KNOWN, world.facts(known=True)),
        (GAPS, [fact for fact in withheld_facts if fact.entity not in pageless]),
        (WITHOUT, [fact for fact in withheld_facts if fact.entity in pageless]),
    )
    asked = [
        language.wordings(fact.attribute, fact.entity)[0]
        for count, facts in kinds
        for fact in rng.sample([f for f in facts if f.attribute in ATTRIBUTES], count)
    ]
    names = rng.sample(invented_names(), INVENTED)
    asked += [language.wordings(rng.choice(ATTRIBUTES[:5]), name)[0] for name in names]
    rng.shuffle(asked)
    questions = folder / "questions.txt"
    questions.write_text("\n".join(asked) + "\n", encoding="utf-8")
    return Place(library, questions)


def recipe(place: Place, seed: int, changes: Sequence[str]) -> Recipe:
    demo = Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))
    common = [one.format(library=place.library, questions=place.questions) for one in COMMON]
    return load_recipe(demo, [*common, f"seed={seed}", *changes])


def row(name: str, turn: Round, arm: Arm, lm: LanguageModel) -> None:
    """What verify found, and the same questions in wordings seen nowhere."""
    checks = [one for one in turn.read(Check) if one.arm == arm]
    refusals = [one for one in turn.read(RefusalCheck) if one.arm == arm]
    found = refusing_figures.figures(checks, refusals, Resampling(resamples=2))
    print(f"{name:24}" + "".join(f"{found[key][0]:10.3f}" for key in list(found)[:4]), end="")
    novel = [_in_new_words(one.asked) for one in refusals]
    print(f"{1 - _refused(lm, turn, [one for one in novel if one])[1]:10.3f}", end="")
    for target in ("gap", "known"):
        first = [one for one in checks if one.target == target and one.wording == "original"]
        cells = [
            sum(bool(one.correct) for one in first) / len(first),
            sum(is_refusal(one.answer) for one in first) / len(first),
            *_refused(lm, turn, [asked for one in first if (asked := _in_new_words(one.asked))]),
        ]
        print("".join(f"{value:10.3f}" for value in cells), end="")
    print(f"   n {len(refusals)}", flush=True)


def _in_new_words(question: str) -> str:
    """The same question in a wording seen nowhere; "" if it has none."""
    truth = AtlasKey().lookup(question)
    return truth.novel[0] if truth is not None and truth.novel else ""


def _refused(lm: LanguageModel, turn: Round, asked: Sequence[str]) -> tuple[float, float]:
    """Shares right, and refused."""
    prompts = Prompts() if wants_demonstrations(lm) else Prompts().without_demonstrations()
    how = from_memory(turn.run.recipe.answering, 0, 0)
    said = [one[0].text for one in lm.generate([prompts.chat("answer", question=one) for one in asked], how)]
    right = 0
    for question, text in zip(asked, said, strict=True):
        truth = AtlasKey().lookup(question)
        right += truth is not None and states(text, truth.answers, question)
    return right / max(1, len(asked)), sum(map(is_refusal, said)) / max(1, len(asked))


def _cells(of: str) -> list[str]:
    return [f"{of} ok", "refused", f"{of} ok*", "refused*"]


if __name__ == "__main__":
    main()
