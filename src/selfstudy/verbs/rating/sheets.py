"""What a person, or another program, is to judge: written as rows, and read back as a judge.

A row has an id, the prompt, the completion, the rubric if the reward needs one, what a judge would be asked,
and empty places: `rating` (1 to 10) and `missing`; for a rubric `verdicts` (yes or no for each criterion).
Another program fills in `reply`, all that its judge wrote.  What comes back is read as any judge's reply is.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from selfstudy.errors import DataError
from selfstudy.files import jsonl
from selfstudy.files.cells import unguarded
from selfstudy.files.rows import MalformedError, read_rows, shown
from selfstudy.judging import missing_reward, rubric_columns, rubric_reward
from selfstudy.judging.judge import JudgeQuestion, JudgeUse
from selfstudy.judging.missing import Unscored
from selfstudy.judging.rewards import Response
from selfstudy.models.base import Progress
from selfstudy.prompts import Prompts
from selfstudy.records import digest
from selfstudy.verbs.rating.given import PromptAnswers

T = TypeVar("T")
_PLACES: dict[str, tuple[str, ...]] = {
    "missing": ("rating", "missing"),
    "rating": ("rating", "missing"),
    "rubric": ("verdicts",),
    "rubric-implicit": ("rating",),
}
"""What a person fills in, by reward."""
NOT_JUDGED = "not judged yet"


def id_of(prompt: str, completion: str) -> str:
    """What tells an answer to a prompt."""
    return digest(prompt, completion)


def question_to(reward: str, response: Response) -> JudgeQuestion | None:
    """What a judge is asked for a reward; None where it needs a rubric and there is none."""
    if reward in ("missing", "rating"):
        return missing_reward.asked_of(response)
    if not response.criteria:
        return None
    if reward == "rubric":
        return rubric_reward.verdicts_of(response, response.criteria)
    return rubric_reward.rating_of(response)


def sheet_rows(prompts: Iterable[PromptAnswers], reward: str, texts: Prompts) -> list[dict[str, Any]]:
    """The rows to be judged; answers without a rubric, where one is needed, are left out.

    Raises:
        DataError: there is none to be judged.
    """
    rows = []
    for response in (one for prompt in prompts for one in prompt.responses):
        asked = question_to(reward, response)
        if asked is None:
            continue
        rows.append(
            {
                "id": id_of(response.prompt, response.text),
                "prompt": response.prompt,
                "completion": response.text,
                **({"rubric": asked.texts["criteria"]} if "criteria" in asked.texts else {}),
                "asked": texts.without_demonstrations().chat(asked.prompt, **asked.texts)[-1].content,
                **dict.fromkeys(_PLACES[reward], ""),
                "reply": "",
            }
        )
    if not rows:
        raise DataError(
            f"no answer has a rubric, and {reward} is judged by one: there is nothing to export",
            f"give rows with {', '.join(rubric_columns.NAMES)}, or take --reward missing",
        )
    return rows


def encoded(rows: Sequence[Mapping[str, Any]], suffix: str) -> bytes:
    """Rows as a file: a table for .csv, else JSON lines."""
    if suffix.lower() != ".csv":
        return b"".join(map(jsonl.encode_row, rows))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


class JudgedSheet:
    """A file in which somebody has judged; fulfils `judging.judge.Judge`.

    Attributes:
        unread: (place, why) of rows that say nothing about an answer.
    """

    def __init__(self, path: Path) -> None:
        """Reads the rows.

        Raises:
            DataError: it cannot be read, or nothing in it is judged.
        """
        self.name = str(path)
        self.use = JudgeUse()
        self.unread: list[tuple[str, str]] = []
        self._replies: dict[str, set[str]] = {}
        for row in read_rows(path):
            try:
                if row.value is None:
                    raise MalformedError(row.problem)
                key, reply = key_of(row.value), _reply(row.value)
            except MalformedError as error:
                self.unread.append((row.place, str(error)))
                continue
            if reply:
                self._replies.setdefault(key, set()).add(reply)
        if not self._replies:
            why = f"; {': '.join(self.unread[0])}" if self.unread else ""
            raise DataError(
                f"{path}: nothing in it is judged{why}",
                "fill in `rating` and `missing` (or `verdicts`, or `reply`) of the rows that --export wrote",
            )

    def judgements(
        self,
        asked: Sequence[JudgeQuestion],
        read: Sequence[Callable[[str], T | Unscored]],
        progress: Progress | None = None,
    ) -> list[T | Unscored]:
        """See `Judge.judgements`; what nobody has judged, or several otherwise, is unscored."""
        found = [self._read(one, how) for one, how in zip(asked, read, strict=True)]
        if progress is not None:
            progress(len(asked))
        return found

    def _read(self, asked: JudgeQuestion, read: Callable[[str], T | Unscored]) -> T | Unscored:
        if "response" not in asked.texts:
            return Unscored("a sheet judges answers one by one")
        replies = self._replies.get(id_of(asked.texts["prompt"], asked.texts["response"]), set())
        if len(replies) > 1:
            return Unscored("judged several times, and not alike: keep one row of each")
        return read(next(iter(replies))) if replies else Unscored(NOT_JUDGED)


def key_of(row: Mapping[str, Any]) -> str:
    """Which answer a row is about: by its id or its texts, which must agree where both are there.

    Raises:
        MalformedError: it has neither, or they do not agree.
    """
    name, prompt, completion = (row.get(column) for column in ("id", "prompt", "completion"))
    known = isinstance(name, str) and bool(name)
    if not isinstance(prompt, str) or not isinstance(completion, str):
        if not known:
            raise MalformedError("there is no 'id', nor 'prompt' and 'completion' as texts")
        return str(name)
    found = id_of(prompt, completion)
    if known and name == id_of(unguarded(prompt), unguarded(completion)):  # out of a table that we made safe
        return str(name)
    if known and name != found:
        raise MalformedError(
            "its id is not that of its prompt and completion: was one column moved or edited?"
        )
    return found


def _reply(row: Mapping[str, Any]) -> str:
    """What was judged, as a judge would have written it; "" where nothing was filled in."""
    if isinstance(row.get("reply"), str) and row["reply"].strip():
        return str(row["reply"])
    if (verdicts := row.get("verdicts")) not in (None, "", []):
        words = verdicts.replace(";", ",").split(",") if isinstance(verdicts, str) else verdicts
        if not isinstance(words, list):
            raise MalformedError(f"field 'verdicts' must be a list of yes and no, found {shown(verdicts)}")
        return json.dumps([{"name": n, "verdict": word} for n, word in enumerate(words, start=1)])
    rating = row.get("rating")
    if rating is None or not str(rating).strip():
        return ""
    if "missing" not in row:
        number = int(rating) if str(rating).strip().isdecimal() else rating
        return json.dumps({"rating": number})
    lacking = " ".join(str(row["missing"] or "").translate(_BRACKETS).split())
    return f"[[{rating}]] [[[{lacking}]]]"


_BRACKETS = str.maketrans("[]", "()")
"""Brackets in a person's own words would end what a judge writes in them."""
