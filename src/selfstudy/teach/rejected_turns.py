"""What a tutor must not say: for each next turn that is taught, a worse one (methods 3), as preference pairs.

    own       what the model that is taught says itself, as it is now: the weak model of the published way
    telling   what it says when it is asked for the whole solution (prompts/tell.txt)

Worse is what asks less or leaks more, and no rule here looks whether a turn does: the source stands for it.
Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from selfstudy.models import transcripts
from selfstudy.models.base import LanguageModel, Progress, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import SocraticBlock
from selfstudy.records import Chat, Example, Pair
from selfstudy.text import tokens

NOTHING = "the worse turn is empty, has no whole sentence, or says the same"


def pairs(
    examples: Sequence[Example],
    lm: LanguageModel,
    block: SocraticBlock,
    prompts: Prompts,
    seed: int,
    progress: Progress | None = None,
    fail: Callable[[str, str], None] = lambda item, why: None,
) -> list[Pair]:
    """A pair for each example, in order, but for those for which no worse turn was found.

    Args:
        examples: dialogues so far, and the tutor's next turns.
        lm: writes the worse turns; one that says the same is no pair.
        fail: is told of each example (its id) whose turn failed, and why.
    """
    telling = block.rejected == "telling"
    chats = [_telling(example.prompt, prompts) if telling else example.prompt for example in examples]
    sampling = Sampling(temperature=block.temperature, max_new_tokens=block.turn_tokens, seed=seed)
    found = []
    for example, (said,) in zip(examples, lm.generate(chats, sampling, progress), strict=True):
        worse = transcripts.turn_of(said)  # half a sentence would be told from a whole one by its end alone
        if said.finish == "error":
            fail(example.id, said.error or "generation failed")
        elif not tokens(worse) or tokens(worse) == tokens(example.completion):
            fail(example.id, NOTHING)
        else:
            found.append(
                Pair(
                    prompt=example.prompt,
                    chosen=example.completion,
                    rejected=worse,
                    question_id=example.question_id,
                    origin=block.rejected,
                )
            )
    return found


def _telling(dialogue: Chat, prompts: Prompts) -> Chat:
    """Asks for the whole solution; what stands before a dialogue may be the problem."""
    before = [turn.content for turn in dialogue if turn.role == "system"]
    return prompts.chat("tell", dialogue="\n".join([*before, transcripts.written(dialogue)]))
