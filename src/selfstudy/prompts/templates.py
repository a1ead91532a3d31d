"""Every prompt, as text templates: `$name` placeholders, an optional system part above a line of `---`.

Demonstrations may follow: under a line `=== user` what is asked, under a line `=== assistant` the answer, as
both are to be, without placeholders.  Models without a chat template need them; others do without.

A recipe's `prompts` folder may replace any of them by a file of the same name.  What parses the replies:

    topics                probe/topics.py
    question_*            probe/questions.py
    answer, read          none: the reply is the answer; judging/refusals.py knows when it says nothing
    support               probe/scorers/selfcheck_llm.py
    grade                 probe/scorers/grading.py: bsdetector.py and p_true.py read its words
    reword                teach/wordings.py
    tell                  models/transcripts.py
    tutor, student*, dialogue   models/transcripts.py
    attempt               judging/solving.py
    discuss, discuss_answer     models/transcripts.py
    judge_asks, judge_leaks     judging/choices.py
    missing               judging/missing.py
    rubric_*              judging/rubric.py
    compare*              judging/pairwise_judge.py
    label                 judging/answer_labels.py
    facts                 judging/fact_splitting.py
    cite_answer, cite_list      judging/citations.py; judging/trust.py knows the refusal
    truthfulqa            none: the paper's own six pairs (Lin et al. 2022), on which its figures depend
    truthfulqa_binary     judging/options.py
    truthful, informative       judging/truthfulness.py
    qa_answer, qa_read    judging/squad.py
    cite                  nobody: only atlas-lm was trained on it (atlas/build/lm_tasks.py)

What is filled in stays in its place: a line of it that begins as one of the prompt's own ("Question: ...") is
quoted.  A text can still ask for whatever it likes in its own words; no prompt can prevent that.

The embedded model atlas-lm was trained on exactly these texts: with others it answers worse, and one that is
changed here wants a model that is trained again.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path

from selfstudy.errors import RecipeError
from selfstudy.files import reading
from selfstudy.records import Chat, Message
from selfstudy.text import quote_lines

SEPARATOR = "\n---\n"
BESIDE = frozenset(
    {
        *("missing", "rubric_verdicts", "rubric_rating", "compare", "label", "judge_asks", "judge_leaks"),
        *("tutor", "tell", "student", "student_misconception", "student_pressing", "dialogue", "attempt"),
        *("discuss", "discuss_answer", "cite_answer", "cite_list"),
        *("truthfulqa_binary", "truthful", "informative", "qa_answer", "qa_read"),
        *("facts", "compare_document"),
    }
)
"""Of rewards, labels, tutoring, citing, suites: `demonstrated` was measured without them (decision 11)."""
_Places = tuple[int, int]
_TURN = re.compile(r"^=== ?(user|assistant)[^\S\n]*$", re.MULTILINE)
_LABEL = re.compile(r"^(\w[\w ]{0,40}?) ?:", re.MULTILINE)


class Prompts:
    """Renders prompts by name; `folder` overrides the built-in texts file by file."""

    def __init__(self, folder: Path | None = None, *, demonstrations: bool = True) -> None:
        if folder is not None and not folder.is_dir():
            raise RecipeError(
                f"prompts: no folder at {folder}", "give a folder of .txt templates, or leave it out"
            )
        self._folder = folder
        self._demonstrations = demonstrations

    def without_demonstrations(self) -> Prompts:
        """The same, for chats that are kept for a model that needs none."""
        return Prompts(self._folder, demonstrations=False)

    def chat(self, name: str, **values: str) -> Chat:
        """The chat of template `name` (without .txt) with `values` filled in.

        Raises:
            RecipeError: the template does not exist or uses a placeholder that this prompt does not have.
        """
        text, demonstrations = _parts(name, self.text(name))
        system, _, user = text.rpartition(SEPARATOR)
        values = {key: _in_place(value, _labels(text)) for key, value in values.items()}
        try:
            shown = demonstrations if self._demonstrations else ()
            turns = [*shown, Message(role="user", content=string.Template(user).substitute(values))]
            if system:
                turns.insert(0, Message(role="system", content=string.Template(system).substitute(values)))
        except (KeyError, ValueError) as error:
            known = ", ".join(f"${key}" for key in sorted(values))
            raise RecipeError(f"prompt {name!r}: bad placeholder {error}", f"it may use {known}") from None
        return tuple(turns)

    def demonstrations(self, name: str) -> Chat:
        """The demonstrations of template `name`: pairs of what is asked and the answer.

        Raises:
            RecipeError: they are no pairs.
        """
        return _parts(name, self.text(name))[1]

    def bare(self, name: str) -> str:
        """The text of template `name`, placeholders and all, without its demonstrations.

        Raises:
            RecipeError: as `demonstrations`.
        """
        return _parts(name, self.text(name))[0]

    def text(self, name: str) -> str:
        """The text of template `name`, placeholders and all."""
        if self._folder is not None:
            path = self._folder / f"{name}.txt"
            if reading.exists(path):
                return _read(path)
        return _builtin(name)


def reordered(chat: Chat, rng: random.Random) -> Chat:
    """The chat with its demonstrations in another order; each answer stays with what it answers."""
    return _arranged(chat, lambda pairs: rng.sample(pairs, len(pairs)))


def rotated(chat: Chat, by: int) -> Chat:
    """The chat with its first `by` demonstrations after the others: as many ways as there are of them."""
    return _arranged(chat, lambda pairs: [*pairs[by:], *pairs[:by]])


def _arranged(chat: Chat, order: Callable[[list[_Places]], list[_Places]]) -> Chat:
    places = [i for i, turn in enumerate(chat) if turn.demonstration]
    pairs = list(zip(places[::2], places[1::2], strict=True))
    turns = list(chat)
    for to, source in zip(pairs, order(pairs), strict=True):
        for i, j in zip(to, source, strict=True):
            turns[i] = chat[j]
    return tuple(turns)


def demonstrated() -> list[tuple[str, str]]:
    """What is asked and answered in the demonstrations of the loop's built-in prompts, without repeats."""
    files = resources.files(__package__).iterdir()
    names = sorted(file.name.removesuffix(".txt") for file in files if file.name.endswith(".txt"))
    asked = [name for name in names if name not in BESIDE]
    turns = [turn.content for name in asked for turn in _parts(name, _builtin(name))[1]]
    return list(dict.fromkeys(zip(turns[::2], turns[1::2], strict=True)))


@cache
def _parts(name: str, text: str) -> tuple[str, tuple[Message, ...]]:
    """The prompt of a template, and its demonstrations."""
    prompt, *found = _TURN.split(text)
    roles, contents = found[::2], [content.strip() for content in found[1::2]]
    if roles != ["user", "assistant"] * (len(roles) // 2) or not all(contents):
        raise RecipeError(
            f"prompt {name!r}: its demonstrations are not pairs of `=== user` and `=== assistant`",
            "write below each of these lines what is said there, the user's first",
        )
    turns = (
        Message.model_validate({"role": role, "content": content, "demonstration": True})
        for role, content in zip(roles, contents, strict=True)
    )
    return prompt.strip(), tuple(turns)


def _read(path: Path) -> str:
    hint = "give a UTF-8 text file, or leave it out"
    try:
        return reading.text(path).strip()
    except OSError as error:
        raise RecipeError(f"prompts: {path} cannot be read: {error.strerror}", hint) from None
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"prompts: {path} is not UTF-8: {error.reason} at byte {error.start}", hint
        ) from None


@cache
def _labels(template: str) -> re.Pattern[str] | None:
    """What begins a line of `template` and tells what stands in it, such as "Question:"."""
    found = sorted({*_LABEL.findall(template)})
    words = "|".join(re.escape(" ".join(label.split())) for label in found)
    return re.compile(rf"(?:{words}) ?:", re.IGNORECASE) if words else None


def _in_place(value: str, labels: re.Pattern[str] | None) -> str:
    """`value` so that no further line of it passes for a part of the prompt: "> Question: ..."."""
    first, *rest = value.splitlines(keepends=True) or [""]
    return value if labels is None or not rest else first + quote_lines("".join(rest), labels)


@cache
def _builtin(name: str) -> str:
    try:
        return resources.files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise RecipeError(f"no prompt named {name!r}", "see selfstudy/prompts for the names") from None
