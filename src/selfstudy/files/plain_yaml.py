"""YAML that others wrote, as plain data within bounds: text, numbers, true and false, lists, mappings.

What an alias stands for counts each time, so that a few lines cannot become billions; data that contains
itself, deep nesting, huge numbers and other types (sets, binary, objects) are refused.  A date is text, as it
was written, and so is 4:00:00, which YAML 1.1 takes for a number to the base of 60.  Knows no keys.
"""

from __future__ import annotations

from typing import Any, ClassVar

import yaml

LARGEST = 10_000_000
"""Characters."""
MOST = 1_000_000
"""Values, each of which takes half a kilobyte while they are read."""
DEEPEST = 50
"""Lists and mappings within each other."""
_DIGITS = 100
_TAG = "tag:yaml.org,2002:"
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotPlainError(ValueError):
    """The text is no YAML, or more than plain data within bounds; says what and where."""


class _Loader(_Base):  # type: ignore[misc]
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, pattern) for tag, pattern in some if tag != f"{_TAG}timestamp"]
        for first, some in _Base.yaml_implicit_resolvers.items()
    }


def _number(loader: Any, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode) and len(node.value) > _DIGITS:
        raise yaml.MarkedYAMLError(
            problem=f"a number of {len(node.value):,} digits", problem_mark=node.start_mark
        )
    if isinstance(node, yaml.ScalarNode) and ":" in node.value:
        return node.value
    made = yaml.SafeLoader.yaml_constructors[node.tag]
    return made(loader, node)


for _name in ("int", "float"):
    _Loader.add_constructor(_TAG + _name, _number)
for _name in ("timestamp", "binary", "set", "omap", "pairs"):
    _Loader.add_constructor(_TAG + _name, yaml.SafeLoader.construct_undefined)


def load(text: str) -> Any:
    """The data in a YAML text; None if it is empty.

    Raises:
        NotPlainError: it cannot be read.
    """
    if len(text) > LARGEST:
        raise NotPlainError(f"more than {LARGEST:,} characters")
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_size(node, 10 * len(text) + 100_000)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise NotPlainError(_told(error)) from None
    except yaml.YAMLError as error:
        raise NotPlainError(" ".join(str(error).split())) from None
    except NotPlainError:
        raise
    except UnicodeError:
        raise NotPlainError("it holds half a character (a lone surrogate)") from None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        raise NotPlainError("a value is not of the type that its tag names") from None


def _told(error: yaml.MarkedYAMLError) -> str:
    """What is wrong and where; not the line itself, in which a key may stand."""
    mark = error.problem_mark or error.context_mark
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    said = ": ".join(part for part in (error.context, error.problem) if part)
    return f"{' '.join(said.split())}{where}"


def _check_depth(text: str) -> None:
    """Before anything is built: building goes down the levels, and would not come back from a million."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if count > MOST:
            raise NotPlainError(f"more than {MOST:,} values")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            where = f" in line {event.start_mark.line + 1}" if event.start_mark else ""
            raise NotPlainError(f"more than {DEEPEST} lists and mappings within each other{where}")


def _check_size(root: Any, most: int) -> None:
    """Refuses what aliases make endless, deep, or larger than its text by far."""
    sizes: dict[int, tuple[int, int]] = {}
    """Characters and levels of the nodes seen, whatever in them is an alias counted each time."""
    within: set[int] = set()

    def measured(node: Any) -> tuple[int, int]:
        if id(node) in within:
            raise NotPlainError(f"the list or mapping in line {node.start_mark.line + 1} contains itself")
        if id(node) not in sizes:
            within.add(id(node))
            if isinstance(node, yaml.ScalarNode):
                sizes[id(node)] = 1 + len(node.value), 0
            else:
                pairs = isinstance(node, yaml.MappingNode)
                parts = [part for pair in node.value for part in pair] if pairs else node.value
                below = [measured(part) for part in parts]
                size, depth = 1 + sum(size for size, _ in below), 1 + max((d for _, d in below), default=0)
                if size > most or depth > DEEPEST:
                    raise NotPlainError(
                        f"the aliases in line {node.start_mark.line + 1} stand for too much: write it out"
                    )
                sizes[id(node)] = size, depth
            within.remove(id(node))
        return sizes[id(node)]

    measured(root)
