"""Reads YAML as Kubernetes does and keeps the place of every field."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from .problems import Findings, Path
from .scalars import Scalar, is_surprising, resolve

MAX_NODES = 200_000
"""Aliases can make a small file expand without end; a manifest has a few hundred nodes."""

_PLAIN = "plain"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:float": (int, float),
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:null": type(None),
}


@dataclass(frozen=True)
class Node:
    """A JSON value, where it stands (from 1), and the nodes under it by key or index."""

    value: Any
    line: int
    column: int
    children: Mapping[str | int, Node] = field(default_factory=dict)

    def at(self, path: Path) -> Node:
        """The node at the path or, where that field was not given, the nearest one above it."""
        node = self
        for part in path:
            if part not in node.children:
                break
            node = node.children[part]
        return node


def documents(text: str | bytes, findings: Findings) -> Iterator[Node]:
    """The documents that are not empty. Bad syntax is a problem and ends the file there."""
    try:
        for root in yaml.compose_all(text, _Loader):
            document = _Builder(findings).node(root, ())
            if document.value is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        findings.problem(mark.line + 1 if mark else 0, mark.column + 1 if mark else 0, (), f"not YAML: {error.problem}")
    except yaml.YAMLError as error:
        findings.problem(0, 0, (), f"not YAML: {str(error).splitlines()[0]}")


class _Loader(yaml.BaseLoader):
    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        """Called where no tag is written: leaves the meaning of plain scalars to the builder."""
        plain = kind is ScalarNode and implicit[0]
        return _PLAIN if plain else super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]


class _Builder:
    """Turns one document's YAML nodes into ours. What it reports never quotes a value: it may be a password."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._open: set[int] = set()
        self._nodes = 0

    def node(self, node: yaml.Node, path: Path, at: yaml.Node | None = None) -> Node:
        """`at` is the key of a mapping's value: a field stands where its name does."""
        self._nodes += 1
        if id(node) in self._open:
            raise _refusal("the anchor contains itself", node)
        if self._nodes > MAX_NODES:
            raise _refusal("too large, or too many aliases", node)
        self._open.add(id(node))
        value, children = self._content(node, path)
        self._open.remove(id(node))
        mark = (at or node).start_mark
        return Node(value, mark.line + 1, mark.column + 1, children)

    def _content(self, node: yaml.Node, path: Path) -> tuple[Any, Mapping[str | int, Node]]:
        if isinstance(node, MappingNode):
            fields = self._mapping(node, path)
            return {name: child.value for name, child in fields.items()}, fields
        if isinstance(node, SequenceNode):
            items = [self.node(item, (*path, index)) for index, item in enumerate(node.value)]
            return [item.value for item in items], dict(enumerate(items))
        return self._scalar(node, path), {}

    def _mapping(self, node: MappingNode, path: Path) -> dict[str | int, Node]:
        fields: dict[str | int, Node] = {}
        given: dict[str | int, int] = {}
        for key, value in node.value:
            if key.tag == _PLAIN and key.value == "<<":
                merged = self._merged(value, path)
                for name in given.keys() & merged.keys():
                    self._problem(key, (*path, name), "is overridden by the << after it: put << first")
                fields.update(merged)
                continue
            name = self._key(key, path)
            if name in given:
                self._problem(key, (*path, name), f"is given twice, first in line {given[name]}")
            given[name] = key.start_mark.line + 1
            fields[name] = self.node(value, (*path, name), key)
        return fields

    def _merged(self, node: yaml.Node, path: Path) -> dict[str | int, Node]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        fields: dict[str | int, Node] = {}
        for source in reversed(sources):
            if not isinstance(source, MappingNode):
                raise _refusal("<< takes a mapping or a list of mappings", source)
            fields.update(self.node(source, path).children)
        return fields

    def _key(self, node: yaml.Node, path: Path) -> str:
        if not isinstance(node, ScalarNode):
            raise _refusal("the name of a field must be a text", node)
        value = self._scalar(node, (*path, str(node.value)))
        if value is None:
            raise _refusal("the name of a field must be a text, not null", node)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _scalar(self, node: yaml.Node, path: Path) -> Scalar:
        text = str(node.value)
        if node.tag != _PLAIN and node.tag not in _TYPES:
            return text
        value = resolve(text)
        if not isinstance(value, _TYPES.get(node.tag, object)):
            self._problem(node, path, "is not of the type that its tag says")
        if isinstance(value, float) and not math.isfinite(value):
            self._problem(node, path, f"must be a finite number, not {text}")
        if is_surprising(text, value):
            meaning = str(value).lower() if isinstance(value, bool) else "a number, octal where it can be"
            line = node.start_mark.line + 1
            self._findings.note(line, path, f"is read as {meaning}, as kubectl does: quote it to keep the text")
        return value

    def _problem(self, at: yaml.Node, path: Path, message: str) -> None:
        self._findings.problem(at.start_mark.line + 1, at.start_mark.column + 1, path, message)


def _refusal(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
