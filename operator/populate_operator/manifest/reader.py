"""Reads manifests: which objects they hold, and everything that is wrong with them at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from populate_operator.spec import PopulateJob

from .crd import definition
from .documents import Node, documents
from .objects import read_populate_job, read_secret
from .problems import Findings, ManifestError, Problem


@dataclass
class Manifest:
    """The objects of one or more files, in their order."""

    jobs: list[PopulateJob] = field(default_factory=list)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    """By name: decoded values by key."""
    notes: list[str] = field(default_factory=list)
    """What was left out or read in a way that may surprise, one line each."""


def load(*sources: str | Path) -> Manifest:
    """Reads files, or standard input for `-`, as `kubectl apply -f` and the API server would.

    Raises ManifestError with every problem of every file, in the order of files and lines.
    """
    reader = _Reader()
    problems: list[Problem] = []
    for source in sources:
        findings = Findings("stdin" if str(source) == "-" else str(source))
        reader.read(source, findings)
        problems += sorted(findings.problems, key=lambda problem: (problem.line, problem.column))
    if not problems and not reader.manifest.jobs:
        problems.append(Problem(", ".join(map(str, sources)), 0, 0, "", f"no {definition().kind} in it"))
    if problems:
        raise ManifestError(problems)
    return reader.manifest


class _Reader:
    def __init__(self) -> None:
        self.manifest = Manifest()
        self._first: dict[tuple[str, ...], str] = {}

    def read(self, source: str | Path, findings: Findings) -> None:
        try:
            text = sys.stdin.buffer.read() if str(source) == "-" else Path(source).read_bytes()
        except OSError as error:
            return findings.problem(0, 0, (), f"cannot be read: {error.strerror}")
        for document in documents(text, findings):
            for kind, node in _objects(document, findings):
                self._add(kind, node, findings)
        self.manifest.notes += findings.notes

    def _add(self, kind: str, node: Node, findings: Findings) -> None:
        """Secrets are told apart by name alone: a manifest that is run has one namespace's Secrets."""
        place = node.at(("metadata", "name"))
        if kind == "Secret":
            secret = read_secret(node, findings)
            if secret is not None and self._is_first((kind, place.value), place, findings):
                self.manifest.secrets[place.value] = secret
            return
        job = read_populate_job(node, findings)
        if job is not None and self._is_first((kind, job.namespace, job.name), place, findings):
            self.manifest.jobs.append(job)

    def _is_first(self, identity: tuple[str, ...], place: Node, findings: Findings) -> bool:
        here = f"{findings.file}:{place.line}"
        if identity not in self._first:
            self._first[identity] = here
            return True
        message = f"{identity[-1]} is the name of another {identity[0]}, in {self._first[identity]}: give each its own"
        findings.problem(place.line, place.column, ("metadata", "name"), message)
        return False


def _objects(document: Node, findings: Findings) -> Iterator[tuple[str, Node]]:
    """The PopulateJobs and Secrets of a document, which may be a List of them; others leave a note."""
    kind = _kind(document, findings)
    if kind == "List":
        for item in document.children["items"].children.values() if "items" in document.children else ():
            yield from _objects(item, findings)
    elif kind is not None:
        yield kind, document


def _kind(node: Node, findings: Findings) -> str | None:
    """The kind, where it is one to read and its apiVersion is right."""
    ours, version_of = definition().kind, {definition().kind: definition().api_version, "Secret": "v1", "List": "v1"}
    head = node.value if isinstance(node.value, dict) else {}
    kind, version = head.get("kind"), head.get("apiVersion")

    def refuse(field: str, message: str) -> None:
        findings.problem(node.at((field,)).line, node.at((field,)).column, (field,), message)

    if not isinstance(kind, str):
        refuse("kind", f"is required: {ours} or Secret")
    elif not isinstance(version, str):
        refuse("apiVersion", f"is required: {version_of.get(kind, 'group/version')}")
    elif kind in version_of:
        if version == version_of[kind]:
            return kind
        refuse("apiVersion", f"must be {version_of[kind]}, not {version}")
    elif version.split("/")[0] == definition().api_version.split("/")[0]:
        refuse("kind", f"must be {ours}, not {kind}")
    else:
        findings.note(node.line, (), f"{kind} is left out: only {ours} and Secret are read")
    return None
