"""A recipe as YAML with comments: why a value was chosen, what its key is, and keys that are not set.

A line of prose begins with `# `.  A key that is not set is a line with `#` directly before it, so that the
recipe is still one when the `#` is removed (and that of the block it is in).  Knows plain data and texts;
nothing of machines or models.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from selfstudy.recipe.schema import docstrings
from selfstudy.recipe.whole import Recipe
from selfstudy.text import clean

_WIDTH = 100
_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
_ORDER = tuple(Recipe.model_fields)


@dataclass(frozen=True, slots=True)
class UnsetKeys:
    """Keys that stand in a recipe as comments.

    Attributes:
        values: plain data, by dotted key: what the key has where it is not set.
        about: what keys are, by dotted key, also of those that are set.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)


def commented_yaml(
    data: Mapping[str, Any], why: Mapping[str, str] | None = None, unset: UnsetKeys | None = None
) -> str:
    """The text of a recipe file, that reads back as `data`.

    Args:
        data: plain data of a recipe, only what was chosen; nested blocks as mappings.
        why: reasons, by dotted key ("model.dtype"); they stand above the key.
        unset: further keys, commented out, each in its block; then blocks stand in the order of `Recipe`.
    """
    return "\n".join(_Writer(why or {}, unset or UnsetKeys()).lines(data, "")) + "\n"


@dataclass(frozen=True, slots=True)
class _Writer:
    why: Mapping[str, str]
    unset: UnsetKeys

    def lines(self, data: Mapping[str, Any], prefix: str, *, hidden: bool = False) -> Iterator[str]:
        """The lines of a block.

        Args:
            hidden: it is commented out as a whole, by who asks.
        """
        indent = "  " * prefix.count(".")
        for number, name in enumerate(self._names(data, prefix)):
            if not prefix and number:
                yield ""
            key = prefix + name
            off = name not in data
            for about in self._about(key, is_set=not off):
                for line in textwrap.wrap(clean(about), _WIDTH - len(indent)):
                    yield f"{indent}# {line}"
            for line in self._body(key, data.get(name), hidden=hidden or off):
                yield f"{indent}#{line}" if off and not hidden else indent + line

    def _names(self, data: Mapping[str, Any], prefix: str) -> list[str]:
        below = (key.removeprefix(prefix) for key in self.unset.values if key.startswith(prefix))
        names = list(dict.fromkeys((*data, *(key.partition(".")[0] for key in below))))
        if not prefix and self.unset.values:
            names.sort(key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
        return names

    def _about(self, key: str, *, is_set: bool) -> Iterator[str]:
        """What a key is, unless a reason says enough; of a block both."""
        reason = self.why.get(key, "") if is_set else ""
        if not reason or "." not in key:
            yield self.unset.about.get(key, "") or ("" if "." in key else docstrings(Recipe).get(key, ""))
        yield reason

    def _body(self, key: str, value: Any, *, hidden: bool) -> Iterator[str]:
        """A key with what is below it, without indentation of its own."""
        name = _flow(key.rpartition(".")[2])
        inner = any(other.startswith(f"{key}.") for other in self.unset.values)
        if key in self.unset.values and value is None:
            yield f"{name}: {_flow(self.unset.values[key])}"
        elif (isinstance(value, Mapping) and value and not _dotted(value)) or (value is None and inner):
            yield f"{name}:"
            cut = "  " * key.count(".")
            for line in self.lines(value or {}, f"{key}.", hidden=hidden):
                yield line.removeprefix(cut)
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            yield f"{name}:"
            yield from (f"  - {_flow(one)}" for one in value)
        else:
            yield f"{name}: {_flow(value)}"


def _dotted(value: Mapping[str, Any]) -> bool:
    """Whether it has names of the user's own with dots, such as hosts, which no dotted key can tell apart."""
    return any("." in name for name in value)


class _Dumper(yaml.SafeDumper):
    """Texts with line breaks in quotes that escape them: a value stands on one line."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if _BREAK.search(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _flow(value: Any) -> str:
    """A value on one line, quoted where YAML would read it otherwise."""
    made: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=True,
        allow_unicode=True,
        width=float("inf"),
        sort_keys=False,
    )
    return made.removesuffix("\n").removesuffix("\n...")
