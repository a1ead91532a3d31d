"""What stands: which adapter was promoted or rejected in a run, and when its rounds stop.

Goes by the gate.json of each round; it knows nothing of models.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from selfstudy.files.jsonl import unfinished
from selfstudy.models.lora import is_complete
from selfstudy.records import Failure, TrainedArm
from selfstudy.run import Round, Run


def promote(run: Run, write: Callable[[Path], None]) -> Path:
    """Puts what `write` writes into a folder in place of what was promoted before, in one step."""
    target = run.promoted_folder
    temporary = unfinished(target)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    write(temporary)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
    return target


def reject(round_: Round, reasons: Sequence[str]) -> None:
    """Marks the adapter of a round, with the gate's reasons."""
    round_.rejected_mark.write_text("\n".join(reasons) + "\n", encoding="utf-8")


def trained(round_: Round, arm: TrainedArm) -> Path | None:
    """The adapter folder of an arm of a round, if its training gave one that is of use."""
    failed = any(f.stage == "teach" and f.item_id == arm for f in round_.iter(Failure))
    folder = round_.adapter(arm)
    return folder if is_complete(folder) and not failed else None


def standing(round_: Round) -> Path | None:
    """The adapter that stands when `round` begins: the last one promoted before it."""
    for earlier in range(round_.number - 1, 0, -1):
        if _gate(round_.run.round(earlier)).get("promoted"):
            return round_.run.round(earlier).adapter()
    return None


def why_stop(round_: Round) -> str | None:
    """The stop rule: nothing promoted, or a gain below the recipe's `min_gain`; None to go on."""
    gate = _gate(round_)
    if not gate.get("promoted"):
        return "nothing was promoted"
    gain = (gate.get("gains") or {}).get("gap", {}).get("difference")
    if gain is not None and gain < round_.run.recipe.min_gain:
        return f"the gain {gain:.3f} is below min_gain"
    return None


def _gate(round_: Round) -> dict[str, Any]:
    return round_.run.read_json(round_.gate_file) or {}
