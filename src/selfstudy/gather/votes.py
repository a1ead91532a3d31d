"""Which of several answers out of one page do most of them give?  For readers that often say something else.

A small reader's greedy answer may be a refusal or a slip where its samples find the answer, and its samples
stray where it found it.  What strays seldom rests on the page's words, and seldom twice on the same.  So an
answer counts if it rests on the page (judging/grounding.py), and the one that most give is taken.  It knows
nothing of what is true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.judging.grounding import Gist, gist, ungrounded
from selfstudy.judging.refusals import is_refusal
from selfstudy.records import Completion

NO_ANSWER = "the reader says that the passage has no answer"


@dataclass(frozen=True, slots=True)
class Vote:
    """What came of it.

    Attributes:
        chosen: number of the answer that stands for those that agree; the first answer if none counts.
        votes: how many answers agree with it, itself included; 0 if none counts.
        others: how many answers rest on the page too and say something else.
        problem: why none counts, else None.
    """

    chosen: int
    votes: int
    others: int
    problem: str | None = None

    def accepted(self, least: int) -> bool:
        """Whether enough agree, and more than say any other one thing."""
        return self.votes >= max(1, least) and self.votes > self.others


def vote(question: str, answers: Sequence[Completion], page: str) -> Vote:
    """Counts the answers to a question that were read out of a page.

    Two answers agree if what one adds to the question is all or part of what the other adds, and neither says
    no where the other does not.  Of those that agree the one is chosen that adds what most of them add; of
    these the first, which is the greedy one, or else the most probable.
    """
    counted: dict[int, Gist] = {}
    problems: Counter[str] = Counter()
    for i, one in enumerate(answers):
        if problem := _problem(question, one, page):
            problems[problem] += 1
        else:
            counted[i] = gist(question, one.text)
    if not counted:
        return Vote(0, 0, 0, problems.most_common(1)[0][0] if problems else "there is no answer")
    groups = _groups(counted)
    best = groups[0]
    usual = Counter(counted[i] for i in best).most_common(1)[0][0]
    alike = [i for i in best if counted[i] == usual]
    chosen = 0 if 0 in alike else max(alike, key=lambda i: answers[i].logprob)
    return Vote(chosen, len(best), max((len(group) for group in groups[1:]), default=0))


def _problem(question: str, answer: Completion, page: str) -> str | None:
    """Why an answer does not count."""
    if answer.error is not None:
        return answer.error
    if not answer.text.strip():
        return "empty answer"
    return NO_ANSWER if is_refusal(answer.text) else ungrounded(question, answer.text, page)


def _groups(counted: dict[int, Gist]) -> list[list[int]]:
    """Answers that agree, the largest group first; each is compared with the first of a group."""
    groups: list[list[int]] = []
    for i, said in counted.items():
        for group in groups:
            if counted[group[0]].agrees(said):
                group.append(i)
                break
        else:
            groups.append([i])
    return sorted(groups, key=len, reverse=True)
