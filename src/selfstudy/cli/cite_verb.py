"""The verb cite: cited answers evaluated; and what its commands share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.session import AllowOption, SeedOption, SetOption, app, overrides, session
from selfstudy.errors import RecipeError
from selfstudy.screen import say

if TYPE_CHECKING:
    from selfstudy.models.text_vectors import TextVectors
    from selfstudy.recipe import Recipe
    from selfstudy.stats import Interval
    from selfstudy.verbs.citing.evaluating import Evaluation

GPT2_LARGE = "gpt2-large"
"""What published MAUVE figures were made with."""
cite = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.add_typer(
    cite,
    name="cite",
    short_help="Answers with citations: given, and judged.",
    help="""Answers with citations: do the documents that they cite support them?

    \b
    Examples:
      selfstudy cite answer "What is the capital of Fiji?" --model atlas --library atlas
      selfstudy cite eval asqa_answers.json --nli potsawee/deberta-v3-large-mnli
    """,
)

NLIOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="The entailment model; the same as --set nli.path=MODEL. A T5 wants --set nli.type=seq2seq.",
    ),
]
JudgeOption = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="A language model that judges entailment by prompt instead."),
]


def entailment_changes(nli: str | None, judge: str | None) -> list[str]:
    """Changes of a recipe that say what kind of model judges entailment.

    Raises:
        RecipeError: two are named.
    """
    if nli is not None and judge is not None:
        raise RecipeError("--nli and --judge both say what judges entailment", "give one of them")
    if nli in ("none", "lm", "seq2seq", "classifier"):
        raise RecipeError(
            f"--nli {nli}: that is a type of entailment model, and no model",
            "give a folder or Hub id (--set nli.type=seq2seq says that it is a T5), or --judge MODEL",
        )
    return ["nli=lm"] if judge is not None else []


def require_entailment(recipe: Recipe) -> None:
    """Refuses to judge citations without a model.

    Raises:
        RecipeError: there is none.
    """
    from selfstudy.recipe import NoNLI, PromptedNLI

    if isinstance(recipe.nli, NoNLI):
        raise RecipeError("citations are judged by an entailment model", "give --nli MODEL or --judge MODEL")
    if isinstance(recipe.nli, PromptedNLI) and recipe.judge is None:
        raise RecipeError("nli: lm asks a judge, and none is given", "give --judge MODEL")


@cite.command("eval", short_help="Citations, correctness and refusals of answers in a file.")
def evaluate(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Answers in ALCE's layout.", show_default=False)
    ],
    nli: NLIOption = None,
    judge: JudgeOption = None,
    mauve: Annotated[
        bool, typer.Option("--mauve", help="MAUVE of the answers against the references, too.")
    ] = False,
    mauve_model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Whose states it compares; implies --mauve. [default: gpt2-large]"
        ),
    ] = None,
    mauve_resamples: Annotated[
        int, typer.Option(metavar="N", min=2, max=10_000, help="Resamples of items for its interval.")
    ] = 20,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write every answer's statements, citations, and why (.jsonl)."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    seed: SeedOption = None,
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Citation recall and precision, correctness, ROUGE-L, length and Trust-Score of answers in a file.

    FILE has rows (JSON or JSON lines) with "question", "docs" ([{title, text}]), "output" (the answer, which
    cites [1][2]), and what is gold: "qa_pairs" (ASQA), "answers" (QAMPARI), "claims" (ELI5), or nothing.
    Documents that say which gold answers they hold ("answers_found") give a Trust-Score too, and whole
    answers that people wrote ("answer", or "annotations" of ASQA) ROUGE-L.  A row that cannot be used is an
    error and in no mean.

    \b
    Examples:
      selfstudy cite eval asqa_answers.json --nli potsawee/deberta-v3-large-mnli
      selfstudy cite eval asqa_answers.json --nli google/t5_xxl_true_nli_mixture --set nli.type=seq2seq
      selfstudy cite eval answers.jsonl --judge Qwen/Qwen3-4B --out judged.jsonl
      selfstudy cite eval answers.jsonl --nli MODEL --mauve
      selfstudy cite eval answers.jsonl --json > figures.json
    """
    with session(allow):
        from selfstudy.files.rows import read_rows
        from selfstudy.judging.by_sentence import for_citations
        from selfstudy.progress import Terminal
        from selfstudy.recipe.file import make_recipe
        from selfstudy.run.models import servers_for
        from selfstudy.verbs.citing.evaluating import evaluate as evaluated
        from selfstudy.verbs.citing.likeness import with_mauve
        from selfstudy.verbs.citing.outputs import require_free, write_rows
        from selfstudy.verbs.score import LazyModels

        changes = entailment_changes(nli, judge)
        if out is not None:
            require_free(out, file)
        recipe = make_recipe({}, overrides(None, seed, [*changes, *(set_ or [])], nli=nli, judge=judge))
        require_entailment(recipe)
        report = Terminal()
        rows = list(read_rows(file))
        with servers_for(recipe, report.note) as servers:
            # before anything is judged, which a model that cannot be loaded must not cost
            vectors = _vectors(mauve_model or GPT2_LARGE) if mauve or mauve_model else None
            models = LazyModels(recipe, judge is not None, report.note, servers)
            found = evaluated(rows, for_citations(recipe.nli, models.nli), seed=recipe.seed)
            if vectors is not None:
                found = with_mauve(
                    found, vectors.encode, vectors.name, seed=recipe.seed, resamples=mauve_resamples
                )
                _note_mauve(found, mauve_resamples, report.note)
        _say_failed(found)
        if json_:
            say(json.dumps(found.to_dict(), indent=2))
        else:
            _print(found)
        if out is not None:  # after the figures, which a full disk must not cost
            write_rows(out, found)
            report.note(f"every answer: {out}")


def _vectors(model: str) -> TextVectors:
    from selfstudy.models.text_vectors import TextVectors

    return TextVectors(model)


def _note_mauve(found: Evaluation, resamples: int, note: Callable[[str], object]) -> None:
    from selfstudy.verbs.citing.likeness import ENOUGH, FIGURE

    measured = {kind: of[FIGURE] for kind, of in found.counts.items() if FIGURE in of}
    if not measured:
        note("no mauve: it compares answers with references, and no row that was judged has one")
        return
    note(f"mauve by {found.mauve_by}; its intervals are of {resamples:,} resamples")
    for kind, count in measured.items():
        if count < ENOUGH:
            note(f"mauve of {kind} is of {count:,} items: compare it only with figures of as many")


_NAMED = 5
"""Rows that failed, of which the reason is told."""


def _say_failed(found: Evaluation) -> None:
    for row in found.failed[:_NAMED]:
        say(f"{row.place}: {row.error}", err=True)
    if found.failed:
        say(f"{len(found.failed):,} of {len(found.rows):,} rows failed, and are in no figure", err=True)
    cut = sum(row.cut for row in found.judged)
    if cut:
        say(f"of {cut:,} answers only the first line is judged, as published", err=True)


def _print(found: Evaluation) -> None:
    from rich.table import Table

    from selfstudy.screen import console

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for kind in found.kinds:
        table.add_column(f"{kind} ({found.count(kind):,})", justify="right")
    several = len(found.kinds) > 1
    for name in ("macro", "weighted") if several else ():
        table.add_column(name, justify="right")
    for name in dict.fromkeys(name for of in found.kinds.values() for name in of):
        cells = [_cell(name, of.get(name), bounds=not several) for of in found.kinds.values()]
        means = [f"{of[name]:.3f}" if name in of else "" for of in (found.macro, found.weighted) if several]
        table.add_row(name, *cells, *means)
    console().print(table)
    where = "--json has the 95% intervals" if several else "in brackets: 95% intervals over items"
    say(f"entailment by {found.entailment}; {where}")
    if found.rewarded_by:
        rewarded = f"answers are of a model that was trained on rewards by {' and '.join(found.rewarded_by)}"
        same = found.entailment in found.rewarded_by
        say(f"{rewarded}: " + ("it judges here too, and flatters it" if same else "another one judges here"))
    for kind, name, count in found.partial:
        say(f"{name} of {kind}: {count:,} of {found.count(kind):,} items, which have a reference")
    if (of := found.trust) is not None:
        say(
            f"Trust-Score {of.trust_score:.3f}: grounded refusal {of.grounded_refusal:.3f} (refusing "
            f"{of.refusal.f1:.3f}, answering {of.answering.f1:.3f}), answers {of.correctness.f1:.3f}, "
            f"citations {of.citations.f1:.3f}; answered {of.answered_ratio:.3f} of {found.trusted:,} items"
        )


def _cell(name: str, value: Interval | None, *, bounds: bool) -> str:
    """A mean, and its interval where the screen has room for that."""
    if value is None:
        return ""
    digits = 1 if name == "length" else 3
    also = f" ({value.low:.{digits}f} to {value.high:.{digits}f})" if bounds else ""
    return f"{value.value:.{digits}f}{also}"
