"""A small run with all that other people may write into one."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.recipe import Recipe
from selfstudy.records import (
    Check,
    Example,
    Failure,
    Message,
    Pair,
    Question,
    Score,
    TrainingStep,
    Verdict,
)
from selfstudy.run import Run

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "${alert(1)} {{alert(1)}} {% raw %}",
    "=HYPERLINK(1)",
    "nul \0 bidi \u202e\u2066 end",
)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """The folder of runs; its run is called `<b>r`."""
    with Run.create_or_resume(tmp_path / "<b>r", Recipe()) as run:
        turn = run.round(1)
        for number, text in enumerate(HOSTILE):
            asked = Question(text=text, topic=text)
            prompt = (Message(role="user", content=text),)
            turn.append(
                [
                    asked,
                    Score(question_id=asked.id, scorer=run.recipe.probe.scorer, value=number / 10),
                    Verdict(question_id=asked.id, kind="unknown", score=number / 10, reason=text),
                    Example(prompt=prompt, completion=text, question_id=asked.id, kind="reference"),
                    Pair(prompt=prompt, chosen=text, rejected="no", question_id=asked.id),
                    Failure(stage="verify", item_id=asked.id, message=text),
                ]
            )
            for arm, right in (("base", False), ("taught", True)):
                turn.append(
                    [
                        Check.model_validate(
                            {
                                "question_id": asked.id,
                                "arm": arm,
                                "target": "gap",
                                "wording": "original",
                                "asked": text,
                                "answer": text,
                                "expected": text,
                                "correct": right,
                                "score": 0.5,
                            }
                        )
                    ]
                )
        turn.append([TrainingStep(arm="taught", phase="<b>sft", step=s, loss=1 / s) for s in (1, 2, 3)])
    return tmp_path
