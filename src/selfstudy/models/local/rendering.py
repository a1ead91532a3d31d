"""Chat templates are a stranger's programs: rendered in a sandbox, with bounds on time, memory and output.

The sandbox keeps a template from Python; it does not keep it from looping for hours or making terabytes.
Here every turn of a loop, every call and every text that is made is counted, and a template that goes beyond
what any real one needs is an error.  What a real template renders is what transformers renders: the same
sandbox, filters and functions (transformers.utils.chat_template_utils).  Knows nothing of tokens and models.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from datetime import datetime
from functools import lru_cache, wraps
from threading import local
from typing import Any, NoReturn

from jinja2 import Environment, Template, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from selfstudy.errors import ModelError

MAX_TEMPLATE = 200_000
"""Longest template in characters; the longest of known models have some 30,000."""
_TEXT = 1_000_000
"""Most characters that a template writes, or makes of a text, beside four times those that it is given."""
_ITEMS = 100_000
"""Most parts of one nested list, counted as often as they are shared."""
_PRODUCT = 100_000_000
"""A call may make so many characters at most of its arguments: `center`, `replace`, `join` multiply."""
_STEPS = 200_000
"""Turns of loops and calls, one more for every 512 characters that they read; more for a longer chat."""
_SECONDS = 0.5
"""Processor time of one rendering, beside a second for every million characters; a hundredth is usual."""
_WIDE = re.compile(r"[%:{][^a-zA-Z%{}]*\d{6}|%[^a-zA-Z%]*\*")
"""A format with a width of a million."""
_CHEAP = ("length", "count", "first", "last", "default", "d")
"""Filters that look at nothing but the outside of what they get."""
_CODES = ("encode", "decode", "translate")
"""Methods of texts and bytes for which no chat template has a use; codes such as punycode are quadratic."""
_LEFT_OUT = ("urlize", "wordwrap", "xmlattr", "pprint")
"""Filters of Jinja for web pages that are slow on long texts; no chat template has a use for them."""


class TemplateLimitError(ModelError):
    """A chat template that does not end, or makes more than any real one does."""


class _Work(local):
    """What the rendering of this thread may still do; None: no rendering is under way."""

    steps: int | None = None
    text = most = 0
    until = 0.0


_work = _Work()


def _too_much(what: str) -> NoReturn:
    raise TemplateLimitError(
        f"the model's chat template {what}: no real template does that",
        "give a model with a sound chat_template, or remove it from the tokenizer: then plain text is used",
    )


def _spend(steps: int, text: int = 0) -> None:
    if _work.steps is None:
        return
    before = _work.steps
    _work.steps -= steps
    _work.text -= text
    if _work.steps < 0:
        _too_much("does not come to an end")
    if _work.text < 0:
        _too_much("writes an enormous text")
    if before >> 7 != _work.steps >> 7 and time.thread_time() > _work.until:
        _too_much("takes too long")


def _most() -> int:
    """Longest text; also while a template is compiled, which works out what is constant in it."""
    return _TEXT if _work.steps is None else _work.most


def _size(*values: Any) -> int:
    """Characters and parts of plain values, what is shared counted as often as it would be written."""
    size = items = 0
    stack = list(values)
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, int):
            if value.bit_length() > 4096:
                _too_much("computes with enormous numbers")
            size += 1
        elif isinstance(value, Mapping):
            items += 2 * len(value)
            if items <= _ITEMS:
                stack += value.keys()
                stack += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            items += len(value)
            if items <= _ITEMS:
                stack += value
        if size > _most() or items > _ITEMS:
            _too_much("makes an enormous text or list")
    return size + items


def _check_call(subject: Any, args: Sequence[Any]) -> None:
    """Before a call: what it may make of its arguments is bounded, and paid for.

    Args:
        subject: what the arguments are applied to: the text of a method, the first argument of a filter.
    """
    own = _size(subject)
    longest = 1
    for one in args:
        number = abs(one) if isinstance(one, int) else 0
        if number > _most():
            _too_much(f"gives a function the number {one}")
        longest = max(longest, number, _size(one))
    if own * longest > _PRODUCT:
        _too_much("makes an enormous text")
    _spend(1 + (own + (longest if args else 0)) // 512)


def _whole(value: Any) -> Any:
    """What is made item by item (`map`, `items()`, `range`) as a list, each counted; the rest as it is."""
    lazy = isinstance(value, range | Iterator | KeysView | ValuesView | ItemsView)
    return list(_Each(value, 0)) if lazy else value


def _made(value: Any) -> Any:
    _spend(1 + _size(value) // 512)
    return value


def _joined(*parts: Any) -> str:
    """The operator `~`."""
    _size(*parts)
    text = "".join(map(str, parts))
    _spend(1 + len(text) // 512)
    return text


def _wrote(characters: int) -> str:
    _spend(1, characters)
    return ""


class _Each:
    """The items of a loop, every turn counted; `len` as of the items."""

    def __init__(self, items: Any, characters: int) -> None:
        self._items, self._characters = items, characters

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            _spend(1, self._characters)
            yield item

    def __len__(self) -> int:
        return len(self._items)


@pass_context
def _written(context: Context, value: Any) -> Any:
    """What `{{ }}` is about to write."""
    _spend(1, _size(value))
    return value


class _Bounded(ImmutableSandboxedEnvironment):
    """The sandbox that counts."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    each, joined, made, wrote = _Each, staticmethod(_joined), staticmethod(_made), staticmethod(_wrote)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Jinja's hook: an operator that makes something larger than what it is given."""
        if operator == "%" and isinstance(left, str):
            _check_format(left)
            _check_call(left, right if isinstance(right, tuple) else (right,))
        elif operator == "*" and not (isinstance(left, int | float) and isinstance(right, int | float)):
            sides = (left, right) if isinstance(right, int) else (right, left)
            if isinstance(sides[1], int) and _size(sides[0]) * sides[1] > _most():
                _too_much("makes an enormous text")
        elif operator == "**" and isinstance(left, int) and isinstance(right, int) and right > 64:
            _too_much("computes with enormous numbers")
        elif operator == "+" or (isinstance(left, int) and isinstance(right, int)):
            _size(left, right)
        return _made(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Jinja's hook: every call, but those of filters and tests."""
        subject = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        if isinstance(subject, str | bytes) and getattr(__obj, "__name__", "") in _CODES:
            raise SecurityError(f"a chat template may not use {__obj.__name__}")
        if isinstance(subject, str):
            args = tuple(map(_whole, args))
            if getattr(__obj, "__name__", "").startswith("format"):
                _check_format(subject)
            _check_call(subject, [*args, *kwargs.values()])
        else:
            _spend(1)
        return _made(super().call(__context, __obj, *args, **kwargs))


def _check_format(text: str) -> None:
    if len(text) > 10_000 or _WIDE.search(text):
        _too_much("formats to an enormous width")


def _counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose arguments and result are checked."""
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        given = args[first:]
        if name not in _CHEAP:
            given = tuple(map(_whole, given))
            if name == "format" and given:
                _check_format(str(given[0]))
            _check_call(given[0] if given else None, [*given[1:], *kwargs.values()])
            return _made(function(*args[:first], *given, **kwargs))
        _spend(1)
        return function(*args, **kwargs)

    return checked


class _Generation(Extension):
    """`{% generation %}` marks the assistant's words, for training on them; here it changes nothing."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Jinja's hook."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _TemplateNamespace(Namespace):
    """Jinja's `namespace()`, which keeps to itself what it holds, and takes no name of Python's own."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, *rest = args
        for name in (values := dict(*rest, **kwargs)):
            _check_name(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        Namespace.__setitem__(self, name, value)

    def __repr__(self) -> str:
        return "<namespace>"


def _check_name(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a chat template may not keep anything under the name {name!r}")


class _Dict:
    """`dict` without the rest of the type."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        """As Python's."""
        return dict.fromkeys(*args)


def _tojson(value: Any, ensure_ascii: bool = False, indent: Any = None, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)


def _environment() -> Environment:
    found = _Bounded(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    found.finalize = _written
    found.globals = {
        "range": found.globals["range"],
        "dict": _Dict(),
        "namespace": _TemplateNamespace,
        "raise_exception": _raise,
        "strftime_now": _strftime_now,
    }
    found.filters["tojson"] = _tojson
    found.filters = {
        name: _counted(name, function) for name, function in found.filters.items() if name not in _LEFT_OUT
    }
    return found


@lru_cache(maxsize=8)
def _compiled(source: str) -> Template:
    if len(source) > MAX_TEMPLATE:
        _too_much(f"has {len(source):,} characters")
    environment = _environment()
    try:
        tree = environment.parse(source)
        _count_in(tree)
        tree.set_environment(environment)
        code = environment.compile(tree)
    except (TemplateError, SyntaxError, RecursionError, MemoryError) as error:
        raise ModelError(
            f"the model's chat template cannot be read: {str(error)[:200] or type(error).__name__}",
            "repair `chat_template` of its tokenizer, or remove it: then plain text is used",
        ) from None
    return Template.from_code(environment, code, environment.globals)


def _count_in(tree: nodes.Template) -> None:
    """Puts the counting into a parsed template: into its loops, macros, lists and the operator `~`."""

    def asked(name: str, *args: Any) -> nodes.Call:
        return nodes.Call(nodes.EnvironmentAttribute(name), list(args), [], None, None)

    def visited(node: nodes.Node) -> nodes.Node:
        for field, value in node.iter_fields():
            if isinstance(value, nodes.Node):
                setattr(node, field, visited(value))
            elif isinstance(value, list):
                setattr(node, field, [visited(v) if isinstance(v, nodes.Node) else v for v in value])
        if isinstance(node, nodes.For):
            node.iter = asked("each", node.iter, nodes.Const(_own_text(node)))
        elif isinstance(node, nodes.Macro | nodes.CallBlock):
            node.body.insert(0, nodes.ExprStmt(asked("wrote", nodes.Const(_own_text(node)))))
        elif isinstance(node, nodes.Concat):
            return asked("joined", *node.nodes)
        elif isinstance(node, nodes.List | nodes.Dict) or (
            isinstance(node, nodes.Tuple) and node.ctx == "load"
        ):
            return asked("made", node)
        return node

    visited(tree)


def _own_text(node: nodes.Node) -> int:
    return sum(len(data.data) for data in node.find_all(nodes.TemplateData))


def render(template: str, variables: Mapping[str, Any]) -> str:
    """A template's text.

    Args:
        template: in the dialect of Jinja that Hugging Face's chat templates are written in.
        variables: plain values: texts, numbers, lists and dicts.

    Raises:
        ModelError: it is no template; a TemplateLimitError: it does not end, or makes too much.
        jinja2.TemplateError, and what else Python raises: it refuses what it is given.
    """
    compiled = _compiled(template)
    length = sum(_length(value) for value in variables.values())
    _work.steps = _STEPS + length // 4
    _work.text = _work.most = _TEXT + 4 * length
    _work.until = time.thread_time() + _SECONDS + length / 1e6
    try:
        return "".join(_bounded(compiled.generate(variables)))
    finally:
        _work.steps = None


def _length(value: Any) -> int:
    """Characters of what a template is given: of chats, and of the words that are tokens."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_length(part) for part in value.values())
    return sum(_length(part) for part in value) if isinstance(value, list | tuple) else 0


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    for piece in pieces:
        _spend(0, len(piece))
        yield piece


def render_chat(tokenizer: Any, turns: Sequence[Mapping[str, Any]], open_answer: bool, **options: Any) -> str:
    """A chat as the template of a tokenizer writes it; what `apply_chat_template(tokenize=False)` gives.

    Args:
        turns: role and content of each.
        open_answer: whether the assistant's next turn is opened.
        options: more that the template is told, such as `enable_thinking`.

    Raises:
        ModelError, jinja2.TemplateError: as `render`.
    """
    return render(
        tokenizer.get_chat_template(),
        {
            **tokenizer.special_tokens_map,
            "messages": [dict(turn) for turn in turns],
            "tools": None,
            "documents": None,
            "add_generation_prompt": open_answer,
            **options,
        },
    )
