"""`selfstudy-atlas`: rebuilds the embedded world and its models, and measures them. For developers."""

from __future__ import annotations

import json
import logging
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import typer

from selfstudy.errors import SelfstudyError

HERE = Path(__file__).parents[1]
"""The world and its models, as they ship."""

app = typer.Typer(
    help="Rebuild the embedded world and its models. Needs: pip install 'selfstudy[build]'.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
Folder = Annotated[Path | None, typer.Option(help="Where to write [default: the package itself].")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
Scale = Annotated[float, typer.Option(min=1e-6, help="Multiplies the training tokens.")]
Device = Annotated[str, typer.Option(help="Where to train, as torch names it: cpu, cuda.")]
_EXISTS = "{} exists, and nothing is replaced: give a new name"


class _Kind(Enum):
    FACTOID, LIST, CLAIM = "factoid", "list", "claim"


@app.command()
def world(to: Folder = None) -> None:
    """Make world.json from GeoNames (seconds)."""
    from selfstudy.atlas.build.make_world import make_world

    if to is not None and to.is_dir():
        raise typer.BadParameter(f"{to} is a folder: give the name of a file", param_hint="--to")
    make_world(_new(to) or HERE / "world.json")


@app.command("build-lm")
def build_lm(
    to: Folder = None,
    threads: Threads = 2,
    seed: int = 0,
    ignorance: Annotated[bool, typer.Option(help="Practise not knowing, on invented names.")] = True,
    scale: Scale = 1.0,
    device: Device = "cpu",
) -> None:
    """Train atlas-lm from scratch."""
    from selfstudy.atlas.build.lm_plan import Settings, legs
    from selfstudy.atlas.build.train_lm import build

    _require_device(device)
    _begin(threads)
    settings = Settings(seed=seed, ignorance=ignorance, scale=scale)
    build(_new(to) or HERE / "lm", legs(settings), device=device)


@app.command("build-citing-lm")
def build_citing_lm(
    to: Annotated[Path, typer.Option(help="Where to write.")],
    threads: Threads = 2,
    seed: int = 0,
    scale: Scale = 1.0,
    device: Device = "cpu",
) -> None:
    """Train atlas-lm on until it cites and refuses as `cite answer` asks (45 minutes of two cores).

    It forgets much else, so it does not ship; benchmarks/on_atlas/citing_lm was made so.
    """
    from selfstudy.atlas.build.lm_plan import Settings, citing_legs
    from selfstudy.atlas.build.train_lm import build

    _require_device(device)
    _begin(threads)
    _new(to)
    build(to, citing_legs(Settings(seed=seed, scale=scale)), HERE / "lm", device)


@app.command("build-nli")
def build_nli(to: Folder = None, threads: Threads = 2, seed: int = 0) -> None:
    """Train atlas-nli from scratch and write its model card (about seven minutes of processor time)."""
    from selfstudy.atlas.build import train_nli

    _begin(threads)
    train_nli.build_nli(_new(to) or HERE / "nli", train_nli.NLITraining(seed=seed))


@app.command("measure-lm")
def measure_lm(
    model: Annotated[Path | None, typer.Argument(help="A model folder [default: the shipped one].")] = None,
    card: Annotated[bool, typer.Option(help="Write the figures to the model card in the folder.")] = False,
    threads: Threads = 2,
    seed: Annotated[
        list[int], typer.Option(help="What is drawn; give it several times for a column each.")
    ] = [0],  # noqa: B006
) -> None:
    """Measure atlas-lm: every figure of its model card (some minutes for each seed)."""
    from selfstudy.atlas.build import measure_lm as measuring

    _begin(threads)
    folder = model or HERE / "lm"
    columns = {f"seed {one}": measuring.measure(folder, seed=one) for one in seed}
    for name in next(iter(columns.values())):
        typer.echo(f"{name:44}" + "".join(f"{figures[name]:8.3f}" for figures in columns.values()))
    if card:
        (folder / "README.md").write_text(measuring.card(folder, columns), encoding="utf-8")


@app.command()
def cited(
    out: Annotated[Path, typer.Option(help="The file to write: JSON lines, in ALCE's layout.")],
    count: Annotated[int, typer.Option(min=1, help="Rows.")] = 300,
    seed: Annotated[int, typer.Option(help="What is drawn.")] = 0,
    kind: Annotated[
        list[_Kind] | None,
        typer.Option(help="Give it several times for several [default: all]."),
    ] = None,
    unanswerable: Annotated[
        float, typer.Option(min=0, max=1, help="Share of questions whose evidence is withheld.")
    ] = 0.25,
    entities: Annotated[
        Literal["any", "known", "unseen"], typer.Option(help="What documents are about.")
    ] = "any",
    truth: Annotated[float, typer.Option(min=0, max=1, help="Share of questions about true facts.")] = 0.2,
    names: Annotated[
        Literal["all", "train", "dev", "test"],
        typer.Option(help="Two of train, dev and test share no entity."),
    ] = "all",
) -> None:
    """Write questions with documents, and answers that cite them (seconds).

    Example: selfstudy-atlas cited --count 300 --seed 0 --out cited.jsonl, then
    selfstudy cite eval cited.jsonl
    """
    from selfstudy.atlas.build.cited import KINDS, cited_rows

    rows = cited_rows(
        count,
        seed,
        kinds=[one.value for one in kind] if kind else KINDS,
        unanswerable=unanswerable,
        entities=entities,
        truth=truth,
        names=names,
    )
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise typer.BadParameter(_EXISTS.format(out), param_hint="--out") from None
    except OSError as error:
        raise typer.BadParameter(f"{out}: {error.strerror}", param_hint="--out") from None


def _new(to: Path | None) -> Path | None:
    """A place to write to, unless something is there."""
    if to is not None and (to.is_symlink() or to.exists()) and not (to.is_dir() and not any(to.iterdir())):
        raise typer.BadParameter(_EXISTS.format(to), param_hint="--to")
    return to


def _require_device(name: str) -> None:
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        why = str(error).splitlines()[0]
        raise typer.BadParameter(f"{name}: {why}", param_hint="--device") from None


def _begin(threads: int) -> None:
    import torch

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(threads)


def main() -> None:
    """The entry point of the `selfstudy-atlas` command."""
    try:
        app(prog_name="selfstudy-atlas")
    except SelfstudyError as error:
        sys.exit(f"error: {error}")
