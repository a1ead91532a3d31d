"""The verb unlearn."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.session import AllowOption, RunFolder, app, session
from selfstudy.errors import RunError
from selfstudy.screen import printable, say
from selfstudy.text import lines_below

if TYPE_CHECKING:
    from selfstudy.loop import Study
    from selfstudy.models.base import LanguageModel
    from selfstudy.verbs.unlearning.cleaning import Cleaned
    from selfstudy.verbs.unlearning.forgetting import ForgettingPlan
    from selfstudy.verbs.unlearning.verifying import AskingAgain, ForgettingFigures


@app.command(short_help="Forget a source: its adapters, records, caches and reports; then check.")
def unlearn(
    run: RunFolder,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="PATTERN",
            help="A file, a folder, a host or a pattern with * and ?, spelled as gather.exclude.",
            show_default=False,
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    rehearsed: Annotated[
        bool,
        typer.Option(
            "--rehearsed",
            help="Train adapters again too that only rehearsed known questions of it.",
        ),
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Ask the forgotten questions again afterwards.")
    ] = True,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="MODEL",
            help="A model that never saw the source [default: the run's model as it came].",
        ),
    ] = None,
    attack: Annotated[
        bool,
        typer.Option("--attack", help="Also teach half of what was forgotten, and see what comes back."),
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    allow: AllowOption = None,
) -> None:
    """Forget what a run has learned from a source.

    Adapters that were taught it alone are deleted; those that hold other sources too are deleted and taught
    again without it.  Evidence, questions, answers, examples, pairs, caches, the index, fetched pages and the
    report lose it; a tombstone stays, without any of its text, and later rounds do not read the source again.
    Your own documents are not touched.  After a kill the same command goes on.

    \b
    Examples:
      selfstudy unlearn runs/today --source contracts/acme.pdf --dry-run
      selfstudy unlearn runs/today --source example.org --yes --attack
      selfstudy unlearn runs/today --source 'docs/2019/*' --against models/without-2019
    """
    with session(allow):
        from selfstudy.loop import Study
        from selfstudy.progress import Terminal
        from selfstudy.run import Run
        from selfstudy.verbs.unlearning import attack as relearning
        from selfstudy.verbs.unlearning import forgetting, verifying

        with Run.open(run, write=not dry_run) as opened:
            plan = forgetting.plan(opened, source, rehearsed=rehearsed)
            if not json_:
                _show(plan)
            if dry_run:
                if json_:
                    say(json.dumps(plan.stone.model_dump(mode="json"), indent=2))
                return
            if not yes and not plan.resumed:
                _confirm(plan)
            report = Terminal()
            with Study(opened, report) as study:
                before = verifying.adapter_hashes(opened)
                cleaned = forgetting.carry_out(opened, plan, study.teach_again, study.report, report)
                figures: ForgettingFigures = {}
                if verify:
                    asking = _asking(study, against)
                    figures = {**verifying.kept(opened, before), **verifying.again(plan.found, asking)}
                    if attack:
                        asked = verifying.to_ask(plan.found)
                        figures |= relearning.attack(asked, asking, opened.recipe, report)
                    forgetting.verified(opened, source, figures)
            if json_:
                say(json.dumps({"cleaned": dict(cleaned.records), "verified": figures}, indent=2))
                return
            _tell(plan, cleaned)
            for line in [
                *verifying.told(figures),
                *relearning.told(figures),
                *forgetting.not_covered(opened),
            ]:
                say(line)


def _asking(study: Study, against: str | None) -> AskingAgain:
    """The model that stands, and one that never saw what is forgotten."""
    from selfstudy.recipe import LocalModel
    from selfstudy.run import standing
    from selfstudy.verbs.unlearning.verifying import AskingAgain

    last = standing.promoted_last(study.run)
    folder = standing.decided(last) if last is not None else None

    def unseen() -> LanguageModel:
        if against is None:
            return study.lm(None, here=True)
        return study.language_models.get(LocalModel(path=against), here=True)

    return AskingAgain(
        now=lambda: study.lm(folder, here=True),  # --attack trains them
        unseen=unseen,
        unseen_name="base" if against is None else against,
        nli=study.evaluator,
        prompts=study.prompts,
        answering=study.recipe.answering,
        key=study.key,
    )


def _show(plan: ForgettingPlan) -> None:
    found, held = plan.found, plan.held
    going_on = " (an interrupted attempt goes on)" if plan.resumed else ""
    say(f"sources: {len(found.sources):,} of {len(found.sources) + found.kept_sources:,}{going_on}")
    for line in lines_below(found.sources, 8).splitlines()[1:]:
        say(line)
    say(f"questions that rest on them: {len(found.questions):,}")
    for name, count in plan.counts.items():
        say(f"{name}: {count:,}")
    if found.also_said:
        say(f"sentences that another source says too, and that stay: {found.also_said:,}")
    say(f"adapters that go: {', '.join(held.dropped) or 'none'}")
    if held.retrained:
        rounds = ", ".join(map(str, held.rounds))
        say(f"adapters that go and are taught again without: {', '.join(held.retrained)} (rounds {rounds})")
    if held.rehearsed:
        say(
            f"adapters that stay, and rehearsed known questions of it: {', '.join(held.rehearsed)} "
            "(what the model knew before; --rehearsed trains them again too)"
        )


def _confirm(plan: ForgettingPlan) -> None:
    """Asks the person at the terminal.

    Raises:
        RunError: there is none.
        Exit: the answer is no.
    """
    if not sys.stdin.isatty():
        raise RunError(
            "nobody can be asked here, so nothing was changed", "add --yes to go on without asking"
        )
    asked = ["This cannot be undone. Forget it?"]
    if plan.all_of_it:
        asked.append("No source of this run would be left. Forget everything?")
    for question in asked:
        if not typer.confirm(printable(question), default=False, err=True):
            say("nothing was changed")
            raise typer.Exit(1)


def _tell(plan: ForgettingPlan, cleaned: Cleaned) -> None:
    total = sum(cleaned.records.values())
    parts = ", ".join(f"{count:,} of {file}" for file, count in sorted(cleaned.records.items()))
    say(f"forgotten: {plan.stone.pattern}; {total:,} records went{f' ({parts})' if parts else ''}")
    if cleaned.quoting:
        say(f"of these {cleaned.quoting:,} quoted it, though they rest on other sources")
    if cleaned.left:
        say(
            f"{len(cleaned.left):,} files in the folder that are none of the run's still quote it:"
            + lines_below([str(path) for path in cleaned.left])
        )
