"""The smoke check of a run: before a model is first asked, once for each, and kept in the run.

Not again in a later session or round if it was passed, or let pass by `smoke: warn`; a refusal is no pass.
Knows when it is due and what follows; what is asked and judged is in smoke/.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel

from selfstudy.errors import ModelError
from selfstudy.records import digest
from selfstudy.smoke import Smoke, check

if TYPE_CHECKING:
    from selfstudy.models.base import LanguageModel
    from selfstudy.prompts import Prompts
    from selfstudy.recipe import ModelBlock
    from selfstudy.run import Run
    from selfstudy.run.budget import Ledger

_BY_TYPE = {"scripted": "skip", "remote": "warn"}
"""Where the recipe does not say.  Who writes a script knows what it says; what is wrong with a server may be
for somebody else to mend, and takes none of this machine's hours."""
SPENT_AS = "smoke"
"""What it asks is counted under this name, beside the stages."""


class _Kept(BaseModel):
    """What was found, by the digest of a model's block."""

    models: dict[str, Smoke] = {}


def check_once(
    run: Run,
    block: ModelBlock,
    lm: Callable[[], LanguageModel],
    prompts: Prompts,
    ledger: Ledger,
    note: Callable[[str], object],
) -> None:
    """Checks the model of `block` unless it has passed in this run.

    Args:
        run: open for writing.
        lm: loads it; called only if it has to be asked.
        note: told of a model that is not refused, a line at a time.

    Raises:
        ModelError: it cannot be worked with, and the recipe's `smoke` is `refuse`.
    """
    recipe = run.recipe
    wanted = recipe.smoke or _BY_TYPE.get(block.type, "refuse")
    if wanted == "skip":
        return
    key = digest(block.model_dump_json(exclude={"api_key_env", "api_key_file", "adapter"}))
    kept = run.read_as(run.smoke_file, _Kept) or _Kept()
    before = kept.models.get(key)
    if before is not None and (wanted == "warn" or not before.refused):
        _say(before if before.refused else None, note)
        return
    stage, ledger.stage = ledger.stage, SPENT_AS
    try:
        found = check(lm(), block, prompts, recipe.answering, recipe.seed, sampled=recipe.probe.needs_samples)
    finally:
        ledger.stage = stage
    run.write_json(run.smoke_file, _Kept(models=kept.models | {key: found}).model_dump(mode="json"))
    if found.refused and wanted == "refuse":
        raise _refusal(found, f"in {run.recipe_file}")
    _say(found, note)


def _say(found: Smoke | None, note: Callable[[str], object]) -> None:
    for line in found.notes if found else ():
        note(line)


def _refusal(found: Smoke, where: str) -> ModelError:
    """What is wrong, what it said, what to try, and how to go on all the same."""
    anyway = f"to go on all the same: --set smoke=warn, or smoke: warn {where}"
    return ModelError("\n  ".join([found.verdict, *found.problems]), "\n  -> ".join([*found.hints, anyway]))
