"""The verb cite: questions answered from documents, with citations."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.cite_verb import JudgeOption, NLIOption, cite, entailment_changes, require_entailment
from selfstudy.cli.items import counted, say_failed
from selfstudy.cli.session import AllowOption, ModelOption, SeedOption, SetOption, overrides, session
from selfstudy.errors import ModelError, RecipeError
from selfstudy.screen import Growing, say

if TYPE_CHECKING:
    from selfstudy.library.retriever import Retriever
    from selfstudy.progress import Reporter
    from selfstudy.recipe import Recipe
    from selfstudy.verbs.citing.answering import Answering
    from selfstudy.verbs.citing.questions import CitedQuestion

PASSAGE = 128
"""Tokens of a passage, about ALCE's 100 words; `gather.chunk_tokens` of a recipe has long ones."""


@cite.command(short_help="Answers from documents, with citations.")
def answer(
    question: Annotated[
        str | None, typer.Argument(metavar="[QUESTION]", help="One question.", show_default=False)
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Many: a .txt of a question a line, or a .jsonl, .csv, .json or .parquet."
        ),
    ] = None,
    library: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Where documents are found: a folder, a file, atlas, an address."),
    ] = None,
    model: ModelOption = None,
    adapter: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What was taught: an adapter of the model, or a whole model."),
    ] = None,
    documents: Annotated[int, typer.Option(min=1, max=100, help="Shown for a question at most.")] = 5,
    listed: Annotated[
        bool, typer.Option("--list", help="Ask for a list, with commas between items.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Judge every statement; --nli and --judge mean it too.")
    ] = False,
    nli: NLIOption = None,
    judge: JudgeOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The answers to --questions (.jsonl) [default: NAME OF FILE.answers.jsonl]."
        ),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Tokens of an answer at most.")] = 200,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0 is greedy.")] = 0.0,
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keeps the index of a large library [default: it is made each time]."
        ),
    ] = None,
    block: Annotated[int, typer.Option(min=1, help="Questions answered between two writes.")] = 32,
    seed: SeedOption = None,
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Answer from the documents that fit a question best, citing them like [1]; or refuse, in one sentence.

    Without a document nothing is asked: the answer is the refusal. Rows of FILE that bring "docs" are
    answered from these, unless there is a --library; what else they hold, such as what is gold, is kept, and
    selfstudy cite eval reads the answers. The same command goes on where it stopped.

    Checked (--check), a statement that is not supported by what it cites is marked, and where none is, the
    answer becomes the refusal.

    \b
    Examples:
      selfstudy cite answer "What is the capital of Fiji?" --model atlas --library atlas
      selfstudy cite answer "Who may sign?" --model Qwen/Qwen3-4B --library docs --adapter out/adapter
      selfstudy cite answer --questions asqa.json --model Qwen/Qwen3-4B --out answers.jsonl
      selfstudy cite answer --questions q.txt --library docs --model Qwen/Qwen3-4B --judge Qwen/Qwen3-4B
    """
    with session(allow):
        from selfstudy.models.counting import require_here
        from selfstudy.progress import Terminal
        from selfstudy.recipe.file import make_recipe
        from selfstudy.verbs.citing.outputs import require_free
        from selfstudy.verbs.citing.questions import given_question, read_questions
        from selfstudy.verbs.citing.training import rewarded_by

        if (question is None) == (questions is None):
            raise RecipeError(
                "questions are wanted, from one place", 'give "QUESTION", or --questions FILE of many'
            )
        changes = [f"library={json.dumps(library)}"] if library is not None else []
        changes += overrides(
            model, seed, [*entailment_changes(nli, judge), *(set_ or [])], nli=nli, judge=judge
        )
        recipe = taught(make_recipe({"gather": {"chunk_tokens": PASSAGE}}, changes), adapter)
        checking = check or nli is not None or judge is not None
        if checking:
            require_entailment(recipe)
        require_here(recipe.language_models.values())
        report = Terminal()
        if questions is None:
            if out is not None:
                raise RecipeError("--out is for many questions", "leave it out, or give --questions FILE")
            if recipe.library is None:
                raise RecipeError(_NO_LIBRARY, "give --library DIR (or atlas)")
            asked = given_question(question or "", listed=listed)
        else:
            target = out or Path(f"{questions.stem}.answers.jsonl")
            require_free(target, questions, "cite answer")
            many = read_questions(questions, listed=listed, finding=recipe.library is not None)
        with _opened(recipe, report, index, checking=checking) as (way, told):
            way = replace(
                way,
                documents=documents,
                sampling=replace(way.sampling, temperature=temperature, max_new_tokens=max_new_tokens),
            )
            if questions is None:
                _say_answer(way, asked)
            else:
                learned = adapter or Path(getattr(recipe.model, "path", ""))
                _answer_all(way, told, many, target, block, report, rewarded_by(learned))


_NO_LIBRARY = "there is no library to find documents in"


def taught(recipe: Recipe, adapter: Path | None) -> Recipe:
    """The recipe with what was taught in the place of its model.

    Raises:
        RecipeError: no model was chosen.
        ModelError: there is no such adapter, or the model takes none.
    """
    from selfstudy.models.taught import is_complete
    from selfstudy.recipe import LocalModel, ServerModel
    from selfstudy.run.models import as_taught

    if "model" not in recipe.model_fields_set:
        raise RecipeError(
            "no model was chosen to answer", "give --model MODEL (a folder, a Hub id, or atlas)"
        )
    if adapter is None:
        return recipe
    if not isinstance(recipe.model, LocalModel | ServerModel):
        raise ModelError(f"a {recipe.model.type} model takes no adapter", "leave out --adapter")
    folder = adapter.expanduser().absolute()
    if not is_complete(folder):
        raise ModelError(
            f"no adapter in {adapter}: it has no adapter_config.json with its weights, and no whole model",
            "give the folder that a training wrote, such as runs/x/rounds/1/adapter",
        )
    return recipe.model_copy(update={"model": as_taught(recipe.model, folder)})


@contextmanager
def _opened(
    recipe: Recipe, report: Reporter, index: Path | None, *, checking: bool
) -> Iterator[tuple[Answering, dict[str, object]]]:
    """Who answers, and what tells them from others: library, model and judge, each opened once."""
    from selfstudy.judging.by_sentence import for_citations
    from selfstudy.models.base import Sampling
    from selfstudy.prompts import Prompts
    from selfstudy.run.models import servers_for
    from selfstudy.verbs.citing.answering import Answering
    from selfstudy.verbs.score import LazyModels

    if recipe.judge == recipe.model:  # it judges itself, and is loaded once
        recipe = recipe.model_copy(update={"judge": None})
    told = {
        "model": recipe.model.model_dump_json(),
        "nli": recipe.nli.model_dump_json() if checking else "",
        "judge": recipe.judge.model_dump_json() if checking and recipe.judge is not None else "",
    }
    with _library(recipe, report, index) as (library, name), servers_for(recipe, report.note) as servers:
        models = LazyModels(recipe, True, report.note, servers)
        way = Answering(
            models.lm,
            Prompts(recipe.prompts),
            library,
            documents=5,
            sampling=Sampling(temperature=0.0, seed=recipe.seed),
            entailment=for_citations(recipe.nli, models.nli) if checking else None,
        )
        yield way, {**told, "library": name}


@contextmanager
def _library(recipe: Recipe, report: Reporter, index: Path | None) -> Iterator[tuple[Retriever | None, str]]:
    """What finds documents, and what tells it from others; None: there is no library."""
    from selfstudy.recipe.library import without_fetching
    from selfstudy.records import digest
    from selfstudy.verbs.try_library import opened

    if recipe.library is None:
        yield None, ""
        return
    with opened(recipe, report, index, keeps_index=True) as tried:
        found = tried.contents
        for note in found.notes:
            report.note(note)
        say_failed("not used", [f"{one.source}: {one.reason}" for one in found.skipped])
        name = digest(*(part for one in found.documents for part in (one.id, one.title)))
        if recipe.library.searched:
            asked = without_fetching(recipe.library.model_dump(mode="json"))
            name = digest(name, json.dumps(asked, sort_keys=True))
        embedder = recipe.embedder.path if recipe.gather.hybrid else "words"
        yield tried.retriever, f"{name}, {recipe.gather.chunk_tokens} tokens, {embedder}"
        for line in tried.sources.searched():
            report.note(line)


def _say_answer(way: Answering, question: CitedQuestion) -> None:
    """One question: its answer, while it is written where that can be, and its sources."""
    from selfstudy.verbs.citing import shown
    from selfstudy.verbs.kept import require_any

    growing = Growing()
    # what is still to be judged is shown when it is
    found = way.stream(question, growing.show if way.entailment is None else lambda text: None)
    require_any("answers", [found.error], "--model")
    growing.end(shown.text(found))
    lines = list(shown.below(found))
    if found.unshown:
        lines.append(f"{counted(found.unshown, 'document')} less was shown: the model reads no more")
    if lines:
        say()
    for line in lines:
        say(line)


def _answer_all(
    way: Answering,
    told: dict[str, object],
    questions: list[CitedQuestion],
    out: Path,
    block: int,
    report: Reporter,
    rewarded_by: tuple[str, ...],
) -> None:
    """Many: into a file, with what a person should know of them."""
    from selfstudy.verbs.citing import shown
    from selfstudy.verbs.citing.answering import answer_all
    from selfstudy.verbs.citing.outputs import write_answers
    from selfstudy.verbs.kept import KeptFolder, require_any

    folder = KeptFolder(out.with_name(f"{out.name}.kept"), block)
    answers = answer_all(questions, way, told, folder, report)
    pairs = zip(questions, answers, strict=True)
    say_failed("no answer", [f"{one.place}: {found.error}" for one, found in pairs if found.error])
    write_answers(out, questions, answers, way.lm.name, rewarded_by)
    for line in shown.summary(answers):
        say(line)
    require_any("answers", [one.error for one in answers], "--model")
    say(f"answers: {out}")
    say(f"next: {shlex.join(['selfstudy', 'cite', 'eval', str(out)])} --nli MODEL")
