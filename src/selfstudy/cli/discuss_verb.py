"""The verb discuss."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.items import say_failed, say_without
from selfstudy.cli.session import AllowOption, SeedOption, SetOption, app, overrides, session
from selfstudy.errors import RecipeError
from selfstudy.screen import console, say
from selfstudy.text import one_line

if TYPE_CHECKING:
    from collections import Counter

    from selfstudy.progress import Reporter
    from selfstudy.recipe import Recipe
    from selfstudy.verbs.discussing.discussion import Discussion
    from selfstudy.verbs.discussing.measures import DiscussionMeasures
    from selfstudy.verbs.discussing.topics import GivenTopics
    from selfstudy.verbs.kept import KeptFolder
    from selfstudy.verbs.rating.choosing import RatedPair


@app.command(short_help="Two models discuss topics and rate each other; preference pairs of their answers.")
def discuss(
    topics: Annotated[
        Path | None,
        typer.Argument(
            metavar="[TOPICS]",
            help="A .txt of a topic a line, or a .jsonl, .csv, .json or .parquet file.",
            show_default=False,
        ),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A topic, instead of a file; may be given several times."),
    ] = None,
    first: Annotated[
        str | None, typer.Option(metavar="MODEL", help="One of the two; the same as --set model.path=MODEL.")
    ] = None,
    second: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="The other, as --set teacher.path=MODEL [default: the first, at another seed].",
        ),
    ] = None,
    turns: Annotated[int, typer.Option(min=0, max=50, help="Turns of each, before the closing answers.")] = 4,
    turn_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a turn or an answer at most.")] = 128,
    zeta: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the similarity in the reward; 0: the rating alone.")
    ] = 0.5,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep everything here; go on where it stopped [default: discuss/NAME]."
        ),
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write preference pairs as TRL has them (.jsonl).")
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0, help="The better answer must earn more than the other by more than this.")
    ] = 0.0,
    column: Annotated[
        list[str] | None, typer.Option(metavar="topic=COLUMN", help="Where the topics of a table stand.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first topics.")] = None,
    block: Annotated[int, typer.Option(min=1, help="Discussions that advance together.")] = 64,
    seed: SeedOption = None,
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Let two models discuss every topic, answer it before and after, and rate each other's conclusion.

    Each first answers alone; then they speak in turn, each seeing what was said; then each answers again, and
    says of the other's answer from 1 to 10 how good it is and what it lacks. Who opens alternates from topic
    to topic. The better rated answer is preferred (--pairs). The judges are the opponents, and independent of
    nothing: see docs/discussing.md. The same command goes on where it stopped.

    \b
    Examples:
      selfstudy discuss topics.txt --first Qwen/Qwen3-4B --second Qwen/Qwen3-1.7B --pairs pairs.jsonl
      selfstudy discuss questions.csv --column topic=question --first Qwen/Qwen3-4B --limit 200 --turns 2
      selfstudy discuss --topic "Why does ice float on water?" --first Qwen/Qwen3-4B
      selfstudy rate pairs.jsonl --judge ANOTHER-MODEL
    """
    with session(allow):
        from selfstudy.files.rows import SUFFIXES
        from selfstudy.progress import Terminal
        from selfstudy.recipe.file import make_recipe
        from selfstudy.verbs.discussing import pairs as paired
        from selfstudy.verbs.discussing.measures import FILE, measured, write_measures
        from selfstudy.verbs.discussing.topics import given_topics, named_column, read_topics
        from selfstudy.verbs.kept import KeptFolder, require_any
        from selfstudy.verbs.outputs import require_free

        named = named_column(column or [])
        if named is not None and (topics is None or topics.suffix.lower() not in SUFFIXES):
            raise RecipeError(
                "--column is of tables", f"leave it out, or give a file of {', '.join(SUFFIXES)}"
            )
        if (topics is None) == (not topic):
            raise RecipeError("topics are wanted, from one place", "give TOPICS, a file, or --topic TEXT")
        folder = KeptFolder(out or Path("discuss") / (topics.stem if topics else "topic"), block)
        require_free(folder.path / FILE, topics, "give another folder with --out", paired.VERB)
        if pairs is not None:
            paired.require_apart(pairs, folder.path)
            require_free(pairs, topics, "give --pairs another name", paired.VERB)
        recipe = make_recipe({}, overrides(first, seed, set_, teacher=second))
        given = given_topics(topic or [], limit) if topics is None else read_topics(topics, named, limit)
        found = _held(given, recipe, folder, Terminal(), turns=turns, turn_tokens=turn_tokens, zeta=zeta)
        say_failed("broke off", [_in_short(one) for one in found if one.error])
        measures = measured(found, recipe.seed)
        write_measures(folder.path, given, measures)
        _print(measures)
        say(f"discussions and measures: {folder.path}")
        if pairs is not None:
            require_free(pairs, topics, "give --pairs another name", paired.VERB)
            made, without = paired.closing_pairs(found, margin)
            paired.write_pairs(pairs, made)  # without a pair too: those of an earlier command would mislead
            _say_pairs(pairs, made, without)
        require_any("discussions", [one.error for one in found], "--first and --second")
        if pairs is not None:
            paired.require_pairs(made, without)


def _in_short(one: Discussion) -> str:
    """Which discussion broke off and why, in a line."""
    return ": ".join(one_line(text, 120) for text in (one.topic, one.error or ""))


def _held(
    given: GivenTopics,
    recipe: Recipe,
    folder: KeptFolder,
    report: Reporter,
    *,
    turns: int,
    turn_tokens: int,
    zeta: float,
) -> list[Discussion]:
    """Loads the models, and lets them discuss."""
    from selfstudy.models import load_embedder
    from selfstudy.prompts import Prompts
    from selfstudy.run.models import servers_for
    from selfstudy.verbs.discussing.discussion import Discussants
    from selfstudy.verbs.discussing.holding import Holding, blocks_of
    from selfstudy.verbs.discussing.topics import SIDES
    from selfstudy.verbs.voices import LoadedVoices

    say_failed("no topic", given.failed)
    say(f"{len(given.usable):,} topics, {given.repeats:,} repeats, {len(given.failed):,} failed")
    blocks = blocks_of(recipe)
    with servers_for(recipe, report.note) as servers:
        loaded = LoadedVoices(recipe, servers)
        voices = {side: loaded.of(blocks[side]) for side in SIDES}
        way = Discussants(
            lms={side: voice.lm for side, voice in voices.items()},
            prompts=Prompts(recipe.prompts),
            turns=turns,
            turn_tokens=turn_tokens,
            zeta=zeta,
            embedder=load_embedder(recipe.embedder) if zeta else None,
            seed=recipe.seed,
        )
        embedder = recipe.embedder.model_dump_json() if zeta else ""
        told = {side: voice.block for side, voice in voices.items()}
        return Holding(given.usable, way, told, embedder, folder, report).discussions()


def _say_pairs(path: Path, made: Sequence[RatedPair], without: Counter[str]) -> None:
    say(f"preference pairs: {len(made):,} in {path}")
    say_without("discussion", without)
    if made:
        say(f"next: {shlex.join(['selfstudy', 'import', str(path)])} --model MODEL")


def _print(found: DiscussionMeasures) -> None:
    from rich.table import Table

    from selfstudy.verbs.discussing.shown import by_model, of_both
    from selfstudy.verbs.discussing.topics import SIDES

    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for name in ("", *SIDES):
        table.add_column(name, no_wrap=True)
    for name, cells in by_model(found):
        table.add_row(name, *cells)
    for name, cell in of_both(found):
        table.add_row(name, cell, "")
    screen = console()
    screen.width = max(screen.width, 100)  # a table that is cut says nothing
    screen.print(table)
