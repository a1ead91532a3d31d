"""An adapter that learned but forgot, at a smaller strength: chosen, written, to be asked once more.

verify/strengths.py chooses, models/lora.py writes; here they meet.  What stands after a kill is gone on from:
weaker.json is written in one step, then the folder takes its place in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfstudy.errors import ModelError
from selfstudy.files import own
from selfstudy.models import lora, taught
from selfstudy.recipe import LocalModel, weights_of
from selfstudy.run import Round, curriculum, standing
from selfstudy.run.budget import metered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from selfstudy.loop.resources import Resources
    from selfstudy.verify.gate import Gate
    from selfstudy.verify.strengths import AnswerTokens, Chosen, Item


def weaken(resources: Resources, round_: Round, gate: Gate) -> bool:
    """Whether there is now a weaker adapter to be asked; a note says why not, where one might have helped."""
    strengths = resources.recipe.verify.strengths
    if gate.remain is None or gate.weaker is not None or not strengths:
        return False
    if resources.recipe.deploy.type == "dynamic":  # what was not taught is answered without any adapter
        return False
    adapter, block = round_.adapter(), weights_of(resources.recipe.model)
    before = standing.standing(round_)
    try:
        lora.require_plain(adapter)
        whole = lora.rank(before) if before else 0
    except (ModelError, OSError) as error:
        why = error.what if isinstance(error, ModelError) else "there is no LoRA adapter"
        resources.reporter.note(f"no smaller strength is tried, for only a LoRA adapter has one: {why}")
        return False
    if not isinstance(block, LocalModel):
        resources.reporter.note("no smaller strength is tried: the weights are not available here")
        return False
    chosen = _chosen(resources, round_, block.model_copy(update={"adapter": adapter}), whole, gate.remain)
    resources.reporter.note(
        f"at full strength the adapter forgot: it is asked once more at {chosen.strength:g}"
    )
    folder = round_.adapter("weaker")
    temporary = own.unfinished(folder)
    own.remove(temporary)
    own.make(temporary)
    lora.weaken(adapter, temporary, chosen.strength, whole)
    if (learned := curriculum.read(adapter)) is not None:
        curriculum.write(temporary, learned)
    taught.publish(temporary, folder)
    return True


def _chosen(resources: Resources, round_: Round, block: LocalModel, whole: int, remain: float) -> Chosen:
    """What weaker.json says, or what it will say."""
    from selfstudy.models.local.strength import Adjustable
    from selfstudy.verify import strengths

    run = round_.run
    if (written := run.read_as(round_.weaker_file, strengths.Chosen)) is not None:
        return written
    tried = resources.recipe.verify.strengths
    resources.language_models.make_room()
    adjustable = Adjustable(block, whole, resources.reporter.note)
    lm = metered(adjustable.lm, resources.language_models.ledger)
    with resources.reporter.task("verify: smaller strengths", len(tried) + 2) as advance:

        def score(strength: float, items: Sequence[Item]) -> AnswerTokens:
            adjustable.set(strength)
            found = lm.logprobs([prompt for prompt, _ in items], [answer for _, answer in items])
            advance(1)
            return found

        taught = strengths.taught_items(round_)
        rehearsed = strengths.rehearsed_items(round_, resources.prompts)
        chosen = strengths.choose(tried, remain, taught, rehearsed, score)
        advance(len(tried) + 2 - len(chosen.curve))
    run.write_json(round_.weaker_file, chosen.model_dump(mode="json"))
    return chosen
