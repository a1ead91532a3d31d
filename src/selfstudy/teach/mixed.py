"""Mixed targets (MixSD): texts that the model writes itself, with the fact, in the words it would use anyway.

A text counts only if its answer is the reference's; what finds none in so many tries is left out, with the
reason.  Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.models.base import HasWeights
from selfstudy.recipe import DistillBlock
from selfstudy.records import Example
from selfstudy.teach.wordings import same_answer


def with_mixed_targets(
    examples: Sequence[Example], lm: HasWeights, block: DistillBlock, limit: int, seed: int
) -> tuple[list[Example], dict[str, str]]:
    """The examples, those of gaps with a mixed text and no teacher; and why some were left out, by id.

    What is only to stay as it was keeps its teacher.

    Args:
        examples: as `examples.examples` makes them with what the frozen model reads.
        limit: most tokens of a text.
    """
    from selfstudy.models.local.two_prompts import mixed_answers

    open_ = list({e.id: e for e in examples if e.teacher and e.kind == "reference"}.values())
    texts: dict[str, str] = {}
    for attempt in range(block.tries):
        left = [e for e in open_ if e.id not in texts]
        if not left:
            break
        said = mixed_answers(
            lm,
            [e.prompt for e in left],
            [e.teacher for e in left],
            block.mix,
            limit,
            [f"{seed}:mixed:{attempt}:{e.id}" for e in left],
        )
        texts |= {
            e.id: text
            for e, text in zip(left, said, strict=True)
            if text and same_answer(text, e.completion, e.prompt[-1].content)
        }
    names = {e.id for e in open_}
    kept = [
        Example(**e.model_dump(exclude={"id", "completion", "teacher"}), completion=texts[e.id])
        if e.id in texts
        else e
        for e in examples
        if e.id not in names or e.id in texts
    ]
    why = f"no mixed text in {block.tries} tries says what the reference says"
    return kept, {e.id: why for e in open_ if e.id not in texts}
