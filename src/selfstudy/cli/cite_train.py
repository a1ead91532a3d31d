"""The verb cite: training to cite, one stage at a time."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from selfstudy.cli.cite_verb import JudgeOption, NLIOption, cite, entailment_changes, require_entailment
from selfstudy.cli.session import AllowOption, ModelOption, SeedOption, SetOption, overrides, session
from selfstudy.errors import RecipeError
from selfstudy.screen import say

if TYPE_CHECKING:
    from selfstudy.judging.cited_items import CitedKind
    from selfstudy.progress import Reporter
    from selfstudy.verbs.citing.training import CiteStage, CiteTraining

_LEVELS = ("fine", "holistic", "random")


@cite.command(short_help="Trains a model to cite: distill, rejection, ppo or grpo.")
def train(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Questions in ALCE's layout.", show_default=False)
    ],
    stage: Annotated[
        str, typer.Option(help="distill, rejection, ppo or grpo.", metavar="STAGE", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="A folder for what is trained.", show_default=False)
    ],
    model: ModelOption = None,
    before: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="The --out of the stage before: it goes on from that."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND", help="Only asqa, qampari, eli5 or plain questions; several may be given."
        ),
    ] = None,
    level: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="Rewards: fine [default], holistic, or random as a control."),
    ] = None,
    nli: NLIOption = None,
    judge: JudgeOption = None,
    seed: SeedOption = None,
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Trains a model to cite what its documents say, and to refuse what they do not.

    FILE has rows (JSON or JSON lines) with "question", "docs" ([{title, text, answers_found}]), and what is
    gold: "qa_pairs" (ASQA), "answers" (QAMPARI) or "claims" (ELI5). Without "answers_found" nothing is earned
    for refusing. Stages, each from the one before (--from):

    \b
      distill     learns the answers in "output", as a stronger model gave them
      rejection   answers itself, and learns the best of its answers
      ppo, grpo   answers, earns rewards for each statement and citation, and learns, step by step

    Statements and citations are judged by --nli or --judge. Judge the result by another one: a model that is
    rewarded by an entailment model learns its mistakes too. A killed training goes on with the same command.

    \b
    Examples:
      selfstudy cite train asqa.json --stage distill --model Qwen/Qwen3-0.6B --out distilled
      selfstudy cite train asqa.json --stage rejection --from distilled --out sampled --nli MODEL
      selfstudy cite train asqa.json --stage ppo --from sampled --out trained --nli MODEL
      selfstudy cite train asqa.json --stage grpo --model atlas --out out --set teach.grpo.steps=50
    """
    with session(allow):
        from selfstudy.progress import Terminal
        from selfstudy.recipe.file import make_recipe
        from selfstudy.verbs.citing.training import STAGES, CiteTraining, following

        phase = STAGES.get(cast("CiteStage", stage))
        if phase is None:
            raise RecipeError(f"--stage {stage}: there is none", f"take {', '.join(STAGES)}")
        changes = [f"teach.method={phase}", *entailment_changes(nli, judge), *(set_ or [])]
        if level is not None:
            _require_level(level, stage)
            changes.append(f"teach.{phase}.reward.level={level}")
        recipe = make_recipe({}, overrides(model, seed, changes, nli=nli, judge=judge))
        told = None
        if before is not None:
            recipe, told = following(recipe, before, chosen=model is not None)
        elif model is None and not any(one.startswith("model") for one in set_ or []):
            raise RecipeError("no model to train", "give --model MODEL, or --from DIR of a stage before")
        if stage != "distill":
            require_entailment(recipe)
        report = Terminal()
        training = CiteTraining(
            cast("CiteStage", stage), recipe, file, out, report, _kinds(kind or []), before=told
        )
        if training.is_done():
            report.note(f"{out} was trained already, with the same settings")
        else:
            _train(training, report)
        _say_next(training)


def _train(training: CiteTraining, report: Reporter) -> None:
    from selfstudy.judging.by_sentence import for_citations
    from selfstudy.models import load_lm
    from selfstudy.run.models import servers_for
    from selfstudy.verbs.score import LazyModels

    with servers_for(training.recipe, report.note) as servers:
        models = LazyModels(training.recipe, True, report.note, servers)
        training.run(load_lm(training.recipe.model), lambda: for_citations(training.recipe.nli, models.nli))


def _require_level(level: str, stage: str) -> None:
    if level not in _LEVELS:
        raise RecipeError(f"--level {level}: there is none", f"take {', '.join(_LEVELS)}")
    if stage == "distill":
        raise RecipeError("--level is of rewards, and distill has none", "leave it out")


def _kinds(names: list[str]) -> tuple[CitedKind, ...]:
    from selfstudy.judging.cited_items import CitedKind

    for name in names:
        if name not in get_args(CitedKind):
            raise RecipeError(f"--kind {name}: there is none", f"take {', '.join(get_args(CitedKind))}")
    return cast("tuple[CitedKind, ...]", tuple(names))


def _say_next(training: CiteTraining) -> None:
    """What came of it, and what to do with it."""
    from selfstudy.verbs.citing.training import ADAPTER, MODEL, curve, lineage

    steps = [one["metrics"] for one in curve(training.out)]
    told = lineage(training.out)
    if steps and "reward" in steps[0]:
        tenth = max(1, len(steps) // 10)
        first, last = (
            sum(one["reward"] for one in part) / len(part) for part in (steps[:tenth], steps[-tenth:])
        )
        say(f"mean reward of an answer: {first:+.3f} in the first steps, {last:+.3f} in the last")
    if told.rewarded_by:
        say(f"rewarded by {' and '.join(told.rewarded_by)}: judge the result by another entailment model")
    whole = (training.out / MODEL).is_dir()
    where = ["--model", str(training.out / MODEL)] if whole else ["--adapter", str(training.out / ADAPTER)]
    model = [] if whole else ["--model", told.model.path]
    words = ["selfstudy", "cite", "answer", "--questions", str(training.data), *model, *where]
    say(f"next: {shlex.join(words)}")
