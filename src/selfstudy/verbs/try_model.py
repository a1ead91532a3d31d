"""Can the models of a recipe be worked with?  The smoke check, for the doctor: loads each and asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from selfstudy.errors import SelfstudyError
from selfstudy.models import load_lm
from selfstudy.models.server.servers import Servers
from selfstudy.prompts import Prompts
from selfstudy.recipe import ModelBlock, Recipe
from selfstudy.run.models import block_of, servers_for
from selfstudy.smoke import check
from selfstudy.verbs.doctor import Finding


def examine_models(recipe: Recipe, say: Callable[[str], object]) -> Iterator[Finding]:
    """A finding for each model that answers questions: the one that is probed, and the one that reads.

    Args:
        say: told when an engine is started.
    """
    answering = {"probe": block_of(recipe, "probe"), "gather": block_of(recipe, "gather")}
    blocks = {block.model_dump_json(): block for block in reversed(answering.values())}
    with servers_for(recipe, say) as servers:
        for block in reversed(blocks.values()):
            yield _examined(recipe, block, servers)


def _examined(recipe: Recipe, block: ModelBlock, servers: Servers) -> Finding:
    role = next(key for key, one in recipe.language_models.items() if one == block)
    try:
        lm = load_lm(block, cache=False, servers=servers)
        found = check(
            lm,
            block,
            Prompts(recipe.prompts),
            recipe.answering,
            recipe.seed,
            sampled=recipe.probe.needs_samples,
        )
    except SelfstudyError as error:
        return Finding("fail", role, error.what, error.hint)
    said = f"{found.model} {found.counts}"
    if not found.problems:
        return Finding("ok", role, said)
    return Finding(
        "fail" if found.refused else "warn",
        role,
        "\n      ".join([said, *(problem.replace("\n", "\n  ") for problem in found.problems)]),
        "\n      -> ".join(found.hints),
    )
