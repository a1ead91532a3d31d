"""Our models as lm-eval's `LM`: so adapters, servers, budget and cache apply to its tasks too.

    loglikelihood, loglikelihood_rolling     of plain text behind plain text, as lm-eval's own hf model has it
    generate_until                           as a turn of a chat, in the model's own template

Whether a continuation is what the model would have said greedily is not told (False): no multiple choice asks
for it.  What cannot be scored is noted as failed, for lm-eval knows no failed items.  Knows nothing of tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import nan
from typing import Any

from selfstudy.models.base import LanguageModel, Sampling, chat, text_logprobs, wants_demonstrations
from selfstudy.verify.suites.base import failure

MOST_TOKENS = 256
"""Of an answer, where a task does not say."""
_OPEN = ("\nAnswer:", "\nA:")


class HarnessAsker:
    """Answers lm-eval's requests; `failed`: by task and number of the document, why it has no answer."""

    def __init__(self, lm: LanguageModel, progress: Callable[[int], None] | None = None) -> None:
        self._lm = lm
        self._progress = progress
        self.failed: dict[tuple[str, int], str] = {}

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """The sum over the tokens of each continuation; white space at the end of a context belongs to it."""
        pairs = [_pair(*one.args) for one in requests]
        return [(value, False) for value in self._summed(requests, pairs)]

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """The sum over all tokens of each text, behind the mark of a beginning."""
        return self._summed(requests, [("", one.args[0]) for one in requests])

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """The answer to each context, one batch for each way of generating."""
        found = [""] * len(requests)
        groups: dict[Sampling, list[int]] = {}
        for at, one in enumerate(requests):
            groups.setdefault(_sampling(one.args[1]), []).append(at)
        for sampling, places in groups.items():
            chats = [chat(self._open(requests[at].args[0])) for at in places]
            for at, (said,) in zip(places, self._lm.generate(chats, sampling), strict=True):
                found[at] = said.text
                if error := failure(said):
                    self._fail(requests[at], error)
        self._done(requests)
        return found

    def _open(self, context: str) -> str:
        """A context without the mark of an answer, where the model is given one of its own."""
        if wants_demonstrations(self._lm):
            for mark in _OPEN:
                context = context.removesuffix(mark)
        return context

    def _summed(self, requests: Sequence[Any], pairs: Sequence[tuple[str, str]]) -> list[float]:
        distinct = list(dict.fromkeys(pairs))
        rows = text_logprobs(self._lm, [before for before, _ in distinct], [text for _, text in distinct])
        values = {pair: sum(row) if row else nan for pair, row in zip(distinct, rows, strict=True)}
        for one, pair in zip(requests, pairs, strict=True):
            if values[pair] != values[pair]:
                self._fail(one, f"no log-probability of {pair[1][:80]!r}")
        self._done(requests)
        return [values[pair] for pair in pairs]

    def _fail(self, request: Any, why: str) -> None:
        self.failed.setdefault((str(request.task_name), int(request.doc_id)), why)

    def _done(self, requests: Sequence[Any]) -> None:
        if self._progress is not None:
            self._progress(len({one.doc_id for one in requests}))


def harness_model(asker: HarnessAsker) -> Any:
    """What lm-eval takes for a model."""
    return _class()(asker)


@cache
def _class() -> Any:
    """The class that lm-eval asks for, made once it is there."""
    from lm_eval.api.model import LM

    class HarnessModel(LM):  # type: ignore[misc]
        """Hands on what is asked."""

        def __init__(self, asker: HarnessAsker) -> None:
            super().__init__()
            self._asker = asker

        def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
            return self._asker.loglikelihood(requests)

        def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
            return self._asker.loglikelihood_rolling(requests)

        def generate_until(self, requests: Sequence[Any]) -> list[str]:
            return self._asker.generate_until(requests)

    return HarnessModel


def _pair(context: str, continuation: str) -> tuple[str, str]:
    """As lm-eval cuts them: tokens begin with their white space."""
    stripped = context.rstrip()
    return (stripped, context[len(stripped) :] + continuation) if context else (context, continuation)


def _sampling(how: Mapping[str, Any]) -> Sampling:
    """The settings of a request; greedy unless it says that it samples."""
    until = how.get("until") or ()
    stops = (until,) if isinstance(until, str) else tuple(until)
    samples = bool(how.get("do_sample")) and float(how.get("temperature") or 0) > 0
    most = how.get("max_gen_toks") or how.get("max_new_tokens") or how.get("max_tokens") or MOST_TOKENS
    return Sampling(
        n=1,
        temperature=float(how["temperature"]) if samples else 0.0,
        top_p=float(how.get("top_p") or 1.0) if samples else 1.0,
        max_new_tokens=max(1, int(most)),
        stop=tuple(one for one in stops if one),
    )
