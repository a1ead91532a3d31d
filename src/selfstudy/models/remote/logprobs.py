"""Log-probabilities of given texts from a server: exact where it tells its tokens, refused where it does not.

A chat API alone cannot say how probable a text would have been as an answer.  A server that also tokenises
(POST /tokenize, as vLLM has it) and echoes prompts (POST /v1/completions with echo) can: the prompt's tokens
and the text's tokens go in, and the last values that come out belong to the text.
"""

from __future__ import annotations

from typing import Any

from selfstudy.errors import ModelError
from selfstudy.models.base import NoLogprobsError
from selfstudy.models.remote.http import HTTPClient, Trouble
from selfstudy.models.remote.replies import Malformed, finite
from selfstudy.models.remote.retries import Retries
from selfstudy.models.server.engines import NO_THINKING
from selfstudy.recipe import RemoteModel
from selfstudy.records import Chat

_HINT = (
    "the scorers p-true and ensembles with it need this: use a local model or vLLM, or another scorer "
    "(selfcheck-nli and agreement need no log-probabilities)"
)


class TextLogprobs:
    """Scores texts as answers to chats, on one server."""

    def __init__(self, block: RemoteModel, http_client: HTTPClient, retries: Retries) -> None:
        self._block = block
        self._http_client = http_client
        self._retries = retries
        self._template = block.extra.get("chat_template_kwargs", NO_THINKING)
        self._tokenize = block.base_url.removesuffix("/v1") + "/tokenize"

    async def logprobs(self, chat: Chat, text: str) -> list[float]:
        """Of every token of `text`; empty for an empty text, and for an item that the server refuses.

        Raises:
            NoLogprobsError: the server cannot do it.
        """
        if not text.strip():
            return []
        messages = [{"role": turn.role, "content": turn.content} for turn in chat]
        try:
            asked = {
                "messages": messages,
                "add_generation_prompt": True,
                "chat_template_kwargs": self._template,
            }
            prompt = await self._tokens(asked)
            answer = await self._tokens({"prompt": text.strip(), "add_special_tokens": False})
            body = {
                "model": self._block.model,
                "prompt": prompt + answer,
                "echo": True,
                "logprobs": 1,
                "max_tokens": 1,
                "temperature": 0.0,
            }
            values = await self._retries.call("/completions", body, _echoed)
        except ModelError as error:
            if "HTTP 404" not in error.what:
                raise
            raise self._cannot(error.what) from None
        except Trouble as trouble:
            if trouble.kind == "malformed" or "HTTP 405" in str(trouble) or "HTTP 501" in str(trouble):
                raise self._cannot(str(trouble)) from None
            return []
        if len(values) < len(prompt) + len(answer):
            raise self._cannot("its echo is shorter than the prompt")
        return values[len(prompt) : len(prompt) + len(answer)]

    async def _tokens(self, body: dict[str, Any]) -> list[int]:
        return await self._retries.call(self._tokenize, {"model": self._block.model, **body}, _token_ids)

    def _cannot(self, why: str) -> NoLogprobsError:
        return NoLogprobsError(
            f"{self._block.model} at {self._block.base_url} gives no log-probabilities of given texts: {why}",
            _HINT,
        )


def _token_ids(reply: Any) -> list[int]:
    tokens = reply.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
        raise Malformed("the reply to /tokenize holds no tokens")
    return tokens


def _echoed(reply: Any) -> list[float]:
    """Of every token of the prompt and of what was generated; that of the first is unknown, and 0 here."""
    try:
        values = reply["choices"][0]["logprobs"]["token_logprobs"]
        numbers = [0.0 if value is None else finite(value) for value in values]
    except (KeyError, IndexError, TypeError):
        raise Malformed("the reply to /completions echoes no log-probabilities") from None
    if None in numbers:
        raise Malformed("the reply to /completions echoes log-probabilities that are no numbers")
    return [number for number in numbers if number is not None]
