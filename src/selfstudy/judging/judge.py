"""A judge that is asked by prompt: all questions of a call are one batch, distinct ones are asked once.

A reply that came back is kept in a cache and never asked for again, whether or not it can be read, for the
judge is greedy.  One that cannot be read is `Unscored` with its reason.  Counts what its judgements cost.  It
knows nothing of what is judged, and of no prompt.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from selfstudy.files.cache import Cache
from selfstudy.judging.choices import chosen
from selfstudy.judging.missing import Unscored
from selfstudy.judging.rewards import JUDGE_FAILED
from selfstudy.models.base import LanguageModel, Progress, Sampling, prompt_tokens
from selfstudy.prompts import Prompts
from selfstudy.records import Completion, digest
from selfstudy.text import shortened

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JudgeQuestion:
    """One question to a judge.

    Attributes:
        prompt: the name of its prompt (prompts/).
        texts: what is filled in.
        limit: tokens of its reply.
    """

    prompt: str
    texts: Mapping[str, str]
    limit: int

    @property
    def key(self) -> str:
        """Tells it from all others."""
        return digest(self.prompt, str(self.limit), *(part for pair in self.texts.items() for part in pair))


@dataclass
class JudgeUse:
    """What judgements cost, whether they were asked for now or had been kept.

    Attributes:
        calls: distinct questions.
        tokens: of their prompts and replies.
        fresh: of the calls, those made now.
    """

    calls: int = 0
    tokens: int = 0
    fresh: int = 0


class Judge(Protocol):
    """Whoever judges: a language model, or a file in which a person has."""

    @property
    def name(self) -> str: ...

    @property
    def use(self) -> JudgeUse: ...

    def judgements(
        self,
        asked: Sequence[JudgeQuestion],
        read: Sequence[Callable[[str], T | Unscored]],
        progress: Progress | None = None,
    ) -> list[T | Unscored]:
        """What is read out of the reply to each question, in order.

        Args:
            read: for each question what reads its reply.
            progress: called with the number of questions newly answered.
        """
        ...


def one_of(*words: str) -> Callable[[str], str | Unscored]:
    """What reads out of a reply which of these words it names."""

    def read(reply: str) -> str | Unscored:
        named = f"{', '.join(words[:-1])} nor {words[-1]}"
        return chosen(reply, words) or Unscored(f"{shortened(reply, 40)!r} names neither {named}")

    return read


@dataclass(frozen=True, slots=True)
class _Reply:
    text: str
    tokens: int
    problem: str = ""
    cut: bool = False


class PromptedJudge:
    """A language model as judge, greedy; fulfils `Judge`.

    Attributes:
        use: what its judgements have cost.
    """

    def __init__(
        self, lm: LanguageModel, prompts: Prompts, cache: Cache | None = None, identity: str | None = None
    ) -> None:
        """Makes a judge of a model.

        Args:
            cache: keeps replies; a model that is being trained must have none, for it changes.
            identity: tells this judge from every other in the cache; None: its name does.
        """
        self.name = lm.name
        self.use = JudgeUse()
        self._lm = lm
        self._prompts = prompts
        self._cache = cache
        self._identity = lm.name if identity is None else identity
        self._counted: set[str] = set()

    def judgements(
        self,
        asked: Sequence[JudgeQuestion],
        read: Sequence[Callable[[str], T | Unscored]],
        progress: Progress | None = None,
    ) -> list[T | Unscored]:
        """See `Judge.judgements`."""
        keys = [digest(self._identity, self._prompts.text(one.prompt), one.key) for one in asked]
        distinct = dict(zip(keys, asked, strict=True))
        replies = self._kept(list(distinct))
        fresh = {key: one for key, one in distinct.items() if key not in replies}
        if progress is not None:
            progress(len(asked) - len(fresh))
        replies |= self._ask(fresh, progress)
        whole = {key: _encoded(replies[key]) for key in fresh if not replies[key].problem}
        if self._cache is not None and whole:
            self._cache.put(whole)
        for key in distinct.keys() - self._counted:
            self.use.calls += 1
            self.use.tokens += replies[key].tokens
        self._counted |= distinct.keys()
        self.use.fresh += len(fresh)
        return [_read(replies[key], how) for key, how in zip(keys, read, strict=True)]

    def _kept(self, keys: Sequence[str]) -> dict[str, _Reply]:
        kept = self._cache.get(keys) if self._cache is not None else {}
        decoded = {key: _decoded(data) for key, data in kept.items()}
        return {key: reply for key, reply in decoded.items() if reply is not None}

    def _ask(self, wanted: Mapping[str, JudgeQuestion], progress: Progress | None) -> dict[str, _Reply]:
        """The replies to what was not kept, one batch for each limit of tokens."""
        replies: dict[str, _Reply] = {}
        for limit in sorted({one.limit for one in wanted.values()}):
            some = {key: one for key, one in wanted.items() if one.limit == limit}
            chats = [self._prompts.chat(one.prompt, **one.texts) for one in some.values()]
            sampling = Sampling(temperature=0.0, max_new_tokens=limit)
            said = self._lm.generate(chats, sampling, progress)
            for key, chat, (one,) in zip(some, chats, said, strict=True):
                tokens = prompt_tokens(self._lm, [chat]) + one.tokens
                replies[key] = _Reply(one.text, tokens, _problem(one), one.finish == "length")
        return replies


def _problem(said: Completion) -> str:
    """Why a completion is no reply."""
    return f"{JUDGE_FAILED}: {said.error or 'it gave no reply'}" if said.finish == "error" else ""


def _read(reply: _Reply, read: Callable[[str], T | Unscored]) -> T | Unscored:
    if reply.problem:
        return Unscored(reply.problem)
    found = read(reply.text)
    if isinstance(found, Unscored) and reply.cut:
        return Unscored(f"{found.reason}: the reply was cut off")
    return found


def _encoded(reply: _Reply) -> bytes:
    return json.dumps({"text": reply.text, "tokens": reply.tokens, "cut": reply.cut}).encode()


def _decoded(data: bytes) -> _Reply | None:
    """A reply that was kept; None where somebody else has written something else."""
    try:
        found = json.loads(data)
        return _Reply(str(found["text"]), int(found["tokens"]), cut=bool(found["cut"]))
    except (ValueError, TypeError, KeyError):
        return None
