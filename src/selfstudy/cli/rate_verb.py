"""The verb rate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selfstudy.cli.session import AllowOption, SeedOption, SetOption, app, overrides, session
from selfstudy.errors import RecipeError
from selfstudy.screen import say

if TYPE_CHECKING:
    from selfstudy.progress import Reporter
    from selfstudy.recipe import Recipe
    from selfstudy.verbs.rate import JudgeSource, RateOptions
    from selfstudy.verbs.rating.audit import OrderFigures


@app.command(short_help="Any completions to preference pairs, by what they lack.")
def rate(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A .jsonl, .json, .csv or .parquet file.", show_default=False),
    ],
    judge: Annotated[
        str | None,
        typer.Option("--judge", metavar="MODEL", help="Who judges; the same as --set judge.path=MODEL."),
    ] = None,
    reward: Annotated[
        list[str] | None,
        typer.Option(
            "--reward",
            metavar="NAME",
            help="May be given several times; pairs are made of the first [default: missing].",
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Put missing, rating, rubric and random side by side.")
    ] = False,
    zeta: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the similarity in the reward missing.")
    ] = 0.5,
    margin: Annotated[
        float, typer.Option(min=0, help="The best answer must earn more than the worst by more than this.")
    ] = 0.0,
    at_once: Annotated[
        int | None,
        typer.Option("--criteria-per-call", min=1, help="Criteria of one call [default: all of an answer]."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The pairs, as JSON lines [default: NAME OF FILE.pairs.jsonl]."),
    ] = None,
    layout: Annotated[
        Literal["trl", "llama-factory", "axolotl"], typer.Option("--format", help="Who is to train on them.")
    ] = "trl",
    audit: Annotated[
        bool, typer.Option("--audit", help="Also: bias for place and length, and what bad answers earn.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write what a person is to judge (.csv, .jsonl)."),
    ] = None,
    judged: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Take such a file, judged, as the judge.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where judgements are kept [default: OUT.judgements.sqlite]."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Prompts of your own; the same as --set prompts=DIR."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    seed: SeedOption = None,
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Make preference pairs of any completions: a judge values each answer, the best beats the worst.

    A row of FILE is {prompt, completions}, {prompt, completion} (rows of one prompt belong together) or
    {prompt, chosen, rejected}; `correct` says which are right, `gold`, `claims` and `contradictions` hold the
    rubric.  Ties, identical answers and what the judge said nothing readable about make no pair and are
    counted; OUT.judged.jsonl has every reward with its sentence.  The same command goes on after a kill.

    \b
    missing          a rating from 1 to 10, and how near the answer is to what it lacks (--zeta)
    rating           the rating alone, of the same replies
    rubric           the share of the criteria that are met, by weight
    rubric-implicit  a rating with the criteria in view
    random           the control: what trains as well as this taught nothing

    \b
    Examples:
      selfstudy rate answers.jsonl --judge Qwen/Qwen3-4B
      selfstudy rate answers.jsonl --judge Qwen/Qwen3-4B --compare --audit
      selfstudy rate answers.jsonl --judge Qwen/Qwen3-4B --reward rubric --margin .2 --format axolotl
      selfstudy rate answers.jsonl --export sheet.csv
      selfstudy rate answers.jsonl --import sheet.csv
    """
    with session(allow):
        from selfstudy.progress import Terminal
        from selfstudy.recipe.file import make_recipe
        from selfstudy.verbs.rate import RateOptions
        from selfstudy.verbs.rating import outputs

        folder = [f"prompts={json.dumps(str(prompts))}"] if prompts is not None else []
        recipe = make_recipe({}, [*folder, *overrides(None, seed, set_, judge=judge)])
        names = _names(reward or [], compare)
        if at_once is not None and (export is not None or judged is not None):
            raise RecipeError(
                "--criteria-per-call is for a model that judges: a sheet has all criteria in one row",
                "leave it out",
            )
        if export is not None:
            _export(file, export, names[0], recipe)
            return
        if judged is not None and judge is not None:
            raise RecipeError("--judge and --import both judge", "give one of them")
        block = recipe.answering.block_size
        options = RateOptions(names, zeta, margin, at_once, block, recipe.seed)
        target = out or Path(f"{file.stem}.pairs.jsonl")
        report = Terminal()
        kept = cache or target.with_name(f"{target.name}.judgements.sqlite")
        outputs.require_apart(kept, file, target, outputs.judged_beside(target))
        with _judges(judged, recipe, kept, report) as source:
            _rate(file, target, layout, options, source, report, audit=audit, json_=json_)


def _names(given: Sequence[str], compare: bool) -> tuple[str, ...]:
    """The rewards, that of the pairs first.

    Raises:
        RecipeError: there is none of that name.
    """
    from selfstudy.verbs.rate import COMPARED, REWARDS

    for name in given:
        if name not in REWARDS:
            raise RecipeError(f"no reward named {name!r}", f"take one of {', '.join(REWARDS)}")
    return tuple(dict.fromkeys([*given, *(COMPARED if compare else [] if given else COMPARED[:1])]))


def _export(file: Path, sheet: Path, reward: str, recipe: Recipe) -> None:
    from selfstudy.prompts import Prompts
    from selfstudy.verbs.rating import outputs, sheets
    from selfstudy.verbs.rating.given import read_given

    if reward == "random":
        raise RecipeError("nobody judges for the reward random", "name another one with --reward")
    outputs.require_absent(sheet)
    given = read_given(file)
    rows = sheets.sheet_rows(given.prompts, reward, Prompts(recipe.prompts))
    outputs.write(sheet, sheets.encoded(rows, sheet.suffix))
    say(f"wrote {sheet}: {len(rows):,} answers to judge")
    if left := given.answers - len(rows):
        say(f"left out: {left:,} answers without a rubric")
    say(f"then: selfstudy rate {file} --reward {reward} --import {sheet}")


@contextmanager
def _judges(judged: Path | None, recipe: Recipe, cache: Path, report: Reporter) -> Iterator[JudgeSource]:
    """Who judges: a file, or a model."""
    from selfstudy.run.models import servers_for
    from selfstudy.verbs.rate import PromptedJudges, SheetJudge
    from selfstudy.verbs.rating.sheets import JudgedSheet

    if judged is not None:
        sheet = JudgedSheet(judged)
        for place, why in sheet.unread[:5]:
            report.note(f"{judged}, {place}: {why}")
        yield SheetJudge(sheet, recipe)
        return
    with servers_for(recipe, report.note) as servers:
        source = PromptedJudges(recipe, cache, servers)
        try:
            yield source
        finally:
            source.close()


def _rate(
    file: Path,
    out: Path,
    layout: str,
    options: RateOptions,
    source: JudgeSource,
    report: Reporter,
    *,
    audit: bool,
    json_: bool,
) -> None:
    from selfstudy.cli.rate_table import print_audit, print_columns, say_given
    from selfstudy.verbs import rate as rating
    from selfstudy.verbs.rating import outputs
    from selfstudy.verbs.rating.given import read_given
    from selfstudy.verbs.rating.layouts import row_of

    judged = outputs.judged_beside(out)
    for path in (out, judged):
        outputs.require_free(path, file)
    given = read_given(file)
    if not json_:
        say_given(given)
    columns = rating.rate(given, options, source, report)
    first = columns[0]
    outputs.write(judged, outputs.lines(outputs.judged_rows(given, {c.name: c.rewards for c in columns})))
    if not first.pairs:
        outputs.remove(out, file)
    rating.require_scored(first)
    orders: OrderFigures | None = None
    if audit:
        columns = [rating.audited(column, given, options, source, report) for column in columns]
        orders = rating.both_orders(first, options, source, report) if first.pairs else None
    if json_:
        say(json.dumps(rating.figures(columns, orders), indent=2))
    else:
        print_columns(columns)
        if audit:
            print_audit(columns, orders)
    rating.require_pairs(first)
    outputs.write(out, outputs.lines([row_of(pair, layout, first.name) for pair in first.pairs]))
    report.note(f"wrote {out}: {len(first.pairs):,} pairs by {first.name}; {judged.name} says why")
