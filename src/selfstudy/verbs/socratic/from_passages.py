"""An exercise from a question and a passage that answers it: the answer short, the passage its rationale.

What makes none says why: an answer that is no single short thing, stands in no sentence of the passage, or in
the question already.  Knows neither runs nor documents, and no models.
"""

from __future__ import annotations

from selfstudy import text
from selfstudy.files.rows import MalformedError, shown
from selfstudy.judging.forms import plain_words
from selfstudy.judging.short_answer import short_answer
from selfstudy.judging.terms import places, terms
from selfstudy.judging.tutoring import Solution
from selfstudy.records import digest
from selfstudy.verbs.socratic.exercises import Exercise

MOST_WORDS = 12
"""Of an answer: nobody says a longer one word for word, so that no rule sees it told or found; a guess."""
LONGEST = 1_000
"""Characters of a rationale, its title apart; a guess."""


def exercise_from(
    question: str, answer: str, passage: str, title: str = "", misconception: str = ""
) -> Exercise:
    """The exercise that a question makes whose answer was read out of a passage.

    Args:
        answer: a sentence.
        title: of the passage; stands above the rationale if that does not name it.

    Raises:
        MalformedError: it makes none; what follows a colon is of this one alone.
    """
    found = short_answer(question, answer)
    if not found:
        raise MalformedError(f"no short answer can be told: {shown(answer)}")
    if len(found.split()) > MOST_WORDS:
        raise MalformedError(f"the answer is longer than {MOST_WORDS} words: {shown(found)}")
    if places(terms(question), terms(found)):
        raise MalformedError(f"the question contains its answer: {shown(found)}")
    return Exercise(
        id=digest("exercise", question),
        problem=question,
        rationale=text.under_title(title, _around(passage, found, question)),
        solution=Solution(found, "", question),
        misconception=misconception,
    )


def _around(passage: str, answer: str, question: str) -> str:
    """The sentence that states the answer, with as many of those around it as there is room for."""
    spans = text.sentence_spans(passage)
    sought, asked = terms(answer), plain_words(question)
    stating = [i for i, (start, end) in enumerate(spans) if places(terms(passage[start:end]), sought)]
    if not stating:
        raise MalformedError(f"no sentence of the passage states the answer: {shown(answer)}")
    first = last = max(stating, key=lambda i: len(asked & plain_words(passage[spans[i][0] : spans[i][1]])))
    if spans[first][1] - spans[first][0] > LONGEST:
        raise MalformedError(f"the sentence that states the answer has more than {LONGEST:,} characters")
    while True:
        if first > 0 and spans[last][1] - spans[first - 1][0] <= LONGEST:
            first -= 1
        elif last + 1 < len(spans) and spans[last + 1][1] - spans[first][0] <= LONGEST:
            last += 1
        else:
            return passage[spans[first][0] : spans[last][1]]
