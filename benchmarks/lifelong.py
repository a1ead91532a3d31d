"""A model that is taught more than once, on our own world: five source groups, one after another.

    python benchmarks/lifelong.py groups --folder DIR [--seed 0] [--part adapters router methods chain table]

groups  an adapter for each source group, a router over them, and what it is worth beside {base, merged chain,
        an adapter on every prompt, oracle}.  DIR/adapters/GROUP-HASH/, DIR/routed/ and DIR/library/ stay; the
        same command goes on where it stopped, model by model.  About 20 minutes on one core.

on_atlas/source_groups.py and on_atlas/routing.py say what is measured.  Gaps are taken from the answer key,
not from a probe.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from on_atlas import routing, source_groups
from selfstudy import load_lm
from selfstudy.models import taught
from selfstudy.progress import Terminal
from selfstudy.recipe import EmbedderBlock, LocalModel, RouterBlock

PARTS = ["adapters", "router", "methods", "chain", "table"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["groups"])
    parser.add_argument("--folder", type=Path, required=True, help="keeps what is trained and answered")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--trainings", type=int, default=99, help="most of the chain in this call")
    parser.add_argument("--only", help="with --part adapters: the one group that is trained")
    parser.add_argument("--embedder", nargs="+", default=["lexical"], help="of `methods`: lexical minilm")
    parser.add_argument("--out", type=Path, help="also write what was measured as JSON")
    chosen = parser.parse_args()
    if chosen.out and not chosen.out.absolute().parent.is_dir():
        parser.error(f"--out {chosen.out}: there is no folder {chosen.out.parent}")
    found = groups(chosen)
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")


def groups(chosen: argparse.Namespace) -> dict[str, object]:
    """The parts that are wanted, in order; later ones need what earlier ones have left."""
    folder, seed, report = chosen.folder, chosen.seed, Terminal()
    material = source_groups.material(seed)
    result: dict[str, object] = {}
    if "adapters" in chosen.part:
        source_groups.write_library(material, folder / "library")
        lm = load_lm(LocalModel(path="atlas"))
        for group in [chosen.only] if chosen.only else material.groups:
            place = source_groups.adapter_of(
                group, material.of(group), material, folder / "adapters", seed, lm, report
            )
            print(f"{place.name}: {len(material.of(group))} gaps", flush=True)
    adapters = taught.adapters_of(folder / "adapters")
    asked = routing.questions(material, seed)
    router = routing.router_over(adapters, material, seed, RouterBlock(), EmbedderBlock())
    if "router" in chosen.part:
        routing.routed_folder(adapters, router, folder / "routed")
        result["calibration"] = router.data.figures
        result["routing"] = routing.routing(asked, router) | {
            "off topic": routing.off_topic(material, router)
        }
        for title in ("calibration", "routing"):
            _show(title, result[title])
    if "methods" in chosen.part:
        result["methods"] = dict(routing.methods(adapters, material, seed, chosen.embedder))
        for name, row in result["methods"].items():  # type: ignore[attr-defined]
            _show(name, row)
    most = chosen.trainings if "chain" in chosen.part else 0
    steps = routing.chain(adapters, material, seed, folder / "chain", report, most)
    if "table" in chosen.part:
        models = {"base": None, **adapters}
        models |= {f"chain {at}": step for at, step in enumerate(steps, start=1)}
        models["all merged"] = routing.merged(list(adapters.values()), folder / "all-merged")
        right = {
            name: routing.answers(name, place, asked, folder / "answers") for name, place in models.items()
        }
        routes = router.route([router.routing_text(one.chat) for one in asked])
        mine = {name.rpartition("-")[0]: name for name in adapters}
        picked = {name: [name] * len(asked) for name in right}
        picked["router"] = [one.adapter or "base" for one in routes]
        picked["oracle"] = [mine.get(one.group, "base") for one in asked]
        result["arms"] = routing.table(asked, right, picked)
        for name, row in result["arms"].items():  # type: ignore[attr-defined]
            _show(name, row)
    return result


def _show(title: str, row: object) -> None:
    assert isinstance(row, dict)
    print(f"{title}\n    " + ", ".join(f"{key} {_number(value)}" for key, value in row.items()), flush=True)


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
