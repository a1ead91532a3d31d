"""Where the code reads the keys of blocks, by the types that it is written with.

Follows annotations of arguments, attributes, results and fields, assignments, loops and `isinstance`; what it
cannot follow counts as not read.  Reads the source as it is; runs nothing.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import selfstudy
from selfstudy.recipe.base import Block

PACKAGE = Path(selfstudy.__file__).parent
Kinds = frozenset[str]
"""Names of classes that an expression may be of."""
NOTHING: Kinds = frozenset()
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def read_keys(files: Sequence[Path]) -> set[str]:
    """`Block.key` of all keys that these files read outside the recipe, also through methods of a block."""
    code = _Code()
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    for tree in trees.values():
        code.learn(tree)
    inside, outside = set[str](), set[str]()
    for path, tree in trees.items():
        own = path.is_relative_to(PACKAGE / "recipe")
        (inside if own else outside).update(code.reads(tree))
    return {f"{kind.__name__}.{key}" for kind in _all(Block) for key in _keys_of(kind, outside, code)}


def _keys_of(kind: type[Block], outside: set[str], code: _Code) -> Iterator[str]:
    names = [base.__name__ for base in kind.__mro__]
    waiting = {place.partition(".")[2] for place in outside if place.partition(".")[0] in names}
    done = set[str]()
    while waiting:
        name = waiting.pop()
        done.add(name)
        waiting |= {more for base in names for more in code.own[f"{base}.{name}"]} - done
    return (name for name in done if name in kind.model_fields)


def _all(kind: type[Block]) -> Iterator[type[Block]]:
    yield kind
    for sub in kind.__subclasses__():
        yield from _all(sub)


class _Code:
    def __init__(self) -> None:
        self.fields: dict[str, dict[str, Kinds]] = defaultdict(dict)
        """Of each class: its attributes, fields and methods, and what they give."""
        self.bases: dict[str, list[str]] = {}
        self.functions: dict[str, Kinds] = {}
        self.aliases: dict[str, Kinds] = {}
        self.own: dict[str, set[str]] = defaultdict(set)
        """What a method reads of its own object, by `Class.method`."""

    def learn(self, tree: ast.Module) -> None:
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                self._learn_class(node)
            elif isinstance(node, ast.FunctionDef) and node.returns is not None:
                self.functions[node.name] = self.functions.get(node.name, NOTHING) | _named(node.returns)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.aliases[node.targets[0].id] = _named(node.value)

    def _learn_class(self, node: ast.ClassDef) -> None:
        self.bases[node.name] = sorted(frozenset().union(*(_named(base) for base in node.bases)))
        found = self.fields[node.name]
        for part in ast.walk(node):
            if isinstance(part, ast.AnnAssign):
                target = part.target
                name = target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")
                found[name] = _named(part.annotation)
            elif isinstance(part, ast.FunctionDef):
                if part.returns is not None:
                    found[part.name] = _named(part.returns)
                self.own[f"{node.name}.{part.name}"] |= {
                    one.attr
                    for one in ast.walk(part)
                    if isinstance(one, ast.Attribute)
                    and isinstance(one.value, ast.Name)
                    and one.value.id == "self"
                }
                typed = {arg.arg: _named(arg.annotation) for arg in _arguments(part) if arg.annotation}
                for one in ast.walk(part):
                    if not isinstance(one, ast.Assign):
                        continue
                    for place, value in _pairs(one):
                        if isinstance(place, ast.Attribute) and isinstance(value, ast.Name):
                            found.setdefault(place.attr, typed.get(value.id, NOTHING))

    def resolved(self, kinds: Kinds) -> Kinds:
        """Aliases and the bounds of type variables, followed to the end."""
        found = set[str]()
        waiting = set(kinds)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting |= self.aliases.get(name, NOTHING)
        return frozenset(found)

    def attribute(self, kind: str, name: str) -> Kinds:
        found = self.fields[kind].get(name, NOTHING) if kind in self.fields else NOTHING
        return found or frozenset().union(*(self.attribute(base, name) for base in self.bases.get(kind, ())))

    def reads(self, tree: ast.Module) -> Iterator[str]:
        yield from self._reads(tree, {}, "")

    def _reads(self, node: ast.AST, known: dict[str, Kinds], owner: str) -> Iterator[str]:
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.ClassDef):
                yield from self._reads(part, known, part.name)
            elif isinstance(part, FUNCTIONS):
                yield from self._reads(part, self._locals(part, known, owner), owner)
            else:
                if isinstance(part, ast.Attribute):
                    yield from (f"{kind}.{part.attr}" for kind in self._kinds(part.value, known))
                yield from self._reads(part, known, owner)

    def _locals(self, node: ast.AST, known: dict[str, Kinds], owner: str) -> dict[str, Kinds]:
        found = dict(known)
        if isinstance(node, FUNCTIONS):
            found |= {arg.arg: _named(arg.annotation) for arg in _arguments(node) if arg.annotation}
        if owner:
            found["self"] = frozenset([owner])
        if isinstance(node, ast.Lambda):
            return found
        bound = [pair for part in ast.walk(node) for pair in _bound(part)]
        for _ in range(3):  # what is assigned from what is assigned
            for name, value in bound:
                found[name] = found.get(name, NOTHING) | self._kinds(value, found)
        return found

    def _kinds(self, node: ast.AST, known: dict[str, Kinds]) -> Kinds:
        if isinstance(node, ast.Name):
            return self.resolved(known.get(node.id, NOTHING))
        if isinstance(node, ast.Attribute):
            of = self._kinds(node.value, known)
            return self.resolved(frozenset().union(*(self.attribute(kind, node.attr) for kind in of)))
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                name = node.func.id
                kinds = frozenset([name]) if name in self.fields else self.functions.get(name, NOTHING)
                more = (self._kinds(one, known) for one in node.args) if name in _SAME else ()
                return self.resolved(kinds.union(*more))
            return self._kinds(node.func, known)
        if isinstance(node, ast.IfExp):
            return self._kinds(node.body, known) | self._kinds(node.orelse, known)
        if isinstance(node, ast.BoolOp):
            return frozenset().union(*(self._kinds(one, known) for one in node.values))
        if isinstance(node, ast.Subscript | ast.NamedExpr | ast.Starred):
            return self._kinds(node.value, known)
        if isinstance(node, ast.GeneratorExp | ast.ListComp):
            return self._kinds(node.elt, known)
        return NOTHING


_SAME = ("sorted", "list", "tuple", "enumerate", "next", "reversed", "zip", "iter", "set")


def _named(node: ast.AST | None) -> Kinds:
    """Every name within an annotation."""
    if node is None:
        return NOTHING
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    names |= {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            names |= set(re.findall(r"[A-Z]\w+", part.value))
    return frozenset(names)


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _bound(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names that a statement binds, and to what: of what it loops over, the whole."""
    pairs: list[tuple[ast.expr, ast.expr]] = []
    if isinstance(node, ast.Assign):
        pairs = list(_pairs(node))
    elif isinstance(node, ast.For | ast.comprehension):
        pairs = [(node.target, node.iter)]
    elif isinstance(node, ast.NamedExpr):
        pairs = [(node.target, node.value)]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
        kinds = [part for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)]
        pairs = [(node.args[0], ast.Call(kind, [], [])) for kind in kinds]
    for target, value in pairs:
        for part in target.elts if isinstance(target, ast.Tuple) else [target]:
            if isinstance(part, ast.Name):
                yield part.id, value
