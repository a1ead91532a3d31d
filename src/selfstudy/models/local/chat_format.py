"""Chats to the text and the tokens that a local model reads, and its tokens back to text.

A tokenizer's chat template is used where there is one.  Without one, or if the recipe says so, the chat is
plain text that the model completes (models/plain.py), with the tokenizer's own first token (bos) before it.
Models with a template do without demonstrations, unless the recipe wants them.

The one place that knows what ends a turn: generation stops at `ends` and `stop`, training teaches what
`encode_turns` gives.  What is said in a turn cannot end it: marks in it are broken up (models/content.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.models import content, plain, thinking
from selfstudy.models.base import BY_TEMPLATE, Style
from selfstudy.models.local.panics import panics_as_errors
from selfstudy.models.local.rendering import render_chat
from selfstudy.models.local.template import Ending, Habits, habits, hears_user
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat, Message, without_demonstrations

Characters = tuple[int, int]
_PLAIN = Habits(system=True, opens_thinking=False, ending=Ending(stop=(plain.BETWEEN,)), lines=(plain.LABEL,))


def style_of(block: LocalModel) -> Style:
    """How chats are put to the model of a recipe's block."""
    completion = None if block.prompt == "auto" else block.prompt == "completion"
    return Style(completion, block.demonstrations)


class ChatFormat:
    """Renders and tokenises chats for one tokenizer.

    Args:
        model: whose settings name more end tokens; only tokens that it has an embedding for are taught.

    Attributes:
        ends: token ids that end an answer: the template's, and those that settings and tokenizer name.
        demonstrations: whether those of a prompt are shown.
        content: what is said in a turn, as it is rendered.

    Raises:
        ModelError: the style wants a template and there is none, or the template leaves out the user.
    """

    def __init__(self, tokenizer: Any, model: Any = None, style: Style = BY_TEMPLATE) -> None:
        self._tokenizer = tokenizer
        template = bool(getattr(tokenizer, "chat_template", None))
        if style.completion is False and not template:
            raise ModelError(
                "prompt: chat, and the model has no chat template",
                "leave `prompt` out: then it completes plain text; or add a template to its tokenizer",
            )
        self._templated = template and not style.completion
        self.demonstrations = not self._templated if style.demonstrations is None else style.demonstrations
        words = _own_words(tokenizer)
        self._parts = False
        if self._templated and not hears_user(self._apply):
            self._parts = True  # templates of models that see: content is a list of parts
            if not hears_user(self._apply):
                raise ModelError(
                    "the model's chat template leaves out what the user says",
                    "repair `chat_template` of its tokenizer, or remove it: then plain text is used",
                )
        self._habits = habits(self._apply, words) if self._templated else _PLAIN
        self.content: content.Content = content.of_tokenizer(
            tokenizer, self._habits.lines, self._habits.words
        )
        self._first = [] if self._templated else _first_tokens(tokenizer)
        self._stop = self._habits.ending.stop
        self.ends: list[int] = _named_ends(tokenizer, model)
        self._end = self._habits.ending.text
        self._eos = _eos(tokenizer, model)
        own = words.get(self._habits.ending.token)
        self._rows = rows = _embeddings(model)
        if own is not None and (rows is None or own < rows):
            self.ends = sorted({*self.ends, own})
            self._eos = own if self._eos is None else self._eos
        elif self._habits.ending.token:  # the model cannot have learned to write it
            self._end = ""

    def stop(self, chat: Chat) -> tuple[str, ...]:
        """Texts that end an answer to a chat."""
        return self._stop if self._templated else (plain.stop(self._shown(chat)),)

    def render(self, chat: Chat) -> str:
        """The prompt's text, up to where the assistant's answer begins.

        Raises:
            ModelError: the chat is empty, or the template refuses it.
        """
        return self._render(chat, open_answer=True)

    def spared(self, chat: Chat, tokens: Sequence[int]) -> int:
        """How many of the first tokens of a rendered chat are demonstrations and what stands before them."""
        shown = self._shown(chat)
        count = max((at + 1 for at, turn in enumerate(shown) if turn.demonstration), default=0)
        if not count:
            return 0
        (before,) = self.encode([self._render(shown[:count], open_answer=False)])
        pairs = zip(before, tokens[:-1], strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def render_closed(self, chat: Chat) -> str:
        """The prompt before a given answer: as `render`, thinking that the template opens closed."""
        prompt = self.render(chat)
        return thinking.closed(prompt) if self._habits.opens_thinking else prompt

    def answer(self, chat: Chat, text: str) -> str:
        """`text` exactly as it would follow `render_closed(chat)`, without what ends the turn."""
        text = self.content(text.strip())
        if not self._templated:
            return f" {text}"
        prompt = self.render_closed(chat)
        full = self._render((*chat, Message(role="assistant", content=text)), open_answer=False)
        tail = full.removeprefix(prompt)
        at = tail.find(text)
        # A template that rewrites history has no common prefix; then the text follows as it is.
        return tail[: at + len(text)] if full.startswith(prompt) and at >= 0 else text

    def encode(self, prompts: Sequence[str]) -> list[list[int]]:
        """Token ids of rendered prompts; those of plain text begin with the tokenizer's bos and the like."""
        found = self._ids(prompts)
        bos = getattr(self._tokenizer, "bos_token_id", None)
        if bos is not None and self._templated:  # a tokenizer that adds its own to that of the template
            found = [ids[1:] if ids[:2] == [bos, bos] else ids for ids in found]
        return [[*self._first, *ids] if ids else ids for ids in found]

    def encode_answers(self, answers: Sequence[str]) -> list[list[int]]:
        """Token ids of what `answer` returned."""
        return self._ids(answers)

    def encode_plain(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts as they stand, whatever template there is; without `beginning`."""
        return self._ids(texts, verbose=False)  # it would warn of texts that are read in windows

    @property
    def beginning(self) -> list[int]:
        """What the tokenizer puts before a plain text, such as bos."""
        return _first_tokens(self._tokenizer)

    @property
    def mark(self) -> list[int]:
        """What stands before the first token of all: the same, else bos or the end of what was before."""
        named = getattr(self._tokenizer, "bos_token_id", None)
        named = self._eos if named is None else named
        return self.beginning or ([] if named is None or self.unknown([named]) else [named])

    def encode_turns(self, answers: Sequence[str]) -> list[list[int]]:
        """The same with what ends the turn: as the template writes it, up to the mark that ends it.

        White space after the mark is no part of the turn.  Where the template writes no mark it is the
        tokenizer's or the model's eos, and without one the text at which generation stops; in plain text
        what stands between an answer and what follows it.
        """
        text, token = self._closing()
        found = self._ids([answer + text for answer in answers])
        return found if token is None else [[*ids, token] for ids in found]

    def located(
        self, answers: Sequence[str], ended: Sequence[bool]
    ) -> list[tuple[list[int], list[Characters]]]:
        """Tokens of each as in `encode_turns` where the turn ended, else as in `encode_answers`.

        Returns:
            With the characters [start, end) that each token holds; those of what ends the turn lie behind the
            answer.

        Raises:
            ModelError: the tokenizer cannot tell.
        """
        if not answers:
            return []
        if not getattr(self._tokenizer, "is_fast", False):
            raise ModelError(
                "the model's tokenizer does not say which characters a token holds, and rewards go by that",
                "use a model with a tokenizer.json (a fast tokenizer)",
            )
        text, token = self._closing()
        whole = [answer + text * own for answer, own in zip(answers, ended, strict=True)]
        with panics_as_errors("the model's tokenizer"):
            found = self._tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
        rows = []
        for at, own in enumerate(ended):
            ids, places = list(found["input_ids"][at]), list(map(tuple, found["offset_mapping"][at]))
            if own and token is not None:
                ids, places = [*ids, token], [*places, (len(whole[at]), len(whole[at]))]
            rows.append((ids, places))
        return rows

    def placed(self, answer: str, tokens: Sequence[int]) -> list[Characters] | None:
        """The characters [start, end) of an answer that each of the tokens holds which it was generated as.

        A tokenizer may cut the same text otherwise.  White space around it may be other than was generated.

        Args:
            answer: what `answer` returned.

        Returns:
            That of an end token lies behind the answer; None: they say more than it, or something else.
        """
        said = list(tokens[:-1] if tokens and tokens[-1] in self.ends else tokens)
        written = self.decode(said)
        if written.strip() != answer.strip():
            return None
        shift = _margin(answer) - _margin(written)
        ends = [len(self.decode(said[: at + 1])) for at in range(len(said))]
        for at in reversed(range(len(ends) - 1)):  # parts of a character may read as several
            ends[at] = min(ends[at], ends[at + 1])
        begins = [0, *ends][: len(ends)]
        places = [(min(begin, max(0, end - 1)), end) for begin, end in zip(begins, ends, strict=True)]
        limit = len(answer)
        found = [tuple(min(limit, max(0, at + shift)) for at in place) for place in places]
        return [(begin, end) for begin, end in found] + [(limit, limit)] * (len(tokens) - len(said))

    def _closing(self) -> tuple[str, int | None]:
        """What ends a turn: a text, or a token where no text says it."""
        if not self._templated:
            return plain.BETWEEN, None
        if self._end:
            return self._end, None
        return ("", self._eos) if self._eos is not None else ("".join(self._stop[:1]), None)

    def count(self, text: str) -> int:
        """Tokens of `text` alone, as content."""
        return len(self._ids([self.content(text)])[0])

    def unknown(self, tokens: Sequence[int]) -> list[int]:
        """Those of `tokens` for which the model has no embedding."""
        return [] if self._rows is None else [token for token in tokens if token >= self._rows]

    def decode(self, tokens: Sequence[int], *, special: bool = False) -> str:
        """The text of generated tokens, spaces as they are; special tokens are left out unless asked for."""
        return str(
            self._tokenizer.decode(
                tokens, skip_special_tokens=not special, clean_up_tokenization_spaces=False
            )
        )

    def decode_behind(self, before: Sequence[int], tokens: Sequence[int]) -> str:
        """The text of `tokens` behind others: a decoder may drop the space at the left of what is alone."""
        last = list(before[-1:])
        return self.decode([*last, *tokens]).removeprefix(self.decode(last))

    def words(self, tokens: Sequence[int], values: Sequence[float]) -> list[tuple[str, float]]:
        """The words of an answer's tokens, each with the sum of its tokens' values.

        A word begins where a token begins with white space, which a decoder may drop from a token alone.
        """
        found: list[tuple[list[int], float]] = []
        for i, (token, value) in enumerate(zip(tokens, values, strict=True)):
            behind = self.decode_behind(tokens[max(0, i - 1) : i], [token])
            if found and (not behind[:1].isspace() or not self.decode(found[-1][0]).strip()):
                found[-1] = ([*found[-1][0], token], found[-1][1] + value)
            else:
                found.append(([token], value))
        return [(self.decode(ids).strip(), total) for ids, total in found]

    def read(self, tokens: Sequence[int]) -> str:
        """The answer in generated tokens: their text, without the thinking before it.

        Raises:
            NoAnswerError: it is all thinking.
        """
        return self.answer_in(self.decode(tokens, special=True), self.decode(tokens))

    def answer_in(self, whole: str, said: str) -> str:
        """The same in a text with its special tokens, as marks around thinking may be, and without them.

        Raises:
            NoAnswerError: it is all thinking.
        """
        answer = thinking.without_thinking(whole, opened=self._habits.opens_thinking)
        if answer == whole:
            return said
        for word in self._tokenizer.all_special_tokens:
            answer = answer.replace(word, "")
        return answer

    def _ids(self, texts: Sequence[str], **how: Any) -> list[list[int]]:
        if not texts:
            return []
        with panics_as_errors("the model's tokenizer"):
            found: list[list[int]] = self._tokenizer(
                list(texts), add_special_tokens=False, return_attention_mask=False, **how
            )["input_ids"]
        return found

    def _render(self, chat: Chat, open_answer: bool) -> str:
        if not chat:
            raise ModelError("an empty chat cannot be rendered", "give it at least one message")
        chat = content.within(self._shown(chat), self.content)
        if not self._templated:
            return plain.text(chat)
        if chat[0].role == "system" and not self._habits.system:
            chat = _without_system(chat)
        try:
            return self._apply(chat, open_answer)
        except ModelError:
            raise
        except Exception as error:
            if chat[0].role != "system" or len(chat) < 2:
                raise ModelError(
                    f"the model's chat template refuses this chat: {error}",
                    "roles must alternate: user, assistant",
                ) from None
            return self._render(_without_system(chat), open_answer)

    def _shown(self, chat: Chat) -> Chat:
        return chat if self.demonstrations else without_demonstrations(chat)

    def _turn(self, turn: Message) -> dict[str, Any]:
        return {"role": turn.role, "content": _parts_of(turn.content) if self._parts else turn.content}

    def _apply(self, chat: Chat, open_answer: bool) -> str:
        return render_chat(
            self._tokenizer,
            [self._turn(turn) for turn in chat],
            open_answer,
            # Templates of reasoning models read it, others ignore it: passages are short, direct answers.
            enable_thinking=False,
        )


def _margin(text: str) -> int:
    return len(text) - len(text.lstrip())


def _parts_of(content: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": content}]


def _without_system(chat: Chat) -> Chat:
    """The system's words before those of the first user, for templates without a system role."""
    system, turns = chat[0].content, list(chat[1:])
    at = next((i for i, turn in enumerate(turns) if turn.role == "user"), None)
    if at is None:
        return (Message(role="user", content=system), *turns)
    turns[at] = Message(role="user", content=f"{system}\n\n{turns[at].content}")
    return tuple(turns)


def _own_words(tokenizer: Any) -> dict[str, int]:
    """Words that are tokens of their own, with their ids."""
    added: dict[str, int] = getattr(tokenizer, "get_added_vocab", dict)()
    special = getattr(tokenizer, "all_special_tokens", [])
    return added | {word: tokenizer.convert_tokens_to_ids(word) for word in special}


def _first_tokens(tokenizer: Any) -> list[int]:
    """What the tokenizer puts before a text, such as bos; what it appends (eos) has no place in a prompt."""
    whole = list(tokenizer("a")["input_ids"])
    bare = list(tokenizer("a", add_special_tokens=False)["input_ids"])
    starts = range(len(whole) - len(bare) + 1)
    at = next((i for i in starts if whole[i : i + len(bare)] == bare), None)
    if at is not None:
        return whole[:at]
    return whole[:1] if whole[:1] == [getattr(tokenizer, "bos_token_id", None)] else []


def _owners(tokenizer: Any, model: Any) -> list[Any]:
    owners = [tokenizer]
    if model is not None:
        owners += [model.generation_config, model.config.get_text_config()]
    return [owner for owner in owners if getattr(owner, "eos_token_id", None) is not None]


def _named_ends(tokenizer: Any, model: Any) -> list[int]:
    """Every token id that the tokenizer, the generation settings or the model name as an end."""
    found: set[int] = set()
    for owner in _owners(tokenizer, model):
        ends = owner.eos_token_id
        found.update([ends] if isinstance(ends, int) else ends)
    return sorted(found)


def _eos(tokenizer: Any, model: Any) -> int | None:
    """The end token where the template has none: the tokenizer's, else the model's first."""
    rows = _embeddings(model)
    for owner in _owners(tokenizer, model):
        ends = owner.eos_token_id
        first: int = ends if isinstance(ends, int) else ends[0]
        if rows is None or first < rows:
            return first
    return None


def _embeddings(model: Any) -> int | None:
    """How many tokens a model has embeddings for; a tokenizer may have more. None without a model."""
    return None if model is None else int(model.get_input_embeddings().weight.shape[0])
