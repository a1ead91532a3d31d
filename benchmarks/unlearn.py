"""A source group is forgotten by dropping its adapter; is it as if it had never been taught?

    python benchmarks/lifelong.py groups --folder GROUPS --part adapters router     (trains the five adapters)
    python benchmarks/unlearn.py --groups GROUPS --folder DIR [--forget europe] [--part drop attack real]

drop    a run is made of the five adapters, and `unlearn --source GROUP/*` carried out in it: asked again,
        beside a model that was never taught the group; other groups before and after; a search of the folder
attack  half of the group's facts is taught to the model that is left, to one that never saw them, and to the
        one that still holds the adapter; right answers to the other half.  --model, --seed: one curve a call
real    a small run with one adapter over two sources, through `selfstudy learn` and `selfstudy unlearn`
table   what the others have left in DIR/found.json

A minute, half a minute a curve and step, two minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from on_atlas import forgetting, routing, source_groups
from selfstudy import Run, Study, load_lm
from selfstudy.models import taught
from selfstudy.progress import Silent, Terminal
from selfstudy.recipe import EmbedderBlock, LocalModel, RouterBlock
from selfstudy.verbs.unlearning import attack, verifying
from selfstudy.verbs.unlearning import forgetting as unlearning
from selfstudy.verbs.unlearning.verifying import AskingAgain

PARTS = ("drop", "attack", "real", "table")
MODELS = ("left", "never saw", "still holds")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--groups", type=Path, help="the folder of benchmarks/lifelong.py groups")
    parser.add_argument("--folder", type=Path, required=True, help="keeps the run and what was found")
    parser.add_argument("--forget", default="europe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--model", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the attack's trainings")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    found = _Found(chosen.folder / "found.json")
    if "drop" in chosen.part:
        found.add("drop", drop(chosen))
    if "attack" in chosen.part:
        for model in chosen.model:
            for seed in chosen.seeds:
                name = f"attack {model} {seed}"
                if name not in found.data:
                    found.add(name, curve(chosen, model, seed))
    if "real" in chosen.part:
        found.add("real", real(chosen.folder / "real"))
    if "table" in chosen.part:
        table(found.data)


class _Found:
    """What was measured, written down after each part."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.data: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}

    def add(self, name: str, value: object) -> None:
        self.data[name] = value
        self._file.write_text(json.dumps(self.data, indent=1), encoding="utf-8")


def drop(chosen: argparse.Namespace) -> dict[str, Any]:
    material, folder = source_groups.material(chosen.seed), chosen.folder / "run"
    shutil.rmtree(folder, ignore_errors=True)
    forgetting.made(folder, chosen.groups, material, forgetting.recipe(chosen.groups, chosen.seed))
    stay = [gap for gap in material.gaps if gap.group != chosen.forget]
    library = chosen.groups / "library"
    sentences, quoting_before = forgetting.quoting(folder, library, chosen.forget)
    answers, routes = forgetting.others(folder / "promoted", stay)
    adapters = {
        name: place
        for name, place in taught.adapters_of(chosen.groups / "adapters").items()
        if not name.startswith(f"{chosen.forget}-")
    }
    router = routing.router_over(adapters, material, chosen.seed, RouterBlock(), EmbedderBlock())
    unseen = forgetting.never_saw(chosen.groups, chosen.folder / "never-saw", chosen.forget, router)
    with Run.open(folder) as run, Study(run, Silent()) as study:
        plan = unlearning.plan(run, f"{chosen.forget}/*")
        hashes = verifying.adapter_hashes(run)
        tools = AskingAgain(
            *(lambda: None, lambda: None, ""),  # type: ignore[arg-type]
            nli=study.evaluator,
            prompts=study.prompts,
            answering=study.recipe.answering,
            key=study.key,
        )
        held = forgetting.asking(folder / "promoted", unseen, tools)
        before = verifying.again(plan.found, held)
        unlearning.carry_out(run, plan, study.teach_again, study.report, Silent())
        after = verifying.again(plan.found, held) | verifying.kept(run, hashes)
        unlearning.verified(run, f"{chosen.forget}/*", after)
    answers_after, routes_after = forgetting.others(folder / "promoted", stay)
    own = [
        route for gap, route in zip(stay, routes, strict=True) if (route or "").startswith(f"{gap.group}-")
    ]
    return {
        "forgotten": chosen.forget,
        "before": before,
        "after": after,
        "others": {
            "asked": len(stay),
            "routed right before": len(own) / len(stay),
            "answers that changed": sum(a != b for a, b in zip(answers, answers_after, strict=True)),
            "routes that changed": sum(a != b for a, b in zip(routes, routes_after, strict=True)),
        },
        "sentences": sentences,
        "files that quote one, before": len(quoting_before),
        "files that quote one, after": forgetting.quoting(folder, library, chosen.forget)[1],
    }


def curve(chosen: argparse.Namespace, model: str, seed: int) -> list[float]:
    """Right answers to the half that is not taught, after attack.STEPS steps."""
    material = source_groups.material(chosen.seed)
    recipe = forgetting.recipe(chosen.groups, seed)
    first, second = attack.halves(forgetting.asked_of(material.of(chosen.forget)), chosen.seed)
    (own,) = (chosen.groups / "adapters").glob(f"{chosen.forget}-*")
    place = {"left": chosen.folder / "run/promoted", "never saw": chosen.folder / "never-saw"}.get(model, own)
    lm = load_lm(LocalModel(path="atlas", adapter=place))
    with Run.open(chosen.folder / "run", write=False) as run, Study(run, Silent()) as study:
        tools = AskingAgain(
            *(lambda: lm, lambda: lm, ""),
            nli=study.evaluator,
            prompts=forgetting.PROMPTS,
            answering=study.recipe.answering,
            key=study.key,
        )
        found = attack.curve(lm, first, second, tools, recipe, Terminal(), seeds=1)  # type: ignore[arg-type]
    print(model, seed, len(first), len(second), found.shares[0], flush=True)
    return found.shares[0]


def real(folder: Path) -> dict[str, Any]:
    """One adapter over cities and countries; cities are forgotten."""
    shutil.rmtree(folder, ignore_errors=True)
    demo = Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))
    sets = (
        *("probe.ask.0.count=120", "probe.ask.1.count=6", "probe.ask.2.count=6", "probe.samples=4"),
        *("teach.wordings=1", "teach.heldout_wordings=0", "teach.sft.epochs=12", "teach.sft.replay=1"),
        *("teach.sft.learning_rate=0.003", "deploy.type=dynamic", "deploy.groups=round"),
        *("verify.margin=0.4", "verify.samples=0", "verify.repeats=0", "verify.max_questions=40"),
    )
    options = [part for one in sets for part in ("--set", one)]
    _run("learn", str(demo), "--run", str(folder), *options)
    held = sorted(path.name for path in (folder / "promoted").glob("all-*"))
    said = _run("unlearn", str(folder), "--source", "atlas:city/*", "--yes")
    stone = json.loads((folder / "forgotten.json").read_text())["tombstones"][-1]
    return {
        "held": held,
        "holds": sorted(path.name for path in (folder / "promoted").glob("all-*")),
        "questions": len(stone["questions"]),
        "verified": stone["verified"],
        "said": said.splitlines()[-12:],
    }


def _run(*arguments: str) -> str:
    command = [sys.executable, "-m", "selfstudy.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def table(data: dict[str, Any]) -> None:
    for name in ("drop", "real"):
        print(name, json.dumps(data.get(name), indent=1))
    steps = "".join(f"{count:>8}" for count in attack.STEPS)
    print(f"{'relearning attack, steps':<28}{steps}")
    for name, shares in data.items():
        if name.startswith("attack "):
            print(f"{name.removeprefix('attack '):<28}" + "".join(f"{one:>8.3f}" for one in shares))


if __name__ == "__main__":
    main()
