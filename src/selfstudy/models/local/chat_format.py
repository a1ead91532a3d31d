"""Chats to the text and the tokens that a local model reads, and its tokens back to text.

A tokenizer's chat template is used where there is one.  Without one the plain template is

    System: {system}

    User: {user}

    Assistant:

with the tokenizer's own first token (bos) before it, and a completion ends where a next "User:" line begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.records import Chat, Message

_ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}\n\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""The plain template in Jinja, for servers that want one."""
PLAIN_STOP = ("\nUser:",)


class ChatFormat:
    """Renders and tokenises chats for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._templated = bool(getattr(tokenizer, "chat_template", None))
        self.stop: tuple[str, ...] = () if self._templated else PLAIN_STOP

    def render(self, chat: Chat) -> str:
        """The prompt's text, up to where the assistant's answer begins.

        Raises:
            ModelError: the chat is empty, or the template refuses it.
        """
        return self._render(chat, open_answer=True)

    def answer(self, chat: Chat, text: str) -> str:
        """`text` exactly as it would follow `render(chat)`, without what ends the turn."""
        text = text.strip()
        if not self._templated:
            return f" {text}"
        prompt = self.render(chat)
        full = self._render((*chat, Message(role="assistant", content=text)), open_answer=False)
        tail = full.removeprefix(prompt)
        at = tail.find(text)
        # A template that rewrites history has no common prefix; then the text follows as it is.
        return tail[: at + len(text)] if full.startswith(prompt) and at >= 0 else text

    def encode(self, prompts: Sequence[str]) -> list[list[int]]:
        """Token ids of rendered prompts; those of plain text get its bos and the like."""
        return self._ids(prompts, special=not self._templated)

    def encode_answers(self, answers: Sequence[str]) -> list[list[int]]:
        """Token ids of what `answer` returned."""
        return self._ids(answers, special=False)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of generated tokens, special tokens left out, spaces as they are."""
        return str(
            self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def _ids(self, texts: Sequence[str], special: bool) -> list[list[int]]:
        if not texts:
            return []
        found: list[list[int]] = self._tokenizer(
            list(texts), add_special_tokens=special, return_attention_mask=False
        )["input_ids"]
        return found

    def _render(self, chat: Chat, open_answer: bool) -> str:
        if not chat:
            raise ModelError("an empty chat cannot be rendered", "give it at least one message")
        if not self._templated:
            lines = [f"{_ROLES[turn.role]}: {turn.content}" for turn in chat]
            return "\n\n".join([*lines, "Assistant:"] if open_answer else lines)
        try:
            return self._apply(chat, open_answer)
        except Exception as error:
            if chat[0].role != "system" or len(chat) < 2:
                raise ModelError(
                    f"the model's chat template refuses this chat: {error}",
                    "roles must alternate: user, assistant",
                ) from None
            # Some templates have no system role; what it says then opens the first turn.
            first = Message(role=chat[1].role, content=f"{chat[0].content}\n\n{chat[1].content}")
            return self._render((first, *chat[2:]), open_answer)

    def _apply(self, chat: Chat, open_answer: bool) -> str:
        return str(
            self._tokenizer.apply_chat_template(
                [turn.model_dump() for turn in chat],
                tokenize=False,
                add_generation_prompt=open_answer,
                # Templates of reasoning models read it, others ignore it: passages are short, direct answers.
                enable_thinking=False,
            )
        )
