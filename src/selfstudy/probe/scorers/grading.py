"""What `bsdetector` and `p-true` share: the question whether an answer is correct, and its replies."""

from __future__ import annotations

from selfstudy.prompts import Prompts
from selfstudy.records import Answer, Chat, Question

GRADES = {"correct": 1.0, "unsure": 0.5, "incorrect": 0.0}
"""The replies that the prompt `grade` asks for, and how much confidence each is (methods 2.4)."""


def grading(prompts: Prompts, question: Question, answer: Answer) -> Chat:
    """The prompt `grade` about an answer's passage."""
    return prompts.chat("grade", question=question.text, answer=answer.passage.text)
