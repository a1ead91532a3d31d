"""Verbs about models and the machine: doctor, estimate, chat, export."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selfstudy.cli.session import (
    AllowOption,
    ModelOption,
    RecipeFile,
    SetOption,
    app,
    load,
    overrides,
    session,
)
from selfstudy.screen import say

if TYPE_CHECKING:
    from selfstudy.recipe import Recipe
    from selfstudy.verbs.estimate import Estimate

MEASURE_SECONDS = 5.0
MeasureOption = Annotated[
    bool, typer.Option("--measure/--no-measure", help="Load the model and ask it for some seconds.")
]


@app.command(short_help="Check the installation and the machine.")
def doctor(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="Also check what this recipe needs.")
    ] = None,
    model: ModelOption = None,
    set_: SetOption = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Also load the model and ask it some trivial questions.")
    ] = False,
    allow: AllowOption = None,
) -> None:
    """Check Python, packages, memory, disk, accelerator and the embedded models; say what to fix and how.

    With a recipe: its models, engines, servers, keys and library too. Nothing is loaded or downloaded.
    With --model or --ask the model is loaded and asked some trivial questions, as at the start of a run.

    \b
    Examples:
      selfstudy doctor
      selfstudy doctor my.yaml
      selfstudy doctor my.yaml --ask
      selfstudy doctor --model Qwen/Qwen3-0.6B
      selfstudy doctor --model ./base-model --set model.prompt=completion
    """
    with session(allow):
        from selfstudy.verbs.doctor import examine

        changes = overrides(model, None, set_)
        failed = 0
        for finding in examine(Path.cwd(), recipe, changes):
            say(str(finding))
            failed += finding.state == "fail"
        if ask or model is not None:
            failed += _tried(recipe, changes)
        if failed:
            raise typer.Exit(1)


def _tried(recipe: Path | None, changes: list[str]) -> int:
    """Prints what a recipe's models say to trivial questions; how many of them cannot be worked with."""
    from selfstudy.recipe.file import load_recipe
    from selfstudy.verbs.try_model import examine_models

    asked = load_recipe(recipe, changes if recipe else ["library=atlas", *changes])
    failed = 0
    for finding in examine_models(asked, partial(say, err=True)):
        say(str(finding))
        failed += finding.state == "fail"
    return failed


@app.command(short_help="What a recipe will ask, how long it takes, what it costs.")
def estimate(
    recipe: RecipeFile,
    model: ModelOption = None,
    set_: SetOption = None,
    measure: MeasureOption = True,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, help="How long to measure.")
    ] = MEASURE_SECONDS,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    allow: AllowOption = None,
) -> None:
    """Tell how many calls and tokens each stage of a recipe needs, how long they take and what they cost.

    The model is asked for 5 seconds to see how fast it is and how long its answers are. A remote model may
    charge for that; --no-measure asks nothing.

    \b
    Examples:
      selfstudy estimate my.yaml
      selfstudy estimate my.yaml --no-measure --json
      selfstudy estimate my.yaml --set probe.samples=5
    """
    with session(allow):
        show_estimate(load(recipe, overrides(model, None, set_)), seconds if measure else 0.0, as_json=json)


def show_estimate(recipe: Recipe, seconds: float, *, as_json: bool = False) -> None:
    """Prints the estimate of a recipe, measured for so many seconds (0: not at all)."""
    from selfstudy.library.open import open_here
    from selfstudy.models.counting import chat_counter, require_here
    from selfstudy.prompts import Prompts
    from selfstudy.run.models import block_of, servers_for
    from selfstudy.verbs.estimate import estimate as figure
    from selfstudy.verbs.measuring import measure_recipe

    require_here(recipe.language_models.values())
    documents = open_here(recipe.library, follow_links=recipe.gather.follow_links).documents
    prompts = Prompts(recipe.prompts)
    measured = None
    if seconds:
        say(f"asking the model for about {seconds:g} s, then scoring and training a little", err=True)
        with servers_for(recipe, partial(say, err=True)) as servers:
            measured = measure_recipe(recipe, documents, prompts, seconds, servers)
    counter = chat_counter(block_of(recipe, "probe"))
    found = figure(recipe, documents, prompts, counter, measured)
    if as_json:
        import json
        from dataclasses import asdict

        rows = [asdict(row) for row in found.rows]
        say(json.dumps({"stages": rows, "assumed": list(found.assumed)}, indent=2))
        return
    for line in _table(found):
        say(line)


def _table(found: Estimate) -> list[str]:
    """The rows and their sums, in columns."""
    from selfstudy.progress import duration

    timed = any(row.seconds is not None for row in found.rows)
    priced = any(row.cost is not None for row in found.rows)
    head = ["stage", "calls", "prompt tokens", "completion tokens"]
    head += (["time"] if timed else []) + (["cost"] if priced else []) + ["model"]
    rows = []
    for row in found.rows:
        cells = [row.stage, f"{row.calls:,}", f"{row.prompt_tokens:,}", f"{row.completion_tokens:,}"]
        cells += [duration(row.seconds or 0.0)] if timed else []
        cells += [f"{row.cost:,.2f} {row.currency}" if row.cost is not None else "-"] if priced else []
        rows.append([*cells, row.model])
    sums = [sum(getattr(r, n) for r in found.rows) for n in ("calls", "prompt_tokens", "completion_tokens")]
    total = ["total", *(f"{value:,}" for value in sums)]
    total += [duration(sum(row.seconds or 0.0 for row in found.rows))] if timed else []
    currencies = {row.currency for row in found.rows if row.cost is not None}
    cost = f"{sum(row.cost or 0.0 for row in found.rows):,.2f} {' + '.join(sorted(currencies))}"
    total += [cost] if priced else []
    table = [head, *rows, [*total, ""]]
    widths = [max(len(line[i]) for line in table) for i in range(len(head))]
    last = len(head) - 1
    lines = [
        "  ".join(
            cell.ljust(width) if i in (0, last) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]
    return [*lines, "", *found.assumed]


@app.command(short_help="Talk to a model, or to a run: before and after.")
def chat(
    place: Annotated[
        str, typer.Argument(metavar="MODEL_OR_RUN", help="A model folder, a Hub id, or a run directory.")
    ],
    compare: Annotated[
        bool, typer.Option("--compare", help="Base and taught model of a run, side by side.")
    ] = False,
    temperature: Annotated[float, typer.Option("--temperature", min=0, max=2, help="0 is greedy.")] = 0.0,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1)] = 256,
    prompt: Annotated[
        Literal["auto", "chat", "completion"] | None,
        typer.Option("--prompt", help="How to ask it: by its chat template, or as plain text with examples."),
    ] = None,
    allow: AllowOption = None,
) -> None:
    """Talk to a model in the terminal, a line at a time; an empty line or Ctrl-D ends it, /new begins again.

    A run answers with its taught model, if one was promoted, and shows what it knows about the question
    nearest to yours: score, verdict, evidence. Lines may also come from a pipe.

    \b
    Examples:
      selfstudy chat atlas
      selfstudy chat runs/demo --compare
      echo "What is the capital of Fiji?" | selfstudy chat runs/demo --compare
    """
    with session(allow):
        import io
        import shutil
        import sys

        from selfstudy.models.server.servers import Servers
        from selfstudy.text import clean
        from selfstudy.verbs.chat import open_talk

        note = partial(say, err=True)
        if isinstance(sys.stdin, io.TextIOWrapper):  # what is no text in a pipe is no fault of ours
            sys.stdin.reconfigure(errors="replace")
        with Servers(say=note) as servers:
            talk = open_talk(
                place,
                compare=compare,
                temperature=temperature,
                max_new_tokens=max_new_tokens,
                prompt=prompt,
                servers=servers,
            )
            for line in talk.notes:
                note(line)
            typed = sys.stdin.isatty()
            while True:
                try:
                    line = clean(input("> ") if typed else sys.stdin.readline())
                except (EOFError, KeyboardInterrupt):
                    break
                if not line.strip():
                    if typed or not line:  # in a pipe an empty line is only that
                        break
                    continue
                if not typed:
                    say(f"> {line.strip()}")
                for shown in talk.answer(line.strip(), shutil.get_terminal_size().columns):
                    say(shown)
                say("")


@app.command(short_help="A taught adapter as a GGUF file, for llama.cpp.")
def export(
    place: Annotated[
        Path,
        typer.Argument(metavar="RUN_OR_ADAPTER", help="A run directory, or an adapter.", show_default=False),
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The new file; its name ends in .gguf.", show_default=False)
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="Whose adapter it is: a folder, a Hub id or a .gguf file [default: the run's]."
        ),
    ] = None,
) -> None:
    """Write the adapter that a run has promoted as a GGUF file, which llama.cpp serves beside the model.

    A model taught as a GGUF file is served as that same file; one from safetensors as what llama.cpp's
    convert_hf_to_gguf.py makes of it. deploy: merged and teach.finetuning: full promote a whole
    model instead, in safetensors. deploy: dynamic promotes several adapters: name the folder of one.

    \b
    Examples:
      selfstudy export runs/today today.gguf
      selfstudy export runs/today/rounds/1/adapter today.gguf --model model.gguf
    """
    with session():
        from selfstudy.verbs.export import export as write

        write(place, file, model, say)
